"""Tails of samples: mass beyond fixed thresholds, the Hill index, distances that account for shape."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Floats


class Whitening(NamedTuple):
    """A centre (d,) and W (d, k) such that |(x - centre) W| is the Mahalanobis distance."""

    centre: Floats
    matrix: Floats


def whitening(mean: Floats, cov: Floats) -> Whitening:
    """From a mean (d,) and covariance (d, d); directions without variance (beyond rounding) are left out."""
    values, vectors = np.linalg.eigh(np.asarray(cov, np.float64))
    kept = values > len(values) * np.finfo(float).eps * max(values[-1], 0.0)
    return Whitening(np.asarray(mean, np.float64), vectors[:, kept] / np.sqrt(values[kept]))


def whitening_of(points: Floats) -> Whitening:
    """From the mean and covariance of a sample (n, d)."""
    mean = points[0] + (points - points[0]).mean(axis=0)
    rest = points - mean
    return whitening(mean, rest.T @ rest / len(points))


def mahalanobis(points: Floats, white: Whitening) -> Floats:
    """Mahalanobis distance of each of ``points`` (n, d), shape (n,)."""
    z = (points - white.centre) @ white.matrix
    return np.sqrt(np.einsum("nk,nk->n", z, z))


def tail_mass(values: Floats, low: float, high: float) -> tuple[float, float]:
    """Shares of ``values`` (n,) below ``low`` and above ``high``.

    >>> import numpy as np
    >>> tail_mass(np.array([-3.0, 0.0, 0.0, 3.0]), -2.0, 2.0)
    (0.25, 0.25)
    """
    return float(np.mean(values < low)), float(np.mean(values > high))


def hill(values: Floats, share: float = 0.1) -> float:
    """Hill's estimate of the tail index xi of positive ``values`` (n,): 0 for a light tail, 1/alpha for a power law.

    With X_1 >= X_2 >= ... and k = floor(share n): xi = mean of ln(X_i / X_{k+1}) for i = 1..k; NaN when k < 2 or the
    threshold is not positive. Falls when tails are cut.

    Source: Hill, "A simple general approach to inference about the tail" (Annals of Statistics 1975), eq. 3.

    >>> import numpy as np
    >>> round(hill(np.arange(1, 10001) ** -0.5, 0.01), 2)
    0.49
    """
    values = np.asarray(values, np.float64).ravel()
    if np.isnan(values).any():
        raise DataError("A tail index needs values without NaN.")
    k = int(share * values.size)
    if k < 2 or k >= values.size:
        return math.nan
    top = np.sort(values)[::-1][: k + 1]
    return float(np.log(top[:k] / top[k]).mean()) if top[k] > 0 else math.nan
