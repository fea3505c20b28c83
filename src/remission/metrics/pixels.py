"""Pixel statistics: grey levels, spread across pictures, contrast, sharpness, empty and saturated pixels."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import Floats
from remission.interfaces import Direction, Metric
from remission.numerics.counts import total_variation
from remission.numerics.pictures import PixelStatistics, pixel_statistics
from remission.view import View


class Pixels(Metric):
    """What pictures look like without asking what they show; a ratio is that of the sample over that of the reference.

    ============= ==============================================================================================
    ``mean``      grey level of the sample, 0 .. 1
    ``spread``    mean over pixels of the standard deviation across pictures, ratio: falls when pictures get alike
    ``contrast``  mean over pictures of the standard deviation across their pixels, ratio
    ``sharpness`` mean squared difference of neighbouring pixels, ratio: falls for blur, rises for noise
    ``empty``     share of the values of the sample within ``edge`` of 0
    ``full``      share within ``edge`` of 1: saturated
    ``outside``   share beyond 0 .. 1 by more than ``edge``: no grey level at all; rises
    ``levels``    total variation between the shares of 16 classes of grey levels, in [0, 1]; rises
    ============= ==============================================================================================

    Ratios are 1 in health, NaN where the reference has none of it. Spread and levels move a little with n: equal n.

    Attributes:
        edge: how near to 0 or 1 a value counts as empty or full.

    >>> list(Pixels.columns)[:4]
    ['mean', 'spread', 'contrast', 'sharpness']
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"image"})
    columns: ClassVar[dict[str, Direction]] = {
        "mean": "either", "spread": "falls", "contrast": "either", "sharpness": "either", "empty": "either",
        "full": "either", "outside": "rises", "levels": "rises",
    }  # fmt: skip
    sized: ClassVar[bool] = True

    edge: Annotated[float, Meta(ge=0, lt=0.5)] = 1 / 64

    def _each(self, items: Floats, view: View) -> list[PixelStatistics]:
        height, width = view.space.picture or (1, view.space.features)
        return [pixel_statistics(pictures, (height, width, view.space.channels), self.edge) for pictures in items]

    def prepare(self, view: View) -> list[PixelStatistics]:
        """Statistics of the reference at equal n."""
        return self._each(view.reference[:, : min(view.evaluation, view.reference.shape[1])], view)

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        found, real = self._each(view.pair()[0], view), view.prepared
        out = {name: np.array([getattr(one, name) for one in found]) for name in self.columns if name != "levels"}
        for name in ("spread", "contrast", "sharpness"):
            expected = np.array([getattr(one, name) for one in real])
            with np.errstate(invalid="ignore", divide="ignore"):
                out[name] = np.where(expected > 0, out[name] / expected, np.nan)
        pairs = zip(found, real, strict=True)
        return out | {"levels": np.array([float(total_variation(one.levels, other.levels)) for one, other in pairs])}
