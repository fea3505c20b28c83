"""Intervals cover; means that cannot be estimated are refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from remission.estimate import mean_interval, mean_is_estimable, median_interval

RUNS = 3000


def _covered(make, interval, truth: float, n: int) -> int:
    rng = np.random.default_rng(n)
    return sum(
        low <= truth <= high for low, high in ((e.low, e.high) for e in (interval(make(rng, n)) for _ in range(RUNS)))
    )


@pytest.mark.parametrize("n", [5, 20, 100])
def test_mean_interval_covers(n: int) -> None:
    covered = _covered(lambda rng, size: rng.normal(3, 2, size), mean_interval, 3.0, n)
    assert binomtest(covered, RUNS, 0.95).pvalue > 1e-3


@pytest.mark.parametrize("n", [6, 7, 21, 100, 501])
def test_median_interval_covers_and_is_not_wasteful(n: int) -> None:
    covered = _covered(lambda rng, size: rng.exponential(1, size), median_interval, np.log(2), n)
    assert binomtest(covered, RUNS, 0.95, alternative="less").pvalue > 1e-3
    assert covered / RUNS < 0.995


def test_median_interval_says_when_there_are_too_few() -> None:
    few = median_interval(np.arange(5.0))
    assert few.value == 2
    assert np.isnan(few.low)


def test_empty_and_single_values() -> None:
    assert np.isnan(mean_interval(np.array([])).value)
    assert mean_interval(np.array([2.0])).value == 2
    assert np.isnan(mean_interval(np.array([2.0])).low)
    assert np.isnan(median_interval(np.array([np.nan])).value)


def test_a_mean_carried_by_unseen_runs_is_refused() -> None:
    """THEORY G5: after t generations of n points, log s^2 has variance t psi1((n-1)/2): 25 for n = 10, t = 100."""
    rng = np.random.default_rng(0)
    refused = [not mean_is_estimable(np.exp(5 * rng.standard_normal(500))) for _ in range(200)]
    kept = [mean_is_estimable(np.exp(0.9 * rng.standard_normal(500))) for _ in range(200)]
    assert np.mean(refused) == 1
    assert np.mean(kept) == 1


def test_estimable_for_ordinary_values() -> None:
    rng = np.random.default_rng(0)
    assert mean_is_estimable(rng.normal(0, 1, 100))
    assert mean_is_estimable(np.zeros(50))
    assert mean_is_estimable(np.full(50, 7.0))
    assert not mean_is_estimable(np.r_[np.zeros(200), 1.0e9])
