"""Train each generation only on the output of the one before.

The regime of Shumailov et al. (Nature 631:755, 2024) and the "fully synthetic loop" of Alemohammad et al.
(arXiv:2307.01850): tails go first, the variance dies almost surely.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remission.interfaces import Recipe, Regime
from remission.regimes._mixing import newest


class Replace(Regime):
    """Batch t alone, drawn from the model of fit t - ``lag`` (fit 1 before that exists).

    >>> Replace().recipe(3, 100).arrivals
    (Part(origin=2, count=100, weight=1.0),)
    """

    lag: Annotated[int, Meta(ge=1)] = 1

    def recipe(self, t: int, n: int) -> Recipe:
        """N items of one model; nothing older is kept."""
        return Recipe(newest(t, n, self.lag), ((t, t),))

    @property
    def oldest_model(self) -> int:
        """The lag."""
        return self.lag
