"""Intervals for rates and for the area under the ROC curve."""

from __future__ import annotations

import math

import numpy as np

from remission.errors import DataError
from remission.estimate import Estimate
from remission.numerics import proportions
from remission.numerics.arrays import Floats, Integers
from remission.numerics.discrepancy import chance_above


def clopper_pearson(hits: float, n: float, level: float = 0.95) -> Estimate:
    """A rate hits / n with the exact interval of Clopper and Pearson (1934), from quantiles of the Beta law.

    ``hits`` and ``n`` need not be whole, so that items in groups can count as fewer than they are.

    >>> found = clopper_pearson(0, 299)
    >>> round(found.high, 4)
    0.0123
    """
    low, high = proportions.clopper_pearson(hits, n, level)
    return Estimate(hits / n if n > 0 else math.nan, low, high, level, "clopper-pearson", round(n))


def rate_of_units(flagged: Floats, units: Integers, level: float = 0.95) -> Estimate:
    """The share of flagged items (n,) 0 or 1, with an interval that counts units, not items.

    Items of one unit may be as good as copies, so the sample counts as so many items as there are units: exact when
    every unit has one item or all its items agree, else conservative.
    """
    if flagged.size == 0:
        return clopper_pearson(0, 0, level)
    size = np.unique(units).size
    return clopper_pearson(float(flagged.mean()) * size, size, level)


def wilson(value: float, n: float, level: float) -> tuple[float, float]:
    """The score interval of Wilson (1927) for a rate."""
    from scipy.special import ndtri

    z2 = float(ndtri((1.0 + level) / 2.0)) ** 2
    centre = (value + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (value * (1 - value) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def widest_auroc(synthetic: Floats, human: Floats, size: float, level: float = 0.95) -> Estimate:
    """AUROC with an interval that holds whatever the two distributions of scores are.

    The variance of the Mann-Whitney estimate of an AUROC t is at most t (1 - t) / min(m, n) (van Dantzig 1951; Birnbaum and
    Klose 1957), so Wilson's interval with ``size`` = min(m, n) inverts a score test that is never too bold, also at
    AUROC 1 and with a handful of items, where DeLong's variance is 0.
    """
    value = chance_above(synthetic, human)
    low, high = wilson(value, size, level)
    return Estimate(value, low, high, level, "wilson-birnbaum-klose", int(size))


def auroc(
    synthetic: Floats,
    human: Floats,
    synthetic_units: Integers | None = None,
    human_units: Integers | None = None,
    level: float = 0.95,
) -> Estimate:
    """AUROC with an interval for items in groups: Obuchowski (1997), which is DeLong (1988) when nothing is grouped.

    The interval is Wald's on the logit scale. A unit may hold items of both kinds (an original and its paraphrase).
    With perfect separation the variance is 0; then the interval is that of :func:`widest_auroc`.

    Raises:
        DataError: one of the kinds is missing, or a score is NaN.
    """
    from scipy.special import expit, logit, ndtri

    m, n = synthetic.size, human.size
    if not m or not n:
        raise DataError(f"AUROC needs items of both kinds; there are {m} synthetic and {n} human ones.")
    value = chance_above(synthetic, human)
    above = _placements(synthetic, human) - value  # of each synthetic item among the human ones
    below = 1.0 - _placements(human, synthetic) - value
    first = np.arange(m) if synthetic_units is None else synthetic_units
    second = np.arange(m, m + n) if human_units is None else human_units
    number = np.unique(np.concatenate([first, second]), return_inverse=True)[1]
    groups = int(number.max()) + 1
    one = np.bincount(number[:m], weights=above, minlength=groups) / m
    other = np.bincount(number[m:], weights=below, minlength=groups) / n
    inflate = groups / (groups - 1) if groups > 1 else 1.0
    variance = inflate * float(((one + other) ** 2).sum())
    if variance <= 0.0 or value in (0.0, 1.0):
        size = min(np.unique(first).size, np.unique(second).size)
        return widest_auroc(synthetic, human, size, level)
    half = float(ndtri((1.0 + level) / 2.0)) * math.sqrt(variance) / (value * (1.0 - value))
    low, high = (float(expit(logit(value) + sign * half)) for sign in (-1, 1))
    return Estimate(value, low, high, level, "obuchowski-logit", m + n)


def _placements(a: Floats, b: Floats) -> Floats:
    """For every value of ``a`` the share of ``b`` below it, ties half."""
    ordered = np.sort(b)
    return (np.searchsorted(ordered, a, "left") + np.searchsorted(ordered, a, "right")) / (2.0 * b.size)
