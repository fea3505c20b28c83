"""Every real set loads through the mirror folder and is what was published."""

from __future__ import annotations

import numpy as np
import pytest

from remission.errors import DataError
from remission.sources._idx import read_idx
from remission.sources.adult import Adult
from remission.sources.digits import Digits
from remission.sources.fashion_mnist import FashionMnist
from remission.sources.mnist import Mnist
from remission.sources.names import Names
from remission.sources.tiny_shakespeare import TinyShakespeare
from remission.sources.wikitext_2 import Wikitext2
from remission.sources.wine_quality import WineQuality
from remission.spelling import spell


@pytest.fixture(autouse=True)
def mirror(shared, monkeypatch, tmp_path):
    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path))


def coherent(source):
    """Items are what the space says, finite, read-only and the same array at every call."""
    space, items = source.space, source.items()
    assert items.shape[1:] == space.shape
    assert items.dtype == space.dtype
    assert items is source.items()
    assert not items.flags.writeable
    assert np.isfinite(items).all()
    if space.names and space.size:
        assert len(space.names) == space.size
    return items


def test_digits():
    items = coherent(Digits())
    assert items.shape == (1797, 64)
    assert (items.min(), items.max()) == (0.0, 1.0)
    labelled = coherent(Digits(labels=True))
    assert (labelled[:, :-1] == items).all()
    assert np.bincount(labelled[:, -1].astype(int)).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.parametrize(("kind", "mean"), [(Mnist, 33.791), (FashionMnist, 73.147)])
def test_pictures(kind, mean):
    full = coherent(kind(split="test"))
    assert full.shape == (10_000, 784)
    assert full.mean() * 255 == pytest.approx(mean, abs=1e-3)
    assert full.max() == 1.0
    for pixels in (14, 7):
        small = coherent(kind(split="test", pixels=pixels, labels=True, limit=500))
        step = 28 // pixels
        expected = full[:500].reshape(500, pixels, step, pixels, step).mean(axis=(2, 4)).reshape(500, -1)
        assert np.allclose(small[:, :-1], expected)
        assert set(small[:, -1]) == set(range(10))
    both = coherent(kind(split="both", pixels=7, limit=60_001))
    assert np.allclose(both[-1], coherent(kind(split="test", pixels=7, limit=1))[0])


def test_mnist_labels_are_the_published_ones():
    assert coherent(Mnist(split="test", pixels=7, labels=True, limit=10))[:, -1].tolist() == [
        7,
        2,
        1,
        0,
        4,
        1,
        4,
        9,
        5,
        9,
    ]


def test_wikitext_has_the_published_number_of_tokens():
    items = coherent(Wikitext2(split="test", length=1))
    assert items.size == 245_569
    valid = Wikitext2(split="valid", length=1)
    assert coherent(valid).size == 217_646
    assert "<unk>" in valid.space.names
    small = Wikitext2(split="valid", vocabulary=1000)
    assert small.space.size == 1000
    assert small.space.names.count("<unk>") == 1
    start = spell(Wikitext2(split="valid").items()[0], Wikitext2(split="valid").space)
    assert start.startswith(
        "\n= Homarus gammarus =\n\nHomarus gammarus, known as the European lobster or common lobster, is"
    )
    assert coherent(Wikitext2(split="valid", level="character")).size > 10**6


def test_shakespeare():
    source = TinyShakespeare(length=100)
    assert coherent(source).shape == (11_153, 100)
    assert source.space.size == 65
    assert spell(source.items()[0], source.space).startswith(
        "First Citizen:\nBefore we proceed any further, hear me speak."
    )
    words = TinyShakespeare(level="word", lower=True, vocabulary=2000)
    assert coherent(words).size > 200_000
    assert words.space.size == 2000
    assert spell(words.items()[0], words.space).startswith(
        "first citizen: before we proceed any further, hear me speak.\n"
    )


def test_names():
    source = Names()
    assert coherent(source).size > 220_000
    assert source.space.size == 27
    assert spell(source.items()[0], source.space).startswith("emma\nolivia\nava\n")


def test_adult():
    items = coherent(Adult())
    assert items.shape == (48_842, 7)
    assert Adult().space.names == ("<=50K", ">50K")
    assert int(items[:, -1].sum()) == 11_687
    assert np.allclose(items[:, :-1].mean(axis=0), 0, atol=1e-9)
    assert np.allclose(items[:, :-1].std(axis=0), 1)
    raw = coherent(Adult(split="train", standardised=False, classes="race"))
    assert raw.shape == (32_561, 7)
    assert raw[0, 0] == 39.0
    assert Adult(classes="race").space.size == 5
    every = Adult(split="test", features="all", classes="none")
    assert coherent(every).shape[1] == len(every.space.names)
    places = [i for i, name in enumerate(every.space.names) if name.startswith("sex=")]
    assert (every.items()[:, places].sum(axis=1) == 1).all()


def test_wine():
    assert coherent(WineQuality()).shape == (4898, 11)
    labelled = WineQuality(score="class")
    assert np.bincount(coherent(labelled)[:, -1].astype(int)).tolist() == [20, 163, 1457, 2198, 880, 175, 5]
    assert labelled.space.names == ("3", "4", "5", "6", "7", "8", "9")
    response = WineQuality(score="response", standardised=False)
    assert coherent(response)[0].tolist() == [7, 0.27, 0.36, 20.7, 0.045, 45, 170, 1.001, 3, 0.45, 8.8, 6]
    assert response.space.kind == "regression"


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\x0d\1\0\0\0\1\0\0\0\0", b"\0\0\x08\1\0\0\0\3ab", b"\0\0\x08\3\0\0", b"\0\0\x08\0"]
)
def test_broken_idx_files_are_refused(data):
    with pytest.raises(DataError, match="fresh copy"):
        read_idx(data, "it")
