"""Frechet (2-Wasserstein) distance between Gaussians, without a matrix square root."""

from __future__ import annotations

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Floats
from remission.numerics.neighbours import points_of


def _root(cov: Floats) -> Floats:
    """R (k, d) with R'R = cov; where rounding made a direction negative it has no variance."""
    try:
        return np.asarray(np.linalg.cholesky(cov).T, np.float64)
    except np.linalg.LinAlgError:  # singular
        values, vectors = np.linalg.eigh(cov)
        return np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T


def _join(gap: Floats, one: Floats, other: Floats) -> float:
    """|gap|^2 + |R1|^2 + |R2|^2 - 2 (sum of singular values of R1 R2')."""
    from scipy.linalg import svdvals

    overlap = float(svdvals(one @ other.T, check_finite=False).sum())
    return float(gap @ gap) + float((one * one).sum()) + float((other * other).sum()) - 2.0 * overlap


def frechet_of_moments(mean: Floats, cov: Floats, other_mean: Floats, other_cov: Floats) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), from means (d,) and covariances (d, d); may be singular.

    With S = R'R the trace of the root is the sum of singular values of R1 R2', which is accurate where the square
    root of an eigenvalue is not.

    Source: Dowson & Landau, "The Frechet distance between multivariate normal distributions" (JMVA 1982), eq. 4.

    >>> import numpy as np
    >>> frechet_of_moments(np.zeros(1), np.eye(1), np.ones(1), 4 * np.eye(1))
    2.0
    """
    return _join(np.asarray(mean) - other_mean, _root(cov), _root(other_cov))


def _centred(points: Floats, origin: Floats) -> tuple[Floats, Floats]:
    """Mean relative to ``origin``, and R with R'R the covariance (ddof 1)."""
    rest = points - origin
    mean = rest.mean(axis=0)
    rest -= mean
    freedom = len(points) - 1
    return mean, rest / np.sqrt(freedom) if len(rest) <= rest.shape[1] else _root(rest.T @ rest / freedom)


def frechet_distance(x: Floats, y: Floats) -> float:
    """Frechet distance of samples (n, d) and (m, d), covariances over n - 1; the FID formula on any features.

    Biased upwards by about d(d+1) / n: compare at equal n only. Rises in collapse, but a memorised set scores
    better than honest samples.

    Source: Heusel et al., "GANs trained by a two time-scale update rule" (NeurIPS 2017), eq. 6.
    """
    x, y = points_of(x), points_of(y)
    if min(len(x), len(y)) < 2:
        raise DataError("A Frechet distance needs at least 2 points on each side.")
    (mean, root), (other_mean, other_root) = _centred(x, y[0]), _centred(y, y[0])
    return _join(mean - other_mean, root, other_root)
