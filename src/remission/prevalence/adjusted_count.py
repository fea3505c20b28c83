"""Classify and count, corrected for both error rates (Rogan and Gladen)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.numerics.proportions import bayes_prevalence, lang_reiczigel, rogan_gladen
from remission.prevalence._threshold import at_false_positives, count, most_informative
from remission.scored import Scored


class AdjustedCount(Prevalence):
    """pi = (q - FPR) / (TPR - FPR), q the share flagged (Rogan and Gladen, Am. J. Epidemiol. 107, 71, 1978).

    Attributes:
        rate: the threshold is the lowest that at most this share of the human calibration items reaches; 0: the
            threshold with the least variance, chosen on the calibration items.
        interval: ``lang-reiczigel`` (Prev. Vet. Med. 113, 13, 2014; good near 0) or ``bayes`` (the posterior, error
            rates with Jeffreys' prior, the share uniform; the value is its median).
    """

    needs: ClassVar[frozenset[str]] = frozenset({"synthetic"})

    rate: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    interval: Literal["lang-reiczigel", "bayes"] = "lang-reiczigel"

    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """Value and interval; the whole of 0 .. 1 when the detector does not tell the calibration samples apart."""
        samples = scored.three(self.name())
        threshold = at_false_positives(scored.human, self.rate) if self.rate else most_informative(*samples[1:])
        found, false, true = (count(sample, threshold) for sample in samples)
        n = len(scored.target)
        if self.interval == "bayes":
            value, low, high = bayes_prevalence(found, false, true, level)
            return Estimate(value, low, high, level, self.name(), n)
        value = rogan_gladen(*(hits / size for hits, size in (found, false, true)))
        low, high = lang_reiczigel(found, false, true, level)
        value = min(max(value, 0.0), 1.0) if value == value else 0.5
        return Estimate(value, min(low, value), max(high, value), level, self.name(), n)
