"""Squared error of the mean plus variance within stays what it was: the master law.

A free oracle for every regime: collapse only moves variance from within the model to the error of its mean.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def total(variance: float) -> float:
    """a_t + v_t = tr Sigma_0 for every t.

    Args:
        variance: trace of the real covariance.

    Conditions: every fit keeps the first two moments of its training set (Gaussian MLE, mixtures after an M-step),
    items are drawn as they are, nothing is selected, and fit 1 is on real data. Any regime, budgets and weights.
    Scale: mean. Source: derived; the martingale of sufficient statistics of arXiv 2506.20623 (PRL 136:197301, 2026).

    >>> total(1.0)
    1.0
    """
    return variance


class SumLaw(Theory):
    """a_t + v_t = E|mu_t - mu0|^2 + E tr Sigma_t = tr Sigma_0, in the units of x squared.

    It says nothing on how the sum is divided; in collapse all of it becomes error. See :func:`total`.

    >>> SumLaw().statement
    'a_t + v_t = s0^2'
    """

    row: ClassVar[str] = "master"
    source: ClassVar[str] = "derived; arXiv 2506.20623"
    statement: ClassVar[str] = "a_t + v_t = s0^2"

    def refuses(self, world: World) -> str:
        """The fit must keep two moments, and nothing may be biased or selected."""
        return given.first(
            world,
            given.model("gaussian", "gmm"),
            _keeps_moments,
            given.clean_source,
            given.known_moments,
            given.no_curator,
            given.plain_sampling,
            given.real_start,
            _weights_fixed,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The rows of the sum."""
        assert isinstance(world.law, Law)
        flat = np.full(world.generations, total(float(world.law.cov.trace())))
        rows = moment_rows(world, self.name(), flat, np.zeros_like(flat))
        return [row for row in rows if row.metric.endswith(".total")]


def _keeps_moments(world: World) -> str:
    table = world.model.table()
    if world.model.name() == "gaussian":
        return given.estimator("mle")(world)
    if table.get("floor"):
        return "the covariance floor adds variance"
    return "a low-rank covariance loses variance" if table.get("covariance") == "low-rank" else ""


def _weights_fixed(world: World) -> str:
    loose = any(recipe.mixed or recipe.take is not None for recipe in given.recipes(world))
    return "the total weight is random" if loose and given.equal_weights(world) else ""
