"""A law of a run, carried beyond the generations that were run, if it agrees with those that were."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from remission import registry
from remission.data import Floats, Integers
from remission.errors import RemissionError
from remission.lab.predictions import predictions
from remission.lab.trends.backtest import held
from remission.lab.trends.data import Lines
from remission.lab.trends.filter import Row, known_at, simulate
from remission.lab.trends.models import LEVEL, LOG, back, noises, onto
from remission.store import Run

REFUSED = 0.01  # a law is not used when what was measured is less likely than this under it
PATHS = 2000
FEWEST = 3  # replicates that say how far the summary may lie from the law
BEYOND = 24  # how many times as far as it was run a law is followed, unless a horizon is asked for


@dataclass(frozen=True, eq=False)
class Law:
    """A closed form for the row that is asked for.

    Attributes:
        name: of the law, with its row of the table of laws.
        values: for t = 1, 2 ..., on the scale of the row.
        used: it agrees with what was measured.
        remark: a sentence on that.
    """

    name: str
    values: Floats
    used: bool
    remark: str


_SCALES = {"mean": ("mean",), "median": ("median", "log-mean"), "each": ("log-mean", "median")}


def law_of_run(run: Run, lines: Lines, point: int, of: str) -> Law | None:
    """The law that speaks of this summary of this row, or None.

    The run's own experiment is taken with more generations. Several laws may speak: the first by name that agrees, with
    the names of those that say the same.
    """
    scales = _SCALES[of]
    rows = [row for row in run.facts["theory"] if row["point"] == point and row["metric"] == lines.metric]
    names = sorted({row["law"] for row in rows if row["scale"] in scales})
    if not names or len(lines.values) < FEWEST:
        return None
    experiment = run.experiment.points[point].experiment
    longer = dataclasses.replace(experiment, generations=experiment.generations * (BEYOND + 1))
    try:
        found, _ = predictions(longer.world())
    except RemissionError as error:
        return Law(names[0], np.empty(0), False, f"The law {names[0]} cannot be carried on: {error}")
    laws = []
    for one in found:
        if one.law in names and one.metric == lines.metric and one.scale in scales:
            values = np.exp(np.minimum(one.values, 700.0)) if one.scale == "log-mean" else one.values
            laws.append(_tested(lines, one.law, values, one.scale))
    best = next((law for law in laws if law.used), None)
    if best is None:
        return laws[0] if laws else None
    same = [law.name for law in laws if law.used and _same(law.values, best.values)]
    return dataclasses.replace(best, name=", ".join(same))


def _same(one: Floats, other: Floats) -> bool:
    n = min(len(one), len(other))
    return bool(np.allclose(one[:n], other[:n], rtol=1e-9, atol=0))


def _tested(lines: Lines, name: str, values: Floats, scale: str) -> Law:
    """Held against every generation measured; the level is shared among them (Bonferroni)."""
    from scipy.special import stdtr

    title = f"{name} ({registry.load('theory', name).row})"
    last = int(lines.generations[-1])
    beyond = np.flatnonzero(~np.isfinite(values[last:]))
    values = values[: last + int(beyond[0])] if beyond.size else values
    at = lines.generations - 1
    if values.size <= last or not np.isfinite(values[at]).all():
        return Law(title, values, False, f"The law {title} says nothing beyond generation {last}.")
    logs = (
        scale == "log-mean" and bool((lines.values[np.isfinite(lines.values)] > 0).all()) and bool((values > 0).all())
    )
    measured, expected = (np.log(lines.values), np.log(values[at])) if logs else (lines.values, values[at])
    count = np.isfinite(measured).sum(axis=0)
    if (count < FEWEST).any():
        return Law(
            title, values, False, f"The law {title} could not be tested: too few replicates in some generations."
        )
    if scale == "median":
        middle = np.nanmedian(measured, axis=0)
        spread = 1.2533 * (np.nanquantile(measured, 0.8413, axis=0) - np.nanquantile(measured, 0.1587, axis=0)) / 2
    else:
        middle, spread = np.nanmean(measured, axis=0), np.nanstd(measured, axis=0, ddof=1)
    error = spread / np.sqrt(count)
    gap = np.abs(middle - expected)
    rounding = 1e-9 * np.maximum(np.abs(expected), np.abs(middle))
    z = np.where(gap <= rounding, 0.0, gap / np.maximum(error, rounding + np.finfo(float).tiny))
    worst = int(z.argmax())
    p = min(1.0, 2 * len(z) * float(stdtr(float(count[worst] - 1), -z[worst])))
    if p < REFUSED:
        return Law(
            title, values, False,
            f"The law {title} does not fit: in generation {int(lines.generations[worst])} the replicates lie {z[worst]:.1f} "
            f"standard errors from it (p = {p:.1g}), so trends are used.",
        )  # fmt: skip
    return Law(title, values, True, f"The law {title} agrees with all {len(z)} generations measured (p = {p:.2g}).")


def law_backtest(law: Law, times: Integers, values: Floats, others: Any, side: int, level: float) -> list[bool]:
    """Whether intervals held that the law and the noise known at earlier origins gave; the law itself is not refitted."""
    m = len(times)
    hits: list[bool] = []
    for n in sorted({*np.linspace(max(2, m // 3), m - 1, 6).astype(int).tolist()}) if m > 3 else []:
        beside = None if others is None else (others[0][:, :n], *others[1:])
        paths = law_paths(law, times[:n], values[:n], beside, int(times[-1]), 400)
        hits += [row[0] for row in held([paths], times[n:] - times[n - 1], values[n:], side, level)]
    return hits


def law_paths(law: Law, times: Integers, values: Floats, others: Any, until: int | None, count: int = PATHS) -> Floats:
    """Simulated rows beyond the last generation: the law, and about it a noise learned from what was measured."""
    last = int(times[-1])
    steps = len(law.values) - last if until is None else min(len(law.values), until) - last
    line = law.values[times - 1]
    ahead = law.values[last : last + steps]
    scale = LOG if bool((law.values > 0).all() and (values > 0).all()) else LEVEL
    rest = onto(scale, values) - onto(scale, line)
    beside = None
    if others is not None:
        usable = scale == LEVEL or bool((others[0] > 0).all())
        if usable and not (others[2] and scale == LOG):
            beside = rest + onto(scale, others[0]) - onto(scale, values)
        else:
            beside = rest + (others[0] - values) / (values if scale == LOG else 1.0)
    row = Row(times - times[0], rest, np.ones(len(times)), beside, 1.0 if others is None else others[1], free=False)
    cells = noises(LEVEL)
    known = known_at(row, cells, [len(times)])[0]
    weight = np.exp(known.evidence - known.evidence.max())
    rng = np.random.default_rng(20)
    chosen = rng.choice(len(cells), count, p=weight / weight.sum())
    return back(scale, onto(scale, ahead) + simulate(known, cells, chosen, steps, rng))
