"""Least squares by triangular factors: additive, without squaring the condition number, and drawable."""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.arrays import Booleans, Floats
from remission.numerics.jit import jit
from remission.numerics.random import chisquare, normal, seed

ILL = 1e-8  # smallest ratio of pivots at which a triangular factor is trusted to have full rank
MILD = 1e6  # largest condition number at which the normal equations are solved by Cholesky
STEPS = 12  # of conjugate gradients before the penalty counts as strong


@jit()
def _centred(items, weight, centre, rows, total, count, mean):  # type: ignore[no-untyped-def]
    """Fill ``rows`` (r, n, k) with root(w) (z - mean), and total weight, effective count and mean (0: not centred)."""
    n, k = items.shape[1], items.shape[2]
    for i in range(items.shape[0]):
        mass = squares = 0.0
        mean[i] = 0.0
        for j in range(n):
            w = weight[i, j] if weight.size else 1.0
            mass += w
            squares += w * w
            if centre:
                for a in range(k):
                    mean[i, a] += w * (items[i, j, a] - items[i, 0, a])
        total[i], count[i] = mass, mass * mass / squares if squares > 0.0 else 0.0
        if centre and mass > 0.0:
            for a in range(k):
                mean[i, a] = items[i, 0, a] + mean[i, a] / mass
        for j in range(n):
            root = math.sqrt(weight[i, j]) if weight.size else 1.0
            for a in range(k):
                rows[i, j, a] = root * (items[i, j, a] - mean[i, a])


def triangle(rows: Floats) -> Floats:
    """The upper triangular factors R (r, k, k), R'R = Z'Z, of rows Z (r, n, k) (Householder); zero rows if n < k."""
    r, n, k = rows.shape
    out = np.zeros((r, k, k))
    if n:
        out[:, : min(n, k)] = np.linalg.qr(rows, mode="r")
    return out


def rows_of(items: Floats, weight: Floats | None, centre: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """Total weight (r,), effective count (r,), mean (r, k) and factor (r, k, k) of items (r, n, k)."""
    r, _, k = items.shape
    total, count, mean, rows = np.zeros(r), np.zeros(r), np.zeros((r, k)), np.empty(items.shape)
    _centred(items, np.empty((0, 0)) if weight is None else weight, centre, rows, total, count, mean)
    return total, count, mean, triangle(rows)


@jit(fast=True)
def _back(upper, x):  # type: ignore[no-untyped-def]
    """Solve R x' = x in place, R upper triangular: four rows at a time, which share what they read of x."""
    d = x.size
    last = d
    while last >= 4:
        low = last - 4
        one, two, three, four = 0.0, 0.0, 0.0, 0.0
        for b in range(last, d):
            known = x[b]
            one += upper[low, b] * known
            two += upper[low + 1, b] * known
            three += upper[low + 2, b] * known
            four += upper[low + 3, b] * known
        x[low] -= one
        x[low + 1] -= two
        x[low + 2] -= three
        x[low + 3] -= four
        _corner_back(upper, x, low, last)
        last = low
    for a in range(last):
        total = 0.0
        for b in range(last, d):
            total += upper[a, b] * x[b]
        x[a] -= total
    _corner_back(upper, x, 0, last)


@jit(inline=True)
def _corner_back(upper, x, low, high):  # type: ignore[no-untyped-def]
    for a in range(high - 1, low - 1, -1):
        total = x[a]
        for b in range(a + 1, high):
            total -= upper[a, b] * x[b]
        x[a] = total / upper[a, a]


@jit(fast=True)
def _forth(upper, x):  # type: ignore[no-untyped-def]
    """Solve R' x' = x in place, R upper triangular: four rows of R at a time."""
    d = x.size
    low = 0
    while low + 4 <= d:
        high = low + 4
        _corner_forth(upper, x, low, high)
        one, two, three, four = x[low], x[low + 1], x[low + 2], x[low + 3]
        for b in range(high, d):
            x[b] -= (one * upper[low, b] + two * upper[low + 1, b]) + (
                three * upper[low + 2, b] + four * upper[low + 3, b]
            )
        low = high
    _corner_forth(upper, x, low, d)


@jit(inline=True)
def _corner_forth(upper, x, low, high):  # type: ignore[no-untyped-def]
    for a in range(low, high):
        step = x[a] / upper[a, a]
        x[a] = step
        for b in range(a + 1, high):
            x[b] -= step * upper[a, b]


@jit()
def _full_rank(whole, d):  # type: ignore[no-untyped-def]
    """Whether all pivots exceed ILL times the largest (False for NaN)."""
    low, high = np.inf, 0.0
    for a in range(d):
        pivot = abs(whole[a, a])
        low, high = min(low, pivot), max(high, pivot)
        if not pivot < np.inf:
            return False
    return low > ILL * high


@jit()
def _solve(whole, out, done):  # type: ignore[no-untyped-def]
    """Back substitution where the rank is full; ``done`` (r,) says where."""
    d = out.shape[1]
    for i in range(out.shape[0]):
        done[i] = _full_rank(whole[i], d)
        if done[i]:
            out[i] = whole[i, :d, d]
            _back(whole[i], out[i])


@jit()
def _conjugate(whole, penalty, out, done):  # type: ignore[no-untyped-def]
    """Ridge by conjugate gradients in u = R x: (I + penalty R^-T R^-1) u = q, which a mild penalty keeps near I.

    ``done`` (r,) says where it converged to rounding within STEPS steps (Hestenes & Stiefel 1952).
    """
    d = out.shape[1]
    u, rest, along, image = np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    for i in range(out.shape[0]):
        done[i] = _full_rank(whole[i], d)
        if not done[i]:
            continue
        goal = square = 0.0
        u[:], rest[:], along[:] = 0.0, whole[i, :d, d], whole[i, :d, d]
        for a in range(d):
            square += rest[a] * rest[a]
        goal = 1e-31 * square
        for _ in range(STEPS):
            if not square > goal:
                break
            image[:] = along
            _back(whole[i], image)
            _forth(whole[i], image)
            bend = 0.0
            for a in range(d):
                image[a] = along[a] + penalty * image[a]
                bend += along[a] * image[a]
            length, before, square = square / bend, square, 0.0
            for a in range(d):
                u[a] += length * along[a]
                rest[a] -= length * image[a]
                square += rest[a] * rest[a]
            for a in range(d):
                along[a] = rest[a] + square / before * along[a]
        done[i] = square <= goal
        if done[i]:
            out[i] = u
            _back(whole[i], out[i])


@jit()
def _heights(whole, finite, heights):  # type: ignore[no-untyped-def]
    """How many rows of R stand above the zero ones (r,), and where R and q are finite (r,)."""
    d = whole.shape[1] - 1
    for i in range(whole.shape[0]):
        finite[i], heights[i] = True, 0
        for a in range(d + 1):
            for b in range(a, d + 1):
                finite[i] = finite[i] and abs(whole[i, a, b]) < np.inf
                if b < d and whole[i, a, b] != 0.0:
                    heights[i] = a + 1


@jit()
def _lower_solve(upper, x, done):  # type: ignore[no-untyped-def]
    """Solve S' x' = x in place where the rank of S is full; ``done`` (r,) says where."""
    for i in range(x.shape[0]):
        done[i] = _full_rank(upper[i], x.shape[1])
        if done[i]:
            _forth(upper[i], x[i])


def _wide(whole: Floats, height: int, out: Floats, done: Booleans) -> None:
    """Least norm where R has ``height`` rows of full rank: R' = Q S, x = Q S'^-1 q."""
    d = whole.shape[1] - 1
    across, upper = np.linalg.qr(np.swapaxes(whole[:, :height, :d], 1, 2))
    x = np.ascontiguousarray(whole[:, :height, d])
    _lower_solve(np.ascontiguousarray(upper), x, done)
    out[done] = (across @ x[:, :, None])[done, :, 0]


def least_squares(whole: Floats, count: Floats) -> Floats:
    """The x (r, d) of least norm among those of least |R x - q|; ``count`` rows lie behind each factor.

    ``whole`` (r, d + 1, d + 1) holds R and q side by side. Back substitution where all pivots exceed ILL times the
    largest; where that holds of the factor of R', R having fewer rows than columns, through it; elsewhere by singular
    values, those below max(count, d) eps times the largest counting as zero, as ``numpy.linalg.lstsq`` does. NaN in,
    NaN out.
    """
    d = whole.shape[1] - 1
    out, done = np.empty((len(whole), d)), np.empty(len(whole), np.bool_)
    _solve(whole, out, done)
    if done.all():
        return out
    finite, heights = np.empty(len(whole), np.bool_), np.empty(len(whole), np.int64)
    _heights(whole, finite, heights)
    for height in np.unique(heights[~done & finite]):
        if 0 < height < d:
            which = np.flatnonzero(~done & finite & (heights == height))
            found, solved = np.empty((len(which), d)), np.empty(len(which), np.bool_)
            _wide(whole[which], int(height), found, solved)
            out[which[solved]], done[which] = found[solved], solved
    for i in np.flatnonzero(~done):
        if finite[i]:
            cut = max(float(count[i]), d) * np.finfo(float).eps
            out[i] = np.linalg.lstsq(whole[i, :d, :d], whole[i, :d, d], rcond=cut)[0]
        else:
            out[i] = np.nan
    return out


def ridge(whole: Floats, penalty: float) -> Floats:
    """The x (r, d) that minimises |R x - q|^2 + penalty |x|^2, penalty > 0; R and q side by side in ``whole``.

    Conjugate gradients where the penalty is weak against R; normal equations by Cholesky where |R|^2 / penalty <
    MILD bounds their condition number; elsewhere the triangular factor of R stacked on root(penalty) I.
    """
    d = whole.shape[1] - 1
    out, done = np.empty((len(whole), d)), np.empty(len(whole), np.bool_)
    _conjugate(whole, penalty, out, done)
    for i in np.flatnonzero(~done):
        factor, right = whole[i, :d, :d], whole[i, :d, d]
        squares = float(np.vdot(factor, factor))
        if not np.isfinite(whole[i]).all():
            out[i] = np.nan
        elif squares < MILD * penalty:
            upper = np.linalg.cholesky(factor.T @ factor + penalty * np.eye(d)).T
            out[i] = factor.T @ right
            _forth(upper, out[i])
            _back(upper, out[i])
        else:
            stacked = np.zeros((1, 2 * d, d + 1))
            stacked[0, :d] = whole[i, :d]
            stacked[0, d:, :d] = np.eye(d) * math.sqrt(penalty)
            out[i] = least_squares(triangle(stacked), np.full(1, 2.0 * d))[0]
    return out


@jit()
def draw_rows(  # type: ignore[no-untyped-def]
    first, second, replicates, coefficients, intercept, noise, root, n, weight, centre, mean, factor
):
    """Draw mean (r, d + 1) and factor (r, d + 1, d + 1) of n rows (x, y), x ~ N(0, root' root), without the rows.

    Bartlett (1933), transposed: the factor of the covariates is T root with T upper triangular, T_aa^2 ~ chi2(f - a)
    and T_ab ~ N(0, 1) above the diagonal, f = n degrees of freedom (n - 1 when centred); rows from f on vanish. Rotated
    likewise, labels are T root w + noise z, and what is left of them has length noise chi(f - d).
    """
    d = coefficients.shape[1]
    freedom = n - 1 if centre else n
    state, line = np.empty(4, np.uint64), np.empty(d)
    scale, diagonal = math.sqrt(weight), False
    for i in range(coefficients.shape[0]):
        seed(first, second, replicates[i], state)
        upper, w = root[min(i, root.shape[0] - 1)], coefficients[i]  # one root serves all replicates, or one each
        if i < root.shape[0]:
            diagonal = _is_diagonal(upper)
        mean[i] = 0.0
        if centre and n > 0:
            for a in range(d):
                z = normal(state) / math.sqrt(n)
                for b in range(a, d):
                    mean[i, b] += z * upper[a, b]
            mean[i, d] = intercept[i] + noise[i] * normal(state) / math.sqrt(n)
            for a in range(d):
                mean[i, d] += mean[i, a] * w[a]
        for a in range(d):
            row = factor[i, a]
            row[: a if a < freedom else d + 1] = 0.0
            if a >= freedom:
                continue
            row[a] = math.sqrt(chisquare(state, float(freedom - a)))
            for b in range(a + 1, d):
                row[b] = normal(state)
            _times(row, upper, diagonal, a, line)
            row[d] = _dot(row, w, a) + noise[i] * normal(state)
        factor[i, d, :d] = 0.0
        factor[i, d, d] = noise[i] * math.sqrt(chisquare(state, float(max(0, freedom - d))))
        if scale != 1.0:
            factor[i] *= scale


@jit()
def _is_diagonal(upper):  # type: ignore[no-untyped-def]
    for a in range(upper.shape[0]):
        for b in range(a + 1, upper.shape[1]):
            if upper[a, b] != 0.0:
                return False
    return True


@jit(fast=True, inline=True)
def _dot(row, w, low):  # type: ignore[no-untyped-def]
    total = 0.0
    for b in range(low, w.size):
        total += row[b] * w[b]
    return total


@jit(fast=True)
def _times(row, upper, diagonal, low, line):  # type: ignore[no-untyped-def]
    """Multiply row[low:] by the upper triangular matrix, in place; ``line`` is scratch."""
    d = line.size
    if diagonal:
        for a in range(low, d):
            row[a] *= upper[a, a]
        return
    line[low:] = 0.0
    for k in range(low, d):
        z = row[k]
        for a in range(k, d):
            line[a] += z * upper[k, a]
    row[low:d] = line[low:]


@jit(fast=True)
def predict(items, coefficients, intercept, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n) with x . coefficients + intercept; the last column of ``items`` is not looked at."""
    d = coefficients.shape[1]
    for i in range(items.shape[0]):
        for j in range(items.shape[1]):
            total = 0.0
            for a in range(d):
                total += items[i, j, a] * coefficients[i, a]
            out[i, j] = total + intercept[i]
