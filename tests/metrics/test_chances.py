"""Bits per byte, and the perplexity of samples under the first model: by hand, at the edge, and in the loop."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from remission import Experiment, SpecError, run
from remission.checks import check_experiment
from remission.data import Space
from remission.errors import DataError
from remission.interfaces import HasDensity, Metric, Model, Sampling
from remission.metrics.bits_per_byte import BitsPerByte
from remission.metrics.first_perplexity import FirstPerplexity
from remission.metrics.perplexity import Perplexity
from remission.numerics.discrepancy import chance_above, kolmogorov_smirnov
from remission.rng import Streams
from remission.view import View


class Chain(Model, HasDensity):
    """A first-order chain: log-probability of a block given its first token."""

    order: int = 2

    def fit(self, data, streams, previous=None):
        raise NotImplementedError

    def sample(self, state, n, streams, sampling):
        return state.drawn[:, :n]

    def log_density(self, state, items):
        with np.errstate(divide="ignore"):
            return np.log(state.step[items[..., :-1], items[..., 1:]]).sum(axis=-1)


class Flat(Model, HasDensity):
    """Every token has the same probability, the first one too."""

    def fit(self, data, streams, previous=None):
        raise NotImplementedError

    def sample(self, state, n, streams, sampling):
        return state.drawn[:, :n]

    def log_density(self, state, items):
        return np.full(items.shape[:2], -items.shape[2] * math.log(state.size))


def look(drawn, reference, step=None, first=None, *, names=("a", "b"), joiner="", model=None) -> View:
    drawn, reference = np.asarray(drawn), np.asarray(reference)
    state = SimpleNamespace(drawn=drawn, step=np.asarray(step), size=len(names))
    start = state if first is None else SimpleNamespace(step=np.asarray(first))
    return View(
        generation=2, space=Space("tokens", drawn.shape[2:], len(names), names, joiner=joiner), law=None,
        reference=reference, real=reference, model=model or Chain(), state=state, sampling=Sampling(), training=None,
        evaluation=drawn.shape[1], streams=Streams.of(1, range(len(drawn))), first=start,
    )  # fmt: skip


def measured(metric: Metric, view: View) -> dict[str, Any]:
    return metric.measure(view.for_metric(view.streams, metric.prepare(view)))


STEP = [[0.25, 0.75], [0.5, 0.5]]


# --- bits per byte -----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.text(max_size=4), min_size=2, max_size=5),
    st.sampled_from(["", " ", "—"]),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_bytes_are_those_of_the_text(names, joiner, length, given_):
    """Against the text itself: what the blocks say, less what their starts say."""
    given_ = min(given_, length)
    blocks = np.random.default_rng(length).integers(0, len(names), (1, 6, length))
    view = look(blocks, blocks, names=tuple(names), joiner=joiner, model=Flat())
    sizes = [
        len(view.space.text(block).encode()) - len(view.space.text(block[:given_]).encode()) for block in blocks[0]
    ]
    found = measured(BitsPerByte(given=given_), view)[""][0]
    if sum(sizes):
        assert found == pytest.approx(6 * length * math.log2(len(names)) / sum(sizes))
    else:
        assert math.isnan(found)


def test_bits_of_a_chain():
    view = look([[[0, 0, 0]]], [[[0, 0, 1], [0, 1, 1]]], STEP)
    bits = -math.log2(0.25 * 0.75 * 0.75 * 0.5)
    assert measured(BitsPerByte(), view)[""][0] == pytest.approx(bits / 4)
    wide = look([[[0, 0, 0]]], [[[0, 0, 1], [0, 1, 1]]], STEP, names=("to", "é"), joiner=" ")
    assert measured(BitsPerByte(), wide)[""][0] == pytest.approx(bits / (4 * (1 + 2)))
    nll = measured(Perplexity(), view)["nll"][0]
    assert measured(BitsPerByte(), view)[""][0] == pytest.approx(nll / math.log(2))  # a byte per token


def test_characters_and_words_of_the_same_law_agree():
    """Text cut in two ways, with the probability of each text the same, has the same bits per byte."""
    fine = look([[[0, 1, 0, 1]]], [[[0, 1, 0, 1], [1, 1, 0, 0]]], model=Flat())
    coarse = look([[[1, 1]]], [[[1, 1], [3, 0]]], names=("aa", "ab", "ba", "bb"), model=Flat())
    assert fine.space.text(fine.reference[0, 1]) == coarse.space.text(coarse.reference[0, 1])
    one, other = (measured(BitsPerByte(), view)[""][0] for view in (fine, coarse))
    assert one == pytest.approx(other) == pytest.approx(1.0)
    assert measured(Perplexity(), fine)[""][0] < measured(Perplexity(), coarse)[""][0]


def test_bytes_of_broken_characters():
    view = look([[[0, 1]]], [[[0, 1]]], names=("\udcc3", "\udca9"), model=Flat())
    assert measured(BitsPerByte(), view)[""][0] == pytest.approx(1.0)  # two bits for the two bytes of one character


def test_an_impossible_block():
    view = look([[[0, 0]]], [[[0, 0], [0, 1]]], [[1.0, 0.0], [0.5, 0.5]])
    assert measured(BitsPerByte(), view)[""][0] == math.inf
    assert math.isnan(measured(BitsPerByte(given=2), view)[""][0])


# --- perplexity under the first model ----------------------------------------------------------------------------------


@given(arrays(float, st.integers(1, 30), elements=st.sampled_from([0.0, 1.0, 2.5, 3.0, math.inf])), st.integers(0, 99))
def test_chance_above_against_scikit_learn(a, seed):
    from scipy.stats import mannwhitneyu
    from sklearn.metrics import roc_auc_score

    b = np.random.default_rng(seed).choice([0.0, 1.0, 2.0, 3.0, math.inf], 20)
    finite = [np.where(np.isinf(values), 1e9, values) for values in (a, b)]
    truth = np.concatenate([np.ones(len(a)), np.zeros(len(b))])
    assert chance_above(a, b) == pytest.approx(roc_auc_score(truth, np.concatenate(finite)), abs=1e-12)
    assert chance_above(a, b) == pytest.approx(mannwhitneyu(*finite).statistic / (len(a) * len(b)), abs=1e-12)
    assert chance_above(a, b) + chance_above(b, a) == pytest.approx(1)


def test_chance_above_refuses_nan():
    for a, b in (([], [1.0]), ([1.0], []), ([np.nan], [1.0])):
        with pytest.raises(DataError):
            chance_above(np.array(a), np.array(b))


def test_columns_by_their_definitions():
    rng = np.random.default_rng(2)
    drawn, reference = rng.integers(0, 2, (2, 40, 6)), rng.integers(0, 2, (2, 55, 6))
    other = [[0.9, 0.1], [0.2, 0.8]]
    found = measured(FirstPerplexity(), look(drawn, reference, STEP, other))
    for i in range(2):
        x, y = (
            np.exp([-sum(math.log(other[a][b]) for a, b in pairwise(row)) / 5 for row in rows])
            for rows in (drawn[i], reference[i, :40])
        )
        expected = {
            "mean": x.mean(), "median": np.sort(x)[19], "q05": np.sort(x)[1], "q95": np.sort(x)[37],
            "likely": (x < np.sort(y)[1]).mean(), "unlikely": (x > np.sort(y)[37]).mean(),
            "above": (x[:, None] > y).mean() + 0.5 * (np.isclose(x[:, None], y)).mean(), "ks": kolmogorov_smirnov(x, y),
        }  # fmt: skip
        for column in ("mean", "median", "q05", "q95"):
            assert found[column][i] == pytest.approx(expected[column]), column
        for column in ("likely", "unlikely", "above", "ks"):
            assert found[column][i] == pytest.approx(expected[column], abs=0.03), column


def test_it_is_the_first_model_that_reads():
    drawn = [[[0, 0, 0], [0, 0, 1]]]
    one, other = (
        measured(FirstPerplexity(), look(drawn, drawn, step, STEP)) for step in (STEP, [[0.9, 0.1], [0.9, 0.1]])
    )
    for column, values in one.items():
        np.testing.assert_array_equal(values, other[column])
    assert (one["above"][0], one["ks"][0]) == (0.5, 0.0)


def test_impossible_text_is_infinite_and_in_the_right_tail():
    reference = [[[0, 0]] * 20]
    drawn = [[[0, 0]] * 18 + [[1, 0]] * 2]
    found = measured(FirstPerplexity(), look(drawn, reference, STEP, [[1.0, 0.0], [0.0, 1.0]]))
    assert found["mean"][0] == found["q95"][0] == math.inf
    assert (found["median"][0], found["unlikely"][0], found["likely"][0]) == (1.0, 0.1, 0.0)
    assert found["above"][0] == pytest.approx(0.55)
    assert all(
        np.isnan(values[0]) for values in measured(FirstPerplexity(given=2), look(drawn, reference, STEP)).values()
    )


def test_one_block():
    found = measured(FirstPerplexity(), look([[[0, 1]]], [[[0, 0]]], STEP))
    assert all(np.isfinite(values).all() for values in found.values())


def test_narrow_and_noisy_text_lie_in_opposite_tails():
    step = np.array([[0.1, 0.9], [0.7, 0.3]])
    rng = np.random.default_rng(4)

    def walk(law, n=400, length=30):
        rows = np.zeros((1, n, length), int)
        for place in range(1, length):
            rows[0, :, place] = rng.random(n) < law[rows[0, :, place - 1], 1]
        return rows

    sharp = step**3 / (step**3).sum(axis=1, keepdims=True)
    reference, honest, narrow, noise = walk(step), walk(step), walk(sharp), walk(np.full((2, 2), 0.5))
    found = {
        name: measured(FirstPerplexity(), look(rows, reference, step))
        for name, rows in (("honest", honest), ("narrow", narrow), ("noise", noise))
    }
    value = {column: {name: float(found[name][column][0]) for name in found} for column in FirstPerplexity.columns}
    assert value["median"]["narrow"] < value["median"]["honest"] < value["median"]["noise"]
    assert value["above"]["narrow"] < 0.2 < 0.8 < value["above"]["noise"]
    assert value["above"]["honest"] == pytest.approx(0.5, abs=0.06)
    assert value["likely"]["narrow"] > 0.3
    assert value["unlikely"]["noise"] > 0.3
    assert max(value["likely"]["honest"], value["unlikely"]["honest"]) < 0.1
    assert value["ks"]["honest"] < 0.12 < 0.5 < min(value["ks"]["narrow"], value["ks"]["noise"])


@pytest.mark.parametrize("metric", [BitsPerByte(), FirstPerplexity(), FirstPerplexity(given=2)], ids=lambda m: m.label)
def test_blocks_agree_bit_for_bit(metric):
    rng = np.random.default_rng(3)
    drawn, reference = rng.integers(0, 2, (4, 20, 9)), rng.integers(0, 2, (4, 25, 9))
    block = measured(metric, look(drawn, reference, STEP))
    assert list(block) == list(metric.columns)
    for i in range(4):
        for column, values in measured(metric, look(drawn[i : i + 1], reference[i : i + 1], STEP)).items():
            assert values.tobytes() == block[column][i : i + 1].tobytes()


def test_in_the_loop():
    """A smoothed chain of words drifts into noise: worse on real text, its samples ever less probable at first sight."""
    text = """
[experiment]
generations = 4
replicates = 2
samples = 150
[source]
kind = "prose"
length = 20
vocabulary = 300
[model]
kind = "ngram"
order = 2
smoothing = 1.0
[regime]
kind = "replace"
"""
    trial = dataclasses.replace(Experiment.from_toml(text), metric=(BitsPerByte(), FirstPerplexity(), Perplexity()))
    check_experiment(trial)
    first, *_, last = (generation.rows for generation in run(trial))
    assert (last["bits-per-byte"] > first["bits-per-byte"]).all()
    assert (last["first-perplexity.median"] > first["first-perplexity.median"]).all()
    with pytest.raises(SpecError, match="HasDensity"):
        check_experiment(dataclasses.replace(trial, model=_Silent(), metric=(FirstPerplexity(),)))


class _Silent(Model):
    """Knows no probability."""

    def fit(self, data, streams, previous=None):
        return data.items

    def sample(self, state, n, streams, sampling):
        return state[:, :n]
