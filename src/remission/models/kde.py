"""A kernel density estimate: a random training item plus Gaussian noise of a fixed or fitted bandwidth.

With a fixed bandwidth h its loop does not shrink but blurs: in *replace* the second moment grows by h^2 every
generation, in *accumulate* by h^2 / t (THEORY rows K1, K2; Kazdan et al. 2410.16713).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Array, Dataset, Floats, Space
from remission.errors import FitError
from remission.interfaces import HasDensity, HasMoments, Model, Sampling, State
from remission.numerics import kde as kernels
from remission.numerics.moments import mean_and_scatter
from remission.rng import Streams


@dataclass(frozen=True, eq=False)
class Kernels:
    """The fitted state: the training items themselves (a view) and what blurs them.

    Attributes:
        items: (r, n, d).
        weight: (r, n), or None when all weigh the same.
        bandwidth: standard deviation of the kernel in each coordinate, (r, d).
    """

    items: Floats
    weight: Floats | None
    bandwidth: Floats


class Kde(Model, HasMoments, HasDensity):
    """p(x) = sum_i w_i N(x; x_i, diag(h^2)) / W over the n training items x_i of weight w_i.

    A number is h in every coordinate. ``scott`` is h_a = k^(-1/(d+4)) s_a and ``silverman``
    h_a = (k (d+2)/4)^(-1/(d+4)) s_a, with s_a the unbiased standard deviation of coordinate a and
    k = W^2 / sum w^2 items in effect (Scott 1992, eq. 6.42; Silverman 1986, eq. 4.14): they adapt to every training set,
    so that a collapsing loop narrows its kernel. In one dimension both equal ``scipy.stats.gaussian_kde``.

    Attributes:
        bandwidth: h > 0 in the units of the items, or ``scott`` or ``silverman``.

    Raises:
        FitError: items that are not finite, no weight, or a single item in effect for a fitted bandwidth.

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> data = Dataset(Space("vector", (1,)), np.array([[[0.0], [2.0]]]), np.zeros((1, 2), np.int32))
    >>> model = Kde(bandwidth=0.5)
    >>> model.moments(model.fit(data, None))
    (array([[1.]]), array([[[1.25]]]))
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    knows: ClassVar[frozenset[str]] = frozenset({"bias"})
    weighted: ClassVar[bool] = True

    bandwidth: Annotated[float, Meta(gt=0)] | Literal["scott", "silverman"] = "scott"

    def minimum(self, space: Space) -> int:
        """One item for a given bandwidth, two for a fitted one."""
        return 2 if isinstance(self.bandwidth, str) else 1

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> Kernels:
        """Keep the items; work out the bandwidth."""
        items = np.asarray(data.items, np.float64)
        r, _, d = items.shape
        finite = np.isfinite(items.sum(axis=(1, 2)))  # of a view into the pool: no copy
        heavy = np.ones(r, np.bool_) if data.weight is None else data.weight.sum(axis=1) > 0
        if not (finite & heavy).all():
            raise FitError(
                f"kde: {int((~(finite & heavy)).sum())} of {r} replicates of the block could not be fitted. Likely causes: "
                f"1. NaN or infinite items from the source or an earlier model; 2. weights that are all zero (a curator?)."
            )
        if not isinstance(self.bandwidth, str):
            return Kernels(items, data.weight, np.full((r, d), self.bandwidth))
        total, _, scatter = mean_and_scatter(items, data.weight)
        count = total if data.weight is None else total**2 / (data.weight**2).sum(axis=1)
        if (count <= 1).any():
            raise FitError(
                f"kde: bandwidth = '{self.bandwidth}' needs 2 items of positive weight per fit. Raise samples or the kept "
                f"share, or give the bandwidth as a number."
            )
        variance = np.diagonal(scatter, axis1=1, axis2=2) / (total * (1 - 1 / count))[:, None]
        effective = count if self.bandwidth == "scott" else count * (d + 2) / 4
        return Kernels(items, data.weight, np.sqrt(variance) * (effective ** (-1 / (d + 4)))[:, None])

    def sample(self, state: Kernels, n: int, streams: Streams, sampling: Sampling) -> Array:
        """A random item plus h z.

        ``bias`` b multiplies the whole covariance: every draw is moved toward the mean m of the items, to
        m + sqrt(b) (x - m), which shrinks the spread of the items and the kernel variance alike.
        """
        items = state.items  # a view into the growing pool: copying it would make accumulating quadratic
        r, _, d = items.shape
        shrink = float(np.sqrt(sampling.bias))
        centre = np.zeros((r, d)) if shrink == 1.0 else mean_and_scatter(items, state.weight)[1]
        out = np.empty((len(streams), n, d))
        weight = _weights(state)
        kernels.draw(*streams.words, streams.replicates, items, weight, state.bandwidth, centre, shrink, out)
        return out

    def moments(self, state: Kernels) -> tuple[Floats, Floats]:
        """Mean of the items; their covariance (divided by W) plus the kernel's."""
        total, mean, scatter = mean_and_scatter(np.ascontiguousarray(state.items), state.weight)
        kernel = state.bandwidth[:, :, None] ** 2 * np.eye(mean.shape[1])
        return mean, scatter / total[:, None, None] + kernel

    def log_density(self, state: Kernels, items: Array) -> Floats:
        """Natural log-density (r, m), exact to rounding; minus infinity when a fitted bandwidth is zero."""
        queries = np.ascontiguousarray(items, np.float64)
        out = np.empty(queries.shape[:2])
        known, weight = np.ascontiguousarray(state.items), _weights(state)
        if known.shape[2] == 1:
            order = np.argsort(known[:, :, 0], axis=1)
            known = np.take_along_axis(known, order[:, :, None], axis=1)
            weight = np.take_along_axis(weight, order, axis=1) if weight.size else weight
        kernels.log_density(known, weight, state.bandwidth, queries, out)
        return out


def _weights(state: Kernels) -> Floats:
    return np.empty((0, 0)) if state.weight is None else np.ascontiguousarray(state.weight)
