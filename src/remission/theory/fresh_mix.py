"""Fresh real data in every generation: any amount of it stops the collapse of a Gaussian.

There is no threshold: with n_r fresh real items among n the error has a finite fixed point for every n_r >= 1.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def error(real: int, synthetic: int, generations: int) -> Floats:
    """a_1 = 1/n, a_{t+1} = l^2 a_t + (1 - l a_t) / n, in units of s0^2; v_t = 1 - a_t.

    Args:
        real: n_r, fresh real items per generation.
        synthetic: n_s, items of the last model; n = n_r + n_s and l = n_s / n.
        generations: T; the result has shape (T,).

    Conditions: MLE, exact counts, constant n, fit 1 on n real items. Scale: mean. Source: derived (THEORY G9; the fresh data
    loop of Alemohammad et al., arXiv 2307.01850).

    >>> round(float(error(5, 45, 200)[-1]), 5)
    0.09615
    """
    n = real + synthetic
    share = synthetic / n
    values = np.empty(generations)
    values[0] = 1.0 / n
    for t in range(1, generations):
        values[t] = share**2 * values[t - 1] + (1.0 - share * values[t - 1]) / n
    return values


def fixed_point(real: int, synthetic: int) -> float:
    """a* = 1 / (n (1 - l^2) + l); v* = 1 - a*. Arguments as in :func:`error`; without real data a* = 1: total collapse.

    >>> round(fixed_point(5, 45), 5), round(1 - fixed_point(5, 45), 5), fixed_point(0, 50)
    (0.09615, 0.90385, 1.0)
    """
    n = real + synthetic
    share = synthetic / n
    return 1.0 / (n * (1.0 - share**2) + share)


class FreshMix(Theory):
    """v_t and a_t with fresh real data in every generation: :func:`error` times tr Sigma_0; v_t = tr Sigma_0 - a_t.

    In collapse v falls and a rises; both stop at :func:`fixed_point`. Any dimension and real law.

    >>> round(fixed_point(10, 40), 4)
    0.0532
    """

    row: ClassVar[str] = "G9"
    source: ClassVar[str] = "derived; loop of Alemohammad et al., arXiv 2307.01850"
    statement: ClassVar[str] = "a' = l^2 a + (1 - l a)/n, v = 1 - a; a* = 1/(n(1-l^2)+l)"

    def refuses(self, world: World) -> str:
        """Needs the MLE and exact, constant shares of fresh real items and items of the last model."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle"),
            given.plain_sampling,
            given.real_start,
            given.fresh_mix,
            given.exact_shares,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance, sum and ratio."""
        assert isinstance(world.law, Law)
        scale = float(world.law.cov.trace())
        a = error(*given.mix(world), world.generations)
        return moment_rows(world, self.name(), scale * a, scale * (1.0 - a))
