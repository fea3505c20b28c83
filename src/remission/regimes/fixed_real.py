"""Keep one real sample for ever and add the output of the last model to it.

Bertrand et al. (arXiv:2310.00429) and the "synthetic augmentation loop" of Alemohammad et al. (arXiv:2307.01850):
the error of the one real sample stays (Gaussian: THEORY G13).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remission.data import REAL
from remission.interfaces import Part, Recipe, Regime


class FixedReal(Regime):
    """The same ``share`` * n real items in every generation, and (1 - share) * n of the model ``lag`` fits back.

    Fit 1 is on the real items alone. A budget that grows adds synthetic items only.

    >>> FixedReal(share=0.2).recipe(3, 50)
    Recipe(arrivals=(Part(origin=2, count=40, weight=1.0),), batches=((1, 1), (3, 3)), mixed=False, take=None, \
with_replacement=False)
    """

    share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    lag: Annotated[int, Meta(ge=1)] = 1

    def recipe(self, t: int, n: int) -> Recipe:
        """Batch 1, pinned, and batch t."""
        real = max(1, round(self.share * n))
        if t == 1:
            return Recipe((Part(REAL, real),), ((1, 1),))
        if real >= n:
            return Recipe((), ((1, 1),))
        return Recipe((Part(max(1, t - self.lag), n - real),), ((1, 1), (t, t)))

    @property
    def pins_first(self) -> bool:
        """Batch 1 is the real sample."""
        return True

    @property
    def oldest_model(self) -> int:
        """The lag."""
        return self.lag
