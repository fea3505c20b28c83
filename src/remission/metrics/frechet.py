"""Frechet distance to the reference: the FID formula on the items' own coordinates, or on features of pictures."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._features import Features, featured, pair, refusal
from remission.numerics.frechet import frechet_distance
from remission.view import View
from remission.world import World


class Frechet(Metric):
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of sample and reference, covariances over n - 1.

    In squared units of the data, biased upwards by about d(d + 1) / n: equal n only. Rises in collapse, but never read
    it alone: a memorised set scores better than honest samples.

    Attributes:
        features: compare the ``items`` themselves; or 64 features of pictures: the layer before the last of a small
            ``classifier`` trained once on the real pictures (extra ``deep``), or fixed ``random`` convolutions.

    Source: Dowson & Landau (JMVA 12:450, 1982), eq. 4; Heusel et al. (NeurIPS 2017), eq. 6.

    >>> Frechet(features="random").label
    'frechet[features=random]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    features: Features = "items"

    def refuses(self, world: World) -> str:
        """Features that this world does not have."""
        return refusal(self.features, world)

    def prepare(self, view: View) -> Floats:
        """The reference, or its features."""
        return featured(view, self.features, "reference")

    def measure(self, view: View) -> dict[str, Floats]:
        """One column, shape (r,)."""
        pairs = zip(*pair(view, self.features, view.prepared), strict=True)
        return {"": np.array([frechet_distance(sample, reference) for sample, reference in pairs])}
