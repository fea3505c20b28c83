"""Which of many things were there before: hashes of rows of tokens, and first occurrences."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Booleans, Floats, Integers, Words
from remission.numerics.jit import jit
from remission.numerics.random import mix

_FACTOR = np.uint64(0xD1342543DE82EF95)
_ONE = np.uint64(1)
FOREVER = np.iinfo(np.int64).max


@jit(inline=True)
def _hash(ids, start, place, before, itself):  # type: ignore[no-untyped-def]
    word = _ONE
    for at in range(place - before, place + itself):
        token = np.uint64(ids[at]) + _ONE if at >= start else np.uint64(0)
        word = (word + token) * _FACTOR + _ONE
    return word | _ONE  # 0 stands for what is never counted


@jit()
def _hashes(ids, first, places, before, itself, out):  # type: ignore[no-untyped-def]
    for k in range(places.size):
        out[k] = _hash(ids, first[k], places[k], before, itself)


def hashes(ids: Integers, first: Integers, places: Integers, before: int, itself: bool) -> Words:
    """A hash (k,), never 0, of the ``before`` tokens before each place and, where ``itself``, of its own.

    Args:
        ids: token numbers, not negative.
        first: (k,) where the text of each place begins; what is missing before it counts as one more kind of token.
        places: (k,).
        before: tokens of context.
        itself: whether the token at the place belongs to it.
    """
    out = np.empty(places.size, np.uint64)
    _hashes(ids, first, places, before, int(itself), out)
    return out


@jit()
def _windows(ids, starts, width, ahead, out):  # type: ignore[no-untyped-def]
    """A hash of the ``width`` tokens up to ``ahead`` places after each place. What leaves a window is taken off again."""
    power = _ONE
    for _ in range(width):
        power *= _FACTOR
    for text in range(starts.size - 1):
        start, end = starts[text], starts[text + 1]
        word = np.uint64(0)  # of a window that lies before the text, where all tokens are missing
        for place in range(start, min(start + width + 1, end)):
            new, old = place + ahead, place + ahead - width
            if new >= start:
                word += np.uint64(ids[new]) + _ONE
            if old >= start:
                word -= (np.uint64(ids[old]) + _ONE) * power
            word *= _FACTOR
            out[place] = word
        for place in range(start + width + 1, end):
            new, old = np.uint64(ids[place + ahead]), np.uint64(ids[place + ahead - width])
            word = (word + new - old * power + (_ONE - power)) * _FACTOR
            out[place] = word


@jit()
def _fresh(words, starts, skipped, window, shift, table, last, out):  # type: ignore[no-untyped-def]
    most, found = np.uint64(table.size - 1), np.int64(0)
    for text in range(starts.size - 1):
        start = starts[text]
        for place in range(start + skipped, starts[text + 1]):
            word = words[place]
            slot = word >> shift
            before = last[slot]
            if before >= start and table[slot] != word:
                slot = (slot + _ONE) & most
                while last[slot] >= start and table[slot] != word:
                    slot = (slot + _ONE) & most
                before = last[slot]
            out[found] = place
            found += np.int64((before < start) | (place - before > window))
            table[slot], last[slot] = word, place
    return found


def fresh(
    ids: Integers, starts: Integers, before: int, itself: bool, padded: bool = False, window: int = FOREVER
) -> Integers:
    """The places (k,) where the tokens before it (and its own, where ``itself``) were not there before in the text.

    Args:
        ids: token numbers of texts, one after another.
        starts: (m + 1,) where each begins.
        before: tokens of context. Places with fewer in their text are left out, unless ``padded``.
        itself: whether the token at the place belongs to it.
        padded: see above.
        window: how many places back a repetition is looked for.
    """
    words, width = np.empty(ids.size, np.uint64), before + itself
    _windows(ids, starts, width, int(itself) - 1, words)
    bits = max(4, (4 * int(np.diff(starts).max(initial=0))).bit_length())  # a quarter full at most: few meet
    table, last = np.empty(1 << bits, np.uint64), np.full(1 << bits, -1, np.int64)
    out = np.empty(ids.size + 1, np.int64)
    found = _fresh(words, starts, 0 if padded else before, window, np.uint64(64 - bits), table, last, out)
    return out[:found]


@jit()
def _firsts(words, groups, table, owner, out):  # type: ignore[no-untyped-def]
    last = np.uint64(table.size - 1)
    for k in range(words.size):
        word = words[k]
        if word == 0:
            continue
        slot = mix(word) & last
        while owner[slot] == groups[k] and table[slot] != word:
            slot = (slot + _ONE) & last
        if owner[slot] != groups[k]:
            owner[slot], table[slot] = groups[k], word
            out[k] = True


def firsts(words: Words, groups: Integers | None = None) -> Booleans:
    """Where each word comes for the first time, (k,): in its group, or at all. A word 0 never does.

    Args:
        words: (k,).
        groups: (k,) numbers from 0 on that do not fall; None: all words are one group.

    >>> import numpy as np
    >>> firsts(np.array([7, 7, 0, 7], np.uint64), np.array([0, 0, 0, 1]))
    array([ True, False, False,  True])
    """
    numbers = np.zeros(words.size, np.int64) if groups is None else groups
    largest = int(np.bincount(numbers).max()) if words.size else 0
    size = 1 << max(4, (2 * largest).bit_length())
    out = np.zeros(words.size, np.bool_)
    _firsts(words, numbers, np.zeros(size, np.uint64), np.full(size, -1, np.int64), out)
    return out


@jit()
def _sums(groups, values, n, total):  # type: ignore[no-untyped-def]
    k = 0
    while k < groups.size:
        group, begun, whole = groups[k], k, 0.0
        while k < groups.size and groups[k] == group:
            whole += values[k]
            k += 1
        n[group] += k - begun
        total[group] += whole


def sums(groups: Integers, values: Floats, many: int) -> tuple[Integers, Floats]:
    """How many values each of ``many`` groups has, and their sum: (many,) both."""
    n, total = np.zeros(many, np.int64), np.zeros(many)
    _sums(groups, values, n, total)
    return n, total


@jit()
def _grouped(groups, targets, many, start, order, slot, bounds, kept, inverse):  # type: ignore[no-untyped-def]
    for k in range(groups.size):
        start[groups[k] + 1] += 1
    for g in range(many):
        start[g + 1] += start[g]
    at = start[:many].copy()
    for k in range(groups.size):
        order[at[groups[k]]] = k
        at[groups[k]] += 1
    found = 0
    for g in range(many):
        begun = found
        for i in range(start[g], start[g + 1]):
            k = order[i]
            place = slot[targets[k]]
            if place < begun:
                place = found
                slot[targets[k]], kept[found] = found, k
                found += 1
            inverse[k] = place
        bounds[g + 1] = found
    return found


def grouped(groups: Integers, targets: Integers, many: int, size: int) -> tuple[Integers, Integers, Integers]:
    """Distinct pairs of a group and a target, those of a group together.

    Args:
        groups: (k,) numbers 0 .. many - 1.
        targets: (k,) numbers 0 .. size - 1.
        many: how many groups there may be.
        size: how many targets.

    Returns:
        kept: (p,) where each distinct pair comes first. bounds: (many + 1,) the pairs of each group among them.
        inverse: (k,) the pair of each place.
    """
    k = groups.size
    bounds, kept, inverse = np.zeros(many + 1, np.int64), np.empty(k, np.int64), np.empty(k, np.int64)
    start, slot = np.zeros(many + 1, np.int64), np.full(size, -1, np.int64)
    found = _grouped(groups, targets, many, start, np.empty(k, np.int64), slot, bounds, kept, inverse)
    return kept[:found], bounds, inverse
