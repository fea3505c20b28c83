"""Heterozygosity of symbol frequencies refitted on their own samples.

The chance that two drawn symbols differ shrinks by 1 - 1/n per fit: the discrete twin of the Gaussian variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def heterozygosity(p: Floats, counts: Sequence[int]) -> Floats:
    """E(1 - sum p_t^2) = (1 - S0) prod_{s <= t} (1 - 1/n_s), S0 = sum p^2.

    Args:
        p: real probabilities, shape (V,).
        counts: n_1 .. n_T.

    Conditions: relative frequencies, replace. Scale: mean. Source: Ewens, Mathematical Population Genetics (2004), section
    1.4 (Wright-Fisher); THEORY D1.

    >>> p = 1 / (np.arange(1, 101) + 2.7)
    >>> round(1 - float(heterozygosity(p / p.sum(), [200] * 10)[-1]), 5)
    0.07262
    """
    n = np.asarray(counts, float)
    return np.asarray((1.0 - float(p @ p)) * np.cumprod(1.0 - 1.0 / n), np.float64)


class Heterozygosity(Theory):
    """H_t = H_0 (1 - 1/n)^t in *replace*; see :func:`heterozygosity`. Range 0 to 1; in collapse it falls to 0.

    >>> float(heterozygosity(np.array([0.5, 0.5]), [2])[0])
    0.25
    """

    row: ClassVar[str] = "D1"
    source: ClassVar[str] = "Ewens (2004), section 1.4"
    statement: ClassVar[str] = "H_t = H_0 (1 - 1/n)^t"

    def refuses(self, world: World) -> str:
        """Needs bare frequencies, replace and nothing biased or selected."""
        return given.first(world, given.unigram, given.plain_sampling, given.real_start, given.replace)

    def predict(self, world: World) -> list[Prediction]:
        """The row heterozygosity."""
        assert isinstance(world.law, CategoricalLaw)
        values = heterozygosity(world.law.p, given.counts(world).tolist())
        return [Prediction(self.name(), "heterozygosity", "mean", values)]
