"""Hill's tail index: how heavy the tail is, whatever its scale."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.numerics.tails import hill
from remission.view import View


class Hill(Metric):
    """Hill estimate xi of the tail of the distance to the real centre.

    With distances X_1 >= X_2 >= ... to the mean of the reference and k = floor(share n), xi is the mean of
    ln(X_i / X_{k+1}), i = 1..k. About 1 / alpha for a tail x^-alpha, towards 0 for a light one. The column ``""`` is
    xi of the sample, ``ratio`` that over the reference's, from equally many items. Both fall when tails are cut; a mere
    change of scale about the centre leaves them. NaN when k < 2 or more than 1 - share of the distances are zero.

    Attributes:
        share: the share of the farthest items that counts as the tail.

    Source: Hill (Annals of Statistics 3:1163, 1975), eq. 3.

    >>> Hill().label
    'hill'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"": "falls", "ratio": "falls"}
    sized: ClassVar[bool] = True

    share: Annotated[float, Meta(gt=0, lt=1)] = 0.1

    def measure(self, view: View) -> dict[str, Floats]:
        """Both columns, shape (r,)."""
        value, ratio = np.empty(view.replicates), np.empty(view.replicates)
        for i, (sample, reference) in enumerate(zip(*view.pair(), strict=True)):
            centre = reference[0] + (reference - reference[0]).mean(axis=0)
            value[i], real = (
                hill(np.sqrt(((points - centre) ** 2).sum(axis=1)), self.share) for points in (sample, reference)
            )
            ratio[i] = value[i] / real if real else np.nan
        return {"": value, "ratio": ratio}
