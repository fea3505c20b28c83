"""Where a loop ends: healthy, stable but degraded, lost, incoherent, periodic - or not settled yet.

:func:`classify` reads one row of one world from its trajectories; nothing else is needed. The order of the questions:

1. absorbed? A state that is never left (one type, no variance).
2. periodic? Then there is a cycle, not a level.
3. on the logarithmic scale, does it fall or grow without end? (collapse is almost sure even where the mean stays)
4. on the linear scale, does it grow or fall without end?
5. does it settle, and where?
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from remission.data import Floats
from remission.errors import SpecError
from remission.estimate import Estimate
from remission.lab.long_run.absorption import Absorption, absorption
from remission.lab.long_run.period import Period, period
from remission.lab.long_run.trend import Scale, Trend, nothing, trend, wants_log

Verdict = Literal["healthy", "stable-degraded", "total-loss", "incoherent", "periodic", "drifting", "undecided"]

MARGIN = 0.05  # of the real level: what counts as at it
FEWEST, SHORTEST = 4, 16  # replicates and generations below which nothing is said
ENDLESS = -0.3  # exponents above this do not converge: 0 is logarithmic, -1 is what accumulation does
BENDS = 0.35  # a fall of the exponent from one doubling to the next that speaks of a limit
CLEAR = 1.3  # half-widths at 99 % that a step must have to be endless: 3.3 standard errors, p = 0.001
PULLS = 0.8  # the return rate times the generations, from which on a pull would have been felt
DEEP = math.log(0.25)  # a fall of the logarithm of less than this is not yet called a loss for ever
NEAR = 0.35  # how near to 0 or 1 an exponent is called logarithmic or linear
STEADY = 0.3  # the least exponent of a trend that bends and is called endless all the same
RIPE = 2.0  # relaxation times before the last half of the generations begins
SWING = 0.1  # of the margin: a swing that is smaller changes nothing, whatever its p-value
LEFT = 0.25  # of the level: a larger change still to come is not settled
TWO_SIDED = ("moments.variance", "moments.ratio", "moments.log-det", "moments.total")
LOGARITHMS = ("log-det",)  # columns that are logarithms themselves


@dataclass(frozen=True)
class Fate:
    """The long-term answer for one row of one world.

    Attributes:
        row, direction: the metric row and what it does in collapse.
        verdict: ``healthy`` (settled within ``margin`` of the real level), ``stable-degraded`` (settled away from it),
            ``total-loss`` (absorbed, or drifting to the end of diversity), ``incoherent`` (grows without bound),
            ``periodic``, ``drifting`` (moves and does not settle in these generations), ``undecided``.
        growth: for the endless ones: ``exponential``, ``power``, ``linear``, ``logarithmic``; else empty.
        sentence: all of this in words. ``advice``: what would decide it; empty when decided.
        scale: ``linear`` or ``log``. On ``log``, ``level`` and ``limit`` are geometric (exponentials).
        of: mean or median over replicates.
        real: the real level, ``real_is`` where it comes from. ``margin``: the relative equivalence margin.
        level: over the last half of the generations. ``limit``: the fixed point, where there is one.
        rate: change per generation over the last half (of the logarithm on ``log``).
        exponent: p in b t^p of the change, see :mod:`remission.lab.long_run.trend`; NaN where nothing moves.
        relaxation: lambda, the share of a deviation that goes per generation; ``half_life`` in generations.
        stability: what becomes of a perturbation: ``decays``, ``stays`` or ``grows``.
        absorption, period: when there is one.
        replicates, generations: what was seen.
    """

    row: str
    direction: str
    verdict: Verdict
    growth: str
    sentence: str
    advice: str
    scale: Scale
    of: str
    real: float
    real_is: str
    margin: float
    level: Estimate
    limit: Estimate
    rate: Estimate
    exponent: Estimate
    relaxation: Estimate
    half_life: Estimate
    stability: str
    absorption: Absorption | None
    period: Period | None
    replicates: int
    generations: int

    @property
    def settled(self) -> bool:
        """Whether more generations would change nothing of the verdict."""
        return self.verdict not in ("drifting", "undecided")

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        out = dict(self.__dict__)
        for key, value in out.items():
            if isinstance(value, (Estimate, Absorption)):
                out[key] = value.table()
        out["period"] = None if self.period is None else dict(self.period.__dict__)
        return out


def classify(
    values: Floats,
    direction: str = "falls",
    real: float | None = None,
    row: str = "",
    margin: float = MARGIN,
    level: float = 0.95,
) -> Fate:
    """The fate of trajectories.

    Args:
        values: shape (replicates, generations), generation 1 first. Replicates with a NaN are left out.
        direction: what the row does in collapse: ``falls``, ``rises`` or ``either``.
        real: the level of real data. None: the first generation, a model trained on real data.
        row: its name; rows of moments are two-sided (more variance than real is no health), logarithms are known.
        margin: relative margin around the real level within which a settled row is healthy; absolute for logarithms.
        level: of intervals.

    Raises:
        SpecError: not two-dimensional, or nothing in it.

    >>> rng = np.random.default_rng(0)
    >>> lost = np.exp(np.cumsum(rng.normal(-0.1, 0.1, (40, 64)), axis=1))
    >>> classify(lost).verdict, classify(1 + rng.normal(0, 0.1, (40, 64)), real=1.0).verdict
    ('total-loss', 'healthy')
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not values.size:
        raise SpecError(f"'classify' needs values of shape (replicates, generations). Got {values.shape}.")
    if direction not in ("falls", "rises", "either"):
        raise SpecError(f"A direction is falls, rises or either. Got '{direction}'.")
    seen = np.flatnonzero(~np.isnan(values).all(axis=0))
    values = values[:, : seen[-1] + 1] if seen.size else values  # a run under way: as far as it has come
    values = values[~np.isnan(values).any(axis=1)]
    reading = _Reading(values, direction, row, margin, level, real)
    return reading.fate()


class _Reading:
    """One pass over the questions, each answered once."""

    def __init__(
        self, values: Floats, direction: str, row: str, margin: float, level: float, real: float | None
    ) -> None:
        self.values, self.direction, self.row, self.margin, self.level = values, direction, row, margin, level
        self.plain = row.partition("[")[0] + row.rpartition("]")[2] if "[" in row else row
        self.given = real
        first = values[:, 0] if len(values) else np.array([math.nan])
        self.real = float(first.mean() if np.isfinite(first).all() else np.median(first)) if real is None else real
        self.real_is = "generation 1" if real is None else "real data"

    def fate(self) -> Fate:
        replicates, generations = self.values.shape
        if replicates < FEWEST or generations < SHORTEST:
            few = f"at least {FEWEST} complete replicates and {SHORTEST} generations"
            return self._made("undecided", f"Too little was seen: {replicates} replicates of {generations} generations.",
                              advice=f"Run {few}.")  # fmt: skip
        gone = absorption(self.values, self.direction, self.level)
        if gone is not None and gone.sure:
            return self._absorbed(gone)
        if not np.isfinite(self.values).all():
            return self._infinite(gone)
        log = wants_log(self.values)
        half = np.log(self.values) if log else self.values
        cycle = period(half[:, generations // 2 :])
        size = 1.0 if log else max(abs(float(np.nanmedian(half))), abs(self.real) if math.isfinite(self.real) else 0.0)
        if cycle is not None and cycle.amplitude >= SWING * self.margin * size:
            told = f"It comes back every {cycle.length:.3g} generations (p = {cycle.p:.2g})."
            return self._made("periodic", told, trend(self.values, "log" if log else "linear", self.level), cycle=cycle)
        linear = trend(self.values, "linear", self.level)
        found = trend(self.values, "log", self.level) if log else linear
        if log and endless(found, self.margin):
            steep = growth_of(found) == "linear" and found.exponent.low > 0.4
            if found.loss < DEEP if found.step.high < 0 else steep:
                return self._endless(found)
        if endless(linear, self.margin) and not (log and (linear.of == "median" or linear.step.high < 0)):
            return self._endless(linear)
        if log and endless(found, self.margin) and found.step.low > 0:
            return self._endless(found)
        return self._stable(found if log and linear.of == "median" else linear, gone)

    # --- answers ------------------------------------------------------------------------------------------------

    def _absorbed(self, gone: Absorption) -> Fate:
        time = f"{gone.time.value:.4g} [{gone.time.low:.4g}, {gone.time.high:.4g}]"
        told = (
            f"{gone.absorbed} of {gone.share.n} replicates have reached {gone.boundary:g} and never left it; "
            f"on average it takes {time} fits."
        )
        finite = np.isfinite(self.values).all()
        return self._made("total-loss", told, trend(self.values, "linear", self.level) if finite else None, gone=gone)

    def _infinite(self, gone: Absorption | None) -> Fate:
        infinite = np.isinf(self.values[:, -1])
        sign = self.values[:, -1][infinite]
        if infinite.mean() > 0.5 and (sign < 0).all() and self.direction == "falls":
            return self._made("total-loss", f"Minus infinity in {infinite.mean():.0%} of the replicates.", gone=gone)
        if infinite.mean() > 0.5 and (sign > 0).all() and self.direction != "falls":
            return self._made("incoherent", f"Infinite in {infinite.mean():.0%} of the replicates.", gone=gone)
        told = f"Infinite values in {np.isinf(self.values).any(axis=1).mean():.0%} of the replicates."
        return self._made("undecided", told, gone=gone, advice="Follow a row that stays finite, or more generations.")

    def _endless(self, found: Trend) -> Fate:
        down = found.step.high < 0
        growth = growth_of(found)
        logs = found.scale == "log" or self.plain.endswith(LOGARITHMS)
        p = f"exponent {_range(found.exponent)}"
        speed = self._rate(found)
        if down and logs and self.direction != "rises":
            told = f"Its logarithm falls without end, by {-speed.value:.3g} per generation ({p})."
            return self._made("total-loss", told, found, growth="exponential" if growth == "linear" else growth)
        if down and logs:
            return self._made("healthy", f"It shrinks towards 0 ({p} of the logarithm).", found, growth=growth)
        if logs and growth == "linear":
            told = f"It grows exponentially, by a factor of {math.exp(min(speed.value, 700)):.4g} per generation."
            return self._made("incoherent", told, found, growth="exponential")
        if down and not logs and np.nanmin(self.values) >= 0:  # a positive row ends at 0 or above it, however slowly
            told = f"It falls with no end in sight, by {abs(speed.value):.3g} per generation ({growth}, {p})."
            advice = "Many more generations: whether it ends at 0 or at a level above cannot be told from so few."
            return self._made("drifting", told, found, growth=growth, advice=advice)
        word = "falls" if down else "grows"
        if growth == "logarithmic":
            told = f"It {word} without bound, like the logarithm of the generation or slower ({p})."
        else:
            told = f"It {word} without bound, by {abs(speed.value):.3g} per generation ({growth}, {p})."
        return self._made("incoherent", told, found, growth="power" if logs else growth)

    def _stable(self, found: Trend, gone: Absorption | None) -> Fate:
        shown = np.exp if found.scale == "log" else np.asarray
        rest, here = found.remaining, found.level.value
        bound = max(abs(rest.low), abs(rest.high)) if math.isfinite(rest.low) else math.inf
        logs = found.scale == "log" or self.plain.endswith(LOGARITHMS)
        size = 1.0 if logs else max(abs(here), self.margin * abs(self.real))
        small = abs(found.step.value) <= 0.5 * self.margin * size  # per doubling: too little to matter
        limit = found.limit if found.exponent.high < 0 or not small else found.level
        if found.moves and not small and not (found.exponent.high < 0 and bound <= LEFT * size):
            word = "rises" if found.step.low > 0 else "falls"
            told = f"It still {word}, by {abs(self._rate(found).value):.3g} per generation in the last half."
            if math.isfinite(found.limit.value):
                told += f" If it goes on slowing down it ends near {shown(found.limit.value):.4g}."
            return self._made("drifting", told, found, gone=gone, advice="Run more generations.")
        if not found.moves and bound > LEFT * size:
            told = f"No movement is seen, but one of {bound:.2g} per doubling could not be seen either."
            return self._made("undecided", told, found, gone=gone, advice="Run more replicates.")
        if self._unripe(found, self.margin * size):
            told = f"It is on its way to about {shown(found.level.value):.4g}, but deviations live long: half-life {_half_life(found.memory).value:.3g}."
            return self._made("drifting", told, found, gone=gone, advice="Run more generations.")
        low, high = float(shown(limit.low)), float(shown(limit.high))
        gap = self.margin * (1.0 if self.plain.endswith(LOGARITHMS) else abs(self.real))
        floor, ceiling = self.real - gap, self.real + gap
        one_sided = self.given is None and self.plain not in TWO_SIDED
        better = one_sided and (
            (self.direction == "falls" and low > self.real) or (self.direction == "rises" and high < self.real)
        )
        where = f"It settles at {shown(limit.value):.4g} [{low:.4g}, {high:.4g}]"
        level = f"{self.real_is}: {self.real:.4g} ± {gap:.2g}"
        if better or (floor <= low and high <= ceiling):
            return self._made(
                "healthy",
                f"{where}, at the level of {level}." if not better else f"{where}, better than {level}.",
                found,
            )
        if high < floor or low > ceiling:
            return self._made("stable-degraded", f"{where}, away from {level}.", found)
        told = f"{where}; whether that is the level of {level} cannot be told."
        return self._made("undecided", told, found, gone=gone, advice=self._replicates(limit, found, floor, ceiling))

    def _unripe(self, found: Trend, size: float) -> bool:
        """Whether the level has changed since the start and the last half began too early to have forgotten that."""
        memory = found.memory
        fades = memory.high < 1 and (1 - memory.value) * self.values.shape[1] / 2 < RIPE
        return fades and abs(found.loss) > size

    def _replicates(self, limit: Estimate, found: Trend, floor: float, ceiling: float) -> str:
        """How many would bring the interval of a limit to one side of a line of the margin."""
        with np.errstate(divide="ignore", invalid="ignore"):
            lines = np.log([floor, ceiling]) if found.scale == "log" else np.array([floor, ceiling])
        gaps = np.abs(lines - limit.value)
        gap, half = float(np.nanmin(gaps)), (limit.high - limit.low) / 2
        wanted = len(self.values) * (half / gap) ** 2 if gap > 0 else math.inf
        if not wanted < 1e6:
            return "It lies on the very edge of the margin: choose another one."
        return f"About {math.ceil(1.2 * wanted)} replicates would tell, or choose another margin."

    # --- numbers ------------------------------------------------------------------------------------------------

    def _rate(self, found: Trend) -> Estimate:
        """Step per generation: the centres of the last two windows are 3/8 T apart."""
        apart = 0.375 * self.values.shape[1]
        step = found.step
        return Estimate(step.value / apart, step.low / apart, step.high / apart, step.level, step.method, step.n)

    def _made(
        self, verdict: Verdict, sentence: str, found: Trend | None = None, *, growth: str = "", advice: str = "",
        gone: Absorption | None = None, cycle: Period | None = None,
    ) -> Fate:  # fmt: skip
        blank = nothing(self.level)
        settled = verdict in ("healthy", "stable-degraded") and not growth
        memory = found.memory if found else blank
        fade = Estimate(1 - memory.value, 1 - memory.high, 1 - memory.low, memory.level, memory.method, memory.n)
        return Fate(
            row=self.row, direction=self.direction, verdict=verdict, growth=growth, sentence=sentence, advice=advice,
            scale=found.scale if found else "linear", of=found.of if found else "mean", real=self.real,
            real_is=self.real_is, margin=self.margin, level=_shown(found.level, found) if found else blank,
            limit=_shown(found.limit, found) if found and (settled or verdict in ("drifting", "undecided")) else blank,
            rate=self._rate(found) if found else blank, exponent=found.exponent if found and found.moves else blank,
            relaxation=fade, half_life=_half_life(memory), stability=_stability(memory, self.values.shape[1]), absorption=gone, period=cycle,
            replicates=self.values.shape[0], generations=self.values.shape[1],
        )  # fmt: skip


def endless(found: Trend, margin: float = MARGIN) -> bool:
    """Whether a trend goes on for ever: it moves, does not slow down enough, and nothing pulls it back.

    A doubling of time must move it clearly, and by more than ``margin`` of the level: the steps of a series that is still
    have any ratio.
    """
    step, size = found.step, margin * (1.0 if found.scale == "log" else abs(found.level.value))
    clear = abs(step.value) > CLEAR * (step.high - step.low) / 2
    if not clear or abs(step.value) <= size or not found.exponent.low > ENDLESS:
        return False
    bends = found.earlier.value - found.exponent.value > BENDS if math.isfinite(found.earlier.value) else True
    pulled = found.pull.low > 0 and found.pull.value * found.generations > PULLS
    loss = found.scale == "log" and found.step.high < 0  # must be deep besides, see DEEP
    return not bends or (not pulled and (loss or found.exponent.low > STEADY))


def growth_of(found: Trend) -> str:
    """``logarithmic``, ``linear`` or ``power``: what the interval of the exponent holds, else the nearest."""
    low, high, value = found.exponent.low, found.exponent.high, found.exponent.value
    if low <= 1 <= high and not low <= 0:
        return "linear"
    if low <= 0 <= high and not high >= 1:
        return "logarithmic"
    return "linear" if abs(value - 1) < NEAR else "power" if value > NEAR else "logarithmic"


def _shown(estimate: Estimate, found: Trend) -> Estimate:
    if found.scale == "linear":
        return estimate
    with np.errstate(over="ignore"):
        value, low, high = (float(np.exp(x)) for x in (estimate.value, estimate.low, estimate.high))
    return Estimate(value, low, high, estimate.level, estimate.method, estimate.n)


def _half_life(memory: Estimate) -> Estimate:
    def of(phi: float) -> float:
        if math.isnan(phi):
            return math.nan
        return 0.0 if phi <= 0 else math.inf if phi >= 1 else -math.log(2) / math.log(phi)

    return Estimate(of(memory.value), of(memory.low), of(memory.high), memory.level, memory.method, memory.n)


def _stability(memory: Estimate, generations: int) -> str:
    """Over the half of the generations in which it was measured."""
    if math.isnan(memory.value):
        return "unknown"
    if memory.high < 1:
        return "decays"
    return "grows" if memory.low > 1 and (memory.value - 1) * generations > 1 else "stays"


def _range(estimate: Estimate) -> str:
    return f"{estimate.value:.2g} [{estimate.low:.2g}, {estimate.high:.2g}]"
