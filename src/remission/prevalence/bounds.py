"""The interval that the share lies in when nobody knows how well the corpus's own generators are detected."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.numerics.proportions import clopper_pearson
from remission.prevalence._threshold import at_false_positives, count
from remission.scored import Sample, Scored


class Bounds(Prevalence):
    r"""The identified interval; no value, for the data has none to give.

    The share flagged is q = (1 - pi) FPR + pi TPR. Human items of the corpus's kind give the FPR; the TPR of what is
    really in the corpus is unknown, but at most 1 and, if the panel is as hard as what is there, at least that of its
    worst member:

        (q - FPR) / (1 - FPR)  <=  pi  <=  (q - FPR) / (TPR_worst - FPR).

    The lower end needs human items alone; it is the highest over a few thresholds. The upper end is taken at the one
    threshold that tells the worst member from human items best. Each of the proportions enters with the end of its exact
    interval (Clopper-Pearson, items of one unit counted as what they are worth), the error shared out equally among
    thresholds and proportions (Bonferroni), so that the whole covers with at least ``level`` provided the worst TPR is no
    higher than the real one. Without a panel the upper end is 1.

    Attributes:
        rates: false-positive rates of the thresholds that are tried. Strict ones show a few synthetic items that are
            easily told, loose ones many that are not.
        least: members of the panel with fewer items are put together.
        loss: share of the worst TPR's margin over the FPR that is given up, for corpora less like the panel.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    bounds: ClassVar[bool] = True

    rates: tuple[Annotated[float, Meta(gt=0, lt=1)], ...] = (0.01, 0.05, 0.2, 0.4)
    least: Annotated[int, Meta(ge=2)] = 50
    loss: Annotated[float, Meta(ge=0, lt=1)] = 0.3

    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """The interval; the value is NaN."""
        thresholds = [at_false_positives(scored.human, rate) for rate in self.rates]
        low = self._lower(scored, level, thresholds)
        high = max(self._upper(scored, level, thresholds), low)
        return Estimate(math.nan, low, high, level, self.name(), len(scored.target))

    def _lower(self, scored: Scored, level: float, thresholds: list[float]) -> float:
        each = 1 - (1 - level) / (2 * len(thresholds))  # two proportions for each threshold share (1 - level) / 2
        ends = [0.0]
        for threshold in thresholds:
            flagged, _ = clopper_pearson(*count(scored.target, threshold), each)
            _, false = clopper_pearson(*count(scored.human, threshold), each)
            if false < 1:
                ends.append((flagged - false) / (1 - false))
        return max(ends)

    def _upper(self, scored: Scored, level: float, thresholds: list[float]) -> float:
        if scored.synthetic is None or len(scored.synthetic) == 0:
            return 1.0
        panel = members(scored.synthetic, self.least)
        threshold = max(thresholds, key=lambda one: _separation(scored.human, panel, one))  # the corpus has no say
        each = 1 - (1 - level) / 3  # three proportions share (1 - level) / 2
        _, flagged = clopper_pearson(*count(scored.target, threshold), each)
        false, _ = clopper_pearson(*count(scored.human, threshold), each)
        caught = min(clopper_pearson(*count(member, threshold), each)[0] for member in panel)
        worst = false + (caught - false) * (1 - self.loss)
        return min(max((flagged - false) / (worst - false), 0.0), 1.0) if worst > false else 1.0


def _separation(human: Sample, panel: list[Sample], threshold: float) -> float:
    """How well the worst member is told from human items, in standard deviations of one human item's count."""
    false = _rate(human, threshold)
    caught = min(_rate(member, threshold) for member in panel)
    return (caught - false) / math.sqrt(max(false * (1 - false), 1 / len(human)))


def _rate(sample: Sample, threshold: float) -> float:
    hits, size = count(sample, threshold)
    return hits / size


def members(synthetic: Sample, least: int) -> list[Sample]:
    """The panel by origin; origins of fewer than ``least`` items together, with the smallest other if still too few."""
    names, counts = np.unique(synthetic.origin, return_counts=True)
    large = [name for name, size in zip(names, counts, strict=True) if size >= least]
    small = ~np.isin(synthetic.origin, large)
    found = [synthetic.take(synthetic.origin == name) for name in large]
    if small.any() and (small.sum() >= least or not found):
        found.append(synthetic.take(small))
    return found
