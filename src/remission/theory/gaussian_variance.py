"""Variance and error of the mean of a Gaussian refitted on its own samples.

The law of collapse in its purest form: with the maximum-likelihood variance the spread shrinks by 1 - 1/n per fit;
with the unbiased one it stays in the mean while the mean drifts away like a random walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def variance(counts: Sequence[int], unbiased: bool = False) -> Floats:
    """v_t / s0^2 = prod_{s <= t} (1 - 1/n_s), or 1 when unbiased.

    Args:
        counts: n_1 .. n_T.
        unbiased: the variance is divided by n - 1 instead of n.

    Conditions: replace; any real law with a finite variance. Scale: mean. Source: THEORY G1, G2 (derived;
    Shumailov et al., Nature 631:755, section on the one-dimensional Gaussian).

    >>> round(float(variance([50] * 20)[-1]), 4)
    0.6676
    """
    n = np.asarray(counts, float)
    return np.asarray(np.ones(n.size) if unbiased else np.cumprod(1.0 - 1.0 / n), np.float64)


def error(counts: Sequence[int], unbiased: bool = False) -> Floats:
    """a_t / s0^2 = 1 - prod (1 - 1/n_s), or sum 1/n_s when unbiased.

    The mean of the unbiased model is a random walk: one drawn item has variance 1 + t/n (Shumailov's s^2 (1 + n/M)).
    Arguments, conditions, scale and source as in :func:`variance`.

    >>> round(float(error([50] * 20)[-1]), 4), round(float(error([50] * 20, unbiased=True)[-1]), 4)
    (0.3324, 0.4)
    """
    n = np.asarray(counts, float)
    return np.cumsum(1.0 / n) if unbiased else -np.expm1(np.cumsum(np.log1p(-1.0 / n)))


class GaussianVariance(Theory):
    """v_t and a_t of a Gaussian in *replace*: :func:`variance` and :func:`error` times tr Sigma_0.

    Any dimension, any budgets, any real law of finite variance. In collapse v falls (mle) and a rises.
    For t >> n the mean of the variance is carried by runs nobody sees: compare logarithms (log-variance) there.

    >>> 1 - round(float(variance([50] * 20)[-1] + error([50] * 20)[-1]), 12)
    0.0
    """

    row: ClassVar[str] = "G1, G2"
    source: ClassVar[str] = "Shumailov et al., Nature 631:755 (2024); derived"
    statement: ClassVar[str] = "mle: v_t = (1 - 1/n)^t, a_t = 1 - v_t; unbiased: v_t = 1, a_t = t/n"

    def refuses(self, world: World) -> str:
        """Another model, regime, a bias, a curator or a start that is not real."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle", "unbiased"),
            given.plain_sampling,
            given.real_start,
            given.replace,
            given.two_items,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance, sum and ratio."""
        assert isinstance(world.law, Law)
        unbiased = world.model.table()["estimator"] == "unbiased"
        counts = given.counts(world).tolist()
        scale = float(world.law.cov.trace())
        a, v = scale * error(counts, unbiased), scale * variance(counts, unbiased)
        training = v * (1.0 - 1.0 / np.asarray(counts)) if unbiased else None
        return moment_rows(world, self.name(), a, v, training)
