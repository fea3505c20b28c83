"""Least squares against NumPy and scikit-learn, its drawn statistics against drawn rows, and the closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from remission.data import Dataset, Space
from remission.errors import FitError, SpecError
from remission.interfaces import Sampling
from remission.laws import LinearLaw, NormalLaw
from remission.models.linear import Linear
from remission.rng import Streams

STREAMS = Streams.of(seed=5, replicates=range(3)).at(1, "test")


def dataset(items, weight=None):
    items = np.asarray(items, float)
    return Dataset(Space("regression", (items.shape[2],)), items, np.zeros(items.shape[:2], np.int32), weight)


def rows(replicates=1, n=30, d=4, noise=0.5, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(replicates, n, d)) + offset
    y = x @ np.arange(1.0, d + 1) / d + noise * rng.normal(size=(replicates, n)) + offset
    return np.concatenate([x, y[..., None]], axis=2)


def law(d=3, noise=0.7, correlated=True):
    a = np.random.default_rng(2).normal(size=(d, d)) if correlated else np.eye(d)
    return LinearLaw(np.linspace(1, 2, d), noise, a @ a.T)


def sampled(law, replicates, n, seed=0):
    """Rows of the law by NumPy, for comparison."""
    rng, d = np.random.default_rng(seed), law.coefficients.size
    x = rng.normal(size=(replicates, n, d)) @ np.linalg.cholesky(law.cov).T
    y = x @ law.coefficients + law.noise * rng.normal(size=(replicates, n))
    return np.concatenate([x, y[..., None]], axis=2)


@pytest.mark.parametrize(("n", "d"), [(30, 4), (5, 5), (4, 9), (1, 3)])
def test_bare_fit_is_numpy_lstsq(n, d):
    items = rows(n=n, d=d)
    state = Linear(noise=0.0).fit(dataset(items), STREAMS.only(0))
    expected = np.linalg.lstsq(items[0, :, :-1], items[0, :, -1], rcond=None)[0]
    np.testing.assert_allclose(state.coefficients[0], expected, rtol=1e-9, atol=1e-11)
    assert not np.allclose(state.coefficients[0], expected * 1.001, rtol=1e-9)


def test_collinear_columns_get_the_least_norm():
    items = rows(n=20)
    items = np.concatenate([items[..., :1], items], axis=2)
    state = Linear(noise=0.0).fit(dataset(items), STREAMS.only(0))
    expected = np.linalg.lstsq(items[0, :, :-1], items[0, :, -1], rcond=None)[0]
    np.testing.assert_allclose(state.coefficients[0], expected, atol=1e-10)
    assert state.coefficients[0, 0] == pytest.approx(state.coefficients[0, 1])


def test_condition_is_not_squared():
    """Columns that differ by 1e-7 are beyond X'X (condition 1e14 squared) but not beyond the factor."""
    items = rows(n=50, d=2, noise=0.0)
    items[..., 1] = items[..., 0] + 1e-6 * items[..., 1]
    items[..., 2] = items[..., 0] + items[..., 1]
    state = Linear(noise=0.0).fit(dataset(items), STREAMS.only(0))
    np.testing.assert_allclose(state.coefficients[0], [1, 1], atol=1e-8)


@pytest.mark.parametrize("ridge", [1e-10, 1e-3, 1.0, 1e4])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("n", "d"), [(30, 4), (5, 9)])
def test_ridge_is_scikit_learn(ridge, intercept, n, d):
    from sklearn.linear_model import Ridge

    items = rows(n=n, d=d, offset=2.0)
    weight = np.random.default_rng(1).uniform(0.5, 2, (1, n))
    state = Linear(ridge=ridge, intercept=intercept, noise=0.0).fit(dataset(items, weight), STREAMS.only(0))
    peer = Ridge(alpha=ridge, fit_intercept=intercept, solver="svd").fit(
        items[0, :, :-1], items[0, :, -1], sample_weight=weight[0]
    )
    np.testing.assert_allclose(state.coefficients[0], peer.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(state.intercept[0], peer.intercept_, rtol=1e-7, atol=1e-9)


def test_ridge_ways_agree_where_they_meet():
    """Conjugate gradients, Cholesky and the stacked factor, each against the normal equations in long double."""
    for scale in (1.0, 30.0, 1e3, 1e5):
        items = rows(n=60, d=5)
        items[..., 1] /= scale
        for ridge in (1e-6, 1e-2, 10.0):
            w = Linear(ridge=ridge, noise=0.0).fit(dataset(items), STREAMS.only(0)).coefficients[0]
            x, y = items[0, :, :-1].astype(np.longdouble), items[0, :, -1].astype(np.longdouble)
            slope = x.T @ (y - x @ w) - ridge * w.astype(np.longdouble)
            assert float(np.abs(slope).max()) < 1e-9 * max(1.0, float(np.abs(x.T @ y).max()))


def test_intercept_survives_a_large_offset():
    items = rows(n=200, noise=0.1)
    moved = items + 1e8
    model = Linear(intercept=True)
    one, two = (model.fit(dataset(part), STREAMS.only(0)) for part in (items, moved))
    np.testing.assert_allclose(one.coefficients, two.coefficients, atol=1e-7)
    np.testing.assert_allclose(one.noise, two.noise, rtol=1e-6)
    np.testing.assert_allclose(model.predict(two, moved) - 1e8, model.predict(one, items), atol=1e-6)


def test_fitted_noise_is_the_residual_deviation():
    items = rows(n=25)
    for intercept in (False, True):
        model = Linear(intercept=intercept)
        state = model.fit(dataset(items), STREAMS.only(0))
        residual = items[0, :, -1] - model.predict(state, items)[0]
        assert state.noise[0] == pytest.approx(np.sqrt((residual**2).sum() / (25 - 4 - intercept)))
    assert model.minimum(Space("regression", (5,))) == 6
    with pytest.raises(FitError, match="more rows than parameters"):
        Linear().fit(dataset(rows(n=4)), STREAMS.only(0))


@pytest.mark.parametrize("intercept", [False, True])
def test_merge_is_the_fit_of_all_rows(intercept):
    items, model = rows(replicates=2, n=40, offset=3.0), Linear(intercept=intercept)
    weight = np.random.default_rng(0).uniform(0, 2, (2, 40))
    whole = model.solve(model.statistics(dataset(items, weight)))
    parts = [model.statistics(dataset(items[:, a:b], weight[:, a:b])) for a, b in ((0, 3), (3, 20), (20, 40))]
    merged = model.solve(model.merge(model.merge(parts[0], parts[1]), parts[2]))
    for name in ("coefficients", "intercept", "noise"):
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), rtol=1e-10)
    assert not np.allclose(model.solve(model.merge(parts[1], parts[2])).coefficients, whole.coefficients, rtol=1e-6)


def test_weights_are_repetitions():
    items, weight = rows(n=20), np.random.default_rng(0).integers(0, 3, (1, 20)).astype(float)
    repeated = np.repeat(items, weight[0].astype(int), axis=1)
    model = Linear(ridge=0.1, noise=0.0, intercept=True)
    one, two = model.fit(dataset(items, weight), STREAMS.only(0)), model.fit(dataset(repeated), STREAMS.only(0))
    np.testing.assert_allclose(one.coefficients, two.coefficients, rtol=1e-10)


def numbers(model, statistics):
    """What the fast and the plain way must agree on, per replicate: the Gram matrix, the fit and the noise."""
    gram = np.einsum("rab,rac->rbc", statistics.factor, statistics.factor)
    gram += statistics.total[:, None, None] * statistics.mean[:, :, None] * statistics.mean[:, None, :]
    state = model.solve(statistics)
    return np.concatenate(
        [
            gram.reshape(len(gram), -1),
            gram.reshape(len(gram), -1) ** 2,
            state.coefficients,
            state.coefficients**2,
            state.intercept[:, None],
            state.noise[:, None],
        ],
        axis=1,
    )


def same_law(one, two):
    gap = one.mean(axis=0) - two.mean(axis=0)
    error = np.sqrt(one.var(axis=0) / len(one) + two.var(axis=0) / len(two))
    return bool((np.abs(gap) <= 4 * error + 1e-12).all())


@pytest.mark.parametrize("n", [2, 3, 12])
@pytest.mark.parametrize("intercept", [False, True])
def test_drawn_statistics_have_the_law_of_drawn_rows(n, intercept):
    r, world = 4000, law()
    model = Linear(intercept=intercept, ridge=0.3, noise=0.7)
    streams = Streams.of(seed=1, replicates=range(r)).at(1, "s")
    fast = numbers(model, model.draw_statistics(model.state_of(world, r), n, 1.0, streams, Sampling()))
    plain = numbers(model, model.statistics(dataset(sampled(world, r, n))))
    assert same_law(fast, plain)
    wrong = LinearLaw(world.coefficients * 1.1, world.noise * 1.1, world.cov)
    assert not same_law(fast, numbers(model, model.statistics(dataset(sampled(wrong, r, n)))))


def test_drawn_weight_scales_and_merges():
    world, r = law(), 3
    model = Linear(noise=0.0)
    state = model.state_of(world, r)
    one = model.draw_statistics(state, 8, 1.0, STREAMS, Sampling())
    four = model.draw_statistics(state, 8, 4.0, STREAMS, Sampling())
    np.testing.assert_allclose(four.factor, 2 * one.factor)
    np.testing.assert_array_equal(four.total, 32.0)
    np.testing.assert_array_equal(four.count, 8.0)
    merged = model.merge(one, model.statistics(dataset(rows(replicates=3, d=3))))
    assert model.solve(merged).cov is not None


def excess(model, law, sizes, replicates, generations, accumulate=False):
    """Mean excess risk |w_t - w|^2 (isotropic covariates) after the generations, the fast way, and its error."""
    streams = Streams.of(seed=4, replicates=range(replicates))
    state, pool = model.state_of(law, replicates), None
    for t in range(1, generations + 1):
        drawn = model.draw_statistics(state, sizes, 1.0, streams.at(t, "s"), Sampling())
        pool = model.merge(pool, drawn) if accumulate and pool is not None else drawn
        state = model.solve(pool)
    risk = ((state.coefficients - law.coefficients) ** 2).sum(axis=1)
    return risk.mean(), risk.std() / np.sqrt(replicates)


def test_replace_and_accumulate_closed_forms():
    """THEORY L1 and L2 (A7): t s^2 d / (T - d - 1); accumulate with new covariates stays below the same-X form."""
    world = LinearLaw(np.full(10, 0.3), 1.0, np.eye(10))
    mean, error = excess(Linear(noise=1.0), world, 60, 3000, 10)
    assert abs(mean - 10 * 10 / 49) < 4 * error
    assert abs(mean * 0.9 - 10 * 10 / 49) > 4 * error
    mean, error = excess(Linear(noise=1.0), world, 60, 1000, 10, accumulate=True)
    assert abs(mean - 0.2967) < 4 * np.hypot(error, 0.007)
    assert mean < 0.31628


def test_accumulate_with_the_same_covariates():
    """THEORY A7: exact for the same X, s^2 d / (T - d - 1) sum 1 / i^2 = .31628, the plain way with relabel."""
    r, d, T = 400, 10, 60
    world, model = LinearLaw(np.full(d, 0.3), 1.0, np.eye(d)), Linear(noise=1.0, covariates="same")
    streams = Streams.of(seed=4, replicates=range(r))
    real = sampled(world, r, T)
    pool = model.statistics(dataset(real))
    for t in range(2, 11):
        pool = model.merge(pool, model.statistics(dataset(model.relabel(model.solve(pool), real, streams.at(t, "y")))))
    risk = ((model.solve(pool).coefficients - world.coefficients) ** 2).sum(axis=1)
    assert abs(risk.mean() - 0.31628) < 4 * risk.std() / np.sqrt(r)
    assert abs(risk.mean() - 2.0408) > 4 * risk.std() / np.sqrt(r)
    assert model.state_of(world, r) is None


@pytest.mark.parametrize(("noise", "expected"), [(0.0, 0.8025), (0.5, 2.0695)])
def test_least_norm_closed_form(noise, expected):
    """THEORY L3 (A8): d = 60, T = 40, t = 4, unit truth."""
    coefficients = np.zeros(60)
    coefficients[0] = 1.0
    mean, error = excess(Linear(noise=noise), LinearLaw(coefficients, noise, np.eye(60)), 40, 300, 4)
    assert abs(mean - expected) < 4 * error + 1e-4
    assert abs(mean * 1.1 - expected) > 4 * error


def test_relabel_and_predict():
    items, model = rows(replicates=3, n=5000), Linear(noise=0.5)
    state = model.fit(dataset(items), STREAMS)
    new = model.relabel(state, items, STREAMS)
    np.testing.assert_array_equal(new[..., :-1], items[..., :-1])
    gap = new[..., -1] - model.predict(state, items)
    assert abs(gap.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * gap.size)
    assert abs(gap.std() - 0.55) > 4 * 0.5 / np.sqrt(2 * gap.size)
    assert (items == rows(replicates=3, n=5000)).all()


@pytest.mark.parametrize("model", [Linear(), Linear(ridge=0.5, intercept=True), Linear(noise=1.0)])
@pytest.mark.parametrize("d", [3, 40])
def test_replicates_do_not_depend_on_the_block(model, d):
    streams, items = Streams.of(seed=2, replicates=range(4)), rows(replicates=4, d=d, n=d + 9)
    whole = model.fit(dataset(items), streams)
    world = law(d)
    fast = model.solve(model.draw_statistics(model.state_of(world, 4), d + 9, 1.0, streams, Sampling()))
    for i in range(4):
        own = streams.only(i)
        alone = model.fit(dataset(items[i : i + 1]), own)
        drawn = model.solve(model.draw_statistics(model.state_of(world, 1), d + 9, 1.0, own, Sampling()))
        for name in ("coefficients", "intercept", "noise"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(whole, name)[i])
            np.testing.assert_array_equal(getattr(drawn, name)[0], getattr(fast, name)[i])
        np.testing.assert_array_equal(
            model.relabel(alone, items[i : i + 1], own)[0], model.relabel(whole, items, streams)[i]
        )


def test_refusals():
    items = rows()
    broken = items.copy()
    broken[0, 2, 1] = np.nan
    for model in (Linear(), Linear(ridge=1.0), Linear(noise=0.0, intercept=True)):
        with pytest.raises(FitError, match="finite"):
            model.fit(dataset(broken), STREAMS.only(0))
    with pytest.raises(FitError, match="weight"):
        Linear(noise=0.0).fit(dataset(items, np.zeros((1, 30))), STREAMS.only(0))
    model = Linear()
    state = model.fit(dataset(items), STREAMS.only(0))
    with pytest.raises(SpecError, match="known Gaussian law"):
        model.draw_statistics(state, 5, 1.0, STREAMS.only(0), Sampling())
    with pytest.raises(SpecError, match="relabel"):
        model.sample(state, 5, STREAMS.only(0), Sampling())
    with pytest.raises(SpecError, match="noise"):
        Linear(noise="residual")
    assert model.state_of(NormalLaw(np.zeros(2), np.eye(2)), 3) is None
