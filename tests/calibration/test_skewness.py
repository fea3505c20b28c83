"""Quantiles of studentised means of skewed items in unequal units: they hold where the normal ones do not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, t

from remission.calibration.moments import mean
from remission.calibration.skewness import Shape, freedom
from remission.scored import Sample


def test_without_skewness_it_is_student() -> None:
    assert Shape().reach(0.9, True) == pytest.approx(norm.ppf(0.95))
    assert Shape(0.0, 0.0, 7).reach(0.95, False) == pytest.approx(t.ppf(0.975, 7))


@pytest.mark.parametrize("third", [-0.9, -0.2, 0.05, 0.6])
@pytest.mark.parametrize("shared", [-0.5, 0.0, 0.3])
def test_reach_inverts_the_expansion(third: float, shared: float) -> None:
    """T + k / 6 + b T^2 + b^2 T^3 / 3 with b = (3 a - k) / 6 is the quantile of Student, and the reach grows with the level."""
    shape, bend = Shape(third, shared, 60), (3 * shared - third) / 6
    for upper in (True, False):
        sign = 1 if upper else -1
        x = sign * shape.reach(0.95, upper)
        assert x + third / 6 + bend * x**2 + bend**2 * x**3 / 3 == pytest.approx(sign * t.ppf(0.975, 60))
        assert shape.reach(0.99, upper) > shape.reach(0.95, upper) > shape.reach(0.9, upper)


def test_freedom_by_hand() -> None:
    assert freedom([(2.0, 10)]) == pytest.approx(10)
    assert freedom([(1.0, 10), (1.0, 10)]) == pytest.approx(20)
    assert freedom([(1.0, 4), (3.0, math.inf)]) == pytest.approx(16 / 0.25)
    assert math.isinf(freedom([(0.0, 3)]))


def test_unequal_units_have_fewer_degrees_of_freedom() -> None:
    alike = mean(Sample.of(np.arange(40.0), np.arange(40) // 2), np.arange(40.0))
    assert alike.freedom == pytest.approx(19)
    units = np.concatenate([np.arange(20), 20 + np.arange(20) // 10])  # twenty alone, two of ten
    lumped = mean(Sample.of(np.arange(40.0), units), np.arange(40.0))
    assert lumped.freedom == pytest.approx((20 + 200) ** 2 / (20 + 2 * 10**4) - 1)


def test_the_variance_of_unequal_units_is_unbiased() -> None:
    """Independent items in units of 1 and 8: CR2 has the mean of the true variance, the factor units / (units - 1) has not."""
    rng = np.random.default_rng(1)
    units = np.concatenate([np.arange(8), 8 + np.arange(32) // 8])
    found, plain = [], []
    for _ in range(4000):
        values = rng.standard_normal(40)
        found.append(mean(Sample.of(values, units), values).variance)
        totals = np.bincount(units, values - values.mean())
        plain.append(float(totals @ totals) / 40**2 * 12 / 11)
    error = 4 * np.std(found) / math.sqrt(4000)
    assert np.mean(found) == pytest.approx(1 / 40, abs=error)
    assert np.mean(plain) != pytest.approx(1 / 40, abs=error)


def held(rng: Any, corrected: bool, runs: int) -> tuple[float, float]:
    """How often the lower and the upper end of the mean of skewed items in units of 1 and 4 miss it."""
    units = np.concatenate([np.arange(50), 50 + np.arange(48) // 4])
    above, below = 0, 0
    for _ in range(runs):
        values = rng.exponential(1.0, units.max() + 1)[units]
        found = mean(Sample.of(values, units), values)
        skew = found.third / found.variance**1.5
        shape = Shape(skew, skew, found.freedom) if corrected else Shape(0.0, 0.0, found.units - 1)
        error = math.sqrt(found.variance)
        above += found.value - shape.reach(0.95, True) * error > 1
        below += found.value + shape.reach(0.95, False) * error < 1
    return above / runs, below / runs


def test_means_of_skewed_items_in_unequal_units_are_held_on_both_sides() -> None:
    runs = 4000
    above, below = held(np.random.default_rng(2), True, runs)
    wrong_above, wrong_below = held(np.random.default_rng(2), False, runs)
    assert below < 0.06 < 0.065 < wrong_below  # exponential items are more skewed than the expansion repairs wholly
    assert above + below < 0.075 < 0.08 < wrong_above + wrong_below
    assert 0.01 < above < 0.03
