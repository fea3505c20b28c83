"""Weighs every item by a function of its score: importance weights in the loop."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.curators._score import Score, check_score, misfit, scores
from remission.data import Blind
from remission.interfaces import Curator, Judgement
from remission.rng import Streams
from remission.world import World


class Weigh(Curator):
    """Item i weighs exp(``beta`` * score_i), scaled so that the weights of a proposal average 1.

    ``score`` as in ``top``: with the log density ratio of real to synthetic as score and beta = 1 these are importance
    weights. Nothing is dropped. The model must honour weights.
    """

    weighs: ClassVar[bool] = True
    drops: ClassVar[bool] = False

    score: Score = ()
    beta: float = 1.0

    def check(self) -> None:
        """A score is needed."""
        check_score("weigh", self.score)

    def refuses(self, world: World) -> str:
        """A score that does not fit the items."""
        return misfit(self.score, world.space)

    def judge(self, data: Blind, generation: int, streams: Streams) -> Judgement:
        """Softmax of the scores, times n."""
        logits = self.beta * scores("weigh", self.score, data.space, data.items)
        if not logits.shape[1]:
            return Judgement(np.ones(logits.shape, dtype=bool), np.ones(logits.shape))
        weight = np.exp(logits - logits.max(axis=1, keepdims=True))
        weight /= weight.mean(axis=1, keepdims=True)
        return Judgement(np.ones(weight.shape, dtype=bool), weight)
