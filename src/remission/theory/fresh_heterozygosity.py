"""Heterozygosity of symbol frequencies with fresh real data in every generation.

The discrete twin of the fresh mix of Gaussians: any real share keeps some diversity for ever.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def kept(real: int, synthetic: int, generations: int) -> Floats:
    """H_t / H_0 = 1 - a_t with a_1 = 1/n, a_{t+1} = l^2 a_t + (1 - l a_t)/n.

    Args:
        real: n_r, fresh real items per generation.
        synthetic: n_s, items of the last model; n = n_r + n_s and l = n_s / n.
        generations: T; the result has shape (T,).

    Conditions: relative frequencies, exact counts, constant n. Scale: mean. Source: derived (THEORY D4).

    >>> round(float(kept(20, 180, 500)[-1]), 6) == round(fixed_point(20, 180), 6)
    True
    """
    n = real + synthetic
    share = synthetic / n
    lost = np.empty(generations)
    lost[0] = 1.0 / n
    for t in range(1, generations):
        lost[t] = share**2 * lost[t - 1] + (1.0 - share * lost[t - 1]) / n
    return 1.0 - lost


def fixed_point(real: int, synthetic: int) -> float:
    """H* / H_0 = (1 - l)(1 + l - 1/n) / (1 - l^2 + l/n). Arguments as in :func:`kept`.

    >>> round(fixed_point(20, 180), 5)
    0.97429
    """
    n = real + synthetic
    share = synthetic / n
    return (1.0 - share) * (1.0 + share - 1.0 / n) / (1.0 - share**2 + share / n)


class FreshHeterozygosity(Theory):
    """H_t = H_0 :func:`kept`, with fresh real data in every generation. Range 0 to 1; in collapse it falls.

    >>> fixed_point(0, 100)
    0.0
    """

    row: ClassVar[str] = "D4"
    source: ClassVar[str] = "derived"
    statement: ClassVar[str] = "H* = H_0 (1-l)(1+l-1/n)/(1-l^2+l/n)"

    def refuses(self, world: World) -> str:
        """Needs bare frequencies and exact, constant shares."""
        return given.first(
            world,
            given.unigram,
            given.plain_sampling,
            given.real_start,
            given.fresh_mix,
            given.exact_shares,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The row heterozygosity."""
        assert isinstance(world.law, CategoricalLaw)
        start = 1.0 - float(world.law.p @ world.law.p)
        values = start * kept(*given.mix(world), world.generations)
        return [Prediction(self.name(), "heterozygosity", "mean", values)]
