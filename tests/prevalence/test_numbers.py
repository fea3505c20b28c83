"""Closed forms beneath the estimators, against a second implementation or simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

from remission.calibration.misfit import misfit
from remission.calibration.moments import mean
from remission.calibration.ratio import density_ratio
from remission.numerics.mixing import mixing_weight
from remission.numerics.proportions import bayes_prevalence, clopper_pearson, lang_reiczigel, rogan_gladen
from remission.scored import Sample, Scored


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (1, 299)])
def test_clopper_pearson(hits: int, n: int) -> None:
    exact = stats.binomtest(hits, n).proportion_ci(0.9, "exact")
    np.testing.assert_allclose(clopper_pearson(hits, n, 0.9), (exact.low, exact.high), atol=1e-9)


def test_mixing_weight_is_the_maximum() -> None:
    rng = np.random.default_rng(0)
    ratio, weight = np.exp(rng.normal(0, 2, 300)), rng.integers(0, 4, 300).astype(float)

    def loss(share: float) -> float:
        return -float(weight @ np.log1p(share * (ratio - 1)))

    best = minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-10}).x
    assert mixing_weight(ratio, weight) == pytest.approx(best, abs=1e-6)


def test_mixing_weight_is_where_em_stands_still() -> None:
    ratio = np.exp(np.random.default_rng(1).normal(-0.3, 1.5, 500))
    share = mixing_weight(ratio, np.ones(500))
    posterior = share * ratio / (share * ratio + 1 - share)
    assert posterior.mean() == pytest.approx(share, abs=1e-10)
    assert 0.01 < share < 0.99


def test_a_ratio_that_says_nothing() -> None:
    assert np.isnan(mixing_weight(np.ones(5), np.ones(5)))


def test_uncut_weight_goes_below_zero() -> None:
    ratio = np.array([0.5, 0.8, 1.1])
    assert mixing_weight(ratio, np.ones(3)) == 0.0
    assert mixing_weight(ratio, np.ones(3), cut=False) < 0.0


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_corrected_counts_cover(share: float) -> None:
    rng = np.random.default_rng(3)
    false, true, n, m = 0.05, 0.8, 1000, 400
    covered = {"lang": 0, "bayes": 0}
    for number in range(800):
        x = rng.binomial(n, (1 - share) * false + share * true)
        counts = (x, n), (rng.binomial(m, false), m), (rng.binomial(m, true), m)
        low, high = lang_reiczigel(*counts, 0.95)
        covered["lang"] += low <= share <= high
        if number < 160:
            _, low, high = bayes_prevalence(*counts, 0.95, nodes=64)
            covered["bayes"] += low <= share <= high or (share == 0 and low < 0.01)
    assert covered["lang"] >= 0.93 * 800
    assert covered["bayes"] >= 0.91 * 160


def test_intervals_of_corrected_counts_can_miss() -> None:
    """Error rates taken as known are not enough: the interval for them misses."""
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(300):
        x, f, t = rng.binomial(20_000, 0.05 + 0.1 * 0.75), rng.binomial(300, 0.05), rng.binomial(300, 0.8)
        low, high = lang_reiczigel((x, 20_000), (f / 300 * 1e9, 1e9), (t / 300 * 1e9, 1e9), 0.95)
        covered += low <= 0.1 <= high
    assert covered < 0.8 * 300


def test_rogan_gladen() -> None:
    assert rogan_gladen(0.05 + 0.1 * 0.75, 0.05, 0.8) == pytest.approx(0.1)
    assert np.isnan(rogan_gladen(0.1, 0.4, 0.4))


def test_bayes_agrees_with_quadrature_when_rates_are_known() -> None:
    x, n = 30, 400
    value, low, high = bayes_prevalence((x, n), (2e7, 1e9), (9e8, 1e9), 0.95)
    grid = np.linspace(0, 1, 200_001)
    mass = np.cumsum(stats.binom.pmf(x, n, 0.02 + 0.88 * grid))
    mass /= mass[-1]
    np.testing.assert_allclose((low, value, high), np.interp([0.025, 0.5, 0.975], mass, grid), atol=5e-4)


def test_mean_counts_units() -> None:
    """A sample in which every item stands five times, as one unit, is worth the sample."""
    values = np.random.default_rng(5).normal(size=200)
    once = mean(Sample.of(values), values)
    copied = Sample.of(np.repeat(values, 5), np.repeat(np.arange(200), 5))
    again = mean(copied, copied.scores)
    assert again.variance == pytest.approx(once.variance)
    assert again.size == pytest.approx(once.size)
    alone = mean(Sample.of(copied.scores), copied.scores)
    assert alone.variance < once.variance / 4


def test_weights_are_repetitions() -> None:
    rng = np.random.default_rng(6)
    values, times = rng.normal(size=100), rng.integers(1, 5, 100)
    repeated = Sample.of(np.repeat(values, times), np.repeat(np.arange(100), times))
    one, other = mean(Sample.of(values, weight=times), values), mean(repeated, repeated.scores)
    assert one.value == pytest.approx(other.value)
    assert one.variance == pytest.approx(other.variance)


def test_ratio_of_two_gaussians() -> None:
    """For equal variances the log ratio is exactly linear: slope d, offset - d^2 / 2."""
    rng = np.random.default_rng(7)
    human, synthetic = Sample.of(rng.normal(0, 1, 40_000)), Sample.of(rng.normal(1.5, 1, 20_000))
    ratio = density_ratio(human, synthetic)
    assert ratio.slope == pytest.approx(1.5, rel=0.03)
    assert ratio.offset == pytest.approx(-(1.5**2) / 2, rel=0.05)
    assert ratio.posterior(np.array([0.75])) == pytest.approx(0.5, abs=0.02)


def test_ratio_of_separated_and_reversed_scores() -> None:
    apart = density_ratio(Sample.of(np.arange(50.0)), Sample.of(np.arange(100.0, 150.0)))
    assert np.isfinite(apart.slope)
    assert apart(np.array([140.0]))[0] > 10 > 0.1 > apart(np.array([5.0]))[0]
    assert density_ratio(Sample.of(np.arange(100.0, 150.0)), Sample.of(np.arange(50.0))).slope == 0.0


def test_misfit_is_uniform_without_shift_and_small_with() -> None:
    rng = np.random.default_rng(8)
    found = []
    for number in range(150):
        share = (0.0, 0.1, 0.4)[number % 3]
        synthetic = rng.random(1500) < share
        target = np.where(synthetic, rng.normal(2, 1, 1500), rng.normal(0, 1, 1500))
        scored = Scored(Sample.of(target), Sample.of(rng.normal(0, 1, 800)), Sample.of(rng.normal(2, 1, 800)))
        found.append(misfit(scored, share))
    # the share is chosen to fit within a narrow range, so p leans a little to the right; it must not lean left
    assert stats.kstest([one.p for one in found], "uniform", alternative="greater").pvalue > 0.01
    assert 0.35 < np.mean([one.p for one in found]) < 0.7
    assert not any(one.failed for one in found)
    shifted = Scored(Sample.of(rng.normal(0.6, 1, 1500)), scored.human, Sample.of(rng.normal(4, 1, 800)))
    assert misfit(shifted, 0.0).failed
    assert misfit(shifted, 0.0).factor > 5
