"""Profile likelihood of a share that is seen through reviewers whose error rates were measured with planted items.

Three binomial counts: x of n items are certified, k of h planted human ones, j of m planted machine-written ones. With p the
human share of all, a and b the rates at which human and machine-written items are certified, the first has the rate
c = p a + (1 - p) b, and the human share of the certified is q = p a / c. The likelihood of a value of p, or of q, is the
highest one over the rates; twice its logarithm's distance from the highest of all is about chi-squared with one degree of
freedom (Wilks, Ann. Math. Stat. 9, 60, 1938).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from remission.numerics.arrays import Floats

_STEPS = np.linspace(-1.0, 1.0, 9)
_U, _V = (grid.ravel()[:, None] for grid in np.meshgrid(_STEPS, _STEPS))
_TURNS, _SHRINK = 16, 0.45
_GRID, _ZOOMS = 33, 4


@dataclass(frozen=True, eq=False)
class Seen:
    """Counts, each (g,), which need not be whole: x of n, j of m planted machine-written, k of h planted human items certified."""

    x: Floats
    n: Floats
    j: Floats
    m: Floats
    k: Floats
    h: Floats

    def likelihood(self, c: Floats, a: Floats, b: Floats) -> Floats:
        """Its logarithm up to a constant, for rates (..., g); minus infinity where they are impossible."""
        from scipy.special import xlog1py, xlogy

        with np.errstate(divide="ignore", invalid="ignore"):
            total = xlogy(self.x, c) + xlog1py(self.n - self.x, -np.minimum(c, 1.0))
            total += xlogy(self.j, b) + xlog1py(self.m - self.j, -b) + xlogy(self.k, a) + xlog1py(self.h - self.k, -a)
        return np.asarray(np.where(np.isnan(total), -np.inf, total))

    def at(self, share: Floats) -> Seen:
        """The same counts for each of these shares (g,); they must be those of one experiment."""
        return Seen(*(np.broadcast_to(one, share.shape) for one in (self.x, self.n, self.j, self.m, self.k, self.h)))


Profile = Callable[[Seen, Floats], Floats]


def of_all(seen: Seen, share: Floats) -> Floats:
    """The highest log-likelihood (g,) with these human shares of all items."""

    def rates(one: Floats, other: Floats) -> tuple[Floats, Floats, Floats]:
        return share * one + (1 - share) * other, one, other

    return _highest(seen, rates, np.full(share.shape, 0.5), np.full(share.shape, 0.5))


def among(seen: Seen, share: Floats) -> Floats:
    """The highest log-likelihood (g,) with these human shares of the certified items."""

    def rates(c: Floats, a: Floats) -> tuple[Floats, Floats, Floats]:  # b follows from (1 - q) / b = 1 / c - q / a
        with np.errstate(divide="ignore", invalid="ignore"):
            b = (1 - share) * c * a / (a - share * c)
        b = np.where(c * (1 - share) <= 0, 0.0, b)
        possible = (a >= share * c) & (b >= 0) & (b <= 1)
        return c, np.where(possible, a, np.nan), np.where(possible, b, np.nan)

    found = _highest(seen, rates, seen.x / seen.n, seen.k / seen.h)
    edges = np.where(share >= 1, of_all(seen, np.ones_like(share)), -np.inf)  # there b, or a, is free
    edges = np.where(share <= 0, of_all(seen, np.zeros_like(share)), edges)
    return np.maximum(found, edges)


def _highest(
    seen: Seen, rates: Callable[[Floats, Floats], tuple[Floats, Floats, Floats]], one: Floats, other: Floats
) -> Floats:
    """The maximum over two rates in [0, 1], by a grid that closes in on the best place."""
    best, wide, places = np.full(one.shape, -np.inf), 0.5, np.arange(one.size)
    for _ in range(_TURNS):
        ones, others = np.clip(one + wide * _U, 0, 1), np.clip(other + wide * _V, 0, 1)
        value = seen.likelihood(*rates(ones, others))
        at = np.argmax(value, axis=0)
        better = value[at, places] > best
        one, other = np.where(better, ones[at, places], one), np.where(better, others[at, places], other)
        best = np.maximum(best, value[at, places])
        wide *= _SHRINK
    return best


def highest(seen: Seen) -> Floats:
    """The highest log-likelihood of all (g,)."""
    c, b, a = seen.x / seen.n, seen.j / seen.m, seen.k / seen.h
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = (c - b) / (a - b)
    edges = [of_all(seen, np.full(c.shape, edge)) for edge in (0.0, 1.0)]
    return np.where((inside >= 0) & (inside <= 1), seen.likelihood(c, a, b), np.maximum(*edges))


def deviance(seen: Seen, share: Floats, profile: Profile) -> Floats:
    """Twice the distance of the log-likelihood of a share from the highest one (g,)."""
    return 2 * (highest(seen) - profile(seen, share))


def interval(seen: Seen, best: float, profile: Profile, most: float) -> tuple[float, float]:
    """The shares, around the best one, whose deviance is at most ``most``; ``seen`` is of one experiment (1,)."""
    top = float(highest(seen)[0])

    def holds(share: Floats) -> Floats:
        return np.asarray(2 * (top - profile(seen.at(share), share)) <= most)

    ends = []
    for edge in (0.0, 1.0):
        inner, outer = best, edge
        for _ in range(_ZOOMS):
            grid = np.linspace(inner, outer, _GRID)
            within = holds(grid)
            if within[-1]:
                inner = outer
                break
            last = max(int(np.argmin(within)) - 1, 0)  # the first one outside is behind it
            inner, outer = float(grid[last]), float(grid[last + 1])
        ends.append(inner if inner == edge else outer)
    return ends[0], ends[1]
