"""The captioner names digits, says something about emoji, and goes on where it was stopped."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch")

from remission import SpecError
from remission.data import Dataset, Space
from remission.desk import Desk
from remission.errors import DataError, FitError
from remission.interfaces import Captioner as WritesCaptions
from remission.interfaces import Renderer, Sampling
from remission.models.captioner import Captioner
from remission.rng import Streams
from remission.sources.digits import Digits

DIGITS = Digits(captions=True)
SMALL = Captioner(width=8, steps=30, batch=16, warmup=3, precision="float32")
GREEDY = Sampling(top_k=1)


def block(items, space=DIGITS.space):
    return Dataset(space, items, np.zeros(items.shape[:2], np.int32))


def streams(*replicates):
    return Streams.of(7, replicates or [0]).at(1, "fit")


def shuffled(source, seed=0):
    items = source.items()
    return items[np.random.default_rng(seed).permutation(len(items))]


def test_it_names_nine_in_ten_digits_it_never_saw():
    items = shuffled(DIGITS)
    model = Captioner(width=16, steps=250, precision="float32")
    assert isinstance(model, WritesCaptions)
    state = model.fit(block(items[None, :1300]), streams())
    pictures, truth = items[None, 1300:, :64], items[1300:, 64]
    said = model.caption(state, pictures, streams(), GREEDY)
    assert said.shape == (1, 497, 1)
    assert said.dtype == np.int64
    assert (said[0, :, 0] == truth).mean() > 0.9
    best = model.caption(state, pictures, streams(), Sampling(beams=3))
    assert (best == said).mean() > 0.99, "of one word the most probable is the first of any search"
    drawn = model.caption(state, pictures, streams(), Sampling(temperature=3.0))
    assert (drawn[0, :, 0] == truth).mean() < (said[0, :, 0] == truth).mean()
    made = model.sample(state, 400, streams(), GREEDY)
    assert made.dtype == np.float64
    among = {picture.tobytes() for picture in items[:1300, :64].astype(np.float32)}
    assert {picture.tobytes() for picture in made[0, :, :64].astype(np.float32)} <= among
    assert 300 < len({picture.tobytes() for picture in made[0, :, :64]}) < 400, "drawn with replacement"


def f1(one, other):
    shared = []
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        left, right = (Counter(word for word in words if word) for words in (a, b))
        shared.append(2 * (left & right).total() / (left.total() + right.total()))
    return float(np.mean(shared))


def test_it_says_more_about_emoji_than_chance_would(shared, monkeypatch):
    from remission.sources.emoji import Emoji

    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    source = Emoji(pixels=8, tones=True, length=8)
    assert source.space.names[0] == "\n"
    items = shuffled(source)
    model = Captioner(width=32, steps=350, precision="float32")
    state = model.fit(block(items[None, :2900], source.space), streams())
    said = model.caption(state, items[None, 2900:, :192], streams(), GREEDY)[0]
    truth = items[2900:, 192:].astype(int)
    chance = f1(np.random.default_rng(1).permutation(said), truth)
    assert f1(said, truth) > 1.4 * chance
    assert f1(said, truth) > 0.2
    search = model.caption(state, items[None, 2900:3000, :192], streams(), Sampling(beams=3))[0]
    assert f1(search, truth[:100]) > 1.4 * chance


def test_replicates_do_not_see_each_other_and_nothing_is_left_to_chance():
    items = np.stack([shuffled(DIGITS, seed)[:80] for seed in range(3)])
    whole = SMALL.fit(block(items), streams(0, 1, 2))
    pictures = items[:, :30, :64]
    said = SMALL.caption(whole, pictures, streams(0, 1, 2), Sampling())
    for i in range(3):
        alone = SMALL.fit(block(items[i : i + 1]), streams(i))
        for name, tensor in alone.items():
            assert (tensor[0] == whole[name][i]).all(), name
        assert (SMALL.caption(alone, pictures[i : i + 1], streams(i), Sampling())[0] == said[i]).all()
    many = np.concatenate([pictures] * 20, axis=1)
    assert (
        SMALL.caption(whole, many, streams(0, 1, 2), GREEDY)[:, :30]
        == SMALL.caption(whole, pictures, streams(0, 1, 2), GREEDY)
    ).all()


class Impatient(Desk):
    """Stops the training right after something was saved."""

    due = True

    def save(self, tensors, name="work"):
        super().save(tensors, name)
        if name == "work" and int(tensors["step"]) == 25:
            raise KeyboardInterrupt

    def part(self, name):
        return type(self)(self.folder / name, self.every)


class Eager(Desk):
    """Saves whenever it may."""

    due = True

    def part(self, name):
        return type(self)(self.folder / name, self.every)


def test_a_stopped_training_goes_on(tmp_path):
    items = shuffled(DIGITS)[None, :100]
    model = Captioner(width=8, steps=60, batch=8, warmup=3, precision="float32")
    with pytest.raises(KeyboardInterrupt):
        model.fit_at(block(items), streams(), None, Impatient(tmp_path))
    assert list(tmp_path.rglob("*.safetensors"))
    went_on = model.fit_at(block(items), streams(), None, Eager(tmp_path))
    straight = model.fit(block(items), streams())
    assert all((tensor == straight[name]).all() for name, tensor in went_on.items())


def test_weights_are_drawn_by():
    items = np.concatenate([shuffled(DIGITS)[:300], shuffled(DIGITS)[:300]])[None]
    items[0, 300:, 64] = 0  # half of the items are called zero, and weigh nothing
    weight = np.repeat([1.0, 0.0], 300)[None]
    model = Captioner(width=12, steps=120, precision="float32")
    data = block(items)
    plain, weighted = (model.fit(Dataset(data.space, items, data.origin, w), streams()) for w in (None, weight))
    told = [model.caption(state, items[:, :300, :64], streams(), GREEDY)[0, :, 0] for state in (plain, weighted)]
    assert (told[1] == items[0, :300, 64]).mean() > 0.9 > 0.7 > (told[0] == items[0, :300, 64]).mean()
    heavy = np.zeros((1, 600))
    heavy[0, [3, 5]] = 1.0, 3.0
    made = model.sample(model.fit(Dataset(data.space, items, data.origin, heavy), streams()), 400, streams(), GREEDY)
    fifth = (made[0, :, :64] == items[0, 5, :64].astype(np.float32)).all(axis=1).mean()
    assert fifth == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 400))
    with pytest.raises(FitError, match="not all zero"):
        model.fit(Dataset(data.space, items, data.origin, -heavy), streams())


def test_captioner_and_renderer_feed_each_other():
    """One round by hand: each learns from what the other made, and pictures and words still belong together."""
    from remission.models.flow import Flow

    items = shuffled(DIGITS)
    real, held_out = items[None, :1200], items[None, 1200:]
    writer = Captioner(width=12, steps=150, precision="float32")
    artist = Flow(hidden=64, steps=400, batch=64, warmup=20, sampling_steps=6, precision="float32")
    assert isinstance(artist, Renderer)
    words, pictures = held_out[..., 64:].astype(np.int64), held_out[..., :64]

    def agreement(told, drawn):
        said = writer.caption(told, artist.render(drawn, words, streams(), Sampling()), streams(), GREEDY)
        return float((said == words).mean())

    told, drawn = writer.fit(block(real), streams()), artist.fit(block(real), streams())
    first = agreement(told, drawn)
    assert first > 0.6
    rendered = artist.render(drawn, real[..., 64:].astype(np.int64), streams(), Sampling())
    captioned = writer.caption(told, real[..., :64], streams(), Sampling())
    told = writer.fit(block(np.concatenate([rendered, real[..., 64:]], axis=2)), streams())
    drawn = artist.fit(block(np.concatenate([real[..., :64], captioned], axis=2)), streams())
    assert agreement(told, drawn) > 0.5
    assert (writer.caption(told, pictures, streams(), GREEDY) == words).mean() > 0.5, "it still knows real ones"


def test_a_warm_start_begins_with_the_previous_weights():
    items = shuffled(DIGITS)[None, :200]
    previous = SMALL.fit(block(items), streams())
    still = Captioner(width=8, steps=1, batch=1, warmup=0, rate=1e-12, weight_decay=0.0, precision="float32")
    warm = still.fit(block(items[:, :50]), streams(), previous)
    cold = still.fit(block(items[:, :50]), streams())
    name = "embedding.weight"
    assert np.allclose(warm[name], previous[name], atol=1e-6)
    assert not np.allclose(cold[name], previous[name], atol=1e-2)
    assert warm["pictures"].shape[1] == 50


@pytest.mark.parametrize(("side", "channels", "length"), [(5, 1, 1), (7, 2, 3), (8, 3, 2), (28, 1, 1), (32, 3, 4)])
def test_pictures_of_any_size(side, channels, length):
    space = Space("captioned", (side * side * channels + length,), 5, picture=(side, side), channels=channels)
    rng = np.random.default_rng(side)
    items = np.concatenate([rng.random((1, 6, space.pixels)), rng.integers(0, 5, (1, 6, length))], axis=2)
    model = Captioner(width=4, steps=3, batch=2, warmup=1, precision="float32")
    state = model.fit(block(items, space), streams())
    made = model.sample(state, 4, streams(), Sampling())
    assert made.shape == (1, 4, space.shape[0])
    assert ((made[..., space.pixels :] >= 0) & (made[..., space.pixels :] < 5)).all()


def test_one_item_will_do_and_unknown_words_will_not():
    state = SMALL.fit(block(shuffled(DIGITS)[None, :1]), streams())
    assert SMALL.sample(state, 3, streams(), GREEDY).shape == (1, 3, 65)
    for word in (10.0, -1.0, 2.5):
        items = shuffled(DIGITS)[None, :5].copy()
        items[0, 2, -1] = word
        with pytest.raises(DataError, match=r"outside 0 \.\. 9"):
            SMALL.fit(block(items), streams())


def test_contradictions_are_refused():
    with pytest.raises(SpecError, match="a warmup of 50 leaves nothing of 20 steps"):
        Captioner(steps=20, warmup=50)
    state = SMALL.fit(block(shuffled(DIGITS)[None, :5]), streams())
    with pytest.raises(SpecError, match="a beam search draws nothing, so top_k cannot"):
        SMALL.sample(state, 2, streams(), Sampling(beams=2, top_k=3))
