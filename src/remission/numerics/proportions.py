"""Intervals for proportions: exact ones, and of a prevalence seen through an imperfect test."""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.arrays import Floats


def clopper_pearson(hits: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a binomial proportion (Clopper and Pearson, Biometrika 26, 404, 1934); [0, 1] for n = 0.

    Counts need not be whole, so that items that come in clusters can be counted as fewer.

    >>> tuple(round(end, 4) for end in clopper_pearson(0, 299))
    (0.0, 0.0123)
    """
    from scipy.special import betaincinv

    if n <= 0:
        return 0.0, 1.0
    hits = min(max(hits, 0.0), n)
    tail = (1 - level) / 2
    low = 0.0 if hits <= 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits >= n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high


def rogan_gladen(rate: float, false_positive: float, true_positive: float) -> float:
    """The prevalence whose positives occur at this rate, not cut at 0 and 1; NaN when the test says nothing.

    Rogan and Gladen, Am. J. Epidemiol. 107, 71 (1978).
    """
    gap = true_positive - false_positive
    return (rate - false_positive) / gap if gap > 0 else math.nan


def lang_reiczigel(
    hits: tuple[float, float], false_positives: tuple[float, float], true_positives: tuple[float, float], level: float
) -> tuple[float, float]:
    """The interval of a prevalence when both error rates are estimated, good near 0 and 1.

    Lang and Reiczigel, Prev. Vet. Med. 113, 13 (2014): counts, given as (hits, n), are moved towards the middle by
    z^2 / 2 and by one pseudo-observation, and the normal interval is shifted.
    """
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    (x, n), (f, m), (t, k) = hits, false_positives, true_positives
    wide = n + z**2
    rate = (x + z**2 / 2) / wide
    miss, catch = (f + 1) / (m + 2), (t + 1) / (k + 2)
    gap = catch - miss
    if gap <= 0 or min(n, m, k) <= 0:
        return 0.0, 1.0
    centre = (rate - miss) / gap
    shift = 2 * z**2 * (centre * catch * (1 - catch) / (k + 2) - (1 - centre) * miss * (1 - miss) / (m + 2))
    variance = (
        rate * (1 - rate) / wide
        + (1 - centre) ** 2 * miss * (1 - miss) / (m + 2)
        + centre**2 * catch * (1 - catch) / (k + 2)
    )
    half = z * math.sqrt(variance) / gap
    low, high = centre + shift - half, centre + shift + half
    return min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)


def bayes_prevalence(
    hits: tuple[float, float],
    false_positives: tuple[float, float],
    true_positives: tuple[float, float],
    level: float,
    nodes: int = 400,
) -> tuple[float, float, float]:
    """Median and equal-tailed posterior interval (value, low, high) of a prevalence, uniform before any data.

    Error rates have Jeffreys' prior. The likelihood of the hits is averaged over ``nodes`` quasi-random draws of both
    rates from their Beta posteriors, on a grid of the share.
    """
    from scipy.special import betaincinv
    from scipy.stats.qmc import Sobol

    (x, n), (f, m), (t, k) = hits, false_positives, true_positives
    size = 1 << max(6, math.ceil(math.log2(nodes)))
    u = np.clip(Sobol(2, scramble=True, seed=0).random(size), 1e-9, 1 - 1e-9)
    miss = betaincinv(f + 0.5, m - f + 0.5, u[:, 0])
    catch = betaincinv(t + 0.5, k - t + 0.5, u[:, 1])
    share: Floats = np.linspace(0, 1, 2001) ** 1.5  # finer near 0
    rate = np.clip(miss[:, None] + share * (catch - miss)[:, None], 1e-12, 1 - 1e-12)
    log = x * np.log(rate) + (n - x) * np.log1p(-rate)
    density = np.exp(log - log.max()).mean(axis=0)
    mass = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(share))])
    mass /= mass[-1]
    low, middle, high = np.interp([(1 - level) / 2, 0.5, 0.5 + level / 2], mass, share)
    return float(middle), float(low), float(high)
