"""Metrics of pictures on planted cases: blur, noise, a missing class, narrowing, copies; with and without features."""

from __future__ import annotations

import dataclasses
import math
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from remission import Experiment, registry, run
from remission.checks import check_experiment
from remission.data import Space
from remission.defaults import default_metrics
from remission.errors import MissingExtra, SpecError, StoreError
from remission.interfaces import FiniteSource, Metric, Model, Sampling
from remission.metrics import _features
from remission.metrics._features import featured
from remission.metrics.authenticity import Authenticity
from remission.metrics.classifier import Classifier
from remission.metrics.frechet import Frechet
from remission.metrics.mmd import Mmd
from remission.metrics.nearest_image import NearestImage
from remission.metrics.pixels import Pixels
from remission.metrics.power_spectrum import PowerSpectrum
from remission.metrics.prdc import Prdc
from remission.metrics.vendi import Vendi
from remission.notes import collected
from remission.rng import Streams
from remission.sources.digits import Digits
from remission.view import View

KINDS = ("items", "classifier", "random")
WITH_FEATURES = (Frechet, Prdc, Vendi, Mmd, Authenticity, NearestImage)
N = 350


class Given(Model):
    """Draws what the state holds."""

    def fit(self, data, streams, previous=None):
        raise NotImplementedError

    def sample(self, state, n, streams, sampling):
        return state[:, :n]


class Pictures(FiniteSource):
    """Pictures from memory, with classes or without."""

    number: int = 0

    @property
    def space(self) -> Space:
        return self._kept()[0]

    def items(self):
        return self._kept()[1]

    def item_classes(self):
        return self._kept()[2]

    def _kept(self):
        return HELD[self.number]


HELD: dict[int, Any] = {}


def look(sample, reference, real, source: Any = None, space: Space | None = None) -> View:
    source = source or Digits()
    sample, reference, real = (np.asarray(items, float) for items in (sample, reference, real))
    return View(
        generation=2, space=space or source.space, law=None, reference=reference, real=real, model=Given(),
        state=sample, sampling=Sampling(), training=None, evaluation=sample.shape[1],
        streams=Streams.of(3, range(len(sample))).at(2, "metric"), source=source,
    )  # fmt: skip


def measured(metric: Metric, view: View) -> dict[str, Any]:
    return metric.measure(view.for_metric(view.streams, metric.prepare(view)))


def real_digits(replicates: int = 2, source: Any = None) -> tuple[np.ndarray, ...]:
    """For each replicate N honest digits, a reference, training items, and the classes of the honest ones."""
    source = source or Digits()
    orders = [np.random.default_rng(seed).permutation(len(source.items())) for seed in range(replicates)]
    parts = [np.stack([source.items()[order[k * N : (k + 1) * N]] for order in orders]) for k in range(3)]
    return *parts, np.stack([source.item_classes()[order[:N]] for order in orders])


def blurred(pictures: np.ndarray, times: int = 1) -> np.ndarray:
    square = pictures.reshape(*pictures.shape[:2], 8, 8)
    for _ in range(times):
        wide = np.pad(square, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
        square = sum(wide[..., y : y + 8, x : x + 8] for y in range(3) for x in range(3)) / 9
    return square.reshape(pictures.shape)


def noisy(pictures: np.ndarray, spread: float = 0.3) -> np.ndarray:
    return np.clip(pictures + spread * np.random.default_rng(9).normal(size=pictures.shape), 0, 1)


def missing(pictures: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Digits 0 to 4 only, each as often as is needed for the number to stay."""
    rows = [np.resize(np.flatnonzero(row < 5), len(row)) for row in classes]
    return np.stack([picture[row] for picture, row in zip(pictures, rows, strict=True)])


def narrowed(pictures: np.ndarray, classes: np.ndarray, keep: float = 0.3) -> np.ndarray:
    out = pictures.copy()
    for row, found in zip(out, classes, strict=True):
        for digit in range(10):
            middle = row[found == digit].mean(axis=0)
            row[found == digit] = middle + keep * (row[found == digit] - middle)
    return out


def planted() -> dict[str, View]:
    honest, reference, real, classes = real_digits()
    copies = real + 1e-3 * np.random.default_rng(1).normal(size=real.shape)
    cases = {
        "honest": honest, "blurred": blurred(honest), "noisy": noisy(honest), "missing": missing(honest, classes),
        "narrowed": narrowed(honest, classes), "copies": copies, "blank": np.zeros_like(honest),
    }  # fmt: skip
    return {name: look(sample, reference, real) for name, sample in cases.items()}


@pytest.fixture(scope="module")
def cases(classifiers: Path) -> dict[str, View]:
    return planted()


def of(metric: Metric, cases: dict[str, View], column: str) -> dict[str, float]:
    """A column for each case, the mean over replicates."""
    return {name: float(np.mean(measured(metric, view)[column])) for name, view in cases.items()}


@pytest.mark.parametrize("features", KINDS)
@pytest.mark.parametrize("metric", [Frechet, Mmd])
def test_distances_see_every_damage(metric, features, cases):
    found = of(metric(features=features), cases, "")
    for damage in ("blurred", "noisy", "missing", "narrowed", "blank"):
        assert found[damage] > 2 * abs(found["honest"]), (damage, found)
    assert found["copies"] < 1.5 * abs(found["honest"]) + 1e-3  # memorised sets score as well as honest ones


@pytest.mark.parametrize("features", KINDS)
def test_distances_grow_with_the_damage(features, cases):
    honest, reference, real, classes = real_digits()
    series = [
        [noisy(honest, spread) for spread in (0.1, 0.2, 0.4)],
        [blurred(honest, times) for times in (1, 2, 4)],
        [narrowed(honest, classes, keep) for keep in (0.7, 0.4, 0.1)],
    ]
    for steps in series:
        found = [measured(Frechet(features=features), look(step, reference, real))[""] for step in steps]
        assert (np.diff(found, axis=0) > 0).all()


@pytest.mark.parametrize("features", KINDS)
def test_fidelity_diversity_and_authenticity(features, cases):
    recall = of(Prdc(features=features), cases, "recall")
    assert all(recall[name] < recall["honest"] - 0.1 for name in ("missing", "narrowed", "blank"))
    precision = of(Prdc(features=features), cases, "precision")
    assert precision["noisy"] < precision["honest"] - 0.2
    assert precision["narrowed"] > precision["honest"] - 0.02
    vendi = of(Vendi(features=features), cases, "q1-ratio")
    assert all(vendi[name] < vendi["honest"] - 0.05 for name in ("narrowed", "blurred", "blank"))
    if features != "random":  # the digits 0 to 4 are as different to look at as all ten
        assert vendi["missing"] < vendi["honest"] - 0.05
    authpct = of(Authenticity(features=features), cases, "authpct")
    assert authpct["copies"] < 1 < 40 < authpct["honest"]


@pytest.mark.parametrize("features", KINDS)
def test_copies_are_told_from_narrowing(features, cases):
    found = {column: of(NearestImage(features=features), cases, column) for column in NearestImage.columns}
    assert found["copies"]["copies"] > 0.99
    assert found["closer"]["copies"] == 1.0
    assert found["gap"]["copies"] < 0.1
    assert max(found["copies"][name] for name in ("honest", "noisy", "blurred", "missing", "narrowed")) < 0.02
    assert found["closer"]["honest"] == pytest.approx(0.05, abs=0.035)
    assert found["gap"]["honest"] > 0.7


def test_a_picture_trained_on_twice_is_a_copy():
    real = np.array([[[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]])
    view = look(real[:, :2], real, real, space=Space("image", (2,), picture=(1, 2)))
    found = measured(NearestImage(), view)
    assert (found["copies"][0], found["gap"][0]) == (1.0, 0.0)
    with pytest.raises(SpecError, match="at least 2"):
        NearestImage().prepare(look(real, real, real[:, :1]))


def test_the_classifier_sees_what_became_of_the_classes(cases):
    found = {column: of(Classifier(), cases, column) for column in Classifier.columns}
    assert found["confidence"]["honest"] > 0.97
    assert found["confident"]["honest"] > 0.95
    assert found["classes"]["honest"] == 10
    assert found["entropy"]["honest"] == pytest.approx(math.log(10), abs=0.03)
    assert found["entropy"]["missing"] < math.log(6)
    assert found["smallest"]["missing"] == pytest.approx(0, abs=0.01)
    assert found["tv"]["missing"] > 0.4 > 0.15 > found["tv"]["honest"]
    assert found["classes"]["blank"] == 1
    assert found["tv"]["blank"] > 0.8
    for damage in ("blurred", "noisy"):
        assert found["confident"][damage] < found["confident"]["honest"] - 0.1
    assert found["confident"]["narrowed"] > found["confident"]["honest"] - 0.02


def test_predictions_are_right(cases):
    """The classes it names in honest digits are those of the digits."""
    classes = real_digits()[-1]
    chances = _features.classified(cases["honest"], "sample")[1]
    assert chances.shape == (2, N, 10)
    assert (chances.argmax(axis=2) == classes).mean() > 0.97


def test_pixels_see_their_own(cases):
    found = {column: of(Pixels(), cases, column) for column in Pixels.columns}
    for column in ("spread", "contrast", "sharpness"):
        assert found[column]["honest"] == pytest.approx(1, abs=0.05)
    assert found["sharpness"]["blurred"] < 0.5 < 1.2 < found["sharpness"]["noisy"]
    assert found["spread"]["narrowed"] < 0.9
    assert found["spread"]["blank"] == found["contrast"]["blank"] == found["sharpness"]["blank"] == 0
    assert found["empty"]["blank"] == 1
    assert found["full"]["blank"] == 0
    assert found["outside"]["honest"] == 0
    assert found["levels"]["honest"] < 0.03 < min(found["levels"][name] for name in ("blurred", "noisy", "blank"))
    beyond = look(3 * real_digits()[0] - 1, *real_digits()[1:3])
    assert (measured(Pixels(), beyond)["outside"] > 0.5).all()


def test_the_spectrum_tells_blur_from_noise(cases):
    found = {column: of(PowerSpectrum(), cases, column) for column in PowerSpectrum.columns}
    assert found["distance"]["honest"] < 0.5
    assert min(found["distance"][name] for name in ("blurred", "noisy")) > 1.5
    assert found["distance"]["blank"] == math.inf
    assert found["high"]["blurred"] < 0.5 < 1.2 < found["high"]["noisy"]
    assert found["high"]["honest"] == pytest.approx(1, abs=0.05)
    assert found["total"]["blurred"] < 0.8
    assert found["total"]["blank"] == 0
    assert math.isnan(found["high"]["blank"])


def test_blank_pictures_are_a_kind_of_their_own():
    """Rows of zeros have no direction, and must not end a run."""
    honest, reference, real, _ = real_digits()
    half = honest.copy()
    half[:, ::2] = 0
    mixed, all_blank = (measured(Vendi(), look(sample, reference, real)) for sample in (half, np.zeros_like(half)))
    np.testing.assert_allclose(all_blank["q1"], 1)
    alone = measured(Vendi(), look(honest[:, 1::2], reference, real))["q0.1"]
    assert (mixed["q0.1"] > alone - 3).all()
    two = np.zeros((1, 4, 64))
    two[0, :2, 5] = 1
    np.testing.assert_allclose(measured(Vendi(), look(two, reference[:1], real[:1]))["q1"], 2)


ALL = [
    *(metric(features=features) for metric in WITH_FEATURES for features in KINDS),
    Classifier(), Pixels(), PowerSpectrum(),
]  # fmt: skip


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.label)
def test_blocks_agree_bit_for_bit(metric, cases):
    view = cases["noisy"]
    block = measured(metric, view)
    assert list(block) == list(metric.columns)
    for i in range(2):
        alone = look(view.state[i : i + 1], view.reference[i : i + 1], view.real[i : i + 1])
        object.__setattr__(alone, "streams", view.streams.only(i))
        for column, values in measured(metric, alone).items():
            assert values.tobytes() == block[column][i : i + 1].tobytes(), column


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.label)
def test_equal_n_whatever_there_is(metric, cases):
    honest, reference, real, _ = real_digits()
    longer, cut = look(honest, reference[:, :150], real), look(honest[:, :150], reference[:, :150], real)
    for column, values in measured(metric, longer).items():
        np.testing.assert_array_equal(values, measured(metric, cut)[column])


@pytest.mark.parametrize("metric", [Classifier(), Pixels(), PowerSpectrum(), NearestImage()], ids=lambda m: m.label)
def test_one_picture_and_all_equal_ones(metric, cases):
    honest, reference, real, _ = real_digits()
    for sample in (honest[:, :1], np.repeat(honest[:, :1], 5, axis=1)):
        for column, values in measured(metric, look(sample, reference[:, : sample.shape[1]], real)).items():
            assert np.isfinite(values).all() or column in ("spread",), column


@pytest.mark.parametrize("features", ["classifier", "random"])
def test_features_are_computed_once_per_generation(features, cases, monkeypatch):
    view = dataclasses.replace(cases["honest"], cache={})
    counted = []
    from remission.networks import classifier

    for module, name in ((classifier, "read"), (_features, "random_features")):
        whole = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, whole=whole: counted.append(1) or whole(*given))
    for metric in WITH_FEATURES:
        measured(metric(features=features), view)
    measured(Classifier(), view)
    once = 3 * view.replicates  # of the sample, the reference and the real items
    assert len(counted) == (once if features == "classifier" else once + 2 * view.replicates)
    assert featured(view, features, "sample") is featured(view, features, "sample")


def test_the_classifier_is_kept_and_named(classifiers, cases, monkeypatch):
    """A file under the hash of its data, with its own hash in the notes, and never trained twice."""
    from remission.networks import classifier

    _features._LOADED.clear()
    monkeypatch.setattr(classifier, "train_classifier", None)  # would fail if it were called
    with collected() as told:
        Classifier().prepare(dataclasses.replace(cases["honest"], cache={}))
    (about,) = told
    (file,) = (classifiers / "classifiers").glob("*.safetensors")
    import hashlib

    assert f"classifiers/{file.name}, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}" in about
    assert "1618 pictures of 10 classes" in about
    assert float(about.split(" % right")[0].split()[-1]) > 95
    file_again = _features._key(Digits().items(), Digits().item_classes(), Digits().space)
    assert file.stem == file_again
    spoilt = Digits().items().copy()
    spoilt[0, 0] += 1e-9
    others = [
        _features._key(spoilt, Digits().item_classes(), Digits().space),
        _features._key(Digits().items(), Digits().item_classes()[::-1], Digits().space),
        _features._key(Digits().items(), Digits().item_classes(), Space("image", (64,), picture=(4, 16))),
    ]
    monkeypatch.setattr(classifier, "DESIGN", "another")
    others.append(_features._key(Digits().items(), Digits().item_classes(), Digits().space))
    assert len({file.stem, *others}) == 5


def few(number: int, n: int = 60, classes: Any = None, shape=(64,), picture=(8, 8)) -> Pictures:
    """A source of n noise pictures."""
    items = np.random.default_rng(number).random((n, *shape))
    found = np.arange(n) % 2 if classes is None else classes
    HELD[number] = Space("image", shape, picture=picture), items, found
    return Pictures(number=number)


def test_two_workers_do_not_train_twice(tmp_path, monkeypatch):
    from remission.networks import classifier

    monkeypatch.setenv("REMISSION_DATA", str(tmp_path))
    monkeypatch.setattr(classifier, "PLAN", dataclasses.replace(classifier.PLAN, steps=2))
    source, counted, whole = few(11), [], classifier.train_classifier

    def slow(*given):
        counted.append(threading.get_ident())
        time.sleep(0.3)
        return whole(*given)

    monkeypatch.setattr(classifier, "train_classifier", slow)
    found: list[Any] = []
    workers = [threading.Thread(target=lambda: found.append(_features._load(source, source.items()))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(counted) == 1
    assert len(found) == 3
    assert len({about for _, about in found}) == 1


def test_a_damaged_file_and_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    from remission.networks import classifier

    monkeypatch.setattr(classifier, "PLAN", dataclasses.replace(classifier.PLAN, steps=2))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "file"))
    source = few(12)
    with pytest.raises(StoreError, match="REMISSION_DATA"):
        _features._load(source, source.items())
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path))
    _features._load(source, source.items())
    (file,) = (tmp_path / "classifiers").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StoreError, match="damaged"):
        _features._load(source, source.items())
    assert not [path for path in os.listdir(tmp_path / "classifiers") if path.endswith(".aside")]


def test_a_source_whose_items_changed_gets_another_classifier(tmp_path, monkeypatch):
    from remission.networks import classifier

    monkeypatch.setenv("REMISSION_DATA", str(tmp_path))
    monkeypatch.setattr(classifier, "PLAN", dataclasses.replace(classifier.PLAN, steps=2))
    source = few(13)
    one = _features.classifier_of(source)
    assert _features.classifier_of(source) == one
    space, items, classes = HELD[13]
    HELD[13] = space, 1 - items, classes
    assert _features.classifier_of(source)[1] != one[1]


def experiment(source: str, model: str, *metrics: Metric, samples: int = 60) -> Experiment:
    text = f"""
[experiment]
generations = 2
replicates = 2
samples = {samples}
[source]
{source}
[model]
{model}
[regime]
kind = "replace"
"""
    return dataclasses.replace(Experiment.from_toml(text), metric=metrics)


DIGITS, KDE = 'kind = "digits"', 'kind = "kde"'


def world_of(source: Any) -> Any:
    return SimpleNamespace(source=source, space=source.space)


def test_refusals_say_what_to_try(tmp_path):
    pictures = np.random.default_rng(0).random((40, 8, 8))
    np.save(tmp_path / "pictures.npy", pictures)
    own = f'kind = "file"\npath = "{tmp_path}/pictures.npy"'
    for metric in WITH_FEATURES:
        with pytest.raises(SpecError, match=r"learns from the class .* Try features = 'random'"):
            check_experiment(experiment(own, KDE, metric(features="classifier"), samples=15))
        check_experiment(experiment(own, KDE, metric(features="random"), samples=15))
    with pytest.raises(SpecError, match="digits, mnist or fashion-mnist"):
        check_experiment(experiment(own, KDE, Classifier(), samples=15))
    for features in ("classifier", "random"):
        with pytest.raises(SpecError, match=r"are those of pictures; blobs gives none"):
            check_experiment(experiment('kind = "blobs"', 'kind = "gaussian"', Frechet(features=features)))


def test_too_little_to_learn_from():
    for source in (few(14, n=10), few(15, classes=np.zeros(60, int))):
        said = Classifier().refuses(world_of(source))
        assert "at least 20 real pictures of 2 classes" in said
    assert Classifier().refuses(world_of(few(16))) == ""


def test_a_missing_extra_is_named(monkeypatch):
    import importlib.util

    whole = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else whole(name, *rest)
    )
    with pytest.raises(MissingExtra, match=r"remission\[deep\]"):
        check_experiment(experiment(DIGITS, KDE, Frechet(features="classifier")))
    check_experiment(experiment(DIGITS, KDE, Frechet(features="random")))


def test_in_the_loop_with_captions(classifiers):
    """Pictures of captioned items are measured as pictures alone are, with the same classifier."""
    metrics = (Classifier(), Frechet(features="classifier"), Frechet(features="random"), Pixels())
    captioned = 'kind = "digits"\ncaptions = true'

    class Copies(Model):
        """Draws training items again."""

        accepts = frozenset({"captioned", "image"})

        def fit(self, data, streams, previous=None):
            return data.items

        def sample(self, state, n, streams, sampling):
            index = streams.integers(state.shape[1], n)
            return np.take_along_axis(state, index[..., None], axis=1)

    trials = [experiment(source, KDE, *metrics) for source in (DIGITS, captioned)]
    plain, named = (list(run(dataclasses.replace(trial, model=Copies()))) for trial in trials)
    for one, other in zip(plain, named, strict=True):
        assert one.rows.keys() == other.rows.keys()
        for row in one.rows:
            np.testing.assert_array_equal(one.rows[row], other.rows[row])
    assert len(list((classifiers / "classifiers").glob("*.safetensors"))) == 1


def test_default_metrics_of_captioned_items_are_those_of_their_pictures():
    trial = experiment('kind = "digits"\ncaptions = true', KDE)
    names = [metric.name() for metric in default_metrics(trial)]
    pictures = [metric.label for metric in default_metrics(experiment(DIGITS, KDE))]
    assert pictures == ["moments", "prdc", "frechet", "vendi", "authenticity"]
    assert [name for name in names if name in pictures] == pictures


def test_labels_and_rows_of_today_stay():
    for metric in WITH_FEATURES[:-1]:
        assert metric().label == metric().name()
        assert metric(features="items") == metric()
    found = registry.load("metrics", "prdc")(features="random", k=3)
    assert found.label == "prdc[k=3,features=random]"


def test_mnist_digits_in_the_loop(shared, classifiers, monkeypatch):
    """Real 28 x 28 pictures: a kernel density estimate of them turns to noise, and every metric says so."""
    from remission.networks import classifier

    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    monkeypatch.setattr(classifier, "PLAN", dataclasses.replace(classifier.PLAN, steps=120))
    monkeypatch.setattr(classifier, "DESIGN", "120 steps")
    metrics = (Classifier(), Frechet(features="classifier"), Frechet(features="random"), PowerSpectrum(), Pixels())
    trial = experiment('kind = "mnist"\nlimit = 1500', KDE, *metrics, samples=300)
    first, last = (generation.rows for generation in run(trial))
    for row in ("frechet[features=classifier]", "frechet[features=random]", "power-spectrum.high", "pixels.sharpness"):
        assert (last[row] > first[row]).all(), row
    assert (last["classifier.confident"] < first["classifier.confident"]).all()
