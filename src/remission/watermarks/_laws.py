"""Laws of sums of scores without a key."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from remission.numerics import survival
from remission.numerics.arrays import Floats, Integers
from remission.numerics.lattice import Lattice
from remission.watermarking import Law

_LN10 = math.log(10)


@dataclass(frozen=True)
class Shares(Law):
    """n scores of 0 or 1, each 1 with probability ``green`` / ``size``.

    Drawn with replacement the sum is binomial. Without (``distinct``: each score belongs to another token of one list) it
    is hypergeometric.
    """

    green: int
    size: int
    distinct: bool = False

    def log10_tail(self, n: Integers, total: Floats) -> Floats:
        """Exact."""
        hits = np.rint(total).astype(np.int64)
        if self.distinct:
            return survival.log_hypergeometric_tail(n, hits, self.size, self.green) / _LN10
        return survival.log_binomial_tail(n, hits, self.mean) / _LN10

    def tilt(self, mean: Floats) -> tuple[Floats, Floats]:
        """Another coin; a mean of 1 is taken as just below."""
        p, x = self.mean, np.minimum(mean, 1 - 1e-12)
        return np.log(x / (1 - x)) - np.log(p / (1 - p)), np.log((1 - p) / (1 - x))

    @property
    def mean(self) -> float:
        """Share of green tokens."""
        return self.green / self.size

    @property
    def variance(self) -> float:
        """Of a coin."""
        return self.mean * (1 - self.mean)


@dataclass(frozen=True)
class Exponentials(Law):
    """n scores, each a sum of exponentials of these means: Gamma for one, the exact sum of two Gammas for two."""

    scales: tuple[float, float] = (1.0, 0.0)

    def log10_tail(self, n: Integers, total: Floats) -> Floats:
        """Exact for one scale; by quadrature to 9 digits for two."""
        return survival.log_gamma_tail(n, total, self.scales) / _LN10

    def tilt(self, mean: Floats) -> tuple[Floats, Floats]:
        """Another scale, of the Gamma with the same two moments (exact for one scale)."""
        return (1 - self.mean / mean) * self.mean / self.variance, np.log(
            mean / self.mean
        ) * self.mean**2 / self.variance

    @property
    def mean(self) -> float:
        """Sum of the scales."""
        return sum(self.scales)

    @property
    def variance(self) -> float:
        """Sum of their squares."""
        return sum(scale**2 for scale in self.scales)


class Whole(Law):
    """n scores that are whole numbers of one law."""

    def __init__(self, mass: Floats) -> None:
        self.lattice = Lattice(mass)

    def log10_tail(self, n: Integers, total: Floats) -> Floats:
        """Exact, by Fourier transforms."""
        return self.lattice.log_tail(n, np.rint(total).astype(np.int64)) / _LN10

    def tilt(self, mean: Floats) -> tuple[Floats, Floats]:
        """As if scores were normal, which many small steps nearly are."""
        theta = (mean - self.mean) / self.variance
        return theta, theta * self.mean + theta**2 * self.variance / 2

    @property
    def mean(self) -> float:
        """Of the law."""
        return self.lattice.mean

    @property
    def variance(self) -> float:
        """Of the law."""
        return self.lattice.variance
