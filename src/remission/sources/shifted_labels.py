"""A linear regression, a share of whose rows is labelled by other coefficients: synthetic labels of a model that is off."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Space
from remission.interfaces import GenerativeSource
from remission.laws import LinearLaw
from remission.rng import Streams
from remission.sources.linear_world import LinearWorld


class ShiftedLabels(GenerativeSource):
    """The rows of a linear world; for the loop, each is labelled by w + delta with probability ``rate``, |delta| = ``shift``.

    y = x . (w + z delta) + noise e, z = 0 or 1 drawn for every row. Only what the loop sees is shifted: the reference and
    ``law`` are those of the true coefficients w. Least squares then settles at w + rate delta, an excess error of
    (rate shift)^2 that no amount of data removes.

    Attributes:
        rate: the share of rows labelled wrongly, p2.
        shift: the length of delta, which points along the first covariate.
        dimensions, noise, norm, layout_seed: of the linear world.

    Source: strong collapse, Dohmatob et al., arXiv 2410.04840 (ICLR 2025); THEORY L4.

    >>> from remission.rng import Streams
    >>> source, streams = ShiftedLabels(rate=1.0, shift=2.0, dimensions=3), Streams.of(7, [0])
    >>> clean = source.sample(4, streams)
    >>> seen = source.corrupt(clean, streams)
    >>> bool(np.allclose(seen[..., -1] - clean[..., -1], 2 * clean[..., 0]))
    True
    """

    rate: Annotated[float, Meta(ge=0, le=1)] = 0.1
    shift: Annotated[float, Meta(ge=0, le=1e100)] = 1.0
    dimensions: Annotated[int, Meta(ge=1)] = 10
    noise: Annotated[float, Meta(ge=0, le=1e100)] = 1.0
    norm: Annotated[float, Meta(ge=0, le=1e100)] = 1.0
    layout_seed: Annotated[int, Meta(ge=0)] = 0

    @property
    def _world(self) -> LinearWorld:
        return LinearWorld(dimensions=self.dimensions, noise=self.noise, norm=self.norm, layout_seed=self.layout_seed)

    @property
    def space(self) -> Space:
        """The d covariates, then the response."""
        return self._world.space

    def law(self) -> LinearLaw:
        """The true coefficients, noise and the covariance of the covariates."""
        return self._world.law()

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh items (r, n, d + 1), labelled truly."""
        return self._world.sample(n, streams)

    def corrupt(self, items: Array, streams: Streams) -> Array:
        """Copies of items, some with the response of the shifted coefficients."""
        out = items.copy()
        shifted = streams.sub("shifted").uniforms(items.shape[1]) < self.rate
        out[..., -1] += np.where(shifted, self.shift * items[..., 0], 0.0)
        return out
