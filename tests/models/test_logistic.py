"""Logistic regression against scikit-learn, the published first generation, and its own law."""

from __future__ import annotations

import numpy as np
import pytest

from remission.data import Dataset, Space
from remission.errors import DataError, FitError, SpecError
from remission.interfaces import Sampling
from remission.models.logistic import Logistic
from remission.rng import Streams

STREAMS = Streams.of(seed=5, replicates=range(3)).at(1, "test")


def dataset(items, classes, weight=None):
    items = np.asarray(items, float)
    space = Space("labelled", (items.shape[2],), classes)
    return Dataset(space, items, np.zeros(items.shape[:2], np.int32), weight)


def drawn(replicates=1, n=200, d=3, classes=3, seed=0):
    """Features N(0, 1) and labels of a known softmax."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(replicates, n, d))
    logits = x @ (rng.normal(size=(d, classes)) * 0.8) + np.linspace(0, 0.5, classes)
    label = (logits + rng.gumbel(size=logits.shape)).argmax(axis=2)
    return np.concatenate([x, label[..., None]], axis=2)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("ridge", [0.0, 2.5])
def test_matches_scikit_learn(classes, ridge):
    from sklearn.linear_model import LogisticRegression

    items = drawn(classes=classes, seed=classes)
    weight = np.random.default_rng(1).uniform(0.5, 2, (1, 200))
    peer = LogisticRegression(C=1 / ridge if ridge else np.inf, tol=1e-12, solver="lbfgs", max_iter=20000)
    if classes == 2:
        peer.set_params(solver="newton-cholesky")
    peer.fit(items[0, :, :-1], items[0, :, -1], sample_weight=weight[0])
    model = Logistic(ridge=ridge)
    state = model.fit(dataset(items, classes, weight), STREAMS.only(0))
    assert state.converged.all()
    assert not state.separated.any()
    ours, theirs = state.coefficients[0], peer.coef_
    if classes == 2:
        ours = (ours[1] - ours[0])[None]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    got = model.probabilities_of(state, items)[0]
    np.testing.assert_allclose(got, peer.predict_proba(items[0, :, :-1]), atol=1e-6)
    np.testing.assert_array_equal(model.predict(state, items)[0], peer.predict(items[0, :, :-1]))
    wrong = Logistic(ridge=ridge + 1.0)
    assert (
        np.abs(wrong.fit(dataset(items, classes, weight), STREAMS.only(0)).coefficients - state.coefficients).max()
        > 1e-3
    )


def test_dey_and_donoho_first_generation():
    """THEORY A12, generation 1 on the diabetes task: the published .4285 is scikit-learn's default L-BFGS, stopped early.

    The maximum of the likelihood itself, which Newton's method finds, has a test log-loss of .4305.
    """
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import train_test_split

    x, y = load_diabetes(return_X_y=True)
    a, b, ya, yb = train_test_split(x, (y > 100).astype(float), test_size=0.3, random_state=123456)
    loss = {}
    for model in (Logistic(), Logistic(solver="lbfgs"), Logistic(ridge=1.0)):
        state = model.fit(dataset(np.column_stack([a, ya])[None], 2), STREAMS.only(0))
        p = model.probabilities_of(state, np.column_stack([b, yb])[None])[0]
        loss[model.label] = -np.log(p[np.arange(len(yb)), yb.astype(int)]).mean()
    assert loss["logistic[solver=lbfgs]"] == pytest.approx(0.4285, abs=0.0005)
    assert loss["logistic"] == pytest.approx(0.43048, abs=0.00005)
    assert loss["logistic[ridge=1]"] != pytest.approx(0.4285, abs=0.0005)


@pytest.mark.parametrize("classes", [2, 3])
def test_early_solver_agrees_where_it_converges(classes):
    items = drawn(classes=classes, n=300)
    weight = np.random.default_rng(1).integers(0, 3, (1, 300)).astype(float)
    data = dataset(items, classes + 1, weight)
    one, two = (Logistic(solver=solver, ridge=1.0).fit(data, STREAMS.only(0)) for solver in ("newton", "lbfgs"))
    np.testing.assert_allclose(one.coefficients, two.coefficients, atol=1e-3)
    np.testing.assert_allclose(one.intercept, two.intercept, atol=1e-3)
    assert one.intercept[0, -1] == two.intercept[0, -1] == -np.inf
    assert two.converged.all()


def test_gradient_vanishes_at_the_fit():
    """The score equations: predicted and observed totals of every class and feature agree."""
    items = drawn(replicates=3, classes=4, n=300)
    state = (model := Logistic()).fit(dataset(items, 4), STREAMS)
    miss = model.probabilities_of(state, items) - (items[..., -1:] == np.arange(4))
    x = np.concatenate([items[..., :-1], np.ones((3, 300, 1))], axis=2)
    assert np.abs(np.einsum("rnc,rnd->rcd", miss, x)).max() < 1e-8
    assert np.abs(np.einsum("rnc,rnd->rcd", miss[:, 1:], x[:, 1:])).max() > 1e-3


def test_weights_are_repetitions():
    items = drawn(n=60)
    weight = np.random.default_rng(0).integers(0, 4, (1, 60)).astype(float)
    repeated = np.repeat(items, weight[0].astype(int), axis=1)
    one = Logistic().fit(dataset(items, 3, weight), STREAMS.only(0))
    two = Logistic().fit(dataset(repeated, 3), STREAMS.only(0))
    np.testing.assert_allclose(one.coefficients, two.coefficients, atol=1e-9)
    np.testing.assert_allclose(one.intercept, two.intercept, atol=1e-9)
    plain = Logistic().fit(dataset(items, 3), STREAMS.only(0))
    assert np.abs(plain.coefficients - two.coefficients).max() > 0.01


def test_large_offsets_and_scales_change_only_rounding():
    items = drawn(n=300)
    moved = items.copy()
    moved[..., 0] += 1e8
    moved[..., 1] *= 1e-6
    model = Logistic()
    one, two = (model.fit(dataset(part, 3), STREAMS.only(0)) for part in (items, moved))
    np.testing.assert_allclose(model.probabilities_of(one, items), model.probabilities_of(two, moved), atol=1e-6)


def test_constant_and_collinear_columns_leave_predictions_alone():
    items = drawn(n=200)
    x, y = items[..., :-1], items[..., -1:]
    more = np.concatenate([x, np.full_like(y, 7.0), x[..., :1] + 2 * x[..., 1:2], y], axis=2)
    model = Logistic()
    one, two = (model.fit(dataset(part, 3), STREAMS.only(0)) for part in (items, more))
    np.testing.assert_allclose(model.probabilities_of(one, items), model.probabilities_of(two, more), atol=1e-8)


def frequencies_agree(model, state, items, probability):
    n = items.shape[1]
    label = model.relabel(state, items, STREAMS.only(0))[0, :, -1]
    count = np.array([(label == c).sum() for c in range(3)])
    return bool((np.abs(count - n * probability) < 4 * np.sqrt(n * probability * (1 - probability))).all())


def test_labels_are_drawn_from_the_probabilities():
    model = Logistic()
    items = drawn()
    state = model.fit(dataset(items, 3), STREAMS.only(0))
    many = np.broadcast_to(items[:, :1], (1, 20000, 4))
    p = model.probabilities_of(state, items[:, :1])[0, 0]
    assert frequencies_agree(model, state, many, p)
    assert not frequencies_agree(model, state, many, np.array([p[0] * 0.9, p[1], p[2] + 0.1 * p[0]]))
    certain = Logistic(labels="argmax").relabel(state, items, STREAMS.only(0))
    np.testing.assert_array_equal(certain[..., -1], model.predict(state, items))
    np.testing.assert_array_equal(certain[..., :-1], items[..., :-1])


def test_separable_data_are_flagged_and_stay_finite():
    x = np.linspace(-1, 1, 40)
    items = np.column_stack([x, x > 0])[None]
    state = Logistic().fit(dataset(items, 2), STREAMS.only(0))
    assert state.separated.all()
    assert np.isfinite(state.coefficients).all()
    assert state.coefficients[0, 1, 0] > 100
    few = Logistic(iterations=3).fit(dataset(items, 2), STREAMS.only(0))
    assert not few.converged.any()
    calm = Logistic(ridge=1.0).fit(dataset(items, 2), STREAMS.only(0))
    assert not calm.separated.any()
    assert abs(calm.coefficients[0, 1, 0]) < 10


def test_a_dead_class_stays_dead():
    items = drawn(classes=2)
    model = Logistic()
    state = model.fit(dataset(items, 4), STREAMS.only(0))
    two = model.fit(dataset(items, 2), STREAMS.only(0))
    p = model.probabilities_of(state, items)
    assert (p[..., 2:] == 0).all()
    np.testing.assert_allclose(p[..., :2], model.probabilities_of(two, items), atol=1e-12)
    alone = model.fit(dataset(np.concatenate([items[..., :-1], np.full((1, 200, 1), 3.0)], axis=2), 4), STREAMS.only(0))
    assert (model.relabel(alone, items, STREAMS.only(0))[..., -1] == 3).all()


def test_replicates_do_not_depend_on_the_block():
    items, model = drawn(replicates=3, n=50), Logistic(ridge=0.1)
    whole = model.fit(dataset(items, 3), STREAMS)
    labels = model.relabel(whole, items, STREAMS)
    for i in range(3):
        alone = model.fit(dataset(items[i : i + 1], 3), STREAMS.only(i))
        np.testing.assert_array_equal(alone.coefficients[0], whole.coefficients[i])
        np.testing.assert_array_equal(model.relabel(alone, items[i : i + 1], STREAMS.only(i))[0], labels[i])
    np.testing.assert_array_equal(labels, model.relabel(model.fit(dataset(items, 3), STREAMS), items, STREAMS))


def test_refusals():
    items = drawn()
    broken = items.copy()
    broken[0, 3, 1] = np.nan
    with pytest.raises(FitError, match="finite"):
        Logistic().fit(dataset(broken, 3), STREAMS.only(0))
    with pytest.raises(DataError, match="classes"):
        Logistic().fit(dataset(items, 2), STREAMS.only(0))
    with pytest.raises(FitError, match="positive weight"):
        Logistic().fit(dataset(items, 3, np.zeros((1, 200))), STREAMS.only(0))
    with pytest.raises(SpecError, match="relabel"):
        Logistic().sample(None, 1, STREAMS, Sampling())
    with pytest.raises(SpecError, match="labels"):
        Logistic(labels="hard")
