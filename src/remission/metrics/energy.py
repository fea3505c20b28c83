"""Energy distance to the reference, in any dimension, without a bandwidth."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.numerics.discrepancy import energy_distance
from remission.view import View


class Energy(Metric):
    """sqrt(2 E|x - y| - E|x - x'| - E|y - y'|) of sample x and reference y.

    In the root of the data's unit; 0 when equal; rises in collapse. By sorting in one dimension, else over all pairs.

    Source: Szekely & Rizzo, "Energy statistics" (JSPI 143:1249, 2013), eq. 5.

    >>> Energy().label
    'energy'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    def measure(self, view: View) -> dict[str, Floats]:
        """One column, shape (r,)."""
        return {
            "": np.array([energy_distance(sample, reference) for sample, reference in zip(*view.pair(), strict=True)])
        }
