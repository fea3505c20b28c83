"""Sums of n independent whole numbers of one law: exact tails by Fourier transforms, however small."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from remission.numerics.arrays import Floats, Integers
from remission.numerics.jit import jit

_REACH = 14.0  # standard deviations on either side of the mean that a transform holds
_STEP = 4.0  # standard deviations of a tilted sum between the means of neighbouring tilts
_TILTS = 1500  # at which the moments of tilted laws are known
_SURE = 1e-13  # the largest tilt leaves so much outside the largest score
_MISSED = 0.25  # of n scores a tilt leaves so many outside it at least, so that totals near the top are not too rare
_NOISE = 1e-15  # what transforms leave where nothing is, in parts of the largest


class Lattice:
    """The law of one score: P(score = i) = ``mass[i]``, i = 0 .. M.

    The tail of a sum is read from the law tilted by exp(theta i) whose mean lies near the total, where the transform
    is exact to about 14 digits: P(sum >= s) = m(theta)^n exp(-theta s) T(s) with T(s) = sum over k >= s of
    exp(-theta (k - s)) q(k), q the law of the sum of tilted scores and m the moment generating function. Tilts form a grid
    on which neighbouring means are 4 of their own standard deviations apart; tails are kept for each n and tilt.
    """

    def __init__(self, mass: Floats) -> None:
        held = np.flatnonzero(mass > 0)
        self.mass = mass[: held[-1] + 1] / mass.sum()
        values = np.arange(self.mass.size)
        self.mean = float(self.mass @ values)
        self.variance = float(self.mass @ (values - self.mean) ** 2)
        self._tails = lru_cache(maxsize=16)(self._tail)  # each some 100 kB, and every key has a law
        self._theta, self._means, self._way, self._missed = self._grid()

    def log_tail(self, n: Integers, total: Integers) -> Floats:
        """The natural logarithm of P(sum of n scores >= total), elementwise."""
        out = np.zeros(n.size)
        top = self.mass.size - 1
        out[total > n * top] = -np.inf
        inside = np.flatnonzero((total > 0) & (total <= n * top) & (n > 0))
        way = np.interp(total[inside] / n[inside], self._means, self._way)
        step = np.zeros(n.size, np.int64)
        step[inside] = np.floor(way * np.sqrt(n[inside]) / _STEP + 0.5)
        order = inside[np.lexsort((step[inside], n[inside]))]
        changes = np.flatnonzero((np.diff(n[order]) != 0) | (np.diff(step[order]) != 0)) + 1
        for chosen in np.split(order, changes) if order.size else []:
            start, theta, whole, tail = self._tails(int(n[chosen[0]]), int(step[chosen[0]]))
            place = np.clip(total[chosen] - start, 0, tail.size - 1)
            out[chosen] = np.minimum(0.0, whole - theta * (start + place) + np.log(tail[place]))
        return out

    def _grid(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Tilts, the means they give, how many standard deviations of a score the way there is, and what is not at the top."""
        last = 1.0
        while self._tilted(last)[1][-1] < 1 - _SURE and last < 700:
            last *= 2
        scale = 1 / math.sqrt(max(self.variance, 1e-300))
        theta = scale * np.expm1(np.linspace(0.0, math.log1p(last / scale), _TILTS))
        values = np.arange(self.mass.size)
        with np.errstate(divide="ignore"):
            power = np.log(self.mass) + theta[:, None] * values
        laws = np.exp(power - power.max(axis=1, keepdims=True))
        laws /= laws.sum(axis=1, keepdims=True)
        below = values[-1] - values  # from above, so that the last digits are right where little is left below the top
        gaps = laws @ below
        spread = np.sqrt(laws @ below**2.0 - gaps**2)
        steps = np.diff(theta) * (spread[1:] + spread[:-1]) / 2
        return theta, values[-1] - gaps, np.concatenate([[0.0], np.cumsum(steps)]), laws[:, :-1].sum(axis=1)

    def _tilted(self, theta: float) -> tuple[float, Floats]:
        """The logarithm of m(theta), and the law of one tilted score."""
        with np.errstate(divide="ignore"):
            power = np.log(self.mass) + theta * np.arange(self.mass.size)
        best = power.max()
        whole = np.exp(power - best)
        return float(best + math.log(whole.sum())), whole / whole.sum()

    def _tail(self, n: int, step: int) -> tuple[int, float, float, Floats]:
        """Where the kept part begins, theta, n log m(theta), and T(start + i)."""
        top = self.mass.size - 1
        values = np.arange(top + 1)
        theta = float(np.interp(step * _STEP / math.sqrt(n), self._way, self._theta))
        theta = min(theta, float(np.interp(-_MISSED / n, -self._missed, self._theta)))
        log_m, law = self._tilted(theta)
        mean = float(law @ values)
        spread = math.sqrt(max(float(law @ (values - mean) ** 2), 1e-12))
        half = int(_REACH * spread * math.sqrt(n)) + top + 2
        size = _even(2 * half)
        start = max(0, round(n * mean) - half)
        if n * top + 1 <= size:
            start = 0
        waves = np.fft.rfft(np.bincount(values % size, weights=law, minlength=size))
        kept = np.abs(waves) > math.exp(-100 / n)  # the others leave nothing
        waves = np.where(kept, waves, 0.0)
        waves[kept] **= n
        sums = np.maximum(np.roll(np.fft.irfft(waves, size), -(start % size)), 0.0)[: n * top + 1 - start]
        sums[sums < _NOISE * sums.max()] = 0.0
        _fold(sums, math.exp(-theta))
        return start, theta, n * log_m, np.maximum(sums, 1e-300)


@jit()
def _fold(q, factor):  # type: ignore[no-untyped-def]
    """Add to each number what follows, each step times a factor: sums of falling terms, of which none underflows."""
    for i in range(q.size - 2, -1, -1):
        q[i] += factor * q[i + 1]


def _even(size: int) -> int:
    """The next size that is quick to transform: a power of two, or three quarters of one."""
    power = 1 << (size - 1).bit_length()
    return 3 * power // 4 if 3 * power // 4 >= size else power
