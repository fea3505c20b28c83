"""A linear regression with known coefficients and noise."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.interfaces import GenerativeSource
from remission.laws import LinearLaw
from remission.rng import Streams
from remission.sources import _draws


class LinearWorld(GenerativeSource):
    """y = x . w + noise e, with x ~ N(0, I) in d dimensions and e ~ N(0, 1) independent.

    The direction of w is uniform on the sphere and depends on ``layout_seed`` alone. Items are (d + 1,): the
    covariates, then y. The world of the regression laws (THEORY rows L1-L4; Gerstgrasser et al., arXiv 2404.01413).

    Attributes:
        dimensions: d.
        noise: standard deviation of the response around its mean.
        norm: length of w.
        layout_seed: another number, another direction.

    >>> law = LinearWorld(dimensions=3).law()
    >>> round(float(law.coefficients @ law.coefficients), 12), law.noise
    (1.0, 1.0)
    """

    dimensions: Annotated[int, Meta(ge=1)] = 10
    noise: Annotated[float, Meta(ge=0, le=1e100)] = 1.0
    norm: Annotated[float, Meta(ge=0, le=1e100)] = 1.0
    layout_seed: Annotated[int, Meta(ge=0)] = 0

    @property
    def space(self) -> Space:
        """The d covariates, then the response."""
        return Space("regression", (self.dimensions + 1,))

    def law(self) -> LinearLaw:
        """Coefficients, noise and the covariance of the covariates."""
        return LinearLaw(self._coefficients(), self.noise, np.eye(self.dimensions))

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh items (r, n, d + 1)."""
        out = np.empty((len(streams), n, self.dimensions + 1))
        _draws.linear(*streams.words, streams.replicates, self._coefficients(), self.noise, out)
        return out

    def _coefficients(self) -> Floats:
        direction = _draws.layout_streams(self.layout_seed).normals(self.dimensions)[0]
        return self.norm * direction / np.linalg.norm(direction)
