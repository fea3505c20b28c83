"""How far reviewers agree beyond chance, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from remission.estimate import Estimate
from remission.numerics.arrays import Floats, Integers

DRAWS = 2000
FEW = 10  # disagreements, or agreements: with fewer the bootstrap, which never draws what was not seen, is too narrow
METHOD = "bootstrap over items"


def cohens_kappa(one: Sequence[str], other: Sequence[str], level: float = 0.95, seed: int = 0) -> Estimate:
    """Cohen's kappa of two reviewers over the same items (Educ. Psychol. Meas. 20, 37, 1960).

    1 is full agreement, 0 what chance gives, negative less than that; NaN when both used one and the same word only. The interval
    is the percentile bootstrap over items; with fewer than 10 disagreements (or agreements) it holds as well what the exact interval
    of their rate gives (Clopper and Pearson, Biometrika 26, 404, 1934), the agreement by chance being as seen.

    >>> cohens_kappa(["a", "a", "b", "b"], ["a", "a", "b", "a"]).value
    0.5
    """
    words = sorted({*one, *other})
    index = {word: place for place, word in enumerate(words)}
    size, n = len(words), len(one)
    if n != len(other):
        raise ValueError(f"two reviewers need verdicts on the same items, not {n} and {len(other)}")
    cells = np.array([index[a] * size + index[b] for a, b in zip(one, other, strict=True)], np.int64)
    table = np.bincount(cells, minlength=size * size).astype(float) if n else np.zeros(size * size)
    value = float(_kappa(table[None], size)[0]) if n else math.nan
    if n < 2:
        return Estimate(value, math.nan, math.nan, level, METHOD, n)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, table / n, DRAWS).astype(float)
    square = table.reshape(size, size) / n
    apart, chance = 1 - float(np.trace(square)), 1 - float(square.sum(0) @ square.sum(1))
    return _widened(Estimate(value, *_ends(_kappa(drawn, size), level), level, METHOD, n), apart, chance)


def _kappa(tables: Floats, size: int) -> Floats:
    square = tables.reshape(-1, size, size)
    n = square.sum((1, 2))
    agree = np.trace(square, axis1=1, axis2=2) / n
    chance = (square.sum(1) * square.sum(2)).sum(1) / n**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(chance < 1, (agree - chance) / (1 - chance), np.nan))


def krippendorffs_alpha(counts: Integers, level: float = 0.95, seed: int = 0) -> Estimate:
    """Krippendorff's alpha for words without order, any number of reviewers, with gaps.

    Krippendorff, Computing Krippendorff's Alpha-Reliability (2011). 1 is full agreement, 0 what chance gives; NaN when only one
    word was used. The interval is that of :func:`cohens_kappa`.

    Args:
        counts: how many reviewers gave each word to each item, (items, words); items with fewer than two count for nothing.
        level: of the interval.
        seed: of the bootstrap.

    >>> krippendorffs_alpha(np.array([[2, 0], [0, 2], [1, 1], [2, 0]])).value.__round__(3)
    0.533
    """
    table = np.asarray(counts, float)
    table = table[table.sum(1) >= 2]
    n = len(table)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, level, METHOD, 0)
    table, often = np.unique(table, axis=0, return_counts=True)
    value = float(_alpha(often[None].astype(float), table)[0])
    if n < 2:
        return Estimate(value, math.nan, math.nan, level, METHOD, n)
    rng = np.random.default_rng(seed)
    drawn = _alpha(rng.multinomial(n, often / n, DRAWS).astype(float), table)
    words = often @ table
    apart, chance = float(often @ _apart(table) / words.sum()), _expected(words[None])[0]
    return _widened(Estimate(value, *_ends(drawn, level), level, METHOD, n), apart, float(chance))


def _alpha(weights: Floats, table: Floats) -> Floats:
    totals = weights @ table
    n = totals.sum(1)
    observed = weights @ _apart(table) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = _expected(totals)
        return np.asarray(np.where(expected > 0, 1 - observed / expected, np.nan))


def _expected(totals: Floats) -> Floats:
    """How often two verdicts differ by chance, given how often each word was used (draws, words)."""
    n = totals.sum(1)
    return np.asarray((n**2 - (totals**2).sum(1)) / (n * (n - 1)))


def _apart(table: Floats) -> Floats:
    """Of each item: verdicts, times the share of other verdicts that each differs from."""
    per_item = table.sum(1)
    return np.asarray((per_item**2 - (table**2).sum(1)) / (per_item - 1))


def _widened(found: Estimate, apart: float, chance: float) -> Estimate:
    """An interval that admits disagreements that happened not to be seen, where hardly any were, or hardly any agreements.

    ``apart`` is the rate of disagreements, ``chance`` what it is by chance.
    """
    from remission.numerics.proportions import clopper_pearson

    if math.isnan(found.value) or min(apart, 1 - apart) * found.n >= FEW:
        return found
    low, high = clopper_pearson(apart * found.n, found.n, found.level)
    worst, best = max(-1.0, 1 - high / chance), 1 - low / chance
    ends = min(worst, found.low, found.value), max(best, found.high, found.value)
    return replace(found, low=ends[0], high=ends[1], method=f"{METHOD}, and Clopper-Pearson")


def _ends(drawn: Floats, level: float) -> tuple[float, float]:
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size == 0:
        return math.nan, math.nan
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
