"""Sets of hashes as open-addressing tables, and words joined by lost blanks taken apart again."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Array, Words
from remission.numerics.jit import jit
from remission.numerics.reading import LONGEST, WORD, Reading, word_hash

SHORTEST = 2  # letters of a part of a joined word; shorter parts are found in almost any word


def table(hashes: Array) -> Words:
    """A set of non-zero hashes as a table of a power of two, at most a third full; 0 marks a free slot."""
    wanted = np.unique(np.asarray(hashes, np.uint64))
    out = np.zeros(1 << max(4, int(np.ceil(np.log2(3 * wanted.size + 1)))), np.uint64)
    _insert(wanted[wanted > 0], out)
    return out


@jit(inline=True)
def place(keys, wanted):  # type: ignore[no-untyped-def]
    """The slot of a hash, or the free one where it belongs."""
    mask = keys.size - 1
    slot = np.int64(wanted >> np.uint64(24)) & mask
    while keys[slot] != 0 and keys[slot] != wanted:
        slot = (slot + 1) & mask
    return slot


@jit()
def _insert(hashes, keys):  # type: ignore[no-untyped-def]
    for i in range(hashes.size):
        keys[place(keys, hashes[i])] = hashes[i]


def split(reading: Reading, known: Words) -> Reading:
    """The same text with every word that is not known, but is two known ones in a row, taken apart.

    Text that lost its line breaks holds "partof" and "themodel"; left alone, such words tell where a text was stored
    instead of who wrote it. Of several places the one whose shorter part is longest is taken.

    Args:
        reading: what was read.
        known: a table of word hashes.
    """
    room = 2 * reading.hashes.size
    ends, hashes = np.zeros(room + 1, np.int64), np.empty(room, np.uint64)
    kind, starts = np.empty(room, np.uint8), np.zeros_like(reading.starts)
    _split(*reading, known, ends, hashes, kind, starts)
    total = int(starts[-1])
    return Reading(reading.chars, ends[: total + 1], hashes[:total], kind[:total], starts)


@jit()
def _split(chars, ends, hashes, kind, starts, known, new_ends, new_hashes, new_kind, new_starts):  # type: ignore[no-untyped-def]
    p = 0
    for text in range(starts.size - 1):
        for j in range(starts[text], starts[text + 1]):
            low, high, whole = ends[j], ends[j + 1], hashes[j]
            if kind[j] == WORD and high - low >= 2 * SHORTEST and (whole == 0 or known[place(known, whole)] == 0):
                best = 0
                if high - low <= 2 * LONGEST:
                    for cut in range(low + SHORTEST, high - SHORTEST + 1):
                        shorter = min(cut - low, high - cut)
                        if best > 0 and shorter <= min(best - low, high - best):
                            continue
                        left, right = word_hash(chars, low, cut), word_hash(chars, cut, high)
                        if left == 0 or right == 0:
                            continue
                        if known[place(known, left)] != 0 and known[place(known, right)] != 0:
                            best = cut
                if best > 0:
                    new_hashes[p], new_kind[p], new_ends[p + 1] = word_hash(chars, low, best), WORD, best
                    p += 1
                    whole = word_hash(chars, best, high)
            new_hashes[p], new_kind[p], new_ends[p + 1] = whole, kind[j], high
            p += 1
        new_starts[text + 1] = p
