"""Train on all data so far: the real sample and the output of every generation.

Gerstgrasser et al. (arXiv:2404.01413): the error stays bounded, by pi^2/6 times that of the first fit.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remission.interfaces import Recipe, Regime
from remission.regimes._mixing import newest


class Accumulate(Regime):
    """Batches 1 .. t, or only the last ``window`` of them (0: all); each generation adds n items.

    >>> Accumulate(window=2).recipe(5, 10).batches
    ((4, 5),)
    """

    window: Annotated[int, Meta(ge=0)] = 0
    lag: Annotated[int, Meta(ge=1)] = 1

    def recipe(self, t: int, n: int) -> Recipe:
        """All kept batches, every item once."""
        return Recipe(newest(t, n, self.lag), ((self.first_batch(t), t),))

    def first_batch(self, t: int) -> int:
        """1, or the start of the window."""
        return max(1, t - self.window + 1) if self.window else 1

    @property
    def oldest_model(self) -> int:
        """The lag."""
        return self.lag
