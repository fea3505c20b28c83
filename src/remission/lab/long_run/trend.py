"""Where a series over generations goes: trends over doublings, the return rate, and whether it settles.

Replicates are independent, generations are not: every interval is over replicates (t, order statistics, or a bootstrap
that draws whole replicates), so no assumption on the memory of a trajectory enters.

The trend is read from the means over the last three dyadic windows, (T/8, T/4], (T/4, T/2] and (T/2, T]. For
y = a + b t^p both steps between them have the ratio 2^p, and p -> 0 is logarithmic growth: p < 0 converges, p >= 0
does not. p = -1 is what accumulating data does, minus infinity what an exponential relaxation ends in.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from remission.data import Floats
from remission.estimate import Estimate, mean_interval, mean_is_estimable, median_interval

SPAN = 3.0  # positive values that span more than this factor are followed on the logarithmic scale
STRICT = 0.99  # the level at which movement and memory are believed: one false alarm in a hundred
DRAWS = 1000
STEEPEST = 8.0  # exponents are cut off here: steps of opposite sign have none

Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Trend:
    """How a series moves on one scale.

    Attributes:
        scale: ``linear``, or ``log``: the natural logarithm of the values.
        of: ``mean`` or ``median`` over replicates.
        level: over the last half of the generations.
        step: last half minus the quarter before it.
        exponent: p of b t^p; NaN when neither step differs from 0.
        earlier: the same one doubling earlier; NaN for short series.
        limit: where it ends if the steps go on shrinking as they do; the level itself when it does not move.
        remaining: ``limit`` minus the centre of the last generations.
        pull: kappa in E(y_{t+1} - y_t) = -kappa (y_t - y*), over all replicates and the later three quarters.
        memory: phi, the share of a deviation from the other replicates that is left one generation later.
        loss: the level minus the centre of the first generation.
        generations: T.
    """

    scale: Scale
    of: str
    level: Estimate
    step: Estimate
    exponent: Estimate
    earlier: Estimate
    limit: Estimate
    remaining: Estimate
    pull: Estimate
    memory: Estimate
    loss: float
    generations: int

    @property
    def moves(self) -> bool:
        """Whether the step is not 0, at the strict level."""
        return self.step.low > 0 or self.step.high < 0


def wants_log(values: Floats) -> bool:
    """Whether positive values span so much, over replicates and the later generations, that factors say more.

    >>> wants_log(np.exp(np.linspace(0, -9, 40))[None]), wants_log(np.linspace(1, 2, 40)[None])
    (True, False)
    """
    late = values[:, values.shape[1] // 8 :]
    if not ((values > 0) & np.isfinite(values)).all():
        return False
    low, high = np.quantile(late, [0.05, 0.95])
    return bool(high > SPAN * low)


def windows(values: Floats, count: int = 3) -> Floats:
    """Means over the last dyadic windows of each replicate, (R, T) -> (R, count), the latest last."""
    total = values.shape[1]
    cuts = [round(total / 2**k) for k in range(count, -1, -1)]
    return np.stack([values[:, a:b].mean(axis=1) for a, b in itertools.pairwise(cuts)], axis=1)


def trend(values: Floats, scale: Scale, level: float = 0.95) -> Trend:
    """The trend of finite values (R, T), R >= 4 and T >= 16, positive for ``log``."""
    series = np.log(values) if scale == "log" else values
    blocks = windows(series, 4 if series.shape[1] >= 32 else 3)
    late = blocks[:, -3:]
    means = all(mean_is_estimable(column) for column in (*late.T, late[:, 2] - late[:, 1]))
    pick = _multinomial(len(series))
    centres = _centres(late, pick, means)
    point = _centre(late, means)
    step = (mean_interval if means else median_interval)(late[:, 2] - late[:, 1], STRICT)
    level_now = (mean_interval if means else median_interval)(late[:, 2], level)
    limit, remaining = _limits(point, centres, step, level_now, level)
    earlier = nothing(level)
    if blocks.shape[1] == 4:
        before = blocks[:, :3]
        earlier = _exponent(_centre(before, means), _centres(before, pick, means), level)
    return Trend(
        scale, "mean" if means else "median", level_now, step, _exponent(point, centres, level), earlier, limit,
        remaining, _pull(series, pick), _memory(series, pick, level), level_now.value - float(_centre(series[:, :1], means)[0]),
        series.shape[1],
    )  # fmt: skip


def nothing(level: float) -> Estimate:
    """No value."""
    return Estimate(math.nan, math.nan, math.nan, level, "none", 0)


def _multinomial(replicates: int) -> Floats:
    """Bootstrap weights, (DRAWS, R); the same ones at every call."""
    rng = np.random.default_rng(replicates)
    return rng.multinomial(replicates, np.full(replicates, 1 / replicates), DRAWS).astype(np.float64)


def _centre(blocks: Floats, means: bool) -> Floats:
    return np.asarray(blocks.mean(axis=0) if means else np.median(blocks, axis=0))


def _centres(blocks: Floats, pick: Floats, means: bool) -> Floats:
    """The centre of every bootstrap sample, (DRAWS, windows)."""
    if means:
        return np.asarray(pick @ blocks / len(blocks))
    order = np.argsort(blocks, axis=0)
    out = np.empty((len(pick), blocks.shape[1]))
    for column in range(blocks.shape[1]):
        weights = np.cumsum(pick[:, order[:, column]], axis=1)
        place = (weights >= len(blocks) / 2).argmax(axis=1)
        out[:, column] = blocks[order[place, column], column]
    return out


def _exponent(point: Floats, centres: Floats, level: float) -> Estimate:
    """log2 of the ratio of the two steps: steps against the later one count as none."""
    sign = math.copysign(1.0, point[2] - point[1])

    def of(blocks: Floats) -> Floats:
        first, second = sign * (blocks[..., 1] - blocks[..., 0]), sign * (blocks[..., 2] - blocks[..., 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log2(second / first)
        ratio = np.where(second <= 0, -STEEPEST, np.where(first <= 0, STEEPEST, ratio))
        return np.asarray(np.clip(ratio, -STEEPEST, STEEPEST))

    if point[2] == point[1] or not np.isfinite(point).all():
        return nothing(level)
    low, high = np.quantile(of(centres), [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(float(of(point)), float(low), float(high), level, "bootstrap", len(centres))


def _limits(point: Floats, centres: Floats, step: Estimate, now: Estimate, level: float) -> tuple[Estimate, Estimate]:
    """Sum the geometric series of steps; where nothing moves, the level is the limit."""
    still = step.low <= 0 <= step.high
    zero = Estimate(0.0, step.low, step.high, STRICT, step.method, step.n)
    if still or math.isnan(step.low):
        return now, zero

    def rest(blocks: Floats) -> Floats:
        second = blocks[..., 2] - blocks[..., 1]
        first = blocks[..., 1] - blocks[..., 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = second / first
            # the steps to come, less the half of the next one that the last window already holds on average
            more = second * ratio / (1 - ratio)
        return np.asarray(np.where(ratio >= 1, np.sign(second) * np.inf, np.where(ratio <= 0, 0.0, more)))

    def ends(values: Floats) -> tuple[float, float]:
        low, high = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2], method="closest_observation")
        return float(low), float(high)

    value, drawn = float(rest(point)), rest(centres)
    limit = Estimate(float(point[2]) + value, *ends(centres[:, 2] + drawn), level, "extrapolated", len(centres))
    return limit, Estimate(value, *ends(drawn), level, "extrapolated", len(centres))


def _pull(series: Floats, pick: Floats) -> Estimate:
    """Regression of y_{t+1} - y_t on y_t with y_{t-1} as instrument, so that noise of the measurement does no harm."""
    late = series[:, series.shape[1] // 4 :]
    before, here, gain = late[:, :-2], late[:, 1:-1], late[:, 2:] - late[:, 1:-1]
    sums = np.stack(
        [part.sum(axis=1) for part in (np.ones_like(here), before, here, gain, before * here, before * gain)], axis=1
    )

    def of(total: Floats) -> Floats:
        n, x, y, w, xy, xw = np.moveaxis(total, -1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(-(xw - x * w / n) / (xy - x * y / n))

    return _spread(of, sums, pick, STRICT)


def _memory(series: Floats, pick: Floats, level: float) -> Estimate:
    """Ratio of the covariances at lags 2 and 1 of deviations from the mean over replicates (noise has no part in it)."""
    late = series[:, series.shape[1] // 2 :]
    rest = late - late.mean(axis=0)
    sums = np.stack([(rest[:, :-2] * rest[:, 1:-1]).sum(axis=1), (rest[:, :-2] * rest[:, 2:]).sum(axis=1)], axis=1)

    def of(total: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(total[..., 1] / total[..., 0])

    found = _spread(of, sums, pick, level)
    first = _spread(lambda total: np.asarray(total[..., 0]), sums, pick, level)
    scale = (rest * rest).sum() / max(1, late.shape[1])
    if not first.low > 1e-12 * scale:  # no memory at all, or nothing varies
        return Estimate(0.0, 0.0, 0.0, level, "none", len(series)) if scale > 0 else nothing(level)
    return found


def _spread(of: Any, sums: Floats, pick: Floats, level: float) -> Estimate:
    drawn = of(pick @ sums)
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size < DRAWS // 2:
        return nothing(level)
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(float(of(sums.sum(axis=0))), float(low), float(high), level, "bootstrap", len(sums))
