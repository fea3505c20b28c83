"""A web that fills up: every arriving item is synthetic with a probability that follows a schedule.

Origins are drawn item by item, as a crawler would meet them (THEORY G12, G14; Wang et al., arXiv:2602.16065).
"""

from __future__ import annotations

import dataclasses

from remission.data import REAL
from remission.errors import SpecError
from remission.interfaces import Part, Recipe, Regime
from remission.regimes._wrapper import Wrapper
from remission.regimes.replace import Replace
from remission.schedule import Schedule, value_at, within


class Web(Wrapper):
    """The regime ``base``, each of its arrivals synthetic with probability ``synthetic``, else fresh and real.

    >>> Web(synthetic=0.25).recipe(2, 10).arrivals
    (Part(origin=0, count=7.5, weight=1.0), Part(origin=1, count=2.5, weight=1.0))
    """

    base: Regime = Replace()
    synthetic: Schedule = 0.5

    def check(self) -> None:
        """The share lies in [0, 1]."""
        if not within(self.synthetic, 0, 1, 1000):
            raise SpecError(f"web: 'synthetic' must stay between 0 and 1. Got {self.synthetic!r}.")

    def recipe(self, t: int, n: int) -> Recipe:
        """The synthetic arrivals of the base, each real with probability 1 - synthetic."""
        recipe = self.base.recipe(t, n)
        share = value_at(self.synthetic, t)
        if t == 1:
            return recipe
        parts = [dataclasses.replace(part, count=part.count * share) for part in recipe.arrivals if part.origin != REAL]
        real = sum(part.count for part in recipe.arrivals) - sum(part.count for part in parts)
        kept = tuple(part for part in (Part(REAL, real), *parts) if part.count > 0)
        return dataclasses.replace(recipe, arrivals=kept, mixed=len(kept) > 1)
