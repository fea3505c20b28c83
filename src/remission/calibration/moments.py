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
    """

    value: float
    square: float
    variance: float
    size: float
    units: int

    @property
    def spread(self) -> float:
        """The variance of one item."""
        return max(self.square - self.value**2, 0.0)


def mean(sample: Sample, values: Floats) -> Mean:
    """The mean over a sample of values (n,), with the variance of a ratio of totals over units."""
    weight = sample.weight / sample.weight.sum()
    value = float(weight @ values)
    square = float(weight @ values**2)
    units = int(sample.units.max()) + 1
    totals = np.bincount(sample.units, weight * (values - value), minlength=units)
    masses = np.bincount(sample.units, weight, minlength=units)
    kish = float(1 / (masses**2).sum())  # of the units: the size when the values say nothing
    variance = float((totals**2).sum()) * units / max(units - 1, 1)
    spread = max(square - value**2, 0.0)
    told_apart = variance > 1e-300 and spread > 1e-13 * square  # else all are alike, but for rounding
    size = spread / variance if told_apart else kish
    return Mean(value, square, variance, min(max(size, 1.0), float(len(sample))), units)
