"""Exact risks of linear rules, and errors by group."""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Array, Floats


def linear_excess(coefficients: Floats, intercept: Floats, truth: Floats, cov: Floats) -> Floats:
    """E (prediction - E[y | x])^2 of linear rules: (w - w0)' cov (w - w0) + b^2 for covariates N(0, cov).

    Args:
        coefficients: w (r, d).
        intercept: b (r,).
        truth: w0 (d,).
        cov: covariance of the covariates (d, d).

    >>> linear_excess(np.array([[2.0, 1.0]]), np.zeros(1), np.ones(2), np.eye(2))
    array([1.])
    """
    gap = np.ascontiguousarray(coefficients - truth)
    return np.array([row @ cov @ row + b * b for row, b in zip(gap, intercept, strict=True)])


def two_class_error(coefficients: Floats, intercept: Floats, shares: Floats, means: Floats, cov: Floats) -> Floats:
    """P(wrong) of the rules "class 1 where w . x + b > 0" for classes N(means[c], cov) with the given shares.

    shares_0 Phi((w . m_0 + b) / s) + shares_1 Phi(-(w . m_1 + b) / s) with s^2 = w' cov w; shape (r,).

    >>> two_class_error(np.array([[1.0]]), np.zeros(1), np.ones(2) / 2, np.array([[-1.0], [1.0]]), np.eye(1)).round(4)
    array([0.1587])
    """
    from scipy.special import ndtr

    out = np.empty(len(coefficients))
    for i, (w, b) in enumerate(zip(np.ascontiguousarray(coefficients), intercept, strict=True)):
        heights = np.array([w @ mean + b for mean in means])
        spread = np.sqrt(w @ cov @ w)
        if spread > 0:
            out[i] = shares[0] * ndtr(heights[0] / spread) + shares[1] * ndtr(-heights[1] / spread)
        else:
            out[i] = np.nan if np.isnan(spread) or np.isnan(b) else shares[0] if b > 0 else shares[1]
    return out


def bayes_error(shares: Floats, means: Floats, cov: Floats) -> float:
    """The smallest P(wrong) for two classes N(means[c], cov): Fisher's discriminant with the log odds.

    Raises:
        numpy.linalg.LinAlgError: a singular covariance.
    """
    if min(shares) == 0.0:
        return 0.0
    w = np.linalg.solve(cov, means[1] - means[0])
    b = np.log(shares[1] / shares[0]) - 0.5 * w @ (means[0] + means[1])
    return float(two_class_error(w[None], np.array([b]), shares, means, cov)[0])


def errors_by_group(errors: Floats, groups: Array) -> tuple[Array, Floats]:
    """(group values in ascending order, mean error of each) for errors (n,) and groups (n,).

    >>> errors_by_group(np.array([0.0, 1.0, 1.0]), np.array([0.0, 0.0, 2.0]))
    (array([0., 2.]), array([0.5, 1. ]))
    """
    values, number = np.unique(groups, return_inverse=True)
    return values, np.bincount(number, errors, values.size) / np.bincount(number, minlength=values.size)
