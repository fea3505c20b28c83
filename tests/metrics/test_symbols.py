"""Metrics of symbols: exact values, expectations known in closed form, edge cases, blocks."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from remission.data import Dataset, Space
from remission.errors import DataError, SpecError
from remission.interfaces import HasDensity, HasProbabilities, Model, Sampling
from remission.laws import CategoricalLaw
from remission.metrics.divergence import Divergence
from remission.metrics.entropy import Entropy
from remission.metrics.heterozygosity import Heterozygosity
from remission.metrics.max_share import MaxShare
from remission.metrics.perplexity import Perplexity
from remission.metrics.types import Types
from remission.metrics.unseen import Unseen
from remission.metrics.zipf_slope import ZipfSlope
from remission.numerics import counts
from remission.rng import Streams
from remission.view import View

ALL = [
    Types(), Types(of="sample"), Heterozygosity(), Heterozygosity(of="sample", estimator="nei"), Entropy(),
    Entropy(of="training", estimator="miller-madow"), Divergence(), Divergence(of="sample"), Unseen(), MaxShare(),
    ZipfSlope(), ZipfSlope(of="sample", method="ranks"), Perplexity(),
]  # fmt: skip


class Given(Model, HasProbabilities, HasDensity):
    """A state that holds the probabilities and what was drawn."""

    def fit(self, data, streams, previous=None):
        raise NotImplementedError

    def sample(self, state, n, streams, sampling):
        return state.drawn[:, :n]

    def probabilities(self, state):
        return state.p

    def log_density(self, state, items):
        with np.errstate(divide="ignore"):
            return np.log(np.take_along_axis(state.p, items, axis=1))


class Unknowing(Model):
    """A model of symbols without probabilities."""

    def fit(self, data, streams, previous=None):
        raise NotImplementedError

    def sample(self, state, n, streams, sampling):
        return state.drawn[:, :n]


def look(p, drawn=None, *, real=None, reference=None, law=None, model=None, training=None, weight=None):
    p = np.atleast_2d(np.asarray(p, float))
    r, size = p.shape
    drawn = np.zeros((r, 4), np.int64) if drawn is None else np.atleast_2d(drawn)
    reference = np.tile(np.arange(size), (r, 1)) if reference is None else np.atleast_2d(reference)
    space = Space("symbols", (), size=size)
    held = None
    if training is not None:
        held = Dataset(space, np.atleast_2d(training), np.zeros(np.atleast_2d(training).shape, np.int32), weight)
    return View(
        generation=1, space=space, law=None if law is None else CategoricalLaw(np.asarray(law, float)),
        reference=reference, real=reference if real is None else real, model=model or Given(),
        state=SimpleNamespace(p=p, drawn=drawn), sampling=Sampling(), training=held, evaluation=drawn.shape[1],
        streams=Streams.of(1, range(r)),
    )  # fmt: skip


def test_types_by_hand():
    view = look([0.5, 0.5, 0.0, 0.0], law=[0.4, 0.3, 0.2, 0.1])
    out = Types().measure(view)
    assert {name: value[0] for name, value in out.items()} == pytest.approx(
        {"alive": 2, "recall": 0.5, "rare-recall": 0.0, "tail": 0.0, "lost": 0.3}
    )
    assert Types(rare=0.75).measure(view)["rare-recall"][0] == pytest.approx(1 / 3)
    assert Types(rare=0.75).measure(view)["tail"][0] == pytest.approx(0.5 / 0.6)
    sampled = Types(of="sample").measure(look([1.0] + [0.0] * 3, [0, 0, 3], reference=[0, 1, 3]))
    assert (sampled["alive"][0], sampled["recall"][0]) == (2, pytest.approx(2 / 3))


def test_reality_without_a_law_is_the_reference():
    out = Types().measure(look([0.5, 0.5, 0.0], reference=[0, 0, 0, 2]))
    assert out["recall"][0] == 0.5
    assert out["lost"][0] == 0.25
    assert Divergence().measure(look([0.5, 0.5], reference=[0, 0, 1, 1]))["kl"][0] == 0.0


def test_a_sample_is_compared_with_as_many_reference_items():
    out = Types(of="sample").measure(look([0.5, 0.5, 0.0], [0, 1], reference=[0, 1, 2, 2]))
    assert (out["recall"][0], out["lost"][0]) == (1.0, 0.0)
    assert Types().measure(look([0.5, 0.5, 0.0], [0, 1], reference=[0, 1, 2, 2]))["lost"][0] == 0.5


def test_divergence_by_hand_and_infinite():
    out = Divergence().measure(look([1.0, 0.0], law=[0.5, 0.5]))
    assert out["kl"][0] == np.inf
    assert out["reverse"][0] == pytest.approx(np.log(2))
    assert out["tv"][0] == 0.5
    assert out["js"][0] == pytest.approx(0.75 * np.log(4 / 3))


def test_one_symbol_left():
    view = look([1.0, 0.0, 0.0], [0, 0, 0])
    assert Heterozygosity().measure(view)[""][0] == 0.0
    assert Entropy().measure(view)[""][0] == 0.0
    assert MaxShare().measure(view)[""][0] == 1.0
    assert np.isnan(ZipfSlope().measure(view)[""][0])
    assert {name: value[0] for name, value in Unseen().measure(view).items()} == {"mass": 0, "chao1": 1, "hapax": 0}


def test_a_sample_of_one_and_none():
    one = look([0.5, 0.5], [0], reference=[0])
    assert np.isnan(Heterozygosity(of="sample", estimator="nei").measure(one)[""][0])
    assert Unseen().measure(one)["mass"][0] == 1.0
    none = look([0.5, 0.5], np.zeros((1, 0), np.int64))
    assert all(np.isnan(value[0]) for value in Divergence(of="sample").measure(none).values())
    assert np.isnan(Unseen().measure(none)["hapax"][0])
    assert Unseen().measure(none)["chao1"][0] == 0


def test_tiny_variance_is_exact():
    assert counts.heterozygosity(np.array([1 - 1e-12, 1e-12])) == pytest.approx(2e-12, rel=1e-4)


def test_weighted_training_set():
    weight = np.array([[3.0, 1.0]])
    view = look([0.5, 0.5], training=[0, 1], weight=weight)
    assert MaxShare(of="training").measure(view)[""][0] == 0.75
    with pytest.raises(SpecError, match="weighted"):
        Heterozygosity(of="training", estimator="nei").measure(view)


def test_refusals():
    with pytest.raises(SpecError, match="fast path"):
        MaxShare(of="training").measure(look([0.5, 0.5]))
    with pytest.raises(SpecError, match="of = 'sample'"):
        MaxShare(of="model").measure(look([0.5, 0.5], model=Unknowing()))
    with pytest.raises(SpecError, match="miller-madow"):
        Entropy(estimator="miller-madow")
    with pytest.raises(SpecError, match="nei"):
        Heterozygosity(estimator="nei", of="model")
    with pytest.raises(DataError, match=r"0 \.\. 1"):
        Unseen().measure(look([0.5, 0.5], [0, 7]))
    with pytest.raises(DataError, match="agree"):
        Types().measure(look([0.5, 0.5], law=[0.2, 0.3, 0.5]))


def test_automatic_takes_the_sample_of_an_unknowing_model():
    view = look([1.0, 0.0], [0, 1], model=Unknowing())
    assert Heterozygosity().measure(view)[""][0] == 0.5
    assert Heterozygosity().samples is False
    assert Heterozygosity(of="sample").samples is True


def within(values, expected):
    error = values.std(ddof=1) / np.sqrt(values.size)
    return abs(values.mean() - expected) <= 4 * error


def zipf(types, exponent=1.0):
    p = np.arange(1, types + 1) ** -exponent
    return p / p.sum()


def test_heterozygosity_follows_wright_and_fisher():
    rng, p, n, fits = np.random.default_rng(5), zipf(20), 40, 6
    states = np.tile(p, (4000, 1))
    for _ in range(fits):
        states = rng.multinomial(n, states) / n
    measured = Heterozygosity().measure(look(states))[""]
    expected = (1 - (p**2).sum()) * (1 - 1 / n) ** fits
    assert within(measured, expected)
    assert not within(measured, 1.1 * expected)


def test_sample_estimators_in_expectation():
    rng, p, n = np.random.default_rng(6), zipf(30), 60
    drawn = np.stack([rng.choice(30, n, p=p) for _ in range(4000)])
    view = look(np.tile(p, (4000, 1)), drawn, reference=drawn)
    het = 1 - (p**2).sum()
    assert within(Heterozygosity(of="sample", estimator="nei").measure(view)[""], het)
    assert within(Heterozygosity(of="sample").measure(view)[""], het * (1 - 1 / n))
    assert not within(Heterozygosity(of="sample").measure(view)[""], het)
    mass = (p * (1 - p) ** (n - 1)).sum()
    assert within(Unseen().measure(view)["mass"], mass)
    assert not within(Unseen().measure(view)["mass"], 1.1 * mass)
    alive = (1 - (1 - p) ** n).sum()
    assert within(Types(of="sample").measure(view)["alive"], alive)
    truth = -(p * np.log(p)).sum()
    plain = Entropy(of="sample").measure(view)[""].mean() - truth
    mended = Entropy(of="sample", estimator="miller-madow").measure(view)[""].mean() - truth
    assert abs(mended) < 0.5 * abs(plain)


@pytest.mark.parametrize("exponent", [0.4, 1.0, 2.5])
def test_zipf_slope_is_exact_on_its_law(exponent):
    view = look(zipf(200, exponent)[::-1].copy())
    assert ZipfSlope().measure(view)[""][0] == pytest.approx(exponent, rel=1e-9)
    assert ZipfSlope(method="ranks").measure(view)[""][0] == pytest.approx(exponent, rel=1e-9)


def test_zipf_likelihood_is_the_maximum():
    from scipy.optimize import minimize_scalar

    found = np.array([50, 30, 11, 9, 3, 1, 1, 1, 0])
    ranks = np.log(np.arange(1, 9))
    best = minimize_scalar(
        lambda s: s * (found[:8] * ranks).sum() + found.sum() * np.log(np.exp(-s * ranks).sum()),
        bounds=(0, 5), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    assert counts.zipf_exponent(found) == pytest.approx(best.x, abs=1e-6)
    assert counts.zipf_exponent(found, "ranks") == pytest.approx(-np.polyfit(ranks, np.log(found[:8]), 1)[0])
    assert counts.zipf_exponent(np.ones(7)) == pytest.approx(0.0, abs=1e-12)


def test_perplexity_of_symbols():
    view = look(np.full(4, 0.25), reference=[0, 1, 2, 3])
    assert Perplexity().measure(view)[""][0] == pytest.approx(4.0)
    lost = Perplexity().measure(look([0.5, 0.5, 0.0, 0.0], reference=[0, 1, 1, 2]))
    assert {name: value[0] for name, value in lost.items()} == pytest.approx(
        {"": np.inf, "nll": np.inf, "impossible": 0.25, "possible": 2.0}
    )


@given(arrays(np.int64, (3, 25), elements=st.integers(0, 7)), st.integers(0, 2))
def test_nothing_depends_on_the_block(drawn, alone):
    p = np.stack([np.bincount(row, minlength=8) / 25 for row in drawn])
    reference = drawn[:, ::-1].copy()
    together = look(p, drawn, reference=reference, training=drawn)
    single = dataclasses.replace(
        look(p[alone], drawn[alone], reference=reference[alone], training=drawn[alone]), streams=Streams.of(1, [alone])
    )
    for metric in ALL:
        whole, part = metric.measure(together), metric.measure(single)
        assert list(whole) == list(metric.columns)
        for name, values in whole.items():
            assert values.shape == (3,)
            np.testing.assert_array_equal(values[alone : alone + 1], part[name])


@given(arrays(np.float64, 6, elements=st.floats(0, 1)), arrays(np.float64, 6, elements=st.floats(0, 1)))
def test_laws_of_divergences(one, other):
    if one.sum() < 1e-3 or other.sum() < 1e-3:
        return
    p, q = one / one.sum(), other / other.sum()
    js, tv, kl = counts.jensen_shannon(p, q), counts.total_variation(p, q), counts.kullback_leibler(p, q)
    assert js == pytest.approx(counts.jensen_shannon(q, p), abs=1e-12)
    assert -1e-12 <= js <= np.log(2) + 1e-12
    assert kl >= 2 * tv**2 - 1e-9  # Pinsker
    assert counts.kullback_leibler(p, p) == 0.0
