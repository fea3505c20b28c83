"""Where a parameter tips a loop: the place, its interval, whether it is a threshold or a slope, and what theory says.

The line to keep is crossed where half of the replicates keep it (or another share, or where the mean crosses). A crossing
alone is no tipping point: of a slope every level is crossed somewhere. It is called a *threshold* when more than half of what
changes in the quarter of the range around the crossing changes within a twentieth of the range: of a straight slope a fifth would.
(Where these windows are cut off by an end of the range the half is moved up accordingly.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from remission.errors import SpecError
from remission.lab.line import Line
from remission.lab.search.asking import (
    Asker,
    CurvePoint,
    LongRun,
    Of,
    Sudden,
    Verdict,
    axis_of,
    rule_of,
    without_sweep,
)
from remission.lab.search.boundary import Boundary
from remission.lab.search.crossing import Crossing, NotBracketed, first_look
from remission.lab.search.trials import At, Settings, Tell, Trials
from remission.spec import Experiment

COLLAPSED = {"initial.state": "collapsed", "initial.distinct": 1}


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
        warnings: what a reader must know.
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
    warnings: tuple[str, ...] = ()

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
            "theory": [one.table() for one in self.theory], "replicates": self.replicates, "warnings": list(self.warnings),
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
    rule = rule_of(of)
    if long_run and (experiment.generations < 4 or key in ("generations", "experiment.generations")):
        raise SpecError(
            "The long run is read from a quarter, half and all of the generations: at least 4, and the same everywhere."
        )
    if budget is None:
        budget = max(2000, 20 * experiment.replicates, 40 * first_look(rule))
    trials = Trials(experiment, [line.row], at=at, above=[line.above], workers=workers, folder=folder, tell=tell)
    ask = Asker(trials, key, line, of, axis, level, tolerance, budget)
    base: Settings = {}
    crossing = ask.search(base)
    sudden = ask.sudden(base, crossing)
    found = Tipping(key, line, of, at, level, sudden.verdict, crossing, sudden, ask.curve(base), ask.theory(base), trials.made,
                    warnings=ask.warnings(base, crossing))  # fmt: skip
    if long_run:
        try:
            found = replace(found, long_run=ask.long_run(base, crossing))
        except NotBracketed as error:
            kept = "not lost anywhere yet" if error.kept else "lost everywhere"
            told = f"At an earlier horizon the line is {kept}: raise generations to see where the crossing heads."
            found = replace(found, long_run_told=told)
        except SpecError as error:  # the answer so far is not thrown away
            found = replace(found, long_run_told=f"At an earlier horizon: {error}")
    if hysteresis:
        try:
            collapsed = ask.search(COLLAPSED)
            found = replace(found, collapsed=collapsed)
        except NotBracketed as error:
            kept = "recovers everywhere" if error.kept else "recovers nowhere"
            found = replace(found, collapsed_told=f"From a collapsed start the loop {kept} in the range.")
        except SpecError as error:
            found = replace(found, collapsed_told=f"From a collapsed start: {error}")
        found = replace(found, collapsed_curve=ask.curve(COLLAPSED))
    return replace(found, replicates=trials.made)


def sentence(found: Tipping) -> str:
    """The answer in plain words."""
    crossing, percent = found.crossing, f"{100 * found.level:g} %"
    of = {"median": "half of the replicates keep", "mean": "the mean keeps"}.get(
        str(found.of), f"{found.of} of the replicates keep"
    )
    side = "above" if crossing.rising else "below"
    place = f"{crossing.value:.4g} ({percent} interval {crossing.low:.4g} to {crossing.high:.4g})"
    near = _how_sudden(found.sudden)
    told = {
        "threshold": f"A threshold: {side} {found.key} = {place} {of} {found.line}. {near}.",
        "no-threshold": f"No threshold but a smooth slope; {side} {found.key} = {place} {of} {found.line}. {near}.",
        "undecided": f"Undecided whether this is a threshold; {side} {found.key} = {place} {of} {found.line}. {near}; a larger "
        f"budget or another range may decide.",
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
        limit = f"{run.value:.4g} ({run.low:.4g} to {run.high:.4g})"
        told = (
            f"heading for {limit} with more generations"
            if run.moves
            else f"no move within noise; in the long run {limit}"
        )
        if math.isnan(run.value):
            told = "its shifts do not shrink, so no limit is in sight"
        seen = ", ".join(f"{one.value:.4g} at {t}" for t, one in zip(run.horizons, run.crossings, strict=True))
        lines.append(f"By generation: {seen}; {told}.")
    return "\n".join(lines)


def _how_sudden(sudden: Sudden) -> str:
    near, wide = ("{:.4g} and {:.4g}".format(*ends) for ends in (sudden.window, sudden.wide))
    if math.isnan(sudden.share):
        return f"There are too few whole numbers between {wide}, or the crossing is known too badly, to tell a jump from a slope"
    part = f"{100 * sudden.share:.0f} % [{100 * sudden.low:.0f}, {100 * sudden.high:.0f}]"
    return f"{part} of what changes between {wide} changes between {near} (a threshold from {100 * sudden.limit:.0f} %)"
