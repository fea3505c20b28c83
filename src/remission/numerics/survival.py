"""Tails of sums of independent scores, as logarithms that do not underflow.

All functions give the natural logarithm of P(sum >= total). Sums of terms are taken from the largest on until nothing is
added; below the expected value the other tail is summed instead.
"""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.arrays import Floats, Integers
from remission.numerics.jit import jit

_TINY = 1e-18
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(160)


@jit(inline=True)
def _choose(n, k):  # type: ignore[no-untyped-def]
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


@jit()
def _binomial(n, k, share):  # type: ignore[no-untyped-def]
    if k <= 0:
        return 0.0
    if k > n:
        return -np.inf
    odds = share / (1.0 - share)
    total, term = 1.0, 1.0
    if k > n * share:
        first = _choose(n, k) + k * math.log(share) + (n - k) * math.log1p(-share)
        for j in range(k, n):
            term *= (n - j) / (j + 1.0) * odds
            total += term
            if term < _TINY * total:
                break
        return min(0.0, first + math.log(total))
    first = _choose(n, k - 1) + (k - 1) * math.log(share) + (n - k + 1) * math.log1p(-share)
    for j in range(k - 1, 0, -1):
        term *= j / (n - j + 1.0) / odds
        total += term
        if term < _TINY * total:
            break
    return math.log1p(-min(1.0, math.exp(first) * total))


@jit()
def _hypergeometric(n, k, size, green):  # type: ignore[no-untyped-def]
    if k <= max(0, n - (size - green)) or n > size:
        return 0.0
    if k > min(n, green):
        return -np.inf
    total, term = 1.0, 1.0
    if k * size > n * green:
        first = _choose(green, k) + _choose(size - green, n - k) - _choose(size, n)
        for j in range(k, min(n, green)):
            term *= (green - j) * 1.0 * (n - j) / ((j + 1.0) * (size - green - n + j + 1.0))
            total += term
            if term < _TINY * total:
                break
        return min(0.0, first + math.log(total))
    first = _choose(green, k - 1) + _choose(size - green, n - k + 1) - _choose(size, n)
    for j in range(k - 1, max(0, n - (size - green)), -1):
        term *= j * 1.0 * (size - green - n + j) / ((green - j + 1.0) * (n - j + 1.0))
        total += term
        if term < _TINY * total:
            break
    return math.log1p(-min(1.0, math.exp(first) * total))


@jit()
def _gamma(n, total):  # type: ignore[no-untyped-def]
    """The sum of n exponentials of mean 1."""
    if n <= 0 or total <= 0.0:
        return 0.0
    whole, term = 1.0, 1.0
    if total > n:
        first = (n - 1) * math.log(total) - total - math.lgamma(n)
        for j in range(n - 1, 0, -1):
            term *= j / total
            whole += term
            if term < _TINY * whole:
                break
        return min(0.0, first + math.log(whole))
    first = n * math.log(total) - total - math.lgamma(n + 1.0)
    j = n
    while term >= _TINY * whole:
        j += 1
        term *= total / j
        whole += term
    return math.log1p(-min(1.0, math.exp(first) * whole))


@jit(inline=True)
def _tilt(n, total, a, b):  # type: ignore[no-untyped-def]
    """The theta with n a / (1 - a theta) + n b / (1 - b theta) = total, a >= b > 0; 0 where total is not above n (a + b)."""
    if total <= n * (a + b):
        return 0.0
    low, high = 0.0, 1.0 / a
    for _ in range(80):
        middle = 0.5 * (low + high)
        if n * a / (1.0 - a * middle) + n * b / (1.0 - b * middle) < total:
            low = middle
        else:
            high = middle
    return low


@jit()
def _gammas(n, total, a, b, nodes, weights):  # type: ignore[no-untyped-def]
    """A X + b Y for two sums of n exponentials of mean 1, a >= b: an integral over Y where it matters, given the total."""
    if n <= 0 or total <= 0.0:
        return 0.0
    theta = _tilt(n, total, a, b)
    scale = 1.0 / (1.0 - b * theta)  # given that the total is reached, Y is larger
    low = max(0.0, n * scale - 12.0 * scale * math.sqrt(n))
    high = min(n * scale + scale * (12.0 * math.sqrt(n) + 45.0), total / b)
    best = -np.inf
    terms = np.empty(nodes.size + 1)
    for i in range(nodes.size):
        y = low + 0.5 * (nodes[i] + 1.0) * (high - low)
        density = (n - 1) * math.log(y) - y - math.lgamma(n)
        terms[i] = math.log(0.5 * weights[i] * (high - low)) + density + _gamma(n, (total - b * y) / a)
    terms[nodes.size] = _gamma(n, high) if high * b >= total else -np.inf  # Y alone reaches the total
    for value in terms:
        best = max(best, value)
    whole = 0.0
    for value in terms:
        whole += math.exp(value - best)
    return min(0.0, best + math.log(whole))


@jit()
def _binomials(n, k, share, out):  # type: ignore[no-untyped-def]
    for i in range(n.size):
        out[i] = _binomial(n[i], k[i], share)


@jit()
def _hypergeometrics(n, k, size, green, out):  # type: ignore[no-untyped-def]
    for i in range(n.size):
        out[i] = _hypergeometric(n[i], k[i], size, green)


@jit()
def _all_gammas(n, total, a, b, nodes, weights, out):  # type: ignore[no-untyped-def]
    for i in range(n.size):
        out[i] = _gamma(n[i], total[i] / a) if b == 0.0 else _gammas(n[i], total[i], a, b, nodes, weights)


def log_binomial_tail(n: Integers, k: Integers, share: float) -> Floats:
    """At least k of n, each with probability ``share``.

    >>> import numpy as np
    >>> log_binomial_tail(np.array([3, 3, 10_000]), np.array([0, 3, 10_000]), 0.5).round(3).tolist()
    [0.0, -2.079, -6931.472]
    """
    out = np.empty(n.size)
    _binomials(n, k, share, out)
    return out


def log_hypergeometric_tail(n: Integers, k: Integers, size: int, green: int) -> Floats:
    """At least k green ones among n that are drawn without replacement from ``size``, of which ``green`` are.

    0 for n > ``size``, which no drawing without replacement can give: nothing is claimed of it.
    """
    out = np.empty(n.size)
    _hypergeometrics(n, k, size, green, out)
    return out


def log_gamma_tail(n: Integers, total: Floats, scales: tuple[float, float] = (1.0, 0.0)) -> Floats:
    """A X + b Y >= total, X and Y independent sums of n exponentials of mean 1, for ``scales`` (a, b).

    With b > 0 by quadrature: relative error of the probability below 1e-9.
    """
    a, b = max(scales), min(scales)
    out = np.empty(n.size)
    _all_gammas(n, total.astype(np.float64), a, b, _NODES, _WEIGHTS, out)
    return out
