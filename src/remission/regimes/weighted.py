"""Give the real items of a mix a chosen total weight.

He et al. (arXiv:2502.18049): with m = k n synthetic items the best weight of n fresh real ones is
(sqrt(1 + 4k) - 1) / (2k), the reciprocal golden ratio for k = 1 (THEORY G11).
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

from msgspec import Meta

from remission.data import REAL
from remission.errors import SpecError
from remission.interfaces import Recipe, Regime
from remission.regimes._wrapper import Wrapper
from remission.regimes.fresh import Fresh


class Weighted(Wrapper):
    """The regime ``base``, its real arrivals together weighing ``real`` and its synthetic ones 1 - ``real``.

    Weights are scaled so that they sum to the number of arrivals; generations of one origin only stay unweighted.

    >>> [part.weight for part in Weighted(base=Fresh(share=0.5), real=0.75).recipe(2, 10).arrivals]
    [1.5, 0.5]
    """

    base: Regime = Fresh(share=0.5)
    real: Annotated[float, Meta(gt=0, lt=1)] = 0.5

    def check(self) -> None:
        """There must be real arrivals to weigh."""
        recipes = [self.base.recipe(t, 1000) for t in range(2, 102)]
        if any(recipe.mixed for recipe in recipes):
            raise SpecError(
                "weighted: the base draws origins at random, so its counts have no fixed weight. Use 'fresh'."
            )
        if not any(part.origin == REAL for recipe in recipes for part in recipe.arrivals):
            raise SpecError(
                f"weighted: base '{self.base.name()}' has no fresh real items. Try base = {{kind = 'fresh'}}."
            )

    def recipe(self, t: int, n: int) -> Recipe:
        """The recipe of the base with weights put on."""
        recipe = self.base.recipe(t, n)
        total = sum(part.count for part in recipe.arrivals)
        real = sum(part.count for part in recipe.arrivals if part.origin == REAL)
        if not 0 < real < total:
            return recipe
        each = {True: self.real * total / real, False: (1 - self.real) * total / (total - real)}
        parts = tuple(dataclasses.replace(part, weight=each[part.origin == REAL]) for part in recipe.arrivals)
        return dataclasses.replace(recipe, arrivals=parts)
