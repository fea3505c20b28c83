"""A Gaussian fitted by maximum likelihood, unbiased, or in its mean only.

The model in which collapse is completely understood: with n points per generation in *replace*, the
maximum-likelihood variance is a martingale times (1 - 1/n)^t and goes to zero almost surely (Shumailov et al.,
Nature 631:755, 2024; THEORY rows G1-G13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from remission.data import VECTORS, Array, Dataset, Floats, Space
from remission.errors import FitError
from remission.interfaces import FastModel, HasDensity, HasMoments, Sampling, State
from remission.laws import AnyLaw, NormalLaw
from remission.numerics import gaussian as kernels
from remission.numerics.moments import mean_and_scatter, merge_moments
from remission.rng import Streams


@dataclass(frozen=True, eq=False)
class Moments:
    """Additive statistics: total weight, effective count, mean and scatter, each with leading axis r."""

    total: Floats  # (r,)
    count: Floats  # (r,): (sum w)^2 / sum w^2, the number of points when all weigh the same
    mean: Floats  # (r, d)
    scatter: Floats  # (r, d, d)


@dataclass(frozen=True, eq=False)
class Normal:
    """The fitted state: mean (r, d), covariance (r, d, d)."""

    mean: Floats
    cov: Floats


class Gaussian(FastModel, HasMoments, HasDensity):
    """N(mean, covariance) in any dimension.

    With total weight W, weighted mean m and scatter S = sum w (x - m)(x - m)', the covariance is S / W (``mle``) or
    S / (W (1 - 1/k)) with k = W^2 / sum w^2 (``unbiased``; the usual 1/(n - 1) for equal weights).
    In collapse the covariance falls. No regulariser: a covariance may become singular, never floored.

    Attributes:
        estimator: ``mle``, ``unbiased``, or ``mean-only`` (the covariance is known: the first real one, kept for ever).
        known: the known variance per coordinate for ``mean-only``.

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> data = Dataset(Space("vector", (1,)), np.array([[[0.0], [2.0]]]), np.zeros((1, 2), np.int32))
    >>> model = Gaussian(estimator="unbiased")
    >>> model.moments(model.fit(data, None))
    (array([[1.]]), array([[[2.]]]))
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    knows: ClassVar[frozenset[str]] = frozenset({"bias", "temperature"})
    weighted: ClassVar[bool] = True

    estimator: Literal["mle", "unbiased", "mean-only"] = "mle"
    known: float = 1.0

    def minimum(self, space: Space) -> int:
        """One point for a known covariance, else two."""
        return 1 if self.estimator == "mean-only" else 2

    def statistics(self, data: Dataset) -> Moments:
        """Weight, effective count, mean and scatter."""
        total, mean, scatter = mean_and_scatter(data.items, data.weight)
        count = total if data.weight is None else total**2 / (data.weight**2).sum(axis=1)
        return Moments(total, count, mean, scatter)

    def merge(self, one: Moments, other: Moments) -> Moments:
        """Chan's update: stable for any offset."""
        total, mean, scatter = merge_moments(
            (one.total, one.mean, one.scatter), (other.total, other.mean, other.scatter)
        )
        squares = one.total**2 / one.count + other.total**2 / other.count
        return Moments(total, total**2 / squares, mean, scatter)

    def solve(self, statistics: Moments, previous: State | None = None) -> Normal:
        """Mean and covariance. Raises FitError when an unbiased covariance has no degree of freedom."""
        if self.estimator == "mean-only":
            d = statistics.mean.shape[1]
            return Normal(statistics.mean, np.broadcast_to(np.eye(d) * self.known, statistics.scatter.shape))
        divisor = statistics.total
        if self.estimator == "unbiased":
            if (statistics.count <= 1).any():
                raise FitError("An unbiased Gaussian needs at least 2 points per fit. Raise samples or the kept share.")
            divisor = statistics.total * (1 - 1 / statistics.count)
        return Normal(statistics.mean, statistics.scatter / divisor[:, None, None])

    def sample(self, state: Normal, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Mean + root(covariance * bias * temperature) z; both options scale the covariance."""
        out = np.empty((len(streams), n, state.mean.shape[1]))
        kernels.draw(*streams.words, streams.replicates, *_rooted(state, sampling), out)
        return out

    def draw_statistics(self, state: Normal, n: int, weight: float, streams: Streams, sampling: Sampling) -> Moments:
        """Mean ~ N(mean, cov / n) and scatter ~ Wishart(n - 1, cov) by Bartlett (exact for any n >= 1)."""
        r, d = state.mean.shape
        mean, scatter = np.empty((r, d)), np.empty((r, d, d))
        kernels.draw_moments(*streams.words, streams.replicates, *_rooted(state, sampling), n, mean, scatter)
        if weight != 1.0:
            scatter *= weight
        return Moments(np.full(r, n * weight), np.full(r, float(n)), mean, scatter)

    def state_of(self, law: AnyLaw, replicates: int) -> Normal | None:
        """A normal law is a state."""
        if not isinstance(law, NormalLaw):
            return None
        d = law.mean.size
        return Normal(np.broadcast_to(law.mean, (replicates, d)), np.broadcast_to(law.cov, (replicates, d, d)))

    def moments(self, state: Normal) -> tuple[Floats, Floats]:
        """Mean and covariance themselves."""
        return state.mean, state.cov

    def log_density(self, state: Normal, items: Array) -> Floats:
        """Natural log-density (r, m); minus infinity off the support of a singular covariance."""
        roots = kernels.roots(np.ascontiguousarray(state.cov))
        out = np.empty(items.shape[:2])
        kernels.log_density(np.ascontiguousarray(state.mean), roots, np.asarray(items, np.float64), out)
        return out


def _rooted(state: Normal, sampling: Sampling) -> tuple[Floats, Floats]:
    """Mean and the lower root of the covariance that is drawn from."""
    cov = state.cov
    scale = sampling.bias * sampling.temperature
    if scale != 1.0:
        cov = cov * scale
    return np.ascontiguousarray(state.mean), kernels.roots(np.ascontiguousarray(cov))
