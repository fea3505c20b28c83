"""Small worlds for the models of pictures and vectors, and short fits in them."""

from __future__ import annotations

import dataclasses

import numpy as np

from remission import Experiment
from remission.data import Array, Dataset, Space
from remission.interfaces import LongModel, Sampling
from remission.rng import Streams

PLAIN = Sampling()
SHADES = Space("captioned", (17,), size=2, names=("dark", "bright"), picture=(4, 4))


def streams(replicates: list[int] | range = range(2), purpose: str = "fit") -> Streams:
    return Streams.of(seed=3, replicates=replicates).at(1, purpose)


def dataset(space: Space, items: Array, weight: Array | None = None) -> Dataset:
    return Dataset(space, items, np.zeros(items.shape[:2], np.int32), weight)


def noises(r: int, n: int, d: int, seed: int = 0) -> Array:
    """Uniform numbers, others in every replicate and the same whatever r is."""
    return np.stack([np.random.default_rng([seed, i]).random((n, d)) for i in range(r)])


def pictures(r: int = 3, n: int = 40, side: int = 12, channels: int = 1) -> Dataset:
    """Squares of different places in grey."""
    space = Space("image", (side * side * channels,), picture=(side, side), channels=channels)
    items = 0.2 * noises(r, n, side * side * channels).reshape(r, n, side, side, channels)
    items[:, ::2, 2 : side // 2] += 0.8
    items[:, 1::2, :, side // 2 : side - 1] += 0.6
    return dataset(space, items.clip(0, 1).reshape(r, n, -1))


def shades(r: int = 2, n: int = 200, weight: Array | None = None) -> Dataset:
    """Pictures that are dark (caption 0, a quarter of them) or bright (caption 1)."""
    bright = np.arange(n) % 4 > 0
    light = np.where(bright, 0.7, 0.1)[None, :, None] + 0.2 * noises(r, n, 16)
    return dataset(SHADES, np.concatenate([light, np.broadcast_to(bright[None, :, None], (r, n, 1))], axis=2), weight)


def heaps(r: int = 2, n: int = 400) -> Dataset:
    """Points in two heaps, three quarters of them at (2, 0) with spread 0.3, the others at (-2, 1)."""
    out = np.empty((r, n, 2))
    for i in range(r):
        rng = np.random.default_rng([7, i])
        first = (np.arange(n) % 4 > 0)[:, None]
        out[i] = np.where(first, [2.0, 0.0], [-2.0, 1.0]) + 0.3 * rng.standard_normal((n, 2))
    return dataset(Space("vector", (2,)), out)


def same(one: dict, other: dict) -> bool:
    import torch

    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def experiment(
    model: LongModel, source: str = 'kind = "digits"', start: str = "scratch", sampling: str = ""
) -> Experiment:
    text = f"""
[experiment]
generations = 2
samples = 60
start = "{start}"
[source]
{source}
[model]
kind = "{model.name()}"
[regime]
kind = "replace"
{f"[sampling]{chr(10)}{sampling}" if sampling else ""}
"""
    return dataclasses.replace(Experiment.from_toml(text), model=model)
