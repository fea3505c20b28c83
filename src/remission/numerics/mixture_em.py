"""One pass of expectation-maximisation over the items of one replicate, in SIMD-friendly blocks.

Items lie coordinate by coordinate, ``x`` (d, n), so that the innermost loop always runs over neighbouring items.
A pass evaluates all components on a block that stays in the first-level cache, normalises the responsibilities there
and adds the block to the sums; the responsibilities of all items are never stored. Common arguments:

* ``left`` (n,): the weight of each item, or empty when all weigh 1; ``constant`` (k,): log of component weight times the normalisation of its
  density, minus infinity for a component without weight; ``means`` (k, d);
* ``whiten``: what maps x - mean to half a squared Mahalanobis distance (see :mod:`remission.numerics.mixture`);
* ``centre`` (k, d): the sums are taken about it; out: ``mass`` (k,) sum of w r, ``first`` (k, d) sum of
  w r (x - centre), ``second`` (k, d, d) lower triangle of the sum of w r (x - centre)(x - centre)', or (k, d, 1).

Each returns the weighted log-likelihood of the items under the parameters that came in.
"""

from __future__ import annotations

import numpy as np

from remission.numerics.exponential import exp_negative, log_positive
from remission.numerics.jit import jit

BLOCK = 512  # items per block for one and two dimensions
WIDE = 64  # items per block for more

FULL, DIAGONAL, LOW_RANK = 0, 1, 2


@jit(fast=True, inline=True)
def _normalise(table, constant, left, start, count, top, total):  # type: ignore[no-untyped-def]
    """Turn log-densities in ``table`` (k, block) into densities and ``total`` into weight / sum; log-likelihood."""
    for s in range(count):
        total[s] = 0.0
    for c in range(constant.size):
        if constant[c] > -np.inf:
            row = table[c]
            for s in range(count):
                e = exp_negative(row[s] - top[s])
                row[s] = e
                total[s] += e
    likelihood = 0.0
    if left.size:
        for s in range(count):
            w = left[start + s]
            likelihood += w * (top[s] + log_positive(total[s]))
            total[s] = w / total[s]
        return likelihood
    lanes, product = min(WIDE, count), np.empty(WIDE)
    for s in range(lanes):  # the logarithm of a product of up to 9 sums, each in [1, k], instead of 9 logarithms
        product[s] = total[s]
    whole = count // WIDE * WIDE
    for base in range(WIDE, whole, WIDE):
        for s in range(WIDE):
            product[s] *= total[base + s]
    for s in range(max(whole, lanes), count):
        product[s - whole] *= total[s]
    for s in range(lanes):
        likelihood += log_positive(product[s])
    for s in range(count):
        likelihood += top[s]
        total[s] = 1.0 / total[s]
    return likelihood


@jit(fast=True)
def pass_line(x, left, constant, means, whiten, centre, mass, first, second):  # type: ignore[no-untyped-def]
    """One dimension; ``whiten`` (k, 1, 1)."""
    k, n = constant.size, x.shape[1]
    line = x[0]
    table, top, total = np.empty((k, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    mass[:], first[:], second[:] = 0.0, 0.0, 0.0
    likelihood = 0.0
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        x0 = line[start : start + count]
        for s in range(count):
            top[s] = -np.inf
        for c in range(k):
            if constant[c] > -np.inf:
                row, base, m0, p00 = table[c], constant[c], means[c, 0], whiten[c, 0, 0]
                for s in range(count):
                    t0 = p00 * (x0[s] - m0)
                    value = base - t0 * t0
                    row[s] = value
                    top[s] = max(top[s], value)
        likelihood += _normalise(table, constant, left, start, count, top, total)
        for c in range(k):
            if constant[c] > -np.inf:
                row, m0 = table[c], centre[c, 0]
                a = a0 = a00 = 0.0
                for s in range(count):
                    r = row[s] * total[s]
                    y0 = x0[s] - m0
                    ry0 = r * y0
                    a += r
                    a0 += ry0
                    a00 += ry0 * y0
                mass[c] += a
                first[c, 0] += a0
                second[c, 0, 0] += a00
    return likelihood


@jit(fast=True)
def pass_plane(x, left, constant, means, whiten, centre, mass, first, second):  # type: ignore[no-untyped-def]
    """Two dimensions; ``whiten`` (k, 2, 2) lower triangular."""
    k, n = constant.size, x.shape[1]
    table, top, total = np.empty((k, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    mass[:], first[:], second[:] = 0.0, 0.0, 0.0
    likelihood = 0.0
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        x0, x1 = x[0, start : start + count], x[1, start : start + count]
        for s in range(count):
            top[s] = -np.inf
        for c in range(k):
            if constant[c] > -np.inf:
                row, base, m0, m1 = table[c], constant[c], means[c, 0], means[c, 1]
                p00, p10, p11 = whiten[c, 0, 0], whiten[c, 1, 0], whiten[c, 1, 1]
                for s in range(count):
                    y0, y1 = x0[s] - m0, x1[s] - m1
                    t0, t1 = p00 * y0, p10 * y0 + p11 * y1
                    value = base - (t0 * t0 + t1 * t1)
                    row[s] = value
                    top[s] = max(top[s], value)
        likelihood += _normalise(table, constant, left, start, count, top, total)
        for c in range(k):
            if constant[c] > -np.inf:
                row, m0, m1 = table[c], centre[c, 0], centre[c, 1]
                a = a0 = a1 = a00 = a10 = a11 = 0.0
                for s in range(count):
                    r = row[s] * total[s]
                    y0, y1 = x0[s] - m0, x1[s] - m1
                    ry0, ry1 = r * y0, r * y1
                    a += r
                    a0 += ry0
                    a1 += ry1
                    a00 += ry0 * y0
                    a10 += ry1 * y0
                    a11 += ry1 * y1
                mass[c] += a
                first[c, 0] += a0
                first[c, 1] += a1
                second[c, 0, 0] += a00
                second[c, 1, 0] += a10
                second[c, 1, 1] += a11
    return likelihood


@jit(fast=True, inline=True)
def _project(weights, columns, y, count, out):  # type: ignore[no-untyped-def]
    """``out`` = sum over b < columns of weights[b] * y[b] on a block, four rows at a time."""
    for s in range(count):
        out[s] = 0.0
    b = 0
    while b + 4 <= columns:
        w0, w1, w2, w3 = weights[b], weights[b + 1], weights[b + 2], weights[b + 3]
        y0, y1, y2, y3 = y[b], y[b + 1], y[b + 2], y[b + 3]
        for s in range(count):
            out[s] += w0 * y0[s] + w1 * y1[s] + w2 * y2[s] + w3 * y3[s]
        b += 4
    while b < columns:
        w0, y0 = weights[b], y[b]
        for s in range(count):
            out[s] += w0 * y0[s]
        b += 1


@jit(fast=True)
def half_distances(kind, d, y, whiten, scale, count, work, out):  # type: ignore[no-untyped-def]
    """Half the squared Mahalanobis length ``out`` (block,) of differences ``y`` (d, block), which is overwritten.

    ``whiten`` is (d, d) lower triangular (full), (d, 1) (diagonal) or (q, d) with orthonormal rows (low rank), then with
    ``scale`` (q + 1,): the factors of the q coordinates in the subspace and, last, of the remainder.
    """
    for s in range(count):
        out[s] = 0.0
    if kind == DIAGONAL:
        for a in range(d):
            row, p = y[a], whiten[a, 0]
            for s in range(count):
                t = p * row[s]
                out[s] += t * t
    elif kind == FULL:
        for a in range(d):
            _project(whiten[a], a + 1, y, count, work)
            for s in range(count):
                out[s] += work[s] * work[s]
    else:
        q = whiten.shape[0]
        for j in range(q):
            basis = whiten[j]
            _project(basis, d, y, count, work)
            for a in range(d):  # taken off at once: the remainder is small by construction, not by cancellation
                row, b = y[a], basis[a]
                for s in range(count):
                    row[s] -= b * work[s]
            factor = scale[j] * scale[j]
            for s in range(count):
                out[s] += factor * work[s] * work[s]
        factor = scale[q] * scale[q]
        for a in range(d):
            row = y[a]
            for s in range(count):
                out[s] += factor * row[s] * row[s]


@jit(fast=True, inline=True)
def _scatter(kind, d, y, ry, count, second):  # type: ignore[no-untyped-def]
    """Add the sum of ry y' of a block to ``second``, lower triangle or diagonal."""
    for a in range(d):
        left = ry[a]
        if kind == DIAGONAL:
            right, total = y[a], 0.0
            for s in range(count):
                total += left[s] * right[s]
            second[a, 0] += total
            continue
        b = 0
        while b + 4 <= a + 1:
            y0, y1, y2, y3 = y[b], y[b + 1], y[b + 2], y[b + 3]
            t0 = t1 = t2 = t3 = 0.0
            for s in range(count):
                v = left[s]
                t0 += v * y0[s]
                t1 += v * y1[s]
                t2 += v * y2[s]
                t3 += v * y3[s]
            second[a, b] += t0
            second[a, b + 1] += t1
            second[a, b + 2] += t2
            second[a, b + 3] += t3
            b += 4
        while b < a + 1:
            y0, t0 = y[b], 0.0
            for s in range(count):
                t0 += left[s] * y0[s]
            second[a, b] += t0
            b += 1


@jit(fast=True)
def pass_space(kind, x, left, constant, means, whiten, scale, centre, mass, first, second):  # type: ignore[no-untyped-def]
    """Any dimension and kind of covariance; ``whiten`` and ``scale`` as in :func:`half_distances`."""
    k, d, n = constant.size, x.shape[0], x.shape[1]
    table, top, total, work = np.empty((k, WIDE)), np.empty(WIDE), np.empty(WIDE), np.empty(WIDE)
    y, ry = np.empty((d, WIDE)), np.empty((d, WIDE))
    mass[:], first[:], second[:] = 0.0, 0.0, 0.0
    likelihood = 0.0
    for start in range(0, n, WIDE):
        count = min(WIDE, n - start)
        for s in range(count):
            top[s] = -np.inf
        for c in range(k):
            if constant[c] > -np.inf:
                row, base = table[c], constant[c]
                for a in range(d):
                    values, target, m = x[a, start : start + count], y[a], means[c, a]
                    for s in range(count):
                        target[s] = values[s] - m
                half_distances(kind, d, y, whiten[c], scale[c], count, work, row)
                for s in range(count):
                    value = base - row[s]
                    row[s] = value
                    top[s] = max(top[s], value)
        likelihood += _normalise(table, constant, left, start, count, top, total)
        for c in range(k):
            if constant[c] > -np.inf:
                row = table[c]
                added = 0.0
                for s in range(count):
                    r = row[s] * total[s]
                    row[s] = r
                    added += r
                mass[c] += added
                if added > 0.0:
                    for a in range(d):
                        values, target, product, m = x[a, start : start + count], y[a], ry[a], centre[c, a]
                        along = 0.0
                        for s in range(count):
                            gap = values[s] - m
                            target[s] = gap
                            product[s] = row[s] * gap
                            along += product[s]
                        first[c, a] += along
                    _scatter(kind, d, y, ry, count, second[c])
    return likelihood
