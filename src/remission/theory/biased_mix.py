"""Sampling bias with or without fresh real data: the variance kept falls smoothly with the bias.

With bias lambda < 1 (quality bought with diversity) fresh data no longer restores the variance: about
(1 - l) / (1 - l lambda) of it is kept.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.theory._stability import stability
from remission.world import Prediction, Theory, Threshold, World


def _matrix(real: float, synthetic: float, bias: float) -> tuple[Floats, Floats]:
    """(a', v') = M (a, v) + c."""
    n = real + synthetic
    share = synthetic / n
    matrix = np.array(
        [
            [share**2, share * bias / n],
            [real * synthetic / n**2, bias * (synthetic - 1.0 + real / n) / n],
        ]
    )
    return matrix, np.array([(1.0 - share) / n, (real - 1.0 + synthetic / n) / n])


def moments(real: int, synthetic: int, bias: float, generations: int) -> tuple[Floats, Floats]:
    """(a_t, v_t) in units of s0^2, from a_1 = 1/n and v_1 = 1 - 1/n.

    With u = b v: a' = l^2 a + [(1 - l) + l u]/n and
    v' = [(n_r - 1) + (n_s - 1) u + (n_r n_s / n)(1/n_r + u/n_s + a)] / n.

    Args:
        real: n_r, fresh real items per generation.
        synthetic: n_s, items drawn from N(mu, b s^2); n = n_r + n_s and l = n_s / n.
        bias: b.
        generations: T; both results have shape (T,).

    Conditions: MLE, exact counts, constant n, fit 1 on n real items. Scale: mean. Source: derived (THEORY G10; lambda of
    Alemohammad et al., arXiv 2307.01850).

    >>> a, v = moments(5, 45, 0.8, 200)
    >>> round(float(a[-1]), 5), round(float(v[-1]), 5)
    (0.0366, 0.34407)
    """
    matrix, constant = _matrix(real, synthetic, bias)
    n = real + synthetic
    values = np.empty((generations, 2))
    values[0] = 1.0 / n, 1.0 - 1.0 / n
    for t in range(1, generations):
        values[t] = matrix @ values[t - 1] + constant
    return values[:, 0].copy(), values[:, 1].copy()


def fixed_point(real: int, synthetic: int, bias: float) -> tuple[float, float]:
    """(a*, v*) of :func:`moments`; needs at least one real item.

    >>> [round(value, 4) for value in fixed_point(5, 45, 0.8)]
    [0.0366, 0.3441]
    >>> [round(fixed_point(100, n_s, 0.9)[1], 3) for n_s in (100, 1000, 10000)]
    [0.904, 0.499, 0.091]
    """
    matrix, constant = _matrix(real, synthetic, bias)
    a, v = np.linalg.solve(np.eye(2) - matrix, constant)
    return float(a), float(v)


def replace_variance(n: int, bias: float, generations: int) -> Floats:
    """v_t = (b (1 - 1/n))^{t-1} (1 - 1/n): :func:`moments` without real data, in units of s0^2.

    >>> round(float(replace_variance(50, 0.8, 5)[-1]), 4)
    0.3702
    """
    t = np.arange(generations)
    return np.asarray((bias * (1.0 - 1.0 / n)) ** t * (1.0 - 1.0 / n), np.float64)


class BiasedMix(Theory):
    """v_t and a_t with sampling bias b = ``bias * temperature``: :func:`moments` times tr Sigma_0.

    Any dimension and real law; no real data is allowed too. In collapse v falls; with b > 1 it may grow without bound.

    >>> round(fixed_point(5, 45, 1.0)[0], 5)
    0.09615
    """

    row: ClassVar[str] = "G10"
    source: ClassVar[str] = "derived; bias of Alemohammad et al., arXiv 2307.01850"
    statement: ClassVar[str] = "u = b v; a' = l^2 a + (1-l+l u)/n; v' = [n_r-1+(n_s-1)u+(n_r n_s/n)(1/n_r+u/n_s+a)]/n"

    def refuses(self, world: World) -> str:
        """Needs the MLE and exact, constant shares."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle"),
            given.only_spread,
            given.real_start,
            given.fresh_mix,
            given.exact_shares,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance, sum and ratio."""
        assert isinstance(world.law, Law)
        scale = float(world.law.cov.trace())
        bias = world.sampling.bias * world.sampling.temperature
        a, v = moments(*given.mix(world), bias, world.generations)
        return moment_rows(world, self.name(), scale * a, scale * v)

    def thresholds(self, world: World) -> list[Threshold]:
        """Beyond which sampling bias, and below which share of fresh data, the variance grows without bound."""
        conditions = (given.gaussian, given.estimator("mle"), given.only_spread, given.fresh_mix, given.exact_shares)
        if world.regime.name() != "fresh" or given.first(world, *conditions):
            return []
        told = "the variance grows without bound where the spectral radius of the moment recursion passes 1"
        return stability(self.name(), world, given.mix(world), lambda *mix: _matrix(*mix)[0], told)
