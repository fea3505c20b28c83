"""A small classifier of pictures: how sure it is, and features from its layer before the last."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from remission.desk import Desk, Tensors
from remission.networks.device import device, one_thread
from remission.networks.dice import Dice, seeded
from remission.networks.train import Plan, train
from remission.numerics.arrays import Array, Floats

FEATURES = 64  # numbers per picture of the layer before the last
FILTERS = 32  # of the first layer; twice as many in every later one
MOST = 64  # filters
SMALL = 4  # pixels: pictures are halved until no side is longer
HELD_OUT = 10  # one item in so many is kept out of training
PLAN = Plan(steps=1200, batch=128, rate=3e-3, warmup=50, floor=0.0, weight_decay=1e-2)
CHUNK = 256  # pictures per forward pass; the last one is filled up, so that every picture meets the same kernels

DESIGN = f"conv3/2 {FILTERS}..{MOST} to {SMALL}px silu, dense {FEATURES} silu, dense; {PLAN}; 1/{HELD_OUT} out; 1"


class Shape(NamedTuple):
    """Of a picture; its numbers lie in the order (height, width, channel)."""

    height: int
    width: int
    channels: int


class Exam(NamedTuple):
    """How the classifier did on the pictures it was not trained on.

    Attributes:
        accuracy: share that was right.
        confidence: mean probability of the class it named.
        pictures: how many there were.
    """

    accuracy: float
    confidence: float
    pictures: int


class Classifier(nn.Module):
    """Strided convolutions, a layer of features, and one number per class."""

    def __init__(self, shape: Shape, classes: int) -> None:
        """Initial weights from the state of torch."""
        super().__init__()
        self.shape = shape
        height, width, channels = shape
        layers: list[nn.Module] = []
        filters = FILTERS
        while not layers or max(height, width) > SMALL:
            layers += [nn.Conv2d(channels, filters, 3, stride=2, padding=1), nn.SiLU()]
            channels, filters = filters, min(2 * filters, MOST)
            height, width = (height + 1) // 2, (width + 1) // 2
        self.body = nn.Sequential(*layers)
        self.neck = nn.Linear(channels * height * width, FEATURES)
        self.head = nn.Linear(FEATURES, classes)

    def features(self, pictures: Tensor) -> Tensor:
        """(n, height * width * channels) in grey levels 0 .. 1 -> (n, FEATURES)."""
        height, width, channels = self.shape
        square = pictures.view(-1, height, width, channels).permute(0, 3, 1, 2)
        return functional.silu(self.neck(self.body(2 * square - 1).flatten(1)))

    def forward(self, pictures: Tensor) -> Tensor:
        """Log-odds (n, classes), up to a constant per picture."""
        return self.head(self.features(pictures))


def train_classifier(pictures: Tensor, classes: Tensor, shape: Shape, count: int) -> Tensors:
    """Weights of a classifier, and its exam under ``exam``. On the CPU and one thread: the same bits every time.

    Args:
        pictures: float32 (N, height * width * channels).
        classes: int64 (N,), 0 .. ``count`` - 1.
        shape: of a picture.
        count: how many classes.
    """
    with one_thread():
        with seeded(0):
            network = Classifier(shape, count)
        order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
        held = order[: max(1, len(order) // HELD_OUT)]
        kept = order[len(held) :]

        def draw(dice: Dice) -> tuple[Tensor, ...]:
            chosen = kept[dice.integers(len(kept), PLAN.batch)[0]]
            return pictures[chosen][None], classes[chosen][None]

        def loss(shown: Tensor, truth: Tensor) -> Tensor:
            return functional.cross_entropy(network(shown[0]), truth[0])[None]

        weights = train(network, loss, draw, PLAN, Dice([0]), Desk())
    _, chances = read(network, pictures[held].numpy())
    right = chances.argmax(axis=1) == classes[held].numpy()
    exam = [float(right.mean()), float(chances.max(axis=1).mean()), float(len(held))]
    return weights | {"exam": torch.tensor(exam, dtype=torch.float64)}


def trained(weights: Tensors, shape: Shape, count: int) -> tuple[Classifier, Exam]:
    """The classifier that has these weights, on the device, and its exam."""
    with seeded(0):
        network = Classifier(shape, count)
    weights = dict(weights)
    accuracy, confidence, pictures = weights.pop("exam").tolist()
    network.load_state_dict(weights)
    return network.requires_grad_(False).to(device()).eval(), Exam(accuracy, confidence, round(pictures))


def read(network: Classifier, pictures: Array) -> tuple[Floats, Floats]:
    """Features (n, FEATURES) and probabilities (n, classes), float64, of pictures (n, numbers).

    A picture gives the same bits wherever it stands and whatever else is read with it.
    """
    where = network.head.weight.device
    features, odds = np.empty((len(pictures), FEATURES)), np.empty((len(pictures), network.head.out_features))
    flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with one_thread(), torch.inference_mode(), flags:
        chunk = torch.zeros(CHUNK, pictures.shape[1])
        for start in range(0, len(pictures), CHUNK):
            part = pictures[start : start + CHUNK]
            chunk[: len(part)] = torch.from_numpy(np.array(part, np.float32))
            seen = network.features(chunk.to(where))
            features[start : start + CHUNK] = seen[: len(part)].cpu().numpy()
            odds[start : start + CHUNK] = network.head(seen)[: len(part)].cpu().numpy()
    odds -= odds.max(axis=1, keepdims=True)
    chances = np.exp(odds)
    return features, chances / chances.sum(axis=1, keepdims=True)
