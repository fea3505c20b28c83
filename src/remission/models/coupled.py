"""Several Gaussian models that train on each other's output: coordinate i of an item belongs to model i.

In collapse they become alike: the gap between their means shrinks to 1 - alpha of the gap between their private data,
while the average stays (Vu et al., arXiv 2505.21677; THEORY M1).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import Array, Dataset, Floats
from remission.errors import SpecError
from remission.interfaces import HasMoments, Model, Refusing, Sampling, State
from remission.rng import Streams
from remission.world import World


class Coupled(Model, HasMoments, Refusing):
    """N(mean_i, ``known``) for every coordinate i, each fitted in its mean alone, and sampled from one another.

    A coordinate of the source is the private real data of one model. When model i gets n synthetic items, n ``mixing``[i][j]
    of them (as nearly as whole numbers allow) are written by model j. So a regime ``fresh`` with ``share`` = 1 - alpha gives
    every model a share 1 - alpha of its own real data and alpha of the common pool. In collapse |mean - real mean| rises.

    Attributes:
        mixing: W, one row per model, each row summing to 1: whose output model i is trained on. Empty: everybody's, equally.
        known: the variance of every model, kept for ever.

    Raises:
        SpecError: rows that do not sum to 1; another number of rows than the source has coordinates.

    Source: the linear-Gaussian surrogate of Vu et al., arXiv 2505.21677 (ICLR 2026).

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> data = Dataset(Space("vector", (2,)), np.array([[[0.0, 5.0], [2.0, 5.0]]]), np.zeros((1, 2), np.int32))
    >>> Coupled().fit(data, None)
    array([[1., 5.]])
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"vector"})

    mixing: tuple[tuple[Annotated[float, Meta(ge=0, le=1)], ...], ...] = ()
    known: Annotated[float, Meta(gt=0)] = 1.0

    def check(self) -> None:
        """A square matrix whose rows are shares."""
        for row in self.mixing:
            if len(row) != len(self.mixing) or abs(sum(row) - 1.0) > 1e-9:
                raise SpecError(
                    f"coupled: 'mixing' has one row per model, with one share per model that sum to 1. Got {list(row)}."
                )

    def refuses(self, world: World) -> str:
        """A matrix for another number of models."""
        d = world.space.features
        if self.mixing and len(self.mixing) != d:
            return f"'mixing' is about {len(self.mixing)} models, and the source has {d} coordinates, one per model."
        return ""

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> Floats:
        """The mean of every coordinate (r, d)."""
        return np.asarray(np.ascontiguousarray(data.items, np.float64).mean(axis=1))

    def sample(self, state: Floats, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Items (r, n, d) whose coordinate i is written by the models that model i learns from."""
        r, d = state.shape
        out = np.sqrt(self.known) * streams.normals(n * d).reshape(r, n, d)
        weights = np.array(self.mixing) if self.mixing else np.full((d, d), 1.0 / d)
        for i in range(d):
            ends = np.round(np.cumsum(weights[i]) * n).astype(int)
            out[:, :, i] += state[:, np.searchsorted(ends, np.arange(n), side="right").clip(max=d - 1)]
        return out

    def moments(self, state: Floats) -> tuple[Floats, Floats]:
        """Mean (r, d) and covariance (r, d, d) of the models side by side."""
        r, d = state.shape
        return state, np.broadcast_to(self.known * np.eye(d), (r, d, d))
