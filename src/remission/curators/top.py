"""Keeps the fraction of items with the highest score: quality filtering."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.curators._score import Score, check_score, misfit, scores
from remission.data import Blind
from remission.interfaces import Curator, Judgement
from remission.rng import Streams
from remission.world import World


class Top(Curator):
    """Keeps the ``fraction`` of a proposal with the highest ``score``; ties are broken by order.

    ``score`` is one number per symbol, one coefficient per coordinate, or an import path to a function of
    items ``(n, *item)`` that returns ``(n,)``. With refill the ranking is within each proposal of n / fraction items.
    """

    fraction: Annotated[float, Meta(gt=0, le=1)] = 0.5
    score: Score = ()

    def check(self) -> None:
        """A score is needed."""
        check_score("top", self.score)

    def refuses(self, world: World) -> str:
        """A score that does not fit the items."""
        return misfit(self.score, world.space)

    @property
    def yields(self) -> float:
        """The fraction."""
        return self.fraction

    def judge(self, data: Blind, generation: int, streams: Streams) -> Judgement:
        """Rank and cut."""
        rank = scores("top", self.score, data.space, data.items)
        n = rank.shape[1]
        kept = max(1, round(self.fraction * n)) if n else 0
        best = np.argsort(-rank, axis=1, kind="stable")[:, :kept]
        keep = np.zeros(rank.shape, dtype=bool)
        np.put_along_axis(keep, best, True, axis=1)
        return Judgement(keep)
