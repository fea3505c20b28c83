"""Log-determinant, determinant, trace and error of a d-dimensional Gaussian in replace.

The determinant collapses d times faster than the trace, and faster still when n is close to d.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def trace(counts: Sequence[int], d: int, unbiased: bool = False) -> Floats:
    """E tr Sigma_t for Sigma_0 = I: d prod (1 - 1/n_s), or d when unbiased. Conditions, scale, source: :func:`log_det`.

    >>> round(float(trace([50] * 20, 3)[-1]), 4)
    2.0028
    """
    n = np.asarray(counts, float)
    return np.asarray(np.full(n.size, float(d)) if unbiased else d * np.cumprod(1.0 - 1.0 / n), np.float64)


def error(counts: Sequence[int], d: int, unbiased: bool = False) -> Floats:
    """E|mu_t - mu0|^2 for Sigma_0 = I: d sum 1/n_s (unbiased), d (1 - prod (1 - 1/n_s)) (MLE).

    >>> round(float(error([50] * 20, 3, unbiased=True)[-1]), 4)
    1.2
    """
    n = np.asarray(counts, float)
    return np.asarray(d * np.cumsum(1.0 / n) if unbiased else d * (1.0 - np.cumprod(1.0 - 1.0 / n)), np.float64)


def log_det(counts: Sequence[int], d: int, unbiased: bool = False) -> Floats:
    """E ln(det Sigma_t / det Sigma_0) = sum_s sum_{i=1..d} [psi((n_s - i)/2) + ln(2 / (n_s - ddof))].

    Args:
        counts: n_1 .. n_T, all larger than d.
        d: dimensions.
        unbiased: ddof = 1 instead of 0.

    Conditions: normal real data, replace, n > d. Scale: mean (of the logarithm). Source: Bartlett's decomposition of the
    Wishart law (Anderson, An Introduction to Multivariate Statistical Analysis, theorem 7.5.3); THEORY G6.

    >>> round(float(log_det([50] * 20, 1)[-1]), 4)
    -0.815
    """
    from scipy.special import digamma

    n = np.asarray(counts, float)[:, None]
    terms = digamma((n - np.arange(1, d + 1)) / 2) + np.log(2.0 / (n - (1 if unbiased else 0)))
    return np.cumsum(terms.sum(axis=1))


def det_ratio(counts: Sequence[int], d: int, unbiased: bool = False) -> Floats:
    """E det Sigma_t / det Sigma_0 = prod_s prod_{i=1..d} (n_s - i) / (n_s - ddof).

    Arguments, conditions and source as in :func:`log_det`; scale: mean, and a badly estimable one.

    >>> round(float(det_ratio([50], 2, unbiased=True)[0]), 6)
    0.979592
    """
    n = np.asarray(counts, float)[:, None]
    return np.cumprod(((n - np.arange(1, d + 1)) / (n - (1 if unbiased else 0))).prod(axis=1))


class GaussianDimensions(Theory):
    """E tr, E|mu - mu0|^2 and E ln det of a Gaussian of d dimensions in *replace*, any real covariance.

    Traces scale with tr Sigma_0, the log-determinant is moved by ln det Sigma_0. In collapse all but the error fall.

    >>> [round(float(log_det([20] * 5, d)[-1]), 3) for d in (1, 2, 5)]
    [-0.524, -1.334, -5.66]
    """

    row: ClassVar[str] = "G6"
    source: ClassVar[str] = "derived; Anderson, theorem 7.5.3"
    statement: ClassVar[str] = "E ln det = t sum_i [psi((n-i)/2) + ln(2/(n - ddof))]; E tr = d (1 - 1/n)^t"

    def refuses(self, world: World) -> str:
        """Normal data, replace, more items than dimensions."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle", "unbiased"),
            given.normal_law,
            given.plain_sampling,
            given.real_start,
            given.replace,
            _enough,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Log-determinant, error, variance and their sum."""
        assert isinstance(world.law, Law)
        d = world.space.features
        counts = given.counts(world).tolist()
        unbiased = world.model.table()["estimator"] == "unbiased"
        scale = float(world.law.cov.trace()) / d
        a, v = scale * error(counts, d, unbiased), scale * trace(counts, d, unbiased)
        training = v * (1.0 - 1.0 / np.asarray(counts)) if unbiased else None
        log = log_det(counts, d, unbiased) + np.linalg.slogdet(world.law.cov)[1]
        rows = moment_rows(world, self.name(), a, v, training)
        return [*rows, Prediction(self.name(), "moments.log-det", "mean", log)]


def _enough(world: World) -> str:
    d, least = world.space.features, int(given.counts(world).min())
    return f"{least} items in {d} dimensions give a singular covariance" if least <= d else ""
