"""The small parts that published results needed: coupled and corrected models, shifted labels, captions with pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.battery import assert_agrees, distance, measure

from remission import DataError, Experiment, SpecError, registry, run
from remission.checks import check_experiment
from remission.data import Dataset, Space
from remission.interfaces import Sampling
from remission.rng import Streams
from remission.theory.coupled_models import covariance, fixed_point
from remission.theory.cross_modal import variance

COUPLED = """
[experiment]
generations = 12
samples = 100
seed = 3
[source]
kind = "gaussian"
dimensions = 3
mean = [2.0, 0.5, -1.0]
[model]
kind = "coupled"
mixing = [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.25, 0.25, 0.5]]
[regime]
kind = "fresh"
share = 0.2
[[metric]]
kind = "moments"
[[metric]]
kind = "projection"
direction = [0.0, 1.0, 0.0]
[[metric]]
kind = "projection"
direction = [1.0, 0.0, -1.0]
"""


def part(folder: str, name: str, **fields):
    return registry.load(folder, name)(**fields)


def test_coupled_models_settle_where_the_graph_says() -> None:
    """M1 on a graph that is not symmetric: signed means, and the whole covariance through the error."""
    graph, own = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0.25, 0.25, 0.5]]), np.array([2.0, 0.5, -1.0])
    settled, cov = fixed_point(graph, 0.8, own), covariance(graph, 0.8, 100)
    rows = measure(COUPLED.replace("generations = 12", "generations = 40"), 6000, block=500)
    assert_agrees(rows["projection[direction=0/1/0].mean"][:, -1], settled[1], "mean of model 2")
    assert_agrees(rows["projection[direction=1/0/-1].mean"][:, -1], settled[0] - settled[2], "gap of models 1 and 3")
    error = ((settled - own) ** 2).sum() + np.trace(cov)
    assert_agrees(rows["moments.error"][:, -1], error, "error")
    assert distance(rows["moments.error"][:, -1], error - np.trace(cov)) > 4
    middle = rows["projection[direction=0/1/0].mean"][:, -1]
    assert_agrees((middle - settled[1]) ** 2, cov[1, 1], "variance of model 2")


def test_coupled_models_that_ignore_each_other_stay_apart() -> None:
    alone = COUPLED.replace(
        "[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.25, 0.25, 0.5]]", "[[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]"
    )
    assert_agrees(measure(alone, 2000, 500)["projection[direction=1/0/-1].mean"][:, -1], 3.0, "gap")


@pytest.mark.parametrize(
    ("mixing", "reason"),
    [("[[0.5, 0.4], [0.5, 0.5]]", "sum to 1"), ("[[1.0], [1.0]]", "one row per model"), ("[[1.0]]", "3 coordinates")],
)
def test_a_graph_that_cannot_be(mixing: str, reason: str) -> None:
    text = COUPLED.replace("[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.25, 0.25, 0.5]]", mixing)
    with pytest.raises(SpecError, match=reason):
        check_experiment(Experiment.from_toml(text))


CORRECTED = """
[experiment]
generations = 15
samples = 20
seed = 5
[source]
kind = "gaussian"
mean = 3.0
std = 2.0
[model]
kind = "corrected"
strength = {gamma}
mean = 3.0
std = 2.0
model = {{ kind = "gaussian", estimator = "{estimator}", known = 4.0 }}
[regime]
kind = "replace"
[[metric]]
kind = "moments"
"""


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_a_correction_divides_what_is_left_of_an_error(gamma: float) -> None:
    """Known variance: a' = a / (1 + gamma)^2 + s0^2 / n, in units of the data and about their own mean."""
    rows = measure(CORRECTED.format(gamma=gamma, estimator="mean-only"), 20_000, 2000)
    ratio = 1 / (1 + gamma) ** 2
    assert_agrees(rows["moments.error"][:, -1], 4 / 20 * sum(ratio**k for k in range(15)), f"gamma {gamma}")


def test_a_correction_keeps_variance_and_none_is_the_bare_model() -> None:
    kept = measure(CORRECTED.format(gamma=3.0, estimator="mle"), 1500)["moments.ratio"][:, -1]
    lost = measure(CORRECTED.format(gamma=0.0, estimator="mle"), 1500)["moments.ratio"][:, -1]
    assert np.median(kept) > 0.8 > 0.5 > np.median(lost)
    bare = Experiment.from_toml(CORRECTED.format(gamma=0.0, estimator="mle"))
    plain = dataclasses.replace(bare, model=bare.model.model)
    for one, two in zip(run(bare, range(3)), run(plain, range(3)), strict=True):
        assert (one.rows["moments.variance"] == two.rows["moments.variance"]).all()


def test_corrections_do_not_depend_on_the_block_and_need_moments() -> None:
    experiment = Experiment.from_toml(CORRECTED.format(gamma=1.0, estimator="mle"))
    whole = list(run(experiment, range(4)))[-1].rows["moments.error"]
    assert whole[2] == list(run(experiment, [2]))[-1].rows["moments.error"][0]
    with pytest.raises(SpecError, match="does not know its mean and variance"):
        part("models", "corrected", model=part("models", "unigram"))


def test_a_model_at_a_point_is_corrected_to_the_mean() -> None:
    model = part("models", "corrected", model=part("models", "gaussian"), strength=1.0, mean=4.0)
    data = Dataset(Space("vector", (1,)), np.full((1, 3, 1), 2.0), np.zeros((1, 3), np.int32))
    streams = Streams.of(1, [0])
    assert model.sample(model.fit(data, streams), 5, streams, Sampling()).ravel().tolist() == [3.0] * 5


SHIFTED = """
[experiment]
generations = 2
samples = 4000
seed = 4
[source]
kind = "shifted-labels"
rate = {rate}
shift = 2.0
dimensions = 3
noise = 0.5
[model]
kind = "linear"
noise = 0.5
[regime]
kind = "replace"
[[metric]]
kind = "test-risk"
"""


def test_shifted_labels_leave_a_floor_and_none_do_not() -> None:
    found = measure(SHIFTED.format(rate=0.3), 200, 50)["test-risk.excess"][:, 0]
    assert_agrees(found, 0.36, "floor")
    clean = measure(SHIFTED.format(rate=0.0), 200, 50)["test-risk.excess"][:, 0]
    assert distance(clean, 0.25 * 3 / (4000 - 4)) <= 4  # the floor, 0.36, is two thousand times that


def test_shifted_labels_spare_the_reference_and_do_not_depend_on_the_block() -> None:
    source, streams = part("sources", "shifted-labels", rate=0.5), Streams.of(2, range(4)).at(1, "real")
    clean = source.sample(200, streams)
    seen = source.corrupt(clean, streams)
    changed = (seen != clean).any(axis=2)
    assert 0.4 < changed.mean() < 0.6
    assert (seen[..., :-1] == clean[..., :-1]).all()
    assert (seen[2:3] == source.corrupt(clean[2:3], streams.only(2))).all()


def test_the_published_split_of_diabetes() -> None:
    source, streams = part("sources", "diabetes"), Streams.of(7, range(2))
    test, training = source.sample(133, streams), source.sample(309, streams.at(3, "real"))
    together = np.concatenate([training[0], test[0]])
    assert len(np.unique(together, axis=0)) == 442
    assert set(together[:, -1]) == {0.0, 1.0}
    assert (source.sample(10, streams.at(1, "other")) == training[:, :10]).all()
    other = part("sources", "diabetes", split=1)
    assert not (other.sample(133, streams) == test).all()
    with pytest.raises(DataError, match="training set has 309 patients, and 310"):
        source.sample(310, streams.at(1, "real"))


CAPTIONED = """
[experiment]
generations = 6
samples = 20
seed = 6
reference = 20
start = "{start}"
[source]
kind = "captioned-gaussian"
shares = [0.6, 0.3, 0.1]
gap = 5.0
[model]
kind = "captioned-gaussian"
captions = [0.6, 0.3, 0.1]
mean = 10.0
[regime]
kind = "replace"
[[metric]]
kind = "caption-variance"
[[metric]]
kind = "caption-variance"
caption = 2
"""


def test_pictures_of_a_caption_lose_their_variance_as_the_law_says() -> None:
    """X1, for a caption that is often missing: it keeps its Gaussian only when fits start from the last one."""
    rows = measure(CAPTIONED.format(start="previous"), 30_000, 5000)
    assert_agrees(rows["caption-variance"][:, -1], variance(20, 0.6, 6)[-1], "common")
    assert_agrees(rows["caption-variance[caption=2]"][:, 1], variance(20, 0.1, 2)[-1], "rare")
    forgetful = measure(CAPTIONED.format(start="scratch"), 6000, 2000)["caption-variance[caption=2]"][:, 1]
    assert distance(forgetful, variance(20, 0.1, 2)[-1]) > 4


def test_captions_that_are_refitted_die_out_and_stay_dead() -> None:
    text = CAPTIONED.format(start="previous").replace("captions = [0.6, 0.3, 0.1]\n", "").replace(
        "generations = 6", "generations = 60"
    )  # fmt: skip
    experiment = Experiment.from_toml(text)
    model, streams = experiment.model, Streams.of(1, range(50))
    items = experiment.source.sample(6, streams.at(1, "real"))
    state = model.fit(Dataset(experiment.source.space, items, np.zeros((50, 6), np.int32)), streams)
    drawn = model.sample(state, 400, streams, Sampling())
    gone = state.p == 0
    assert gone.any()
    for c in range(3):
        assert not (drawn[gone[:, c], :, -1] == c).any()
    alone = model.sample(dataclasses.replace(state, **{f.name: getattr(state, f.name)[3:4] for f in dataclasses.fields(state)}),
                         400, streams.only(3), Sampling())  # fmt: skip
    assert (alone[0] == drawn[3]).all()


def test_variance_of_a_caption_is_counted_where_the_model_does_not_know_it() -> None:
    from remission.view import View

    metric = part("metrics", "caption-variance", caption=1)
    items = np.array([[[1.0, 1], [3.0, 1], [9.0, 0]], [[1.0, 0], [3.0, 0], [9.0, 0]]])
    space = Space("captioned", (2,), size=2, picture=(1, 1))
    view = View(1, space, None, items, items, object(), None, Sampling(), None, 3, Streams.of(0, [0, 1]))
    view.cache["sample"] = items
    found = metric.measure(view)[""]
    assert found[0] == 1.0
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CAPTIONED.format(start="previous").replace("caption = 2", "caption = 3"), "there is no caption 3"),
        (
            CAPTIONED.format(start="previous").replace("captions = [0.6, 0.3, 0.1]", "captions = [0.5, 0.5]"),
            "3 captions",
        ),
        (
            CAPTIONED.format(start="previous").replace("captions = [0.6, 0.3, 0.1]", "captions = [0.5, 0.4, 0.2]"),
            "sum to 1",
        ),
        (COUPLED.replace("direction = [0.0, 1.0, 0.0]", "direction = [0.0, 1.0]"), "has 2 numbers, and items have 3"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        check_experiment(Experiment.from_toml(text))


def test_share_of_a_symbol_and_clipped_loss() -> None:
    text = """
[experiment]
generations = 3
samples = 50
seed = 2
[source]
kind = "zipf"
p = [0.7, 0.2, 0.1]
[model]
kind = "unigram"
[regime]
kind = "replace"
[[metric]]
kind = "share"
[[metric]]
kind = "share"
symbol = 2
"""
    rows = measure(text, 4000)
    assert_agrees(rows["share"][:, -1], 0.7, "symbol 0")
    assert_agrees(rows["share[symbol=2]"][:, -1], 0.1, "symbol 2")
    with pytest.raises(SpecError, match="there is no symbol 3"):
        check_experiment(Experiment.from_toml(text.replace("symbol = 2", "symbol = 3")))
    labels = """
[experiment]
generations = 12
samples = 12
seed = 2
reference = 200
[source]
kind = "classes"
norm = 0.5
[model]
kind = "logistic"
covariates = "same"
[regime]
kind = "replace"
[[metric]]
kind = "log-loss"
[[metric]]
kind = "test-risk"
"""
    rows = measure(labels, 20)
    bare, kept = rows["test-risk.held-out"], rows["log-loss"]
    assert np.isfinite(kept).all()
    assert not np.isfinite(bare).all()
    assert kept.max() < 36.05
    mild = bare < 2
    assert mild.any()
    np.testing.assert_allclose(kept[mild], bare[mild], rtol=1e-9)
    with pytest.raises(SpecError, match="does not know the probability of a class"):
        check_experiment(
            Experiment.from_toml(
                labels.replace('"logistic"', '"nearest-mean"').replace('[[metric]]\nkind = "test-risk"', "")
            )
        )
