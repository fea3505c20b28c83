"""Wasserstein distances: exact in one dimension, sliced and exact in several, entropic."""

from __future__ import annotations

import math

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Floats
from remission.numerics.jit import jit
from remission.numerics.neighbours import distances, points_of


@jit()
def _quantile_cost(a, b, p):  # type: ignore[no-untyped-def]
    """Integral of |F^-1 - G^-1|^p for sorted a (n,) and b (m,), exact for n != m: steps in units of 1 / (n m)."""
    n, m = a.size, b.size
    i = j = 0
    done, total = np.int64(0), 0.0
    while i < n and j < m:
        ends = min((i + 1) * m, (j + 1) * n)
        gap = abs(a[i] - b[j])
        total += (ends - done) * (gap if p == 1.0 else gap * gap if p == 2.0 else gap**p)
        done = ends
        if done == (i + 1) * m:
            i += 1
        if done == (j + 1) * n:
            j += 1
    return total / (np.float64(n) * m)


def _sorted_cost(a: Floats, b: Floats, p: float) -> Floats:
    """Mean of |difference|^p of sorted rows (k, n), in place of ``a``."""
    np.subtract(a, b, out=a)
    if p == 2.0:
        return np.einsum("kn,kn->k", a, a) / a.shape[1]
    np.abs(a, out=a)
    if p != 1.0:
        np.power(a, p, out=a)
    return a.mean(axis=1)


def wasserstein(a: Floats, b: Floats, p: float = 1.0) -> float:
    """W_p of two samples on the line, shapes (n,) and (m,), exact also when n != m.

    W_p^p = integral over u in (0, 1) of |F^-1(u) - G^-1(u)|^p. In the unit of the data; 0 when equal.

    >>> import numpy as np
    >>> wasserstein(np.array([0.0, 1.0]), np.array([5.0, 6.0]))
    5.0
    """
    a, b = _line(a), _line(b)
    equal = a.size == b.size
    cost = float(_sorted_cost(a[None], b[None], p)[0] if equal else _quantile_cost(a, b, float(p)))
    return cost ** (1.0 / p)


def _line(values: Floats) -> Floats:
    """Sorted values; NaN and infinity stand at the ends then."""
    array = np.sort(np.asarray(values, np.float64).ravel())
    if not array.size or not np.isfinite(array[[0, -1]]).all():
        raise DataError("A distance on the line needs at least one value, none of them NaN or infinite.")
    return array


def projections(d: int, count: int, normals: Floats) -> Floats:
    """``count`` unit directions as columns (d, count), from ``normals`` (d * count,)."""
    directions = normals.reshape(count, d)
    return np.ascontiguousarray((directions / np.sqrt((directions**2).sum(axis=1, keepdims=True))).T)


def sliced_wasserstein(x: Floats, y: Floats, directions: Floats, p: float = 2.0) -> float:
    """Sliced W_p of (n, d) and (m, d): the p-th root of the mean of W_p^p along unit columns (d, k).

    Source: Bonneel et al., "Sliced and Radon Wasserstein barycenters" (JMIV 2015).

    >>> import numpy as np
    >>> sliced_wasserstein(np.zeros((3, 2)), np.ones((3, 2)), np.eye(2))
    1.0
    """
    x, y = points_of(x), points_of(y)
    origin = y[0]
    a = np.ascontiguousarray(directions.T) @ (x - origin).T
    b = np.ascontiguousarray(directions.T) @ (y - origin).T
    a.sort(axis=1)
    b.sort(axis=1)
    if a.shape == b.shape:
        costs = _sorted_cost(a, b, p)
    else:
        costs = np.array([_quantile_cost(one, other, float(p)) for one, other in zip(a, b, strict=True)])
    return float(costs.mean() ** (1.0 / p))


def approximate_sliced_wasserstein(x: Floats, y: Floats) -> float:
    """Sliced W2 without projections, from two moments; good when d is large.

    sqrt(|mean_x - mean_y|^2 / d + (m_x - m_y)^2) with m^2 the mean squared length of centred rows over d.

    Source: Nadjahi et al., "Fast approximation of the sliced-Wasserstein distance" (NeurIPS 2021), eq. 12.
    """
    x, y = points_of(x), points_of(y)
    origin, d = y[0], x.shape[1]
    x, y = x - origin, y - origin
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    size_x = math.sqrt(((x - mean_x) ** 2).sum(axis=1).mean() / d)
    size_y = math.sqrt(((y - mean_y) ** 2).sum(axis=1).mean() / d)
    return math.sqrt(float(((mean_x - mean_y) ** 2).sum()) / d + (size_x - size_y) ** 2)


@jit()
def _transport(cost, supply, demand, flow):  # type: ignore[no-untyped-def]
    """Least-cost flow from whole-number supplies to demands: successive shortest paths with potentials."""
    n, m = cost.shape
    left, open_ = supply.copy(), demand.copy()
    u, v = np.zeros(n), np.zeros(m)
    for j in range(m):
        v[j] = cost[:, j].min()
    far_row, far_col = np.empty(n), np.empty(m)
    from_row, from_col = np.empty(m, np.int64), np.empty(n, np.int64)
    done_row, done_col = np.empty(n, np.bool_), np.empty(m, np.bool_)
    for source in range(n):
        while left[source] > 0:
            far_row[:], far_col[:] = np.inf, np.inf
            done_row[:], done_col[:] = False, False
            far_row[source], from_col[source] = 0.0, -1
            row, reached, length = source, -1, 0.0
            while True:
                done_row[row] = True
                for j in range(m):
                    if not done_col[j]:
                        new = length + max(0.0, cost[row, j] - u[row] - v[j])
                        if new < far_col[j]:
                            far_col[j], from_row[j] = new, row
                row, length = -1, np.inf
                while True:  # settle columns until one is open or leads back to a new row
                    column, best = -1, np.inf
                    for j in range(m):
                        if not done_col[j] and far_col[j] < best:
                            column, best = j, far_col[j]
                    for i in range(n):
                        if not done_row[i] and far_row[i] < length:
                            row, length = i, far_row[i]
                    if row >= 0 and length <= best:
                        break
                    done_col[column] = True
                    if open_[column] > 0:
                        reached, length = column, best
                        break
                    for i in range(n):
                        if not done_row[i] and flow[i, column] > 0 and best < far_row[i]:
                            far_row[i], from_col[i] = best, column
                    row, length = -1, np.inf
                if reached >= 0:
                    break
            for i in range(n):
                if done_row[i]:
                    u[i] += length - far_row[i]
            for j in range(m):
                if done_col[j]:
                    v[j] -= length - far_col[j]
            push, j = min(left[source], open_[reached]), reached
            while from_row[j] != source:
                i = from_row[j]
                j = from_col[i]
                push = min(push, flow[i, j])
            j = reached
            while True:
                i = from_row[j]
                flow[i, j] += push
                if i == source:
                    break
                j = from_col[i]
                flow[i, j] -= push
            left[source] -= push
            open_[reached] -= push


def optimal_cost(cost: Floats) -> float:
    """The exact optimal transport cost of a cost matrix (n, m) with uniform weights on both sides.

    >>> import numpy as np
    >>> optimal_cost(np.array([[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """
    n, m = cost.shape
    if n == m:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(cost)
        return float(cost[rows, columns].mean())
    common = math.gcd(n, m)
    flow = np.zeros((n, m), np.int64)
    supply, demand = np.full(n, m // common, np.int64), np.full(m, n // common, np.int64)
    _transport(np.ascontiguousarray(cost, np.float64), supply, demand, flow)
    return float((flow * cost).sum() / (n * m // common))


def wasserstein2_squared(x: Floats, y: Floats) -> float:
    """Squared W2 of (n, d) and (m, d), exact, uniform weights; time grows like n^3: up to about a thousand points."""
    return optimal_cost(distances(x, y) ** 2)


def sinkhorn_cost(x: Floats, y: Floats, share: float = 0.05, iterations: int = 5000, tolerance: float = 1e-12) -> float:
    """<P, M> of the entropic plan P between (n, d) and (m, d); M squared distances, strength ``share`` * max(M).

    Not debiased. Iterates until the marginal is met to ``tolerance``.

    Source: Cuturi, "Sinkhorn distances" (NeurIPS 2013).
    """
    cost = distances(x, y) ** 2
    n, m = cost.shape
    if cost.max() == 0.0:
        return 0.0
    if share < 0.002:
        raise DataError(f"The entropic strength must be at least 0.002 of the largest cost. Got {share}.")
    kernel = np.exp(-cost / (share * cost.max()))
    v = np.ones(m)
    for _ in range(iterations):
        u = (1.0 / n) / (kernel @ v)
        v = (1.0 / m) / (u @ kernel)
        if np.abs(u * (kernel @ v) - 1.0 / n).sum() < tolerance:
            break
    return float((u[:, None] * kernel * v * cost).sum())
