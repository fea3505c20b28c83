"""Watermarks inside the loop: the curator's error rates, radioactivity of students, and what a world gains."""

from __future__ import annotations

import dataclasses
import types
from typing import Any

import numpy as np
import pytest
from scipy import stats

from remission import Experiment, run
from remission.checks import check_experiment
from remission.curators.watermark import Watermark
from remission.data import Blind, Dataset, Space
from remission.errors import SpecError
from remission.evidence import Evidence, weigh
from remission.interfaces import Sampling
from remission.metrics.radioactivity import Radioactivity
from remission.models.ngram import Ngram
from remission.models.watermarked import Watermarked
from remission.numerics.arrays import Floats, Integers
from remission.rng import Streams
from remission.view import View
from remission.watermarking import TextWatermark, Tokens, lab_key, misfit
from remission.watermarks.gumbel import Gumbel
from remission.watermarks.kgw import Kgw
from remission.watermarks.spread_spectrum import SpreadSpectrum
from remission.watermarks.synthid import Synthid
from remission.watermarks.unigram import Unigram

V, LENGTH = 2000, 100
SPACE = Space("tokens", (LENGTH,), V)
STREAMS = Streams.of(1, [0]).at(1, "test")
GREEN = Kgw(vocabulary=V)
BARE = Ngram(order=2)


def dataset(blocks: Integers) -> Dataset:
    return Dataset(SPACE, blocks, np.zeros(blocks.shape[:2], np.int32))


@pytest.fixture(scope="module")
def teacher() -> Any:
    """A bigram model of V words in which every word has preferences of its own, some 4 nats wide."""
    rng = np.random.default_rng(0)
    law = np.exp(rng.normal(size=(V, V)) - 1.1 * np.log(np.arange(1, V + 1)))
    up_to = np.cumsum(law, axis=1)
    blocks = np.empty((3000, LENGTH), np.int64)
    blocks[:, 0] = rng.integers(0, V, len(blocks))
    for t in range(1, LENGTH):
        goal = rng.random(len(blocks)) * up_to[blocks[:, t - 1], -1]
        rows = zip(blocks[:, t - 1], goal, strict=True)
        blocks[:, t] = [np.searchsorted(up_to[before], value, side="right") for before, value in rows]
    return BARE.fit(dataset(blocks[None]), STREAMS)


def student_of(teacher: Any, share: float, mark: TextWatermark = GREEN) -> Integers:
    """What a bigram student writes that learned from 100,000 tokens of the teacher, a share of them marked; (1, n, t)."""
    many = round(1000 * share)
    part = BARE.sample(teacher, 1000 - many, STREAMS.sub("plain"), Sampling())
    if many:
        marked = Watermarked(model=BARE, mark=mark).sample(teacher, many, STREAMS.sub("marked"), Sampling())
        part = np.concatenate([part, marked], axis=1)
    return BARE.sample(BARE.fit(dataset(part), STREAMS), 1000, STREAMS.sub("student"), Sampling())


def view_of(sample: Integers, model: Any = BARE) -> View:
    """A generation in which this was written."""
    streams = Streams.of(1, range(len(sample))).at(1, "metric")
    return View(
        1, SPACE, None, sample, sample, model, None, Sampling(), None, sample.shape[1], streams,
        cache={"sample": sample},
    )  # fmt: skip


# --- keys and fit -----------------------------------------------------------------------------------------------


def test_keys_follow_from_names() -> None:
    for mark in (GREEN, Gumbel(), Synthid(), Unigram(vocabulary=V), SpreadSpectrum()):
        one, same, other = (lab_key(mark, name) for name in ("lab", "lab", "other"))
        assert one == same
        assert one.values != other.values
        assert one.name == "lab"
        mark.check_key(one)
    assert lab_key(Gumbel(), "lab").values == (3795707845487887041,)  # stored runs depend on it


def test_what_does_not_fit_says_what_to_set() -> None:
    assert misfit(GREEN, V, LENGTH) == ""
    assert misfit(Gumbel(), 7, 1) == ""
    assert "Set vocabulary = 7" in misfit(GREEN, 7, LENGTH)
    assert "Make the blocks of the source longer" in misfit(Synthid(), 7, 4)
    for part in (Watermark, Radioactivity):
        with pytest.raises(SpecError, match="marks pictures, not tokens"):
            part(mark=SpreadSpectrum())
    for keys in ((), ("a", "a")):
        with pytest.raises(SpecError, match="each once and at least one"):
            Watermark(mark=GREEN, keys=keys)


# --- the curator ------------------------------------------------------------------------------------------------


def test_at_most_a_share_of_unmarked_blocks_is_lost(teacher: Any) -> None:
    """Whatever the number of keys; the uncorrected least p-value would lose more."""
    blocks = BARE.sample(teacher, 4000, STREAMS.sub("null"), Sampling())
    keys = tuple(f"publisher {number}" for number in range(10))
    for mark in (Gumbel(), GREEN):
        judge = Watermark(mark=mark, keys=keys, level=0.05)
        p = 10 ** judge.log10_p(blocks)[0]
        lost = 1 - judge.judge(Blind(SPACE, blocks), 1, STREAMS).keep.mean()
        assert lost == pytest.approx((p <= 0.05).mean())
        assert lost <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 4000)
        assert (p / 10 <= 0.05).mean() > 0.2


def test_marked_blocks_are_found_dropped_or_weighed(teacher: Any) -> None:
    model = Watermarked(model=BARE, mark=Gumbel(), key="press", known=0.5)
    blocks = model.sample(teacher, 400, STREAMS.sub("marked"), Sampling())
    drop = Watermark(mark=Gumbel(), keys=("other", "press"))
    both = Watermark(mark=Gumbel(), keys=("press", model.keys[1].name))
    kept = drop.judge(Blind(SPACE, blocks), 1, STREAMS)
    assert kept.weight is None
    assert kept.keep.mean() == pytest.approx(0.5, abs=0.1)  # those of the unknown key
    assert both.judge(Blind(SPACE, blocks), 1, STREAMS).keep.mean() < 0.02
    assert Watermark(mark=Gumbel()).judge(Blind(SPACE, blocks), 1, STREAMS).keep.mean() > 0.98
    weighed = dataclasses.replace(drop, weight=0.25)
    assert (drop.drops, drop.weighs, weighed.drops, weighed.weighs) == (True, False, False, True)
    assert (drop.yields, weighed.yields) == (0.999, 1.0)
    judged = weighed.judge(Blind(SPACE, blocks), 1, STREAMS)
    assert judged.keep.all()
    assert judged.weight is not None
    assert np.array_equal(judged.weight, np.where(kept.keep, 1.0, 0.25))
    washed = dataclasses.replace(model, known=1.0, laundered=0.6).sample(teacher, 400, STREAMS, Sampling())
    assert drop.judge(Blind(SPACE, washed), 1, STREAMS).keep.mean() > 0.5  # laundering works
    assert drop.judge(Blind(SPACE, blocks[:, :0]), 1, STREAMS).keep.shape == (1, 0)


# --- radioactivity ----------------------------------------------------------------------------------------------


def test_a_student_of_marked_text_gives_it_away(teacher: Any) -> None:
    """A bigram student of 100,000 tokens, 5 % of them KGW-marked."""
    metric = Radioactivity(mark=GREEN)
    found = {share: metric.measure(view_of(student_of(teacher, share))) for share in (0.0, 0.02, 0.05)}
    log10_p = [float(rows["log10-p"][0]) for rows in found.values()]
    assert log10_p[0] > -2
    assert log10_p[2] < log10_p[1] < log10_p[0]
    assert log10_p[2] <= -5
    assert found[0.05]["excess"] > 0.03 > 0.01 > found[0.0]["excess"]
    other = dataclasses.replace(metric, key="other").measure(view_of(student_of(teacher, 0.05)))
    assert other["log10-p"][0] > -2


def test_p_is_uniform_over_keys_where_nothing_was_marked(teacher: Any) -> None:
    """200 keys; with a law of scores that is 10 % off it is not."""
    blocks = student_of(teacher, 0.0)[0, :300]
    found = [_pooled(GREEN, number, blocks) for number in range(200)]
    p = 10 ** np.array([one.pooled[2] for one in found])
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    off = dataclasses.replace(GREEN, gamma=0.275).law(lab_key(GREEN, ""))
    n, total = np.array([one.pooled[0] for one in found]), np.array([one.pooled[1] for one in found])
    assert stats.kstest(10 ** off.log10_tail(n, total), "uniform").pvalue < 1e-3
    context = blocks[:, :-1].ravel() * V + blocks[:, 1:].ravel()
    assert n[0] <= np.unique(context).size  # each tuple once


def _pooled(mark: TextWatermark, number: int, blocks: Integers) -> Evidence:
    tokens = Tokens(blocks.reshape(-1), np.arange(len(blocks) + 1) * LENGTH)
    return weigh(mark, lab_key(mark, f"null {number}"), tokens, "corpus")


def test_the_model_is_told_from_its_marked_output(teacher: Any) -> None:
    model = Watermarked(model=BARE, mark=GREEN)
    state = BARE.fit(dataset(BARE.sample(teacher, 300, STREAMS, Sampling())), STREAMS)
    view = View(
        1, SPACE, None, np.empty((1, 0, LENGTH), np.int64), np.empty((1, 0, LENGTH), np.int64), model, state,
        Sampling(), None, 200, STREAMS,
    )  # fmt: skip
    output, bare = (Radioactivity(of=of).measure(view) for of in ("sample", "model"))
    assert output["log10-p"][0] < -20
    assert bare["log10-p"][0] > -3
    assert output["excess"][0] > 0.3 > bare["excess"][0]
    empty = Radioactivity(mark=Synthid()).measure(view_of(np.zeros((2, 3, LENGTH), np.int64)))
    assert empty["scores"].tolist() == [1, 1]  # the same tuple again and again
    nothing = Radioactivity(mark=GREEN).measure(view_of(np.zeros((1, 0, LENGTH), np.int64)))
    assert nothing["log10-p"].tolist() == [0]
    assert np.isnan(nothing["excess"]).all()


# --- the loop ---------------------------------------------------------------------------------------------------

FILE = """
[experiment]
generations = 3
replicates = 2
samples = 120
reference = 60
seed = 4
[source]
kind = "prose"
length = 40
vocabulary = 500
[model]
kind = "watermarked"
model = { kind = "ngram", order = 2, smoothing = 2.0 }
mark = { kind = "gumbel", width = 2 }
[regime]
kind = "fresh"
share = 0.5
[[curator]]
kind = "watermark"
mark = { kind = "gumbel", width = 2 }
level = 0.01
[[metric]]
kind = "radioactivity"
"""


def last(**settings: Any) -> dict[str, Floats]:
    experiment = Experiment.from_toml(FILE)
    model = dataclasses.replace(experiment.model, **settings)
    return list(run(dataclasses.replace(experiment, model=model)))[-1].rows


def test_marking_keeps_synthetic_blocks_out() -> None:
    """As far as it is adopted, with known keys, unlaundered."""
    share = {
        name: last(**settings)["training.synthetic"].mean()
        for name, settings in {
            "all": {}, "none": {"adoption": 0.0}, "half": {"adoption": 0.5}, "unknown": {"known": 0.0},
            "laundered": {"laundered": 0.5},
        }.items()
    }  # fmt: skip
    assert share["all"] < 0.05
    assert share["none"] == pytest.approx(0.5, abs=0.06)
    assert share["unknown"] == pytest.approx(0.5, abs=0.06)
    assert share["half"] == pytest.approx(1 / 3, abs=0.08)  # of 4 blocks 2 are real and 1 is unmarked
    assert share["all"] + 0.1 < share["laundered"] < 0.55


def test_worlds_that_cannot_be_are_refused() -> None:
    experiment = Experiment.from_toml(FILE)
    check_experiment(experiment)
    bare = dataclasses.replace(experiment, model=BARE)
    with pytest.raises(SpecError, match="radioactivity: ngram writes without a watermark"):
        check_experiment(bare)
    check_experiment(dataclasses.replace(bare, metric=(Radioactivity(mark=Gumbel()),)))
    for curator, metric in (((Watermark(mark=GREEN),), ()), ((), (Radioactivity(mark=GREEN),))):
        with pytest.raises(SpecError, match="Set vocabulary = 500"):
            check_experiment(dataclasses.replace(experiment, curator=curator, metric=metric))
    with pytest.raises(SpecError, match="there is no mark to look for"):
        Radioactivity().measure(view_of(np.zeros((1, 2, LENGTH), np.int64), types.SimpleNamespace()))
