"""When does a metric cross a line? From the generations so far, with an interval that was tested on those very data.

A law of the run is used where one applies and agrees with what was measured; otherwise trends are fitted, and the
forecasts they would have made earlier in the same data decide which count and how wide the interval must be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from remission.data import Floats, Integers
from remission.errors import SpecError
from remission.estimate import mean_is_estimable
from remission.lab.trends.answer import REACH as REACH
from remission.lab.trends.answer import Forecast as Forecast
from remission.lab.trends.answer import Question as Question
from remission.lab.trends.answer import Verdict, answered, decided, percent, where_of, whole
from remission.lab.trends.backtest import FEWEST, Backtest, Trends, backtest, crossing, interval
from remission.lab.trends.data import Lines as Lines
from remission.lab.trends.data import lines_of_run, lines_of_table
from remission.lab.trends.filter import Row
from remission.lab.trends.law import Law as Law
from remission.lab.trends.law import law_backtest, law_of_run, law_paths
from remission.store import Run

Of = Literal["median", "mean", "each"]
Progress = Callable[[float, float], None]
PATHS = 2000
TESTED = 40  # lines on which a law is tested at earlier origins
MOST_STEPS = 5000
LARGEST = 1e100  # squares of what is larger overflow


def forecast_run(
    run: Run, metric: str, question: Question, point: int = 0, of: Of | None = None, progress: Progress | None = None
) -> list[Forecast]:
    """Forecast a row of a stored run.

    Args:
        run: its folder, finished or not.
        metric: the row.
        question: what to find.
        point: the grid point of a sweep.
        of: the ``median`` or ``mean`` over replicates, or ``each`` of them; None: the mean, unless replicates are too
            few to carry it or a law speaks of the logarithm.
        progress: called with lines done and wanted.

    Returns one forecast, or one for each replicate. Raises SpecError, DataError.
    """
    lines = lines_of_run(run, metric, point)
    of = _usual(lines, run, point) if of is None else of
    law = law_of_run(run, lines, point, of)
    last = lines.values[np.isfinite(lines.values[:, -1]), -1]
    if of == "mean" and not mean_is_estimable(last):
        note = "The mean is carried by replicates too rare to be seen among these; the median can be believed."
        lines = replace(lines, notes=(*lines.notes, note))
    return forecast_lines(lines, question, of, law, progress)


def forecast_table(
    path: Path,
    metric: str,
    question: Question,
    generation: str = "generation",
    of: Of | None = None,
    progress: Progress | None = None,
) -> list[Forecast]:
    """Forecast a column of a table, see :func:`remission.lab.trends.data.lines_of_table`. Raises SpecError, DataError."""
    lines = lines_of_table(path, metric, generation)
    return forecast_lines(lines, question, of or "median", None, progress)


def _usual(lines: Lines, run: Run, point: int) -> Of:
    scales = {row["scale"] for row in run.facts["theory"] if row["point"] == point and row["metric"] == lines.metric}
    if "log-mean" in scales or len(lines.values) < 2:
        return "median"
    kept = (column[np.isfinite(column)] for column in lines.values.T)
    return "mean" if all(mean_is_estimable(column) for column in kept) else "median"


def forecast_lines(
    lines: Lines, question: Question, of: Of, law: Law | None = None, progress: Progress | None = None
) -> list[Forecast]:
    """Forecast lines that are in memory: their ``median`` or ``mean``, or ``each``.

    >>> t = np.arange(1, 13)
    >>> lines = Lines("kept", t, (0.9 ** t + 0.001 * (-1.0) ** t)[None])
    >>> forecast_lines(lines, Question(0.2, below=True), "median")[0].generation
    16
    """
    if of not in ("median", "mean", "each"):
        raise SpecError(f"A forecast is of the median, the mean, or each. Got '{of}'.")
    if question.until is not None and question.until <= int(lines.generations[-1]):
        raise SpecError(
            f"The horizon must lie beyond the last generation observed, {int(lines.generations[-1])}. Got {question.until}."
        )
    if of != "each":
        if len(lines.values) > 1 and not np.isfinite(lines.values).all():
            note = f"Not every line was measured in every generation; the {of} is over those that were."
            lines = replace(lines, notes=(*lines.notes, note))
        return [_one(*_summarised(lines, of), lines, question, of if len(lines.values) > 1 else "line", law, None)]
    tasks = []
    for i, name in enumerate(lines.names):
        here = np.isfinite(lines.values[i])
        error = None if lines.errors is None else lines.errors[i, here]
        tasks.append((name, lines.generations[here], lines.values[i, here], error))
    return _each(tasks, lines, question, law, progress)


def _each(tasks: list[Any], lines: Lines, question: Question, law: Law | None, progress: Any) -> list[Forecast]:
    """One forecast a line; what earlier forecasts of all lines say decides the weights and widths of each."""
    prepared = []
    for done, (_, times, values, error) in enumerate(tasks):
        fits = _refusal(times, values, question) is None and law is None
        prepared.append(_prepared(times, values, error, None, question) if fits else None)
        if progress is not None:
            progress(done + 1, len(tasks))
    tests = [one[1] for one in prepared if one is not None]
    shared, pooled = _shared(tests), tests[0].joined(tests[1:]) if tests else None
    out: list[Forecast] = []
    for (name, times, values, error), ready in zip(tasks, prepared, strict=True):
        if ready is not None and pooled is not None:
            ready = ready[0], replace(pooled, scores=_weighed(ready[1], shared))
        one = _one(times, values, error, None, lines, question, "each", law, ready, len(out) < TESTED)
        out.append(replace(one, name=name))
    return out


def _shared(tests: list[Backtest]) -> dict[str, float]:
    """Mean weight of every candidate over the lines that have it."""
    found: dict[str, list[float]] = {}
    for test in tests:
        for score in test.scores:
            found.setdefault(score.name, []).append(score.weight)
    return {name: float(np.sum(weights)) / len(tests) for name, weights in found.items()}


def _weighed(test: Backtest, shared: dict[str, float]) -> Any:
    total = sum(shared[score.name] for score in test.scores)
    return tuple(replace(score, weight=shared[score.name] / total) for score in test.scores)


def _summarised(lines: Lines, of: Of) -> tuple[Integers, Floats, Floats | None, Any]:
    """Generations, summary values, their errors, and the replicates that inform the noise."""
    middle = np.nanmean if of == "mean" else np.nanmedian
    if len(lines.values) == 1:
        return lines.generations, lines.values[0], None if lines.errors is None else lines.errors[0], None
    values = np.asarray(middle(lines.values, axis=0))
    whole = lines.values[np.isfinite(lines.values).all(axis=1)]
    if len(whole) < 8:
        return lines.generations, values, None, None
    some = whole[np.linspace(0, len(whole) - 1, min(len(whole), 64)).astype(int)]
    ratio = (1.0 if of == "mean" else math.pi / 2) / len(whole)
    return lines.generations, values, None, (some, ratio, of == "mean")


def _unit(times: Integers) -> int:
    """Generations a step: the greatest common divisor of the gaps."""
    return int(np.gcd.reduce(np.diff(times))) if len(times) > 1 else 1


def _refusal(times: Integers, values: Floats, question: Question) -> tuple[Verdict, str, int | None] | None:
    """What can be said without a fit: already crossed, too little, too sparse, or constant."""
    beyond = values <= question.line if question.below else values >= question.line
    if beyond.any():
        first = int(times[beyond.argmax()])
        again = "" if beyond[-1] else f"; in generation {int(times[-1])} it is on the other side again"
        return "already", f"it was so in generation {first} already{again}", first
    if len(times) < FEWEST:
        more = FEWEST - len(times)
        return (
            "refused",
            f"{len(times)} generations are too few: {more} more would do, at least {FEWEST} are needed",
            None,
        )
    if (times[-1] - times[0]) // _unit(times) > MOST_STEPS:
        return "refused", f"the generations lie too unevenly: more than {MOST_STEPS} steps of {_unit(times)}", None
    if np.abs(values).max() > LARGEST:
        return "refused", f"values go beyond {LARGEST:g}: forecast the logarithm of the row instead", None
    if np.ptp(values) == 0:
        return "refused", "the row has not moved at all, so there is neither a trend nor a noise to learn from", None
    return None


def _prepared(
    times: Integers, values: Floats, error: Floats | None, others: Any, question: Question
) -> tuple[Trends, Backtest]:
    unit = _unit(times)
    size = np.ones(len(times))
    if error is not None and (error > 0).all():
        size = error / math.sqrt(float((error**2).mean()))
    row = Row((times - times[0]) // unit, values, size)
    if others is not None:
        row = replace(row, others=others[0], ratio=others[1], mean=others[2])
    trends = Trends(row, max(0.0, float(times[0]) / unit), np.random.default_rng(20))
    return trends, backtest(trends, question.side, question.level)


def _one(
    times: Integers, values: Floats, error: Floats | None, others: Any, lines: Lines, question: Question, of: str,
    law: Law | None, ready: tuple[Trends, Backtest] | None, tested: bool = True,
) -> Forecast:  # fmt: skip
    """The forecast of one row of numbers."""
    here = np.isfinite(values)
    times, values = times[here], values[here]
    observed = tuple({"generation": int(t), "value": float(v)} for t, v in zip(times, values, strict=True))
    last, span = int(times[-1]), int(times[-1] - times[0])
    notes = list(lines.notes)
    blank = Forecast(
        lines.metric, question, "refused", None, None, None, "none", math.nan, 0, question.until or last, math.nan, "",
        (), observed, (), {}, np.empty(0), of=of,
    )  # fmt: skip
    said = _refusal(times, values, question)
    if said is not None and said[0] == "already":
        at = said[2]
        return replace(
            blank, verdict="already", generation=at, low=at, high=at, method="observed", reason=said[1], notes=tuple(notes),
            never=0.0, times=np.array([float(at or 0)]),
        )  # fmt: skip
    if law is not None:
        notes.append(law.remark)
        if law.used:
            return _by_law(blank, law, times, values, others, notes, tested)
    if said is not None:
        return replace(blank, reason=said[1], notes=tuple(notes))
    trends, test = ready or _prepared(times, values, error, others, question)
    unit = _unit(times)
    farthest = last + REACH * span
    horizon = farthest if question.until is None else min(question.until, farthest)
    steps = max(1, (horizon - last) // unit)
    counts = [round(PATHS * score.weight) for score in test.scores]
    paths = trends.widened(trends.paths(trends.known[-1], counts, steps), test.width)
    named = sorted((score for score in test.scores if score.weight >= 0.05), key=lambda score: -score.weight)
    method = "trend: " + ", ".join(f"{score.name} ({score.weight:.0%})".replace("%", " %") for score in named)
    ranked = sorted(test.scores, key=lambda score: -score.weight)
    table = tuple({"name": s.name, "error": s.error, "evidence": s.evidence, "weight": s.weight} for s in ranked)
    blank = replace(
        blank, method=method, backtest_coverage=test.coverage, backtest_n=len(test.hits), candidates=table,
        drift=_drift(trends, unit, question.level), horizon=last + steps * unit, notes=tuple(notes),
    )  # fmt: skip
    asked = question.until is not None and question.until <= farthest
    return decided(answered(blank, paths, last, unit), asked, unit)


def _by_law(
    blank: Forecast, law: Law, times: Integers, values: Floats, others: Any, notes: list[str], tested: bool
) -> Forecast:
    """The crossing of a row that scatters about a law."""
    count = PATHS if blank.of != "each" else PATHS // 4
    paths, last = law_paths(law, times, values, others, blank.question.until, count), int(times[-1])
    horizon = last + paths.shape[1]
    blank = replace(blank, method=f"law: {law.name}", horizon=horizon, notes=tuple(notes))
    if tested:
        hits = law_backtest(law, times, values, others, blank.question.side, blank.question.level)
        blank = replace(blank, backtest_coverage=float(np.mean(hits)) if hits else math.nan, backtest_n=len(hits))
    found = answered(blank, paths, last, 1)
    at = crossing(law.values[None, last:horizon], blank.question.line, blank.question.side)[0]
    found = replace(found, law_generation=whole(last + at))
    return replace(found, verdict="undecided") if found.generation is None and found.low is not None else found


def _drift(trends: Trends, unit: int, level: float) -> dict[str, Any]:
    """The drift of the random walk on the scale of comparison."""
    name = "random walk with drift" + (" of the log" if trends.logs else "")
    number = next(i for i, one in enumerate(trends.candidates) if one.name == name)
    known = trends.known[-1]
    here = np.flatnonzero(trends.owner == number)
    chosen = trends.rng.choice(here, PATHS, p=trends.within(known)[here])
    sigma = np.sqrt(known.square[chosen] / trends.rng.chisquare(known.dof, PATHS))
    spread = np.sqrt((known.root[chosen, 1] ** 2).sum(axis=1))
    draws = (known.coefficients[chosen, 1] + sigma * spread * trends.rng.standard_normal(PATHS)) / unit
    low, middle, high = np.quantile(draws, [(1 - level) / 2, 0.5, (1 + level) / 2])
    return {"value": float(middle), "low": float(low), "high": float(high), "scale": "log" if trends.logs else "level"}


def summary_of(found: Sequence[Forecast]) -> dict[str, Any]:
    """One document: of the only forecast, or of each line under ``lines`` and of a line picked at random above it.

    Of several, the crossing times of all lines are thrown together; a line that was refused takes part with its own
    simulated times, because leaving out those that cannot be told would favour early crossings.
    """
    first = found[0]
    if len(found) == 1:
        return first.document() | {"lines": []}
    told = [one for one in found if one.times.size]
    if not told:
        return first.document() | {"name": "", "lines": [_short(one) for one in found], "curve": [], "observed": []}
    horizon = (
        min(one.horizon for one in told if one.verdict != "already")
        if any(one.verdict != "already" for one in told)
        else max(one.horizon for one in told)
    )
    draws = np.concatenate([np.resize(one.times, PATHS) for one in told])
    draws = np.where(draws <= horizon, draws, math.inf)
    middle, low, high = (whole(time) for time in interval(draws, first.question.level))
    counts = {verdict: sum(one.verdict == verdict for one in found) for verdict in get_args(Verdict)}
    verdict = "crosses" if middle is not None else "never" if low is None else "undecided"
    where = where_of(first.question.line, first.question.below)
    beyond = f"beyond the horizon, generation {horizon}"
    text = (
        f"{first.metric} of one of the {len(found)} lines, picked at random, is first {where} in generation "
        f"{middle or beyond}; {percent(first.question.level)} interval: generation {low or beyond} to {high or beyond}. "
        f"Of the lines, {', '.join(f'{number} {_COUNTED[name]}' for name, number in counts.items() if number)}."
    )
    tested = [one for one in told if one.backtest_n]
    held = [one.backtest_coverage for one in tested]
    by_law = first.method.startswith("law") or told[-1].method.startswith("law")
    count = sum(one.backtest_n for one in tested) if by_law else tested[0].backtest_n if tested else 0
    return first.document() | {
        "name": "", "verdict": verdict, "generation": middle, "low": low, "high": high, "horizon": horizon,
        "never": float(np.isinf(draws).mean()), "sentence": text, "reason": "", "curve": [], "observed": [], "drift": {},
        "candidates": list(told[-1].candidates), "method": told[-1].method, "backtest_coverage": float(np.mean(held)) if held else math.nan,
        "backtest_n": count, "counts": counts, "lines": [_short(one) for one in found],
    }  # fmt: skip


_COUNTED = {
    "crosses": "cross", "never": "do not within the horizon", "undecided": "are undecided", "already": "have crossed",
    "refused": "cannot be told",
}  # fmt: skip


def _short(one: Forecast) -> dict[str, Any]:
    keys = ("name", "verdict", "generation", "low", "high", "never", "horizon", "reason", "n_observed")
    return {key: value for key, value in one.document().items() if key in keys}
