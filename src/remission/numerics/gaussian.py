"""Gaussian draws, their sufficient statistics, and densities, for blocks of replicates."""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.arrays import Floats
from remission.numerics.jit import jit
from remission.numerics.random import chisquare, gamma_core, normal, seed


@jit()
def _root(cov, root):  # type: ignore[no-untyped-def]
    """Lower triangular root of one covariance (d, d); a direction without variance gets a zero column.

    A pivot that rounding makes negative, or smaller than the rounding error of its own diagonal entry, is zero.
    """
    d = cov.shape[0]
    for a in range(d):
        for b in range(a + 1):
            total = cov[a, b]
            for k in range(b):
                total -= root[a, k] * root[b, k]
            if a == b:
                root[a, a] = math.sqrt(total) if total > 1e-14 * d * cov[a, a] else 0.0
            else:
                root[a, b] = total / root[b, b] if root[b, b] > 0.0 else 0.0
        for b in range(a + 1, d):
            root[a, b] = 0.0


@jit()
def _roots(cov, out):  # type: ignore[no-untyped-def]
    for i in range(cov.shape[0]):
        if cov.shape[1] == 1:
            out[i, 0, 0] = math.sqrt(max(cov[i, 0, 0], 0.0))
        else:
            _root(cov[i], out[i])


def roots(cov: Floats) -> Floats:
    """Lower triangular roots L of covariances (r, d, d), L L' = cov; positive semi-definite is enough."""
    out = np.empty_like(cov)
    _roots(cov, out)
    return out


@jit()
def _draw_line(first, second, replicates, mean, root, out):  # type: ignore[no-untyped-def]
    """One dimension."""
    state = np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        centre, spread = mean[i], root[i]
        for j in range(out.shape[1]):
            out[i, j] = centre + spread * normal(state)


@jit()
def draw(first, second, replicates, mean, root, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n, d) with draws of N(mean, root root')."""
    d = out.shape[2]
    z = np.empty(d)
    state = np.empty(4, np.uint64)
    if d == 1:
        _draw_line(first, second, replicates, mean[:, 0], root[:, 0, 0], out[:, :, 0])
        return
    for i in range(out.shape[0]):
        seed(first, second, replicates[i], state)
        for j in range(out.shape[1]):
            for a in range(d):
                z[a] = normal(state)
            for a in range(d):
                total = mean[i, a]
                for b in range(a + 1):
                    total += root[i, a, b] * z[b]
                out[i, j, a] = total


@jit()
def _line_moments(first, second, replicates, mean, root, n, out_mean, out_scatter):  # type: ignore[no-untyped-def]
    """One dimension: mean ~ N(mu, s^2 / n), scatter ~ s^2 chi2(n - 1)."""
    state = np.empty(4, np.uint64)
    shrink = 1.0 / math.sqrt(n)
    d = 0.5 * (n - 1.0) - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d) if d > 0.0 else 0.0
    for i in range(mean.size):
        seed(first, second, replicates[i], state)
        out_mean[i] = mean[i] + root[i] * shrink * normal(state)
        chi2 = 2.0 * gamma_core(state, d, c) if n > 2 else chisquare(state, n - 1.0)
        out_scatter[i] = root[i] * root[i] * chi2


@jit()
def draw_moments(first, second, replicates, mean, root, n, out_mean, out_scatter):  # type: ignore[no-untyped-def]
    """Draw the mean (r, d) and scatter (r, d, d) of n normal points without the points.

    Bartlett (1933): with A lower triangular, A_aa^2 ~ chi2(n - 1 - a) and A_ab ~ N(0, 1) below the diagonal, the
    scatter is (root A)(root A)'. When n - 1 < d the last columns of A vanish (a singular Wishart).
    """
    d = mean.shape[1]
    lower = np.zeros((d, d))
    product = np.empty((d, d))
    z = np.empty(d)
    state = np.empty(4, np.uint64)
    shrink = 1.0 / math.sqrt(n)
    if d == 1:
        _line_moments(first, second, replicates, mean[:, 0], root[:, 0, 0], n, out_mean[:, 0], out_scatter[:, 0, 0])
        return
    for i in range(mean.shape[0]):
        seed(first, second, replicates[i], state)
        for a in range(d):
            z[a] = normal(state)
        for a in range(d):
            total = 0.0
            for b in range(a + 1):
                total += root[i, a, b] * z[b]
            out_mean[i, a] = mean[i, a] + shrink * total
        for a in range(d):
            for b in range(a):
                lower[a, b] = normal(state) if b < n - 1 else 0.0
            lower[a, a] = math.sqrt(chisquare(state, n - 1.0 - a))
        for a in range(d):
            for b in range(a + 1):
                total = 0.0
                for k in range(b, a + 1):
                    total += root[i, a, k] * lower[k, b]
                product[a, b] = total
        for a in range(d):
            for b in range(a + 1):
                total = 0.0
                for k in range(b + 1):
                    total += product[a, k] * product[b, k]
                out_scatter[i, a, b] = total
                out_scatter[i, b, a] = total


@jit()
def log_density(mean, root, items, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, m) with log N(items; mean, root root'), minus infinity if the root is singular."""
    d = mean.shape[1]
    y = np.empty(d)
    for i in range(out.shape[0]):
        log_det = 0.0
        for a in range(d):
            log_det += math.log(root[i, a, a]) if root[i, a, a] > 0.0 else -np.inf
        for j in range(out.shape[1]):
            if log_det == -np.inf:
                out[i, j] = -np.inf
                continue
            square = 0.0
            for a in range(d):
                total = items[i, j, a] - mean[i, a]
                for b in range(a):
                    total -= root[i, a, b] * y[b]
                y[a] = total / root[i, a, a]
                square += y[a] * y[a]
            out[i, j] = -0.5 * (square + d * math.log(2.0 * math.pi)) - log_det
