"""One question about a place on an axis, asked from several starts and at several horizons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from remission.data import Floats
from remission.errors import SpecError
from remission.estimate import mean_interval, mean_is_estimable, median_interval
from remission.lab.line import Line
from remission.lab.search import boundary
from remission.lab.search.boundary import Boundary
from remission.lab.search.crossing import Axis, Crossing, Rule, Search
from remission.lab.search.trials import Settings, Trials
from remission.numerics.proportions import clopper_pearson
from remission.spec import Experiment

Verdict = Literal["threshold", "no-threshold", "undecided"]
Of = Literal["median", "mean"] | float

NEAR, WIDE = 0.05, 0.25  # of the range: what changes within the near window is sudden, if it is most of the wide one's
FEWEST = 20  # whole numbers that the wide window must hold: among fewer nothing is sudden or smooth
_LOOK = 48  # replicates on both sides of a crossing, to see how sudden it is
_BOOT = 400
SHRINKS = 1.3  # the last shift but one over the last one: below, no limit is in sight


@dataclass(frozen=True)
class CurvePoint:
    """What was seen at one value of the parameter: typical reading with its interval, and the share that keeps the line."""

    value: float
    n: int
    typical: float
    low: float
    high: float
    kept: float
    kept_low: float
    kept_high: float


@dataclass(frozen=True)
class Sudden:
    """Which part of the change within ``wide`` happens within ``window`` (both low, high) around the crossing, with an interval.

    ``limit`` is what makes a threshold: as far above what a straight slope would give as a half is above a fifth.
    """

    share: float
    low: float
    high: float
    window: tuple[float, float]
    wide: tuple[float, float]
    limit: float

    @property
    def verdict(self) -> Verdict:
        """What this says."""
        return "threshold" if self.low > self.limit else "no-threshold" if self.high < self.limit else "undecided"


@dataclass(frozen=True)
class LongRun:
    """How the crossing moves as the horizon doubles, and where it is heading.

    Attributes:
        horizons: generations; crossings: of each.
        value, low, high: the limit; the shift of the last doubling goes on as 1/T (linear instability) or 1/T^2 (a bottleneck),
            and the interval holds both.
        moves: whether the last doubling moved it by more than noise.
    """

    horizons: tuple[int, ...]
    crossings: tuple[Crossing, ...]
    value: float
    low: float
    high: float
    moves: bool


@dataclass(frozen=True)
class Asker:
    """One question asked from several starts and at several horizons."""

    trials: Trials
    key: str
    line: Line
    of: Of
    axis: Axis
    level: float
    tolerance: float
    budget: int

    def settings(self, base: Settings, value: float) -> Settings:
        """The settings at a value of the parameter."""
        return {**base, self.key: round(value) if self.axis.whole else value}

    def readings(self, base: Settings, wanted: Sequence[tuple[float, int]], horizon: int = -1) -> list[Floats]:
        """Readings at values of the parameter, at least so many of each."""
        asked = [(self.settings(base, value), count) for value, count in wanted]
        self.trials.ask(asked)
        return [self.trials.values(settings, count, horizon=horizon) for settings, count in asked]

    def search(self, base: Settings, horizon: int = -1) -> Crossing:
        """The crossing from a start, at a horizon. Raises SpecError."""

        def draw(wanted: Sequence[tuple[float, int]]) -> list[Floats]:
            return [self.line.margin(values) for values in self.readings(base, wanted, horizon)]

        return Search(draw, rule_of(self.of), self.axis, self.level, self.tolerance, self.budget).run()

    def sudden(self, base: Settings, crossing: Crossing) -> Sudden:
        """The part of the change around the crossing that happens close to it; by bootstrap over replicates."""
        u = self.axis.of(crossing.value)
        near, wide = (
            (self.axis.at(max(0.0, u - width / 2)), self.axis.at(min(1.0, u + width / 2))) for width in (NEAR, WIDE)
        )
        near = min(near[0], crossing.low), max(near[1], crossing.high)  # wherever in its interval the crossing is
        inside = wide[0] < near[0] or near[1] < wide[1]
        if (self.axis.whole and wide[1] - wide[0] < FEWEST) or not inside:
            return Sudden(math.nan, math.nan, math.nan, near, wide, math.nan)
        straight = (self.axis.of(near[1]) - self.axis.of(near[0])) / (self.axis.of(wide[1]) - self.axis.of(wide[0]))
        limit = straight + (1 - straight) * (0.5 - NEAR / WIDE) / (1 - NEAR / WIDE)
        count = _LOOK
        while True:
            found = self._part(base, near, wide, limit, count)
            count *= 2  # more where it is undecided
            if found.verdict != "undecided" or 4 * count > self.budget:
                return found

    def _part(
        self, base: Settings, near: tuple[float, float], wide: tuple[float, float], limit: float, count: int
    ) -> Sudden:
        """The part with ``count`` replicates at each of the four ends."""
        seen = self.readings(base, [(value, count) for value in (*near, *wide)])
        rng = np.random.default_rng(0)

        def part(samples: list[Floats]) -> float:
            near_low, near_high, low, high = (self.centre(sample) for sample in samples)
            return (near_high - near_low) / (high - low) if high != low else math.nan

        again = [part([values[rng.integers(values.size, size=values.size)] for values in seen]) for _ in range(_BOOT)]
        tail = (1 - self.level) / 2
        ends = np.nanquantile(again, [tail, 1 - tail]) if np.isfinite(again).any() else (math.nan, math.nan)
        return Sudden(part(seen), float(ends[0]), float(ends[1]), near, wide, limit)

    def centre(self, values: Floats) -> float:
        """The typical reading: the mean, or the median whatever share is asked for."""
        return float(np.nanmean(values) if self.of == "mean" else np.nanmedian(values))

    def curve(self, base: Settings) -> tuple[CurvePoint, ...]:
        """Everything seen from this start."""
        points = []
        for settings, values in self.trials.seen(base, self.key):
            interval = (mean_interval if self.of == "mean" else median_interval)(values, self.level)
            kept = int(self.line.keeps(values).sum())
            bounds = clopper_pearson(kept, values.size, self.level)
            shown = interval.value, interval.low, interval.high
            points.append(CurvePoint(float(settings[self.key]), values.size, *shown, kept / values.size, *bounds))
        return tuple(sorted(points, key=lambda point: point.value))

    def warnings(self, base: Settings, crossing: Crossing) -> tuple[str, ...]:
        """Whether a mean can be believed close to the crossing."""
        if self.of != "mean":
            return ()
        near = min(self.trials.seen(base, self.key), key=lambda one: abs(float(one[0][self.key]) - crossing.value))
        if mean_is_estimable(near[1]):
            return ()
        return (
            f"The mean of {self.line.row} near the crossing is carried by replicates too rare to be seen here, so its interval holds "
            f"less often than it says. Ask for the median instead (of = median).",
        )

    def theory(self, base: Settings) -> tuple[Boundary, ...]:
        """Exact thresholds, and where laws cross the line; only for the last generation, which is what laws predict."""

        def world(value: float) -> Any:
            return self.trials.experiment.at(self.settings(base, value)).experiment.world()

        found = boundary.thresholds(world(self.axis.at(0.5)), self.key)
        if self.trials.at == "last":
            found += boundary.crossings(world, self.line, self.axis.at)
        return tuple(found)

    def long_run(self, base: Settings, last: Crossing) -> LongRun:
        """Crossings at a quarter, half and all of the generations, and their limit."""
        horizons = self.trials.horizons
        found = [*(self.search(base, horizon) for horizon in range(len(horizons) - 1)), last]
        return extrapolated(tuple(horizons), tuple(found))


def without_sweep(experiment: Experiment, keys: Sequence[str]) -> Experiment:
    """The experiment without the sweep over these parameters: they are searched instead."""
    return replace(experiment, sweep={key: values for key, values in experiment.sweep.items() if key not in keys})


def axis_of(experiment: Experiment, key: str, low: float, high: float, log: bool) -> Axis:
    """The range of a parameter; whole numbers where it takes no others. Raises SpecError."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SpecError(f"The range must go up from a low to a high value. Got {low:g} to {high:g}.")
    if log and low <= 0:
        raise SpecError(f"A logarithmic axis starts above 0. Got {low:g}.")
    whole = False
    middle = low + (high - low) * 0.3819660113
    try:
        experiment.at({key: middle + (1 / 7 if middle.is_integer() else 0.0)})
    except SpecError:
        whole = float(low).is_integer() and float(high).is_integer()  # counts take whole numbers only
    return Axis(low, high, whole, log)


def extrapolated(horizons: tuple[int, ...], crossings: tuple[Crossing, ...]) -> LongRun:
    """The limit of crossings at horizons that about double.

    Near a linear instability the time to collapse goes as 1 / distance, so the crossing moves as 1/T and of the last shift D as much is
    still to come (for a doubling); at a bottleneck (saddle-node) it moves as 1/T^2 and D/3 is. The interval holds both, also where the
    shift is within noise. Where shifts do not shrink there is no limit to be read: NaN.
    """
    last, half = crossings[-1].value, [(one.high - one.low) / 2 for one in crossings[-2:]]
    before, shift = (b.value - a.value for a, b in itertools.pairwise(crossings[-3:]))
    step = horizons[-1] / horizons[-2]
    moves = abs(shift) > math.hypot(*half)
    if moves and before / shift < SHRINKS:
        return LongRun(horizons, crossings, math.nan, math.nan, math.nan, True)
    parts = {p: 1 / (step**p - 1) for p in (1, 2)}
    errors = {p: math.hypot((1 + part) * half[1], part * half[0]) for p, part in parts.items()}
    low = min(last + part * shift - errors[p] for p, part in parts.items())
    high = max(last + part * shift + errors[p] for p, part in parts.items())
    ratio = min(max(before / shift, step), step**2) if moves else math.inf
    return LongRun(horizons, crossings, last + shift / (ratio - 1), low, high, moves)


def rule_of(of: Of) -> Rule:
    """What is crossed. Raises SpecError."""
    if isinstance(of, float) and not 0 < of < 1:
        raise SpecError(f"The share of replicates that keep the line lies between 0 and 1. Got {of:g}.")
    return Rule(None if of == "mean" else 0.5 if of == "median" else float(of))
