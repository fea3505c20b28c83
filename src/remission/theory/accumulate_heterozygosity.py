"""Heterozygosity of symbol frequencies that are fitted to all data so far.

The discrete twin of the accumulating Gaussian: diversity stops falling.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def heterozygosity(p: Floats, n: int, generations: int) -> Floats:
    """H_t = H_0 prod_{s=1..t} (1 - 1/(n s^2)), H_0 = 1 - sum p^2.

    Args:
        p: real probabilities, shape (V,).
        n: items per generation.
        generations: T; the result has shape (T,).

    Conditions: relative frequencies, all batches kept, constant n. Scale: mean. Source: derived (THEORY D5).

    >>> round(float(heterozygosity(np.array([0.5, 0.5]), 10, 100)[-1]), 4)
    0.4221
    """
    s = np.arange(1, generations + 1, dtype=float)
    return np.asarray((1.0 - float(p @ p)) * np.cumprod(1.0 - 1.0 / (n * s * s)), np.float64)


class AccumulateHeterozygosity(Theory):
    """H_t in *accumulate*; see :func:`heterozygosity`. Range 0 to 1; in collapse it would fall to 0.

    >>> round(2 * float(heterozygosity(np.array([0.5, 0.5]), 10, 1)[0]), 2)
    0.9
    """

    row: ClassVar[str] = "D5"
    source: ClassVar[str] = "derived"
    statement: ClassVar[str] = "H_t = H_0 prod_s (1 - 1/(n s^2))"

    def refuses(self, world: World) -> str:
        """Needs bare frequencies, accumulate and constant n."""
        return given.first(world, given.unigram, given.plain_sampling, given.real_start, given.accumulate)

    def predict(self, world: World) -> list[Prediction]:
        """The row heterozygosity."""
        assert isinstance(world.law, CategoricalLaw)
        values = heterozygosity(world.law.p, int(given.counts(world)[0]), world.generations)
        return [Prediction(self.name(), "heterozygosity", "mean", values)]
