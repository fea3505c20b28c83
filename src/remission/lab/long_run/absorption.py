"""States that are never left: which replicates reached one, when, and how long the others will take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from remission.data import Floats
from remission.estimate import Estimate

STILL = 4  # generations that some replicate must have stayed before a boundary is taken to absorb
DRAWS = 1000


@dataclass(frozen=True)
class Absorption:
    """What became of the replicates of one row.

    Attributes:
        boundary: the value they stay at.
        absorbed: how many; ``share`` of the replicates with a Clopper-Pearson interval.
        survival: share not yet absorbed after generation 1 .. T.
        hazard: chance per generation to be absorbed, in the later half of the generations.
        time: mean number of fits until absorbed: the area under the survival curve, and for those not yet absorbed
            at T an exponential tail at the late hazard. Infinite where the hazard may be 0.
        sure: whether absorption is only a matter of time: nearly all are absorbed, or the late hazard is positive
            and no less than half of the earlier one.
    """

    boundary: float
    absorbed: int
    share: Estimate
    survival: tuple[float, ...]
    hazard: Estimate
    time: Estimate
    sure: bool

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "boundary": self.boundary, "absorbed": self.absorbed, "share": self.share.table(),
            "survival": list(self.survival), "hazard": self.hazard.table(), "time": self.time.table(), "sure": self.sure,
        }  # fmt: skip


def absorption(values: Floats, direction: str, level: float = 0.95) -> Absorption | None:
    """The absorption of trajectories (R, T), or None when no replicate is absorbed.

    The boundary is the lowest (direction ``falls``) or highest (``rises``) value that any replicate ever had. It absorbs if no
    replicate ever leaves it and one has stayed for at least 4 generations. Rows that may move either way have no such end.

    >>> walk = np.array([[3, 2, 1, 0, 0, 0, 0, 0], [3, 2, 2, 1, 2, 1, 2, 1.0]])
    >>> found = absorption(walk, "falls")
    >>> found.absorbed, found.boundary, found.survival[:4]
    (1, 0.0, (1.0, 1.0, 1.0, 0.5))
    """
    if direction not in ("falls", "rises") or values.shape[1] < STILL + 1:
        return None
    boundary = float(np.min(values) if direction == "falls" else np.max(values))
    there = values == boundary
    if there[:, 0].all():  # always was there: nothing was absorbed
        return None
    total = values.shape[1]
    left = (there[:, :-1] & ~there[:, 1:]).any()
    stay = there.sum(axis=1)
    if left or stay.max() < STILL:
        return None
    done = stay > 0
    times = np.where(done, total - stay + 1, np.inf).astype(np.float64)
    survival = np.array([(times > t).mean() for t in range(1, total + 1)])
    share = _clopper(int(done.sum()), len(values), level)
    hazard = _hazard(times, total // 2, total, level)
    early = _hazard(times, 0, total // 2, level)
    lasting = hazard.low > 0 and (math.isnan(early.value) or hazard.value >= 0.5 * early.value)
    late = bool((done & (times > total // 2)).sum() >= 3)
    sure = share.low > 0.9 or bool(done.all()) or (lasting and late)
    return Absorption(
        boundary, int(done.sum()), share, tuple(survival.tolist()), hazard, _mean_time(times, total, level), sure
    )


def _clopper(k: int, n: int, level: float) -> Estimate:
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return Estimate(k / n, low, high, level, "clopper-pearson", n)


def _hazard(times: Floats, first: int, last: int, level: float) -> Estimate:
    """Absorptions per replicate and generation at risk, in (first, last]; exact Poisson interval."""
    from scipy.special import gammaincinv

    events = int(((times > first) & (times <= last)).sum())
    risk = float(np.clip(np.minimum(times, last) - first, 0, None).sum())
    if risk == 0:
        return Estimate(math.nan, math.nan, math.nan, level, "none", 0)
    tail = (1 - level) / 2
    low = float(gammaincinv(events, tail)) if events else 0.0
    high = float(gammaincinv(events + 1, 1 - tail))
    return Estimate(events / risk, low / risk, high / risk, level, "poisson", events)


def _mean_time(times: Floats, total: int, level: float) -> Estimate:
    pick = np.random.default_rng(0).multinomial(times.size, np.full(times.size, 1 / times.size), DRAWS)
    middle = total // 2
    seen = np.minimum(times, total)
    alive = (times > total).astype(np.float64)
    events = ((times > middle) & (times <= total)).astype(np.float64)
    risk = np.clip(seen - middle, 0, None)

    def of(weights: Floats) -> Floats:
        left, found = weights @ alive, weights @ events
        with np.errstate(divide="ignore", invalid="ignore"):
            tail = np.where(left > 0, left * (weights @ risk) / found, 0.0)
        return np.asarray((weights @ seen + tail) / times.size)

    drawn = of(pick.astype(np.float64))
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2], method="closest_observation")
    value = float(of(np.ones((1, times.size)))[0])
    method = "mean" if not alive.any() else "kaplan-meier with exponential tail"
    return Estimate(value, float(low), float(high), level, method, times.size)
