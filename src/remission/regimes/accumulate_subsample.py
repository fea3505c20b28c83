"""Accumulate all data, train each generation on a random subset of constant size.

Kazdan et al. (arXiv:2410.16713): with the compute budget fixed, the error levels off between *replace* and
*accumulate* (Gaussian, n points: n a_t -> pi^2/2 - 2, THEORY G8).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remission.interfaces import Recipe, Regime
from remission.regimes._mixing import newest


class AccumulateSubsample(Regime):
    """A uniform random n out of the pool of all batches (or of the last ``window``), anew each generation.

    >>> AccumulateSubsample().recipe(4, 50).take
    50
    """

    window: Annotated[int, Meta(ge=0)] = 0
    lag: Annotated[int, Meta(ge=1)] = 1
    with_replacement: bool = False

    def recipe(self, t: int, n: int) -> Recipe:
        """N of the pooled items."""
        return Recipe(
            newest(t, n, self.lag), ((self.first_batch(t), t),), take=n, with_replacement=self.with_replacement
        )

    def first_batch(self, t: int) -> int:
        """1, or the start of the window."""
        return max(1, t - self.window + 1) if self.window else 1

    @property
    def oldest_model(self) -> int:
        """The lag."""
        return self.lag
