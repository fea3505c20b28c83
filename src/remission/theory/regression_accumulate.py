"""Least squares on all labels so far, on the same covariates: the excess error stays bounded by pi^2/6 times the first.

Exact only when every generation uses the same covariates, as the authors' code does; with new ones it is a few
per cent lower. Any other memory (window, lag) on the same covariates follows from the same recursion.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import LinearLaw
from remission.theory import _conditions as given
from remission.theory._second_moments import Laws, propagate
from remission.world import Prediction, Theory, World


def excess(rows: int, d: int, noise: float, generations: int) -> Floats:
    """E (w_t - w_0)' C (w_t - w_0) = s^2 d / (T - d - 1) sum_{i <= t} 1/i^2, below pi^2/6 of the first.

    Args:
        rows: T, rows per generation, above d + 1.
        d: columns.
        noise: s, standard deviation of all labels.
        generations: the result has shape (generations,).

    Conditions: ordinary least squares, normal covariates, the same in every generation, accumulate. Scale: mean.
    Source: Gerstgrasser et al., arXiv 2404.01413, theorem on accumulating data; THEORY L2.

    >>> round(float(excess(60, 10, 1.0, 10)[-1]), 5)
    0.31628
    """
    return noise**2 * d / (rows - d - 1) * np.cumsum(1.0 / np.arange(1, generations + 1) ** 2)


class RegressionAccumulate(Theory):
    """Excess test error of least squares with the same covariates, for *accumulate*, a window or a lag.

    On equal Gram matrices a fit is the average of the fits of its batches, so it obeys the recursion of a mean with one
    observation per batch, of variance s^2 d / (T - d - 1). In collapse it rises; in *accumulate* as :func:`excess`.

    >>> round(float(excess(60, 10, 1.0, 1)[0]), 5)
    0.20408
    """

    row: ClassVar[str] = "L2"
    source: ClassVar[str] = "Gerstgrasser et al., arXiv 2404.01413; window and lag derived"
    statement: ClassVar[str] = "s^2 d/(T - d - 1) sum_{i<=t} 1/i^2"

    def refuses(self, world: World) -> str:
        """Needs least squares on the same covariates, whole batches, and no real labels after the first."""
        return given.first(
            world,
            given.least_squares,
            given.known_label_noise,
            given.option("covariates", "same"),
            given.whole_sets,
            given.equal_weights,
            given.constant_count,
            _one_origin,
            given.more_rows,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The row test-risk.excess."""
        assert isinstance(world.law, LinearLaw)
        d, rows = world.space.features, int(given.counts(world)[0])
        unit = d / (rows - d - 1.0)
        real, later = unit * world.law.noise**2, unit * given.label_noise(world) ** 2
        single = [
            dataclasses.replace(recipe, arrivals=(dataclasses.replace(recipe.arrivals[0], count=1),))
            for recipe in given.recipes(world)
        ]
        found = propagate(single, Laws(real, real, 0.0, lambda variance, k: later))
        return [Prediction(self.name(), "test-risk.excess", "mean", found.error)]


def _one_origin(world: World) -> str:
    for t, recipe in enumerate(given.recipes(world), start=1):
        if len(recipe.arrivals) != 1:
            return "a batch has items of several origins"
        if t > 1 and recipe.arrivals[0].origin == 0:
            return "real data keeps arriving"
    return ""
