"""Kernel density estimates with a Gaussian kernel: draws and exact densities, for blocks of replicates."""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.exponential import exp_negative
from remission.numerics.jit import jit
from remission.numerics.random import alias_table, below, normal, seed, uniform

_DEEP = 37.0  # exp(-37) < 2^-53: terms this far below the largest, taken together, are lost in rounding


@jit()
def draw(first, second, replicates, items, weight, bandwidth, centre, shrink, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m, d): a random item, then bandwidth times a normal; all shrunk toward ``centre`` (r, d).

    ``weight`` is (r, n), or (0, 0) when all weigh 1; ``bandwidth`` (r, d). The normals come first, then the items, so
    that neither waits for the other.
    """
    n, d = items.shape[1], items.shape[2]
    state = np.empty(4, np.uint64)
    keep, other = np.empty(weight.shape[1]), np.empty(weight.shape[1], np.int64)
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        flat, source, scale = out[i], items[i], bandwidth[i]
        for j in range(out.shape[1]):
            for a in range(d):
                flat[j, a] = normal(state)
        if weight.size:
            alias_table(weight[i], keep, other)
        if d == 1 and not weight.size and shrink == 1.0:
            line, target, h = source[:, 0], flat[:, 0], scale[0]
            for j in range(out.shape[1]):
                target[j] = line[below(state, n)] + h * target[j]
            continue
        for j in range(out.shape[1]):
            chosen = below(state, n)
            if weight.size and uniform(state) >= keep[chosen]:
                chosen = other[chosen]
            for a in range(d):
                value = source[chosen, a] + scale[a] * flat[j, a]
                if shrink != 1.0:
                    value = centre[i, a] + shrink * (value - centre[i, a])
                flat[j, a] = value


@jit(fast=True)
def _sum_line(points, mass, low, high, q, near):  # type: ignore[no-untyped-def]
    """Sum over points low .. high - 1 of mass * exp((near - (q - point)^2) / 2)."""
    total = 0.0
    if mass.size:
        for s in range(low, high):
            gap = points[s] - q
            total += mass[s] * exp_negative(min(0.5 * (near - gap * gap), 0.0))
    else:
        for s in range(low, high):
            gap = points[s] - q
            total += exp_negative(min(0.5 * (near - gap * gap), 0.0))
    return total


@jit()
def _before(points, value):  # type: ignore[no-untyped-def]
    """How many of the sorted ``points`` (n,) lie below ``value``."""
    low, high = 0, points.size
    while low < high:
        middle = (low + high) // 2
        if points[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@jit()
def _line(points, mass, total, queries, out):  # type: ignore[no-untyped-def]
    """One dimension in units of the bandwidth; ``points`` sorted. Skips only what rounding would lose."""
    n = points.size
    for j in range(queries.size):
        q = queries[j]
        if not np.isfinite(q):
            out[j] = np.nan if np.isnan(q) else -np.inf
            continue
        right = min(_before(points, q), n - 1)
        if right > 0 and q - points[right - 1] < points[right] - q:
            right -= 1
        near = (q - points[right]) ** 2
        own = mass[right] if mass.size else 1.0
        reach = math.sqrt(near + 2.0 * (_DEEP + math.log(total / own)))
        low, high = _before(points, q - reach), _before(points, q + reach)
        while high < n and points[high] <= q + reach:
            high += 1
        out[j] = math.log(_sum_line(points, mass, low, high, q, near)) - 0.5 * near


@jit(fast=True)
def _sum_space(points, mass, query, squares):  # type: ignore[no-untyped-def]
    """(sum of mass * exp((near - squared distance) / 2), near) over ``points`` (d, n)."""
    n = points.shape[1]
    squares[:] = 0.0
    for a in range(points.shape[0]):
        row, q = points[a], query[a]
        for s in range(n):
            gap = row[s] - q
            squares[s] += gap * gap
    near = np.inf
    for s in range(n):
        near = min(near, squares[s])
    total = 0.0
    for s in range(n):
        term = exp_negative(0.5 * (near - squares[s]))
        total += (mass[s] if mass.size else 1.0) * term
    return total, near


@jit()
def _space(points, mass, queries, out):  # type: ignore[no-untyped-def]
    """Any dimension in units of the bandwidth, every pair; ``points`` (d, n), ``queries`` (d, m)."""
    squares, query = np.empty(points.shape[1]), np.empty(points.shape[0])
    for j in range(queries.shape[1]):
        check = 0.0
        for a in range(query.size):
            query[a] = queries[a, j]
            check += query[a] * query[a]
        if not np.isfinite(check):
            out[j] = np.nan if np.isnan(check) else -np.inf
            continue
        total, near = _sum_space(points, mass, query, squares)
        out[j] = math.log(total) - 0.5 * near


@jit()
def log_density(items, weight, bandwidth, queries, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with the log-density of ``queries`` (r, m, d); minus infinity where a bandwidth is zero.

    In one dimension the items must be sorted.
    """
    n, d, m = items.shape[1], items.shape[2], queries.shape[1]
    for i in range(items.shape[0]):
        log_h = 0.0
        for a in range(d):
            log_h += math.log(bandwidth[i, a]) if bandwidth[i, a] > 0.0 else -np.inf
        if log_h == -np.inf:
            out[i] = -np.inf
            continue
        points, asked, mass = np.empty((d, n)), np.empty((d, m)), np.empty(n if weight.size else 0)
        kept, total = 0, 0.0 if weight.size else float(n)
        for s in range(n):
            if weight.size:
                if not weight[i, s] > 0.0:
                    continue
                mass[kept] = weight[i, s]
                total += mass[kept]
            for a in range(d):  # gaps first, then the scale: right for a large offset
                points[a, kept] = (items[i, s, a] - items[i, 0, a]) / bandwidth[i, a]
            kept += 1
        for s in range(m):
            for a in range(d):
                asked[a, s] = (queries[i, s, a] - items[i, 0, a]) / bandwidth[i, a]
        if d == 1:
            _line(points[0, :kept], mass[:kept], total, asked[0], out[i])
        else:
            _space(points[:, :kept], mass[:kept], asked, out[i])
        rest = math.log(total) + 0.5 * d * math.log(2.0 * math.pi) + log_h
        for j in range(m):
            out[i, j] -= rest
