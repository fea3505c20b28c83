"""Gaussian mixtures for blocks of replicates: expectation-maximisation, draws and densities.

``kind`` is FULL, DIAGONAL or LOW_RANK (:mod:`remission.numerics.mixture_em`). Covariances travel in one array
``spread`` of shape (r, k', d, e): full (k' = k, e = d); tied (k' = 1, e = d); diagonal (k' = k, e = 1, variances);
low rank (k' = k, e = q, the factors W of W W' + noise I). Every replicate is computed on its own.
"""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.exponential import exp_negative, log_positive
from remission.numerics.jit import jit
from remission.numerics.mixture_em import (
    DIAGONAL,
    FULL,
    LOW_RANK,
    WIDE,
    half_distances,
    pass_line,
    pass_plane,
    pass_space,
)
from remission.numerics.random import alias_table, normal, seed, uniform

FINE, NOT_FINITE, NO_WEIGHT = 0, 1, 2  # what became of a fit

_LOST = 1e-200  # share of the total weight below which a component has lost its points
_SINGULAR = 1e-14  # times d: pivots below this share of their variance are rounding (as in numerics.gaussian)


@jit(inline=True)
def _resolved(variance, total, d, reach):  # type: ignore[no-untyped-def]
    """(pivot to evaluate with, whether the bare one ``total`` was singular)."""
    least = max(_SINGULAR * d * variance, 7.9e-31 * reach * reach, 1e-300)  # 7.9e-31 = (4 * 2^-52)^2
    return (total, False) if total > least else (least, True)


@jit()
def _cholesky_inverse(cov, reach, lower, whiten):  # type: ignore[no-untyped-def]
    """``whiten`` = inverse(L) / sqrt 2 with L L' = cov; (half the log-determinant, whether cov is singular)."""
    d = cov.shape[0]
    singular, half_log = False, 0.0
    for a in range(d):
        for b in range(a + 1):
            total = cov[a, b]
            for j in range(b):
                total -= lower[a, j] * lower[b, j]
            if a == b:
                pivot, flat = _resolved(cov[a, a], total, d, reach[a])
                singular = singular or flat
                half_log += 0.5 * math.log(pivot)
                lower[a, a] = math.sqrt(pivot)
            else:
                lower[a, b] = total / lower[b, b]
    for b in range(d):
        for a in range(d):
            whiten[a, b] = 0.0
        whiten[b, b] = math.sqrt(0.5) / lower[b, b]
        for a in range(b + 1, d):
            total = 0.0
            for j in range(b, a):
                total -= lower[a, j] * whiten[j, b]
            whiten[a, b] = total / lower[a, a]
    return half_log, singular


@jit()
def _subspace(factors, noise, reach, whiten, scale):  # type: ignore[no-untyped-def]
    """Orthonormal rows and factors of W W' + noise I; (half the log-determinant, whether it is singular)."""
    d, q = factors.shape
    widest, span = 0.0, 0.0
    for j in range(q):
        length = 0.0
        for a in range(d):
            length += factors[a, j] * factors[a, j]
        widest = max(widest, length + noise)
        for a in range(d):
            whiten[j, a] = factors[a, j] / math.sqrt(length) if length > 0.0 else 0.0
        scale[j] = length
    for a in range(d):
        span = max(span, reach[a])
    rest, singular = _resolved(widest, noise, d, span)
    half_log = 0.5 * (d - q) * math.log(rest)
    for j in range(q):
        half_log += 0.5 * math.log(scale[j] + rest)
        scale[j] = math.sqrt(0.5 / (scale[j] + rest))
    scale[q] = math.sqrt(0.5 / rest)
    return half_log, singular


@jit()
def prepare(kind, weights, means, spread, noise, reach, lower, constant, whiten, scale, singular):  # type: ignore[no-untyped-def]
    """What a pass needs of the parameters of one replicate: ``constant``, ``whiten``, ``scale``; flags ``singular``.

    A singular covariance has no density. It is evaluated as if every flat direction had the smallest spread that the
    numbers can tell from none (1e-7 of its own, or the spacing of floats at ``reach`` (d,), the largest coordinates):
    the component takes the items that lie on its support and no others. The covariance itself is never changed.
    """
    k, d = means.shape
    tied = kind == FULL and spread.shape[0] < k
    half_log, flat = 0.0, False
    if tied:
        half_log, flat = _cholesky_inverse(spread[0], reach, lower, whiten[0])
    for c in range(k):
        constant[c], singular[c] = -np.inf, False
        for a in range(d if tied and c else 0):
            for b in range(d):
                whiten[c, a, b] = whiten[0, a, b]
        if not weights[c] > 0.0:
            continue
        if kind == DIAGONAL:
            half_log, flat = 0.0, False
            for a in range(d):
                pivot, none = _resolved(0.0, spread[c, a, 0], d, reach[a])
                flat = flat or none
                half_log += 0.5 * math.log(pivot)
                whiten[c, a, 0] = math.sqrt(0.5 / pivot)
        elif kind == LOW_RANK:
            half_log, flat = _subspace(spread[c], noise[c], reach, whiten[c], scale[c])
        elif not tied:
            half_log, flat = _cholesky_inverse(spread[c], reach, lower, whiten[c])
        singular[c] = flat
        constant[c] = math.log(weights[c]) - 0.5 * d * math.log(2.0 * math.pi) - half_log


@jit()
def _far(mass, first, second):  # type: ignore[no-untyped-def]
    """Whether a mean moved so far that subtracting the move from the sums about the old mean loses digits."""
    for c in range(mass.size):
        if mass[c] > 0.0:
            for a in range(first.shape[1]):
                spread = second[c, a, a if second.shape[2] > 1 else 0] * mass[c]
                if first[c, a] * first[c, a] > 0.999 * spread:
                    return True
    return False


@jit()
def _low_rank(cov, factors):  # type: ignore[no-untyped-def]
    """The likeliest W (into ``factors``) and noise for an empirical covariance (Tipping & Bishop 1999, eq. 7, 8)."""
    d, q = factors.shape
    values, vectors = np.linalg.eigh(cov)
    noise = 0.0
    for a in range(d - q):
        noise += max(values[a], 0.0)
    noise /= d - q
    for j in range(q):
        root = math.sqrt(max(values[d - 1 - j] - noise, 0.0))
        for a in range(d):
            factors[a, j] = root * vectors[a, d - 1 - j]
    return noise


@jit()
def update(kind, mass, first, second, centre, floor, weights, means, spread, noise):  # type: ignore[no-untyped-def]
    """The M-step: new parameters of one replicate from the sums of a pass. ``second`` is turned into covariances.

    A component without mass gets weight zero and keeps mean and covariance.
    """
    k, d = means.shape
    wide, tied = second.shape[2] > 1, kind == FULL and spread.shape[0] < k
    total = 0.0
    for c in range(k):
        total += mass[c]
    for a in range(d if tied else 0):
        for b in range(d):
            spread[0, a, b] = 0.0
    for c in range(k):
        if not mass[c] > _LOST * total:
            weights[c] = 0.0
            continue
        weights[c] = mass[c] / total
        for a in range(d):
            first[c, a] /= mass[c]
            means[c, a] = centre[c, a] + first[c, a]
            for b in range(a if wide else 0):
                value = second[c, a, b] / mass[c] - first[c, a] * first[c, b]
                second[c, a, b], second[c, b, a] = value, value
            b = a if wide else 0
            second[c, a, b] = max(second[c, a, b] / mass[c] - first[c, a] * first[c, a], 0.0) + floor
        if kind == LOW_RANK:
            noise[c] = _low_rank(second[c], spread[c])
            continue
        for a in range(d):
            for b in range(second.shape[2]):
                if tied:
                    spread[0, a, b] += weights[c] * second[c, a, b]
                else:
                    spread[c, a, b] = second[c, a, b]


@jit(fast=True)
def lay_out(items, x, reach):  # type: ignore[no-untyped-def]
    """Items (n, d) of one replicate coordinate by coordinate into ``x`` (d, n); whether all are finite."""
    check = 0.0
    for a in range(x.shape[0]):
        most, row = 0.0, x[a]
        for s in range(row.size):
            value = items[s, a]
            row[s] = value
            check += value * 0.0  # not a number unless the value is finite
            most = max(most, abs(value))
        reach[a] = most
    return check == 0.0


@jit()
def fit(  # type: ignore[no-untyped-def]
    kind, items, weight, weights, means, spread, noise, iterations, tolerance, floor,
    steps, converged, likelihood, singular, status,
):  # fmt: skip
    """Improve ``weights``, ``means``, ``spread``, ``noise`` in place, one replicate after the other.

    Stops after ``iterations`` steps, or when the mean log-likelihood before a step differs from that before the last
    one by less than ``tolerance``. ``weight`` is (r, n) or (0, 0) when all items weigh 1.
    """
    r, n, d = items.shape
    k, columns = weights.shape[1], spread.shape[3]
    x, reach, left, lower = np.empty((d, n)), np.empty(d), np.empty(0), np.empty((d, d))
    whiten = np.empty((k, columns, d) if kind == LOW_RANK else (k, d, columns))
    scale, constant, mass = np.empty((k, columns + 1)), np.empty(k), np.empty(k)
    centre, first, second = np.empty((k, d)), np.empty((k, d)), np.empty((k, d, 1 if kind == DIAGONAL else d))
    for i in range(r):
        status[i] = FINE if lay_out(items[i], x, reach) else NOT_FINITE
        if weight.size:
            left = weight[i]
        heavy = left.sum() if weight.size else float(n)
        if not heavy > 0.0:
            status[i] = NO_WEIGHT
        before = -np.inf
        converged[i], steps[i], likelihood[i] = False, 0, np.nan
        if status[i] != FINE:
            continue
        while steps[i] < iterations and not converged[i]:
            prepare(kind, weights[i], means[i], spread[i], noise[i], reach, lower, constant, whiten, scale, singular[i])
            centre[:] = means[i]
            for attempt in range(2):
                if d == 1:
                    value = pass_line(x, left, constant, means[i], whiten, centre, mass, first, second)
                elif d == 2 and kind == FULL:
                    value = pass_plane(x, left, constant, means[i], whiten, centre, mass, first, second)
                else:
                    value = pass_space(kind, x, left, constant, means[i], whiten, scale, centre, mass, first, second)
                if attempt == 1 or not _far(mass, first, second):
                    break
                for c in range(k):
                    if mass[c] > 0.0:
                        for a in range(d):
                            centre[c, a] += first[c, a] / mass[c]
            update(kind, mass, first, second, centre, floor, weights[i], means[i], spread[i], noise[i])
            likelihood[i] = value / heavy
            converged[i] = abs(likelihood[i] - before) < tolerance
            before = likelihood[i]
            steps[i] += 1
        prepare(kind, weights[i], means[i], spread[i], noise[i], reach, lower, constant, whiten, scale, singular[i])


@jit()
def moments(kind, weights, means, spread, noise, mean, cov):  # type: ignore[no-untyped-def]
    """Fill ``mean`` (r, d) and ``cov`` (r, d, d) with the moments of the whole mixtures."""
    r, k, d = means.shape
    mean[:], cov[:] = 0.0, 0.0
    gap = np.empty(d)
    for i in range(r):
        for a in range(d):
            for c in range(k):  # about the first component: right for a large offset
                mean[i, a] += weights[i, c] * (means[i, c, a] - means[i, 0, a])
            mean[i, a] += means[i, 0, a]
        for c in range(k):
            own, w = spread[i, min(c, spread.shape[1] - 1)], weights[i, c]
            for a in range(d):
                gap[a] = means[i, c, a] - mean[i, a]
                if kind == DIAGONAL:
                    cov[i, a, a] += w * own[a, 0]
                elif kind == LOW_RANK:
                    cov[i, a, a] += w * noise[i, c]
            for a in range(d):
                for b in range(d):
                    total = gap[a] * gap[b]
                    if kind == FULL:
                        total += own[a, b]
                    elif kind == LOW_RANK:
                        for j in range(own.shape[1]):
                            total += own[a, j] * own[b, j]
                    cov[i, a, b] += w * total


@jit(inline=True)
def _component(state, keep, other):  # type: ignore[no-untyped-def]
    """A component by the alias table; one uniform gives the cell (its whole part) and the coin (the rest)."""
    u = uniform(state) * keep.size
    c = min(np.int64(u), keep.size - 1)
    alias = other[c]
    return c if u - c < keep[c] else alias


@jit()
def _draw_plane(state, keep, other, means, roots, out):  # type: ignore[no-untyped-def]
    """Two dimensions: the normals first, then the components, so that neither waits for the other."""
    k = means.shape[0]
    table = np.empty((k, 5))
    for c in range(k):
        root = roots[min(c, roots.shape[0] - 1)]
        table[c, 0], table[c, 1] = means[c, 0], means[c, 1]
        table[c, 2], table[c, 3], table[c, 4] = root[0, 0], root[1, 0], root[1, 1]
    for j in range(out.shape[0]):
        out[j, 0] = normal(state)
        out[j, 1] = normal(state)
    for j in range(out.shape[0]):
        row = table[_component(state, keep, other)]
        z = out[j, 0]
        out[j, 0] = row[0] + row[2] * z
        out[j, 1] = row[1] + (row[3] * z + row[4] * out[j, 1])


@jit()
def draw(first, second, replicates, kind, weights, means, roots, noise, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n, d): an independent component for every item, then its mean + root z (+ sqrt(noise) z).

    ``roots`` has the shape of ``spread``: lower triangular roots, standard deviations, or factors W.
    """
    d, k, columns = out.shape[2], weights.shape[1], roots.shape[3]
    keep, other = np.empty(k), np.empty(k, np.int64)
    z, state = np.empty(columns), np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        alias_table(weights[i], keep, other)
        if d == 2 and kind == FULL:
            _draw_plane(state, keep, other, means[i], roots[i], out[i])
            continue
        for j in range(out.shape[1]):
            c = _component(state, keep, other)
            root = roots[i, min(c, roots.shape[1] - 1)]
            rest = math.sqrt(noise[i, c]) if kind == LOW_RANK else 0.0
            if kind != DIAGONAL:
                for b in range(columns):
                    z[b] = normal(state)
            for a in range(d):
                if kind == DIAGONAL:
                    total = root[a, 0] * normal(state)
                else:
                    total = rest * normal(state) if kind == LOW_RANK else 0.0
                    for b in range(a + 1 if kind == FULL else columns):
                        total += root[a, b] * z[b]
                out[i, j, a] = means[i, c, a] + total


@jit(fast=True)
def _mix(kind, x, constant, means, whiten, scale, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (n,) with the log-density of one replicate."""
    d, n = x.shape
    top, total, work, y = np.empty(WIDE), np.empty(WIDE), np.empty(WIDE), np.empty((d, WIDE))
    table = np.empty((constant.size, WIDE))
    for start in range(0, n, WIDE):
        count = min(WIDE, n - start)
        top[:], total[:] = -np.inf, 0.0
        for c in range(constant.size):
            if constant[c] > -np.inf:
                for a in range(d):
                    for s in range(count):
                        y[a, s] = x[a, start + s] - means[c, a]
                half_distances(kind, d, y, whiten[c], scale[c], count, work, table[c])
                for s in range(count):
                    table[c, s] = constant[c] - table[c, s]
                    top[s] = max(top[s], table[c, s])
        for c in range(constant.size):
            if constant[c] > -np.inf:
                for s in range(count):
                    total[s] += exp_negative(table[c, s] - top[s])
        for s in range(count):
            out[start + s] = top[s] + log_positive(total[s]) if top[s] > -np.inf else -np.inf


@jit()
def log_density(kind, items, weights, means, spread, noise, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with log-densities of ``items`` (r, m, d); NaN where an item is not finite.

    Components with a singular covariance have no density and are left out.
    """
    r, n, d = items.shape
    k, columns = weights.shape[1], spread.shape[3]
    x, reach, lower = np.empty((d, n)), np.zeros(d), np.empty((d, d))
    whiten = np.empty((k, columns, d) if kind == LOW_RANK else (k, d, columns))
    scale, constant, singular = np.empty((k, columns + 1)), np.empty(k), np.zeros(k, np.bool_)
    for i in range(r):
        lay_out(items[i], x, reach)
        reach[:] = 0.0
        prepare(kind, weights[i], means[i], spread[i], noise[i], reach, lower, constant, whiten, scale, singular)
        for c in range(k):
            if singular[c]:
                constant[c] = -np.inf
        _mix(kind, x, constant, means[i], whiten, scale, out[i])
        for j in range(n):
            for a in range(d):
                if not np.isfinite(items[i, j, a]):
                    out[i, j] = np.nan if np.isnan(items[i, j, a]) else out[i, j]
