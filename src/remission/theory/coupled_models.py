"""Several models that train on each other's output become alike.

Their expectations settle where the gap between them has shrunk to 1 - alpha of the gap between their own data.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.errors import SpecError
from remission.world import Prediction, Theory, World


def fixed_point(mixing: Floats, share: float, own: Floats) -> Floats:
    """E theta* = (I - alpha W)^-1 (1 - alpha) m.

    Args:
        mixing: W, shape (k, k), rows sum to 1: whose output model i draws its synthetic data from.
        share: alpha, the synthetic share of every training set.
        own: m, the mean of each model's private real data, shape (k,).

    Conditions: Gaussian means with known variance. Source: Vu et al., arXiv 2505.21677 (ICLR 2026), the linear-Gaussian
    surrogate; general graphs derived (THEORY M1).

    Raises:
        SpecError: the spectral radius of alpha W is not below 1.

    >>> fixed_point(np.full((2, 2), 0.5), 0.6, np.array([1.0, -1.0])).round(12)
    array([ 0.4, -0.4])
    """
    matrix = _stable(mixing, share)
    return np.asarray(np.linalg.solve(np.eye(len(matrix)) - matrix, (1.0 - share) * np.asarray(own, float)), np.float64)


def covariance(mixing: Floats, share: float, n: float, variance: float = 1.0) -> Floats:
    """Cov theta* from C = A C A' + Q, A = alpha W, Q = (variance / n) I (discrete Lyapunov equation).

    Args:
        mixing: as in :func:`fixed_point`.
        share: alpha.
        n: items per training set; every model draws its own.
        variance: of an item.

    >>> covariance(np.array([[1.0]]), 0.5, 10).round(6)
    array([[0.133333]])
    """
    from scipy.linalg import solve_discrete_lyapunov

    matrix = _stable(mixing, share)
    return np.asarray(solve_discrete_lyapunov(matrix, variance / n * np.eye(len(matrix))))


def _stable(mixing: Floats, share: float) -> Floats:
    matrix = share * np.asarray(mixing, float)
    radius = float(np.abs(np.linalg.eigvals(matrix)).max())
    if radius >= 1.0:
        raise SpecError(
            f"The loop has no fixed point: its spectral radius is {radius:g}, which must be below 1. Lower alpha."
        )
    return matrix


class CoupledModels(Theory):
    """Mean and covariance of several models that mix their outputs; see :func:`fixed_point` and :func:`covariance`.

    Collapse here is homogenisation: the gap falls, the average stays.

    >>> float(fixed_point(np.array([[1.0]]), 0.9, np.array([2.0]))[0].round(9))
    2.0
    """

    row: ClassVar[str] = "M1"
    source: ClassVar[str] = "Vu et al., arXiv 2505.21677; general graphs derived"
    statement: ClassVar[str] = "gap -> (1 - alpha)(m1 - m2); C = A C A' + Q, stable iff rho(A) < 1"

    def refuses(self, world: World) -> str:
        """Always: a loop has one model."""
        return "it needs several models"

    def predict(self, world: World) -> list[Prediction]:
        """Nothing."""
        return []
