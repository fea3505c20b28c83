"""Two n-gram language models in one table, and the log-likelihood ratio between them.

Interpolated Witten-Bell smoothing (Chen & Goodman, "An empirical study of smoothing techniques for language modeling",
Computer Speech and Language 13 (1999), section 2.5): with c(h w) the weight of the occurrences of w after the context
h, c(h) that of h and T(h) how many different pieces followed it,

    p(w | h) = (c(h w) + s T(h) p(w | h')) / (c(h) + s T(h)),

h' being h without its first piece and the shortest law uniform. T is taken over both classes together: a class with
less text would otherwise lean more on shorter contexts, and the ratio would tell the amount of text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Array, Floats, Words
from remission.numerics.jit import jit
from remission.numerics.reading import Reading, join
from remission.numerics.vocabulary import place

_START = np.uint64(5)


class Pair(NamedTuple):
    """Counts of two classes in one open-addressing table of n-grams; an n-gram is also the context of longer ones."""

    keys: Words  # (slots,) uint64, 0 where free
    counts: npt.NDArray[np.float32]  # (slots, 2) weight of the n-gram in either class
    after: npt.NDArray[
        np.float32
    ]  # (slots, 3) weight of what follows it in either class, and how many different pieces


def fit(reading: Reading, classes: Array, weight: Floats, units: Array, order: int, least: int) -> Pair:
    """Count the n-grams of two classes of texts.

    Args:
        reading: what was read; n-grams hold no piece of hash 0.
        classes: (m,) 0 or 1.
        weight: (m,) of each text.
        units: (m,) whole numbers.
        order: n of the longest n-gram.
        least: n-grams of two and more pieces in fewer units are left out; single pieces likewise.
    """
    order_of = np.argsort(units, kind="stable")
    size = 1 << int(np.ceil(np.log2(2 * order * reading.hashes.size + 16)))
    keys, counts, after = np.zeros(size, np.uint64), np.zeros((size, 2), np.float32), np.zeros((size, 3), np.float32)
    last, many = np.full(size, -1, np.int32), np.zeros(size, np.int32)
    number = np.unique(np.asarray(units), return_inverse=True)[1].astype(np.int32)
    kinds = np.asarray(classes, np.int64)
    _count(reading.hashes, reading.starts, order_of, kinds, weight, number, order, keys, counts, after, last, many)
    kept = np.flatnonzero((many >= least) | (keys == _START))
    small = np.zeros(1 << int(np.ceil(np.log2(2 * kept.size + 16))), np.uint64)
    out = Pair(small, np.zeros((small.size, 2), np.float32), np.zeros((small.size, 3), np.float32))
    _move(kept, keys, counts, after, *out)
    return out


@jit()
def _count(hashes, texts, sequence, classes, weight, units, order, keys, counts, after, last, many):  # type: ignore[no-untyped-def]
    for text in sequence:
        kind, mass, unit = classes[text], weight[text], units[text]
        for j in range(texts[text], texts[text + 1]):
            for n in range(1, order + 1):
                first = j - n + 1
                if first < texts[text] or hashes[first] == 0:
                    break
                context = _START
                for k in range(first, j):
                    context = join(context, hashes[k])
                gram = join(context, hashes[j])
                before, here = place(keys, context), np.int64(0)
                keys[before] = context
                here = place(keys, gram)
                keys[here] = gram
                if counts[here, 0] + counts[here, 1] == 0.0:
                    after[before, 2] += 1.0
                counts[here, kind] += mass
                after[before, kind] += mass
                if last[here] != unit:
                    last[here] = unit
                    many[here] += 1


@jit()
def _move(kept, keys, counts, after, new_keys, new_counts, new_after):  # type: ignore[no-untyped-def]
    for slot in kept:
        here = place(new_keys, keys[slot])
        new_keys[here] = keys[slot]
        new_counts[here] = counts[slot]
        new_after[here] = after[slot]


@jit()
def ratios(hashes, texts, order, strength, keys, counts, after, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (m, 2): the mean log-ratio class 1 : class 0 of the known pieces of each text, and how many those are.

    Args:
        hashes: (p,) pieces; those that are not known are passed over, for how many there are tells the domain.
        texts: (m + 1,) where texts begin.
        order: n of the longest n-gram.
        strength: s, the weight of shorter contexts.
        keys: with ``counts`` and ``after`` a Pair.
        counts: likewise.
        after: likewise.
        out: to be filled.
    """
    root = place(keys, _START)
    for text in range(texts.size - 1):
        total, known = 0.0, 0
        for j in range(texts[text], texts[text + 1]):
            if hashes[j] == 0:
                continue
            single = place(keys, join(_START, hashes[j]))
            if keys[single] == 0:
                continue
            back = strength * after[root, 2]
            uniform = 1.0 / after[root, 2]
            human = (counts[single, 0] + back * uniform) / (after[root, 0] + back)
            other = (counts[single, 1] + back * uniform) / (after[root, 1] + back)
            for n in range(2, order + 1):
                first = j - n + 1
                if first < texts[text] or hashes[first] == 0:
                    break
                context = _START
                for k in range(first, j):
                    context = join(context, hashes[k])
                before = place(keys, context)
                if keys[before] == 0 or after[before, 2] == 0.0:
                    break
                here = place(keys, join(context, hashes[j]))
                one = two = 0.0
                if keys[here] != 0:
                    one, two = counts[here, 0], counts[here, 1]
                back = strength * after[before, 2]
                human = (one + back * human) / (after[before, 0] + back)
                other = (two + back * other) / (after[before, 1] + back)
            total += np.log(other / human)
            known += 1
        out[text, 0] = total / known if known else 0.0
        out[text, 1] = known
