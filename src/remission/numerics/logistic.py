"""Multinomial logistic regression by Newton's method, for blocks of replicates."""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.jit import jit

DEPENDENT = 1e-11  # a pivot below this share of its diagonal entry is a column that others already explain
HALVINGS = 40  # of a Newton step that does not lower the loss


@jit()
def _census(items, weight, mass, index):  # type: ignore[no-untyped-def]
    """Total weight of each class into ``mass`` (C,), the number of each present class into ``index`` (C,; else -1).

    Returns how many are present, or -1 when a label is not one of 0 .. C - 1.
    """
    mass[:] = 0.0
    for j in range(items.shape[0]):
        label = items[j, -1]
        if not (label >= 0 and label < mass.size and label == math.floor(label)):
            return -1
        mass[int(label)] += weight[j] if weight.size else 1.0
    present = 0
    for c in range(mass.size):
        index[c] = -1
        if mass[c] > 0.0:
            index[c] = present
            present += 1
    return present


@jit()
def _standard(items, weight, total, mean, scale, rows):  # type: ignore[no-untyped-def]
    """Features less their weighted mean, over their standard deviation (1 where it is 0); a last column of ones."""
    n, d = items.shape[0], items.shape[1] - 1
    mean[:], scale[:] = 0.0, 0.0
    for j in range(n):
        w = weight[j] if weight.size else 1.0
        for a in range(d):
            mean[a] += w * (items[j, a] - items[0, a])
    for a in range(d):
        mean[a] = items[0, a] + mean[a] / total
    for j in range(n):
        w = weight[j] if weight.size else 1.0
        for a in range(d):
            rows[j, a] = items[j, a] - mean[a]
            scale[a] += w * rows[j, a] * rows[j, a]
    for a in range(d):
        scale[a] = math.sqrt(scale[a] / total)
        if scale[a] == 0.0:
            scale[a] = 1.0
    for j in range(n):
        for a in range(d):
            rows[j, a] /= scale[a]
        rows[j, d] = 1.0


@jit(fast=True)
def _logits(row, theta, out):  # type: ignore[no-untyped-def]
    """Fill out[1:] with theta . row; out[0] belongs to the class whose coefficients are zero."""
    out[0] = 0.0
    for c in range(theta.shape[0]):
        total = 0.0
        for a in range(row.size):
            total += theta[c, a] * row[a]
        out[c + 1] = total


@jit()
def _softmax(p):  # type: ignore[no-untyped-def]
    """Turn logits into probabilities in place; returns the logarithm of the sum of exponentials."""
    highest, total = p.max(), 0.0
    for c in range(p.size):
        p[c] = math.exp(p[c] - highest)
        total += p[c]
    for c in range(p.size):
        p[c] /= total
    return highest + math.log(total)


@jit()
def _loss(rows, label, weight, theta, ties, p):  # type: ignore[no-untyped-def]
    """The penalised loss: sum of weight times minus log-probability, plus half the quadratic form of ``ties``."""
    out = 0.0
    for j in range(rows.shape[0]):
        _logits(rows[j], theta, p)
        own = p[label[j]]
        out += (weight[j] if weight.size else 1.0) * (_softmax(p) - own)
    for c in range(theta.shape[0]):
        for e in range(theta.shape[0]):
            for a in range(ties.shape[1]):
                out += 0.5 * theta[c, a] * theta[e, a] * _tie(ties, c, e, a)
    return out


@jit(inline=True)
def _tie(ties, c, e, a):  # type: ignore[no-untyped-def]
    """The penalty's second derivative between classes c and e in coordinate a."""
    return ties[0, a] if c == e else ties[1, a]


@jit(fast=True)
def _outer(row, h, low, high, hessian):  # type: ignore[no-untyped-def]
    """Add h row row' to the block at (low, high) of the lower triangle."""
    for a in range(row.size):
        scaled = h * row[a]
        for b in range(a + 1 if low == high else row.size):
            hessian[low + a, high + b] += scaled * row[b]


@jit()
def _slope(rows, label, weight, theta, ties, p, gradient, hessian):  # type: ignore[no-untyped-def]
    """Gradient and (lower triangle of the) Hessian of the penalised loss."""
    k, width = theta.shape
    gradient[:], hessian[:] = 0.0, 0.0
    for j in range(rows.shape[0]):
        w = weight[j] if weight.size else 1.0
        if w == 0.0:
            continue
        _logits(rows[j], theta, p)
        _softmax(p)
        for c in range(k):
            miss = w * (p[c + 1] - (1.0 if label[j] == c + 1 else 0.0))
            for a in range(width):
                gradient[c * width + a] += miss * rows[j, a]
            for e in range(c + 1):
                h = w * p[c + 1] * ((1.0 if c == e else 0.0) - p[e + 1])
                _outer(rows[j], h, c * width, e * width, hessian)
    for c in range(k):
        for e in range(k):
            for a in range(width - 1):
                tie = _tie(ties, c, e, a)
                gradient[c * width + a] += tie * theta[e, a]
                if e <= c:
                    hessian[c * width + a, e * width + a] += tie


@jit(fast=True)
def _newton(hessian, gradient, step):  # type: ignore[no-untyped-def]
    """Solve hessian step = gradient by Cholesky in place; a dependent coordinate gets a zero step."""
    size = gradient.size
    for a in range(size):
        whole = hessian[a, a]
        for b in range(a + 1):
            total = 0.0
            for k in range(b):
                total += hessian[a, k] * hessian[b, k]
            total = hessian[a, b] - total
            if a == b:
                hessian[a, a] = math.sqrt(total) if total > DEPENDENT * whole else 0.0
            else:
                hessian[a, b] = total / hessian[b, b] if hessian[b, b] > 0.0 else 0.0
    for a in range(size):
        total = 0.0
        for b in range(a):
            total += hessian[a, b] * step[b]
        step[a] = (gradient[a] - total) / hessian[a, a] if hessian[a, a] > 0.0 else 0.0
    for a in range(size - 1, -1, -1):
        step[a] = step[a] / hessian[a, a] if hessian[a, a] > 0.0 else 0.0
        for b in range(a):
            step[b] -= hessian[a, b] * step[a]


@jit()
def _climb(rows, label, weight, total, ties, iterations, tolerance, theta):  # type: ignore[no-untyped-def]
    """Newton steps from ``theta`` (k, d + 1), in place; whether they converged (NaN: no)."""
    k, width = theta.shape
    p, gradient, step = np.empty(k + 1), np.empty(k * width), np.empty(k * width)
    hessian, trial = np.empty((k * width, k * width)), np.empty((k, width))
    here = _loss(rows, label, weight, theta, ties, p)
    for _ in range(iterations):
        _slope(rows, label, weight, theta, ties, p, gradient, hessian)
        _newton(hessian, gradient, step)
        decrement, share = 0.0, 1.0
        for a in range(step.size):
            decrement += step[a] * gradient[a]
        for _halving in range(HALVINGS):
            for c in range(k):
                for a in range(width):
                    trial[c, a] = theta[c, a] - share * step[c * width + a]
            there = _loss(rows, label, weight, trial, ties, p)
            if there <= here * (1.0 + 1e-13):
                break
            share *= 0.5
        else:
            return decrement <= 1e-8 * total
        theta[:], here = trial, there
        if share == 1.0 and decrement <= 2.0 * tolerance * total:
            return True
    return False


@jit()
def _separates(rows, label, weight, theta):  # type: ignore[no-untyped-def]
    """Whether every item's own class is strictly the most probable."""
    logits = np.empty(theta.shape[0] + 1)
    for j in range(rows.shape[0]):
        if weight.size and weight[j] == 0.0:
            continue
        _logits(rows[j], theta, logits)
        for c in range(logits.size):
            if c != label[j] and not logits[label[j]] > logits[c]:
                return False
    return True


@jit()
def fit(items, weight, penalty, iterations, tolerance, coefficients, intercept, converged, separated):  # type: ignore[no-untyped-def]
    """Fit every replicate of ``items`` (r, n, d + 1); fill coefficients (r, C, d), intercept (r, C) and two flags (r,).

    Coefficients of the classes present sum to zero over them; a class without weight has intercept minus infinity.
    Returns False when a label is not one of 0 .. C - 1, or nothing has weight.
    """
    n, d, classes = items.shape[1], items.shape[2] - 1, intercept.shape[1]
    mass, index = np.empty(classes), np.empty(classes, np.int64)
    mean, scale, rows = np.empty(d), np.empty(d), np.empty((n, d + 1))
    label, ties, none = np.empty(n, np.int64), np.zeros((2, d)), np.empty(0)
    for i in range(items.shape[0]):
        own = weight[i] if weight.size else none
        present = _census(items[i], own, mass, index)
        if present < 1:
            return False
        total = mass.sum()
        _standard(items[i], own, total, mean, scale, rows)
        for j in range(n):
            label[j] = max(0, index[int(items[i, j, d])])
        for a in range(d):
            one = penalty / (scale[a] * scale[a])
            ties[0, a], ties[1, a] = (one, 0.0) if present == 2 else (one * (1.0 - 1.0 / present), -one / present)
        theta = np.zeros((present - 1, d + 1))
        first = mass[np.argmax(index == 0)]
        for c in range(classes):
            if index[c] > 0:
                theta[index[c] - 1, d] = math.log(mass[c] / first)
        converged[i] = present == 1 or _climb(rows, label, own, total, ties, iterations, tolerance, theta)
        separated[i] = present > 1 and penalty == 0.0 and _separates(rows, label, own, theta)
        for c in range(classes):
            coefficients[i, c], intercept[i, c] = 0.0, -np.inf
            if index[c] >= 0:
                intercept[i, c] = 0.0
                for a in range(d + 1):
                    value = theta[index[c] - 1, a] if index[c] > 0 else 0.0
                    value -= theta[:, a].sum() / present
                    if a < d:
                        coefficients[i, c, a] = value / scale[a]
                        intercept[i, c] -= coefficients[i, c, a] * mean[a]
                    else:
                        intercept[i, c] += value
    return True


@jit()
def probabilities(items, coefficients, intercept, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n, C) with the probability of each class; the last column of ``items`` is not looked at."""
    d = coefficients.shape[2]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for c in range(out.shape[2]):
                total = intercept[i, c]
                for a in range(d):
                    total += coefficients[i, c, a] * items[i, j, a]
                out[i, j, c] = total
            _softmax(out[i, j])


@jit()
def pick(probability, uniforms, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (r, n) with classes drawn from ``probability`` (r, n, C) by inversion of ``uniforms`` (r, n)."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            reached, chosen = 0.0, 0
            for c in range(probability.shape[2]):
                if probability[i, j, c] > 0.0:
                    chosen = c
                    reached += probability[i, j, c]
                    if uniforms[i, j] < reached:
                        break
            out[i, j] = chosen
