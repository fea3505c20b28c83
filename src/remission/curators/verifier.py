"""A verifier of labels that keeps right ones more often than wrong ones.

Feng et al. (arXiv:2406.07515): labels wrong with probability p are harmless below p* = phi / (phi + psi) and
ruinous above (THEORY V1).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import LABELLED, Dataset
from remission.errors import SpecError
from remission.interfaces import Curator, Judgement
from remission.rng import Streams


class Verifier(Curator):
    """Keeps an item whose label is right with probability ``right`` (phi), a wrong one with probability ``wrong`` (psi).

    Right means equal to the label that the item had before any noise or model touched it.
    """

    accepts: ClassVar[frozenset[str]] = LABELLED
    oracle: ClassVar[bool] = True

    right: Annotated[float, Meta(ge=0, le=1)] = 0.9
    wrong: Annotated[float, Meta(ge=0, le=1)] = 0.1

    def check(self) -> None:
        """Something must be kept."""
        if self.right == 0 and self.wrong == 0:
            raise SpecError("verifier: 'right' and 'wrong' are both 0, so nothing would ever be kept.")

    @property
    def yields(self) -> float:
        """Between the two rates."""
        return max(self.right, self.wrong) / 2

    def judge(self, data: Dataset, generation: int, streams: Streams) -> Judgement:
        """One coin per item."""
        labels = data.items[..., -1]
        correct = labels == (labels if data.truth is None else data.truth)
        return Judgement(streams.uniforms(data.n) < np.where(correct, self.right, self.wrong))
