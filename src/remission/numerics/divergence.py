"""Divergences between histograms (KL, JS, TV, MAUVE), the Inception score and perplexity.

Histograms are checked and brought to sum 1 here; the formulas they share with symbols are those of ``counts``.
"""

from __future__ import annotations

import math

import numpy as np

from remission.errors import DataError
from remission.numerics import counts
from remission.numerics.arrays import Floats, Integers


def shares_of(histogram: Floats) -> Floats:
    """A histogram (k,) as shares that sum to 1, or DataError."""
    p = np.asarray(histogram, np.float64)
    if p.ndim != 1 or not p.size or not np.isfinite(p).all() or (p < 0).any() or p.sum() <= 0:
        raise DataError("A histogram needs non-negative finite numbers with a positive sum, in one dimension.")
    return p / p.sum()


def _pair(p: Floats, q: Floats) -> tuple[Floats, Floats]:
    p, q = shares_of(p), shares_of(q)
    if p.shape != q.shape:
        raise DataError(f"Two histograms need the same cells. Got {p.size} and {q.size}.")
    return p, q


def entropy(p: Floats) -> float:
    """-sum p ln p in nats."""
    return float(counts.entropy(shares_of(p)))


def kullback_leibler(p: Floats, q: Floats) -> float:
    """KL(p || q) = sum p ln(p / q) in nats; infinite when q misses a cell of p.

    >>> import numpy as np
    >>> kullback_leibler(np.array([1.0, 0.0]), np.array([0.5, 0.5])).__round__(4)
    0.6931
    """
    return float(counts.kullback_leibler(*_pair(p, q)))


def jensen_shannon(p: Floats, q: Floats) -> float:
    """Half of KL to the middle from either side, in nats: 0 to ln 2."""
    return float(counts.jensen_shannon(*_pair(p, q)))


def total_variation(p: Floats, q: Floats) -> float:
    """Half of sum |p - q|, 0 to 1."""
    return float(counts.total_variation(*_pair(p, q)))


def smoothed(histogram: Floats, n: int) -> Floats:
    """Shares (k,) of n items with half an item added to every cell (Krichevsky-Trofimov)."""
    p = shares_of(histogram)
    return (p * n + 0.5) / (n + 0.5 * p.size)


def divergence_curve(p: Floats, q: Floats, scaling: float = 5.0, discretisation: int = 25) -> Floats:
    """exp(-scaling KL(q || r)), exp(-scaling KL(p || r)) for mixtures r = w p + (1 - w) q, both ends added."""
    p, q = _pair(p, q)
    points = [(0.0, math.inf)]
    for w in np.linspace(1e-6, 1 - 1e-6, discretisation):
        r = w * p + (1 - w) * q
        points.append((kullback_leibler(q, r), kullback_leibler(p, r)))
    points.append((math.inf, 0.0))
    return np.exp(-scaling * np.array(points))


def mauve(p: Floats, q: Floats, scaling: float = 5.0, discretisation: int = 25) -> float:
    """MAUVE of two histograms over the same cells: area under the divergence curve, 1 when equal; falls in collapse.

    Source: Pillutla et al., "MAUVE" (NeurIPS 2021), eqs. 1 and 2.

    >>> import numpy as np
    >>> round(mauve(np.array([0.5, 0.5]), np.array([0.5, 0.5])), 6)
    1.0
    """
    curve = divergence_curve(p, q, scaling, discretisation)
    return abs(float(np.trapezoid(curve[:, 1], curve[:, 0])))


def mauve_star(p: Floats, q: Floats, n: int, m: int, scaling: float = 5.0, discretisation: int = 25) -> float:
    """MAUVE of smoothed histograms of n and m items: the better choice for small samples."""
    return mauve(smoothed(p, n), smoothed(q, m), scaling, discretisation)


def frontier_integral(p: Floats, q: Floats) -> float:
    """The frontier integral of two histograms, 0 when equal, 1 when disjoint; rises in collapse.

    Per cell (p + q) / 2 - p q ln(p / q) / (p - q), in closed form.

    Source: Liu et al., "Divergence frontiers for generative models" (NeurIPS 2021), eq. 5.
    """
    p, q = _pair(p, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = p * q * (np.log(p) - np.log(q)) / (p - q)
        cells = np.where((p > 0) & (q > 0), 0.5 * (p + q) - slope, 0.5 * (p + q))
    return float(np.where(np.abs(p - q) > 1e-8, cells, 0.0).sum())


def frontier_integral_star(p: Floats, q: Floats, n: int, m: int) -> float:
    """The frontier integral of smoothed histograms of n and m items."""
    return frontier_integral(smoothed(p, n), smoothed(q, m))


def inception_score(logits: Floats, splits: int = 10, seed: int | None = 2020) -> tuple[float, float]:
    """Mean and standard deviation over splits of exp(mean KL(p(y | x) || p(y))) of class logits (n, c).

    Rows are shuffled by ``RandomState(seed)`` first, as torch-fidelity does (None: not). From 1 to c; falls in
    collapse of classes, blind to collapse within one.

    Source: Salimans et al., "Improved techniques for training GANs" (NeurIPS 2016), section 4.
    """
    logits = np.asarray(logits, np.float64)
    if seed is not None:
        logits = logits[np.random.RandomState(seed).permutation(len(logits))]
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    scores = np.empty(splits)
    for i in range(splits):
        part = slice(i * len(p) // splits, (i + 1) * len(p) // splits)
        middle = np.log(p[part].mean(axis=0))
        with np.errstate(invalid="ignore"):
            terms = np.where(p[part] > 0, p[part] * (log_p[part] - middle), 0.0)
        scores[i] = math.exp(terms.sum(axis=1).mean())
    return float(scores.mean()), float(scores.std())


def perplexity(logits: Floats, targets: Integers, ignore: int = -100) -> float:
    """exp(mean of -ln p(target)) of logits (..., V) and targets (...); targets equal to ``ignore`` do not count.

    >>> import numpy as np
    >>> perplexity(np.zeros((2, 4)), np.array([1, -100])).__round__(6)
    4.0
    """
    logits = np.asarray(logits, np.float64).reshape(-1, np.shape(logits)[-1])
    flat = np.asarray(targets).ravel()
    used = flat != ignore
    if not used.any():
        return math.nan
    logits, flat = logits[used], flat[used]
    peak = logits.max(axis=1)
    log_sum = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1))
    return float(np.exp((log_sum - logits[np.arange(len(flat)), flat]).mean()))
