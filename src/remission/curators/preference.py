"""Users pick the best of k samples: curated data in the loop.

Ferbach et al. (arXiv:2407.09499): of every k items one is kept, with Plackett-Luce (k = 2: Bradley-Terry)
probabilities of its reward. The expected reward rises, the variance of the reward dies (THEORY C1).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.curators._score import Score, check_score, misfit, scores
from remission.data import Blind
from remission.interfaces import Curator, Judgement
from remission.rng import Streams
from remission.world import World


class Preference(Curator):
    """Of every ``k`` items exactly one stays, item i with probability proportional to exp(``beta`` * reward_i).

    ``reward`` is one number per symbol, one coefficient per coordinate, or an import path (see ``top``). Items that do
    not fill a last group of k are dropped.
    """

    k: Annotated[int, Meta(ge=2)] = 2
    reward: Score = ()
    beta: float = 1.0

    def check(self) -> None:
        """A reward is needed."""
        check_score("preference", self.reward)

    def refuses(self, world: World) -> str:
        """A score that does not fit the items."""
        return misfit(self.reward, world.space)

    @property
    def yields(self) -> float:
        """One of k."""
        return 1.0 / self.k

    def judge(self, data: Blind, generation: int, streams: Streams) -> Judgement:
        """Gumbel's trick: the largest of beta * reward + Gumbel noise is a Plackett-Luce choice."""
        reward = scores("preference", self.reward, data.space, data.items)
        r, n = reward.shape
        groups = n // self.k
        noise = -np.log(-np.log1p(-streams.uniforms(n)))
        utility = (self.beta * reward + noise)[:, : groups * self.k].reshape(r, groups, self.k)
        keep = np.zeros((r, n), dtype=bool)
        chosen = utility.argmax(axis=2) + np.arange(groups) * self.k
        np.put_along_axis(keep, chosen, True, axis=1)
        return Judgement(keep)
