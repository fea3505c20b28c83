"""Hand labels of part of the corpus, sharpened by the detector (prediction-powered inference)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.calibration.moments import mean
from remission.calibration.ratio import density_ratio
from remission.data import Floats
from remission.errors import DataError
from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.numerics.proportions import clopper_pearson
from remission.scored import Sample, Scored


class Powered(Prevalence):
    r"""PPI++ (Angelopoulos, Duchi and Zrnic, arXiv 2311.01453) for a proportion.

        pi = mean of (y - lambda f) over labelled + lambda * mean of f over unlabelled items,

    f the detector's posterior, lambda = cov(y, f) / (var(f) (1 + n / N)) (their equation for the mean), kept within
    0 .. 1. Needs no assumption about shift, calibration or generators: only that the labelled items are a random sample of
    the corpus. With fewer than ``least`` labelled items of either kind the normal interval is not to be trusted, and
    the labels are used alone (Clopper-Pearson).

    Attributes:
        least: see above.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"labels"})

    least: Annotated[int, Meta(ge=1)] = 8

    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """Value and interval."""
        from scipy.special import stdtrit

        if scored.labels is None or not np.isfinite(scored.labels).any():
            raise DataError(
                "'powered' needs hand-labelled items of the corpus: a column with 1 (synthetic) or 0 (human)."
            )
        known = np.isfinite(scored.labels)
        labelled, y = scored.target.take(known), scored.labels[known]
        truth = mean(labelled, y)
        hits, size = truth.value * truth.size, truth.size
        if min(hits, size - hits) < self.least or known.all():
            low, high = clopper_pearson(hits, size, level)
            return Estimate(truth.value, low, high, level, "labels-alone", len(scored.target))
        rest = scored.target.take(~known)
        f = self._prediction(scored, truth.value)
        inside, outside = f[known], mean(rest, f[~known])
        spread = outside.spread + 1e-300
        covariance = float(np.cov(y, inside, aweights=labelled.weight)[0, 1])
        trust = min(max(covariance / (spread * (1 + size / outside.size)), 0.0), 1.0)
        corrected = mean(labelled, y - trust * inside)
        value = corrected.value + trust * outside.value
        error = (corrected.variance + trust**2 * outside.variance) ** 0.5
        half = float(stdtrit(max(corrected.units - 1, 1), 0.5 + level / 2)) * error
        low, high = max(value - half, 0.0), min(value + half, 1.0)
        return Estimate(min(max(value, 0.0), 1.0), low, high, level, self.name(), len(scored.target))

    def _prediction(self, scored: Scored, share: float) -> Floats:
        if scored.synthetic is not None:
            return density_ratio(scored.human, scored.synthetic).posterior(scored.target.scores, share)
        return _rank(scored.human, scored.target.scores)


def _rank(human: Sample, scores: Floats) -> Floats:
    """The share of human calibration items that lie below each score."""
    return np.searchsorted(np.sort(human.scores), scores, side="left") / max(len(human), 1)
