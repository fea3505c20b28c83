"""Intervals of what a rule leaves, by inverting a test; and their sums over cells that share calibration items."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from remission.calibration.moments import Mean
from remission.calibration.skewness import Shape, freedom
from remission.clinic.curation._mixture import Mixture
from remission.clinic.curation._moments import mean_weight
from remission.clinic.curation.cells import Kind
from remission.numerics.arrays import Floats

_STEPS = 400
_NEWTON = 6
_SHAPES = 3  # rounds between an end and the shape of the noise there


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of a cell and a rule: share pi, and the mean weights sigma and eta of synthetic items and humans."""

    mixture: Mixture
    sigma: Mean
    eta: Mean
    correlations: tuple[float, float]  # of g and weight, over synthetic items and over humans
    weights: tuple[Floats, Floats]
    kind: Kind

    @classmethod
    def of(cls, mixture: Mixture, kind: Kind, weights: tuple[Floats, Floats]) -> Seen:
        """From the weights that the rule gives the synthetic items and the humans of the calibration."""
        assert kind.synthetic is not None
        sigma, eta = mean_weight(kind.synthetic, weights[0]), mean_weight(kind.human, weights[1])
        pairs = (
            _correlation(kind.synthetic.units, kind.synthetic.weight, mixture.g_synthetic, weights[0]),
            _correlation(kind.human.units, kind.human.weight, mixture.g_human, weights[1]),
        )
        return cls(mixture, sigma, eta, pairs, weights, kind)

    @property
    def selects(self) -> bool:
        """Whether the rule makes a difference at all: a constant weight is known exactly."""
        both = np.concatenate(self.weights)
        return bool((both != both[0]).any())

    @property
    def point(self) -> Floats:
        """(3,) pi, not cut, sigma, eta."""
        return np.array([self.mixture.share, self.sigma.value, self.eta.value])

    def covariance(self, at: Floats) -> Floats:
        """Of the point where it really is (n, 3): (n, 3, 3)."""
        pi, sigma, eta = at.T
        out = np.zeros((at.shape[0], 3, 3))
        out[:, 0, 0] = np.minimum(self.mixture.variance(pi), 1e12)
        out[:, 1, 1] = _variance(self.sigma, sigma)
        out[:, 2, 2] = _variance(self.eta, eta)
        gap = self.mixture.gap
        if gap:
            # pi - its true value is (t - (1 - pi) h - pi s) / gap, so a high mean of g in a calibration sample lowers it
            with_sigma = -pi * math.sqrt(self.mixture.synthetic.variance) / gap * self.correlations[0]
            with_eta = -(1 - pi) * math.sqrt(self.mixture.human.variance) / gap * self.correlations[1]
            out[:, 0, 1] = out[:, 1, 0] = with_sigma * np.sqrt(out[:, 1, 1])
            out[:, 0, 2] = out[:, 2, 0] = with_eta * np.sqrt(out[:, 2, 2])
        return out

    def influence(self, gradient: Floats, pi: float) -> tuple[Floats, Floats]:
        """What each unit of the calibration, humans and synthetic items, adds to a quantity with that gradient (3,) at a share."""
        m = self.mixture
        pull = gradient[0] / m.gap if m.gap else 0.0
        of_human = -pull * (1 - pi) * (m.g_human - m.human.value) + gradient[2] * (self.weights[1] - self.eta.value)
        of_synthetic = -pull * pi * (m.g_synthetic - m.synthetic.value) + gradient[1] * (
            self.weights[0] - self.sigma.value
        )
        return self._totals(of_human, of_synthetic)

    def _totals(self, of_human: Floats, of_synthetic: Floats) -> tuple[Floats, Floats]:
        synthetic, human = self.kind.synthetic, self.kind.human
        assert synthetic is not None
        return (
            np.bincount(human.units, human.weight / human.weight.sum() * of_human).astype(float),
            np.bincount(synthetic.units, synthetic.weight / synthetic.weight.sum() * of_synthetic).astype(float),
        )

    def shape(self, gradient: Floats, at: Floats) -> Shape:
        """Of the noise of a quantity with that gradient (3,) where the point really is (3,).

        The variance of the share is that of the calibration items at hand, and what chance does to their mean it does to that, too;
        the variances of mean weights are those of the tested ones.
        """
        m, pi = self.mixture, float(at[0])
        variance = float(gradient @ self.covariance(at[None, :])[0] @ gradient)
        if not m.gap or not 0 < variance < math.inf:
            return Shape()
        own = self.influence(gradient, pi)
        of_share = self.influence(np.array([gradient[0], 0.0, 0.0]), pi)
        h, s = m.human, m.synthetic
        c, square, cube = ((1 - pi) * getattr(h, one) + pi * getattr(s, one) for one in ("value", "square", "cube"))
        pull = gradient[0] / m.gap
        squares = self._totals(
            *((g - c) ** 2 - (one.square - 2 * c * one.value + c**2) for g, one in ((m.g_human, h), (m.g_synthetic, s)))
        )
        mix = sum(part * float(z @ y) for part, z, y in zip((1 - pi, pi), own, squares, strict=True)) * pull**2
        calibration = sum(float(z @ y**2) for z, y in zip(own, of_share, strict=True))
        third = sum(float(z @ (z * z)) for z in own) + pull**3 * (cube - 3 * c * square + 2 * c**3) / m.size**2
        known = [float(z @ z) for z in own]
        rest = max(variance - sum(known), 0.0)
        worth = freedom([(known[0], h.freedom), (known[1], s.freedom), (rest, max(m.size - 1, 1.0))])
        return Shape(third / variance**1.5, (calibration + mix / m.size) / variance**1.5, worth)


def _correlation(units: np.ndarray, weight: Floats, a: Floats, b: Floats) -> float:
    """Of two means over the same units."""
    one, other = (np.bincount(units, weight * (x - (weight @ x) / weight.sum())) for x in (a, b))
    size = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / size if size > 0 else 0.0


def _variance(found: Mean, at: Floats) -> Floats:
    """Of a mean weight where it really is, as the part of the binomial variance that the items show (all, for 0 and 1).

    One item is counted as still unseen, at the other end of 0 .. 1: rare items with an extreme weight are what a
    few hundred do not show.
    """
    binomial = found.value * (1 - found.value)
    part = min((found.spread + 1 / found.size) / binomial, 1.0) if binomial > 1e-12 else 1.0
    return part * at * (1 - at) / found.size


@dataclass(frozen=True)
class Quantity:
    """A function of pi, sigma and eta, as ``equation`` (n,) = 0 with its ``gradient`` (n, 3), both of (point (n, 3), value (n,))."""

    value: Callable[[Floats], float]
    slope: Callable[[Floats], Floats]
    equation: Callable[[Floats, Floats], Floats]
    gradient: Callable[[Floats, Floats], Floats]


def _residual(x: Floats) -> float:
    pi, sigma, eta = x
    clipped = min(max(pi, 0.0), 1.0)
    kept = clipped * sigma + (1 - clipped) * eta
    return float(pi * sigma / kept) if kept > 0 else clipped  # nothing of the calibration is kept: no news


def _residual_slope(x: Floats) -> Floats:
    pi, sigma, eta = min(max(x[0], 0.0), 1.0), x[1], x[2]
    kept = max(pi * sigma + (1 - pi) * eta, 1e-300)
    return np.array([sigma * eta, pi * (1 - pi) * eta, -pi * (1 - pi) * sigma]) / kept**2


def _stacked(*columns: Floats) -> Floats:
    return np.stack(columns, axis=1)


RESIDUAL = Quantity(  # r = pi sigma / (pi sigma + (1 - pi) eta)
    _residual,
    _residual_slope,
    lambda x, r: (1 - r) * x[:, 0] * x[:, 1] - r * (1 - x[:, 0]) * x[:, 2],
    lambda x, r: _stacked((1 - r) * x[:, 1] + r * x[:, 2], (1 - r) * x[:, 0], -r * (1 - x[:, 0])),
)
LOST = Quantity(  # share of all documents: (1 - pi) (1 - eta)
    lambda x: float((1 - min(max(x[0], 0.0), 1.0)) * (1 - x[2])),
    lambda x: np.array([-(1 - x[2]), 0.0, -(1 - min(max(x[0], 0.0), 1.0))]),
    lambda x, r: (1 - x[:, 0]) * (1 - x[:, 2]) - r,
    lambda x, r: _stacked(-(1 - x[:, 2]), np.zeros(x.shape[0]), -(1 - x[:, 0])),
)


@dataclass(frozen=True, eq=False)
class Part:
    """An interval of one cell.

    Attributes:
        value: not cut.
        low: end, within 0 .. 1.
        high: likewise.
        error: standard error of the value where it is.
        quantiles: the errors that the interval reaches down and up.
        influence: of the units of both calibration samples, unscaled by resampling factors.
    """

    value: float
    low: float
    high: float
    error: float
    quantiles: tuple[float, float]
    influence: tuple[Floats, Floats]


def inverted(seen: Seen, quantity: Quantity, level: float, high: float | None = None) -> Part:
    """All values in 0 .. 1 that a test does not reject.

    The test of a value: the distance of (pi, sigma, eta) from the nearest point that has it, in units of their covariance
    at that point, is at most the quantile (times the root of the misfit). At the nearest point, so that it holds where few items
    are kept, where few are dropped, and where the share is near 0. The quantile is that of Student with the degrees of freedom
    of unequal units, corrected for skewness, as `matched` has it. The high end may have a level of its own.
    """
    value = quantity.value(seen.point)
    middle = min(max(value, 0.0), 1.0)
    # the last points are as fine as the interval is narrow: ends are interpolated in the distance, which is nearly linear
    steps = np.linspace(0.0, 1.0, _STEPS)
    values = np.unique(np.concatenate([middle * (1 - steps**2), middle + (1 - middle) * steps**2]))
    squared, nearest = squared_distance(seen, quantity, values)
    distance, root = np.sqrt(squared), math.sqrt(seen.mixture.factor)
    ends, quantiles = [], []
    for upper in (True, False):  # the estimate lies above the low end, below the high one
        end, quantile = middle, 0.0
        for _ in range(_SHAPES):
            place = int(np.argmin(np.abs(values - end)))
            shape = seen.shape(
                quantity.gradient(nearest[place : place + 1], values[place : place + 1])[0], nearest[place]
            )
            quantile = shape.reach(level if upper or high is None else high, upper) * root
            end = _ends(values, distance, middle, quantile)[0 if upper else 1]
        ends.append(0.0 if end < 1e-12 else end)
        quantiles.append(quantile)
    slope = quantity.slope(seen.point)
    at = np.clip(seen.point, 0.0, 1.0)
    error = math.sqrt(max(float(slope @ seen.covariance(at[None, :])[0] @ slope), 0.0))
    return Part(value, ends[0], ends[1], error, (quantiles[0], quantiles[1]), seen.influence(slope, float(at[0])))


def squared_distance(seen: Seen, quantity: Quantity, values: Floats) -> tuple[Floats, Floats]:
    """Of the point from each value (n,), with the nearest point that has it (n, 3)."""
    point = np.broadcast_to(seen.point, (values.size, 3))
    start = np.clip(seen.point, 0.0, 1.0)
    if seen.selects:  # off 0 and 1, where a mean weight would have no variance to begin with
        sizes = np.array([seen.sigma.size, seen.eta.size])
        start[1:] = (start[1:] * sizes + 0.5) / (sizes + 1)
    at = np.tile(start, (values.size, 1))
    squared = np.zeros(values.size)
    for _ in range(_NEWTON):
        gradient = quantity.gradient(at, values)
        gap = quantity.equation(at, values) + (gradient * (point - at)).sum(axis=1)
        move = np.einsum("nij,nj->ni", seen.covariance(at), gradient)
        variance = np.maximum((gradient * move).sum(axis=1), 1e-300)
        squared = gap**2 / variance
        at = np.clip(point - move * (gap / variance)[:, None], 0.0, 1.0)
    return np.where(np.abs(quantity.equation(point, values)) < 1e-15, 0.0, squared), at


def _ends(values: Floats, distance: Floats, middle: float, quantile: float) -> tuple[float, float]:
    inside = distance <= quantile
    centre = int(np.searchsorted(values, middle))
    if not inside[centre]:  # the estimate lies outside 0 .. 1 by far
        return middle, middle
    down = np.flatnonzero(~inside[: centre + 1])
    up = np.flatnonzero(~inside[centre:])
    low = 0.0 if not down.size else _crossing(values, distance, int(down[-1]), int(down[-1]) + 1, quantile)
    high = 1.0 if not up.size else _crossing(values, distance, centre + int(up[0]), centre + int(up[0]) - 1, quantile)
    return low, high


def _crossing(values: Floats, distance: Floats, outside: int, inside: int, quantile: float) -> float:
    reach = distance[outside] - distance[inside]
    part = (quantile - distance[inside]) / reach if reach > 0 else 0.0
    return float(values[inside] + part * (values[outside] - values[inside]))


def combined(parts: Sequence[tuple[float, str, Part]]) -> tuple[float, float, float]:
    """Value and ends of the sum of (factor, kind, part), not cut.

    Distances to the ends are added as standard errors of dependent estimates are: cells of one kind share the error
    of its calibration, everything else is independent (Zou and Donner, Statistics in Medicine 27, 1693, 2008, with
    correlations as standard errors give them).
    """
    value = sum(factor * part.value for factor, _, part in parts)
    ends = []
    for low in (True, False):
        total = 0.0
        shared: dict[str, list[Floats]] = {}
        for factor, kind, part in parts:
            reach = factor * _reach(part, low)
            own = list(part.influence)
            calibration = sum(float(z @ z) for z in own) / part.error**2 if part.error > 0 else 0.0
            total += reach**2 * max(1 - calibration, 0.0)
            scaled = [z * reach / part.error if part.error > 0 else z * 0 for z in own]
            before = shared.get(kind)
            shared[kind] = scaled if before is None else [a + b for a, b in zip(before, scaled, strict=True)]
        total += sum(float(z @ z) for both in shared.values() for z in both)
        ends.append(math.sqrt(total))
    return value, value - ends[0], value + ends[1]


def _reach(part: Part, low: bool) -> float:
    """From the value to an end; where that is cut, as far as the standard error says."""
    wide = part.quantiles[0 if low else 1] * part.error
    if low:
        return part.value - part.low if part.low > 0 else max(part.value, wide)
    return part.high - part.value if 0 < part.high < 1 else max(min(1.0, part.high) - part.value, wide)
