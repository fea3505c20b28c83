"""The kernel density estimate against scikit-learn and SciPy, against itself, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.data import Dataset, Space
from remission.errors import FitError, SpecError
from remission.interfaces import Sampling
from remission.models.kde import Kde
from remission.rng import Streams

PLAIN = Sampling()


def block(items: np.ndarray, weight: np.ndarray | None = None) -> Dataset:
    return Dataset(Space("vector", items.shape[2:]), items, np.zeros(items.shape[:2], np.int32), weight)


def points(r: int = 3, n: int = 200, d: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(r, n, d)) * np.arange(1, d + 1)


def exact(x: np.ndarray, weight: np.ndarray, h: float, q: np.ndarray) -> np.ndarray:
    """Every pair, by SciPy's log-sum-exp."""
    from scipy.special import logsumexp

    squares = ((q[:, None, :] - x[None, :, :]) ** 2).sum(axis=2) / h**2
    kernel = -0.5 * squares - 0.5 * x.shape[1] * np.log(2 * np.pi * h**2)
    return logsumexp(kernel, b=weight / weight.sum(), axis=1)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("h", [0.02, 0.5, 30.0])
def test_log_density_is_exact(d: int, weighted: bool, h: float) -> None:
    x, q = points(d=d), np.concatenate([points(d=d, n=50, seed=1), np.full((3, 1, d), 9.0)], axis=1)
    ones = np.ones(x.shape[:2])
    weight = np.random.default_rng(2).integers(0, 3, size=x.shape[:2]).astype(float) if weighted else None
    model = Kde(bandwidth=h)
    mine = model.log_density(model.fit(block(x, weight), Streams.of(0, range(3))), q)
    for i in range(3):
        masses = (ones if weight is None else weight)[i]
        assert np.allclose(mine[i], exact(x[i], masses, h, q[i]), rtol=1e-12, atol=1e-12)
        assert not np.allclose(mine[i], exact(x[i], masses, 1.1 * h, q[i]), rtol=1e-12, atol=1e-12)


def test_log_density_equals_that_of_scikit_learn() -> None:
    from sklearn.neighbors import KernelDensity

    x, q = points(), points(n=50, seed=1)  # near the data: far away its tree loses digits
    mine = Kde(bandwidth=0.5).log_density(Kde(bandwidth=0.5).fit(block(x), Streams.of(0, range(3))), q)
    for i in range(3):
        assert np.allclose(mine[i], KernelDensity(bandwidth=0.5).fit(x[i]).score_samples(q[i]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
@pytest.mark.parametrize("weighted", [False, True])
def test_fitted_bandwidths_equal_those_of_scipy(rule: str, weighted: bool) -> None:
    from scipy.stats import gaussian_kde

    x, q = points(), points(n=50, seed=1)
    weight = np.random.default_rng(2).random(x.shape[:2]) if weighted else None
    model = Kde(bandwidth=rule)  # type: ignore[arg-type]
    state = model.fit(block(x, weight), Streams.of(0, range(3)))
    for i in range(3):
        peer = gaussian_kde(x[i, :, 0], rule, weights=None if weight is None else weight[i])
        assert np.allclose(state.bandwidth[i, 0] ** 2, peer.covariance[0, 0], rtol=1e-12)
        assert np.allclose(model.log_density(state, q)[i], peer.logpdf(q[i, :, 0]), rtol=1e-10)
    wide = model.fit(block(points(d=3)), Streams.of(0, range(3)))
    factor = wide.bandwidth / points(d=3).std(axis=1, ddof=1)
    assert np.allclose(factor, factor[0, 0])


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("bias", [1.0, 0.3])
def test_samples_follow_the_moments(d: int, weighted: bool, bias: float) -> None:
    x, n, streams = points(r=1, n=40, d=d) + 2.0, 60_000, Streams.of(7, range(1))
    weight = np.random.default_rng(2).integers(0, 3, size=x.shape[:2]).astype(float) if weighted else None
    model = Kde(bandwidth=0.4)
    state = model.fit(block(x, weight), streams)
    mean, cov = model.moments(state)
    drawn = model.sample(state, n, streams.at(1, "s"), Sampling(bias=bias))[0]
    error = np.sqrt(bias * np.diagonal(cov[0]) / n)
    assert (abs(drawn.mean(axis=0) - mean[0]) < 4 * error).all()
    assert not (abs(drawn.mean(axis=0) - 1.1 * mean[0]) < 4 * error).all()
    variance = drawn.var(axis=0) / (bias * np.diagonal(cov[0]))
    assert (abs(variance - 1) < 4 * np.sqrt(2 / n)).all()
    assert not (abs(1.1 * variance - 1) < 4 * np.sqrt(2 / n)).all()


def test_samples_follow_the_density() -> None:
    from scipy.integrate import cumulative_trapezoid
    from scipy.stats import kstest

    x, streams, model = points(r=1, n=25), Streams.of(8, range(1)), Kde(bandwidth=0.3)
    state = model.fit(block(x), streams)
    drawn = model.sample(state, 5000, streams.at(1, "s"), PLAIN)[0, :, 0]
    grid = np.linspace(-6, 6, 20_001)
    density = np.exp(model.log_density(state, grid[None, :, None])[0])
    cdf = cumulative_trapezoid(density, grid, initial=0)
    assert abs(cdf[-1] - 1) < 1e-9
    assert kstest(drawn, lambda v: np.interp(v, grid, cdf)).pvalue > 1e-4
    assert kstest(1.1 * drawn, lambda v: np.interp(v, grid, cdf)).pvalue < 1e-4


@given(st.integers(0, 10_000))
def test_weights_are_repeated_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, count = rng.normal(size=(1, 20, 2)), rng.integers(0, 4, size=20)
    if count.sum() < 2:
        return
    model, streams, q = Kde(bandwidth=0.5), Streams.of(0, [0]), rng.normal(size=(1, 5, 2))
    a = model.fit(block(x, count[None].astype(float)), streams)
    b = model.fit(block(np.repeat(x, count, axis=1)), streams)
    assert np.allclose(model.log_density(a, q), model.log_density(b, q), rtol=1e-12)
    for one, other in zip(model.moments(a), model.moments(b), strict=True):
        assert np.allclose(one, other, atol=1e-12)


def test_items_of_weight_zero_are_never_drawn() -> None:
    x = np.array([[[0.0], [100.0], [1.0]]])
    model, streams = Kde(bandwidth=0.1), Streams.of(0, [0])
    state = model.fit(block(x, np.array([[1.0, 0.0, 3.0]])), streams)
    drawn = model.sample(state, 10_000, streams, PLAIN)
    assert drawn.max() < 50
    assert abs((drawn > 0.5).mean() - 0.75) < 4 * np.sqrt(0.1875 / 10_000)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("bandwidth", [0.3, "scott"])
def test_results_do_not_depend_on_the_block(d: int, bandwidth: float | str) -> None:
    x, streams, model = points(r=4, d=d), Streams.of(1, range(4)), Kde(bandwidth=bandwidth)  # type: ignore[arg-type]
    whole = model.fit(block(x), streams)
    drawn, value = model.sample(whole, 30, streams, PLAIN), model.log_density(whole, x)
    for i in range(4):
        alone = model.fit(block(x[i : i + 1]), streams.only(i))
        assert (model.sample(alone, 30, streams.only(i), PLAIN)[0] == drawn[i]).all()
        assert (model.log_density(alone, x[i : i + 1])[0] == value[i]).all()


def test_a_large_offset_changes_nothing() -> None:
    x = np.round(points() * 2**10) / 2**10
    model, streams = Kde(bandwidth=0.25), Streams.of(0, range(3))
    near, far = model.fit(block(x), streams), model.fit(block(x + 2.0**27), streams)
    assert np.allclose(model.log_density(far, x + 2.0**27), model.log_density(near, x), rtol=1e-12)
    assert np.allclose(model.moments(far)[1], model.moments(near)[1], rtol=1e-9)
    rule = Kde()
    assert np.allclose(
        rule.fit(block(x + 2.0**27), streams).bandwidth, rule.fit(block(x), streams).bandwidth, rtol=1e-9
    )


def test_the_second_moment_grows_by_the_kernel_every_generation() -> None:
    r, n, h, generations = 400, 20, 0.5, 12
    model, streams = Kde(bandwidth=h), Streams.of(9, range(r))
    items = streams.at(0, "source").normals(n)[:, :, None]
    for t in range(1, generations + 1):
        state = model.fit(block(items), streams.at(t, "fit"))
        items = model.sample(state, n, streams.at(t, "s"), PLAIN)
    second = (items**2).mean(axis=(1, 2))
    error = second.std(ddof=1) / np.sqrt(r)
    assert abs(second.mean() - (1 + generations * h**2)) < 4 * error
    assert abs(second.mean() - (1 + generations * 1.5 * h**2)) > 4 * error


def test_the_state_keeps_a_view() -> None:
    x = points()
    assert np.shares_memory(Kde(bandwidth=1.0).fit(block(x), Streams.of(0, range(3))).items, x)


def test_zero_variance_and_single_items() -> None:
    same, streams = np.full((1, 5, 1), 3.0), Streams.of(0, [0])
    state = Kde().fit(block(same), streams)
    assert state.bandwidth[0, 0] == 0
    assert (Kde().sample(state, 9, streams, PLAIN) == 3.0).all()
    assert np.isneginf(Kde().log_density(state, same)).all()
    single = Kde(bandwidth=2.0).fit(block(same[:, :1]), streams)
    assert np.allclose(Kde().log_density(single, same[:, :1]), -0.5 * np.log(2 * np.pi) - np.log(2))


def test_errors_say_what_to_try() -> None:
    x = points()
    x[1, 3, 0] = np.nan
    with pytest.raises(FitError, match=r"1 of 3 replicates.*Likely causes"):
        Kde(bandwidth=1.0).fit(block(x), Streams.of(0, range(3)))
    with pytest.raises(FitError, match="needs 2 items"):
        Kde().fit(block(points(n=1)), Streams.of(0, range(3)))
    with pytest.raises(SpecError, match="bandwidth"):
        Kde(bandwidth=0.0)
    with pytest.raises(SpecError, match="bandwidth"):
        Kde(bandwidth="scot")  # type: ignore[arg-type]
    assert (Kde().minimum(Space("vector", (1,))), Kde(bandwidth=1.0).minimum(Space("vector", (1,)))) == (2, 1)
    odd = Kde(bandwidth=1.0)
    values = odd.log_density(odd.fit(block(points(d=2)), Streams.of(0, range(3))), np.full((3, 1, 2), np.nan))
    assert np.isnan(values).all()
