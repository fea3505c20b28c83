"""Metrics of tokens on views: what they read, how they spell, equal sizes, blocks."""

import dataclasses
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from remission.data import Space
from remission.interfaces import HasDensity, Model, Sampling
from remission.metrics.compression import Compression
from remission.metrics.distinct import Distinct
from remission.metrics.entropy import Entropy
from remission.metrics.lexical import Lexical
from remission.metrics.novel_ngrams import NovelNgrams
from remission.metrics.perplexity import Perplexity
from remission.metrics.repetition import Repetition
from remission.metrics.self_bleu import SelfBleu
from remission.metrics.types import Types
from remission.metrics.unseen import Unseen
from remission.rng import Streams
from remission.view import View

ALL = [
    Compression(), Compression(method="lzma"), Distinct(), Entropy(), Lexical(window=7, draws=20), NovelNgrams(n=2),
    NovelNgrams(against="reference"), Repetition(n=2), SelfBleu(), Types(), Unseen(),
]  # fmt: skip


class Bigram(Model, HasDensity):
    """Draws what the state holds; the log-probability of a block given its first token."""

    order: int = 2

    def fit(self, data, streams, previous=None):
        raise NotImplementedError

    def sample(self, state, n, streams, sampling):
        return state.drawn[:, :n]

    def log_density(self, state, items):
        with np.errstate(divide="ignore"):
            return np.log(state.step[items[..., :-1], items[..., 1:]]).sum(axis=-1)


def look(drawn, reference, size, *, real=None, step=None, names=(), joiner=" "):
    drawn, reference = np.asarray(drawn), np.asarray(reference)
    r, _, length = drawn.shape
    return View(
        generation=1, space=Space("tokens", (length,), size=size, names=names, joiner=joiner), law=None,
        reference=reference, real=reference if real is None else np.asarray(real), model=Bigram(),
        state=SimpleNamespace(drawn=drawn, step=step), sampling=Sampling(), training=None,
        evaluation=drawn.shape[1], streams=Streams.of(1, range(r)),
    )  # fmt: skip


def test_equal_sizes():
    rng = np.random.default_rng(3)
    drawn, reference = rng.integers(0, 9, (1, 40, 10)), rng.integers(0, 9, (1, 15, 10))
    long, cut = look(drawn, reference, 9), look(drawn[:, :15], reference, 9)
    for metric in [one for one in ALL if one.sized]:
        one, other = metric.measure(long), metric.measure(cut)
        for name in metric.columns:
            np.testing.assert_array_equal(one[name], other[name])
    assert all(metric.sized for metric in ALL)


def test_blocks_are_documents():
    view = look([[[0, 1, 2], [0, 1, 2]]], [[[0, 1, 2], [2, 1, 0]]], 3)
    assert [Distinct().measure(view)[n][0] for n in "123"] == [0.5, 0.5, 0.5]
    assert np.isnan(Distinct().measure(view)["4"][0])
    assert SelfBleu(orders=3).measure(view)[""][0] == pytest.approx(1.0)
    repeated = Repetition(n=3).measure(view)
    assert repeated["self"][0] == pytest.approx(np.log(2))
    assert (repeated["repeated"][0], repeated["longest"][0]) == (1.0, 3.0)


def test_compression_spells_the_text():
    drawn = np.array([[[0, 1, 0], [1, 1, 0]]])
    words = look(drawn, drawn, 2, names=("to", "é"))
    text = "to é to é é to".encode()
    assert Compression().measure(words)[""][0] == len(text) / len(zlib.compress(text, 9))
    letters = look(drawn, drawn, 2, names=("a", "b"), joiner="")
    assert Compression().measure(letters)[""][0] == 6 / len(zlib.compress(b"aba" + b"bba", 9))
    wide = look(drawn, drawn, 300)
    assert Compression().measure(wide)[""][0] == 12 / len(zlib.compress(drawn.astype("<u2").tobytes(), 9))


def test_novelty_and_recall():
    real = [[[0, 1, 2], [2, 3, 3]]]
    copied = NovelNgrams(n=2).measure(look(real, real, 5))
    assert (copied["novel"][0], copied["recall"][0]) == (0.0, 1.0)
    mixed = NovelNgrams(n=2).measure(look([[[0, 1, 4], [0, 1, 1]]], real, 5))
    assert (mixed["novel"][0], mixed["recall"][0]) == (0.5, 0.25)


def test_novelty_looks_in_all_real_items_and_recall_in_equally_many():
    view = look([[[0, 1], [2, 3]]], [[[0, 1], [2, 3]]], 5, real=[[[0, 1], [4, 4], [2, 3]]])
    out = NovelNgrams(n=2).measure(view)
    assert (out["novel"][0], out["recall"][0]) == (0.0, 0.5)


def test_perplexity_of_a_chain():
    step = np.array([[0.25, 0.75], [0.0, 1.0]])
    view = look([[[0, 0, 0]]], [[[0, 0, 1], [0, 1, 1]]], 2, step=step)
    expected = (0.25 * 0.75 * 0.75) ** (-1 / 4)
    assert Perplexity().measure(view)[""][0] == pytest.approx(expected)
    assert Perplexity(given=0).measure(view)["nll"][0] == pytest.approx(np.log(expected) * 2 / 3)
    lost = Perplexity().measure(look([[[0, 0, 0]]], [[[0, 0, 1], [1, 0, 0]]], 2, step=step))
    assert (lost[""][0], lost["impossible"][0]) == (np.inf, 0.5)
    assert lost["possible"][0] == pytest.approx((0.25 * 0.75) ** -0.5)
    assert np.isnan(Perplexity(given=5).measure(view)[""][0])


def test_directions_on_a_collapsing_text():
    """Every column moves the declared way when the text repeats a few of its blocks."""
    rng = np.random.default_rng(8)
    weights = 1 / np.arange(1, 301)
    real = rng.choice(300, (1, 60, 20), p=weights / weights.sum())
    honest = rng.choice(300, (1, 60, 20), p=weights / weights.sum())
    collapsed = honest[:, rng.integers(0, 8, 60)]
    for metric in ALL:
        before, after = metric.measure(look(honest, real, 300)), metric.measure(look(collapsed, real, 300))
        for name, direction in metric.columns.items():
            if direction != "either":
                assert (after[name][0] < before[name][0]) == (direction == "falls"), (metric.label, name)


@given(arrays(np.int64, (3, 6, 5), elements=st.integers(0, 4)), st.integers(0, 2))
def test_nothing_depends_on_the_block(drawn, alone):
    reference = drawn[:, ::-1, ::-1].copy()
    one = slice(alone, alone + 1)
    single = dataclasses.replace(look(drawn[one], reference[one], 5), streams=Streams.of(1, [alone]))
    for metric in ALL:
        whole, part = metric.measure(look(drawn, reference, 5)), metric.measure(single)
        assert list(whole) == list(metric.columns)
        for name, values in whole.items():
            assert values.shape == (3,)
            assert values.dtype == np.float64
            np.testing.assert_array_equal(values[one], part[name])
