"""The Gaussian mixture against scikit-learn, against itself, and at its edges."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.data import Dataset, Space
from remission.errors import FitError, SpecError
from remission.interfaces import Sampling
from remission.models.gmm import Gmm, Mixture
from remission.numerics import exponential
from remission.rng import Streams

KINDS = ("full", "diagonal", "tied", "low-rank")
PLAIN = Sampling()


def block(items: np.ndarray, weight: np.ndarray | None = None) -> Dataset:
    return Dataset(Space("vector", items.shape[2:]), items, np.zeros(items.shape[:2], np.int32), weight)


def clusters(r: int = 2, n: int = 300, d: int = 2, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(r, n, d)) + 3.0 * rng.integers(0, 3, size=(r, n, 1))


def model_of(kind: str, d: int, **fields: Any) -> Gmm:
    return Gmm(components=3, covariance=kind, rank=min(2, d - 1) if kind == "low-rank" else 8, **fields)  # type: ignore[arg-type]


def arrays(state: Mixture) -> list[np.ndarray]:
    return [state.weights, state.means, state.spread, state.noise]


@pytest.mark.parametrize("d", [1, 2, 3, 7])
@pytest.mark.parametrize(("kind", "peer"), [("full", "full"), ("diagonal", "diag"), ("tied", "tied")])
@pytest.mark.parametrize("tolerance", [0.0, 1e-3])
def test_em_steps_equal_those_of_scikit_learn(kind: str, peer: str, d: int, tolerance: float) -> None:
    from sklearn.mixture import GaussianMixture

    items, streams = clusters(d=d), Streams.of(1, range(2))
    begin = model_of(kind, d, iterations=1, tolerance=0, initial="random").fit(block(items), streams)
    after = model_of(kind, d, iterations=15, tolerance=tolerance).fit(block(items), streams, begin)
    for i in range(2):
        covs = begin.spread[i, 0] if kind == "tied" else begin.covariances[i]
        precisions = 1 / begin.spread[i, :, :, 0] if kind == "diagonal" else np.linalg.inv(covs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = GaussianMixture(
                3, covariance_type=peer, reg_covar=0.0, max_iter=15, tol=tolerance,
                weights_init=begin.weights[i] / begin.weights[i].sum(),
                means_init=begin.means[i], precisions_init=precisions,
            ).fit(items[i])  # fmt: skip
        assert after.iterations[i] == other.n_iter_
        assert after.converged[i] == (other.converged_ and tolerance > 0)
        assert np.allclose(after.likelihood[i], other.lower_bound_, rtol=1e-12, atol=0)
        assert np.allclose(after.weights[i], other.weights_, rtol=0, atol=1e-11)
        assert np.allclose(after.means[i], other.means_, rtol=0, atol=1e-11)
        mine = {"full": after.spread[i], "tied": after.spread[i, 0], "diagonal": after.spread[i, :, :, 0]}[kind]
        assert np.allclose(mine, other.covariances_, rtol=0, atol=1e-11)
        assert not np.allclose(after.means[i], begin.means[i], rtol=0, atol=1e-6)
        assert np.allclose(Gmm().log_density(after, items)[i], other.score_samples(items[i]), rtol=0, atol=1e-10)


@given(st.integers(0, 10_000), st.sampled_from(KINDS), st.sampled_from([2, 5]))
def test_the_likelihood_never_falls(seed: int, kind: str, d: int) -> None:
    items, streams = clusters(r=1, n=60, d=d, seed=seed), Streams.of(seed, [0])
    one = model_of(kind, d, iterations=1, tolerance=0, initial="random")
    state, before = None, -np.inf
    for _ in range(12):
        state = one.fit(block(items), streams, state)
        assert state.likelihood[0] >= before - 1e-9
        before = state.likelihood[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("initial", ["kmeans++", "random"])
def test_results_do_not_depend_on_the_block(kind: str, initial: Any) -> None:
    items, streams, model = clusters(r=5, d=3), Streams.of(4, range(5)), model_of(kind, 3, initial=initial)
    whole = model.fit(block(items), streams)
    drawn = model.sample(whole, 50, streams.at(1, "s"), PLAIN)
    for i in range(5):
        alone = model.fit(block(items[i : i + 1]), streams.only(i))
        for a, b in zip(arrays(whole), arrays(alone), strict=True):
            assert (a[i] == b[0]).all()
        assert (model.sample(alone, 50, streams.only(i).at(1, "s"), PLAIN)[0] == drawn[i]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [2, 4])
def test_weights_are_repeated_points_and_zero_is_absence(kind: str, d: int) -> None:
    items, streams, model = clusters(r=1, n=150, d=d), Streams.of(0, [0]), model_of(kind, d, iterations=8, tolerance=0)
    count = np.random.default_rng(1).integers(0, 4, size=150)
    repeated = np.repeat(items, count, axis=1)
    begin = model.fit(block(items), streams)
    a = model.fit(block(items, count[None].astype(float)), streams, begin)
    b = model.fit(block(repeated), streams, begin)
    c = model.fit(block(items), streams, begin)
    for x, y in zip((a.weights, a.means, a.covariances), (b.weights, b.means, b.covariances), strict=True):
        assert np.allclose(x, y, rtol=0, atol=1e-10)
    assert not np.allclose(a.means, c.means, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_offset_changes_nothing(kind: str) -> None:
    items, streams, model = clusters(r=1, d=2), Streams.of(0, [0]), model_of(kind, 2, iterations=10, tolerance=0)
    items = np.round(items * 2**10) / 2**10
    near, far = model.fit(block(items), streams), model.fit(block(items + 2.0**27), streams)
    assert np.allclose(far.covariances, near.covariances, rtol=1e-6)
    assert np.allclose(model.moments(far)[1], model.moments(near)[1], rtol=1e-6)


def test_nothing_stops_the_collapse() -> None:
    model, streams = Gmm(components=2, iterations=5), Streams.of(2, range(2))
    held = dataclasses.replace(model, floor=1e-6)
    spreads = []
    for one in (model, held):
        items, state = 1e8 + np.random.default_rng(0).normal(size=(2, 12, 1)) * 1e-3, None
        items -= 1e8
        for t in range(1, 400):
            state = one.fit(block(items), streams.at(t, "fit"), state)
            items = one.sample(state, 12, streams.at(t, "sample"), PLAIN)
        spreads.append(one.moments(state)[1].max())
    assert spreads[0] < 1e-12
    assert spreads[1] > 1e-7


@pytest.mark.parametrize("kind", KINDS)
def test_samples_follow_the_density_and_the_moments(kind: str) -> None:
    d, n = 3, 40_000
    model, streams = model_of(kind, d), Streams.of(5, range(1))
    state = model.fit(block(clusters(r=1, d=d)), streams)
    drawn = model.sample(state, n, streams.at(1, "s"), PLAIN)
    mean, cov = model.moments(state)
    error = np.sqrt(np.diagonal(cov[0]) / n)
    assert (abs(drawn[0].mean(axis=0) - mean[0]) < 4 * error).all()
    assert not (abs(drawn[0].mean(axis=0) - 1.1 * mean[0]) < 4 * error).all()
    assert np.allclose(np.cov(drawn[0].T), cov[0], rtol=0.1, atol=0.1)
    log_p = model.log_density(state, drawn[:, :5000])  # E q/p = 1 under p, for any density q: here a narrower one
    log_q = model.log_density(dataclasses.replace(state, spread=_half(state), noise=state.noise / 2), drawn[:, :5000])
    ratio = np.exp(log_q - log_p)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(ratio.size)
    assert abs(1.1 * ratio.mean() - 1) > 4 * ratio.std() / np.sqrt(ratio.size)


def _half(state: Mixture) -> np.ndarray:
    return state.spread * (np.sqrt(0.5) if state.covariance == "low-rank" else 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_bias_and_temperature(kind: str) -> None:
    d, model, streams = 2, model_of(kind, 2), Streams.of(5, range(1))
    state = model.fit(block(clusters(r=1, d=d)), streams)
    mean = state.means[:, 0]
    one = dataclasses.replace(state, weights=np.array([[1.0, 0.0, 0.0]]))
    for sampling, scale in ((Sampling(bias=0.5), 0.5), (Sampling(temperature=2.0), 2.0)):
        drawn = model.sample(one, 20_000, streams, sampling)
        assert np.allclose(drawn.mean(axis=1), mean, atol=0.1)
        assert np.allclose(np.cov(drawn[0].T), scale * state.covariances[0, 0], atol=0.1)
    uneven = dataclasses.replace(
        state, weights=np.array([[0.8, 0.2, 0.0]]), means=np.array([[[0.0] * 2, [99.0] * 2, [500.0] * 2]])
    )
    cold = model.sample(uneven, 20_000, streams, Sampling(temperature=0.5))
    assert abs((cold[..., 0] > 50).mean() - 0.04 / 0.68) < 4 * np.sqrt(0.06 / 20_000)
    assert not (cold > 300).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_component_that_collapses_onto_a_point_stays_visible(kind: str) -> None:
    rng = np.random.default_rng(0)
    items = np.concatenate([np.full((1, 30, 3), 7.25), rng.normal(size=(1, 70, 3))], axis=1)
    model = Gmm(components=2, covariance=kind, rank=1)  # type: ignore[arg-type]
    if kind == "tied":
        items = items[:, :30]
    streams, state = Streams.of(0, [0]), None
    for t in range(3):
        state = model.fit(block(items), streams.at(t, "fit"), state)
        assert state.singular.any()
        items = model.sample(state, 1000, streams.at(t, "s"), PLAIN)
    alone = (items == 7.25).all(axis=2).mean()
    assert alone == 1.0 if kind == "tied" else abs(alone - 0.3) < 0.1
    gone = state.singular[0]
    assert (state.covariances[0, gone] == 0).all()
    assert np.isfinite(state.weights).all()
    assert np.isneginf(model.log_density(state, np.full((1, 1, 3), 7.25))).all() == (kind == "tied")


def test_items_on_a_line_are_a_singular_component() -> None:
    along = np.random.default_rng(1).normal(size=(1, 200, 1))
    items = np.concatenate([along, 2 * along + 1], axis=2)
    state = Gmm(components=1).fit(block(items), Streams.of(0, [0]))
    assert state.singular.all()
    drawn = Gmm().sample(state, 100, Streams.of(0, [0]), PLAIN)
    assert np.allclose(drawn[..., 1], 2 * drawn[..., 0] + 1)


def test_a_component_without_points_keeps_weight_zero() -> None:
    items, streams = clusters(r=1), Streams.of(0, [0])
    state = Gmm(components=2).fit(block(items), streams)
    means = state.means.copy()
    means[0, 1] = 1e6
    lost = Gmm(components=2).fit(block(items), streams, dataclasses.replace(state, means=means))
    assert lost.weights.tolist() == [[1.0, 0.0]]
    assert (lost.means[0, 1] == 1e6).all()
    again = Gmm(components=2).fit(block(items), streams, lost)
    assert again.weights.tolist() == [[1.0, 0.0]]
    assert not (Gmm().sample(again, 10_000, streams, PLAIN) > 1e5).any()


def test_fewer_distinct_items_than_components() -> None:
    items = np.tile(np.array([[[0.0, 1.0], [5.0, 5.0]]]), (1, 20, 1))
    state = Gmm(components=4).fit(block(items), Streams.of(0, [0]))
    assert sorted(state.weights[0].round(12)) == [0.0, 0.0, 0.5, 0.5]
    assert np.allclose(Gmm().moments(state)[0], [[2.5, 3.0]])


def test_errors_say_what_to_try() -> None:
    items = clusters(r=3)
    items[1, 5, 0] = np.nan
    with pytest.raises(FitError, match=r"position 1.*not all finite.*Likely causes: 1\."):
        Gmm().fit(block(items), Streams.of(0, range(3)))
    with pytest.raises(FitError, match="no weight"):
        Gmm().fit(block(clusters(), np.zeros((2, 300))), Streams.of(0, range(2)))
    with pytest.raises(FitError, match="overflow"):
        Gmm().fit(block(clusters() * 1e200), Streams.of(0, range(2)))
    with pytest.raises(SpecError, match="rank"):
        Gmm(covariance="low-rank", rank=4).minimum(Space("vector", (4,)))
    assert Gmm(components=3).minimum(Space("vector", (2,))) == 5


def test_low_rank_is_the_likeliest_of_its_kind() -> None:
    from sklearn.decomposition import PCA

    items, streams = clusters(r=1, d=6), Streams.of(0, [0])
    state = Gmm(components=1, covariance="low-rank", rank=2).fit(block(items), streams)
    peer = PCA(2).fit(items[0])
    peer.explained_variance_ *= 299 / 300  # scikit-learn divides by n - 1
    peer.noise_variance_ *= 299 / 300
    assert np.allclose(state.covariances[0, 0], peer.get_covariance(), atol=1e-10)


def test_the_exponential_is_right_to_rounding() -> None:
    x = -np.concatenate([np.logspace(-18, 2.84, 5000), [0.0, 1e5, np.inf]])
    out = np.empty_like(x)
    exponential.exponentials(x, out)
    assert np.allclose(out, np.exp(x), rtol=3e-14, atol=1e-307)
    assert np.allclose(out[x > -40], np.exp(x[x > -40]), rtol=2e-15, atol=0)
    y = np.concatenate([np.logspace(-300, 300, 5000), 1 + np.linspace(-0.4, 0.8, 1001)])
    out = np.empty_like(y)
    exponential.logarithms(y, out)
    assert np.allclose(out, np.log(y), rtol=1e-15, atol=3e-16)


def test_two_moons_lose_their_variance() -> None:
    """The first figure of model collapse, at its published size: every one of ten runs ends as a point or nearly so."""
    from sklearn.datasets import make_moons

    r, n, ratio = 10, 500, {}
    items = np.stack([make_moons(n, noise=0.05, random_state=i)[0] for i in range(r)])
    first = items.var(axis=1).sum(axis=1)
    model, streams, state = Gmm(components=2, tolerance=1e-5), Streams.of(11, range(r)), None
    for t in range(1, 2051):
        state = model.fit(block(items), streams.at(t, "fit"), state)
        items = model.sample(state, n, streams.at(t, "sample"), PLAIN)
        ratio[t] = items.var(axis=1).sum(axis=1) / first
    assert (ratio[1] > 0.8).all()
    assert 0.1 < np.median(ratio[200]) < 0.9  # scikit-learn, ten seeds: 0.56
    assert (ratio[2050] < 0.4).all()
