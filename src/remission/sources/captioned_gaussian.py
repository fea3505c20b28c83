"""Captions with one-pixel pictures: the smallest world in which text and pictures can train on each other."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import SpecError
from remission.interfaces import GenerativeSource
from remission.rng import Streams


class CaptionedGaussian(GenerativeSource):
    """Caption c with probability ``shares``[c]; its picture is one number, N(``gap`` c, ``spread``^2).

    Items are captioned: the pixel, then the caption as one token.

    Attributes:
        shares: probability of each caption (normalised to 1).
        gap: how far the mean pictures of neighbouring captions lie apart.
        spread: standard deviation of the pictures of a caption.

    Source: the setting of Gao & Li, arXiv 2503.08117; THEORY X1.

    >>> CaptionedGaussian(shares=(0.5, 0.5)).space.size
    2
    """

    shares: tuple[Annotated[float, Meta(ge=0)], ...] = (0.4, 0.3, 0.15, 0.1, 0.05)
    gap: float = 0.0
    spread: Annotated[float, Meta(gt=0, le=1e100)] = 1.0

    def check(self) -> None:
        """There is something to draw."""
        if not 0 < sum(self.shares) < float("inf"):
            raise SpecError(f"captioned-gaussian: 'shares' must have a positive finite sum. Got {list(self.shares)}.")

    @property
    def space(self) -> Space:
        """A picture of one pixel and a caption of one token."""
        return Space("captioned", (2,), size=len(self.shares), picture=(1, 1))

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh items (r, n, 2)."""
        out = np.empty((len(streams), n, 2))
        out[..., 1] = streams.sub("captions").categoricals(self._shares(), n)
        out[..., 0] = self.gap * out[..., 1] + self.spread * streams.sub("pictures").normals(n)
        return out

    def _shares(self) -> Floats:
        shares = np.array(self.shares)
        return shares / shares.sum()
