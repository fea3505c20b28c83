"""Variety of the pictures of one caption: rare captions lose it first."""

from __future__ import annotations

from typing import Annotated, ClassVar, Protocol, runtime_checkable

import numpy as np
from msgspec import Meta

from remission.data import CAPTIONED, Floats
from remission.interfaces import Direction, Metric, State
from remission.view import View
from remission.world import World


@runtime_checkable
class _KnowsPictures(Protocol):
    """A model that knows mean and variance of the pictures of every caption."""

    def pictures_of(self, state: State) -> tuple[Floats, Floats]:
        """Two arrays (r, V, d)."""


class CaptionVariance(Metric):
    """Variance of the pictures whose caption begins with one token, as a mean over pixels; falls in collapse.

    Exact when the model knows it (``pictures_of``), else that of a sample, divided by the number of such pictures and NaN
    when there is none.

    Attributes:
        caption: the token, counted from 0.

    Raises:
        SpecError: there is no such token.

    Source: the setting of Gao & Li, arXiv 2503.08117 (THEORY X1).

    >>> CaptionVariance(caption=3).label
    'caption-variance[caption=3]'
    """

    accepts: ClassVar[frozenset[str]] = CAPTIONED
    columns: ClassVar[dict[str, Direction]] = {"": "falls"}

    caption: Annotated[int, Meta(ge=0)] = 0

    def refuses(self, world: World) -> str:
        """A token that is not there."""
        size = world.space.size
        return "" if self.caption < size else f"there is no caption {self.caption}: the source has {size}, from 0."

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        if isinstance(view.model, _KnowsPictures):
            _, variance = view.model.pictures_of(view.state)
            return {"": np.ascontiguousarray(variance[:, self.caption]).mean(axis=1)}
        pixels = view.space.pixels
        found = []
        for items in view.sample:
            mine = items[items[:, pixels] == self.caption, :pixels]
            found.append(float(mine.var(axis=0).mean()) if len(mine) else np.nan)
        return {"": np.array(found)}
