"""Frechet distance to the reference: the FID formula on the items' own coordinates."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.numerics.frechet import frechet_distance
from remission.view import View


class Frechet(Metric):
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of sample and reference, covariances over n - 1.

    In squared units of the data, biased upwards by about d(d + 1) / n: equal n only. Rises in collapse, but never read
    it alone: a memorised set scores better than honest samples.

    Source: Dowson & Landau (JMVA 12:450, 1982), eq. 4; Heusel et al. (NeurIPS 2017), eq. 6.

    >>> Frechet().label
    'frechet'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    def measure(self, view: View) -> dict[str, Floats]:
        """One column, shape (r,)."""
        return {
            "": np.array([frechet_distance(sample, reference) for sample, reference in zip(*view.pair(), strict=True)])
        }
