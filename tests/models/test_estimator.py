"""Estimators of scikit-learn as models of a loop."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from remission.data import Dataset, Space
from remission.errors import FitError, SpecError
from remission.interfaces import HasDensity, Labeller, Sampling
from remission.models._estimator import adapt
from remission.registry import load
from remission.rng import Streams

STREAMS = Streams.of(3, range(3))


def block(items: np.ndarray, kind: str = "vector", size: int = 0) -> Dataset:
    return Dataset(Space(kind, items.shape[2:], size), items, np.zeros(items.shape[:2], np.int32))  # type: ignore[arg-type]


def points(n: int = 200) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, n, 2)) * [1.0, 3.0]


def labelled(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, n, 2))
    return np.concatenate([x, (x[..., :1] + 0.5 * rng.normal(size=(3, n, 1)) > 0).astype(float)], axis=2)


@pytest.mark.parametrize("path", ["sklearn.mixture:GaussianMixture", "sklearn.neighbors:KernelDensity"])
def test_generative_estimators_fit_and_sample(path: str) -> None:
    cls = load("models", path)
    model = cls()
    state = model.fit(block(points()), STREAMS)
    drawn = model.sample(state, 4000, STREAMS.at(1, "s"), Sampling())
    assert drawn.shape == (3, 4000, 2)
    assert isinstance(model, HasDensity)
    assert model.log_density(state, drawn[:, :7]).shape == (3, 7)
    extra = 1.0 if "Kernel" in path else 0.0  # the default bandwidth blurs by 1
    expected = points().var(axis=1) + extra
    assert np.allclose(drawn.var(axis=1) / expected, 1, atol=0.12)
    assert not np.allclose(drawn.var(axis=1) / (1.3 * expected), 1, atol=0.12)


def test_samples_depend_on_the_name_alone() -> None:
    model = load("models", "sklearn.mixture:GaussianMixture")(n_components=2)
    state = model.fit(block(points()), STREAMS)
    one = model.sample(state, 5, STREAMS.at(1, "s"), Sampling())
    assert (one == model.sample(state, 5, STREAMS.at(1, "s"), Sampling())).all()
    assert (one != model.sample(state, 5, STREAMS.at(2, "s"), Sampling())).any()
    alone = model.fit(block(points()[1:2]), STREAMS.only(1))
    assert (model.sample(alone, 5, STREAMS.only(1).at(1, "s"), Sampling())[0] == one[1]).all()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("sklearn.mixture:GaussianMixture", {"n_components": 4, "covariance_type": "diag", "reg_covar": 0.0}),
        ("sklearn.linear_model:Ridge", {"alpha": 0.5, "noise": 0.1, "covariates": "same"}),
        ("sklearn.neighbors:KernelDensity", {"bandwidth": "scott"}),
    ],
)
def test_the_table_spells_back_an_equal_model(path: str, fields: dict[str, object]) -> None:
    model = load("models", path)(**fields)
    table = model.table()
    assert table["kind"] == path
    assert None not in table.values()
    again = load("models", table.pop("kind"))(**table)
    assert again == model
    assert pickle.loads(pickle.dumps(model)) == model
    assert load("models", path)() != model
    assert fields.items() <= again.table().items()


def test_ridge_labels_with_the_noise_it_saw() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(3, 2000, 2))
    y = x @ [1.0, -2.0] + 0.3 * rng.normal(size=(3, 2000))
    data = block(np.concatenate([x, y[..., None]], axis=2), "regression")
    model = load("models", "sklearn.linear_model:Ridge")(alpha=0.0)
    assert isinstance(model, Labeller)
    state = model.fit(data, STREAMS)
    new = model.relabel(state, data.items, STREAMS.at(1, "labels"))
    assert (new[..., :-1] == data.items[..., :-1]).all()
    assert np.allclose((new[..., -1] - model.predict(state, data.items)).std(axis=1), 0.3, atol=0.03)
    silent = load("models", "sklearn.linear_model:Ridge")(alpha=0.0, noise=0.0)
    quiet = silent.relabel(silent.fit(data, STREAMS), data.items, STREAMS)
    assert np.allclose(quiet[..., -1], model.predict(state, data.items))


@pytest.mark.parametrize("labels", ["sample", "argmax"])
def test_logistic_regression_labels_classes(labels: str) -> None:
    data = block(labelled(), "labelled", 2)
    model = load("models", "sklearn.linear_model:LogisticRegression")(labels=labels)
    assert model.accepts == {"labelled"}
    state = model.fit(data, STREAMS)
    new = model.relabel(state, data.items, STREAMS.at(1, "labels"))
    assert set(np.unique(new[..., -1])) == {0.0, 1.0}
    agree = (new[..., -1] == model.predict(state, data.items)).mean()
    assert agree == 1.0 if labels == "argmax" else 0.75 < agree < 0.97


def test_one_remaining_class_is_a_clear_error() -> None:
    items = labelled()
    items[..., -1] = 0
    with pytest.raises(FitError, match="collapsed"):
        load("models", "sklearn.linear_model:LogisticRegression")().fit(block(items, "labelled", 2), STREAMS)


def test_what_cannot_be_sampled_is_refused() -> None:
    with pytest.raises(SpecError, match="score of a curator"):
        load("models", "sklearn.ensemble:IsolationForest")
    with pytest.raises(SpecError, match="neither"):
        load("models", "sklearn.cluster:KMeans")
    with pytest.raises(SpecError, match="argmax"):
        load("models", "sklearn.svm:LinearSVC")()
    assert adapt("builtins:dict", dict) is None
    assert adapt("builtins:len", len) is None


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(SpecError, match="n_components"):
        load("models", "sklearn.mixture:GaussianMixture")(n_components={})
    with pytest.raises(FitError, match="could not be fitted"):
        load("models", "sklearn.mixture:GaussianMixture")(n_components=-1).fit(block(points()), STREAMS)
