"""Gives items that a detector flags a smaller weight instead of dropping them."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import REAL, Dataset
from remission.errors import SpecError
from remission.interfaces import Curator, Judgement
from remission.rng import Streams
from remission.schedule import Schedule, value_at, within


class DownWeight(Curator):
    """An oracle flags synthetic items with probability ``tpr`` and real ones with ``fpr``; flagged items weigh ``weight``.

    Nothing is dropped, so there is nothing to refill. The model must honour weights.
    """

    oracle: ClassVar[bool] = True
    weighs: ClassVar[bool] = True
    drops: ClassVar[bool] = False

    tpr: Schedule = 0.9
    fpr: Schedule = 0.01
    weight: Annotated[float, Meta(gt=0)] = 0.1

    def check(self) -> None:
        """Rates lie in [0, 1]."""
        for key in ("tpr", "fpr"):
            if not within(getattr(self, key), 0, 1, 1000):
                raise SpecError(f"down-weight: '{key}' is a probability, 0 to 1. Got {getattr(self, key)!r}.")

    def judge(self, data: Dataset, generation: int, streams: Streams) -> Judgement:
        """One coin per item; nothing is dropped."""
        rate = np.where(data.origin > REAL, value_at(self.tpr, generation), value_at(self.fpr, generation))
        flagged = streams.uniforms(data.n) < rate
        return Judgement(np.ones(flagged.shape, dtype=bool), np.where(flagged, self.weight, 1.0))
