"""A mixture of round Gaussians at random places: modes that can be lost."""

from __future__ import annotations

import functools
from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import SpecError
from remission.interfaces import GenerativeSource
from remission.laws import MixtureLaw
from remission.rng import Streams
from remission.sources._draws import draw_clusters, layout_streams

_CANDIDATES = 20  # Mitchell's best candidate: the farthest of this many proposals becomes the next centre


class Blobs(GenerativeSource):
    """x ~ sum_k share_k N(centre_k, spread^2 I).

    The centres are laid out at random, each the farthest of 20 normal proposals from those before it, moved so that
    their average is 0 and scaled so that the two nearest are ``separation`` standard deviations apart. The layout
    depends on ``layout_seed`` alone, never on the seed of an experiment.

    Attributes:
        components: k.
        dimensions: d.
        spread: standard deviation of each component.
        separation: the smallest distance between two centres, in units of ``spread``; 2 overlap, 8 hardly touch.
        shares: the share of each component (normalised to 1); empty: all equal.
        layout_seed: another number, another layout.

    >>> law = Blobs(components=3, separation=6.0).law()
    >>> law.weights.shape, law.centres.shape, law.spreads.shape
    ((3,), (3, 2), (3, 2, 2))
    >>> gaps = [float(np.linalg.norm(law.centres[i] - law.centres[j])) for i in range(3) for j in range(i)]
    >>> round(min(gaps), 9)
    6.0
    """

    components: Annotated[int, Meta(ge=1, le=2000)] = 5
    dimensions: Annotated[int, Meta(ge=1)] = 2
    spread: Annotated[float, Meta(gt=0, le=1e100)] = 1.0
    separation: Annotated[float, Meta(gt=0, le=1e100)] = 6.0
    shares: tuple[Annotated[float, Meta(ge=0)], ...] = ()
    layout_seed: Annotated[int, Meta(ge=0)] = 0

    def check(self) -> None:
        """As many shares as components, not all zero."""
        if self.shares and (len(self.shares) != self.components or not 0 < sum(self.shares) < float("inf")):
            raise SpecError(
                f"blobs: 'shares' must hold {self.components} numbers (one per component) with a positive finite sum, "
                f"or none for equal shares. Got {self.shares!r}."
            )

    @property
    def space(self) -> Space:
        """Vectors (d,)."""
        return Space("vector", (self.dimensions,))

    def law(self) -> MixtureLaw:
        """The mixture with its exact moments."""
        round_one = np.eye(self.dimensions) * self.spread**2
        spreads = np.broadcast_to(round_one, (self.components, self.dimensions, self.dimensions))
        return MixtureLaw.of(self._weights(), self._centres(), spreads)

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh points (r, n, d)."""
        return draw_clusters(n, streams, self._weights(), self._centres(), self.spread, self.dimensions)

    def _weights(self) -> Floats:
        shares = np.array(self.shares or (1.0,) * self.components)
        return shares / shares.sum()

    def _centres(self) -> Floats:
        unit = _unit_layout(self.components, self.dimensions, self.layout_seed)
        return unit * (self.separation * self.spread)


@functools.cache
def _unit_layout(components: int, dimensions: int, layout_seed: int) -> Floats:
    """Centres (k, d) of average 0 whose smallest distance is 1."""
    proposals = layout_streams(layout_seed).normals(components * _CANDIDATES * dimensions)
    proposals = proposals.reshape(components, _CANDIDATES, dimensions)
    centres = np.zeros((components, dimensions))
    if components == 1:
        return centres
    centres[0] = proposals[0, 0]
    nearest = np.inf
    for k in range(1, components):
        gaps = np.linalg.norm(proposals[k][:, None] - centres[None, :k], axis=2).min(axis=1)
        centres[k] = proposals[k, gaps.argmax()]
        nearest = min(nearest, float(gaps.max()))
    return (centres - centres.mean(axis=0)) / nearest
