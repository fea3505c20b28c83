"""A lower bound on the number of types alive after t fits, for any number of items.

Poisson counts instead of binomial ones turn survival into an iterated function that is as good as exact.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def survival_rate(generations: int) -> Floats:
    """g_1 = 1, g_{k+1} = 1 - exp(-g_k): the chance that the Poisson line of one copy lives; 1/t <= g_t <= 3/t, about 2/t.

    >>> [round(float(value), 4) for value in survival_rate(3)]
    [1.0, 0.6321, 0.4685]
    """
    values = np.ones(generations)
    for t in range(1, generations):
        values[t] = -np.expm1(-values[t - 1])
    return values


def alive_bound(p: Floats, n: int, generations: int) -> Floats:
    """E alive_t >= sum_i 1 - exp(-n p_i g_t).

    Args:
        p: real probabilities, shape (V,).
        n: items per generation.
        generations: T; the result has shape (T,).

    Conditions: relative frequencies, replace, constant n. Scale: bound (lower). Source: Suresh et al., arXiv 2412.17646,
    the theorem on discrete distributions, with their code; THEORY D3.

    >>> p = 1 / (np.arange(1, 101) + 2.7)
    >>> round(float(alive_bound(p / p.sum(), 200, 10)[-1]), 3)
    24.743
    """
    rates = survival_rate(generations)
    return np.array([float(-np.expm1(-n * rate * p).sum()) for rate in rates])


class TypeSurvivalBound(Theory):
    """Lower bound on the number of types alive in *replace*; see :func:`alive_bound`. In collapse it falls to 0.

    >>> round(float(survival_rate(100)[-1] * 100), 2)
    1.95
    """

    row: ClassVar[str] = "D3"
    source: ClassVar[str] = "Suresh et al., arXiv 2412.17646"
    statement: ClassVar[str] = "E alive >= sum_i 1 - exp(-n p_i g_t), g_{k+1} = 1 - exp(-g_k)"

    def refuses(self, world: World) -> str:
        """Needs bare frequencies, replace and constant n."""
        return given.first(
            world, given.unigram, given.plain_sampling, given.real_start, given.replace, given.constant_count, _few
        )

    def predict(self, world: World) -> list[Prediction]:
        """The row types.alive, as a lower bound."""
        assert isinstance(world.law, CategoricalLaw)
        values = alive_bound(world.law.p, int(given.counts(world)[0]), world.generations)
        return [Prediction(self.name(), "types.alive", "bound", values)]


def _few(world: World) -> str:
    assert isinstance(world.law, CategoricalLaw)
    size = world.law.p.size
    too_many = size * world.generations > 2e8
    return f"{size} types over {world.generations} generations are too many to sum" if too_many else ""
