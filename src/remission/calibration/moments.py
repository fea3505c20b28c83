"""Means of a function of the score over samples whose items come in units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remission.data import Floats
from remission.scored import Sample


@dataclass(frozen=True)
class Mean:
    """A weighted mean with what is needed to say how uncertain it is.

    Attributes:
        value: the mean.
        square: the mean of squares.
        variance: of the mean, items of one unit counted together.
        size: how many independent items would give that variance.
        units: how many units there are.
        freedom: degrees of freedom of the variance: fewer than units - 1 where some weigh more than others.
        third: third cumulant of the mean.
        shared: covariance of the mean with the mean of squares, items of one unit counted together.
        cube: the mean of cubes.
    """

    value: float
    square: float
    variance: float
    size: float
    units: int
    freedom: float
    third: float
    shared: float
    cube: float

    @property
    def spread(self) -> float:
        """The variance of one item."""
        return max(self.square - self.value**2, 0.0)

    def shared_around(self, centre: float) -> float:
        """Covariance of the mean with the mean of squared distances from a centre."""
        return self.shared - 2 * centre * self.variance


def mean(sample: Sample, values: Floats) -> Mean:
    """The mean over a sample of values (n,), with the variance of a ratio of totals over units.

    The square of a unit's total is divided by 1 - its mass, for the mean that it is compared with is partly its own: CR2 of Bell
    and McCaffrey (Survey Methodology 28, 169, 2002), which for units of one mass is the factor n / (n - 1). The degrees of
    freedom are Satterthwaite's for units whose items are all alike, (sum m^2)^2 / sum m^4 - 1 of the masses m: units - 1 where
    all have one mass, fewer where some weigh more.
    """
    weight = sample.weight / sample.weight.sum()
    squared = values * values  # powers above the second are slow, and there are many means
    value = float(weight @ values)
    square = float(weight @ squared)
    units = int(sample.units.max()) + 1
    masses = np.bincount(sample.units, weight, minlength=units)
    totals = np.bincount(sample.units, weight * (values - value), minlength=units)
    squares = np.bincount(sample.units, weight * (squared - square), minlength=units)
    heavy = masses * masses
    kish = float(1 / heavy.sum())  # of the units: the size when the values say nothing
    apart = totals * totals
    variance = float((apart / np.maximum(1 - masses, 1e-9)).sum())
    freedom = max(1 / (kish**2 * float((heavy * heavy).sum())) - 1, 1.0)
    spread = max(square - value**2, 0.0)
    told_apart = variance > 1e-300 and spread > 1e-13 * square  # else all are alike, but for rounding
    size = spread / variance if told_apart else kish
    return Mean(
        value, square, variance, min(max(size, 1.0), float(len(sample))), units, freedom, float((apart * totals).sum()),
        float((totals * squares).sum()), float((weight * squared * values).sum()),
    )  # fmt: skip
