"""Variance and error of a Gaussian trained on a constant-size random subset of all data so far.

Between accumulate (n a = pi^2/6) and replace (n a without bound): n a_t goes to pi^2/2 - 2 = 2.9348.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def pool_variance(n: int, generations: int) -> Floats:
    """V_t of the pool: V_1 = 1 - 1/n, V_{t+1} = V_t [1 - (2nt - n - t) / (n (nt - 1) (t + 1)^2)], in units of s0^2.

    Args:
        n: items per generation, and per training set.
        generations: T; the result has shape (T,).

    Conditions: MLE, without replacement, all batches kept, n constant. Scale: mean. Source: derived (THEORY G8; the
    regime of Kazdan et al., arXiv 2410.16713).

    >>> round(float(pool_variance(10, 30)[-1]), 5)
    0.82619
    """
    t = np.arange(1, generations, dtype=float)
    ratio = 1.0 - (2 * n * t - n - t) / (n * (n * t - 1) * (t + 1) ** 2)
    return (1.0 - 1.0 / n) * np.concatenate([[1.0], np.cumprod(ratio)])


def variance(n: int, generations: int) -> Floats:
    """v_t of the fit: V_t (n - 1) t / (nt - 1); a_t = 1 - v_t. As :func:`pool_variance`.

    >>> v = float(variance(10, 30)[-1])
    >>> round(v, 5), round(1 - v, 5)
    (0.74606, 0.25394)
    """
    t = np.arange(1, generations + 1, dtype=float)
    return np.asarray(pool_variance(n, generations) * (n - 1) * t / (n * t - 1), np.float64)


def limit() -> float:
    """Limit of n a_t for large n and then large t: pi^2/2 - 2.

    >>> round(limit(), 4)
    2.9348
    """
    return math.pi**2 / 2 - 2


class AccumulateSubsampleVariance(Theory):
    """v_t and a_t in *accumulate-subsample*: :func:`variance` times tr Sigma_0, any dimension and real law.

    In collapse v falls and a rises; here both level off.

    >>> round(1000000 * float(1 - variance(1000000, 3000)[-1]), 2)
    2.93
    """

    row: ClassVar[str] = "G8"
    source: ClassVar[str] = "derived; regime of Kazdan et al., arXiv 2410.16713"
    statement: ClassVar[str] = "V_{t+1} = V_t [1 - (2nt-n-t)/(n(nt-1)(t+1)^2)]; v_t = V_t (n-1) t/(nt-1); a_t = 1 - v_t"

    def refuses(self, world: World) -> str:
        """Needs the MLE and a subset of n out of all nt items, without replacement."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle"),
            given.plain_sampling,
            given.real_start,
            given.all_batches,
            given.equal_weights,
            given.newest_model,
            given.constant_count,
            _takes_n,
            given.two_items,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance, sum and ratio."""
        assert isinstance(world.law, Law)
        scale = float(world.law.cov.trace())
        v = variance(int(given.counts(world)[0]), world.generations)
        return moment_rows(world, self.name(), scale * (1.0 - v), scale * v)


def _takes_n(world: World) -> str:
    recipes = given.recipes(world)
    if any(recipe.with_replacement for recipe in recipes):
        return "the subset is drawn with replacement"
    taken = all(recipe.take == recipe.count for recipe in recipes)
    return "" if taken else "the training set is not a subset of as many items as arrive"
