"""Least squares on labels made by the last least-squares fit: the excess error grows linearly.

Every generation adds its own noise, s^2 d / (T - d - 1), whether covariates are drawn anew or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import LinearLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def excess(counts: Sequence[int], d: int, noise: Sequence[float]) -> Floats:
    """E (w_t - w_0)' C (w_t - w_0) = sum_{k <= t} s_k^2 d / (T_k - d - 1).

    Args:
        counts: T_1 .. T_t, rows per generation, all above d + 1.
        d: columns.
        noise: s_1 .. s_t, standard deviation of the labels of each generation.

    Conditions: ordinary least squares, normal covariates of any covariance C, replace. Scale: mean.
    Source: Gerstgrasser et al., arXiv 2404.01413, theorem on replacing data; Dohmatob et al., arXiv 2402.07712; THEORY L1.

    >>> round(float(excess([60] * 10, 10, [1.0] * 10)[-1]), 4)
    2.0408
    """
    n = np.asarray(counts, float)
    return np.cumsum(np.asarray(noise, float) ** 2 * d / (n - d - 1.0))


class RegressionReplace(Theory):
    """Excess test error of ordinary least squares in *replace*; see :func:`excess`. In collapse it rises without bound.

    >>> round(float(excess([60], 10, [1.0])[0]), 5)
    0.20408
    """

    row: ClassVar[str] = "L1"
    source: ClassVar[str] = "Gerstgrasser et al., arXiv 2404.01413; Dohmatob et al., arXiv 2402.07712"
    statement: ClassVar[str] = "t s^2 d/(T - d - 1)"

    def refuses(self, world: World) -> str:
        """Needs least squares with known label noise, replace, and more rows than columns."""
        return given.first(world, given.least_squares, given.replace, given.more_rows)

    def predict(self, world: World) -> list[Prediction]:
        """The row test-risk.excess."""
        assert isinstance(world.law, LinearLaw)
        noise = [world.law.noise, *[given.label_noise(world)] * (world.generations - 1)]
        values = excess(given.counts(world).tolist(), world.space.features, noise)
        return [Prediction(self.name(), "test-risk.excess", "mean", values)]
