"""Expected squared Wasserstein distance between the fitted and the real Gaussian.

The exact law whose first order is Shumailov's risk (3/2) s0^2 sum 1/M.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def spread_mean(n: int, unbiased: bool = True) -> float:
    """Mean c = E s / s0 of one fit: sqrt(2 / (n - ddof)) Gamma(n/2) / Gamma((n - 1)/2).

    Source: the mean of the chi distribution.

    >>> round(spread_mean(2), 6), round((2 / np.pi) ** 0.5, 6)
    (0.797885, 0.797885)
    """
    from scipy.special import gammaln

    ddof = 1 if unbiased else 0
    return float(np.sqrt(2.0 / (n - ddof)) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2)))


def risk(counts: Sequence[int], unbiased: bool = True) -> Floats:
    """E[(mu_t - mu0)^2 + (s_t - s0)^2] / s0^2: t/n + 2 (1 - c^t) unbiased, 2 (1 - c'^t) MLE.

    Args:
        counts: n_1 .. n_T; c^t becomes the product of c(n_s).
        unbiased: divisor n - 1 instead of n.

    Conditions: one dimension, normal real data, replace. Scale: mean. Source: derived (THEORY G3).

    >>> [round(float(risk([50] * 20, unbiased)[-1]), 4) for unbiased in (False, True)]
    [0.5244, 0.594]
    """
    n = np.asarray(counts, float)
    lost = 2.0 * (1.0 - np.cumprod([spread_mean(int(count), unbiased) for count in counts]))
    return np.asarray(lost + np.cumsum(1.0 / n) if unbiased else lost, np.float64)


class WassersteinRisk(Theory):
    """E W2^2 between N(mu_t, s_t^2) and N(mu0, s0^2) in one dimension; see :func:`risk`. In collapse it rises.

    For the MLE, a_t + v_t = s0^2 leaves 2 s0 (s0 - E s_t). Units of x squared.

    >>> round(float(risk([50])[-1]), 4)
    0.0302
    """

    row: ClassVar[str] = "G3"
    source: ClassVar[str] = "derived"
    statement: ClassVar[str] = "unbiased: t/n + 2 (1 - c^t); mle: 2 (1 - c'^t)"

    def refuses(self, world: World) -> str:
        """The law of s_t needs normal data in one dimension."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle", "unbiased"),
            given.normal_law,
            given.one_dimension,
            given.plain_sampling,
            given.real_start,
            given.replace,
            given.two_items,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The row moments.w2."""
        assert isinstance(world.law, Law)
        unbiased = world.model.table()["estimator"] == "unbiased"
        values = float(world.law.cov.trace()) * risk(given.counts(world).tolist(), unbiased)
        return [Prediction(self.name(), "moments.w2", "mean", values)]
