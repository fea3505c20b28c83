"""Labelled Gaussian classes: the world of verified and generated labels."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import SpecError
from remission.interfaces import GenerativeSource
from remission.laws import ClassesLaw
from remission.rng import Streams
from remission.sources._draws import draw_clusters


class Classes(GenerativeSource):
    r"""Class c with probability share_c; features x ~ N(mean_c, spread^2 I); the label is the last column.

    All class means have length ``norm`` and lie as far from each other as they can: two classes at -norm and +norm
    along the first axis, so that x ~ N(y mu, I) with y = -1, +1 and \|mu\| = norm, on which the best classifier is
    right with probability Phi(norm / spread) (Feng et al., arXiv 2406.07515); more classes at the corners of a
    regular simplex, or evenly on a circle in two dimensions.

    Attributes:
        shares: probability of each class (normalised to 1); their number is the number of classes.
        dimensions: d; c classes need c - 1, or 2.
        norm: length of every class mean, in the units of x.
        spread: standard deviation of every feature within a class.

    >>> Classes(shares=(0.9, 0.1), norm=2.0).law().means
    array([[-2.,  0.],
           [ 2.,  0.]])
    >>> three = Classes(shares=(1, 1, 1), dimensions=2).law().means
    >>> bool(np.allclose(three @ three.T, [[1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]]))
    True
    """

    shares: tuple[Annotated[float, Meta(ge=0)], ...] = (0.5, 0.5)
    dimensions: Annotated[int, Meta(ge=1)] = 2
    norm: Annotated[float, Meta(ge=0, le=1e100)] = 1.0
    spread: Annotated[float, Meta(gt=0, le=1e100)] = 1.0

    def check(self) -> None:
        """At least two classes, and room for their means."""
        count = len(self.shares)
        if count < 2 or not 0 < sum(self.shares) < float("inf"):
            raise SpecError(
                f"classes: 'shares' must hold at least 2 numbers with a positive finite sum. Got {self.shares!r}."
            )
        if self.dimensions < count - 1 and self.dimensions != 2:
            raise SpecError(
                f"classes: {count} classes equally far apart do not fit into {self.dimensions} dimension(s). "
                f"Set dimensions to 2 (a circle) or at least {count - 1}."
            )

    @property
    def space(self) -> Space:
        """The d features, then the class."""
        return Space("labelled", (self.dimensions + 1,), size=len(self.shares))

    def law(self) -> ClassesLaw:
        """Shares, means and the common covariance."""
        return ClassesLaw(self._shares(), self._means(), np.eye(self.dimensions) * self.spread**2)

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh labelled items (r, n, d + 1)."""
        return draw_clusters(n, streams, self._shares(), self._means(), self.spread, self.dimensions + 1)

    def _shares(self) -> Floats:
        shares = np.array(self.shares)
        return shares / shares.sum()

    def _means(self) -> Floats:
        count = len(self.shares)
        means = np.zeros((count, self.dimensions))
        if self.dimensions >= count - 1:
            means[:, : count - 1] = -_simplex(count)
        else:
            angles = 2 * np.pi * np.arange(count) / count
            means[:] = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return self.norm * means + 0.0  # no minus zero


def _simplex(count: int) -> Floats:
    """Corners (count, count - 1) of a regular simplex on the unit sphere."""
    corners = np.zeros((count, count - 1))
    for a in range(count - 1):
        corners[a, a] = np.sqrt(1 - (corners[a, :a] ** 2).sum())
        corners[a + 1 :, a] = (-1 / (count - 1) - corners[a, :a] @ corners[a, :a]) / corners[a, a]
    return corners
