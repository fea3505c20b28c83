"""A phase diagram: over two parameters, where a line is kept and where it is lost, refined where neighbours differ."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from remission.data import Floats
from remission.errors import SpecError
from remission.lab.line import Line
from remission.lab.search import boundary
from remission.lab.search.asking import Of, axis_of, rule_of, without_sweep
from remission.lab.search.boundary import Boundary
from remission.lab.search.crossing import DECIDED, Axis, Rule, first_look
from remission.lab.search.trials import At, Tell, Trials
from remission.spec import Experiment

Phase = Literal["kept", "lost", "undecided"]
Range = tuple[str, float, float]  # parameter, low, high

_CELLS = 4  # of the first grid, along each axis
_LOOKS = 3  # doublings of the replicates of an undecided point
_SIGNS = {"kept": "·", "lost": "█", "undecided": "?"}


@dataclass(frozen=True)
class PhasePoint:
    """One point of the grid: its place, its phase, the share of n replicates that keep the line."""

    x: float
    y: float
    phase: Phase
    kept: float
    n: int


@dataclass(frozen=True)
class Edge:
    """Between which values of the second parameter the phase changes, at one value of the first."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Phases:
    """The diagram.

    Attributes:
        x, y: the two parameters and their ranges.
        points: all that were looked at; between them a cell whose corners agree is taken to be of their phase.
        boundary: where the phase changes along the second parameter.
        theory: (value of the first parameter, what is known of the second there).
        replicates: how many were run.
    """

    x: Range
    y: Range
    line: Line
    of: Of
    at: At
    points: tuple[PhasePoint, ...]
    boundary: tuple[Edge, ...]
    theory: tuple[tuple[float, Boundary], ...]
    replicates: int
    rows: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The fields of ``tipping --and ... --json``."""
        rising = self._kept_side()
        return {
            "over": self.x[0], "and": self.y[0], "keep": str(self.line), "of": self.of, "at": self.at, "side": rising,
            "points": [vars(point) for point in self.points], "boundary": [vars(edge) for edge in self.boundary],
            "theory": [{"x": x, "y": one.value} | one.table() for x, one in self.theory], "replicates": self.replicates,
        }  # fmt: skip

    def _kept_side(self) -> str:
        kept = [point.y for point in self.points if point.phase == "kept"]
        lost = [point.y for point in self.points if point.phase == "lost"]
        if not kept or not lost:
            return f"the line is {'kept' if kept else 'lost'} everywhere"
        above = sum(kept) / len(kept) > sum(lost) / len(lost)
        return f"the line is kept {'above' if above else 'below'} it"

    def drawn(self) -> str:
        """The diagram in characters, the second parameter upwards."""
        head = f"{self.line}: {_SIGNS['kept']} kept  {_SIGNS['lost']} lost  {_SIGNS['undecided']} undecided"
        body = [
            f"{'' if k not in (0, len(self.rows) - 1) else self._end(k):>10} {row}" for k, row in enumerate(self.rows)
        ]
        left, right = f"{self.x[1]:.4g}", f"{self.x[2]:.4g}"
        foot = f"{'':>10} {left}{right:>{max(1, len(self.rows[0]) - len(left))}}"
        return "\n".join([head, f"{self.y[0]:>10}", *body, foot, f"{'':>10} {self.x[0]}"])

    def _end(self, row: int) -> str:
        return f"{self.y[2] if row == 0 else self.y[1]:.4g}"


def phases(
    experiment: Experiment,
    x: Range,
    y: Range,
    line: Line,
    *,
    of: Of = "median",
    at: At = "last",
    depth: int = 3,
    budget: int | None = None,
    workers: int = 1,
    folder: Path | None = None,
    tell: Tell | None = None,
) -> Phases:
    """Tell the phases apart on a grid of 4 x 4 cells whose undecided cells are halved ``depth`` times.

    Args:
        experiment: without a sweep over other parameters.
        x: the first parameter and its range.
        y: the second one.
        line: what is to be kept.
        of: which part of the replicates must keep it, as of :func:`~remission.lab.tipping.tipping`.
        at: what is read of a run, likewise.
        depth: how often cells whose corners differ are halved.
        budget: replicates in all; refinement stops there. No limit when left out.
        workers: processes.
        folder: where readings are kept, so that the same call goes on.
        tell: called with how far it is.

    Raises:
        SpecError: no such row or parameter, an impossible range, or the same parameter twice.
    """
    if x[0] == y[0]:
        raise SpecError(f"A phase diagram needs two different parameters. Got '{x[0]}' twice.")
    rule, experiment = rule_of(of), without_sweep(experiment, [x[0], y[0]])
    axes = axis_of(experiment, *x, False), axis_of(experiment, *y, False)
    trials = Trials(experiment, [line.row], at=at, above=[line.above], workers=workers, folder=folder, tell=tell)
    grid = _Grid(trials, (x[0], y[0]), axes, line, rule)
    step = 1 << depth
    cells = [(i * step, j * step, step) for i in range(_CELLS) for j in range(_CELLS)]
    side = _CELLS * step
    grid.side = side
    grid.look([corner for cell in cells for corner in _corners(cell)])
    done: list[tuple[int, int, int]] = []
    while cells:
        split = [
            cell for cell in cells if cell[2] > 1 and len({grid.found[corner].phase for corner in _corners(cell)}) > 1
        ]
        if budget is not None and trials.made + 5 * first_look(rule) * len(split) > budget:
            split = []
        done += [cell for cell in cells if cell not in split]
        cells = [part for cell in split for part in _parts(cell)]
        grid.look([corner for cell in cells for corner in _corners(cell)])
    points = tuple(grid.found[place] for place in sorted(grid.found))
    theory = _theory(grid, line) if at == "last" else ()
    return Phases(x, y, line, of, at, points, grid.edges(), theory, trials.made, _rows(grid, done))


def _corners(cell: tuple[int, int, int]) -> list[tuple[int, int]]:
    i, j, step = cell
    return [(i, j), (i + step, j), (i, j + step), (i + step, j + step)]


def _parts(cell: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    i, j, step = cell
    half = step // 2
    return [(i + a, j + b, half) for a in (0, half) for b in (0, half)]


class _Grid:
    """Points by their whole-numbered place."""

    def __init__(self, trials: Trials, keys: tuple[str, str], axes: tuple[Axis, Axis], line: Line, rule: Rule) -> None:
        self.trials, self.keys, self.axes, self.line, self.rule = trials, keys, axes, line, rule
        self.found: dict[tuple[int, int], PhasePoint] = {}
        self.side = 1

    def settings(self, place: tuple[int, int]) -> dict[str, Any]:
        values = [axis.at(number / self.side) for axis, number in zip(self.axes, place, strict=True)]
        return {
            key: round(value) if axis.whole else value
            for key, axis, value in zip(self.keys, self.axes, values, strict=True)
        }

    def look(self, places: Sequence[tuple[int, int]]) -> None:
        """Tell the phase of new places; more replicates where it is undecided."""
        waiting, count = sorted({place for place in places if place not in self.found}), first_look(self.rule)
        for _ in range(_LOOKS + 1):
            asked = [(self.settings(place), count) for place in waiting]
            self.trials.ask(asked)
            for place, (settings, _) in zip(waiting, asked, strict=True):
                self.found[place] = self._point(settings, self.trials.values(settings, count))
            waiting = [place for place in waiting if self.found[place].phase == "undecided"]
            count *= 2

    def _point(self, settings: dict[str, Any], values: Floats) -> PhasePoint:
        margins = self.line.margin(values)
        phase: Phase = "undecided"
        if self.rule.p_value(margins) <= DECIDED:
            phase = "kept" if self.rule.signs(margins).mean() > 0 else "lost"
        x, y = (float(settings[key]) for key in self.keys)
        return PhasePoint(x, y, phase, float((margins >= 0).mean()), values.size)

    def edges(self) -> tuple[Edge, ...]:
        """Along every column, the pairs of decided neighbours of different phase."""
        found = []
        for i in sorted({place[0] for place in self.found}):
            column = [self.found[place] for place in sorted(self.found) if place[0] == i]
            column = [point for point in column if point.phase != "undecided"]
            found += [
                Edge(low.x, (low.y + high.y) / 2, low.y, high.y)
                for low, high in itertools.pairwise(column)
                if low.phase != high.phase
            ]
        return tuple(found)


def _theory(grid: _Grid, line: Line) -> tuple[tuple[float, Boundary], ...]:
    """What is known of the second parameter along the first."""
    x, y = grid.axes
    found = []
    for k in range(2 * _CELLS + 1):
        value = x.at(k / (2 * _CELLS))

        def world(other: float, value: float = value) -> Any:
            settings = {
                grid.keys[0]: round(value) if x.whole else value,
                grid.keys[1]: round(other) if y.whole else other,
            }
            return grid.trials.experiment.at(settings).experiment.world()

        known = boundary.thresholds(world(y.at(0.5)), grid.keys[1]) + boundary.crossings(world, line, y.at)
        found += [(value, one) for one in known if y.low <= one.value <= y.high and one.start != "collapsed"]
    return tuple(found)


def _rows(grid: _Grid, cells: Sequence[tuple[int, int, int]]) -> tuple[str, ...]:
    """The diagram as rows of characters, top row first: a cell shows the phase of its corners, or what was seen in it."""
    phase = [["undecided"] * grid.side for _ in range(grid.side)]
    for i, j, step in cells:
        seen = [grid.found[corner].phase for corner in _corners((i, j, step))]
        for a in range(i, i + step):
            for b in range(j, j + step):
                phase[b][a] = seen[0] if len(set(seen)) == 1 else "undecided"
    return tuple("".join(_SIGNS[word] * 2 for word in row) for row in reversed(phase))
