"""Real data comes only every k-th generation."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remission.interfaces import Recipe, Regime
from remission.regimes._mixing import with_real_share
from remission.regimes._wrapper import Wrapper
from remission.regimes.replace import Replace


class Periodic(Wrapper):
    """The regime ``base``; in generations 1 + ``every``, 1 + 2 ``every``, ... ``share`` of the arrivals are real.

    >>> [Periodic(every=2).recipe(t, 10).arrivals[0].origin for t in (1, 2, 3, 4, 5)]
    [0, 1, 0, 3, 0]
    """

    base: Regime = Replace()
    every: Annotated[int, Meta(ge=1)] = 5
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0

    def recipe(self, t: int, n: int) -> Recipe:
        """The recipe of the base, with real items when it is time."""
        recipe = self.base.recipe(t, n)
        return with_real_share(recipe, self.share) if (t - 1) % self.every == 0 else recipe
