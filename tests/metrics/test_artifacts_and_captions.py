"""Artifact rates and caption matches, counted by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission import SpecError
from remission.data import Dataset
from remission.interfaces import Sampling
from remission.metrics.artifact_rate import ArtifactRate
from remission.metrics.caption_match import CaptionMatch, shared_words
from remission.models.kde import Kde
from remission.rng import Streams
from remission.sources.artifact import Artifact
from remission.sources.digits import Digits
from remission.view import View


def view_of(source, sample, reference, training=None):
    """A view whose sample is given; the model is never asked."""
    view = View(
        generation=2, space=source.space, law=None, reference=reference, real=reference, model=Kde(), state=None,
        sampling=Sampling(), training=training, evaluation=sample.shape[1], source=source,
        streams=Streams.of(1, range(len(sample))).at(2, "metric"),
    )  # fmt: skip
    view.cache["sample"] = sample
    return view


SOURCE = Artifact(base=Digits(), rate=0.2, what="stroke")
CLEAN = np.stack([SOURCE.items()[:100], SOURCE.items()[100:200]])


def marked(*counts):
    """The clean items, the first so many of each replicate with the artifact."""
    items = CLEAN.copy()
    chosen = np.arange(100)[None, :] < np.array(counts)[:, None]
    SOURCE.mark.put(items, chosen, Streams.of(0, range(2)))
    return items


def test_every_column_is_what_it_says():
    weight = np.ones((2, 100))
    weight[0, :10] = 3.0
    training = Dataset(SOURCE.space, marked(10, 40), np.zeros((2, 100), np.int32), weight)
    found = ArtifactRate().measure(view_of(SOURCE, marked(30, 0), CLEAN, training))
    assert found[""].tolist() == [0.3, 0.0]
    assert found["training"] == pytest.approx([30 / 120, 0.4])
    assert found["reference"].tolist() == [0.0, 0.0]
    assert found["ratio"] == pytest.approx([1.5, 0.0])
    assert found["match"] == pytest.approx([0.3, 0.0], abs=0.02)
    false = ArtifactRate().measure(view_of(SOURCE, CLEAN, marked(7, 0)))
    assert false["reference"].tolist() == [0.07, 0.0]
    assert np.isnan(false["training"]).all()


def test_what_is_blurred_counts_in_part():
    blurred = 0.4 * marked(50, 100) + 0.6 * CLEAN
    found = ArtifactRate().measure(view_of(SOURCE, blurred, CLEAN))
    assert found[""].tolist() == [0.0, 0.0]
    assert found["match"] == pytest.approx([0.2, 0.4], abs=0.02)


def test_rate_zero_has_no_ratio():
    none = Artifact(base=Digits(), rate=0.0)
    assert np.isnan(ArtifactRate().measure(view_of(none, CLEAN, CLEAN))["ratio"]).all()


def test_without_an_artifact_it_is_refused_at_load():
    from remission import Experiment
    from remission.checks import check_experiment

    text = '[experiment]\nsamples = 100\n[source]\nkind = "digits"\n[model]\nkind = "kde"\n[regime]\nkind = "replace"\n[[metric]]\nkind = "artifact-rate"'
    with pytest.raises(SpecError, match=r"plants no artifact\. Wrap it"):
        check_experiment(Experiment.from_toml(text))
    assert (
        check_experiment(Experiment.from_toml(text.replace('"digits"', '"artifact"\nbase = { kind = "digits" }'))) == []
    )


@given(st.integers(1, 6), st.integers(0, 10**6), st.integers(-1, 3))
def test_shared_words_by_counting(length, seed, ends):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 4, (2, 20, length))
    expected = []
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        left, right = (Counter(word for word in words if word != ends) for words in (a, b))
        total = left.total() + right.total()
        expected.append(2 * (left & right).total() / total if total else 1.0)
    assert np.allclose(shared_words(one, other, ends), expected)


def test_caption_match_finds_loose_captions():
    source = Digits(captions=True)
    items = source.items()
    reference, sample = np.stack([items[:600], items[600:1200]]), np.stack([items[1200:1700]] * 2)
    metric = CaptionMatch()

    def measured(sample):
        view = view_of(source, sample, reference)
        return metric.measure(view.for_metric(view.streams, metric.prepare(view)))

    found = measured(sample)
    assert (found["f1"] == found["exact"]).all(), "one word per caption"
    assert (found["real"] > 0.9).all()
    assert found["ratio"] == pytest.approx([1.0, 1.0], abs=0.08)
    half = sample.copy()
    half[:, ::2, -1] = (half[:, ::2, -1] + 1) % 10
    assert measured(half)["ratio"] == pytest.approx(found["ratio"] / 2, abs=0.04)
    from sklearn.neighbors import KNeighborsClassifier

    judge = KNeighborsClassifier(1).fit(reference[0, :, :-1], reference[0, :, -1])
    assert found["exact"][0] == pytest.approx((judge.predict(sample[0, :, :-1]) == sample[0, :, -1]).mean(), abs=0.005)
    copies = np.concatenate([reference[:, :1], reference[:, :1], reference[:, 1:2]], axis=1)
    view = view_of(source, copies, copies)
    alike = (copies[:, 0, -1] == copies[:, 2, -1]).astype(float)
    assert metric.prepare(view) == pytest.approx(2 / 3 + alike / 3), "a copy is a neighbour, the item itself is not"
    with pytest.raises(SpecError, match="at least 2 reference items"):
        metric.prepare(view_of(source, sample, reference[:, :1]))
