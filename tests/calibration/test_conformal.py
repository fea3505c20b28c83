"""p-values, thresholds and intervals against what they promise, in simulation; each check can fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from remission.calibration import conformal
from remission.calibration.rates import auroc, clopper_pearson, rate_of_units, widest_auroc, wilson
from remission.errors import DataError

RNG = np.random.default_rng


def gap_to_uniform(p: np.ndarray) -> float:
    return float(stats.kstest(p, "uniform").pvalue)


def test_p_values_of_exchangeable_scores_are_uniform() -> None:
    rng, found = RNG(0), []
    for _ in range(2000):
        scores = rng.standard_t(2, 400)
        found.append(conformal.p_values(np.sort(scores[1:]), scores[:1])[0])
    p = np.array(found) - RNG(1).random(2000) / 400  # the grid of 1 / 400 filled up
    assert gap_to_uniform(p) > 0.01
    shifted = [
        conformal.p_values(np.sort(rng.standard_normal(399)), rng.standard_normal(1) + 0.3)[0] for _ in range(2000)
    ]
    assert gap_to_uniform(np.array(shifted)) < 1e-6


@given(st.integers(1, 60), st.integers(0, 10_000), st.integers(1, 6))
def test_p_values_are_super_uniform_with_ties(n: int, seed: int, values: int) -> None:
    """Over all n + 1 places that the new score may take among n + 1 given ones, exactly: P(p <= a) <= a."""
    scores = RNG(seed).integers(0, values, n + 1).astype(float)
    p = np.array(
        [conformal.p_values(np.sort(np.delete(scores, k)), scores[k : k + 1])[0] for k in range(n + 1)]
    )  # fmt: skip
    for level in np.unique(p):
        assert (p <= level + 1e-12).mean() <= level + 1e-12


@given(st.integers(1, 400), st.floats(0.002, 0.3))
def test_a_marginal_threshold_flags_exactly_the_small_p_values(n: int, fpr: float) -> None:
    humans = np.sort(RNG(n).integers(0, 50, n).astype(float))
    scores = np.arange(-1.0, 52.0, 0.5)
    rank = conformal.marginal_rank(n, fpr)
    flagged = scores > humans[n - rank] if rank else np.zeros(scores.size, bool)
    assert np.array_equal(flagged, conformal.p_values(humans, scores) <= fpr + 1e-12)


@pytest.mark.parametrize(("n", "fpr"), [(80, 0.05), (300, 0.01), (800, 0.01), (3000, 0.001), (500, 0.05)])
def test_certified_thresholds_hold_with_the_stated_confidence(n: int, fpr: float) -> None:
    """The realised rate of uniform scores above a threshold t is 1 - t."""
    rng, above = RNG(n), []
    for _ in range(4000):
        found = conformal.threshold(np.sort(rng.random(n)), fpr)
        assert found.kind == "certified"
        above.append(1.0 - found.score)
    broken = np.array(above) > fpr
    assert broken.mean() <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 4000)
    one_more = conformal.certified_rank(n, fpr) + 1  # the next rank would not do
    assert stats.beta.cdf(fpr, one_more, n + 1 - one_more) < 0.95


def test_the_least_numbers_of_humans() -> None:
    assert [conformal.needed(rate) for rate in (0.05, 0.01, 0.001)] == [59, 299, 2995]
    assert [conformal.needed_marginal(rate) for rate in (0.05, 0.01, 0.001)] == [19, 99, 999]
    for rate in (0.05, 0.01, 0.001):
        n, few = conformal.needed(rate), conformal.needed_marginal(rate)
        assert conformal.certified_rank(n, rate) == 1
        assert conformal.certified_rank(n - 1, rate) == 0
        assert conformal.threshold(np.arange(few, dtype=float), rate).kind == "marginal"
        assert conformal.threshold(np.arange(few - 1, dtype=float), rate).kind == "none"


def test_the_interval_of_the_realised_rate_covers() -> None:
    rng, n, rank, inside = RNG(5), 250, 4, []
    found = conformal.realised(n, rank, 0.9)
    for _ in range(4000):
        rate = 1.0 - np.sort(rng.random(n))[n - rank]
        inside.append(found.low <= rate <= found.high)
    assert abs(np.mean(inside) - 0.9) < 4 * math.sqrt(0.09 / 4000)
    assert found.value == rank / (n + 1)


def test_units_count_once_with_their_highest_score() -> None:
    assert conformal.unit_maxima(np.array([1.0, 5.0, 3.0, 2.0]), np.array([7, 7, 2, 9])).tolist() == [2.0, 3.0, 5.0]
    assert conformal.unit_maxima(np.empty(0), np.empty(0, np.int64)).size == 0


def test_grouped_humans_would_break_a_promise_that_counts_items() -> None:
    """Sites of 30 pages each: item-wise certification fails too often, unit-wise never does."""
    rng, by_item, by_unit = RNG(3), [], []
    for _ in range(300):
        sites = rng.standard_normal(60)
        scores = np.repeat(sites, 30) + 0.1 * rng.standard_normal(1800)
        fresh = rng.standard_normal(4000) + 0.1 * rng.standard_normal(4000)
        units = np.repeat(np.arange(60), 30)
        items = conformal.threshold(np.sort(scores), 0.05)
        groups = conformal.threshold(conformal.unit_maxima(scores, units), 0.05)
        by_item.append((fresh > items.score).mean() > 0.05)
        by_unit.append((fresh > groups.score).mean() > 0.05)
    assert np.mean(by_item) > 0.2
    assert np.mean(by_unit) <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize(("rate", "n"), [(0.01, 100), (0.2, 40), (0.97, 60)])
def test_clopper_pearson_covers(rate: float, n: int) -> None:
    hits = np.arange(n + 1)
    chance = stats.binom.pmf(hits, n, rate)
    covers = [clopper_pearson(k, n).low <= rate <= clopper_pearson(k, n).high for k in hits]
    assert chance[covers].sum() >= 0.95
    narrow = [clopper_pearson(k, n, 0.5).low <= rate <= clopper_pearson(k, n, 0.5).high for k in hits]
    assert chance[narrow].sum() < 0.95


def test_clopper_pearson_is_scipys() -> None:
    for hits, n in ((0, 10), (3, 17), (17, 17)):
        theirs = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
        ours = clopper_pearson(hits, n)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert clopper_pearson(0, 0).high == 1.0


def test_rates_count_units() -> None:
    flagged, units = np.array([1.0, 1, 0, 0, 0, 0]), np.array([0, 0, 1, 1, 2, 2])
    assert rate_of_units(flagged, units).n == 3
    assert rate_of_units(flagged, np.arange(6)) == clopper_pearson(2, 6)


def _delong(x: np.ndarray, y: np.ndarray) -> float:
    """The variance of DeLong et al. (1988), from the matrix of all pairs."""
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    return float(psi.mean(1).var(ddof=1) / x.size + psi.mean(0).var(ddof=1) / y.size)


def test_auroc_of_single_items_is_delongs() -> None:
    rng = RNG(2)
    x, y = rng.standard_normal(400) + 1, rng.standard_normal(300)
    found = auroc(x, y)
    half = 1.959964 * math.sqrt(_delong(x, y)) / (found.value * (1 - found.value))
    assert found.high == pytest.approx(1 / (1 + math.exp(-math.log(found.value / (1 - found.value)) - half)), abs=2e-4)


def test_intervals_of_auroc_cover_single_and_grouped_items() -> None:
    rng, truth, plain, grouped, naive = RNG(7), stats.norm.cdf(1 / math.sqrt(2)), [], [], []
    for _ in range(600):
        found = auroc(rng.standard_normal(60) + 1, rng.standard_normal(80))
        plain.append(found.low <= truth <= found.high)
        site = np.repeat(rng.standard_normal(30), 10) * math.sqrt(0.8)  # both kinds occur on each site
        x = site + math.sqrt(0.2) * rng.standard_normal(300) + 1
        y = np.repeat(rng.standard_normal(30), 10) * math.sqrt(0.8) + math.sqrt(0.2) * rng.standard_normal(300)
        units = np.repeat(np.arange(30), 10)
        found, wrong = auroc(x, y, units, units + 30), auroc(x, y)
        grouped.append(found.low <= truth <= found.high)
        naive.append(wrong.low <= truth <= wrong.high)
    slack = 4 * math.sqrt(0.05 * 0.95 / 600)
    assert np.mean(plain) >= 0.95 - slack
    assert np.mean(grouped) >= 0.93 - slack
    assert np.mean(naive) < 0.8


def test_auroc_at_the_edges() -> None:
    found = auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
    assert found.value == 1.0
    assert found.low < 0.4  # two against two say nothing
    with pytest.raises(DataError, match="both kinds"):
        auroc(np.array([1.0]), np.empty(0))


def test_the_widest_interval_of_auroc_never_fails_for_small_samples() -> None:
    for low, spread in ((0.0, 1.0), (1.0, 1.0), (2.0, 0.2)):
        rng, missed = RNG(11), 0
        truth = stats.norm.cdf(low / math.sqrt(1 + spread**2))
        for _ in range(800):
            x, y = low + spread * rng.standard_normal(8), rng.standard_normal(40)
            found = widest_auroc(x, y, 8)
            missed += not found.low <= truth <= found.high
        assert missed / 800 <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 800)
    assert wilson(1.0, 5, 0.95)[0] < 0.7
