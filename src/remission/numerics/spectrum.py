"""Diversity from a spectrum: the Vendi score of every order, and ranks of covariances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Floats
from remission.numerics.neighbours import distances, points_of

Similarity = Literal["linear", "rbf", "cubic"]


def effective_number(shares: Floats, order: float) -> float:
    """Exponential of the Renyi entropy of order q >= 0 of ``shares`` (n,): the effective number of kinds (Hill number).

    (sum p^q)^(1 / (1 - q)); order 1: exp(-sum p ln p); order inf: 1 / max p. Shares that are 0 do not count.

    >>> import numpy as np
    >>> [effective_number(np.array([0.5, 0.5]), q) for q in (0.0, 1.0, 2.0, float("inf"))]
    [2.0, 2.0, 2.0, 2.0]
    """
    p = shares[shares > 0]
    if not p.size:
        return math.nan
    if order == 1.0:
        return float(np.exp(-(p * np.log(p)).sum()))
    if math.isinf(order):
        return float(1.0 / p.max())
    return float((p**order).sum() ** (1.0 / (1.0 - order)))


def unit_rows(points: Floats) -> Floats:
    """Rows scaled to length 1; DataError when a row is all zero."""
    points = points_of(points)
    length = np.sqrt((points * points).sum(axis=1, keepdims=True))
    if not (length > 0).all():
        raise DataError("A row of zeros has no direction. Use the rbf kernel, or drop it.")
    return points / length


def similarity_spectrum(
    points: Floats, kernel: Similarity = "linear", bandwidth: float = 0.5, weights: Floats | None = None
) -> Floats:
    """Eigenvalues of the similarity matrix K / n of (n, d), of diag(p)^(1/2) K diag(p)^(1/2) for weights p (n,).

    Rows are scaled to length 1 first. ``linear``: x.y, through the d x d matrix when n > d; ``rbf``:
    exp(-|x - y|^2 / (2 b^2)); ``cubic``: (x.y / d + 1)^3, not scaled to a unit diagonal. Eigenvalues
    within rounding (n eps times the largest) are exactly 0: they are no kinds.
    """
    rows = unit_rows(points)
    n, d = rows.shape
    p = np.full(n, 1.0 / n) if weights is None else np.asarray(weights, np.float64) / np.sum(weights)
    root = np.sqrt(p)[:, None]
    if kernel == "linear":
        scaled = rows * root
        matrix = scaled.T @ scaled if n > d else scaled @ scaled.T
    else:
        if kernel == "rbf":
            matrix = np.exp(distances(rows, rows) ** 2 * (-0.5 / bandwidth**2))
        else:
            matrix = (rows @ rows.T / d + 1.0) ** 3
        matrix *= root * root.T
    values = np.linalg.eigvalsh(matrix)
    return np.where(values > len(values) * np.finfo(float).eps * values[-1], values, 0.0)


def vendi(
    points: Floats,
    orders: Sequence[float] = (0.1, 1.0, 2.0, math.inf),
    kernel: Similarity = "linear",
    bandwidth: float = 0.5,
    weights: Floats | None = None,
) -> Floats:
    """The Vendi score of (n, d) for every order q: the effective number of different items, 1 to n; falls in collapse.

    A q below 1 sees rare kinds, q = inf only the most common one.

    Source: Friedman & Dieng, "The Vendi score" (TMLR 2023), eq. 1; Pasarkar & Dieng, "Cousins of the Vendi
    score" (AISTATS 2024), eq. 5.

    >>> import numpy as np
    >>> vendi(np.array([[1.0, 0.0], [0.0, 3.0], [0.0, 5.0]]), orders=(1.0,)).round(4)
    array([1.8899])
    """
    spectrum = similarity_spectrum(points, kernel, bandwidth, weights)
    return np.array([effective_number(spectrum, float(order)) for order in orders])
