"""Measures of style that do not depend on the length or layout of a text, in one pass over its pieces."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Array, Floats, Words
from remission.numerics.jit import jit
from remission.numerics.reading import MARK, NUMBER, REPEATED, WORD, Reading
from remission.numerics.vocabulary import place

WINDOW = 40  # words among which different ones are counted
ENDINGS = ("ly", "ing", "ed", "tion", "s", "ity", "ive", "al", "ment", "ness", "ous", "er", "est", "ful", "able", "ize", "ism", "ance")  # fmt: skip
SIGNS = ('"', "-", "\u2014", "(", ")", ".", ",", ";", "?", "!", "$", ":", "%", "&", "/", "\u263a", "..", "!!", "??")
NUMBERS = 5  # a number is known by its digits: 1, 2, 3, 4, more
SUMMARIES = (
    "word-length", "word-length-spread", "words>=7", "words>=10", "words<=3", "sentence-length",
    "sentence-length-spread", "sentence-length-change", "signs", "different-words", "adjacent-repeats",
)  # fmt: skip


def names(words: int) -> list[str]:
    """What each column of :func:`measures` is, given how many words are counted one by one."""
    numbered = [f"word-{number}" for number in range(words)]
    return [
        *numbered,
        *SIGNS,
        *(f"-{end}" for end in ENDINGS),
        *(f"digits-{n + 1}" for n in range(NUMBERS)),
        *SUMMARIES,
    ]


def measures(reading: Reading, known: Words, numbers: Array, words: int) -> Floats:
    """Measures of every text (m, k), see :func:`names`.

    Shares of words and signs are among words and numbers together, under a square root, which makes their spread
    independent of their size. Lengths of sentences are logarithms.

    Args:
        reading: what was read.
        known: a table of the hashes of words that are counted one by one.
        numbers: (slots,) the column of each.
        words: how many these are.
    """
    out = np.zeros((reading.texts, len(names(words))))
    signs = np.array([ord(sign[0]) | (REPEATED if len(sign) > 1 else 0) for sign in SIGNS], np.uint32)
    endings = np.zeros((len(ENDINGS), 5), np.uint32)
    for i, ending in enumerate(ENDINGS):
        endings[i, : len(ending) + 1] = [len(ending), *map(ord, ending)]
    _measure(*reading, known, numbers, words, signs, endings, out)
    return out


@jit()
def _measure(chars, ends, hashes, kind, texts, known, numbers, words, signs, endings, out):  # type: ignore[no-untyped-def]
    ending, digit = words + signs.size, words + signs.size + endings.shape[0]
    summary = digit + NUMBERS
    for text in range(texts.size - 1):
        low, high, row = texts[text], texts[text + 1], out[text]
        total = spelt = marks = 0
        letters = squares = 0.0
        for j in range(low, high):
            length = ends[j + 1] - ends[j]
            if kind[j] == MARK:
                marks += 1
                for k in range(signs.size):
                    if signs[k] == chars[ends[j]]:
                        row[words + k] += 1
                continue
            total += 1
            if kind[j] == NUMBER:
                row[digit + min(NUMBERS, length) - 1] += 1
                continue
            spelt += 1
            _word(chars, ends[j], ends[j + 1], hashes[j], known, numbers, endings, ending, row)
            short = min(length, 14)
            letters += short
            squares += short * short
            row[summary + 2] += length >= 7
            row[summary + 3] += length >= 10
            row[summary + 4] += length <= 3
        for k in range(summary):
            row[k] = np.sqrt(row[k] / max(1, total))
        mean = letters / max(1, spelt)
        row[summary] = mean
        row[summary + 1] = np.sqrt(max(0.0, squares / max(1, spelt) - mean * mean))
        for k in range(2, 5):
            row[summary + k] /= max(1, spelt)
        row[summary + 8] = np.sqrt(marks / max(1, total))
        _sentences(chars, ends, kind, low, high, row, summary)
        row[summary + 9], row[summary + 10] = _variety(hashes, kind, low, high)


@jit(inline=True)
def _word(chars, low, high, word, known, numbers, endings, first, row):  # type: ignore[no-untyped-def]
    """Count a word that is known by itself, or its endings."""
    slot = place(known, word)
    if word != 0 and known[slot] == word:
        row[numbers[slot]] += 1
    elif high - low > 4:
        for k in range(endings.shape[0]):
            n = np.int64(endings[k, 0])
            same = high - low > n + 2
            for i in range(n):
                same = same and chars[high - n + i] == endings[k, 1 + i]
            if same:
                row[first + k] += 1


@jit(inline=True)
def _sentences(chars, ends, kind, low, high, row, summary):  # type: ignore[no-untyped-def]
    """Mean, spread and mean change of the logarithm of sentence lengths (burstiness)."""
    count = run = 0
    mean = squares = change = before = 0.0
    for j in range(low, high + 1):
        stop = j == high
        if not stop and kind[j] == MARK:
            sign = chars[ends[j]] & np.uint32(0x1FFFFF)
            stop = sign == 46 or sign == 63 or sign == 33
        if stop and run > 0:
            size = np.log(1.0 + run)
            if count > 0:
                change += abs(size - before)
            before = size
            count += 1
            mean += size
            squares += size * size
            run = 0
        elif not stop and kind[j] != MARK:
            run += 1
    mean /= max(1, count)
    row[summary + 5] = mean
    row[summary + 6] = np.sqrt(max(0.0, squares / max(1, count) - mean * mean))
    row[summary + 7] = change / max(1, count - 1)


@jit(inline=True)
def _variety(hashes, kind, low, high):  # type: ignore[no-untyped-def]
    """Share of different words in windows of WINDOW words (0.83 when there is none), and words that follow themselves."""
    windows = words = different = repeats = spelt = 0
    share, begin, last = 0.0, low, np.uint64(0)
    for j in range(low, high):
        if kind[j] != WORD:
            continue
        spelt += 1
        repeats += hashes[j] == last
        last = hashes[j]
        new = True
        for k in range(begin, j):
            if kind[k] == WORD and hashes[k] == hashes[j]:
                new = False
                break
        different += new
        words += 1
        if words == WINDOW:
            share += different / WINDOW
            windows += 1
            words = different = 0
            begin = j + 1
    return share / windows if windows else 0.83, repeats / max(1, spelt)
