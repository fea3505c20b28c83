"""Shumailov's first-order risk of a Gaussian: (3/2) s0^2 sum 1/M.

Refused where it is further than ``tolerance`` from the exact law (wasserstein-risk), which it approximates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def first_order(counts: Sequence[int]) -> Floats:
    """(3/2) sum_{s <= t} 1/n_s, in units of s0^2.

    Conditions: one dimension, unbiased variance, replace, t/n small. Scale: mean.
    Source: Shumailov et al., arXiv 2305.17493, section on the one-dimensional Gaussian; Nature 631:755.

    >>> round(float(first_order([50] * 20)[-1]), 4)
    0.6
    """
    return 1.5 * np.cumsum(1.0 / np.asarray(counts, float))


class FirstOrderRisk(Theory):
    """E W2^2 = (3/2) s0^2 sum_s 1/n_s up to second order in 1/n. In collapse it rises. Units of x squared.

    Attributes:
        tolerance: largest relative distance from the exact law at which the approximation is still stated.

    >>> round(float(first_order([1000])[0]), 4)
    0.0015
    """

    row: ClassVar[str] = "G4"
    source: ClassVar[str] = "Shumailov et al., arXiv 2305.17493"
    statement: ClassVar[str] = "W2^2 = (3/2) s0^2 sum_i 1/M_i"

    tolerance: Annotated[float, Meta(gt=0)] = 0.002

    def refuses(self, world: World) -> str:
        """As the exact law, and the first order must be close to it."""
        reason = given.first(
            world,
            given.gaussian,
            given.estimator("unbiased"),
            given.normal_law,
            given.one_dimension,
            given.plain_sampling,
            given.real_start,
            given.replace,
            given.two_items,
        )
        if reason:
            return reason
        counts = given.counts(world).tolist()
        gap = float(np.max(np.abs(first_order(counts) / _exact(counts) - 1.0)))
        return f"the first order is {gap:.2%} off the exact risk" if gap > self.tolerance else ""

    def predict(self, world: World) -> list[Prediction]:
        """The row moments.w2."""
        assert isinstance(world.law, Law)
        values = float(world.law.cov.trace()) * first_order(given.counts(world).tolist())
        return [Prediction(self.name(), "moments.w2", "mean", values)]


def _exact(counts: Sequence[int]) -> Floats:
    from scipy.special import gammaln

    n = np.asarray(counts, float)
    c = np.sqrt(2.0 / (n - 1.0)) * np.exp(gammaln(n / 2) - gammaln((n - 1.0) / 2))
    return np.cumsum(1.0 / n) + 2.0 * (1.0 - np.cumprod(c))
