"""Small Gaussians evenly on a circle: the classic picture of mode collapse."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import SpecError
from remission.interfaces import GenerativeSource
from remission.laws import MixtureLaw
from remission.rng import Streams
from remission.sources._draws import draw_clusters


class Ring(GenerativeSource):
    """x ~ sum_k share_k N(centre_k, spread^2 I), centre_k = radius (cos, sin)(2 pi k / modes), k = 0 .. modes - 1.

    Items are vectors (2,). Source: the ring of Srivastava et al., "VEEGAN", NeurIPS 2017, section 4.1 (8 modes).

    Attributes:
        modes: how many.
        radius: of the circle.
        spread: standard deviation of each mode.
        shares: the share of each mode (normalised to 1), so that some can be rare; empty: all equal.

    >>> law = Ring(modes=4).law()
    >>> law.centres.round(12) + 0.0
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1.,  0.],
           [ 0., -1.]])
    """

    modes: Annotated[int, Meta(ge=1, le=10_000)] = 8
    radius: Annotated[float, Meta(ge=0, le=1e100)] = 1.0
    spread: Annotated[float, Meta(gt=0, le=1e100)] = 0.05
    shares: tuple[Annotated[float, Meta(ge=0)], ...] = ()

    def check(self) -> None:
        """As many shares as modes, not all zero."""
        if self.shares and (len(self.shares) != self.modes or not 0 < sum(self.shares) < float("inf")):
            raise SpecError(
                f"ring: 'shares' must hold {self.modes} numbers (one per mode) with a positive finite sum, "
                f"or none for equal shares. Got {self.shares!r}."
            )

    @property
    def space(self) -> Space:
        """Points of the plane."""
        return Space("vector", (2,))

    def law(self) -> MixtureLaw:
        """The mixture with its exact moments."""
        return MixtureLaw.of(
            self._weights(), self._centres(), np.broadcast_to(np.eye(2) * self.spread**2, (self.modes, 2, 2))
        )

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh points (r, n, 2)."""
        return draw_clusters(n, streams, self._weights(), self._centres(), self.spread, 2)

    def _weights(self) -> Floats:
        shares = np.array(self.shares or (1.0,) * self.modes)
        return shares / shares.sum()

    def _centres(self) -> Floats:
        angles = 2 * np.pi * np.arange(self.modes) / self.modes
        return self.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
