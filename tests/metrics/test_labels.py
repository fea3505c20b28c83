"""Metrics of labelled and regression items: exact risks against simulation, groups, balance."""

from types import SimpleNamespace

import numpy as np
import pytest

from remission.data import Space
from remission.errors import DataError, SpecError
from remission.interfaces import HasDensity, Labeller, Model, Sampling
from remission.laws import ClassesLaw, LinearLaw
from remission.metrics.class_balance import ClassBalance
from remission.metrics.group_error import GroupError
from remission.metrics.test_risk import TestRisk as Risk
from remission.numerics.labels import bayes_error, two_class_error
from remission.rng import Streams
from remission.view import View


class Line(Model, Labeller):
    """Predicts x . w + b, or the class 1 where that is positive."""

    covariates: str = "new"
    classes: bool = False

    def fit(self, data, streams, previous=None):
        raise NotImplementedError

    def sample(self, state, n, streams, sampling):
        raise NotImplementedError

    def relabel(self, state, items, streams):
        out = items.copy()
        out[..., -1] = self.predict(state, items)
        return out

    def predict(self, state, items):
        height = np.einsum("rnd,rd->rn", items[..., :-1], state.coefficients)
        height = height + getattr(state, "intercept", np.zeros(len(height)))[:, None]
        return (height > 0).astype(float) if self.classes else height


class Odds(Line, HasDensity):
    """The same classes with logistic probabilities."""

    def log_density(self, state, items):
        height = np.einsum("rnd,rd->rn", items[..., :-1], state.coefficients)
        return -np.logaddexp(0, np.where(items[..., -1] > 0, -height, height))


def look(items, state, law=None, *, kind="regression", size=0, model=None):
    items = np.asarray(items, float)
    return View(
        generation=1, space=Space(kind, items.shape[2:], size=size), law=law, reference=items, real=items,
        model=model or Line(classes=kind == "labelled"), state=state, sampling=Sampling(), training=None,
        evaluation=items.shape[1], streams=Streams.of(1, range(len(items))),
    )  # fmt: skip


def world(n, law, seed=4):
    rng = np.random.default_rng(seed)
    x = rng.multivariate_normal(np.zeros(len(law.cov)), law.cov, size=(1, n))
    y = x @ law.coefficients + law.noise * rng.normal(size=(1, n))
    return np.concatenate([x, y[..., None]], axis=2)


LAW = LinearLaw(np.array([1.0, -2.0]), 0.5, np.array([[2.0, 0.3], [0.3, 1.0]]))


def test_excess_of_a_regression_is_what_the_held_out_loss_says():
    state = SimpleNamespace(coefficients=np.array([[1.5, -1.0]]), intercept=np.array([0.4]))
    items = world(100_000, LAW)
    out = Risk().measure(look(items, state, LAW))
    gap = state.coefficients[0] - LAW.coefficients
    assert out["excess"][0] == pytest.approx(gap @ LAW.cov @ gap + 0.16)
    losses = (Line().predict(state, items) - items[..., -1])[0] ** 2
    error = losses.std() / np.sqrt(losses.size)
    assert abs(out["held-out"][0] - 0.25 - out["excess"][0]) < 4 * error
    assert abs(out["held-out"][0] - 0.25 - 1.1 * out["excess"][0]) > 4 * error
    assert np.isnan(out["accuracy"][0])


def test_excess_is_unknown_without_law_or_coefficients():
    items = world(5, LAW)
    state = SimpleNamespace(coefficients=np.ones((1, 2)))
    assert np.isnan(Risk().measure(look(items, state))["excess"][0])
    assert Risk().measure(look(items, SimpleNamespace(coefficients=LAW.coefficients[None]), LAW))["excess"][0] == 0.0
    ones = SimpleNamespace(coefficients=np.ones((1, 2)))
    assert Risk().measure(look(items, ones, LAW))["excess"][0] == pytest.approx(9.0)


def test_error_of_two_classes_against_simulation():
    from scipy.special import ndtr

    law = ClassesLaw(np.array([0.3, 0.7]), np.array([[-1.0, 0.0], [0.5, 1.0]]), np.array([[1.0, 0.2], [0.2, 0.5]]))
    w, b = np.array([[1.0, 0.4]]), np.array([0.1])
    rng = np.random.default_rng(9)
    label = (rng.random(200_000) < 0.7).astype(int)
    x = law.means[label] + rng.multivariate_normal(np.zeros(2), law.cov, size=200_000)
    wrong = ((x @ w[0] + b[0] > 0) != label).mean()
    exact = two_class_error(w, b, law.shares, law.means, law.cov)[0]
    error = np.sqrt(exact * (1 - exact) / 200_000)
    assert abs(wrong - exact) < 4 * error
    assert abs(wrong - 1.1 * exact) > 4 * error
    best = bayes_error(law.shares, law.means, law.cov)
    assert best < exact
    items = np.concatenate([x, label[:, None]], axis=1)[None, :1000]
    out = Risk().measure(look(items, SimpleNamespace(coefficients=w, intercept=b), law, kind="labelled", size=2))
    assert out["excess"][0] == pytest.approx(exact - best)
    assert out["held-out"][0] == pytest.approx(1 - out["accuracy"][0])
    mu = np.array([0.6, 0.8])
    assert bayes_error(np.ones(2) / 2, np.stack([-mu, mu]), np.eye(2)) == pytest.approx(ndtr(-1.0))
    assert two_class_error(np.zeros((1, 2)), np.ones(1), law.shares, law.means, law.cov)[0] == 0.3


def test_log_loss_where_probabilities_are_known():
    items = np.array([[[1.0, 1.0], [2.0, 0.0]]])
    state = SimpleNamespace(coefficients=np.array([[1.0]]))
    out = Risk().measure(look(items, state, kind="labelled", size=2, model=Odds(classes=True)))
    assert out["held-out"][0] == pytest.approx((np.log1p(np.exp(-1.0)) + np.log1p(np.exp(2.0))) / 2)
    assert out["accuracy"][0] == 0.5


class Softmax(Line):
    """The same classes with a score per class."""

    def predict(self, state, items):
        return self.probabilities_of(state, items).argmax(axis=-1).astype(float)

    def probabilities_of(self, state, items):
        scores = np.einsum("rnd,rcd->rnc", items[..., :-1], state.coefficients) + state.intercept[:, None, :]
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)


def test_a_score_per_class_is_the_same_rule():
    law = ClassesLaw(np.array([0.3, 0.7]), np.array([[-1.0, 0.0], [0.5, 1.0]]), np.array([[1.0, 0.2], [0.2, 0.5]]))
    items = np.array([[[1.0, 0.5, 1.0], [2.0, -1.0, 0.0], [0.0, 0.1, 0.0]]])
    one = SimpleNamespace(coefficients=np.array([[1.0, 0.4]]), intercept=np.array([0.1]))
    two = SimpleNamespace(coefficients=np.array([[[-0.5, -0.2], [0.5, 0.2]]]), intercept=np.array([[0.2, 0.3]]))
    expected = Risk().measure(look(items, one, law, kind="labelled", size=2))
    out = Risk().measure(look(items, two, law, kind="labelled", size=2, model=Softmax()))
    assert out["excess"][0] == pytest.approx(expected["excess"][0])
    assert out["accuracy"][0] == expected["accuracy"][0]
    heights = np.array([1.0 + 0.2 + 0.1, -(2.0 - 0.4 + 0.1), -(0.04 + 0.1)])
    assert out["held-out"][0] == pytest.approx(np.log1p(np.exp(-heights)).mean())


def test_a_lost_class_costs_everything():
    law = ClassesLaw(np.array([0.3, 0.7]), np.array([[-1.0, 0.0], [0.5, 1.0]]), np.eye(2))
    items = np.array([[[1.0, 0.5, 1.0], [2.0, -1.0, 0.0]]])
    state = SimpleNamespace(coefficients=np.zeros((1, 2, 2)), intercept=np.array([[0.0, -np.inf]]))
    out = Risk().measure(look(items, state, law, kind="labelled", size=2, model=Softmax()))
    assert out["held-out"][0] == np.inf
    assert out["excess"][0] == pytest.approx(0.7 - bayes_error(law.shares, law.means, law.cov))


def test_group_error_by_hand():
    items = np.array([[[1.0, 0.0, 1.0], [2.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]]])
    state = SimpleNamespace(coefficients=np.array([[1.0, 0.0]]))
    view = look(items, state, kind="labelled", size=2)
    by_class = {name: value[0] for name, value in GroupError().measure(view).items()}
    assert by_class == pytest.approx({"worst": 1 / 3, "best": 0.0, "gap": 1 / 3, "mean": 1 / 6})
    by_column = {name: value[0] for name, value in GroupError(group=1).measure(view).items()}
    assert by_column == pytest.approx({"worst": 0.5, "best": 0.0, "gap": 0.5, "mean": 0.25})
    squared = GroupError(group=1).measure(look(items, state))
    assert squared["worst"][0] == pytest.approx(2.0)


def test_group_error_refuses():
    items = np.random.default_rng(1).normal(size=(1, 300, 3))
    state = SimpleNamespace(coefficients=np.ones((1, 2)))
    with pytest.raises(SpecError, match="no classes"):
        GroupError().measure(look(items, state))
    with pytest.raises(SpecError, match=r"0 \.\. 1"):
        GroupError(group=2).measure(look(items, state))
    with pytest.raises(DataError, match="300 different"):
        GroupError(group=0).measure(look(items, state))
    with pytest.raises(SpecError, match="group"):
        GroupError(group="race")
    empty = GroupError(group=0).measure(look(items[:, :0], state))
    assert all(np.isnan(value[0]) for value in empty.values())


def test_class_balance_by_hand():
    items = np.array([[[1.0, 0.0], [1.0, 1.0], [-1.0, 2.0], [2.0, 1.0]]])
    state = SimpleNamespace(coefficients=np.array([[1.0]]))
    out = ClassBalance().measure(look(items, state, kind="labelled", size=3))
    assert out["smallest"][0] == 0.0
    assert out["entropy"][0] == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
    assert out["tv"][0] == pytest.approx(0.25)
    items[0, 0, -1] = 0.5
    with pytest.raises(DataError, match="whole"):
        ClassBalance().measure(look(items, state, kind="labelled", size=3))


def test_nothing_depends_on_the_block():
    rng = np.random.default_rng(2)
    items = rng.normal(size=(4, 50, 4))
    items[..., 1] = rng.integers(0, 3, (4, 50))
    items[..., -1] = rng.integers(0, 2, (4, 50))
    w, b = rng.normal(size=(4, 3)), rng.normal(size=4)
    law = ClassesLaw(np.array([0.4, 0.6]), rng.normal(size=(2, 3)), np.eye(3))
    linear = LinearLaw(np.ones(3), 1.0, np.diag([1.0, 2.0, 3.0]))
    for metric, kind, world_law in [
        (Risk(), "labelled", law), (Risk(), "regression", linear), (GroupError(), "labelled", law),
        (GroupError(group=1), "regression", linear), (ClassBalance(), "labelled", law),
    ]:  # fmt: skip
        state = SimpleNamespace(coefficients=w, intercept=b)
        whole = metric.measure(look(items, state, world_law, kind=kind, size=2))
        assert list(whole) == list(metric.columns)
        for i in range(4):
            one = slice(i, i + 1)
            alone = SimpleNamespace(coefficients=w[one], intercept=b[one])
            part = metric.measure(look(items[one], alone, world_law, kind=kind, size=2))
            for name, values in whole.items():
                np.testing.assert_array_equal(values[one], part[name])
