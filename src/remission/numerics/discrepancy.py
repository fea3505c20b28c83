"""Kernel and rank discrepancies of two samples: MMD, KID, energy distance, Kolmogorov-Smirnov."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Floats
from remission.numerics.neighbours import distances, mean_distance, points_of

Kernel = Literal["rbf", "cubic"]
_TILE = 256  # points of a tile of the kernel matrix; half a megabyte fits a processor's cache


def median_bandwidth(points: Floats, most: int = 1000) -> float:
    """The median distance between two different points of (n, d); from the first ``most`` of them.

    Source: Gretton et al., "A kernel two-sample test" (JMLR 2012), section 8.
    """
    points = points_of(points)[:most]
    if len(points) < 2:
        raise DataError("The median distance needs at least 2 points.")
    return float(np.median(distances(points, points)[np.triu_indices(len(points), 1)]))


class _Kernel:
    """Kernel values of points in tiles; what the kernel needs besides x.y rides along in the matrix product."""

    def __init__(self, kernel: Kernel, bandwidth: float) -> None:
        self.kernel, self.scale = kernel, 1.0 / bandwidth**2
        self._space = np.empty(_TILE * _TILE)

    def sides(self, x: Floats) -> tuple[Floats, Floats]:
        """Rows (n, d + 2) and columns (n, d + 2) whose product is the exponent of rbf, or the base of cubic."""
        one = np.ones((len(x), 1))
        if self.kernel == "cubic":
            return np.hstack([x / x.shape[1], one, 0 * one]), np.hstack([x, one, 0 * one])
        half = -0.5 * self.scale * (x * x).sum(axis=1, keepdims=True)
        return np.hstack([x * self.scale, half, one]), np.hstack([x, one, half])

    def total(self, rows: Floats, columns: Floats) -> float:
        """Sum of k over all pairs of at most a tile of rows and columns."""
        out = self._space[: len(rows) * len(columns)].reshape(len(rows), len(columns))
        np.matmul(rows, columns.T, out=out)
        if self.kernel == "cubic":
            return float(np.vdot(out, np.multiply(out, out)))
        np.minimum(out, 0.0, out=out)
        return float(np.exp(out, out=out).sum())


def _starts(n: int) -> range:
    return range(0, n, _TILE)


def _cross_mean(x: Floats, y: Floats, kernel: _Kernel) -> float:
    rows, columns = kernel.sides(x)[0], kernel.sides(y)[1]
    parts = [
        kernel.total(rows[i : i + _TILE], columns[j : j + _TILE]) for i in _starts(len(x)) for j in _starts(len(y))
    ]
    return math.fsum(parts) / (len(x) * len(y))


def _own_mean(x: Floats, kernel: _Kernel) -> float:
    """Mean of k(x, x') over different points; a tile off the diagonal is worked out once."""
    n, (rows, columns) = len(x), kernel.sides(x)
    parts = [
        (1.0 if i == j else 2.0) * kernel.total(rows[i : i + _TILE], columns[j : j + _TILE])
        for i in _starts(n)
        for j in range(i, n, _TILE)
    ]
    own = n if kernel.kernel == "rbf" else float((((x * x).sum(axis=1) / x.shape[1] + 1.0) ** 3).sum())
    return (math.fsum(parts) - own) / (n * (n - 1))


def mmd_squared(x: Floats, y: Floats, kernel: Kernel = "rbf", bandwidth: float | None = None) -> float:
    """Unbiased squared maximum mean discrepancy of (n, d) and (m, d), n, m >= 2; may be slightly negative.

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y), over different points. ``rbf``: exp(-|x - y|^2 / (2 b^2)) with b
    the bandwidth (default: median distance within y); ``cubic``: (x.y / d + 1)^3, the kernel of KID.

    Source: Gretton et al. (JMLR 2012), eq. 3.

    >>> import numpy as np
    >>> mmd_squared(np.array([[0.0], [0.0]]), np.array([[9e9], [9e9]]), bandwidth=1.0)
    2.0
    """
    x, y = points_of(x), points_of(y)
    if min(len(x), len(y)) < 2:
        raise DataError("An unbiased MMD needs at least 2 points on each side.")
    width = 1.0
    if kernel == "rbf":
        width = median_bandwidth(y) if bandwidth is None else bandwidth
        if not width > 0:
            raise DataError("The kernel's bandwidth is zero: half of the real points are equal. Give a bandwidth.")
        origin = y[0]
        x, y = x - origin, y - origin
    values = _Kernel(kernel, width)
    return _own_mean(x, values) + _own_mean(y, values) - 2.0 * _cross_mean(x, y, values)


def kid(generated: Floats, real: Floats) -> float:
    """Kernel Inception distance over all points: unbiased cubic MMD^2 of the first min(n, m) rows of each.

    Source: Binkowski et al., "Demystifying MMD GANs" (ICLR 2018), section 4.
    """
    m = min(len(generated), len(real))
    return mmd_squared(np.asarray(generated)[:m], np.asarray(real)[:m], "cubic")


def kid_of_subsets(
    generated: Floats, real: Floats, subsets: int = 100, size: int = 1000, seed: int = 2020
) -> tuple[float, float]:
    """Mean and standard deviation of KID over random subsets, with the random stream of torch-fidelity.

    The deviation over subsets is no confidence interval. Subsets are drawn without replacement by
    ``RandomState(seed)``, generated before real.
    """
    if size > min(len(generated), len(real)):
        raise DataError(f"Subsets of {size} need as many points on each side. Lower size.")
    stream = np.random.RandomState(seed)
    values = np.empty(subsets)
    for i in range(subsets):
        one = generated[stream.choice(len(generated), size, replace=False)]
        other = real[stream.choice(len(real), size, replace=False)]
        values[i] = mmd_squared(one, other, "cubic")
    return float(values.mean()), float(values.std())


def energy_distance(x: Floats, y: Floats) -> float:
    """sqrt(2 E|x - y| - E|x - x'| - E|y - y'|) of samples (n, d) and (m, d), pairs of equal points included.

    In one dimension by sorting, as ``scipy.stats.energy_distance``; 0 when equal.

    Source: Szekely & Rizzo, "Energy statistics" (JSPI 2013), eq. 5.
    """
    x, y = points_of(x), points_of(y)
    if x.shape[1] == 1:
        a, b = np.sort(x[:, 0]), np.sort(y[:, 0])
        every = np.sort(np.concatenate([a, b]))
        gap = np.searchsorted(a, every[:-1], "right") / a.size - np.searchsorted(b, every[:-1], "right") / b.size
        return math.sqrt(2.0 * float((gap * gap * np.diff(every)).sum()))
    square = 2.0 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)
    return math.sqrt(max(square, 0.0))


def kolmogorov_smirnov(a: Floats, b: Floats) -> float:
    """The largest gap between two empirical distribution functions on the line, in [0, 1].

    >>> import numpy as np
    >>> kolmogorov_smirnov(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.5
    """
    a, b = np.sort(np.asarray(a, np.float64).ravel()), np.sort(np.asarray(b, np.float64).ravel())
    every = np.concatenate([a, b])
    if not every.size or np.isnan(every).any():
        raise DataError("Kolmogorov-Smirnov needs values without NaN.")
    gap = np.searchsorted(a, every, "right") / a.size - np.searchsorted(b, every, "right") / b.size
    return float(np.abs(gap).max())


def chance_above(a: Floats, b: Floats) -> float:
    """The chance that a value of ``a`` is larger than one of ``b``, ties counted half: the area under the ROC curve.

    Equal to the Mann-Whitney statistic over the number of pairs. Infinite values are allowed, and equal to each other.

    >>> import numpy as np
    >>> chance_above(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    0.875
    """
    a, b = np.asarray(a, np.float64).ravel(), np.sort(np.asarray(b, np.float64).ravel())
    if not a.size or not b.size or np.isnan(a).any() or np.isnan(b).any():
        raise DataError("The chance that one value is larger than another needs values without NaN.")
    twice = np.searchsorted(b, a, "left") + np.searchsorted(b, a, "right")
    return float(twice.sum() / (2 * a.size * b.size))
