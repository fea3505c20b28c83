"""The classifier of pictures: learns, gives the same bits every time, and reads each picture on its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from remission.networks import classifier
from remission.networks.classifier import CHUNK, FEATURES, Classifier, Shape, read, train_classifier, trained
from remission.networks.dice import seeded

SHAPE = Shape(8, 8, 1)


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    pictures, classes = load_digits(return_X_y=True)
    return torch.from_numpy((pictures / 16).astype(np.float32)), torch.from_numpy(classes.astype(np.int64))


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return train_classifier(*digits(), SHAPE, 10)


def short(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setattr(classifier, "PLAN", dataclasses.replace(classifier.PLAN, steps=steps))


def test_it_learns_and_its_exam_is_honest(weights) -> None:
    network, exam = trained(weights, SHAPE, 10)
    pictures, classes = digits()
    held = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))[: len(pictures) // 10]
    _, chances = read(network, pictures[held].numpy())
    assert exam.pictures == len(held) == 179
    assert exam.accuracy == (chances.argmax(axis=1) == classes[held].numpy()).mean()
    assert exam.accuracy >= 0.97
    assert exam.confidence == pytest.approx(chances.max(axis=1).mean(), abs=1e-12)


def test_features_say_more_of_the_class_than_pixels(weights) -> None:
    """A linear rule learns the class from 50 pictures better on features than on pixels."""
    network, _ = trained(weights, SHAPE, 10)
    pictures, classes = digits()
    features, _ = read(network, pictures.numpy())
    scores = [
        LogisticRegression(max_iter=5000).fit(points[:50], classes[:50]).score(points[50:], classes[50:])
        for points in (features, pictures.numpy())
    ]
    assert scores[0] > 0.93 > 0.87 > scores[1]


def test_the_same_bits_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the state of torch outside, and however many threads it has there."""
    short(monkeypatch, 20)
    one = train_classifier(*digits(), SHAPE, 10)
    threads = torch.get_num_threads()
    torch.manual_seed(77)
    torch.set_num_threads(2)
    try:
        other = train_classifier(*digits(), SHAPE, 10)
    finally:
        torch.set_num_threads(threads)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_held_out_pictures_do_not_reach_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch, 5)
    pictures, classes = digits()
    held = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))[: len(pictures) // 10]
    spoilt = pictures.clone()
    spoilt[held] = torch.rand(len(held), 64)
    one, other = train_classifier(pictures, classes, SHAPE, 10), train_classifier(spoilt, classes, SHAPE, 10)
    assert all(torch.equal(one[name], other[name]) for name in one if name != "exam")
    assert not torch.equal(one["exam"], other["exam"])
    seen = pictures.clone()
    seen[torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))[len(held) :]] = 0.5
    assert not torch.equal(one["neck.weight"], train_classifier(seen, classes, SHAPE, 10)["neck.weight"])


def test_a_picture_reads_the_same_anywhere(weights) -> None:
    network, _ = trained(weights, SHAPE, 10)
    pictures = digits()[0][: CHUNK + 3].numpy().astype(np.float64)
    features, chances = read(network, pictures)
    for i in (0, 7, CHUNK - 1, CHUNK, CHUNK + 2):
        alone, alone_chances = read(network, pictures[i : i + 1])
        assert np.array_equal(features[i], alone[0])
        assert np.array_equal(chances[i], alone_chances[0])
    assert features.dtype == np.float64
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-12)


def test_read_is_the_network(weights) -> None:
    network, _ = trained(weights, SHAPE, 10)
    pictures = digits()[0][:40]
    with torch.no_grad():
        expected = torch.softmax(network(pictures).double(), dim=1).numpy()
        features = network.features(pictures).numpy()
    seen, chances = read(network, pictures.numpy())
    np.testing.assert_allclose(seen, features, atol=1e-5)
    np.testing.assert_allclose(chances, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [Shape(1, 1, 1), Shape(3, 5, 1), Shape(7, 7, 3), Shape(4, 40, 1), Shape(64, 64, 3)])
def test_pictures_of_any_size(shape: Shape) -> None:
    with seeded(1):
        network = Classifier(shape, 3).eval()
    pictures = np.random.default_rng(0).random((2, shape.height * shape.width * shape.channels))
    features, chances = read(network, pictures)
    assert features.shape == (2, FEATURES)
    assert chances.shape == (2, 3)
    assert np.isfinite(features).all()


def test_channels_lie_last() -> None:
    """A red picture differs from a blue one, and the order is (height, width, channel)."""
    with seeded(1):
        network = Classifier(Shape(4, 4, 3), 2).eval()
    pictures = np.random.default_rng(0).random((1, 4, 4, 3))
    with torch.no_grad():
        mapped = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2)
        expected = torch.nn.functional.silu(network.neck(network.body(2 * mapped - 1).flatten(1)))
    np.testing.assert_allclose(read(network, pictures.reshape(1, -1))[0], expected.numpy(), atol=1e-6)


def test_mnist_in_few_steps(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    from remission.sources.mnist import Mnist

    short(monkeypatch, 150)
    source = Mnist(limit=4000)
    shown = torch.from_numpy(source.items().astype(np.float32))
    _, exam = trained(
        train_classifier(shown, torch.from_numpy(source.item_classes().copy()), Shape(28, 28, 1), 10),
        Shape(28, 28, 1),
        10,
    )
    assert exam.accuracy > 0.93


@pytest.mark.slow
def test_all_of_mnist(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least 97.5 % of the test set, with more than nine in ten of it above 0.9."""
    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    from remission.sources.mnist import Mnist

    source, test = Mnist(), Mnist(split="test")
    shown = torch.from_numpy(source.items().astype(np.float32))
    found = train_classifier(shown, torch.from_numpy(source.item_classes().copy()), Shape(28, 28, 1), 10)
    _, chances = read(trained(found, Shape(28, 28, 1), 10)[0], test.items())
    assert (chances.argmax(axis=1) == test.item_classes()).mean() >= 0.975
    assert (chances.max(axis=1) > 0.9).mean() > 0.9
