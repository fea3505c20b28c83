"""Where a Gaussian mixture starts: k-means++ with a few Lloyd steps, or random responsibilities."""

from __future__ import annotations

import numpy as np

from remission.numerics.jit import jit
from remission.numerics.mixture import FINE, NO_WEIGHT, NOT_FINITE, lay_out, prepare, update
from remission.numerics.mixture_em import DIAGONAL, LOW_RANK
from remission.numerics.random import seed, uniform


@jit(fast=True)
def _squares(x, centre, out):  # type: ignore[no-untyped-def]
    """Squared distance of every item of ``x`` (d, n) to ``centre`` (d,)."""
    out[:] = 0.0
    for a in range(x.shape[0]):
        row, m = x[a], centre[a]
        for s in range(out.size):
            gap = row[s] - m
            out[s] += gap * gap


@jit()
def _pick(state, near, left):  # type: ignore[no-untyped-def]
    """An index drawn in proportion to ``near`` * ``left`` (n,), or -1 when there is none."""
    total = 0.0
    for s in range(near.size):
        total += near[s] * left[s]
    if not total > 0.0:
        return -1
    aim, last = uniform(state) * total, -1
    for s in range(near.size):
        mass = near[s] * left[s]
        if mass > 0.0:
            last = s
            aim -= mass
            if aim < 0.0:
                break
    return last


@jit()
def _nearest(x, centres, count, gap, near, label):  # type: ignore[no-untyped-def]
    """Set ``label`` (n,) to the nearest of the first ``count`` centres; whether any label changed."""
    closest = np.zeros(gap.size, np.int64)
    near[:] = np.inf
    for c in range(count):
        _squares(x, centres[c], gap)
        for s in range(gap.size):
            if gap[s] < near[s]:
                near[s], closest[s] = gap[s], c
    changed = False
    for s in range(gap.size):
        changed = changed or closest[s] != label[s]
        label[s] = closest[s]
    return changed


@jit()
def _kmeans(state, x, left, lloyd, centres, label):  # type: ignore[no-untyped-def]
    """k-means++ seeds (Arthur & Vassilvitskii 2007), then at most ``lloyd`` Lloyd steps; clusters in ``label`` (n,).

    With fewer distinct items than clusters the last clusters stay empty.
    """
    k, d, n = centres.shape[0], x.shape[0], left.size
    near, gap, mass, count = np.ones(n), np.empty(n), np.empty(k), 0
    while count < k:
        chosen = _pick(state, near, left)
        if chosen < 0:
            break
        for a in range(d):
            centres[count, a] = x[a, chosen]
        count += 1
        _nearest(x, centres, count, gap, near, label)
    along = np.empty(k)
    for _step in range(lloyd):
        mass[:] = 0.0
        for s in range(n):
            mass[label[s]] += left[s]
        for a in range(d):
            along[:] = 0.0
            for s in range(n):
                along[label[s]] += left[s] * (x[a, s] - centres[label[s], a])
            for c in range(count):
                if mass[c] > 0.0:
                    centres[c, a] += along[c] / mass[c]
        if not _nearest(x, centres, count, gap, near, label):
            break


@jit(fast=True)
def _sums(kind, x, share, centre, mass, first, second):  # type: ignore[no-untyped-def]
    """The sums of a pass for given responsibilities times weights ``share`` (k, n), about the means themselves."""
    k, n, d = share.shape[0], x.shape[1], x.shape[0]
    for c in range(k):
        weighed, heavy = share[c], 0.0
        for s in range(n):
            heavy += weighed[s]
        mass[c] = heavy
        for a in range(d):
            along, anchor = 0.0, x[a, 0]
            for s in range(n):
                along += weighed[s] * (x[a, s] - anchor)
            centre[c, a] = anchor + (along / heavy if heavy > 0.0 else 0.0)
        for a in range(d):
            m, along = centre[c, a], 0.0
            for s in range(n):
                along += weighed[s] * (x[a, s] - m)
            first[c, a] = along
            for b in range(a if kind == DIAGONAL else 0, a + 1):
                other, total = centre[c, b], 0.0
                for s in range(n):
                    total += weighed[s] * (x[a, s] - m) * (x[b, s] - other)
                second[c, a, 0 if kind == DIAGONAL else b] = total


@jit()
def _clusters(state, x, left, lloyd, centre, share):  # type: ignore[no-untyped-def]
    """Fill responsibilities times weights ``share`` (k, n): hard ones of clusters, or random ones (lloyd < 0)."""
    k, n = share.shape
    label = np.zeros(n, np.int64)
    if lloyd >= 0:
        _kmeans(state, x, left, lloyd, centre, label)
    for s in range(n):
        total = 0.0
        for c in range(k):
            share[c, s] = uniform(state) if lloyd < 0 else (1.0 if label[s] == c else 0.0)
            total += share[c, s]
        for c in range(k):
            share[c, s] *= left[s] / total


@jit()
def start(  # type: ignore[no-untyped-def]
    word, other, replicates, kind, items, weight, lloyd, floor, weights, means, spread, noise, status
):
    """Fill the parameters of every replicate by one M-step from clusters, or from random responsibilities (lloyd < 0).

    A component whose own covariance would be singular starts from the pooled one within components.
    """
    r, n, d = items.shape
    k, columns = weights.shape[1], spread.shape[3]
    x, reach, left, lower = np.empty((d, n)), np.empty(d), np.ones(n), np.empty((d, d))
    whiten = np.empty((k, columns, d) if kind == LOW_RANK else (k, d, columns))
    scale, constant, singular = np.empty((k, columns + 1)), np.empty(k), np.zeros(k, np.bool_)
    share, mass, state = np.empty((k, n)), np.empty(k), np.empty(4, np.uint64)
    centre, first, second = np.zeros((k, d)), np.empty((k, d)), np.empty((k, d, 1 if kind == DIAGONAL else d))
    one, zero, none, whole, middle = np.empty(1), np.zeros((1, d)), np.zeros((1, d)), np.empty(1), np.zeros((1, d))
    pooled, shared, rest = np.empty((1, d, second.shape[2])), np.empty((1, d, columns)), np.zeros(1)
    for i in range(r):
        seed(word, other, replicates[i], state)
        status[i] = FINE if lay_out(items[i], x, reach) else NOT_FINITE
        heavy = 0.0
        for s in range(n):
            if weight.size:
                left[s] = weight[i, s]
            heavy += left[s]
        if not heavy > 0.0:
            status[i] = NO_WEIGHT
        if status[i] != FINE:
            continue
        _clusters(state, x, left, lloyd, centre, share)
        _sums(kind, x, share, centre, mass, first, second)
        for a in range(d):
            zero[0, a] = 0.0
            for c in range(k):
                means[i, c, a] = centre[c, a]
            for b in range(second.shape[2]):
                pooled[0, a, b] = 0.0
                for c in range(k):
                    pooled[0, a, b] += second[c, a, b]
        update(kind, mass, first, second, centre, floor, weights[i], means[i], spread[i], noise[i])
        prepare(kind, weights[i], means[i], spread[i], noise[i], reach, lower, constant, whiten, scale, singular)
        if spread.shape[1] == k:
            one[0] = heavy
            update(kind, one, zero, pooled, none, floor, whole, middle, shared, rest)
            for c in range(k):
                if singular[c]:
                    noise[i, c] = rest[0]
                    for a in range(d):
                        for b in range(columns):
                            spread[i, c, a, b] = shared[0, a, b]
