"""Drops synthetic items with a given true-positive and false-positive rate.

The ideal detector of the lab: it knows the origin and errs exactly as told, so that the effect of error rates
inside the loop can be studied (THEORY G14).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import REAL, Dataset
from remission.errors import SpecError
from remission.interfaces import Curator, Judgement
from remission.rng import Streams
from remission.schedule import Schedule, value_at, within


class Oracle(Curator):
    """Drops each synthetic item with probability ``tpr`` and each real one with probability ``fpr``.

    Both may be schedules over generations (an adversary that learns to evade). Of a pool with synthetic share s the
    kept share is l = s (1 - tpr) / (s (1 - tpr) + (1 - s)(1 - fpr)).

    >>> Oracle(tpr=0.8, fpr=0.05).label
    'oracle[tpr=0.8,fpr=0.05]'
    """

    oracle: ClassVar[bool] = True

    tpr: Schedule = 0.9
    fpr: Schedule = 0.01

    def check(self) -> None:
        """Rates lie in [0, 1]."""
        for key in ("tpr", "fpr"):
            if not within(getattr(self, key), 0, 1, 1000):
                raise SpecError(f"oracle: '{key}' is a probability, 0 to 1. Got {getattr(self, key)!r}.")

    def judge(self, data: Dataset, generation: int, streams: Streams) -> Judgement:
        """One coin per item."""
        drop = np.where(data.origin > REAL, value_at(self.tpr, generation), value_at(self.fpr, generation))
        return Judgement(streams.uniforms(data.n) >= drop)
