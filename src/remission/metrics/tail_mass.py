"""Share of the sample beyond the real quantiles: the first thing that collapse takes."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.laws import NormalLaw
from remission.numerics.tails import Whitening, mahalanobis, tail_mass, whitening, whitening_of
from remission.view import View


class TailMass(Metric):
    """Share of the sample in the real tails, at thresholds that never move.

    In one dimension ``lower`` and ``upper`` are the shares below the real q-quantile and above the (1 - q)-quantile,
    ``mass`` their sum. In d dimensions ``lower`` and ``upper`` are means over the coordinates, and ``mass`` is the
    share beyond the (1 - 2q)-quantile of the real Mahalanobis distance. ``ratio`` = mass / the same share of the real
    law: 1 in health, 0 when the tails are gone, above 1 when they are too heavy. All shares in [0, 1]; they fall in
    collapse.

    Quantiles are exact for a normal law, else those of the reference; every column is NaN when the reference has fewer
    than 1 / q items, for then it has no such quantile.

    Attributes:
        q: the tail on either side, 0.01 by default.

    >>> TailMass(q=0.05).label
    'tail-mass[q=0.05]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"lower": "falls", "upper": "falls", "mass": "falls", "ratio": "falls"}

    q: Annotated[float, Meta(gt=0, lt=0.5)] = 0.01

    def prepare(self, view: View) -> list[tuple[Any, ...]]:
        """Thresholds per replicate; a single entry serves all when the law is known."""
        if isinstance(view.law, NormalLaw):
            return [self._exact(view.law)]
        return [self._empirical(np.asarray(points, np.float64)) for points in view.reference]

    def _exact(self, law: NormalLaw) -> tuple[Any, ...]:
        from scipy.special import chdtri, ndtri

        d, half = law.mean.size, -float(ndtri(self.q)) * np.sqrt(np.diag(law.cov))
        reach = math.sqrt(float(chdtri(d, 2 * self.q)))
        return law.mean - half, law.mean + half, whitening(law.mean, law.cov), reach, 2 * self.q

    def _empirical(self, points: Floats) -> tuple[Any, ...]:
        low, high = np.quantile(points, [self.q, 1 - self.q], axis=0)
        if points.shape[0] * self.q < 1:
            low, high = low * math.nan, high * math.nan
        white = whitening_of(points)
        far = mahalanobis(points, white)
        reach = float(np.quantile(far, 1 - 2 * self.q))
        beyond = sum(tail_mass(points[:, 0], low[0], high[0])) if points.shape[1] == 1 else np.mean(far > reach)
        return low, high, white, reach, float(beyond)

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        out = np.full((4, view.replicates), math.nan)
        for i, points in enumerate(np.asarray(view.sample, np.float64)):
            low, high, white, reach, expected = view.prepared[min(i, len(view.prepared) - 1)]
            if not np.isnan(low).any():
                out[:, i] = self._one(points, low, high, white, reach, expected)
        return dict(zip(self.columns, out, strict=True))

    def _one(
        self, points: Floats, low: Floats, high: Floats, white: Whitening, reach: float, expected: float
    ) -> tuple[float, ...]:
        d = points.shape[1]
        sides = [tail_mass(points[:, a], low[a], high[a]) for a in range(d)]
        lower, upper = (math.fsum(side) / d for side in zip(*sides, strict=True))
        mass = lower + upper if d == 1 else float(np.mean(mahalanobis(points, white) > reach))
        return lower, upper, mass, mass / expected if expected else math.nan
