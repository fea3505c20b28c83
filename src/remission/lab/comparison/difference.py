"""Differences between two sets of replicates, for many cells at once.

Arrays are (..., R): cells first, replicates last. A mean is compared by Student's t (paired) or Welch's (unpaired).
Where :func:`remission.estimate.mean_is_estimable` does not believe a mean, medians are compared: paired, the median
of the differences between order statistics (binomial, exact or conservative); unpaired, the difference of the two
medians with the distribution-free variances of Price and Bonett (2001, J. Stat. Comput. Simul. 68:295; 2002, 72:119).
A shift of location (Hodges and Lehmann) is not assumed: runs that collapse differ in shape as well as in place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from remission.data import Array, Floats, Integers

POWER = 0.8
DRAWS = 4000  # of the largest deviation over generations: the 95 % point of a band is known to about 1 %


@dataclass(frozen=True, eq=False)
class Cells:
    """Differences, other minus base, of cells of any shape S.

    Attributes:
        value: difference of means, median of differences, or difference of medians, shape S.
        se: its standard error.
        df: degrees of freedom of t; infinite where the normal law is used.
        mean: whether means are compared (else medians).
        ordered: differences in rising order (..., n) for the medians of pairs; None when unpaired.
        n: replicates compared: pairs, or those of the smaller side, shape S.
        correlation: between the two sides over pairs; NaN when unpaired.
        variance_ratio: variance of the difference over the sum of the two variances: 1 when pairing gains nothing,
            0.25 when it does the work of four times the replicates; NaN when unpaired.
    """

    value: Floats
    se: Floats
    df: Floats
    mean: Array
    ordered: Floats | None
    n: Integers
    correlation: Floats
    variance_ratio: Floats

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Both ends at a level; NaN where the replicates do not suffice."""
        half = critical_t(self.df, level) * self.se
        low, high = self.value - half, self.value + half
        if self.ordered is not None and not self.mean.all():
            ends = _order_statistics(self.ordered, level)
            low, high = np.where(self.mean, low, ends[0]), np.where(self.mean, high, ends[1])
        return low, high

    def detectable(self, level: float) -> Floats:
        """The smallest true difference that an interval at this level excludes 0 for, with 80 % power."""
        return np.asarray((critical_t(self.df, level) + critical_t(self.df, 2 * POWER - 1)) * self.se)


def critical_t(df: Floats | float, level: float) -> Floats:
    """The two-sided point of Student's t; of the normal law where df is infinite."""
    from scipy.special import ndtri, stdtrit

    df = np.asarray(df, np.float64)
    usable = np.where(np.isfinite(df) & (df > 0), df, 1.0)
    points = np.where(np.isinf(df), ndtri(0.5 + level / 2), stdtrit(usable, 0.5 + level / 2))
    return np.where(df > 0, points, np.nan)


def replicates_needed(cells: Cells, delta: Floats, level: float) -> Floats:
    """How many replicates per run call a true difference ``delta`` (of the shape of cells) clear with 80 % power.

    Standard errors shrink with the root of the replicates; infinite where ``delta`` is 0.
    """
    n, normal = np.maximum(cells.n, 1).astype(np.float64), np.isinf(cells.df)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = n * (cells.se / delta) ** 2
        wanted = np.full(size.shape, np.inf)
        for _ in range(6):  # contracts fast: the points of t hardly depend on the replicates
            df = np.where(normal, np.inf, np.maximum(1.0, cells.df * (wanted / n)))
            points = critical_t(df, level) + critical_t(df, 2 * POWER - 1)
            wanted = np.clip(size * points**2, 2.0, 1e15)
    unknown = np.isnan(cells.se) | np.isnan(delta) | (cells.n < 2)
    return np.where(unknown, np.nan, np.where(delta == 0, np.inf, np.ceil(wanted)))


def differences(base: Floats, other: Floats, paired: bool) -> Cells:
    """Compare cells (..., Rb) with (..., Ro); paired by position when ``paired`` (Rb = Ro).

    A NaN is a replicate in which nothing was measured: it, and its partner in a pair, are left out. Two equal
    infinities differ by 0.
    """
    blanks = np.isnan(base) | np.isnan(other) if paired else np.isnan(base).any(-1) | np.isnan(other).any(-1)
    if blanks.any():
        return _with_blanks(base, other, paired)
    return _paired(base, other) if paired else _unpaired(base, other)


def _paired(base: Floats, other: Floats) -> Cells:
    n = base.shape[-1]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gap = other - base
        # equal up to rounding is equal: a constant row must not differ by its last digit with no variance at all
        same = (base == other) | (np.abs(gap) <= 4e-15 * np.maximum(np.abs(base), np.abs(other)))
        gap = np.where(same, 0.0, gap)
        ordered = np.sort(gap, axis=-1)
        mean = _believed(ordered) & _believed(np.sort(base, axis=-1)) & _believed(np.sort(other, axis=-1))
        spread = gap.var(axis=-1, ddof=1) if n > 1 else np.full(gap.shape[:-1], np.nan)
        a, b = base - base.mean(axis=-1, keepdims=True), other - other.mean(axis=-1, keepdims=True)
        aa, bb, ab = (a * a).sum(-1), (b * b).sum(-1), (a * b).sum(-1)
        correlation = ab / np.sqrt(aa * bb)
        ratio = spread * (n - 1) / (aa + bb)
        value = np.where(mean, gap.mean(axis=-1), _median(ordered))
        se = np.where(mean, np.sqrt(spread / n), median_error(ordered))
    df = np.where(mean, float(n - 1), np.inf)
    return Cells(value, se, df, mean, ordered, np.full(df.shape, n), correlation, ratio)


def _unpaired(base: Floats, other: Floats) -> Cells:
    sides = np.sort(base, axis=-1), np.sort(other, axis=-1)
    na, nb = base.shape[-1], other.shape[-1]
    nothing = np.full(base.shape[:-1], np.nan)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = _believed(sides[0]) & _believed(sides[1])
        a = base.var(axis=-1, ddof=1) / na if na > 1 else nothing
        b = other.var(axis=-1, ddof=1) / nb if nb > 1 else nothing
        parts = a * a / (na - 1) + b * b / (nb - 1) if min(na, nb) > 1 else nothing
        df = np.where(parts > 0, (a + b) ** 2 / parts, float(na + nb - 2))
        middles = _median(sides[1]) - _median(sides[0])
        value = np.where(mean, other.mean(axis=-1) - base.mean(axis=-1), middles)
        rough = np.hypot(median_error(sides[0]), median_error(sides[1]))
        se = np.where(mean, np.sqrt(a + b), rough)
        tiny = 4e-15 * np.maximum(np.abs(sides[0]).max(-1), np.abs(sides[1]).max(-1))
        same = (np.abs(value) <= tiny) & (se <= tiny)
        value, se = np.where(same, 0.0, value), np.where(same, 0.0, se)
    n = np.full(df.shape, min(na, nb))
    return Cells(value, se, np.where(mean, df, np.inf), mean, None, n, nothing, nothing)


def _with_blanks(base: Floats, other: Floats, paired: bool) -> Cells:
    """Cell by cell, each with the replicates it has."""
    shape = base.shape[:-1]
    arrays = {name: np.full(shape, np.nan) for name in ("value", "se", "df", "correlation", "variance_ratio")}
    mean = np.ones(shape, bool)
    ordered = np.full(base.shape, np.nan) if paired else None
    counts = np.zeros(shape, np.int64)
    for cell in np.ndindex(shape):
        x, y = base[cell], other[cell]
        if paired:
            known = ~(np.isnan(x) | np.isnan(y))
            x, y = x[known], y[known]
        else:
            x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        if min(x.size, y.size) < 1:
            continue
        one = _paired(x, y) if paired else _unpaired(x, y)
        counts[cell] = one.n
        mean[cell] = one.mean
        for name, array in arrays.items():
            array[cell] = getattr(one, name)
        if ordered is not None and one.ordered is not None:
            ordered[cell][: x.size] = one.ordered
    return Cells(mean=mean, ordered=ordered, n=counts, **arrays)


def _believed(ordered: Floats) -> Array:
    """Whether the mean of cells in rising order exists and can be believed."""
    return np.asarray(np.isfinite(ordered[..., 0]) & np.isfinite(ordered[..., -1]) & estimable(ordered))


def estimable(ordered: Floats, tolerance: float = 0.45) -> Array:
    """:func:`remission.estimate.mean_is_estimable` for finite cells (..., n) whose values are in rising order."""
    n = ordered.shape[-1]
    if n < 8:
        return np.ones(ordered.shape[:-1], bool)
    positive = ordered[..., 0] > 0
    out = np.empty(positive.shape, bool)
    if positive.any():
        logs = np.log(ordered[positive])
        gap = logs - _median(logs)[..., None]
        above = gap >= 0
        spread = np.where(above, gap * gap, 0.0).sum(-1) / above.sum(-1)
        out[positive] = (spread < 700) & (np.expm1(np.minimum(spread, 700)) / n <= tolerance**2)
    if not positive.all():
        rest = ordered[~positive]
        gap = np.abs(rest - _median(rest)[..., None])
        total = gap.sum(-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[~positive] = (total == 0) | (gap.max(-1) / total <= max(0.5, 8.0 / n))
    return out


def _median(ordered: Floats) -> Floats:
    n = ordered.shape[-1]
    low, high = ordered[..., (n - 1) // 2], ordered[..., n // 2]
    with np.errstate(invalid="ignore"):
        return np.where(low == high, low, 0.5 * (low + high))


def median_error(ordered: Floats) -> Floats:
    """Standard error of the median (..., n) -> (...), from the width between two order statistics (Price & Bonett)."""
    from scipy.special import bdtr, ndtri

    n = ordered.shape[-1]
    if n < 5:
        return np.full(ordered.shape[:-1], np.nan)
    c = max(1, round((n + 1) / 2 - math.sqrt(n)))
    z = -float(ndtri(bdtr(c - 1, n, 0.5)))
    with np.errstate(invalid="ignore"):
        return np.asarray((ordered[..., n - c] - ordered[..., c - 1]) / (2 * z))


def _order_statistics(ordered: Floats, level: float) -> tuple[Floats, Floats]:
    """The interval of the median between order statistics; cells may end in NaN."""
    from scipy.special import bdtr

    counts = (~np.isnan(ordered)).sum(-1)
    low, high = np.full(counts.shape, np.nan), np.full(counts.shape, np.nan)
    for n in np.unique(counts):
        usable = np.flatnonzero(bdtr(np.arange(n // 2), n, 0.5) <= (1 - level) / 2) if n else np.empty(0, int)
        if usable.size:
            here, k = counts == n, int(usable[-1])
            low[here], high[here] = ordered[here][:, k], ordered[here][:, n - 1 - k]
    return low, high


def band_factor(base: Floats, other: Floats, cells: Cells, level: float) -> float:
    """How many standard errors a band over T cells needs to hold all true differences at once.

    The largest of T t statistics under random signs of the replicates' residuals, which keep the correlations between
    generations and the tails (the wild bootstrap of Wu, 1986, Ann. Statist. 14:1261, studentised). base (T, Rb),
    other (T, Ro) without NaN; cells of those, all comparing means. Never below the pointwise factor, never above
    Bonferroni's.
    """
    moving = np.flatnonzero(cells.se > 0)
    if moving.size == 0:
        return 0.0
    rng = np.random.default_rng(0)
    paired = cells.ordered is not None
    top, bottom = np.zeros((DRAWS, moving.size)), np.zeros((DRAWS, moving.size))
    for values in [other - base] if paired else [base, other]:
        n = values.shape[-1]
        rest = values[moving] - values[moving].mean(axis=-1, keepdims=True)
        means = rng.choice([-1.0, 1.0], (DRAWS, n)) @ rest.T / n
        top += means
        bottom += np.maximum((rest * rest).mean(axis=-1) - means * means, 0.0) / (n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        largest = np.nanmax(np.abs(top) / np.sqrt(bottom), axis=1)
    df = float(cells.df[moving].min())
    least = float(critical_t(df, level))
    most = float(critical_t(df, 1 - (1 - level) / moving.size))
    return min(max(float(np.quantile(largest, level, method="higher")), least), most)
