"""Detectors behind scikit-learn's interface."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from tests.detectors.test_text_detectors import corpus

from remission.calibration.sklearn import DetectorClassifier, labels
from remission.errors import DataError, SpecError


@pytest.fixture(scope="module")
def data():
    whole = corpus(40)
    return whole.items, whole.synthetic.astype(int), whole.units


def test_scores_labels_and_probabilities(data) -> None:
    items, y, groups = data
    model = DetectorClassifier("ngrams", bits=14).fit(items, y, groups)
    test = corpus(20, seed=1)
    scores = model.decision_function(test.items)
    assert np.array_equal(scores[:, None], model.transform(test.items))
    chances = model.predict_proba(test.items)
    assert np.allclose(chances.sum(axis=1), 1)
    assert (
        np.array_equal(np.argsort(scores), np.argsort(chances[:, 1], kind="stable"))
        or np.unique(chances).size < 2 * scores.size
    )
    assert (model.predict(test.items) == test.synthetic).mean() > 0.9
    assert np.isnan(model.predict_proba([""])).all()
    assert model.predict([""])[0] == 0
    assert model.get_feature_names_out().tolist() == ["ngrams-score"]


def test_parameters_and_clones(data) -> None:
    model = DetectorClassifier("ngrams", bits=14)
    copy = clone(model).set_params(bits=15)
    assert (model.get_params()["bits"], copy.get_params()["bits"]) == (14, 15)
    assert clone(copy).get_params() == copy.get_params()
    with pytest.raises(SpecError, match="bits"):
        copy.set_params(bits=99).fit(*data[:2])
    with pytest.raises(SpecError, match="Unknown detector"):
        DetectorClassifier("none").fit(*data[:2])


def test_pipelines_and_searches(data) -> None:
    items, y, groups = data
    pipe = make_pipeline(DetectorClassifier("style", strength=3.0))
    assert cross_val_score(pipe, items, y, groups=groups, cv=GroupKFold(2), scoring="roc_auc").mean() > 0.9
    search = GridSearchCV(pipe, {"detectorclassifier__strength": [1.0, 30.0]}, cv=2, scoring="roc_auc").fit(items, y)
    assert search.best_estimator_[0].detector_.detector.strength in (1.0, 30.0)


def test_it_pickles(data) -> None:
    items, y, _ = data
    model = DetectorClassifier("style", strength=3.0).fit(items, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.decision_function(items[:3]).tolist() == model.decision_function(items[:3]).tolist()


def test_labels() -> None:
    assert labels(["ai", "human", "ai"])[0].tolist() == [True, False, True]
    assert labels(["human", "machine"])[1].tolist() == ["human", "machine"]
    assert labels([0, 1])[1].tolist() == [0, 1]
    for bad in (["cat", "dog"], [3, 4], [1, 1], ["human", "real"]):
        with pytest.raises(DataError):
            labels(bad)
    few = DetectorClassifier("style", strength=3.0).fit(["a dog ran", "my dog", "it is", "it is so"], [0, 0, 1, 1])
    with pytest.raises(DataError, match="at least 6"):
        few.predict_proba(["a dog"])


def test_importing_it_is_light() -> None:
    code = "import sys, remission.calibration.sklearn; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
