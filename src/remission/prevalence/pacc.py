"""The mean posterior over the corpus, corrected by its means over both calibration samples."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.calibration.ratio import density_ratio
from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.prevalence._resample import Draw, percentile
from remission.scored import Scored


class Pacc(Prevalence):
    """Probabilistic adjusted classify and count (Bella et al., ICDM 2010): pi = (t - h) / (s - h).

    t, h, s are the means of the posterior (logistic calibration, both classes equally likely) over corpus, human and
    synthetic calibration items. The interval is the bootstrap's over the units of all three samples; the calibration of
    the posterior is kept, because pi is right whatever it is.

    Attributes:
        resamples: how many.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"synthetic"})

    resamples: Annotated[int, Meta(ge=100)] = 500

    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """Value and interval."""
        samples = scored.three(self.name())
        ratio = density_ratio(*samples[1:])
        t, h, s = (ratio.posterior(sample.scores) for sample in samples)

        def share(draw: Draw) -> float:
            target, human, synthetic = (np.average(p, weights=w) for p, w in zip((t, h, s), draw, strict=True))
            return float((target - human) / (synthetic - human)) if synthetic > human else np.nan

        return percentile(share, scored, level, self.resamples, seed, self.name())
