"""Quantiles of a studentised difference of means whose noise is neither normal nor of many degrees of freedom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_MOST = 1.0  # of the standardised third moments: sums over units have no more, and expansions are not for more


@dataclass(frozen=True)
class Shape:
    r"""What an expansion needs to know of T = D / sqrt(V), D a sum of independent parts and V its estimated variance.

    Attributes:
        third: third cumulant of D / V^1.5.
        shared: covariance of D and V / V^1.5; equal to ``third`` where every part's variance is that of its own items, and 0
            for parts whose variance is known.
        freedom: degrees of freedom of V.
    """

    third: float = 0.0
    shared: float = 0.0
    freedom: float = math.inf

    def reach(self, level: float, upper: bool) -> float:
        r"""How many standard errors the estimate may lie above the truth (``upper``), or below it, at most; positive.

        To the first order in the noise, P(T <= x) = Phi(x + a / 2 - (k - 3 a) (x^2 - 1) / 6) with k the third cumulant and a
        what D and V share, for then T has the mean - a / 2 and the third cumulant k - 3 a. For one studentised mean, where
        a = k, that is the expansion of Hall (The Bootstrap and Edgeworth Expansion, Springer 1992). The cubic term of
        Hall (J. R. Stat. Soc. B 54, 221, 1992) makes the argument monotone, so that it can be inverted at Student's
        quantile.

        >>> Shape().reach(0.95, True)
        1.959963984540054
        >>> few = Shape(-0.2, -0.2, 40)
        >>> [round(few.reach(0.95, upper), 2) for upper in (True, False)]
        [2.43, 1.77]
        """
        from scipy.special import ndtri, stdtrit

        tail = 0.5 + level / 2
        y = float(stdtrit(max(self.freedom, 1.0), tail) if math.isfinite(self.freedom) else ndtri(tail))
        y = y if upper else -y
        third, shared = (min(max(one, -_MOST), _MOST) for one in (self.third, self.shared))
        shift, bend = third / 6, (3 * shared - third) / 6
        y = (float(np.cbrt(1 + 3 * bend * (y - shift))) - 1) / bend if abs(bend) > 1e-9 else y - shift
        return max(y if upper else -y, 0.0)


def freedom(parts: Sequence[tuple[float, float]]) -> float:
    """Degrees of freedom of a sum of estimated variances, given as (variance, its degrees of freedom).

    Satterthwaite, Biometrics Bulletin 2, 110 (1946).
    """
    total = sum(variance for variance, _ in parts)
    noise = sum(variance**2 / max(own, 1.0) for variance, own in parts)
    return total**2 / noise if noise > 0 else math.inf
