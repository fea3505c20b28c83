"""Means and scatter matrices that stay right for a large offset and a tiny spread."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Floats
from remission.numerics.jit import jit


@jit(fast=True)
def _line(items, total, mean, scatter):  # type: ignore[no-untyped-def]
    """One dimension, no weights: two passes, contiguous."""
    n = items.shape[1]
    for i in range(items.shape[0]):
        first = items[i, 0]
        shift = 0.0
        for j in range(n):
            shift += items[i, j] - first
        centre = first + shift / n
        spread = rest = 0.0
        for j in range(n):
            gap = items[i, j] - centre
            rest += gap
            spread += gap * gap
        total[i] = n
        mean[i, 0] = centre + rest / n
        scatter[i, 0, 0] = spread - rest * rest / n


@jit(fast=True)
def _space(items, weight, total, mean, scatter):  # type: ignore[no-untyped-def]
    """D dimensions, with weights: two passes; the second corrects the rounding of the first mean."""
    n, d = items.shape[1], items.shape[2]
    rest = np.empty(d)
    gap = np.empty(d)
    for i in range(items.shape[0]):
        mass = 0.0
        for a in range(d):
            mean[i, a] = 0.0
            rest[a] = 0.0
        for j in range(n):
            w = weight[i, j] if weight.size else 1.0
            mass += w
            for a in range(d):
                mean[i, a] += w * (items[i, j, a] - items[i, 0, a])
        for a in range(d):
            mean[i, a] = items[i, 0, a] + mean[i, a] / mass
            for b in range(d):
                scatter[i, a, b] = 0.0
        for j in range(n):
            w = weight[i, j] if weight.size else 1.0
            for a in range(d):
                gap[a] = items[i, j, a] - mean[i, a]
                rest[a] += w * gap[a]
            for a in range(d):
                wa = w * gap[a]
                for b in range(a + 1):
                    scatter[i, a, b] += wa * gap[b]
        for a in range(d):
            for b in range(a + 1):
                scatter[i, a, b] -= rest[a] * rest[b] / mass
                scatter[i, b, a] = scatter[i, a, b]
        for a in range(d):
            mean[i, a] += rest[a] / mass
        total[i] = mass


def mean_and_scatter(items: Floats, weight: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Total weight (r,), mean (r, d) and scatter (r, d, d) of items (r, n, d) with weights (r, n).

    Scatter is the weighted sum of (x - mean)(x - mean)'. Exact for a large offset and a tiny spread:

    >>> import numpy as np
    >>> mean_and_scatter(np.array([[[1e8], [1e8 + 1]]]))[2] / 2
    array([[[0.25]]])
    """
    r, n, d = items.shape
    total, mean, scatter = np.empty(r), np.empty((r, d)), np.empty((r, d, d))
    if n == 0:
        return np.zeros(r), np.zeros((r, d)), np.zeros((r, d, d))
    if d == 1 and weight is None:
        _line(np.ascontiguousarray(items)[:, :, 0], total, mean, scatter)
    else:
        _space(items, np.empty((0, 0)) if weight is None else weight, total, mean, scatter)
    return total, mean, scatter


def merge_moments(
    one: tuple[Floats, Floats, Floats], other: tuple[Floats, Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """(total, mean, scatter) of two sets together (Chan, Golub & LeVeque 1979)."""
    total = one[0] + other[0]
    gap = other[1] - one[1]
    share = (other[0] / total)[:, None]
    mean = one[1] + gap * share
    outer = gap[:, :, None] * gap[:, None, :] * (one[0][:, None] * share)[:, :, None]
    return total, mean, one[2] + other[2] + outer
