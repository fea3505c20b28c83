"""Where a parameter tips a loop: the place, its interval, whether it is a threshold or a slope, and what theory says.

The line to keep is crossed where half of the replicates keep it (or another share, or where the mean crosses). A crossing
alone is no tipping point: of a slope every level is crossed somewhere. It is called a *threshold* when more than half of what
changes in the quarter of the range around the crossing changes within a twentieth of the range: of a slope a fifth would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from remission.data import Floats
from remission.errors import SpecError
from remission.estimate import mean_interval, median_interval
from remission.lab import _boundary
from remission.lab._boundary import Boundary
from remission.lab._crossing import Axis, Crossing, NotBracketed, Rule, Search
from remission.lab.line import Line
from remission.lab.trials import At, Settings, Tell, Trials
from remission.numerics.proportions import clopper_pearson
from remission.spec import Experiment

Verdict = Literal["threshold", "no-threshold", "undecided"]
Of = Literal["median", "mean"] | float

NEAR, WIDE = 0.05, 0.25  # of the range: what changes within the near window is sudden, if it is most of the wide one's
_LOOK = 48  # replicates on both sides of a crossing, to see how sudden it is
_BOOT = 400
COLLAPSED = {"initial.state": "collapsed", "initial.distinct": 1}


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
    """Which part of the change within ``wide`` happens within ``window`` (both low, high) around the crossing, with an interval."""

    share: float
    low: float
    high: float
    window: tuple[float, float]
    wide: tuple[float, float]


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
class Tipping:
    """The answer.

    Attributes:
        key, line, of, at: what was asked.
        verdict: ``threshold``; ``no-threshold``: a smooth slope; ``undecided``.
        crossing: where the line is crossed.
        sudden: how much of the change happens there.
        curve: everything that was seen, by value of the parameter.
        theory: what is known exactly.
        collapsed: the crossing from a collapsed start, with ``hysteresis``; why there is none in ``collapsed_told``.
        long_run: the limit of many generations, when asked for; why there is none in ``long_run_told``.
        replicates: how many were run.
    """

    key: str
    line: Line
    of: Of
    at: At
    level: float
    verdict: Verdict
    crossing: Crossing
    sudden: Sudden
    curve: tuple[CurvePoint, ...]
    theory: tuple[Boundary, ...]
    replicates: int
    collapsed: Crossing | None = None
    collapsed_told: str = ""
    collapsed_curve: tuple[CurvePoint, ...] = ()
    long_run: LongRun | None = None
    long_run_told: str = ""

    @property
    def gap(self) -> tuple[float, float, float] | None:
        """Threshold from a collapsed start minus the one from a healthy start, with an interval that may be too wide."""
        if self.collapsed is None:
            return None
        one, other = self.crossing, self.collapsed
        return other.value - one.value, other.low - one.high, other.high - one.low

    def document(self) -> dict[str, Any]:
        """The fields of ``tipping --json``."""
        crossing, threshold = self.crossing, self.verdict != "no-threshold"
        found: dict[str, Any] = {
            "over": self.key, "keep": str(self.line), "of": self.of, "at": self.at,
            "threshold": crossing.value if threshold else None,
            "low": crossing.low if threshold else None, "high": crossing.high if threshold else None,
            "level": self.level, "verdict": self.verdict, "crossing": vars(crossing), "sudden": vars(self.sudden),
            "curve": [vars(point) for point in self.curve],
            "theory": [one.table() for one in self.theory], "replicates": self.replicates,
        }  # fmt: skip
        if self.collapsed is not None or self.collapsed_told:
            found["hysteresis"] = {
                "collapsed": None if self.collapsed is None else vars(self.collapsed),
                "gap": self.gap, "told": self.collapsed_told,
                "curve": [vars(point) for point in self.collapsed_curve],
            }  # fmt: skip
        if self.long_run_told:
            found["long_run_told"] = self.long_run_told
        if self.long_run is not None:
            run = self.long_run
            found["long_run"] = {
                "value": run.value, "low": run.low, "high": run.high, "moves": run.moves, "horizons": run.horizons,
                "crossings": [vars(one) for one in run.crossings],
            }  # fmt: skip
        return found


def tipping(
    experiment: Experiment,
    key: str,
    low: float,
    high: float,
    line: Line,
    *,
    of: Of = "median",
    at: At = "last",
    level: float = 0.95,
    tolerance: float = 0.02,
    budget: int | None = None,
    log: bool = False,
    hysteresis: bool = False,
    long_run: bool = False,
    workers: int = 1,
    folder: Path | None = None,
    tell: Tell | None = None,
) -> Tipping:
    """Find where a parameter between ``low`` and ``high`` makes the loop cross ``line``.

    Args:
        experiment: without a sweep.
        key: dotted parameter, as in ``--set``.
        low: one end of the range; the line must be kept at one end and not at the other.
        high: the other end.
        line: what is to be kept.
        of: cross where the ``median`` or the ``mean`` crosses, or where this share of the replicates keeps the line.
        at: read the ``last`` generation, the ``worst`` so far or where it ``settled`` (mean over the last quarter).
        level: of all intervals.
        tolerance: the width of the interval that is wanted, as a share of the range.
        budget: replicates in all, for each search; 20 times those of the experiment and at least 2000 when left out.
        log: halve on a logarithmic axis.
        hysteresis: search again from a collapsed start.
        long_run: search at a quarter and half of the generations too, and say where the crossing is heading.
        workers: processes.
        folder: where readings are kept, so that the same call goes on.
        tell: called with how far it is.

    Raises:
        SpecError: no such row, no bracket, an undecided end, several crossings; with what would make it answerable.
    """
    experiment = without_sweep(experiment, [key])
    axis = axis_of(experiment, key, low, high, log)
    if isinstance(of, float) and not 0 < of < 1:
        raise SpecError(f"The share of replicates that keep the line lies between 0 and 1. Got {of:g}.")
    budget = max(2000, 20 * experiment.replicates) if budget is None else budget
    trials = Trials(experiment, [line.row], at=at, above=[line.above], workers=workers, folder=folder, tell=tell)
    ask = _Asker(trials, key, line, of, axis, level, tolerance, budget)
    base: Settings = {}
    crossing = ask.search(base)
    sudden = ask.sudden(base, crossing)
    verdict: Verdict = "undecided"
    if crossing.settled or crossing.high - crossing.low <= NEAR * (high - low):
        verdict = "threshold" if sudden.low > 0.5 else "no-threshold" if sudden.high < 0.5 else "undecided"
    found = Tipping(key, line, of, at, level, verdict, crossing, sudden, ask.curve(base), ask.theory(base), trials.made)
    if long_run:
        try:
            found = replace(found, long_run=ask.long_run(base, crossing))
        except NotBracketed as error:
            kept = "not lost anywhere" if error.kept else "lost everywhere"
            found = replace(
                found,
                long_run_told=f"At an earlier horizon the line is {kept} yet: raise generations to see where it heads.",
            )
    if hysteresis:
        try:
            collapsed = ask.search(COLLAPSED)
            found = replace(found, collapsed=collapsed)
        except NotBracketed as error:
            kept = "recovers everywhere" if error.kept else "recovers nowhere"
            found = replace(found, collapsed_told=f"From a collapsed start the loop {kept} in the range: {error}")
        found = replace(found, collapsed_curve=ask.curve(COLLAPSED))
    return replace(found, replicates=trials.made)


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
    try:
        experiment.at({key: low + (high - low) / 3})
    except SpecError:
        whole = float(low).is_integer() and float(high).is_integer()  # counts take whole numbers only
    return Axis(low, high, whole, log)


@dataclass(frozen=True)
class _Asker:
    """One question asked from several starts and at several horizons."""

    trials: Trials
    key: str
    line: Line
    of: Of
    axis: Axis
    level: float
    tolerance: float
    budget: int

    @property
    def rule(self) -> Rule:
        return Rule(None if self.of == "mean" else 0.5 if self.of == "median" else float(self.of))

    def settings(self, base: Settings, value: float) -> Settings:
        return {**base, self.key: round(value) if self.axis.whole else value}

    def readings(self, base: Settings, wanted: Sequence[tuple[float, int]], horizon: int = -1) -> list[Floats]:
        asked = [(self.settings(base, value), count) for value, count in wanted]
        self.trials.ask(asked)
        return [self.trials.values(settings, count, horizon=horizon) for settings, count in asked]

    def search(self, base: Settings, horizon: int = -1) -> Crossing:
        def draw(wanted: Sequence[tuple[float, int]]) -> list[Floats]:
            return [self.line.margin(values) for values in self.readings(base, wanted, horizon)]

        return Search(draw, self.rule, self.axis, self.level, self.tolerance, self.budget).run()

    def sudden(self, base: Settings, crossing: Crossing) -> Sudden:
        """The part of the change around the crossing that happens close to it; by bootstrap over replicates."""
        u = self.axis.of(crossing.value)
        near, wide = (
            (self.axis.at(max(0.0, u - width / 2)), self.axis.at(min(1.0, u + width / 2))) for width in (NEAR, WIDE)
        )
        if self.axis.whole and near[0] == near[1]:
            near = max(self.axis.low, crossing.value - 1), crossing.value
        seen = self.readings(base, [(value, _LOOK) for value in (*near, *wide)])
        rng = np.random.default_rng(0)

        def part(samples: list[Floats]) -> float:
            near_low, near_high, low, high = (self.centre(sample) for sample in samples)
            return (near_high - near_low) / (high - low) if high != low else math.nan

        again = [part([values[rng.integers(values.size, size=values.size)] for values in seen]) for _ in range(_BOOT)]
        tail = (1 - self.level) / 2
        found = np.nanquantile(again, [tail, 1 - tail]) if np.isfinite(again).any() else (math.nan, math.nan)
        return Sudden(part(seen), float(found[0]), float(found[1]), near, wide)

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

    def theory(self, base: Settings) -> tuple[Boundary, ...]:
        """Exact thresholds, and where laws cross the line; only for the last generation, which is what laws predict."""

        def world(value: float) -> Any:
            return self.trials.experiment.at(self.settings(base, value)).experiment.world()

        low, high = self.axis.low, self.axis.high
        found = _boundary.thresholds(world(self.axis.at(0.5)), self.key)
        if self.trials.at == "last":
            found += _boundary.crossings(world, self.line, low, high)
        return tuple(found)

    def long_run(self, base: Settings, last: Crossing) -> LongRun:
        """Crossings at a quarter, half and all of the generations, and their limit."""
        horizons = self.trials.horizons
        if len(horizons) < 3:
            raise SpecError(
                f"The long run is read from 3 horizons; {horizons[-1]} generations are too few. Take at least 4."
            )
        found = [*(self.search(base, horizon) for horizon in range(len(horizons) - 1)), last]
        return extrapolated(tuple(horizons), tuple(found))


def extrapolated(horizons: tuple[int, ...], crossings: tuple[Crossing, ...]) -> LongRun:
    """The limit of crossings at doubling horizons.

    Near a linear instability the time to collapse goes as 1 / distance, so the crossing moves as 1/T and a last shift D leaves D to
    go; at a bottleneck (saddle-node) it moves as 1/T^2 and D/3 is left. The value lies between, the interval holds both.
    """
    half = [(one.high - one.low) / 2 for one in crossings[-2:]]
    shift = crossings[-1].value - crossings[-2].value
    moves = abs(shift) > math.hypot(*half)
    last = crossings[-1].value
    if not moves:
        return LongRun(horizons, crossings, last, crossings[-1].low, crossings[-1].high, False)
    before = crossings[-2].value - crossings[-3].value
    ratio = min(max(before / shift, 2.0), 4.0)  # 2^p of a shift that goes as T^-p
    rests = {p: shift / (2**p - 1) for p in (1, 2)}
    errors = {p: math.hypot((1 + 1 / (2**p - 1)) * half[1], half[0] / (2**p - 1)) for p in (1, 2)}
    low = min(last + rests[p] - errors[p] for p in (1, 2))
    high = max(last + rests[p] + errors[p] for p in (1, 2))
    return LongRun(horizons, crossings, last + shift / (ratio - 1), low, high, True)


def sentence(found: Tipping) -> str:
    """The answer in plain words."""
    crossing, percent = found.crossing, f"{100 * found.level:g} %"
    of = {"median": "half of the replicates keep", "mean": "the mean keeps"}.get(
        str(found.of), f"{found.of} of the replicates keep"
    )
    side = "above" if crossing.rising else "below"
    place = f"{crossing.value:.4g} ({percent} interval {crossing.low:.4g} to {crossing.high:.4g})"
    part = f"{100 * found.sudden.share:.0f} % [{100 * found.sudden.low:.0f}, {100 * found.sudden.high:.0f}]"
    near, wide = ("{:.4g} and {:.4g}".format(*ends) for ends in (found.sudden.window, found.sudden.wide))
    near = f"{part} of what changes between {wide} changes between {near}"
    told = {
        "threshold": f"A threshold: {side} {found.key} = {place} {of} {found.line}. {near}.",
        "no-threshold": f"No threshold but a smooth slope; {side} {found.key} = {place} {of} {found.line}. Only {near}.",
        "undecided": f"Undecided whether this is a threshold; {side} {found.key} = {place} {of} {found.line}. {near}; a larger "
        f"budget or a narrower range would decide.",
    }[found.verdict]
    lines = [told]
    if found.collapsed is not None:
        other, gap = found.collapsed, found.gap or (math.nan,) * 3
        word = "Hysteresis" if gap[1] * gap[2] > 0 else "No hysteresis to be seen"
        lines.append(
            f"{word}: from a collapsed start the line is crossed at {other.value:.4g} ({other.low:.4g} to {other.high:.4g}), "
            f"{gap[0]:+.4g} ({gap[1]:+.4g} to {gap[2]:+.4g}) from the other."
        )
    elif found.collapsed_told:
        lines.append(found.collapsed_told)
    if found.long_run_told:
        lines.append(found.long_run_told)
    if found.long_run is not None:
        run = found.long_run
        told = (
            f"heading for {run.value:.4g} ({run.low:.4g} to {run.high:.4g}) with more generations"
            if run.moves
            else "and does not move any more"
        )
        seen = ", ".join(f"{one.value:.4g} at {t}" for t, one in zip(run.horizons, run.crossings, strict=True))
        lines.append(f"By generation: {seen}; {told}.")
    return "\n".join(lines)
