"""Mix fresh real data into every generation.

The "fresh data loop" of Alemohammad et al. (arXiv:2307.01850). Without sampling bias any share above zero stops
the collapse of a Gaussian: a* = 1 / (n (1 - l^2) + l), l the synthetic share (THEORY G9).
"""

from __future__ import annotations

from remission.errors import SpecError
from remission.interfaces import Recipe, Regime
from remission.regimes._mixing import with_real_share
from remission.regimes._wrapper import Wrapper
from remission.regimes.replace import Replace
from remission.schedule import Schedule, value_at, within


class Fresh(Wrapper):
    """The regime ``base`` with ``share`` of its synthetic arrivals exchanged for fresh real items.

    The number of real items is rounded to a whole one; ``share`` may be a schedule over generations.

    >>> [part.count for part in Fresh(share=0.1).recipe(2, 50).arrivals]
    [5, 45]
    """

    base: Regime = Replace()
    share: Schedule = 0.1

    def check(self) -> None:
        """The share lies in [0, 1]."""
        if not within(self.share, 0, 1, 1000):
            raise SpecError(f"fresh: 'share' must stay between 0 and 1. Got {self.share!r}.")

    def recipe(self, t: int, n: int) -> Recipe:
        """The recipe of the base with real items put in."""
        return with_real_share(self.base.recipe(t, n), value_at(self.share, t))
