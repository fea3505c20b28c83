"""What a forecast answers: a verdict with an interval, or a refusal with what would help."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from remission.data import Floats
from remission.errors import SpecError
from remission.lab.trends.backtest import FALLS, RISES, crossing, interval

Verdict = Literal["crosses", "never", "undecided", "already", "refused"]
REACH = 4  # a trend is followed so many times as far as it was observed, and no further
SHOWN = 120  # points of the curve


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        line: the value to be crossed.
        below: the crossing is the first generation at or below the line; else at or above.
        until: the last generation of interest; None: as far as a trend may be followed.
        level: of all intervals.
    """

    line: float
    below: bool
    until: int | None = None
    level: float = 0.95

    def __post_init__(self) -> None:
        if not math.isfinite(self.line):
            raise SpecError(f"The line to be crossed must be a number. Got {self.line}.")
        if not 0.5 <= self.level < 1:
            raise SpecError(f"The level of an interval lies from 0.5 to below 1. Got {self.level:g}.")

    @property
    def side(self) -> int:
        """-1 when falling to the line, 1 when rising."""
        return FALLS if self.below else RISES


@dataclass(frozen=True, eq=False)
class Forecast:
    """The answer for one row.

    Attributes:
        verdict: ``crosses`` (more likely than not within the horizon); ``never`` (within the horizon, at the level);
            ``undecided`` (may cross within a horizon that was asked for, and may not); ``already``; ``refused``.
        generation: of the crossing, the median over simulated paths; None when there is none.
        low, high: interval of the generation of the crossing; high is None when it lies beyond the horizon.
        law_generation: where the law itself crosses, whatever this run's replicates did so far; None without a law.
        method: the law, or the trends with their weights.
        backtest_coverage: share of earlier forecasts in these data whose interval held; NaN when none could be made.
        backtest_n: how many these were.
        horizon: the last generation looked at.
        never: probability of no crossing within the horizon.
        reason: why it was refused, and what would help; empty otherwise.
        curve: rows ``generation, value, low, high`` after the last observation.
        observed: rows ``generation, value``.
        candidates: rows ``name, error, evidence, weight`` of the trends; ``error`` is the mean backtest error.
        drift: change a generation with its interval, on ``scale`` ``level`` or ``log``.
        times: generations of the crossing on simulated paths, infinite where there is none.
    """

    metric: str
    question: Question
    verdict: Verdict
    generation: int | None
    low: int | None
    high: int | None
    method: str
    backtest_coverage: float
    backtest_n: int
    horizon: int
    never: float
    reason: str
    curve: tuple[dict[str, float], ...]
    observed: tuple[dict[str, float], ...]
    candidates: tuple[dict[str, Any], ...]
    drift: dict[str, Any]
    times: Floats
    law_generation: int | None = None
    of: str = "line"
    name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return _sentence(self)

    def document(self) -> dict[str, Any]:
        """As plain values for JSON."""
        ask = self.question
        return {
            "metric": self.metric, "line": ask.line, "side": "below" if ask.below else "above", "of": self.of,
            "name": self.name, "verdict": self.verdict, "generation": self.generation, "low": self.low, "high": self.high, "law_generation": self.law_generation,
            "level": ask.level, "method": self.method, "backtest_coverage": self.backtest_coverage,
            "backtest_n": self.backtest_n, "horizon": self.horizon, "never": self.never, "reason": self.reason,
            "sentence": self.sentence, "n_observed": len(self.observed), "drift": self.drift, "curve": list(self.curve),
            "observed": list(self.observed), "candidates": list(self.candidates), "notes": list(self.notes),
        }  # fmt: skip


def answered(blank: Forecast, paths: Floats, last: int, unit: int) -> Forecast:
    """Crossing times and the curve of simulated paths; the verdict is still open."""
    question = blank.question
    times = last + unit * crossing(paths, question.line, question.side)
    middle, low, high = interval(times, question.level)
    tail = (1 - question.level) / 2
    told = next((time for time in (high, middle, low) if math.isfinite(time)), math.inf)
    end = int(min(paths.shape[1], max(12, 2 * (told - last) / unit)))  # what comes long after the crossing is of no use
    end = end if math.isfinite(high) else paths.shape[1]
    shown = np.unique(np.round(np.linspace(0, end - 1, min(SHOWN, end))).astype(int))
    bands = np.quantile(paths[:, shown], [tail, 0.5, 1 - tail], axis=0)
    curve = tuple(
        {"generation": float(last + unit * (h + 1)), "value": float(v), "low": float(a), "high": float(b)}
        for h, a, v, b in zip(shown, *bands, strict=True)
    )
    return replace(
        blank, generation=whole(middle), low=whole(low), high=whole(high), never=float(np.isinf(times).mean()),
        curve=curve, times=times, verdict="crosses" if math.isfinite(middle) else "never",
    )  # fmt: skip


def whole(time: float) -> int | None:
    """A generation as a whole number; None when there is none."""
    return int(time) if math.isfinite(time) else None


def decided(found: Forecast, asked: bool, unit: int) -> Forecast:
    """The verdict, or the refusal when the data cannot say."""
    last = int(found.observed[-1]["generation"])
    drift = found.drift
    flat = drift["low"] <= 0 <= drift["high"]
    change = (
        f"the change a generation is {drift['value']:.3g} [{drift['low']:.3g}, {drift['high']:.3g}]"
        f"{' of the logarithm' if drift['scale'] == 'log' else ''}"
    )
    if found.generation is not None:
        soon = found.low is not None and found.low <= last + unit
        if not (soon and found.high is None):
            return found
        why = f"no trend can be told from noise: {change}" if flat else "the models that fit disagree about everything"
        text = f"{why}, so it may cross at once or not by generation {found.horizon}. More generations would narrow it"
        return _refused(found, text)
    if found.low is None:
        return found
    if asked:
        return replace(found, verdict="undecided")
    lead = f"no trend can be told from noise: {change}; " if flat else ""
    text = (
        f"{lead}the crossing lies too far beyond what was observed: with probability {percent(found.never)} not by generation "
        f"{found.horizon}, {REACH} times as far as the row reaches (and not before {found.low} at {percent(found.question.level)}). "
        "Observe more generations, or ask with --until for the chance by a nearer one"
    )
    return _refused(found, text)


def _refused(found: Forecast, reason: str) -> Forecast:
    return replace(found, verdict="refused", generation=None, low=None, high=None, reason=reason)


def _sentence(found: Forecast) -> str:
    ask, level = found.question, percent(found.question.level)
    what = f"the {found.of} of {found.metric}" if found.of in ("median", "mean") else found.metric
    what = f"{what} of {found.name}" if found.name else what
    start = what[0].upper() + what[1:] if what.startswith("the ") else what
    where = where_of(ask.line, ask.below)
    if found.verdict == "already":
        return f"{start} is {where}: {found.reason}."
    if found.verdict == "refused":
        return f"No forecast of when {what} is {where}: {found.reason}."
    if found.verdict == "never":
        return f"{start} does not come to lie {where} within generation {found.horizon} (at {level})."
    law = f" (the law itself: {found.law_generation})" if found.law_generation is not None else ""
    if found.verdict == "undecided":
        return (
            f"{start} may or may not be {where} by generation {found.horizon}{law}: with probability "
            f"{percent(1 - found.never)} it is, and not before generation {found.low} (at {level})."
        )
    end = f"generation {found.high}" if found.high is not None else f"beyond the horizon, generation {found.horizon}"
    return f"{start} is first {where} in generation {found.generation}{law}; {level} interval: generation {found.low} to {end}."


def where_of(line: float, below: bool) -> str:
    """The side of the line that is asked for, in words."""
    return f"{'at or below' if below else 'at or above'} {line:.10g}"


def percent(share: float) -> str:
    """A share in per cent, to two digits in the middle and no more than is known at the ends."""
    return (
        f"{100 * share:.3g} %"
        if 0.005 <= share <= 0.995 or share in (0.0, 1.0)
        else "< 0.5 %"
        if share < 0.5
        else "> 99.5 %"
    )
