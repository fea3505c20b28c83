"""Means over units: what a constant is worth."""

from __future__ import annotations

import numpy as np
import pytest

from remission.calibration.moments import mean
from remission.scored import Sample


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1.0, 7.7e6])
def test_values_that_are_all_alike_are_worth_their_units_whatever_rounding_leaves(value: float) -> None:
    weight = np.random.default_rng(1).random(60) + 0.5
    sample = Sample.of(np.zeros(60), np.arange(60) // 3, weight)
    masses = np.bincount(sample.units, weight / weight.sum())
    assert mean(sample, np.full(60, value)).size == pytest.approx(1 / (masses**2).sum())


def test_values_that_differ_a_little_are_not_taken_for_alike() -> None:
    values = 1.0 + 1e-5 * np.random.default_rng(2).standard_normal(400)
    found = mean(Sample.of(np.zeros(400)), values)
    assert found.size == pytest.approx(399, rel=1e-4)
    assert found.variance == pytest.approx(values.var(ddof=1) / 400, rel=1e-4)
