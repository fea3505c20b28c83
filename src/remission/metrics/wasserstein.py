"""Exact Wasserstein distance to the reference in one dimension."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.numerics.transport import wasserstein
from remission.view import View
from remission.world import World


class Wasserstein(Metric):
    """W_p between sample and reference, (integral of |F^-1 - G^-1|^p)^(1/p), exact.

    In the unit of the data; 0 when equal, about n^(-1/2) for two samples of one law (hence equal n). Rises in collapse.

    Attributes:
        p: the order, at least 1.

    Raises SpecError for more than one dimension: use ``sliced-wasserstein``.

    >>> Wasserstein(p=2).label
    'wasserstein[p=2]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    p: Annotated[float, Meta(ge=1)] = 1.0

    def refuses(self, world: World) -> str:
        """More than one dimension."""
        if world.space.features == 1:
            return ""
        return (
            f"it is exact and one-dimensional; items have {world.space.features} coordinates. Try sliced-wasserstein."
        )

    def measure(self, view: View) -> dict[str, Floats]:
        """One column, shape (r,)."""
        pairs = zip(*view.pair(), strict=True)
        return {"": np.array([wasserstein(sample, reference, self.p) for sample, reference in pairs])}
