"""Variance and error of a Gaussian that trains on all data so far: no collapse.

The loss is bounded: v goes to sin(pi/sqrt n) / (pi/sqrt n), the error to about pi^2 / (6n).
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


def variance(n: int, generations: int) -> Floats:
    """v_t / s0^2 = prod_{s=1..t} (1 - 1/(n s^2)); a_t = s0^2 - v_t.

    Args:
        n: items per generation.
        generations: T; the result has shape (T,).

    Conditions: MLE, all batches kept, constant n, fit 1 real and all later arrivals from the last model.
    Scale: mean. Source: derived (THEORY G7; the regime of Gerstgrasser et al., arXiv 2404.01413).

    >>> round(float(variance(10, 100)[-1]), 4)
    0.8443
    """
    s = np.arange(1, generations + 1, dtype=float)
    return np.asarray(np.cumprod(1.0 - 1.0 / (n * s * s)), np.float64)


def limit(n: int) -> float:
    """v_t / s0^2 as t grows: Euler's product, sin(pi/sqrt n) / (pi/sqrt n).

    >>> round(limit(10), 5)
    0.84344
    """
    x = math.pi / math.sqrt(n)
    return math.sin(x) / x


class AccumulateVariance(Theory):
    """v_t and a_t of a Gaussian in *accumulate*: :func:`variance` times tr Sigma_0, any dimension and real law.

    In collapse the variance would fall to 0; here it stops at :func:`limit`.

    >>> round(1 - limit(10), 5)
    0.15656
    """

    row: ClassVar[str] = "G7"
    source: ClassVar[str] = "derived; regime of Gerstgrasser et al., arXiv 2404.01413"
    statement: ClassVar[str] = "v_t = prod_s (1 - 1/(n s^2)), a_t = 1 - v_t"

    def refuses(self, world: World) -> str:
        """Needs the MLE, accumulate, constant n and nothing biased or selected."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle"),
            given.plain_sampling,
            given.real_start,
            given.accumulate,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance, sum and ratio."""
        assert isinstance(world.law, Law)
        scale = float(world.law.cov.trace())
        v = variance(int(given.counts(world)[0]), world.generations)
        return moment_rows(world, self.name(), scale * (1.0 - v), scale * v)
