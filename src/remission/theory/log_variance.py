"""Mean and variance of the logarithm of the variance: collapse is almost sure, not in the mean.

The scale on which *replace* must be measured: the mean of s^2 stays 1 for ever with the unbiased estimator, while
its median goes to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def log_mean(counts: Sequence[int], unbiased: bool = False) -> Floats:
    """E ln(s_t^2 / s0^2) = sum_s [psi((n_s - 1)/2) + ln(2 / (n_s - ddof))].

    Args:
        counts: n_1 .. n_T.
        unbiased: ddof = 1 instead of 0.

    Conditions: one dimension, normal real data, replace. Scale: log-mean. Source: derived (THEORY G5): s_t^2 is s0^2
    times a product of independent chi2_{n-1} / (n - ddof).

    >>> [round(float(log_mean([50] * 20, unbiased)[-1]), 4) for unbiased in (False, True)]
    [-0.815, -0.4109]
    """
    from scipy.special import digamma

    n = np.asarray(counts, float)
    return np.cumsum(digamma((n - 1) / 2) + np.log(2.0 / (n - (1 if unbiased else 0))))


def log_spread(counts: Sequence[int]) -> Floats:
    """Var ln s_t^2 = sum_s psi1((n_s - 1)/2), whatever the divisor.

    Arguments, conditions and source as in :func:`log_mean`.

    >>> round(float(log_spread([50] * 20)[-1]), 4)
    0.8332
    """
    from scipy.special import polygamma

    return np.cumsum(polygamma(1, (np.asarray(counts, float) - 1) / 2))


class LogVariance(Theory):
    """E ln s_t^2 = ln s0^2 + :func:`log_mean`, in one dimension. In collapse it falls linearly, without end.

    With sampling bias b every fit but the first adds ln b; a start scaled by c adds 2 ln c.

    >>> round(float(log_mean([10])[0]), 4)
    -0.2206
    """

    row: ClassVar[str] = "G5"
    source: ClassVar[str] = "derived"
    statement: ClassVar[str] = "E ln s_t^2 = t [psi((n-1)/2) + ln(2/(n - ddof))]; Var = t psi1((n-1)/2)"

    def refuses(self, world: World) -> str:
        """The chi-square law needs normal data in one dimension."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle", "unbiased"),
            given.normal_law,
            given.one_dimension,
            _spread,
            given.only_spread,
            _start,
            given.replace,
            given.two_items,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The logarithm of the variance, and the log-determinant, which is the same number."""
        assert isinstance(world.law, Law)
        unbiased = world.model.table()["estimator"] == "unbiased"
        values = log_mean(given.counts(world).tolist(), unbiased) + np.log(float(world.law.cov[0, 0]))
        values += np.arange(world.generations) * np.log(world.sampling.bias * world.sampling.temperature)
        if world.initial.state == "shifted":
            values += 2.0 * np.log(world.initial.scale)
        name = self.name()
        return [
            Prediction(name, "moments.variance", "log-mean", values),
            Prediction(name, "moments.log-det", "mean", values),
        ]


def _start(world: World) -> str:
    if world.initial.state == "collapsed":
        return "the start is collapsed, so fit 1 is not on independent normal items"
    return "the start has no spread" if world.initial.state == "shifted" and world.initial.scale == 0 else ""


def _spread(world: World) -> str:
    return (
        ""
        if isinstance(world.law, Law) and world.law.cov[0, 0] > 0
        else "the real data has no spread to take a logarithm of"
    )
