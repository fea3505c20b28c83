"""The best weight of fresh real data against synthetic data: the reciprocal golden ratio.

With as many synthetic items as real ones the error is least when the real ones weigh 0.618 in all.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from remission.data import REAL
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def fixed_point(weight: float, ratio: float) -> float:
    """Fixed point: n a* / s0^2 = [w^2 + (1 - w)^2 / k] / (2w - w^2).

    Args:
        weight: w, total weight of the n fresh real items, 0 < w <= 1.
        ratio: k = m / n, synthetic items per real one.

    Conditions: mean of a Gaussian with known variance s0^2; fresh real items every generation. Scale: mean.
    Source: He et al., arXiv 2502.18049 (JRSS-B), Gaussian mean estimation; THEORY G11.

    >>> round(fixed_point(0.618034, 1.0), 4)
    0.618
    """
    return (weight**2 + (1 - weight) ** 2 / ratio) / (2 * weight - weight**2)


def best_weight(ratio: float) -> float:
    """w* = (sqrt(1 + 4k) - 1) / (2k), the minimum of :func:`fixed_point`.

    >>> round(best_weight(1.0), 4), round(best_weight(10.0), 4)
    (0.618, 0.2702)
    """
    return (math.sqrt(1 + 4 * ratio) - 1) / (2 * ratio)


class WeightedMix(Theory):
    """a_{t+1} = w^2 V_r / n_r + (1 - w)^2 (a_t + V_s / n_s): the error of a weighted mean, any dimension.

    V_r = tr Sigma_0, V_s = bias * known * d, w the share of the weight that is real. In collapse a would rise without bound;
    it goes to :func:`fixed_point` when V_s = V_r.

    >>> round(fixed_point(1.0, 1.0), 4)
    1.0
    """

    row: ClassVar[str] = "G11"
    source: ClassVar[str] = "He et al., arXiv 2502.18049; recursion derived"
    statement: ClassVar[str] = "n a* = [w^2 + (1-w)^2/k]/(2w - w^2); w* = (sqrt(1+4k)-1)/(2k)"

    def refuses(self, world: World) -> str:
        """Needs known variance, only what has just arrived, real or from the last model, exact counts."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mean-only"),
            given.only_spread,
            given.real_start,
            given.only_newest_batch,
            given.whole_sets,
            given.newest_or_real,
            given.exact_shares,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The error of the mean; the variance is the known one."""
        assert isinstance(world.law, Law)
        v = float(world.model.table()["known"]) * world.space.features
        spread = {True: float(world.law.cov.trace()), False: v * world.sampling.bias * world.sampling.temperature}
        a = np.empty(world.generations)
        last = 0.0
        for t, recipe in enumerate(given.recipes(world)):
            total = sum(part.count * part.weight for part in recipe.arrivals)
            old = sum(part.count * part.weight for part in recipe.arrivals if part.origin != REAL) / total
            noise = sum(
                part.count * (part.weight / total) ** 2 * spread[part.origin == REAL] for part in recipe.arrivals
            )
            a[t] = last = old**2 * last + noise
        rows = moment_rows(world, self.name(), a, np.full_like(a, v))
        return [row for row in rows if "of=training" not in row.metric or row.metric.endswith("error")]
