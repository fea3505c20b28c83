"""The root of a noisy curve near one place: a local polynomial and Fieller's interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from remission.numerics.arrays import Booleans, Floats

_GRID = 2001
_STEPS = 50
_DEGREE = 3  # an odd power costs the middle nothing, and bends with the curve


@dataclass(frozen=True)
class Fit:
    """A root with its interval.

    Attributes:
        root, low, high: on the axis of the fit.
        scale: the distance over which the curve moves by one standard deviation of a reading.
    """

    root: float
    low: float
    high: float
    scale: float


def fit_root(
    x: Floats, y: Floats, share: float | None, direction: int, level: float, outer: tuple[float, float]
) -> Fit | None:
    """Where E y crosses zero, or a probability crosses ``share``.

    A cubic (on the logit scale for probabilities) is fitted by weighted least squares; the interval holds every place
    whose fitted value is less than a quantile of its standard error away from the crossing (Fieller, 1954), which stays
    right when the slope is uncertain. Standard errors allow a spread that changes along x (HC3).

    Args:
        x: places, shape (n,).
        y: readings with root 0, or 0/1 outcomes when ``share`` is given, shape (n,).
        share: the probability to cross; None for a mean.
        direction: 1 when the curve rises through the root, -1 when it falls.
        level: of the interval.
        outer: known signs on both sides: an open interval ends there.

    Returns:
        The fit; None when no root can be read (no variation, or no crossing).
    """
    distinct = np.unique(x).size
    if distinct < 2 or np.ptp(y) == 0:
        return None
    most = min(_DEGREE, (distinct - 1) // 2 + 1, distinct - 1)
    tried = (_root_of(x, y, degree, share, direction, level, outer) for degree in (most, 1))
    return next((fit for fit in tried if fit is not None), None)


def _root_of(
    x: Floats, y: Floats, degree: int, share: float | None, direction: int, level: float, outer: tuple[float, float]
) -> Fit | None:
    from scipy.special import ndtri, stdtrit

    middle, half = (x.max() + x.min()) / 2, (x.max() - x.min()) / 2
    design = _powers((x - middle) / half, degree)
    made = _linear(design, y) if share is None else _logistic(design, y)
    if made is None:
        return None
    coefficients, cov, spread = made
    target = 0.0 if share is None else math.log(share / (1 - share))
    grid = (np.linspace(*outer, _GRID) - middle) / half  # a root outside known signs is none
    rows = _powers(grid, degree)
    curve = direction * (rows @ coefficients - target)
    error = np.sqrt(np.einsum("ij,jk,ik->i", rows, cov, rows))
    up = np.flatnonzero((curve[:-1] < 0) & (curve[1:] >= 0))
    if up.size == 0:
        return None
    at = up[np.argmin(np.abs(grid[up]))]  # of several roots the one that crosses the right way, nearest to the middle
    root = grid[at] + (grid[at + 1] - grid[at]) * curve[at] / (curve[at] - curve[at + 1])
    quantile = stdtrit(x.size - degree - 1, 0.5 + level / 2) if share is None else ndtri(0.5 + level / 2)
    low, high = _around(np.abs(curve) <= quantile * error, int(at))
    slope = (curve[at + 1] - curve[at]) / (grid[at + 1] - grid[at])
    root, low_end, high_end = (float(middle + half * z) for z in (root, grid[low], grid[high]))
    return Fit(root, low_end, high_end, float(half * spread / slope))


def _around(unsure: Booleans, at: int) -> tuple[int, int]:
    """The stretch of unsure places around a root between ``at`` and ``at + 1``."""
    low, high = at, at + 1
    while low > 0 and unsure[low]:
        low -= 1
    while high < unsure.size - 1 and unsure[high]:
        high += 1
    return low, high


def _powers(x: Floats, degree: int) -> Floats:
    return np.vander(x, degree + 1, increasing=True)


def _linear(design: Floats, y: Floats) -> tuple[Floats, Floats, float] | None:
    """Coefficients, their HC3 covariance and the spread of a reading."""
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ y
    residual = y - design @ coefficients
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    scaled = residual / np.maximum(1 - leverage, 1e-6)
    cov = inverse @ (design.T * scaled**2) @ design @ inverse
    spread = float(residual.std())
    return (coefficients, cov, spread) if spread > 0 else None


def _logistic(design: Floats, y: Floats) -> tuple[Floats, Floats, float] | None:
    """Coefficients and covariance by Newton's method with a faint prior, which keeps separated outcomes finite."""
    prior = np.eye(design.shape[1]) * 1e-2
    prior[0, 0] = 1e-6
    coefficients = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ coefficients, -30, 30)))
        hessian = (design.T * (p * (1 - p))) @ design + prior
        step = np.linalg.solve(hessian, design.T @ (y - p) - prior @ coefficients)
        coefficients = coefficients + np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-9:
            break
    return coefficients, np.asarray(np.linalg.inv(hessian), np.float64), 1.7  # probit one: one standard deviation
