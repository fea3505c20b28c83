"""Symbol frequencies against counting, the multinomial law and the closed forms of random drift."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.data import Dataset, Space
from remission.errors import DataError, FitError, SpecError
from remission.interfaces import Sampling
from remission.laws import CategoricalLaw, NormalLaw
from remission.models.unigram import Counts, Frequencies, Unigram
from remission.rng import Streams

STREAMS = Streams.of(seed=5, replicates=range(3)).at(1, "test")
MODEL = Unigram()


def dataset(items, size, weight=None):
    items = np.asarray(items, np.int64)
    return Dataset(Space("symbols", (), size), items, np.zeros(items.shape, np.int32), weight)


def zipf(size=100):
    p = 1 / (np.arange(1, size + 1) + 2.7)
    return p / p.sum()


def agree(count, p):
    """Whether counts (r, V) of n symbols each fit the probabilities: every symbol, and all pairs, within 4.5 SE."""
    r, n = len(count), count.sum(axis=1).mean()
    mean, error = count.mean(axis=0), np.sqrt(n * p * (1 - p) / r)
    spread = np.cov(count.T, ddof=0)
    expected = n * (np.diag(p) - np.outer(p, p))
    wobble = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / r) * np.sqrt(1 + 2 / n)
    return bool((np.abs(mean - n * p) <= 4.5 * error + 1e-9).all()) and bool(
        (np.abs(spread - expected) <= 5.5 * wobble + 1e-9 + n / r).all()
    )


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.floats(0, 3))
def test_fit_is_counting(symbols, smoothing):
    p = Unigram(smoothing=smoothing).fit(dataset([symbols], 7), STREAMS).p[0]
    count = np.bincount(symbols, minlength=7) + smoothing
    np.testing.assert_allclose(p, count / count.sum(), rtol=1e-14)
    assert p.sum() == pytest.approx(1.0, abs=1e-14)


def test_weights_are_repetitions_and_merge_is_union():
    items = np.random.default_rng(0).integers(0, 9, (2, 50))
    weight = np.random.default_rng(1).integers(0, 4, (2, 50)).astype(float)
    counts = MODEL.statistics(dataset(items, 9, weight)).counts
    for i in range(2):
        np.testing.assert_array_equal(counts[i], np.bincount(np.repeat(items[i], weight[i].astype(int)), minlength=9))
    parts = [MODEL.statistics(dataset(items[:, a:b], 9, weight[:, a:b])) for a, b in ((0, 20), (20, 50))]
    np.testing.assert_array_equal(MODEL.merge(*parts).counts, counts)
    assert (MODEL.statistics(dataset(items, 9)).counts != counts).any()


@pytest.mark.parametrize("n", [30, 2000])
@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(temperature=0.5), Sampling(top_k=3), Sampling(top_p=0.6, temperature=2.0)]
)
def test_sample_and_drawn_counts_have_the_multinomial_law(n, sampling):
    """n = 30 draws counts one by one, n = 2000 by binomials: both are tested, with every option."""
    r, law = 2000, CategoricalLaw(zipf(8))
    streams = Streams.of(seed=1, replicates=range(r)).at(1, "s")
    state = MODEL.state_of(law, r)
    p = law.p ** (1 / sampling.temperature)
    p[sampling.top_k or 8 :] = 0
    if sampling.top_p < 1:
        p[np.searchsorted(np.cumsum(p) / p.sum(), sampling.top_p) + 1 :] = 0
    p /= p.sum()
    fast = MODEL.draw_statistics(state, n, 1.0, streams, sampling).counts
    plain = MODEL.statistics(dataset(MODEL.sample(state, n, streams, sampling), 8)).counts
    assert (fast.sum(axis=1) == n).all()
    assert (plain.sum(axis=1) == n).all()
    wrong = p.copy()
    wrong[0], wrong[1] = 0.9 * p[0], p[1] + 0.1 * p[0]
    for count in (fast, plain):
        assert agree(count, p)
        assert not agree(count, wrong)


def test_options_break_ties_by_position():
    state = Frequencies(np.array([[0.2, 0.3, 0.3, 0.2]]))
    for sampling, kept in ((Sampling(top_k=1), {1}), (Sampling(top_k=3), {0, 1, 2}), (Sampling(top_p=0.6), {1, 2})):
        drawn = MODEL.sample(state, 500, STREAMS.only(0), sampling)
        assert set(drawn.ravel().tolist()) == kept
    cold = MODEL.sample(state, 500, STREAMS.only(0), Sampling(temperature=1e-3))
    assert set(cold.ravel().tolist()) == {1, 2}


def test_log_density_is_the_log_of_the_probability():
    state = MODEL.fit(dataset([[0, 0, 1, 3]], 4), STREAMS)
    np.testing.assert_allclose(
        MODEL.log_density(state, np.array([[0, 1, 2, 3]])), [[np.log(0.5), np.log(0.25), -np.inf, np.log(0.25)]]
    )
    np.testing.assert_array_equal(MODEL.probabilities(state), state.p)


def loop(n, generations, replicates):
    streams = Streams.of(seed=2, replicates=range(replicates))
    state = MODEL.state_of(CategoricalLaw(zipf()), replicates)
    for t in range(1, generations + 1):
        state = MODEL.solve(MODEL.draw_statistics(state, n, 1.0, streams.at(t, "s"), Sampling()))
    return state.p


def test_survival_and_heterozygosity_of_replace():
    """THEORY A10 (D1, D2): n = 200, Zipf-Mandelbrot of 100 types, t = 10: 24.997 types alive, sum p^2 = .07262."""
    p = loop(200, 10, 4000)
    alive, purity = (p > 0).sum(axis=1), (p**2).sum(axis=1)
    assert abs(alive.mean() - 24.997) < 4 * alive.std() / np.sqrt(len(p))
    assert abs(purity.mean() - 0.07262) < 4 * purity.std() / np.sqrt(len(p))
    exact = 1 - (1 - (zipf() ** 2).sum()) * (1 - 1 / 200) ** 10
    assert abs(purity.mean() - exact) < 4 * purity.std() / np.sqrt(len(p))
    assert abs(1.1 * alive.mean() - 24.997) > 4 * alive.std() / np.sqrt(len(p))


def test_drawn_weight_multiplies_counts():
    state = MODEL.state_of(CategoricalLaw(zipf()), 3)
    one = MODEL.draw_statistics(state, 50, 1.0, STREAMS, Sampling())
    half = MODEL.draw_statistics(state, 50, 0.5, STREAMS, Sampling())
    np.testing.assert_array_equal(half.counts, 0.5 * one.counts)


@pytest.mark.parametrize("n", [40, 3000])
def test_replicates_do_not_depend_on_the_block(n):
    state = MODEL.fit(dataset(np.random.default_rng(0).integers(0, 50, (3, 200)) ** 2 // 50, 50), STREAMS)
    for sampling in (Sampling(), Sampling(temperature=0.7, top_p=0.9)):
        drawn = MODEL.sample(state, n, STREAMS, sampling)
        counts = MODEL.draw_statistics(state, n, 1.0, STREAMS, sampling).counts
        np.testing.assert_array_equal(drawn, MODEL.sample(state, n, STREAMS, sampling))
        for i in range(3):
            alone, own = Frequencies(state.p[i : i + 1]), STREAMS.only(i)
            np.testing.assert_array_equal(MODEL.sample(alone, n, own, sampling)[0], drawn[i])
            np.testing.assert_array_equal(MODEL.draw_statistics(alone, n, 1.0, own, sampling).counts[0], counts[i])


def test_refusals():
    with pytest.raises(DataError, match=r"outside 0 \.\. 3"):
        MODEL.fit(dataset([[0, 4]], 4), STREAMS)
    with pytest.raises(DataError, match="outside"):
        MODEL.fit(dataset([[0, -1]], 4), STREAMS)
    with pytest.raises(DataError, match="outside"):
        MODEL.log_density(Frequencies(np.full((1, 4), 0.25)), np.array([[4]]))
    for counts in (np.zeros((1, 4)), np.array([[1.0, np.nan]])):
        with pytest.raises(FitError, match="at least one symbol"):
            MODEL.solve(Counts(counts))
    with pytest.raises(SpecError, match="smoothing"):
        Unigram(smoothing=-1.0)
    assert MODEL.state_of(NormalLaw(np.zeros(1), np.eye(1)), 2) is None
