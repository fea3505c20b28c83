"""Statistics of symbol counts and probabilities: diversity, entropy, divergence, unseen mass, Zipf's exponent.

Arrays have the types along the last axis; leading axes (replicates) are kept. A set without items gives NaN, except
where a count of types is asked for. Probabilities must sum to 1 over the last axis; counts are integers or floats
with integer values.
"""

from __future__ import annotations

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Array, Floats, Integers
from remission.numerics.jit import jit


@jit()
def _tally(items, out):  # type: ignore[no-untyped-def]
    """Counts of symbols; False when one is out of range."""
    for i in range(items.shape[0]):
        for j in range(items.shape[1]):
            symbol = items[i, j]
            if symbol < 0 or symbol >= out.shape[1]:
                return False
            out[i, symbol] += 1
    return True


def tally(items: Array, size: int) -> Integers:
    """How often each of ``size`` symbols occurs in items (r, ...), shape (r, size).

    Raises:
        DataError: a symbol is negative or not below ``size``.

    >>> tally(np.array([[0, 2, 2]]), 3)
    array([[1, 0, 2]])
    """
    flat = np.ascontiguousarray(items.reshape(items.shape[0], -1), dtype=np.int64)
    out = np.zeros((items.shape[0], size), np.int64)
    if not _tally(flat, out):
        raise DataError(
            f"Symbols must be 0 .. {size - 1}, got {flat.min()} .. {flat.max()}. Is the size of the space right?"
        )
    return out


def shares(counts: Array) -> Floats:
    """Counts / their sum; NaN for a set without items."""
    counts = np.ascontiguousarray(counts, np.float64)
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(axis=-1, keepdims=True)


def heterozygosity(p: Floats) -> Floats:
    """1 - sum p^2 (Gini-Simpson), summed as p (1 - p) to stay exact when one symbol has nearly everything.

    >>> float(heterozygosity(np.array([0.5, 0.5])))
    0.5
    """
    p = np.ascontiguousarray(p)
    return (p * (1.0 - p)).sum(axis=-1)


def nei(counts: Array) -> Floats:
    """Unbiased estimate n / (n - 1) (1 - sum p^2) of the heterozygosity (Nei 1978, eq. 1); NaN for n < 2."""
    total = counts.sum(axis=-1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 1, heterozygosity(shares(counts)) * total / (total - 1.0), np.nan)


def entropy(p: Floats) -> Floats:
    """- sum p ln p, in nats, with 0 ln 0 = 0.

    >>> float(entropy(np.array([0.5, 0.5, 0.0])))
    0.6931471805599453
    """
    p = np.ascontiguousarray(p, np.float64)
    terms = np.where(p == 0.0, 0.0, -p * np.log(np.where(p == 0.0, 1.0, p)))
    return terms.sum(axis=-1)


def miller_madow(counts: Array) -> Floats:
    """Plug-in entropy + (types seen - 1) / (2 n), in nats (Miller 1955): the first-order bias removed."""
    total = counts.sum(axis=-1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return entropy(shares(counts)) + ((counts > 0).sum(axis=-1) - 1.0) / (2.0 * total)


def _xlogratio(p: Floats, q: Floats) -> Floats:
    """Terms p ln(p / q) with 0 ln 0 = 0 and infinity where q alone is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p == 0.0, np.where(np.isnan(q), np.nan, 0.0), p * (np.log(p) - np.log(q)))


def kullback_leibler(p: Floats, q: Floats) -> Floats:
    """KL(p || q) = sum p ln(p / q), in nats; infinite when q has lost a symbol that p has.

    >>> float(kullback_leibler(np.array([0.5, 0.5]), np.array([1.0, 0.0])))
    inf
    """
    return _xlogratio(np.ascontiguousarray(p), np.ascontiguousarray(q)).sum(axis=-1)


def jensen_shannon(p: Floats, q: Floats) -> Floats:
    """KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2, in nats, in [0, ln 2]: always finite."""
    p, q = np.ascontiguousarray(p), np.ascontiguousarray(q)
    middle = 0.5 * (p + q)
    return np.maximum(0.5 * (kullback_leibler(p, middle) + kullback_leibler(q, middle)), 0.0)


def total_variation(p: Floats, q: Floats) -> Floats:
    """Half the sum of |p - q|, in [0, 1]."""
    return 0.5 * np.ascontiguousarray(np.abs(p - q)).sum(axis=-1)


def yules_k(counts: Array) -> Floats:
    """10^4 (sum f^2 - n) / n^2 (Yule 1944): rises in collapse, barely moves with n."""
    counts = np.ascontiguousarray(counts, np.float64)
    total = counts.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return 1e4 * ((counts * counts).sum(axis=-1) - total) / (total * total)


def unseen_mass(counts: Array) -> Floats:
    """Good-Turing estimate f1 / n of the probability of all types not seen; f1 types were seen once (Good 1953)."""
    with np.errstate(invalid="ignore"):
        return (counts == 1).sum(axis=-1) / counts.sum(axis=-1).astype(np.float64)


def chao1(counts: Array) -> Floats:
    """Bias-corrected lower bound on the number of types: seen + f1 (f1 - 1) / (2 (f2 + 1)) (Chao 1984, 2005)."""
    once = (counts == 1).sum(axis=-1).astype(np.float64)
    twice = (counts == 2).sum(axis=-1)
    return (counts > 0).sum(axis=-1) + once * (once - 1.0) / (2.0 * (twice + 1.0))


def hapax_share(counts: Array) -> Floats:
    """Types seen once / types seen."""
    with np.errstate(invalid="ignore"):
        return (counts == 1).sum(axis=-1) / (counts > 0).sum(axis=-1).astype(np.float64)


@jit()
def _zipf_likelihood(ordered, logs, exponent):  # type: ignore[no-untyped-def]
    """Root of the score of a Zipf law over ranks 1 .. K for one descending row: Newton kept inside a bracket."""
    k = 0
    total = wanted = 0.0
    while k < ordered.size and ordered[k] > 0:
        total += ordered[k]
        wanted += ordered[k] * logs[k]
        k += 1
    if k < 2:
        return np.nan
    wanted /= total
    low, high = -64.0, 64.0
    s = exponent
    for _ in range(200):
        mass = first = square = 0.0
        for j in range(k):
            w = np.exp(-s * logs[j])
            mass += w
            first += w * logs[j]
            square += w * logs[j] * logs[j]
        first /= mass
        gap = first - wanted
        if gap > 0.0:
            low = s
        else:
            high = s
        step = gap / (square / mass - first * first)
        new = s + step
        if not (low < new < high):
            new = 0.5 * (low + high)
        if abs(new - s) <= 1e-13 * max(1.0, abs(s)):
            return new
        s = new
    return s


@jit()
def _zipf_line(ordered, logs):  # type: ignore[no-untyped-def]
    """Minus the least-squares slope of log share on log rank for one descending row."""
    k = 0
    while k < ordered.size and ordered[k] > 0:
        k += 1
    if k < 2:
        return np.nan
    x = y = 0.0
    for j in range(k):
        x += logs[j]
        y += np.log(ordered[j])
    x /= k
    y /= k
    cross = spread = 0.0
    for j in range(k):
        cross += (logs[j] - x) * (np.log(ordered[j]) - y)
        spread += (logs[j] - x) ** 2
    return -cross / spread


def zipf_exponent(weights: Array, method: str = "likelihood") -> Floats:
    """The exponent s of p ~ rank^-s fitted to counts or probabilities (..., V); NaN for fewer than two types.

    Types without weight are left out and the K others ranked by weight. ``likelihood``: maximum likelihood of
    p_k = k^-s / sum_j j^-s over k = 1 .. K, whose score is E_s ln k = observed mean of ln k. ``ranks``: minus the
    least-squares slope of ln weight on ln rank, which gives every rare type the same say. Ranking by the same
    counts that are fitted biases both, upwards for flat laws and downwards for steep ones with types missing
    (Piantadosi 2014, doi:10.3758/s13423-014-0585-6): compare equal n only. All-equal weights give 0.

    >>> round(float(zipf_exponent(1.0 / np.arange(1, 101) ** 1.3)), 6)
    1.3
    """
    weights = np.asarray(weights, np.float64)
    ordered = -np.sort(-weights, axis=-1)
    rows = ordered.reshape(-1, ordered.shape[-1])
    logs = np.log(np.arange(1, rows.shape[1] + 1, dtype=np.float64))
    fitted = [_zipf_likelihood(row, logs, 1.0) if method == "likelihood" else _zipf_line(row, logs) for row in rows]
    return np.array(fitted, np.float64).reshape(weights.shape[:-1])
