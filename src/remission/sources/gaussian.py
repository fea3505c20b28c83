"""Points from one Gaussian, in any dimension, with any equal correlation.

The world in which every closed form of the Gaussian model holds (THEORY rows G1-G14).
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import SpecError
from remission.interfaces import GenerativeSource
from remission.laws import NormalLaw
from remission.rng import Streams
from remission.sources import _draws

_Spread = Annotated[float, Meta(ge=0)]


class Gaussian(GenerativeSource):
    """x ~ N(mean, cov) with cov_ab = std_a std_b (correlation + (1 - correlation) [a = b]).

    Items are vectors (d,), drawn in O(d) through the symmetric root of the correlation matrix,
    sqrt(1 - rho) I + (sqrt(1 - rho + d rho) - sqrt(1 - rho)) / d 11'.

    Attributes:
        mean: one number for all coordinates, or one for each.
        std: standard deviation, likewise; 0 is a constant coordinate.
        dimensions: d.
        correlation: rho between any two coordinates, from -1 / (d - 1) to 1.

    Raises:
        SpecError: a list whose length is not ``dimensions``, a number that is not finite, an impossible correlation.

    >>> from remission.rng import Streams
    >>> world = Gaussian(mean=(1.0, 2.0), dimensions=2, correlation=0.5)
    >>> world.law().cov
    array([[1. , 0.5],
           [0.5, 1. ]])
    >>> world.sample(5, Streams.of(7, range(3))).shape
    (3, 5, 2)
    """

    mean: float | tuple[float, ...] = 0.0
    std: _Spread | tuple[_Spread, ...] = 1.0
    dimensions: Annotated[int, Meta(ge=1)] = 1
    correlation: Annotated[float, Meta(ge=-1, le=1)] = 0.0

    def check(self) -> None:
        """Lengths, finiteness, and a correlation that a covariance can have."""
        for key, value in (("mean", self.mean), ("std", self.std)):
            values = value if isinstance(value, tuple) else (value,)
            if isinstance(value, tuple) and len(value) != self.dimensions:
                raise SpecError(
                    f"gaussian: '{key}' has {len(value)} numbers for {self.dimensions} dimension(s). "
                    f"Give one number, or set dimensions = {len(value)}."
                )
            if not all(math.isfinite(number) for number in values):
                raise SpecError(f"gaussian: '{key}' must be finite. Got {value!r}.")
        if self.dimensions > 1 and self.correlation < -1 / (self.dimensions - 1) - 1e-12:
            low = -1 / (self.dimensions - 1)
            raise SpecError(
                f"gaussian: {self.dimensions} coordinates cannot all be correlated by {self.correlation}. "
                f"Give 'correlation' from {low:.6g} to 1."
            )

    @property
    def space(self) -> Space:
        """Vectors (d,)."""
        return Space("vector", (self.dimensions,))

    def law(self) -> NormalLaw:
        """The Gaussian itself."""
        std = self._filled(self.std)
        rho = self.correlation if self.dimensions > 1 else 0.0
        matrix = np.full((self.dimensions, self.dimensions), rho)
        np.fill_diagonal(matrix, 1.0)
        return NormalLaw(self._filled(self.mean), matrix * std[:, None] * std)

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh points (r, n, d)."""
        d = self.dimensions
        rho = self.correlation if d > 1 else 0.0
        own = math.sqrt(1 - rho)
        common = math.sqrt(max(1 - rho + d * rho, 0.0)) - own
        out = np.empty((len(streams), n, d))
        mean, std = self._filled(self.mean), self._filled(self.std)
        _draws.equicorrelated(*streams.words, streams.replicates, mean, std, own, common, out)
        return out

    def _filled(self, value: float | tuple[float, ...]) -> Floats:
        return np.array(value) if isinstance(value, tuple) else np.full(self.dimensions, float(value))
