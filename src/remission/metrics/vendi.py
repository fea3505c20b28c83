"""Vendi score: the effective number of different items, for a profile of orders."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.numerics.spectrum import vendi
from remission.view import View


class Vendi(Metric):
    """The exponential of the Renyi entropy of order q of the eigenvalues of K / n, K the similarity of unit rows.

    From 1 (all alike) to n. Column ``q<order>`` is the sample's score, ``q<order>-ratio`` that over the score of
    equally many reference items: 1 in health. Both fall in collapse; orders below 1 see rare kinds, inf only the most
    common one. For the linear kernel with n > d the d x d dual is used: the same number.

    Attributes:
        orders: the profile.
        kernel: ``linear`` (cosine) or ``rbf``.
        bandwidth: of ``rbf``, on rows of length 1.

    Raises DataError when a row is all zero: it has no direction.

    Source: Friedman & Dieng (TMLR 2023), eq. 1; Pasarkar & Dieng (AISTATS 2024), eq. 5.

    >>> list(Vendi(orders=(1.0,)).columns)
    ['q1', 'q1-ratio']
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    sized: ClassVar[bool] = True

    orders: Annotated[tuple[Annotated[float, Meta(ge=0)], ...], Meta(min_length=1)] = (0.1, 1.0, 2.0, math.inf)
    kernel: Literal["linear", "rbf"] = "linear"
    bandwidth: Annotated[float, Meta(gt=0)] = 0.5

    @property
    def columns(self) -> dict[str, Direction]:  # type: ignore[override]
        """Two per order."""
        return {f"q{order:g}{end}": "falls" for order in self.orders for end in ("", "-ratio")}

    def _profiles(self, items: Floats) -> Floats:
        return np.array([vendi(points, self.orders, self.kernel, self.bandwidth) for points in items])

    def prepare(self, view: View) -> Floats:
        """The profile of the reference at equal n, shape (r, orders)."""
        return self._profiles(view.reference[:, : min(view.evaluation, view.reference.shape[1])])

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        profile = self._profiles(view.pair()[0])
        both = np.stack([profile, profile / view.prepared], axis=2).reshape(view.replicates, -1)
        return dict(zip(self.columns, both.T, strict=True))
