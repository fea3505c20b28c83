"""How many fresh human items a corpus of a given synthetic share needs: from the laws, or from simulated loops."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission import registry
from remission.clinic._plan_file import Question, Ranged
from remission.data import Floats
from remission.errors import SpecError
from remission.estimate import Estimate, mean_interval
from remission.lab.line import Line
from remission.lab.predictions import predictions
from remission.lab.search.crossing import (
    DECIDED,
    Axis,
    Crossing,
    NotBracketed,
    Rule,
    Search,
    SeveralCrossings,
    Undecided,
    first_look,
)
from remission.lab.search.trials import Tell, Trials
from remission.numerics.proportions import clopper_pearson
from remission.world import Theory, World

_PRECISION = 0.01  # of the number of fresh items that is wanted
_GENERAL = "moment-recursion"  # the law that holds for the most worlds comes first
_CHECKED = 200  # replicates with which a recommendation is tried

Need = Callable[[float], Ranged]  # synthetic share of what the corpus gives -> fresh items per generation


@dataclass(frozen=True)
class KeptAt:
    """How large a share of runs kept all lines where this share of every training set was human."""

    human: float
    kept: Estimate


@dataclass(frozen=True)
class Found:
    """What is known of the need.

    Attributes:
        method: ``exact`` (laws) or ``simulated``.
        need: fresh items for a corpus.
        human: the human share that every training set needs (a range: its interval), NaN when a law answers for each corpus.
        settled: whether that range is as narrow as was asked; else more replicates would narrow it.
        curve: what was simulated; empty for ``exact``.
        laws: names of the laws used.
        replicates: how many loops were run.
    """

    method: str
    need: Need
    human: Ranged
    curve: tuple[KeptAt, ...]
    laws: tuple[str, ...]
    replicates: int
    settled: bool = True


class Impossible(SpecError):  # noqa: N818
    """Not even human items alone keep the lines."""


def composite(question: Question, fresh: int, synthetic: float) -> dict[str, Any]:
    """Settings of the world with ``fresh`` human items per training set and the rest from a corpus of this share."""
    corpus = {"kind": "web", "synthetic": synthetic}
    return {"regime": {"kind": "fresh", "share": fresh / question.items, "base": corpus}}


def exact_need(question: Question) -> Found | None:
    """The need by closed forms, or None where they do not say all that was asked."""
    if question.confidence != "mean":
        return None
    laws: list[tuple[Line, list[Theory]]] = []
    world = question.experiment.at(composite(question, question.items // 2, 0.5)).experiment.world()
    found = predictions(world)[0]
    for line in question.lines:
        fitting = [
            one.law
            for one in found
            if one.metric == line.row and one.scale == "mean" and math.isfinite(float(one.values[-1]))
        ]
        if not fitting:
            return None
        laws.append((line, [registry.load("theory", name)() for name in sorted(fitting, key=_GENERAL.__ne__)]))

    def keeps(fresh: int, synthetic: float) -> bool:
        world = question.experiment.at(composite(question, fresh, synthetic)).experiment.world()
        return all(_predicted(known, world, line) >= 0 for line, known in laws)

    def need(synthetic: float) -> Ranged:
        low, high = 0, question.items
        if not keeps(high, synthetic):
            raise _impossible(question, "By the laws")
        if keeps(low, synthetic):
            return Ranged(0, 0, 0)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if keeps(middle, synthetic) else (middle, high)
        return Ranged(high, high, high)

    need(1.0)
    nothing = Ranged(math.nan, math.nan, math.nan)
    return Found("exact", need, nothing, (), tuple(sorted({known[0].name() for _, known in laws})), 0)


def _predicted(known: Sequence[Theory], world: World, line: Line) -> float:
    """How far the predicted mean of the last generation lies on the healthy side."""
    law = next((law for law in known if not law.refuses(world)), None)
    if law is None:
        raise SpecError(f"No law of {line.row} holds over the whole range. Simulate instead (--simulate).")
    values = next(one.values for one in law.predict(world) if one.metric == line.row and one.scale == "mean")
    return float(line.margin(values[-1:])[0])


def simulated_need(
    question: Question, workers: int, folder: Path | None, budget: int | None, tell: Tell | None
) -> Found:
    """The need by simulation: the smallest human share of the training set with which enough runs keep all lines.

    Raises:
        Impossible: not even human items alone keep them.
    """
    rows = list(dict.fromkeys(line.row for line in question.lines))
    trials = Trials(
        question.experiment,
        rows,
        at=question.at,
        above=_healthier(question, rows),
        workers=workers,
        folder=folder,
        tell=tell,
    )
    n = question.items
    rule = Rule(None if question.confidence == "mean" else float(question.confidence))
    if rule.share is None and len(question.lines) > 1:
        raise SpecError(
            "confidence = 'mean' with several lines has no single answer by simulation. Give a share such as 0.95."
        )

    def draw(wanted: Sequence[tuple[float, int]]) -> list[Floats]:
        asked = [({"regime.synthetic": 1.0 - human}, count) for human, count in wanted]
        trials.ask(asked)
        return [_margins(trials, question, settings, count) for settings, count in asked]

    axis = Axis(min(1.0 / n, 0.5), 1.0, log=True)
    tolerance = _PRECISION / max(math.log(1.0 / axis.low), _PRECISION)
    if budget is None:
        budget = max(4000, 20 * question.experiment.replicates, 60 * first_look(rule))
    nothing, settled = draw([(0.0, first_look(rule))])[0], True
    if rule.p_value(nothing) <= DECIDED and rule.signs(nothing).mean() > 0:
        human = Ranged(0.0, 0.0, 0.0)
    else:
        try:
            crossing = Search(draw, rule, axis, tolerance=tolerance, budget=budget).run()
            human, settled = Ranged(crossing.value, crossing.low, crossing.high), _narrow(crossing)
        except NotBracketed as error:
            if not error.kept:
                raise _impossible(question, "In simulation") from error
            human = Ranged(axis.low, 0.0, axis.low)
        except Undecided as error:
            raise _too_close(question, error) from error
        except SeveralCrossings as error:
            raise SpecError(
                f"The lines are kept and lost again as the human share grows ({error}). A plan needs lines that more human data helps."
            ) from error

    def need(synthetic: float) -> Ranged:
        return Ranged(*(_fresh(n, share, synthetic) for share in (human.value, human.low, human.high)))

    return Found("simulated", need, human, _curve(trials, question), (), trials.made, settled)


def _narrow(crossing: Crossing) -> bool:
    """Whether the need is known well enough to buy by: to a fifth of itself."""
    return crossing.settled or crossing.high - crossing.low <= 0.2 * crossing.value


def _too_close(question: Question, error: Undecided) -> SpecError:
    what = "Human items alone" if error.end == 1.0 else "A training set without human items"
    return SpecError(
        f"{what}: too close to the line to tell whether it is kept ({error.told}). Raise items, loosen the line or the confidence"
        + (f", or allow about {error.needed} replicates (--budget)." if error.needed else ".")
    )


def _fresh(n: int, human: float, synthetic: float) -> float:
    """Fresh items so that a share ``human`` of n is human, when the corpus gives 1 - synthetic of its own."""
    if 1.0 - synthetic >= human:
        return 0.0
    return n * (1.0 - (1.0 - human) / synthetic)


def _healthier(question: Question, rows: Sequence[str]) -> list[bool]:
    sides = {row: {line.above for line in question.lines if line.row == row} for row in rows}
    both = [row for row, found in sides.items() if len(found) > 1]
    if both and question.at == "worst":
        raise SpecError(
            f"'{both[0]}' has a line on both sides; with at = 'worst' only one can be read. Set at = 'last'."
        )
    return [next(iter(sides[row])) for row in rows]


def _margins(trials: Trials, question: Question, settings: dict[str, Any], count: int) -> Floats:
    """The margin of the line that is kept worst, per replicate; its sign says whether all are kept."""
    found = [line.margin(trials.values(settings, count, row=trials.rows.index(line.row))) for line in question.lines]
    if len(found) == 1:
        return found[0]
    return np.where(np.all([margin >= 0 for margin in found], axis=0), 1.0, -1.0)


def _curve(trials: Trials, question: Question) -> tuple[KeptAt, ...]:
    points = []
    for settings, values in trials.seen({}, "regime.synthetic"):
        kept = int((_margins(trials, question, dict(settings), values.size) >= 0).sum())
        low, high = clopper_pearson(kept, values.size, 0.95)
        share = Estimate(kept / values.size, low, high, 0.95, "Clopper-Pearson", values.size)
        points.append(KeptAt(1.0 - float(settings["regime.synthetic"]), share))
    return tuple(sorted(points, key=lambda point: point.human))


def _impossible(question: Question, how: str) -> Impossible:
    told = ", ".join(map(str, question.lines))
    return Impossible(
        f"{how} not even {question.items} human items per generation keep {told} "
        f"({'in expectation' if question.confidence == 'mean' else f'in {100 * float(question.confidence):g} % of runs'}): "
        f"the sampling noise of so few is too large. Raise items, or loosen the line or the confidence."
    )


def checked(question: Question, fresh: int, synthetic: float, workers: int) -> Estimate:
    """New runs with the plan as it is: so many fresh items, the rest from the corpus.

    The share that keeps all lines; with confidence = "mean" the mean of the row.
    """
    rows = list(dict.fromkeys(line.row for line in question.lines))
    base = dataclasses.replace(question.experiment, seed=question.experiment.seed + 1)
    trials = Trials(base, rows, at=question.at, above=_healthier(question, rows), workers=workers)
    margins = _margins(trials, question, composite(question, fresh, synthetic), _CHECKED)
    if question.confidence == "mean":
        return mean_interval(trials.values(composite(question, fresh, synthetic), _CHECKED))
    kept = int((margins >= 0).sum())
    low, high = clopper_pearson(kept, margins.size, 0.95)
    return Estimate(kept / margins.size, low, high, 0.95, "Clopper-Pearson", margins.size)
