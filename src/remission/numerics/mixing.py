"""The weight of one known density in a mix of two."""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.arrays import Floats

_ROUNDS = 100


def mixing_weight(ratio: Floats, weight: Floats, cut: bool = True) -> float:
    """The maximum-likelihood share pi of a mix (1 - pi) p + pi q from the ratios q / p at n points.

    Maximises sum w log(1 + pi (ratio - 1)), which is concave, by Newton's method with bisection; the same maximum as EM's
    (Saerens, Latinne and Decaestecker, Neural Computation 14, 21, 2002), to machine precision.

    Args:
        ratio: (n,) q / p, at least 0.
        weight: (n,) how often each point counts.
        cut: keep pi within 0 .. 1; otherwise within what keeps every density positive.

    Returns:
        The share; NaN when every ratio is 1, which says nothing.

    >>> round(mixing_weight(np.array([0.5, 2.0]), np.array([1.0, 1.0])), 6)
    0.5
    """
    gain = np.asarray(ratio, dtype=float) - 1
    kept = weight > 0
    gain, weight = gain[kept], weight[kept]
    if not gain.size or np.abs(gain).max() < 1e-12:
        return math.nan
    low, high = 0.0, 1.0
    if not cut:
        low = -1 / gain.max() * (1 - 1e-9) if gain.max() > 0 else -1.0
        high = -1 / gain.min() * (1 - 1e-9) if gain.min() < 0 else 2.0

    def slope(share: float) -> tuple[float, float]:
        part = gain / np.maximum(1 + share * gain, 1e-300)
        return float(weight @ part), -float(weight @ part**2)

    if slope(low)[0] <= 0:
        return low
    if slope(high)[0] >= 0:
        return high
    share = min(max(0.5, low), high)
    for _ in range(_ROUNDS):
        first, second = slope(share)
        if first > 0:
            low = share
        else:
            high = share
        step = share - first / second if second < 0 else np.inf
        new = step if low < step < high else (low + high) / 2
        if abs(new - share) < 1e-12:
            return new
        share = new
    return share
