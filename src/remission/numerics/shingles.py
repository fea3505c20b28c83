"""Hashes of the runs of words of texts, for sketches of what a text is made of."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Integers, Words
from remission.numerics.jit import jit
from remission.numerics.random import mix
from remission.numerics.reading import MARK, join, read


def shingles(codes: Words, starts: Integers, words: int) -> tuple[Words, Integers]:
    """Hashes of all runs of so many words of each text; case, blanks and signs do not matter.

    Args:
        codes: characters of all texts (N,) uint32.
        starts: where each text begins, and N (m + 1,).
        words: of a run; a text with fewer words is one run.

    Returns:
        Hashes (k,) uint64, those of text i being ``starts[i] : starts[i + 1]`` of the second array; none for a text
        without words.
    """
    reading = read(codes, starts)
    _long_words(reading.hashes, reading.chars, reading.ends)
    out = np.empty(reading.hashes.size, np.uint64)
    places = np.zeros(starts.size, np.int64)
    _shingles(reading.hashes, reading.kind, reading.starts, words, out, places)
    return out[: places[-1]].copy(), places


@jit()
def _long_words(hashes, chars, ends):  # type: ignore[no-untyped-def]
    """Runs of letters that are too long for words, which all have the hash 0, get hashes of their own, in place."""
    for j in range(hashes.size):
        if hashes[j] == 0:
            word = np.uint64(ends[j + 1] - ends[j])
            for i in range(ends[j], ends[j + 1]):
                word = (word ^ np.uint64(chars[i])) * np.uint64(0x100000001B3)
            hashes[j] = mix(word) | np.uint64(1)


@jit()
def _shingles(hashes, kind, starts, words, out, places):  # type: ignore[no-untyped-def]
    last = np.zeros(words, np.uint64)  # the hashes of the last words, in a ring
    found = 0
    for text in range(starts.size - 1):
        seen = 0
        for j in range(starts[text], starts[text + 1]):
            if kind[j] == MARK:
                continue
            last[seen % words] = hashes[j]
            seen += 1
            if seen >= words:
                out[found] = _run(last, seen, words)
                found += 1
        if 0 < seen < words:
            out[found] = _run(last, seen, seen)
            found += 1
        places[text + 1] = found


@jit(inline=True)
def _run(last, seen, count):  # type: ignore[no-untyped-def]
    """The hash of the last ``count`` words."""
    gram = np.uint64(count)
    for k in range(seen - count, seen):
        gram = join(gram, last[k % last.size])
    return mix(gram)
