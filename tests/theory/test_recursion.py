"""The general recursion against brute force, and every special closed form against the recursion."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from theory_tools import Brute, agrees, agrees_with_power, law, part, predicted, world

from remission.interfaces import Part, Recipe, Regime, Sampling
from remission.schedule import Ramp
from remission.theory._second_moments import Laws, propagate
from remission.world import Initial


def g(**fields):
    return part("models", "gaussian", **fields)


def regime(kind, **fields):
    return part("regimes", kind, **fields)


ZIPF = part("sources", "zipf", types=6)
PLANE = part("sources", "gaussian", dimensions=2, mean=(1.0, -2.0), std=(1.0, 2.0), correlation=0.5)
ACCUMULATE = regime("accumulate")


class Twins(Regime):
    """Two batches of the same old model, in unequal numbers and weights, beside real data."""

    def recipe(self, t: int, n: int) -> Recipe:
        if t == 1:
            return Recipe((Part(0, n),), ((1, 1),))
        old = max(1, t - 2)
        return Recipe((Part(old, n, 2.0), Part(t - 1, 3, 0.5), Part(old, 4)), ((max(1, t - 1), t), (1, 1)))


EXOTIC = {
    "window and lag, growing": world(g(), regime("accumulate", window=3, lag=2), n=(6, 8, 10, 12, 14, 16)),
    "unbiased window": world(g(estimator="unbiased"), regime("accumulate", window=2), n=6),
    "periodic real data": world(g(), regime("periodic", every=3, share=0.5), generations=7),
    "accumulate + fresh + bias": world(
        g(), regime("fresh", base=ACCUMULATE, share=0.2), sampling=Sampling(bias=0.7, temperature=1.2), source=PLANE
    ),
    "web on accumulate": world(g(), regime("web", base=ACCUMULATE, synthetic=Ramp(start=0.2, step=0.15, high=1.0))),
    "web, two oracles": world(
        g(),
        regime("web", synthetic=0.8),
        curators=(
            part("curators", "oracle", tpr=(0.2, 0.5, 0.7), fpr=0.1),
            part("curators", "oracle", tpr=0.3, fpr=0.2),
        ),
    ),
    "subsample of a window with replacement": world(
        g(), regime("accumulate-subsample", window=3, with_replacement=True), n=8
    ),
    "subsample of a web": world(g(), regime("web", base=regime("accumulate-subsample"), synthetic=0.7), n=8),
    "weights and twins": world(g(), Twins(), n=7),
    "unbiased weights": world(
        g(estimator="unbiased"), regime("weighted", base=regime("fresh", base=ACCUMULATE, share=0.3), real=0.8)
    ),
    "stages": world(
        g(), regime("stages", regimes=(regime("replace"), ACCUMULATE, regime("fresh", share=0.4)), durations=(2, 2))
    ),
    "collapsed start": world(g(), ACCUMULATE, initial=Initial(state="collapsed", distinct=3)),
    "collapsed start, subsample": world(
        g(), regime("accumulate-subsample"), initial=Initial(state="collapsed", distinct=3)
    ),
    "shifted start": world(
        g(), regime("fresh", share=0.3), source=PLANE, initial=Initial(state="shifted", shift=0.5, scale=1.5)
    ),
    "known variance": world(g(estimator="mean-only", known=0.5), ACCUMULATE, source=PLANE),
    "fixed real, lag": world(g(), regime("fixed-real", share=0.3, lag=2)),
    "kernel, window, bias": world(
        part("models", "kde", bandwidth=0.5), regime("accumulate", window=2), sampling=Sampling(bias=0.8), source=PLANE
    ),
    "kernel by scott": world(part("models", "kde", bandwidth="scott"), regime("replace"), source=PLANE),
    "kernel by silverman, weighted": world(
        part("models", "kde", bandwidth="silverman"), regime("weighted", real=0.7), source=PLANE
    ),
    "symbols, window": world(part("models", "unigram"), regime("accumulate", window=2), source=ZIPF),
    "symbols, smoothed web": world(part("models", "unigram", smoothing=0.3), regime("web"), source=ZIPF),
    "symbols, smoothed subsample": world(
        part("models", "unigram", smoothing=0.5), regime("accumulate-subsample"), source=ZIPF
    ),
    "symbols, weighted": world(part("models", "unigram"), regime("weighted", real=0.8), source=ZIPF),
    "symbols, collapsed": world(
        part("models", "unigram"), regime("fresh"), source=ZIPF, initial=Initial(state="collapsed", distinct=2)
    ),
}


@pytest.mark.parametrize("name", EXOTIC)
def test_recursion_agrees_with_brute_force(name):
    of = EXOTIC[name]
    found = predicted("moment-recursion", of)
    rows = Brute(of, 15000).run()
    for metric in found.keys() & rows.keys():
        if rows[metric].std() > 0:
            assert agrees_with_power(found[metric], rows[metric]), metric
        else:
            assert agrees(found[metric].values, rows[metric]), metric


TALL = (50, 7, 21, 9, 33, 12)
SPECIAL = {
    "gaussian-variance": [
        world(g(), regime("replace"), n=TALL, source=PLANE),
        world(g(estimator="unbiased"), regime("replace"), n=TALL),
        world(g(), regime("replace"), n=50, generations=500),
    ],
    "gaussian-dimensions": [
        world(g(estimator=e), regime("replace"), n=TALL, source=PLANE) for e in ("mle", "unbiased")
    ],
    "accumulate-variance": [world(g(), ACCUMULATE, generations=200, source=PLANE)],
    "accumulate-subsample-variance": [world(g(), regime("accumulate-subsample"), generations=200)],
    "fresh-mix": [world(g(), regime("fresh", share=0.1), n=50, generations=200)],
    "biased-mix": [
        world(g(), regime("fresh", share=share), n=50, generations=200, sampling=Sampling(bias=0.8))
        for share in (0.0, 0.1)
    ],
    "weighted-mix": [
        world(g(estimator="mean-only"), regime("weighted", base=regime("fresh", share=0.25), real=w), n=40, source=s)
        for w, s in ((0.618, None), (0.3, PLANE))
    ],
    "contaminated-accumulate": [
        world(g(estimator="mean-only"), regime("fresh", base=ACCUMULATE, share=0.3), n=10, generations=50, initial=i)
        for i in (Initial(), Initial(state="shifted", shift=3.0, scale=0.5))
    ],
    "fixed-real-mix": [world(g(), regime("fixed-real", share=0.2), n=50, generations=100)],
    "filtered-mix": [
        world(g(), regime("web", synthetic=0.9), n=50, generations=100, curators=c)
        for c in ((), (part("curators", "oracle", tpr=0.8, fpr=0.05),))
    ],
    "sum-law": [
        world(g(), regime("accumulate", window=3, lag=2), n=TALL, source=PLANE),
        world(part("models", "gmm", components=3), regime("replace"), n=20, source=PLANE),
    ],
    "heterozygosity": [world(part("models", "unigram"), regime("replace"), n=TALL, source=ZIPF)],
    "fresh-heterozygosity": [world(part("models", "unigram"), regime("fresh"), n=200, generations=100, source=ZIPF)],
    "accumulate-heterozygosity": [world(part("models", "unigram"), ACCUMULATE, generations=100, source=ZIPF)],
    "kernel-replace": [world(part("models", "kde", bandwidth=0.5), regime("replace"), n=TALL, source=PLANE)],
    "kernel-accumulate": [
        world(part("models", "kde", bandwidth=0.5), r, generations=40, source=PLANE)
        for r in (ACCUMULATE, regime("accumulate-subsample"))
    ],
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_forms_equal_the_recursion(name):
    for of in SPECIAL[name]:
        general = predicted("moment-recursion", of)
        special = predicted(name, of)
        shared = general.keys() & special.keys()
        assert shared
        for metric in shared:
            np.testing.assert_allclose(special[metric].values, general[metric].values, rtol=1e-10, atol=1e-300)


def test_vanishing_variance_keeps_its_digits():
    found = predicted("moment-recursion", world(g(), regime("replace"), n=2, generations=900))
    assert found["moments.variance"].values[-1] == pytest.approx(0.5**900, rel=1e-12)


def test_fast_enough():
    slow = world(g(), ACCUMULATE, generations=200, n=100)
    start = time.perf_counter()
    predicted("moment-recursion", slow)
    assert time.perf_counter() - start < 0.5
    start = time.perf_counter()
    predicted("moment-recursion", world(g(), regime("replace"), generations=3000, n=100))
    assert time.perf_counter() - start < 1.0


def test_an_em_step_keeps_two_moments():
    """Why mixtures obey the recursion: weights, means and variances of an M-step give back mean and variance."""
    rng = np.random.default_rng(3)
    x, share = rng.standard_normal(60), rng.dirichlet(np.ones(3), 60)
    weight = share.mean(axis=0)
    mean = share.T @ x / share.sum(axis=0)
    spread = (share * (x[:, None] - mean) ** 2).sum(axis=0) / share.sum(axis=0)
    assert weight @ mean == pytest.approx(x.mean())
    assert weight @ (spread + mean**2) - (weight @ mean) ** 2 == pytest.approx(x.var())


@pytest.mark.slow
def test_mixtures_keep_two_moments():
    gmm = part("models", "gmm", components=3, iterations=20)
    from remission.data import Dataset, Space
    from remission.rng import Streams

    for covariance in ("full", "diagonal", "tied"):
        items = np.random.default_rng(3).standard_normal((4, 60, 2)) * (1.0, 3.0)
        data = Dataset(Space("vector", (2,)), items, np.zeros((4, 60), np.int32))
        model = type(gmm)(components=3, iterations=20, covariance=covariance)
        mean, cov = model.moments(model.fit(data, Streams.of(1, range(4))))
        np.testing.assert_allclose(mean, items.mean(axis=1), atol=1e-10)
        np.testing.assert_allclose(np.trace(cov, axis1=1, axis2=2), items.var(axis=1).sum(axis=1), rtol=1e-10)


@given(
    counts=st.lists(st.integers(2, 30), min_size=2, max_size=6),
    shares=st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6),
    mixed=st.booleans(),
    window=st.integers(1, 6),
    take=st.booleans(),
)
def test_sum_law_holds_for_any_linear_recipe(counts, shares, mixed, window, take):
    recipes = [Recipe((Part(0, counts[0]),), ((1, 1),))]
    for t, (n, share) in enumerate(zip(counts[1:], shares, strict=False), start=2):
        real = round(share * n)
        parts = tuple(Part(origin, count) for origin, count in ((0, real), (t - 1, n - real)) if count)
        recipes.append(Recipe(parts, ((max(1, t - window + 1), t),), mixed=mixed, take=n if take else None))
    found = propagate(recipes, Laws(2.0, 2.0, 0.0, lambda variance, k: variance))
    np.testing.assert_allclose(found.error + found.variance, 2.0, rtol=1e-12)
    assert (found.variance >= 0).all()


def test_registered():
    assert law("moment-recursion").name() == "moment-recursion"
