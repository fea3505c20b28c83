"""The maximum-likelihood share from calibrated posteriors (EM, also called SLD or EMQ)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.calibration.ratio import density_ratio
from remission.data import Floats
from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.numerics.mixing import mixing_weight
from remission.prevalence._resample import Draw, draws, interval
from remission.scored import Sample, Scored

_CELLS = 400  # of the score, in which a resample is counted: far finer than the noise


class Em(Prevalence):
    """Saerens, Latinne and Decaestecker (Neural Computation 14, 21, 2002): adjust the prior until it agrees with itself.

    Posteriors come from logistic calibration of the score. The interval is the bootstrap's over the units of the corpus
    and of both calibration samples, the calibration fitted anew in each resample. Right only as far as the calibration is:
    ``matched`` is as sharp and does not depend on it.

    Attributes:
        resamples: how many.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"synthetic"})

    resamples: Annotated[int, Meta(ge=100)] = 400

    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """Value and interval; in resamples the share may fall below 0, so that the interval holds near 0."""
        samples = scored.three(self.name())
        ratio = density_ratio(*samples[1:])
        value = mixing_weight(ratio(scored.target.scores), scored.target.weight)
        centres, places = _cells(samples)

        def share(draw: Draw) -> float:
            t, h, s = (
                np.bincount(place, weight, centres.size).astype(float)
                for place, weight in zip(places, draw, strict=True)
            )
            return mixing_weight(density_ratio(_sample(centres, h), _sample(centres, s))(centres), t, cut=False)

        found = np.array([share(draw) for draw in draws(scored, self.resamples, seed)])
        return interval(value, found, level, self.name(), len(scored.target))


def _cells(samples: tuple[Sample, ...]) -> tuple[Floats, list[np.ndarray]]:
    scores = np.concatenate([sample.scores for sample in samples])
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _CELLS + 1)[1:-1]))
    places = [np.searchsorted(edges, sample.scores, side="right") for sample in samples]
    every = np.concatenate(places)
    total = np.bincount(every, scores, minlength=edges.size + 1)
    number = np.bincount(every, minlength=edges.size + 1)
    return total / np.maximum(number, 1), places


def _sample(centres: Floats, counts: Floats) -> Sample:
    used = counts > 0
    return Sample.of(centres[used], weight=counts[used])
