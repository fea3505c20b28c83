"""Sums of n independent whole numbers of one law: exact tails by Fourier transforms, however small."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from remission.numerics.arrays import Floats, Integers

_REACH = 14.0  # standard deviations on either side of the mean that a transform holds
_STEP = 4.0  # standard deviations between the means of neighbouring tilted laws


class Lattice:
    """The law of one score: P(score = i) = ``mass[i]``, i = 0 .. M.

    The tail of a sum is read from the law tilted by exp(theta i) whose mean lies near the total, where the transform
    is exact to about 14 digits: P(sum >= s) = m(theta)^n sum over k >= s of exp(-theta k) q(k), with q the law of the sum
    of tilted scores and m the moment generating function. Tails are kept for each n and each of a grid of theta.
    """

    def __init__(self, mass: Floats) -> None:
        self.mass = mass / mass.sum()
        values = np.arange(mass.size)
        self.mean = float(self.mass @ values)
        self.variance = float(self.mass @ (values - self.mean) ** 2)
        self._tails = lru_cache(maxsize=256)(self._tail)

    def log_tail(self, n: Integers, total: Integers) -> Floats:
        """The natural logarithm of P(sum of n scores >= total), elementwise."""
        out = np.zeros(n.size)
        top = self.mass.size - 1
        out[total > n * top] = -np.inf
        inside = np.flatnonzero((total > 0) & (total <= n * top) & (n > 0))
        spread = np.sqrt(np.maximum(n, 1) * self.variance)
        step = np.floor((total - n * self.mean) / (_STEP * spread) + 0.5).clip(0).astype(np.int64)
        order = inside[np.lexsort((step[inside], n[inside]))]
        changes = np.flatnonzero((np.diff(n[order]) != 0) | (np.diff(step[order]) != 0)) + 1
        for chosen in np.split(order, changes) if order.size else []:
            start, tail = self._tails(int(n[chosen[0]]), int(step[chosen[0]]))
            place = np.clip(total[chosen] - start, 0, tail.size - 1)
            out[chosen] = np.minimum(0.0, tail[place])
        return out

    def _theta(self, mean: float) -> float:
        """The tilt that gives a score this mean."""
        values = np.arange(self.mass.size)
        low, high = 0.0, 1.0
        while self._tilted(high)[1] @ values < mean and high < 700:
            low, high = high, 2 * high
        for _ in range(60):
            middle = (low + high) / 2
            if self._tilted(middle)[1] @ values < mean:
                low = middle
            else:
                high = middle
        return low

    def _tilted(self, theta: float) -> tuple[float, Floats]:
        """The logarithm of m(theta), and the law of one tilted score."""
        held = self.mass > 0
        power = np.where(held, np.log(np.where(held, self.mass, 1.0)) + theta * np.arange(self.mass.size), -np.inf)
        best = power.max()
        whole = np.exp(power - best)
        return float(best + math.log(whole.sum())), whole / whole.sum()

    def _tail(self, n: int, shift: int) -> tuple[int, Floats]:
        """Where the kept tail begins, and log P(sum >= start + i)."""
        top = self.mass.size - 1
        values = np.arange(top + 1)
        wanted = self.mean + shift * _STEP * math.sqrt(self.variance / n)
        theta = self._theta(min(wanted, top - 0.25 * (top - self.mean) / n)) if shift else 0.0
        log_m, law = self._tilted(theta)
        mean = float(law @ values)
        spread = math.sqrt(max(float(law @ (values - mean) ** 2), 1e-12))
        half = int(_REACH * spread * math.sqrt(n)) + top + 2
        size = _even(2 * half)
        start = max(0, round(n * mean) - half)
        if n * top + 1 <= size:
            start = 0
        folded = np.bincount(values % size, weights=law, minlength=size)
        whole = np.fft.irfft(np.fft.rfft(folded) ** n, size)
        sums = np.maximum(np.roll(whole, -(start % size)), 0.0)
        end = min(size, n * top + 1 - start)
        places = start + np.arange(end)
        with np.errstate(divide="ignore"):
            terms = np.log(sums[:end]) - theta * (places - places[0])
        terms[sums[:end] < 1e-17 * sums.max()] = -np.inf  # what rounding left
        largest = np.maximum.accumulate(terms[::-1])[::-1]
        best = terms.max()
        tail = np.log(np.maximum(np.cumsum(np.exp(terms - best)[::-1])[::-1], 1e-300)) + best
        tail = np.where(np.isfinite(largest), tail, tail[np.isfinite(largest)].min())
        return start, tail + n * log_m - theta * places[0]


def _even(size: int) -> int:
    """The next size that is quick to transform: a power of two, or three quarters of one."""
    power = 1 << (size - 1).bit_length()
    return 3 * power // 4 if 3 * power // 4 >= size else power
