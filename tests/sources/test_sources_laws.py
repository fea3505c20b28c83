"""Every generative source draws from the law it states, whatever the block size."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.errors import SpecError
from remission.interfaces import FiniteSource, GenerativeSource
from remission.laws import CategoricalLaw, ClassesLaw, Law, LinearLaw
from remission.registry import load, names
from remission.rng import Streams
from remission.sources.blobs import Blobs
from remission.sources.classes import Classes
from remission.sources.digits import Digits
from remission.sources.gaussian import Gaussian
from remission.sources.linear_world import LinearWorld
from remission.sources.moons import Moons
from remission.sources.noisy_labels import NoisyLabels
from remission.sources.ring import Ring
from remission.sources.zipf import Zipf

STREAMS = Streams.of(11, range(20)).at(1, "real")

SOURCES = [
    Gaussian(),
    Gaussian(mean=1e8, std=1e-2),
    Gaussian(mean=(1.0, -2.0, 3.0), std=(1.0, 0.5, 2.0), dimensions=3, correlation=0.7),
    Gaussian(dimensions=4, correlation=-0.3, mean=1.0),
    Blobs(components=4, dimensions=3, shares=(4, 3, 2, 1)),
    Ring(shares=(1, 0, 2, 1, 1, 1, 1, 1), spread=0.1),
    Moons(),
    Zipf(types=12, shift=2.7),
    Zipf(p=(0.5, 0.2, 0.3)),
    Classes(shares=(0.7, 0.3), dimensions=3, norm=2.0),
    Classes(shares=(0.2, 0.3, 0.1, 0.4), dimensions=3),
    LinearWorld(dimensions=4, noise=0.5),
]
IDS = [f"{i}-{source.name()}" for i, source in enumerate(SOURCES)]


def within(values, truth, size=4.0):
    """Whether the mean of independent values (N, ...) is within 4 standard errors of the truth, everywhere."""
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return bool((np.abs(values.mean(axis=0) - truth) <= size * error + 1e-12).all())


def moments_agree(points, mean, cov):
    gap = points - mean
    return within(gap, 0.0) and within(gap[:, :, None] * gap[:, None, :], cov)


def agrees(law, items, factor=1.0):
    """The oracle: do items (N, *item) follow the law, its spread (or first share) multiplied by ``factor``?"""
    if isinstance(law, CategoricalLaw):
        p = law.p.copy()
        p[0] *= factor
        return within((items[:, None] == np.arange(p.size)).astype(float), p)
    if isinstance(law, ClassesLaw):
        label = items[:, -1]
        fine = within((label[:, None] == np.arange(law.shares.size)).astype(float), law.shares)
        parts = [items[label == c, :-1] for c in range(law.shares.size)]
        return fine and all(moments_agree(x, m, law.cov * factor) for x, m in zip(parts, law.means, strict=True))
    if isinstance(law, LinearLaw):
        x, y = items[:, :-1], items[:, -1]
        rest = y - x @ law.coefficients
        fine = moments_agree(x, np.zeros(x.shape[1]), law.cov) and within(x * rest[:, None], 0.0)
        return fine and within(rest**2, factor * law.noise**2)
    assert isinstance(law, Law)
    return moments_agree(items, law.mean, law.cov * factor)


@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_items_follow_the_law(source):
    items = source.sample(2000, STREAMS)
    assert items.shape == (20, 2000, *source.space.shape)
    assert items.dtype == source.space.dtype
    flat = items.reshape(-1, *source.space.shape)
    assert agrees(source.law(), flat)
    assert not agrees(source.law(), flat, 1.1)
    assert not agrees(source.law(), flat, 1 / 1.1)


@pytest.mark.parametrize("source", SOURCES, ids=IDS)
def test_draws_depend_on_the_name_alone(source):
    whole = source.sample(7, STREAMS)
    assert (whole == source.sample(7, STREAMS)).all()
    for i in (0, 13):
        assert (source.sample(7, STREAMS.only(i))[0] == whole[i]).all()
    assert (whole[0] != whole[1]).any()
    assert (whole != source.sample(7, STREAMS.at(2, "real"))).any()
    assert source.sample(1, STREAMS).shape == (20, 1, *source.space.shape)


def test_distributions():
    from scipy.stats import kstest

    normal = Gaussian(mean=3.0, std=2.0).sample(1000, STREAMS).ravel()
    assert kstest(normal, "norm", (3.0, 2.0)).pvalue > 1e-4
    assert kstest(normal, "norm", (3.0, 2.2)).pvalue < 1e-4
    points = Moons(noise=0.0).sample(1000, STREAMS).reshape(-1, 2)
    upper = np.isclose((points**2).sum(axis=1), 1.0) & (points[:, 1] >= 0)
    angles = np.arctan2(points[upper, 1], points[upper, 0])
    assert kstest(angles, "uniform", (0, np.pi)).pvalue > 1e-4
    assert kstest(angles, "uniform", (0, 1.1 * np.pi)).pvalue < 1e-4
    assert np.allclose(((points[~upper] - [1, 0.5]) ** 2).sum(axis=1), 1.0)


def test_ring_leaves_an_empty_mode_empty():
    ring = Ring(modes=4, spread=1e-3, shares=(1, 0, 1, 2))
    points = ring.sample(1000, STREAMS).reshape(-1, 2)
    nearest = np.linalg.norm(points[:, None] - ring.law().centres, axis=2).argmin(axis=1)
    assert within((nearest[:, None] == np.arange(4)).astype(float), [0.25, 0, 0.25, 0.5])
    assert not (nearest == 1).any()


def test_the_zipf_of_the_anchor_table():
    p = Zipf(types=100, shift=2.7).law().p
    assert 1 - (1 - (p**2).sum()) * (1 - 1 / 200) ** 10 == pytest.approx(0.07262, abs=5e-6)
    assert np.allclose(Zipf(types=5, exponent=0.0).law().p, 0.2)
    assert Zipf(types=3, exponent=100.0).law().p[0] == pytest.approx(1.0)


def test_the_best_classifier_of_two_classes():
    from scipy.special import ndtr

    items = Classes(dimensions=20, norm=0.8).sample(2000, STREAMS).reshape(-1, 21)
    right = ((items[:, 0] > 0) == (items[:, -1] == 1)).astype(float)
    assert within(right, ndtr(0.8))
    assert not within(right, ndtr(0.88))


@given(st.integers(2, 9), st.integers(1, 9), st.floats(0.1, 10))
def test_class_means_are_equally_far_apart(count, extra, norm):
    means = Classes(shares=(1.0,) * count, dimensions=count - 2 + extra, norm=norm).law().means
    gram = means @ means.T / norm**2
    assert np.allclose(gram, np.where(np.eye(count) > 0, 1.0, -1 / (count - 1)))


@given(st.integers(2, 12), st.integers(1, 5), st.integers(0, 99), st.floats(0.5, 20))
def test_blobs_keep_their_distance(components, dimensions, layout_seed, separation):
    blobs = Blobs(
        components=components, dimensions=dimensions, layout_seed=layout_seed, separation=separation, spread=0.3
    )
    centres = blobs.law().centres
    gaps = np.linalg.norm(centres[:, None] - centres, axis=2)[np.triu_indices(components, 1)]
    assert gaps.min() == pytest.approx(separation * 0.3)
    assert np.allclose(centres.mean(axis=0), 0, atol=1e-9)
    assert not np.allclose(centres, Blobs(components=components, dimensions=dimensions, layout_seed=100).law().centres)


@given(st.integers(1, 6), st.floats(0, 1))
def test_every_allowed_correlation_is_a_covariance(d, share):
    low = -1 / (d - 1) if d > 1 else -1.0
    law = Gaussian(dimensions=d, correlation=low + share * (1 - low)).law()
    assert np.linalg.eigvalsh(law.cov).min() > -1e-9


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Gaussian(mean=(1.0, 2.0)), "dimensions = 2"),
        (lambda: Gaussian(std=-1.0), ">= 0"),
        (lambda: Gaussian(mean=float("nan")), "finite"),
        (lambda: Gaussian(dimensions=3, correlation=-0.6), "-0.5 to 1"),
        (lambda: Blobs(shares=(1.0,)), "5 numbers"),
        (lambda: Ring(modes=2, shares=(0.0, 0.0)), "positive"),
        (lambda: Zipf(p=(0.5, 0.4)), "sums to 0.9"),
        (lambda: Zipf(p=(0.5, 0.5), exponent=2.0), "remove exponent"),
        (lambda: Classes(shares=(1.0,)), "at least 2"),
        (lambda: Classes(shares=(1.0,) * 5, dimensions=3), "at least 4"),
        (lambda: NoisyLabels(base=Gaussian(), rate=2.0), "<= 1"),
        (lambda: replace(NoisyLabels(base=Classes()), base=Digits(labels=True)), "Make a new"),
        (lambda: Ring(spread=float("inf")), "1e"),
        (lambda: Moons(noise=float("nan")), ">= 0"),
        (lambda: NoisyLabels(base=Gaussian()).space, "no class to flip"),
    ],
)
def test_impossible_fields_are_refused(make, says):
    with pytest.raises(SpecError, match=says):
        make()


@pytest.mark.parametrize("base", [Classes(shares=(1, 1, 1)), Digits(labels=True)])
def test_noisy_labels_over_either_flavour(base):
    source = NoisyLabels(base=base, rate=0.3)
    assert isinstance(source, FiniteSource) == isinstance(base, FiniteSource)
    assert isinstance(source, GenerativeSource) == isinstance(base, GenerativeSource)
    assert source.name() == "noisy-labels"
    assert load("sources", "noisy-labels") is NoisyLabels
    assert pickle.loads(pickle.dumps(source)) == source
    assert hash(source) == hash(NoisyLabels(base=base, rate=0.3))
    if isinstance(base, FiniteSource):
        clean = np.stack([source.items()] * 20)
        assert source.items() is base.items()
    else:
        clean = source.sample(2000, STREAMS)
        assert (clean == base.sample(2000, STREAMS)).all()
    before = clean.copy()
    seen = source.corrupt(clean, STREAMS)
    assert (clean == before).all()
    assert (seen[..., :-1] == clean[..., :-1]).all()
    step = ((seen - clean)[..., -1] % source.space.size).ravel()
    others = source.space.size - 1
    expected = np.array([0.7, *[0.3 / others] * others])
    found = (step[:, None] == np.arange(others + 1)).astype(float)
    assert within(found, expected)
    assert not within(found, np.array([0.67, *[0.33 / others] * others]))
    assert (seen[3] == source.corrupt(clean[3:4], STREAMS.only(3))[0]).all()


def test_noise_of_rate_zero_changes_nothing():
    base = Classes()
    clean = base.sample(50, STREAMS)
    assert (NoisyLabels(base=base, rate=0.0).corrupt(clean, STREAMS) == clean).all()
    assert (base.corrupt(clean, STREAMS) == clean).all()


def test_all_are_registered():
    assert set(names("sources")) >= {
        "gaussian", "blobs", "ring", "moons", "zipf", "classes", "linear-world", "noisy-labels", "digits", "prose",
        "file", "mnist", "fashion-mnist", "wikitext-2", "tiny-shakespeare", "names", "adult", "wine-quality",
    }  # fmt: skip
    for name in names("sources"):
        assert load("sources", name).name() == name
