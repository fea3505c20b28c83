"""Two interleaving half moons: a shape that no Gaussian mixture fits exactly."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Space
from remission.interfaces import GenerativeSource
from remission.laws import Law
from remission.rng import Streams
from remission.sources import _draws


class Moons(GenerativeSource):
    """(cos a, sin a) or (1 - cos a, 1/2 - sin a), half each, a uniform on [0, pi], plus noise * N(0, I).

    Items are vectors (2,), in the shape of scikit-learn's ``make_moons``. The moments are exact: with
    g = (1, 1/2 - 4/pi) between the two centres, cov = diag(1/2, 1/2 - 4/pi^2) + g g' / 4 + noise^2 I.

    Attributes:
        noise: standard deviation of the noise.

    >>> Moons(noise=0.0).law().mean
    array([0.5 , 0.25])
    """

    noise: Annotated[float, Meta(ge=0, le=1e100)] = 0.1

    @property
    def space(self) -> Space:
        """Points of the plane."""
        return Space("vector", (2,))

    def law(self) -> Law:
        """The exact first and second moments."""
        gap = np.array([1.0, 0.5 - 4 / math.pi])
        within = np.diag([0.5, 0.5 - 4 / math.pi**2])
        return Law(np.array([0.5, 0.25]), within + np.outer(gap, gap) / 4 + np.eye(2) * self.noise**2)

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh points (r, n, 2)."""
        out = np.empty((len(streams), n, 2))
        _draws.moons(*streams.words, streams.replicates, self.noise, out)
        return out
