"""Where in a long text the marked part lies: the window of tokens that is least like text without the key."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from remission.errors import SpecError
from remission.evidence import once
from remission.numerics.arrays import Floats, Integers
from remission.watermarking import Key, Law, TextWatermark, Tokens

LEAST = 8  # scores of the shortest window
_PER_LENGTH = 8  # windows begin at every eighth of their length
_AT_ONCE = 1 << 22  # windows of null texts that are looked at together


@dataclass(frozen=True)
class Segment:
    """A marked part of a text.

    Attributes:
        text: which.
        start, stop: its tokens are ``start`` .. ``stop`` - 1 of the text.
        n: scores that count in it.
        p: probability that some window of such a text without the key looks as marked, counted over random keys; never
            below 1 / (keys + 1).
        log10_p: of this window alone, as if it had been chosen before: for comparison, not for decision.
    """

    text: int
    start: int
    stop: int
    n: int
    p: float
    log10_p: float


def segments(
    mark: TextWatermark, key: Key, tokens: Tokens, level: float = 0.01, keys: int = 999, seed: int = 0
) -> list[Segment]:
    """The marked parts of each text, at most a share ``level`` of texts without the key having any.

    A scan statistic: the largest n rate(mean score) over windows whose lengths grow by half powers of two. Its null is that
    of random keys on the same tokens, so no law is assumed. The ends of a window are then moved to where the statistic is
    largest, which is a description and not tested. What is left on both sides is searched for more, against the same null.

    Args:
        mark: the scheme.
        key: the secret.
        tokens: texts; each is a test of its own.
        level: of a text.
        keys: random keys. At least 1 / level - 1 are needed.
        seed: of them.

    Returns:
        Segments in order of text and place.

    Raises:
        SpecError: a level that is no probability, or a key that the scheme cannot use. DataError: tokens it cannot know.
    """
    if not 0 < level < 1:
        raise SpecError(f"'level' is a probability, above 0 and below 1. Got {level}.")
    keys = max(keys, math.ceil(1 / level) - 1)
    law = mark.law(key)
    places, _ = once(mark, key, tokens, "text")
    ends = np.searchsorted(tokens.text_of[places], np.arange(len(tokens) + 1))
    scores = mark.scores(key, tokens, places)
    rng = np.random.default_rng(seed)
    out: list[Segment] = []
    for number in range(len(tokens)):
        chosen = slice(int(ends[number]), int(ends[number + 1]))
        if chosen.stop - chosen.start >= LEAST:
            nulls = _null(mark, key, tokens, places[chosen], law, keys, rng)
            found = _search(scores[chosen], law, nulls, level)
            out += [_segment(number, tokens, places[chosen], scores[chosen], law, *one) for one in found]
    return out


def _segment(
    number: int, tokens: Tokens, places: Integers, scores: Floats, law: Law, low: int, high: int, p: float
) -> Segment:
    """From scores low .. high - 1 of a text to its tokens."""
    begun = int(tokens.starts[number])
    n, total = np.array([high - low]), np.array([scores[low:high].sum()])
    window = float(law.log10_tail(n, total)[0])
    return Segment(number, int(places[low]) - begun, int(places[high - 1]) - begun + 1, high - low, p, window)


def _windows(n: int) -> tuple[Integers, Integers]:
    """Where the windows of n scores begin and end."""
    lows, highs = [], []
    length = float(LEAST)
    while True:
        size = min(n, round(length))
        step = max(1, size // _PER_LENGTH)
        begin = np.unique(np.append(np.arange(0, n - size + 1, step), n - size))
        lows.append(begin)
        highs.append(begin + size)
        if size == n:
            return np.concatenate(lows), np.concatenate(highs)
        length *= math.sqrt(2)


def _statistic(sums: Floats, low: Integers, high: Integers, law: Law) -> Floats:
    """N rate(mean) of windows, from cumulated scores (..., n + 1)."""
    size = high - low
    return size * law.rate((sums[..., high] - sums[..., low]) / size)


def _cumulated(scores: Floats) -> Floats:
    return np.concatenate([np.zeros((*scores.shape[:-1], 1)), np.cumsum(scores, axis=-1)], axis=-1)


def _null(
    mark: TextWatermark, key: Key, tokens: Tokens, places: Integers, law: Law, keys: int, rng: np.random.Generator
) -> Floats:
    """The largest statistic of the text under each random key, sorted (keys,)."""
    low, high = _windows(places.size)
    out = []
    many = max(1, _AT_ONCE // low.size)
    for begun in range(0, keys, many):
        some = [mark.random_scores(key, tokens, places, rng) for _ in range(min(many, keys - begun))]
        out.append(_statistic(_cumulated(np.stack(some)), low, high, law).max(axis=1))
    return np.sort(np.concatenate(out))


def _search(scores: Floats, law: Law, nulls: Floats, level: float) -> list[tuple[int, int, float]]:
    """Windows (low, high, p) of a text, in order."""
    sums = _cumulated(scores)
    out: list[tuple[int, int, float]] = []
    todo = [(0, scores.size)]
    while todo:
        begin, end = todo.pop()
        if end - begin < LEAST:
            continue
        low, high = (ends + begin for ends in _windows(end - begin))
        values = _statistic(sums, low, high, law)
        best = int(values.argmax())
        p = float(1 + (nulls >= values[best] - 1e-9).sum()) / (nulls.size + 1)
        if p > level:
            continue
        a, b = _moved(sums, int(low[best]), int(high[best]), begin, end, law)
        out.append((a, b, p))
        todo += [(begin, a), (b, end)]
    return sorted(out)


def _moved(sums: Floats, low: int, high: int, begin: int, end: int, law: Law) -> tuple[int, int]:
    """The ends of a window, moved by up to half its length to where the statistic is largest."""
    reach = min(400, max(LEAST, (high - low) // 2))
    lows = np.arange(max(begin, low - reach), min(low + reach, high - 1) + 1)
    highs = np.arange(max(high - reach, low + 1), min(end, high + reach) + 1)
    a, b = (ends.ravel() for ends in np.meshgrid(lows, highs, indexing="ij"))
    wide = b - a >= LEAST
    best = int(_statistic(sums, a[wide], b[wide], law).argmax())
    return int(a[wide][best]), int(b[wide][best])
