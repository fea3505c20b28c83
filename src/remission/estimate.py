"""Numbers with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with an interval that covers the truth with probability ``level``."""

    value: float
    low: float
    high: float
    level: float
    method: str
    n: int

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "value": self.value, "low": self.low, "high": self.high,
            "level": self.level, "method": self.method, "n": self.n,
        }  # fmt: skip


def mean_interval(values: Floats, level: float = 0.95) -> Estimate:
    """Mean over independent replicates with Student's t interval. Shape (n,), NaN ignored.

    Not for heavy tails: ask :func:`mean_is_estimable` first.
    """
    from scipy.special import stdtrit

    values = values[~np.isnan(values)]
    n = values.size
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, level, "t", 0)
    centre = float(values.mean())
    if n == 1:
        return Estimate(centre, math.nan, math.nan, level, "t", 1)
    half = float(stdtrit(n - 1, 0.5 + level / 2) * values.std(ddof=1) / math.sqrt(n))
    return Estimate(centre, centre - half, centre + half, level, "t", n)


def median_interval(values: Floats, level: float = 0.95) -> Estimate:
    """Median with the distribution-free interval between order statistics (binomial). Shape (n,), NaN ignored.

    The interval is exact or conservative for continuous values; with fewer than 6 values (at 95 %) no
    order statistics suffice and the ends are NaN.
    """
    from scipy.special import bdtr

    values = np.sort(values[~np.isnan(values)])
    n = values.size
    centre = float(np.median(values)) if n else math.nan
    ranks = np.arange(n // 2)
    below = bdtr(ranks, n, 0.5) if n else np.empty(0)
    usable = np.flatnonzero(below <= (1 - level) / 2)
    if usable.size == 0:
        return Estimate(centre, math.nan, math.nan, level, "order-statistics", n)
    k = int(usable[-1])
    return Estimate(centre, float(values[k]), float(values[n - 1 - k]), level, "order-statistics", n)


def mean_is_estimable(values: Floats, tolerance: float = 0.45) -> bool:
    """Whether the mean over these replicates can be believed.

    In *replace*, ratios are close to log-normal with a variance that grows with the generation (THEORY, G5): the
    mean is then carried by runs nobody has seen. With s2 the mean squared logarithm above the median (the variance of
    the logarithms, if they are symmetric; only the upper tail matters), the relative standard error of the mean of n
    such values is sqrt((exp(s2) - 1) / n); the mean is refused when that exceeds ``tolerance``. Values with zeros or
    both signs are judged by the share of the absolute deviations that the largest one carries.

    >>> import numpy as np
    >>> wide = np.exp(3 * np.random.default_rng(0).standard_normal(200))
    >>> mean_is_estimable(wide), mean_is_estimable(np.log(wide))
    (False, True)
    """
    values = values[np.isfinite(values)]
    n = values.size
    if n < 8:
        return True
    if (values > 0).all():
        logs = np.log(values)
        above = logs[logs >= np.median(logs)] - np.median(logs)
        spread = float((above**2).mean())
        return spread < 700 and math.expm1(spread) / n <= tolerance**2
    gap = np.abs(values - np.median(values))
    total = float(gap.sum())
    return total == 0.0 or float(gap.max()) / total <= max(0.5, 8.0 / n)
