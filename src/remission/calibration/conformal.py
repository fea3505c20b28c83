"""Split-conformal p-values and thresholds whose false-positive rate is a promise.

With n exchangeable human units and their scores h in descending order h(1) >= ... >= h(n):

- p(s) = (1 + #{h >= s}) / (n + 1) is super-uniform for a new human of the same kind: P(p <= a) <= a (Vovk 2005), and
  p <= a exactly when s > h(r) with r = floor(a (n + 1)). This is *marginal*: over the draw of the calibration sample.
- Given the calibration sample, the rate of new humans above h(r) has the law Beta(r, n + 1 - r) (at most so with ties;
  Vovk 2012). The largest r with P(Beta(r, n + 1 - r) <= a) >= 0.95 gives a threshold *certified* with 95 % confidence (a
  tolerance limit, Wilks 1941). It exists from n = log 0.05 / log(1 - a) on: 59 humans for 5 %, 299 for 1 %, 2,995 for 0.1 %.

Items of one unit are not independent, so a unit counts once, with its highest score: conservative, because a random item
of a unit is never above that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from remission.estimate import Estimate
from remission.numerics.arrays import Floats, Integers

CONFIDENCE = 0.95


def unit_maxima(scores: Floats, units: Integers) -> Floats:
    """The highest score of each unit, ascending."""
    if scores.size == 0:
        return np.empty(0)
    number = np.unique(units, return_inverse=True)[1]
    found = np.full(int(number.max()) + 1, -np.inf)
    np.maximum.at(found, number, scores)
    return np.sort(found)


def p_values(humans: Floats, scores: Floats) -> Floats:
    """Conformal p-values (n,) of scores against human scores in ascending order; ties count against the item.

    >>> p_values(np.array([0.1, 0.2, 0.3]), np.array([0.0, 0.2, 0.9])).tolist()
    [1.0, 0.75, 0.25]
    """
    above = humans.size - np.searchsorted(humans, scores, "left")
    return np.asarray((1.0 + above) / (humans.size + 1.0), dtype=float)


def marginal_rank(n: int, fpr: float) -> int:
    """The largest r with r / (n + 1) <= fpr; 0 when there are too few humans."""
    return math.floor(fpr * (n + 1) + 1e-9)


def certified_rank(n: int, fpr: float, confidence: float = CONFIDENCE) -> int:
    """The largest r whose Beta(r, n + 1 - r) lies below ``fpr`` with the confidence; 0 when there is none.

    >>> certified_rank(298, 0.01), certified_rank(299, 0.01), certified_rank(2995, 0.001)
    (0, 1, 1)
    """
    from scipy.special import betainc

    most = marginal_rank(n, fpr)  # the mean of a law that lies below fpr mostly is below it, too
    if most < 1:
        return 0
    ranks = np.arange(1, most + 1)
    return int((betainc(ranks, n + 1.0 - ranks, fpr) >= confidence).sum())  # falls with r


def needed(fpr: float, confidence: float = CONFIDENCE) -> int:
    """The least number of humans that can certify a rate."""
    return math.ceil(math.log(1.0 - confidence) / math.log1p(-fpr) - 1e-9)


def needed_marginal(fpr: float) -> int:
    """The least number of humans with which a p-value can be as low as the rate."""
    return math.ceil(1.0 / fpr - 1.0 - 1e-9)


def realised(n: int, rank: int, level: float = 0.95) -> Estimate:
    """The rate of new humans above the rank-th highest of n: mean and exact interval of Beta(rank, n + 1 - rank)."""
    from scipy.special import betaincinv

    if rank < 1 or n < 1:
        return Estimate(math.nan, 0.0, 1.0, level, "order-statistics", n)
    tail = (1.0 - level) / 2.0
    low, high = (float(betaincinv(rank, n + 1.0 - rank, q)) for q in (tail, 1.0 - tail))
    return Estimate(rank / (n + 1.0), low, high, level, "order-statistics", n)


@dataclass(frozen=True)
class Threshold:
    """Where a stratum says "synthetic": at scores above ``score``.

    Attributes:
        kind: ``certified``: the false-positive rate is at most the nominal one with 95 % confidence; ``marginal``: at most
            the nominal one on average over calibration samples; ``none``: too few humans, nothing is flagged.
        score: a human score; infinite for ``none``.
        rank: how many human units score as high or higher.
        n: human units.
        fpr: mean and interval of the realised false-positive rate.
    """

    kind: Literal["certified", "marginal", "none"]
    score: float
    rank: int
    n: int
    fpr: Estimate


def threshold(humans: Floats, fpr: float, confidence: float = CONFIDENCE) -> Threshold:
    """The threshold for a nominal rate from human scores (one a unit) in ascending order."""
    n = humans.size
    certified = certified_rank(n, fpr, confidence)
    rank = certified or marginal_rank(n, fpr)
    if rank < 1:
        return Threshold("none", math.inf, 0, n, realised(n, 0))
    return Threshold("certified" if certified else "marginal", float(humans[n - rank]), rank, n, realised(n, rank))
