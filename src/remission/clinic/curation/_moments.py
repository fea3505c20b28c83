"""Exact ends for means of values of 0 .. 1 over calibration items and documents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from remission.calibration.moments import Mean, mean
from remission.numerics.arrays import Floats
from remission.numerics.proportions import clopper_pearson
from remission.scored import Sample

ENDS = 0.9975  # level of either mean of a bound; the two together err with at most 0.5 %


def mean_weight(sample: Sample, values: Floats) -> Mean:
    """The mean of values (n,) of 0 .. 1; of equal ones exactly, with the size that units alone say.

    Otherwise rounding would be taken for a spread, and a thousand items that agree for a single one.
    """
    if (values == values[0]).all():
        one = float(values[0])
        return replace(mean(sample, np.zeros(values.size)), value=one, square=one**2)
    return mean(sample, values)


def lower_end(sample: Sample, values: Floats) -> float:
    """Below the mean of values of 0 .. 1 over the items' law at the level ``ENDS``, items counted as what they are worth.

    The interval is the binomial's, whose variance no law on 0 .. 1 with that mean exceeds.
    """
    found = mean_weight(sample, values)
    return clopper_pearson(found.value * found.size, found.size, ENDS)[0]


def upper_end(value: float, size: float) -> float:
    """Above the mean of values of 0 .. 1, likewise, from the mean ``value`` of ``size`` items."""
    return clopper_pearson(value * size, size, ENDS)[1]
