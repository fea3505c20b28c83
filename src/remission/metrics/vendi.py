"""Vendi score: the effective number of different items, for a profile of orders."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._features import Features, featured, pair, refusal
from remission.numerics.spectrum import vendi
from remission.view import View
from remission.world import World


class Vendi(Metric):
    """The exponential of the Renyi entropy of order q of the eigenvalues of K / n, K the similarity of unit rows.

    From 1 (all alike) to n. Column ``q<order>`` is the sample's score, ``q<order>-ratio`` that over the score of
    equally many reference items: 1 in health. Both fall in collapse; orders below 1 see rare kinds, inf only the most
    common one. For the linear kernel with n > d the d x d dual is used: the same number.

    Attributes:
        orders: the profile.
        kernel: ``linear`` (cosine) or ``rbf``.
        bandwidth: of ``rbf``, on rows of length 1.
        features: the ``items`` themselves, or features of pictures: ``classifier`` or ``random``, see ``frechet``.

    A row of zeros, such as a blank picture, has no direction: it counts as a kind of its own, like every other row of
    zeros and unlike everything else.

    Source: Friedman & Dieng (TMLR 2023), eq. 1; Pasarkar & Dieng (AISTATS 2024), eq. 5.

    >>> list(Vendi(orders=(1.0,)).columns)
    ['q1', 'q1-ratio']
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    sized: ClassVar[bool] = True

    orders: Annotated[tuple[Annotated[float, Meta(ge=0)], ...], Meta(min_length=1)] = (0.1, 1.0, 2.0, math.inf)
    kernel: Literal["linear", "rbf"] = "linear"
    bandwidth: Annotated[float, Meta(gt=0)] = 0.5
    features: Features = "items"

    @property
    def columns(self) -> dict[str, Direction]:  # type: ignore[override]
        """Two per order."""
        return {f"q{order:g}{end}": "falls" for order in self.orders for end in ("", "-ratio")}

    def _profiles(self, items: Floats) -> Floats:
        return np.array([vendi(_directed(points), self.orders, self.kernel, self.bandwidth) for points in items])

    def refuses(self, world: World) -> str:
        """Features that this world does not have."""
        return refusal(self.features, world)

    def prepare(self, view: View) -> tuple[Floats, Floats]:
        """The reference as points, and its profile at equal n, shape (r, orders)."""
        reference = featured(view, self.features, "reference")
        return reference, self._profiles(reference[:, : min(view.evaluation, reference.shape[1])])

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        reference, expected = view.prepared
        profile = self._profiles(pair(view, self.features, reference)[0])
        both = np.stack([profile, profile / expected], axis=2).reshape(view.replicates, -1)
        return dict(zip(self.columns, both.T, strict=True))


def _directed(points: Floats) -> Floats:
    """The points; rows of zeros point along an axis of their own."""
    blank = ~points.any(axis=1)
    return np.column_stack([points, blank]) if blank.any() else points
