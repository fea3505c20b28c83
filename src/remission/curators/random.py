"""Keeps a random share of the items: the control for every filter.

Without refill even a random filter hastens collapse, because the training set shrinks.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remission.data import Blind
from remission.interfaces import Curator, Judgement
from remission.rng import Streams


class Random(Curator):
    """Keeps each item with probability ``keep``."""

    keep: Annotated[float, Meta(gt=0, le=1)] = 0.5

    @property
    def yields(self) -> float:
        """The share kept."""
        return self.keep

    def judge(self, data: Blind, generation: int, streams: Streams) -> Judgement:
        """One coin per item."""
        return Judgement(streams.uniforms(data.items.shape[1]) < self.keep)
