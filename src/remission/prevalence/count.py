"""Classify and count: the share of items above a threshold, errors left in."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.numerics.proportions import clopper_pearson
from remission.prevalence._threshold import at_false_positives, count
from remission.scored import Scored


class Count(Prevalence):
    """How many items are flagged. Not an estimate of the share: it converges to (1 - pi) FPR + pi TPR.

    For comparison with published work that stops here. The interval (Clopper-Pearson, items of one unit counted as
    what they are worth) is that of the share *flagged*.

    Attributes:
        rate: the threshold is the lowest that at most this share of the human calibration items reaches.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    rate: Annotated[float, Meta(gt=0, lt=1)] = 0.01

    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """Share flagged."""
        hits, n = count(scored.target, at_false_positives(scored.human, self.rate))
        low, high = clopper_pearson(hits, n, level)
        return Estimate(hits / n, low, high, level, self.name(), len(scored.target))
