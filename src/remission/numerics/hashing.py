"""Hashed n-grams of texts that were read: of words and signs, of words masked to their endings, of letters in words.

Every n-gram of a text counts once (it is there or not), except where ``times`` are asked for. A bucket is the upper
bits of a 64-bit hash of the n-gram. Letters are counted per *distinct word* of a text, so that what a word adds to a
linear score can be computed once per word and not once per occurrence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Array, Integers, Words
from remission.numerics.jit import jit
from remission.numerics.random import mix
from remission.numerics.reading import WORD, Reading, join
from remission.numerics.vocabulary import place

MOST = 1 << 15  # distinct n-grams of one text; later ones are left out
_PRIME = np.uint64(0x100000001B3)


class Counts(NamedTuple):
    """A sparse matrix of counts in compressed rows: row i is ``columns[starts[i] : starts[i + 1]]``."""

    starts: Integers
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]


def word_grams(reading: Reading, hashes: Words, longest: int, bits: int) -> Counts:
    """How often each n-gram of 1 .. ``longest`` pieces occurs in every text.

    Args:
        reading: what was read.
        hashes: (p,) the pieces: ``reading.hashes`` or ``masked`` ones; no n-gram holds a 0.
        longest: n.
        bits: logarithm of the number of buckets.
    """
    room = min(hashes.size * longest, reading.texts * MOST)
    starts = np.zeros(reading.texts + 1, np.int64)
    columns, values = np.empty(room, np.int32), np.empty(room, np.float32)
    total = _word_grams(hashes, reading.starts, longest, bits, starts, columns, values)
    return Counts(starts, columns[:total].copy(), values[:total].copy())


def letter_grams(reading: Reading, shortest: int, longest: int, bits: int) -> Counts:
    """How many distinct words of every text hold each n-gram of letters, ends of words included."""
    widest = np.diff(reading.ends)[reading.kind == WORD].sum() + 2 * int((reading.kind == WORD).sum())
    room = int(widest) * (longest - shortest + 1)
    starts = np.zeros(reading.texts + 1, np.int64)
    columns, values = np.empty(room, np.int32), np.empty(room, np.float32)
    total = _letter_grams(*reading, shortest, longest, bits, starts, columns, values)
    return Counts(starts, columns[:total].copy(), values[:total].copy())


def masked(reading: Reading, kept: Words, letters: int = 2) -> Words:
    """The hashes of the pieces, with every word that is not ``kept`` replaced by its last letters.

    What is left is grammar without subject matter (Stamatatos, "Authorship attribution using text distortion", EACL
    2017), which carries over from one domain to another.

    Args:
        reading: what was read.
        kept: a table of word hashes.
        letters: how many; at least two letters of a word are hidden.
    """
    out = reading.hashes.copy()
    _mask(reading.chars, reading.ends, reading.kind, kept, letters, out)
    return out


@jit()
def _mask(chars, ends, kind, kept, letters, out):  # type: ignore[no-untyped-def]
    for j in range(out.size):
        if kind[j] == WORD and (out[j] == 0 or kept[place(kept, out[j])] == 0):
            low, high = ends[j], ends[j + 1]
            ending = np.uint64(7)
            for i in range(max(low, high - max(0, min(letters, high - low - 2))), high):
                ending = (ending ^ np.uint64(chars[i])) * _PRIME
            out[j] = mix(ending) | np.uint64(1)


@jit(inline=True)
def _mask_for(most):  # type: ignore[no-untyped-def]
    """The slots, less one, of a table that so many distinct things fill by half: a short text stays in the cache."""
    size = 64
    while size < 2 * min(most, MOST):
        size *= 2
    return size - 1


@jit(inline=True)
def _add(gram, keys, counts, order, found, mask):  # type: ignore[no-untyped-def]
    """Count one n-gram in a table of this text; how many distinct ones there are now."""
    slot = np.int64(gram >> np.uint64(40)) & mask
    while counts[slot] > 0 and keys[slot] != gram:
        slot = (slot + 1) & mask
    if counts[slot] == 0:
        if found == order.size:
            return found
        keys[slot] = gram
        order[found] = slot
        found += 1
    counts[slot] += 1
    return found


@jit(inline=True)
def _gather(hashes, low, high, longest, keys, counts, order):  # type: ignore[no-untyped-def]
    """Count the n-grams of one text; how many distinct ones there are."""
    found, mask = 0, _mask_for((high - low) * longest)
    for j in range(low, high):
        gram = np.uint64(0)
        for k in range(j, min(high, j + longest)):
            if hashes[k] == 0:
                break
            gram = join(gram, hashes[k])
            found = _add(gram, keys, counts, order, found, mask)
    return found


@jit()
def _word_grams(hashes, texts, longest, bits, starts, columns, values):  # type: ignore[no-untyped-def]
    keys, counts, order = np.empty(2 * MOST, np.uint64), np.zeros(2 * MOST, np.int32), np.empty(MOST, np.int64)
    shift, n = np.uint64(64 - bits), 0
    for text in range(texts.size - 1):
        found = _gather(hashes, texts[text], texts[text + 1], longest, keys, counts, order)
        for k in range(found):
            columns[n], values[n] = np.int32(keys[order[k]] >> shift), counts[order[k]]
            counts[order[k]] = 0
            n += 1
        starts[text + 1] = n
    return n


@jit(inline=True)
def _letters(chars, low, high, first, last):  # type: ignore[no-untyped-def]
    """The hash of letters first .. last of a word with a blank at either end, by place within the word."""
    gram = np.uint64(last - first + 1)
    for i in range(first, last + 1):
        letter = np.uint64(32) if i < low or i >= high else np.uint64(chars[i])
        gram = (gram ^ letter) * _PRIME
    return mix(gram)


@jit()
def _letter_grams(chars, ends, hashes, kind, texts, shortest, longest, bits, starts, columns, values):  # type: ignore[no-untyped-def]
    keys, counts, order = np.empty(2 * MOST, np.uint64), np.zeros(2 * MOST, np.int32), np.empty(MOST, np.int64)
    words, seen, listed = np.empty(2 * MOST, np.uint64), np.zeros(2 * MOST, np.int32), np.empty(MOST, np.int64)
    shift, n = np.uint64(64 - bits), 0
    for text in range(texts.size - 1):
        distinct = found = 0
        mask = _mask_for(texts[text + 1] - texts[text])
        wide = _mask_for(
            (ends[texts[text + 1]] - ends[texts[text]] + 2 * (texts[text + 1] - texts[text])) * (longest - shortest + 1)
        )
        for j in range(texts[text], texts[text + 1]):
            if kind[j] != WORD or hashes[j] == 0:
                continue
            before = distinct
            distinct = _add(hashes[j], words, seen, listed, distinct, mask)
            if distinct == before:
                continue
            low, high = ends[j], ends[j + 1]
            for first in range(low - 1, high):
                for last in range(first + shortest - 1, min(high, first + longest - 1) + 1):
                    found = _add(_letters(chars, low, high, first, last), keys, counts, order, found, wide)
        for k in range(distinct):
            seen[listed[k]] = 0
        for k in range(found):
            columns[n], values[n] = np.int32(keys[order[k]] >> shift), counts[order[k]]
            counts[order[k]] = 0
            n += 1
        starts[text + 1] = n
    return n


@jit(fast=True)
def word_scores(hashes, texts, longest, bits, weights, out):  # type: ignore[no-untyped-def]
    """Linear scores of texts straight from their pieces: the dot product is taken while n-grams are counted.

    Args:
        hashes: (p,) pieces.
        texts: (m + 1,) where texts begin.
        longest: n of the n-grams.
        bits: logarithm of the number of buckets.
        weights: (2**bits, 3) of each bucket its weight times its inverse document frequency, that frequency (0: not
            known, left out) and its log-ratio.
        out: (m, 2), filled with sum_b w_b (1 + ln n_b) / norm, the norm that of (1 + ln n_b) idf_b, and with the mean
            log-ratio of the known n-grams that are there. 0 where none is known.
    """
    keys, counts, order = np.empty(2 * MOST, np.uint64), np.zeros(2 * MOST, np.int32), np.empty(MOST, np.int64)
    shift, logarithm = np.uint64(64 - bits), 1.0 + np.log(np.arange(1.0, 257.0))
    for text in range(texts.size - 1):
        found = _gather(hashes, texts[text], texts[text + 1], longest, keys, counts, order)
        dot = norm = ratio = 0.0
        known = 0
        for k in range(found):
            slot = order[k]
            bucket = np.int64(keys[slot] >> shift)
            idf = weights[bucket, 1]
            if idf > 0.0:
                often = counts[slot]
                times = logarithm[often - 1] if often <= 256 else 1.0 + np.log(np.float64(often))
                dot += weights[bucket, 0] * times
                norm += (idf * times) ** 2
                ratio += weights[bucket, 2]
                known += 1
            counts[slot] = 0
        out[text, 0] = dot / np.sqrt(norm) if known else 0.0
        out[text, 1] = ratio / (known + 1)


@jit(fast=True)
def letter_scores(chars, ends, hashes, kind, texts, shortest, longest, bits, weights, out):  # type: ignore[no-untyped-def]
    """Linear scores of texts from the letters of their distinct words.

    Args:
        chars: with ``ends``, ``hashes``, ``kind`` and ``texts`` (its starts) a Reading.
        ends: likewise.
        hashes: likewise.
        kind: likewise.
        texts: likewise.
        shortest: with ``longest`` the lengths of n-grams.
        longest: likewise.
        bits: logarithm of the number of buckets.
        weights: (2**bits, 3) of each bucket its weight, 1 if it is known and 0 if it is left out, its log-ratio.
        out: (m, 2), filled with (sum of weights) / sqrt(n + 1) and (sum of log-ratios) / (n + 1), n the number of known
            n-grams, each as often as distinct words hold it.
    """
    size = 16
    while size < 2 * hashes.size:
        size *= 2
    memory, sums = np.zeros(size, np.uint64), np.empty((size, 3), np.float32)
    words, seen, listed = np.empty(2 * MOST, np.uint64), np.zeros(2 * MOST, np.int32), np.empty(MOST, np.int64)
    shift = np.uint64(64 - bits)
    for text in range(texts.size - 1):
        distinct, mask = 0, _mask_for(texts[text + 1] - texts[text])
        dot = known = ratio = 0.0
        for j in range(texts[text], texts[text + 1]):
            if kind[j] != WORD or hashes[j] == 0:
                continue
            before = distinct
            distinct = _add(hashes[j], words, seen, listed, distinct, mask)
            if distinct == before:
                continue
            slot = place(memory, hashes[j])
            if memory[slot] == 0:
                memory[slot] = hashes[j]
                low, high = ends[j], ends[j + 1]
                one = two = three = 0.0
                for first in range(low - 1, high):
                    for last in range(first + shortest - 1, min(high, first + longest - 1) + 1):
                        bucket = np.int64(_letters(chars, low, high, first, last) >> shift)
                        one += weights[bucket, 0]
                        two += weights[bucket, 1]
                        three += weights[bucket, 2]
                sums[slot, 0], sums[slot, 1], sums[slot, 2] = one, two, three
            dot += sums[slot, 0]
            known += sums[slot, 1]
            ratio += sums[slot, 2]
        for k in range(distinct):
            seen[listed[k]] = 0
        out[text, 0] = dot / np.sqrt(known + 1.0)
        out[text, 1] = ratio / (known + 1.0)


def document_frequency(counts: Counts, bits: int, units: Array) -> Integers:
    """How many units hold each bucket, (2**bits,)."""
    out, last = np.zeros(1 << bits, np.int64), np.full(1 << bits, -1, np.int64)
    order = np.argsort(units, kind="stable")
    _frequency(counts.starts, counts.columns, order, np.asarray(units, np.int64), last, out)
    return out


@jit()
def _frequency(starts, columns, order, units, last, out):  # type: ignore[no-untyped-def]
    for i in order:
        for k in range(starts[i], starts[i + 1]):
            if last[columns[k]] != units[i]:
                last[columns[k]] = units[i]
                out[columns[k]] += 1
