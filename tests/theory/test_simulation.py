"""The laws that the recursion does not cover, against simulations written for the purpose."""

from __future__ import annotations

import numpy as np
import pytest
from theory_tools import Brute, agrees, agrees_with_power, law, part, predicted, world

from remission.interfaces import Sampling
from remission.world import Initial, Prediction


def g(**fields):
    return part("models", "gaussian", **fields)


REPLACE = part("regimes", "replace")
UNIGRAM = part("models", "unigram")


def said(values, scale="mean"):
    return Prediction("", "", scale, np.atleast_1d(np.asarray(values, float)))


@pytest.mark.parametrize("estimator", ["mle", "unbiased"])
def test_replace_in_one_dimension(estimator):
    """G1 - G5."""
    of = world(g(estimator=estimator), REPLACE, n=(20, 30, 25, 20, 20))
    rows = Brute(of, 20000).run()
    for name in ("gaussian-variance", "gaussian-dimensions", "wasserstein-risk"):
        found = predicted(name, of)
        for metric in found.keys() & rows.keys() - {"moments.log-det"}:
            assert agrees_with_power(found[metric], rows[metric]), (name, metric)
    found = predicted("log-variance", of)
    assert agrees_with_power(found["moments.variance"], rows["moments.variance"])
    assert agrees(found["moments.log-det"].values, rows["moments.log-det"])
    assert not agrees(found["moments.log-det"].values + 0.1, rows["moments.log-det"])


def test_spread_of_the_logarithm():
    """G5: the variance of ln s^2, through the squared deviations from the predicted mean."""
    from remission.theory.log_variance import log_mean, log_spread

    log = np.log(Brute(world(g(), REPLACE, n=20), 20000).run()["moments.variance"])
    squares = (log - log_mean([20] * 6)) ** 2
    assert agrees_with_power(said(log_spread([20] * 6)), squares)


def test_log_variance_with_bias_and_shifted_start():
    of = world(g(), REPLACE, n=20, sampling=Sampling(bias=0.8), initial=Initial(state="shifted", scale=2.0, shift=1.0))
    rows = Brute(of, 20000).run()
    assert agrees_with_power(predicted("log-variance", of)["moments.variance"], rows["moments.variance"])


def test_dimensions():
    """G6: the log-determinant and the determinant of a correlated plane."""
    from remission.theory.gaussian_dimensions import det_ratio

    plane = part("sources", "gaussian", dimensions=2, std=(1.0, 2.0), correlation=0.5)
    of = world(g(), REPLACE, n=15, generations=4, source=plane)
    log = Brute(of, 20000).run()["moments.log-det"]
    assert agrees_with_power(predicted("gaussian-dimensions", of)["moments.log-det"], log)
    ratio = np.exp(log) / np.linalg.det(plane.law().cov)
    assert agrees_with_power(said(det_ratio([15] * 4, 2)), ratio)


def test_first_order_is_close_or_refused():
    from theory_tools import law

    assert predicted("first-order-risk", world(g(estimator="unbiased"), REPLACE, n=1000, generations=3))
    reason = law("first-order-risk").refuses(world(g(estimator="unbiased"), REPLACE, n=50, generations=20))
    assert "off the exact risk" in reason


def test_bias_of_contaminated_accumulation():
    """G12: the signed bias, not only the squared error."""
    from remission.theory.contaminated_accumulate import bias, variance

    rng = np.random.default_rng(4)
    n, share, r = 10, 0.3, 20000
    total = rng.normal(0.5, 1, (r, n)).sum(axis=1)
    means = [total / n]
    for t in range(2, 9):
        total += rng.normal(0, 1, (r, 3)).sum(axis=1) + rng.normal(means[-1][:, None], 1, (r, 7)).sum(axis=1)
        means.append(total / (n * t))
    samples = np.stack(means, axis=1)
    assert agrees_with_power(said(bias(0.5, share, 8)), samples)
    assert agrees_with_power(said(variance(n, share, 8)), (samples - bias(0.5, share, 8)) ** 2)


def symbols(p, n, generations, r, step=None, seed=0, start=None):
    """Frequencies (T, r, V) of multinomial fits; ``step`` makes what is drawn from what was fitted."""
    rng = np.random.default_rng(seed)
    state = np.broadcast_to(p, (r, p.size)) if start is None else np.broadcast_to(start, (r, p.size))
    out = [rng.multinomial(n, state) / n] if start is None else [np.array(state)]
    for _ in range(generations - 1):
        drawn = out[-1] if step is None else step(out[-1])
        out.append(rng.multinomial(n, drawn) / n)
    return np.stack(out)


def test_survival_of_types():
    """D2, D3."""
    zipf = part("sources", "zipf", types=40, shift=2.7)
    of = world(UNIGRAM, REPLACE, source=zipf, n=60, generations=8)
    alive = (symbols(zipf.law().p, 60, 8, 4000) > 0).sum(axis=2).T
    found = predicted("type-survival", of)
    assert agrees_with_power(found["types.alive"], alive)
    assert agrees_with_power(found["types.recall"], alive / 40)
    bound = predicted("type-survival-bound", of)["types.alive"]
    assert bound.scale == "bound"
    assert (bound.values <= found["types.alive"].values).all()
    assert (bound.values >= 0.95 * found["types.alive"].values).all()


@pytest.mark.parametrize(
    ("share", "kind"), [(0.0, "fresh"), (0.1, "fresh"), (0.5, "fresh"), (1.0, "fresh"), (0.3, "web")]
)
def test_survival_with_fresh_data(share, kind):
    """D7, with a fixed number of fresh items and with origins drawn; all four rows, against frequencies drawn item by item."""
    from remission.theory.type_survival_bound import survival_rate
    from remission.theory.type_survival_fresh import alive, lost, rare, weights

    zipf = part("sources", "zipf", types=60, shift=2.7)
    p, n, generations = zipf.law().p, 150, 6
    if kind == "web":
        of = world(UNIGRAM, part("regimes", "web", synthetic=1 - share), source=zipf, n=n, generations=generations)
        freq = symbols(p, n, generations, 3000, lambda q: (1 - share) * q + share * p)
    else:
        of = world(UNIGRAM, part("regimes", "fresh", share=share), source=zipf, n=n, generations=generations)
        freq = with_fresh(p, round(share * n), n, generations, 3000)
    few, there = rare(p), freq > 0
    measured = {
        "types.alive": there.sum(axis=2), "types.recall": there.mean(axis=2), "types.rare-recall": there[:, :, few].mean(axis=2),
        "types.lost": (~there * p).sum(axis=2),
    }  # fmt: skip
    if share == 0:
        assert "type-survival-bound" in law("type-survival-fresh").refuses(of)
        np.testing.assert_allclose(weights(1.0, 50), survival_rate(50), rtol=1e-12)
        weight = weights(1.0, generations)
        found = {"types.alive": said(alive(p, n, weight)), "types.lost": said(lost(p, n, weight))}
    else:
        found = predicted("type-survival-fresh", of)
        assert found.keys() == measured.keys()
    for row, prediction in found.items():
        seen = measured[row].T
        error = seen.std(axis=0, ddof=1) / np.sqrt(len(seen))
        above = -1 if row == "types.lost" else 1  # a bound from below, of what is lost from above
        assert (above * (seen.mean(axis=0) - prediction.values) >= -4 * error).all(), row
        close = said(prediction.values * (1 + above * GAP))
        assert (above * (close.values - seen.mean(axis=0)) >= -4 * error).all(), f"{row} is no close bound"
        assert not agrees(0.9 * prediction.values, seen), row
        assert not agrees(1.1 * prediction.values, seen), row


GAP = 0.02  # at n = 150; it shrinks as 1/n


def with_fresh(p, human, n, generations, r, seed=0):
    """Frequencies (T, r, V) with ``human`` of the n items fresh in every generation."""
    rng = np.random.default_rng(seed)
    out = [rng.multinomial(n, np.broadcast_to(p, (r, p.size))) / n]
    for _ in range(generations - 1):
        fresh = rng.multinomial(human, np.broadcast_to(p, (r, p.size)))
        out.append((fresh + rng.multinomial(n - human, out[-1])) / n)
    return np.stack(out)


def test_what_is_rare_follows_the_metric_that_is_measured():
    """A variant of its own quantile gets its own row; the plain row, which would be taken for it, is left out."""
    import dataclasses

    from remission.lab.predictions import predictions
    from remission.theory.type_survival_fresh import alive, weights

    zipf = part("sources", "zipf", types=40, shift=2.7)
    of = world(UNIGRAM, part("regimes", "fresh", share=0.2), source=zipf, n=100)
    p = zipf.law().p
    for metrics, row, quantile in (
        ((), "types.rare-recall", 0.5),
        ((part("metrics", "types"),), "types.rare-recall", 0.5),
        ((part("metrics", "types"), part("metrics", "types", rare=0.1)), "types[rare=0.1].rare-recall", 0.1),
    ):
        made, _ = predictions(dataclasses.replace(of, metrics=metrics))
        rows = {
            one.metric: one.values for one in made if one.law == "type-survival-fresh" and "rare-recall" in one.metric
        }
        few = p <= np.quantile(p, quantile, method="lower")
        assert list(rows) == [row]
        np.testing.assert_allclose(rows[row], alive(p[few], 100, weights(0.8, 6)) / few.sum())


def test_survival_with_growing_budgets():
    zipf = part("sources", "zipf", types=20)
    of = world(UNIGRAM, REPLACE, source=zipf, n=(20, 40, 30, 60))
    alive = Brute(of, 3000).run()["types.alive"]
    assert agrees_with_power(predicted("type-survival", of)["types.alive"], alive)


def test_fixation():
    """D6: mean time, and its distribution through the number of types alive."""
    from remission.theory.fixation_time import fixation_time

    coin = part("sources", "zipf", p=(0.5, 0.5))
    both = (symbols(coin.law().p, 10, 120, 6000) > 0).all(axis=2)
    found = predicted("fixation-time", world(UNIGRAM, REPLACE, source=coin, n=10, generations=20))["types.alive"]
    assert agrees(found.values, 1 + both[:20].T)
    assert not agrees(1.1 * found.values, 1 + both[:20].T)
    half = (symbols(coin.law().p, 10, 150, 6000, start=coin.law().p) > 0).all(axis=2)
    assert agrees_with_power(said(fixation_time(10, 0.5)), half.sum(axis=0)[:, None])


def labels(rng, r, rows, d, noise, generations, same, batches, batch_noise=None):
    """Excess error (r, T) of least squares on its own labels; ``batches(t)`` are trained on."""
    truth = np.zeros(d)
    truth[0] = 1.0
    x = rng.standard_normal((r, rows, d))
    xs, ys, excess = [], [], []
    w = np.broadcast_to(truth, (r, d))
    for t in range(1, generations + 1):
        if t > 1 and not same:
            x = rng.standard_normal((r, rows, d))
        size = noise if t == 1 or batch_noise is None else batch_noise(t)
        xs.append(x)
        ys.append(np.einsum("rnd,rd->rn", x, w) + np.reshape(size, (-1, 1)) * rng.standard_normal((r, rows)))
        a = np.concatenate([xs[b - 1] for b in batches(t)], axis=1)
        b = np.concatenate([ys[b - 1] for b in batches(t)], axis=1)
        if a.shape[1] >= d:
            w = np.linalg.solve(np.einsum("rnd,rne->rde", a, a), np.einsum("rnd,rn->rd", a, b)[..., None])[..., 0]
        else:
            inner = np.linalg.solve(np.einsum("rnd,rmd->rnm", a, a), b[..., None])[..., 0]
            w = np.einsum("rnd,rn->rd", a, inner)
        excess.append(((w - truth) ** 2).sum(axis=1))
    return np.stack(excess, axis=1)


LINEAR = part("sources", "linear-world", dimensions=5)


@pytest.mark.parametrize("covariates", ["new", "same"])
def test_regression_replace(covariates):
    """L1."""
    of = world(part("models", "linear", covariates=covariates, noise=0.7), REPLACE, source=LINEAR, n=30, generations=4)
    found = predicted("regression-replace", of)["test-risk.excess"]
    excess = labels(np.random.default_rng(1), 8000, 30, 5, 1.0, 4, covariates == "same", lambda t: [t], lambda t: 0.7)
    assert agrees_with_power(found, excess)


def test_regression_accumulate_and_window():
    """L2, and a window that nobody listed; new covariates are told apart."""
    linear = part("models", "linear", covariates="same", noise=1.0)
    of = world(linear, part("regimes", "accumulate"), source=LINEAR, n=20, generations=5)
    found = predicted("regression-accumulate", of)["test-risk.excess"]
    rng = np.random.default_rng(2)
    assert agrees_with_power(found, labels(rng, 8000, 20, 5, 1.0, 5, True, lambda t: range(1, t + 1)))
    assert not agrees(found.values, labels(rng, 8000, 20, 5, 1.0, 5, False, lambda t: range(1, t + 1)))
    from remission.theory.regression_accumulate import excess

    np.testing.assert_allclose(found.values, excess(20, 5, 1.0, 5), rtol=1e-12)
    of = world(linear, part("regimes", "accumulate", window=2), source=LINEAR, n=20, generations=5)
    found = predicted("regression-accumulate", of)["test-risk.excess"]
    assert agrees_with_power(found, labels(rng, 8000, 20, 5, 1.0, 5, True, lambda t: range(max(1, t - 1), t + 1)))


def test_regression_minimum_norm():
    """L3, with a noise of the later labels that differs from the first."""
    source = part("sources", "linear-world", dimensions=30, noise=0.5)
    of = world(part("models", "linear", noise=0.3), REPLACE, source=source, n=20, generations=3)
    found = predicted("regression-minimum-norm", of)["test-risk.excess"]
    excess = labels(np.random.default_rng(3), 2000, 20, 30, 0.5, 3, False, lambda t: [t], lambda t: 0.3)
    assert agrees_with_power(found, excess)


def test_shifted_labels_leave_a_floor():
    """L4: many rows, one fifth of them labelled by other coefficients."""
    from remission.theory.regression_shifted_labels import floor

    rng = np.random.default_rng(5)
    x = rng.standard_normal((40, 20000, 3))
    delta = np.where(rng.random((40, 20000)) < 0.2, 1.0, 0.0)
    w = np.linalg.solve(np.einsum("rnd,rne->rde", x, x), np.einsum("rnd,rn->rd", x, delta * x[..., 0])[..., None])
    assert agrees_with_power(said(floor(0.2, 1.0)), (w[..., 0] ** 2).sum(axis=1)[:, None])


def test_verified_labels():
    """V1: on either side of p*, the classifier of class means."""
    from remission.theory.verified_labels import accuracy, accuracy_of_means

    rng = np.random.default_rng(6)
    d, n = 5, 4000
    for rate in (0.60, 0.85):
        scores = []
        for _ in range(150):
            kept = rng.random(n)
            wrong = rng.random(n) < rate
            keep = kept < np.where(wrong, 0.3, 0.8)
            y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
            x = y[:, None] * np.eye(d)[0] + rng.standard_normal((n, d))
            w = (np.where(wrong, -y, y)[:, None] * x)[keep].mean(axis=0)
            from scipy.special import ndtr

            scores.append(ndtr(w[0] / np.linalg.norm(w)))
        found = accuracy_of_means(rate, 0.8, 0.3, 1.0, n, d)
        assert agrees_with_power(said(found), np.array(scores)[:, None])
        limit = accuracy(rate, 0.8, 0.3, 1.0)
        assert (np.array(scores) <= limit).all() if rate < 0.727 else (np.array(scores) >= limit).all()


def test_verified_labels_as_a_world():
    source = part("sources", "noisy-labels", base=part("sources", "classes", norm=1.0), rate=0.7)
    of = world(
        part("models", "logistic"), REPLACE, source=source, generations=2, n=100,
        curators=(part("curators", "verifier", right=0.8, wrong=0.3),),
    )  # fmt: skip
    found = predicted("verified-labels", of)["test-risk.accuracy"]
    assert found.scale == "bound"
    assert found.values[0] == pytest.approx(0.8413, abs=1e-4)
    assert np.isnan(found.values[1])


REWARD = (0.0, 0.5, 1.0, 1.5)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("on", ["all", "synthetic"])
def test_curated_types(k, on):
    """C1: items drawn and picked one by one."""
    r, n = 150, 10000
    source = part("sources", "zipf", types=4, exponent=0.5)
    curator = part("curators", "preference", k=k, reward=REWARD, beta=0.8, on=on)
    of = world(UNIGRAM, REPLACE, source=source, n=n, generations=3, curators=(curator,))
    found = predicted("curated-types", of)
    rng = np.random.default_rng(7)
    p = np.broadcast_to(source.law().p, (r, 4))
    rows = []
    for t in range(1, 4):
        size = 1 if (t == 1 and on == "synthetic") else k
        drawn = (rng.random((r, n, size, 1)) > np.cumsum(p, axis=1)[:, None, None, :-1]).sum(axis=3)
        utility = 0.8 * np.array(REWARD)[drawn] + rng.gumbel(size=drawn.shape)
        chosen = np.take_along_axis(drawn, utility.argmax(axis=2)[..., None], axis=2)[..., 0]
        p = (chosen[:, :, None] == np.arange(4)).mean(axis=1)
        rows.append((1 - (p**2).sum(axis=1), p.max(axis=1)))
    h, largest = (np.stack(column, axis=1) for column in zip(*rows, strict=True))
    assert agrees_with_power(found["heterozygosity"], h)
    said_so = ~np.isnan(found["max-share"].values)
    assert said_so.any()
    assert agrees_with_power(said(found["max-share"].values[said_so]), largest[:, said_so])


@pytest.mark.parametrize(("kind", "share"), [("fresh", "share"), ("web", "synthetic")])
def test_tipping_point_of_a_stable_world(kind, share):
    """T1: from the uniform start above 1 - tau; without its 1/n term the law would be rejected."""
    n, tau = 10000, 0.8
    source = part("sources", "zipf", types=10, exponent=0.0)
    regime = part("regimes", kind, **{share: 0.4 if kind == "fresh" else 0.6})
    of = world(UNIGRAM, regime, source=source, n=n, generations=12, sampling=Sampling(temperature=tau))
    found = predicted("tipping-point", of)["heterozygosity"]
    rng = np.random.default_rng(8)
    flat = np.full(10, 0.1)
    p = rng.multinomial(n, np.broadcast_to(flat, (400, 10))) / n
    rows = [1 - (p**2).sum(axis=1)]
    for _ in range(11):
        sharp = p ** (1 / tau)
        sharp /= sharp.sum(axis=1, keepdims=True)
        if kind == "fresh":
            counts = rng.multinomial(4000, flat, size=400) + rng.multinomial(6000, sharp)
        else:
            counts = rng.multinomial(n, 0.4 * flat + 0.6 * sharp)
        p = counts / n
        rows.append(1 - (p**2).sum(axis=1))
    assert agrees_with_power(found, np.stack(rows, axis=1))
    assert not agrees(np.full(12, 0.9), np.stack(rows, axis=1))


def test_tipping_point_of_a_collapsed_world():
    """T1: on the collapsed branch between the two thresholds."""
    n, tau, r = 20000, 0.8, 400
    source = part("sources", "zipf", types=10, exponent=0.0)
    of = world(
        UNIGRAM, part("regimes", "fresh", share=0.22), source=source, n=n, generations=10,
        sampling=Sampling(temperature=tau), initial=Initial(state="collapsed", distinct=1),
    )  # fmt: skip
    found = predicted("tipping-point", of)
    rng = np.random.default_rng(9)
    flat = np.full(10, 0.1)
    p = np.broadcast_to(np.eye(10)[0], (r, 10))
    rows = [p]
    for _ in range(9):
        sharp = p ** (1 / tau)
        counts = rng.multinomial(4400, flat, size=r) + rng.multinomial(15600, sharp / sharp.sum(axis=1, keepdims=True))
        p = counts / n
        rows.append(p)
    p = np.stack(rows, axis=1)
    assert agrees(found["heterozygosity"].values, 1 - (p**2).sum(axis=2))
    assert agrees(found["max-share"].values, p.max(axis=2))
    assert not agrees(1.1 * found["max-share"].values, p.max(axis=2))


def test_unstable_world_is_left_to_chance():
    """Below 1 - tau the uniform start is decided by noise: the law stops speaking."""
    source = part("sources", "zipf", types=10, exponent=0.0)
    of = world(
        UNIGRAM, part("regimes", "fresh", share=0.05), source=source, n=10000, generations=100,
        sampling=Sampling(temperature=0.8),
    )  # fmt: skip
    values = predicted("tipping-point", of)["heterozygosity"].values
    assert np.isnan(values[-1])
    assert not np.isnan(values[0])


def test_coupled_models():
    """M1: two models, private means, outputs pooled half and half; own draws."""
    from remission.theory.coupled_models import covariance, fixed_point

    rng = np.random.default_rng(10)
    mixing, share, own, n = np.array([[0.5, 0.5], [0.25, 0.75]]), 0.6, np.array([1.0, -2.0]), 40
    theta = np.zeros((20000, 2))
    for _ in range(40):
        target = (1 - share) * own + share * theta @ mixing.T
        theta = target + rng.standard_normal(theta.shape) / np.sqrt(n)
    centre = fixed_point(mixing, share, own)
    assert agrees_with_power(said(centre), theta)
    gap = theta - centre
    cov = covariance(mixing, share, n)
    assert agrees(cov.ravel(), (gap[:, :, None] * gap[:, None, :]).reshape(len(gap), 4))
    assert not agrees(1.1 * cov.ravel(), (gap[:, :, None] * gap[:, None, :]).reshape(len(gap), 4))
    with_pool = fixed_point(np.full((2, 2), 0.5), share, own)
    assert with_pool[0] - with_pool[1] == pytest.approx((1 - share) * 3)
    assert with_pool.sum() == pytest.approx(own.sum())


@pytest.mark.parametrize("p", [0.4, 0.1])
def test_cross_modal(p):
    """X1: the images of one caption, which may get none."""
    from remission.theory.cross_modal import variance

    rng = np.random.default_rng(11)
    s2 = np.ones(20000)
    rows = []
    for _ in range(4):
        count = rng.binomial(40, p, s2.size)
        some = count > 0
        freedom = np.maximum(count - 1, 0)
        drawn = np.where(freedom > 0, rng.chisquare(np.maximum(freedom, 1)), 0.0)
        s2 = np.where(some, s2 * drawn / np.maximum(count, 1), s2)
        rows.append(s2)
    assert agrees_with_power(said(variance(40, p, 4)), np.stack(rows, axis=1))


def test_tail_cut():
    """S1: what is missed with and without a cut, and the bounds in the loop."""
    from remission.theory.tail_cut import missed, power_law, tail_mass

    p = power_law(300, 1.5)
    top = np.where(np.arange(300) < 20, p, 0.0)
    rng = np.random.default_rng(12)
    for kept, q in ((0, p), (20, top / top.sum())):
        seen = rng.multinomial(100, q, size=3000) > 0
        assert agrees_with_power(said(missed(p, 100, kept)), (~seen @ p)[:, None])
    assert missed(p, 10**6, 20) == pytest.approx(tail_mass(p, 20))
    source = part("sources", "zipf", types=300, exponent=1.5)
    of = world(UNIGRAM, REPLACE, source=source, n=100, generations=4, sampling=Sampling(top_k=20))
    found = predicted("tail-cut", of)

    def cut(state):
        order = np.argsort(-state, axis=1, kind="stable")[:, :20]
        kept = np.zeros_like(state)
        np.put_along_axis(kept, order, np.take_along_axis(state, order, axis=1), axis=1)
        return kept / kept.sum(axis=1, keepdims=True)

    frequencies = symbols(p, 100, 4, 2000, cut)
    lost, alive = ((frequencies == 0) @ p).T, (frequencies > 0).sum(axis=2).T
    assert agrees(found["types.lost"].values[:1], lost[:, :1])
    assert agrees(found["types.alive"].values[:1], alive[:, :1])
    assert (lost.mean(axis=0)[1:] >= found["types.lost"].values[1:]).all()
    assert (alive.mean(axis=0)[1:] <= found["types.alive"].values[1:]).all()
