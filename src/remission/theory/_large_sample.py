"""Symbol frequencies under a deterministic map and multinomial noise, to first order in 1/n.

p_{t+1} is a multinomial sample of n around f(p_t). With m the mean and C the covariance of p,
m' = f(m) + (1/2) f''(m) : C and C' = J C J' + noise, whose next terms are of order 1/n^2 (van Kampen's expansion).
Values are given only while the first order itself is small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from remission.data import Floats
from remission.world import World

LEAST = 10_000  # items
MOST = 300  # types
LARGEST_CORRECTION = 0.02  # of 1 - sum p^2; its square bounds what is left out
LARGEST_SPREAD = 0.3  # standard deviation of p_i over p_i, for types that matter to the map


@dataclass(frozen=True)
class Step:
    """One generation: the map, its Jacobian, its second-order term, and the covariance of the noise."""

    value: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    curve: Callable[[Floats, Floats], Floats]
    noise: Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Expansion:
    """Means of 1 - sum p^2 and of max p, shape (T,), NaN where the expansion does not hold."""

    heterozygosity: Floats
    largest: Floats


def multinomial(p: Floats, n: float) -> Floats:
    """(diag p - p p') / n."""
    return (np.diag(p) - np.outer(p, p)) / n


def too_few(world: World) -> str:
    """Why the limit of many items is not reached, or the covariance not to be worked out; empty when it is."""
    n, size = round(world.recipe(1).count), world.space.size
    if n < LEAST:
        return f"{n} items are too few for the limit of many (at least {LEAST})"
    return f"{size} types are too many for their covariance (at most {MOST})" if size > MOST else ""


def expand(mean: Floats, cov: Floats, steps: Sequence[Step], smooth: bool) -> Expansion:
    """The expansion from the moments of p_1 through the steps to p_2 .. p_T.

    Args:
        mean: of p_1, shape (V,).
        cov: of p_1, shape (V, V).
        steps: of generations 2 .. T.
        smooth: whether the map is polynomial, so that rare types do not matter to its expansion.
    """
    limit = mean.copy()
    rows = np.full((len(steps) + 1, 2), np.nan)
    for t in range(len(steps) + 1):
        if t:
            step = steps[t - 1]
            slope = step.slope(mean)
            mean, cov = step.value(mean) + step.curve(mean, cov), slope @ cov @ slope.T + step.noise(mean)
            limit = step.value(limit)
        if not _holds(mean, cov, limit, smooth):
            break
        rows[t, 0] = 1.0 - mean @ mean - np.trace(cov)
        rows[t, 1] = _largest(mean, cov)
    return Expansion(rows[:, 0], rows[:, 1])


def _holds(mean: Floats, cov: Floats, limit: Floats, smooth: bool) -> bool:
    exact = float(1.0 - limit @ limit)
    corrected = float(1.0 - mean @ mean - np.trace(cov))
    if not np.isfinite(corrected) or abs(corrected - exact) > LARGEST_CORRECTION * max(exact, 1e-15):
        return False
    present = mean > 0
    return smooth or bool((np.sqrt(np.diag(cov)[present]) <= LARGEST_SPREAD * mean[present]).all())


def _largest(mean: Floats, cov: Floats) -> float:
    """Mean of the largest share, when it is certain which type has it."""
    first = int(np.argmax(mean))
    spread = np.sqrt(np.maximum(np.diag(cov) + cov[first, first] - 2 * cov[first], 0.0))
    certain = np.delete(mean[first] - mean > 6 * spread, first).all()
    return float(mean[first]) if certain else float("nan")
