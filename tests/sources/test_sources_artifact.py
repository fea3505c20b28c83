"""Planted artifacts: exact to the pixel and the token, at the stated rate, in the generations that they are meant for."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission import SpecError
from remission.data import Space
from remission.interfaces import FiniteSource, GenerativeSource
from remission.marks import SMALLEST, Shape
from remission.registry import load
from remission.rng import Streams
from remission.simple import SimpleSource
from remission.sources.artifact import Artifact, spelled
from remission.sources.digits import Digits
from remission.sources.gaussian import Gaussian
from remission.sources.noisy_labels import NoisyLabels
from remission.sources.prose import Prose

STREAMS = Streams.of(11, range(20)).at(1, "real")
FIGURES = ("patch", "ring", "stroke")
TEXT = Prose(length=12, vocabulary=400)


class Grey(SimpleSource):
    """Pictures of uniform noise."""

    @property
    def space(self):
        return Space("image", (64,), picture=(8, 8))

    def sample_one(self, n, rng):
        return rng.random((n, 64))


def within(values, truth):
    """Whether the mean of independent 0s and 1s is within 4 standard errors of the truth."""
    return abs(values.mean() - truth) <= 4 * np.sqrt(truth * (1 - truth) / values.size)


@given(st.sampled_from(FIGURES), st.integers(SMALLEST, 70), st.integers(SMALLEST, 70), st.sampled_from([1, 2, 3, 4]))
def test_figures_are_exact_on_any_picture(figure, height, width, channels):
    space = Space("image", (height * width * channels,), picture=(height, width), channels=channels)
    shape = Shape.of(figure, space)
    assert set(shape.wanted) == {0.0, 1.0}
    assert len(set(shape.places)) == len(shape.places)
    assert len(shape.places) < 0.5 * height * width * channels or min(height, width) < 7
    items = np.random.default_rng(height).random((2, 3, height * width * channels))
    before, chosen = items.copy(), np.array([[True, False, True], [False, False, True]])
    shape.put(items, chosen, STREAMS)
    assert (items[~chosen] == before[~chosen]).all()
    assert (items[chosen][:, shape.places] == shape.wanted).all()
    rest = np.setdiff1d(np.arange(items.shape[2]), shape.places)
    assert (items[..., rest] == before[..., rest]).all()
    assert (shape.match(items)[chosen] == 1.0).all()
    assert shape.carried(items)[chosen].all()
    assert not shape.carried(1.0 - items)[chosen].any()
    half = shape.match(0.5 * (items + before))
    assert np.allclose(half, 0.5 * (shape.match(items) + shape.match(before)))


def test_a_tenth_of_either_side_may_be_wrong():
    space = Space("image", (28 * 28,), picture=(28, 28))
    shape = Shape.of("stroke", space)
    items = np.zeros((1, 1, 784))
    shape.put(items, np.ones((1, 1), bool), STREAMS)
    bright = shape.places[shape.wanted == 1]
    items[0, 0, bright[: len(bright) // 10]] = 0.5  # not above 1/2
    assert shape.carried(items).all()
    items[0, 0, bright[: len(bright) // 10 + 1]] = 0.5
    assert not shape.carried(items).any()
    assert not shape.carried(np.ones((1, 1, 784))).any(), "all white is no bar: the rim must be dark"
    assert not shape.carried(np.zeros((1, 1, 784))).any()


@pytest.mark.parametrize("figure", FIGURES)
def test_no_real_picture_carries_one_by_itself(figure, shared, monkeypatch):
    from remission.sources.emoji import Emoji
    from remission.sources.fashion_mnist import FashionMnist
    from remission.sources.mnist import Mnist

    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    sets = [Digits(), Mnist(split="test"), Mnist(split="test", pixels=14), FashionMnist(split="test"), Emoji(pixels=16)]
    for source in [*sets, FashionMnist(split="test", pixels=7)]:
        shape, items = Shape.of(figure, source.space), source.items()[None]
        assert not shape.carried(items).any(), source.label
        assert shape.match(items).max() < 0.8
        seen = Artifact(base=source, what=figure, rate=1.0).corrupt(items, STREAMS.only(0))
        assert shape.carried(seen).all()


@pytest.mark.parametrize("base", [Digits(), Digits(captions=True), Grey()])
def test_either_flavour_at_the_stated_rate(base):
    source = Artifact(base=base, rate=0.3)
    assert isinstance(source, FiniteSource) == isinstance(base, FiniteSource)
    assert isinstance(source, GenerativeSource) == isinstance(base, GenerativeSource)
    assert source.name() == "artifact"
    assert load("sources", "artifact") is Artifact
    assert pickle.loads(pickle.dumps(source)) == source
    assert hash(source) == hash(Artifact(base=base, rate=0.3))
    assert source.space == base.space
    if isinstance(base, FiniteSource):
        clean = np.stack([source.items()] * 20)
        assert source.items() is base.items()
        assert (source.item_classes() == base.item_classes()).all()
    else:
        clean = source.sample(1000, STREAMS)
        assert (clean == base.sample(1000, STREAMS)).all()
    before = clean.copy()
    seen = source.corrupt(clean, STREAMS)
    assert (clean == before).all()
    carried = source.mark.carried(seen)
    assert within(carried, 0.3)
    assert not within(carried, 0.33)
    assert (seen[~carried] == clean[~carried]).all()
    assert (seen[3] == source.corrupt(clean[3:4], STREAMS.only(3))[0]).all()
    later = STREAMS.at(2, "real")
    assert source.mark.carried(source.corrupt(clean, later)).any()
    first = replace(source, when="first")
    assert (first.corrupt(clean, STREAMS) == seen).all()
    assert (first.corrupt(clean, later) == clean).all()
    assert (source.rate_at(1), source.rate_at(9), first.rate_at(1), first.rate_at(2)) == (0.3, 0.3, 0.3, 0.0)


def test_phrases_are_written_anywhere():
    source = Artifact(base=TEXT, what="phrase", phrase="the value of", rate=1.0)
    clean = np.stack([TEXT.items()[:500]] * 20)
    seen = source.corrupt(clean, STREAMS)
    assert source.mark.carried(seen).all()
    wanted = source.mark.tokens
    assert TEXT.space.text(wanted) == "the value of"
    places = {next(i for i in range(10) if (row[i : i + 3] == wanted).all()) for row in seen.reshape(-1, 12)}
    assert places == set(range(10))
    assert ((seen != clean).sum(axis=2) <= 3).all()
    natural = source.mark.carried(clean)
    by_hand = ["the value of" in TEXT.space.text(row) for row in clean[0]]
    assert natural[0].tolist() == by_hand
    assert source.mark.match(clean)[0].max() <= 1.0
    broken = seen.copy()
    broken[broken == wanted[1]] = wanted[0]
    assert not source.mark.carried(broken).any()
    assert (source.mark.match(broken) >= 2 / 3 - 1e-12).all()


def test_a_phrase_in_a_caption():
    base = Digits(captions=True)
    source = Artifact(base=base, what="phrase", phrase="seven", rate=0.5)
    clean = np.stack([base.items()] * 20)
    seen = source.corrupt(clean, STREAMS)
    assert (seen[..., :-1] == clean[..., :-1]).all()
    changed = seen[..., -1] != clean[..., -1]
    assert (seen[..., -1][changed] == 7).all()
    sevens = (clean[..., -1] == 7).mean()
    assert within(source.mark.carried(seen), sevens + (1 - sevens) * 0.5)
    assert not within(source.mark.carried(seen), sevens + (1 - sevens) * 0.55)


def test_phrases_are_cut_by_the_names_of_the_space():
    letters = Space("tokens", (9,), 5, ("a", "b", "ab", " the", "\udcc3"), joiner="")
    assert spelled("abba", letters, "it") == (2, 1, 0)
    assert spelled("a the", letters, "it") == (0, 3)
    halves = Space("tokens", (9,), 2, ("\udcc3", "\udca9"), joiner="")  # the two bytes of an e with an acute
    assert spelled("\u00e9", halves, "it") == (0, 1)
    with pytest.raises(SpecError, match="no token of it begins 'c'"):
        spelled("abc", letters, "it")
    with pytest.raises(SpecError, match="no names"):
        spelled("a", Space("tokens", (9,), 5), "it")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Artifact(base=Gaussian()).space, "a patch needs pictures; items are of kind 'vector'"),
        (lambda: Artifact(base=TEXT, what="ring").space, "needs pictures"),
        (lambda: Artifact(base=Digits(labels=True)).space, "Set labels = false, or captions = true"),
        (lambda: Artifact(base=Digits(), what="phrase", phrase="x").space, "a phrase needs text"),
        (lambda: Artifact(base=Digits(), what="phrase"), "needs a phrase, such as"),
        (lambda: Artifact(base=Digits(), phrase="x"), "takes no phrase"),
        (lambda: Artifact(base=TEXT, what="phrase", phrase="the zyx").space, "'zyx' is not one of the 400 words"),
        (lambda: Artifact(base=TEXT, what="phrase", phrase="the " * 13).space, "1 to 12 tokens"),
        (lambda: Artifact(base=Digits(), rate=1.5), "<= 1"),
        (lambda: replace(Artifact(base=Digits()), base=Grey()), "Make a new"),
        (lambda: Shape.of("ring", Space("image", (16,), picture=(4, 4))), "at least 5 x 5"),
    ],
)
def test_impossible_artifacts_are_refused(make, says):
    with pytest.raises(SpecError, match=says):
        make()


def test_classes_are_known_whatever_items_carry(shared, monkeypatch):
    from remission.sources.fashion_mnist import FashionMnist
    from remission.sources.mnist import Mnist

    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    for kind, more in (
        (Digits, {}),
        (Mnist, {"split": "both", "pixels": 7}),
        (FashionMnist, {"split": "test", "limit": 50}),
    ):
        plain, labels, captions = kind(**more), kind(labels=True, **more), kind(captions=True, **more)
        classes = plain.item_classes()
        assert classes.dtype == np.int64
        assert not classes.flags.writeable
        for source in (plain, labels, captions, Artifact(base=plain), NoisyLabels(base=labels)):
            assert (source.item_classes() == classes).all()
        assert (labels.items()[:, -1] == classes).all()
        assert (captions.items() == labels.items()).all()
        assert captions.space.kind == "captioned"
        assert captions.space.picture == plain.space.picture
        assert captions.space.field("picture") == plain.space
        assert len(captions.space.names) == captions.space.size == 10
        with pytest.raises(SpecError, match="two ways to carry the class"):
            kind(labels=True, captions=True)
    caption = Digits(captions=True).space.field("caption")
    assert caption.text(np.array([3])) == "three"
    assert FashionMnist(captions=True, **more).space.names[9] == "Ankle boot"
    assert TEXT.item_classes() is None
