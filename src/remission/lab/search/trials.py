"""Replicates of an experiment at settings that are chosen one after the other, each run once and kept.

A search asks for a few replicates here, more there. Every replicate is the one a sweep with this point would have run:
the same numbers, whatever else was asked for before. With a journal a search that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from remission.checks import check_experiment
from remission.data import Array, Floats
from remission.engines.local import map_units
from remission.errors import SpecError, StoreError, did_you_mean
from remission.lab.execute import block_size, resolved
from remission.lab.facts import directions_of
from remission.loop import run
from remission.spec import Experiment, Point

At = Literal["last", "worst", "settled"]
Settings = Mapping[str, Any]
Tell = Callable[[str], None]

_SHORT = 4.0  # seconds of work below which worker processes are not worth their start


class Trials:
    """What was measured so far, by settings.

    Attributes:
        experiment: without a sweep, default metrics filled in, only the wanted rows measured.
        rows: the metric rows that are kept.
        horizons: generations at which they are read: a quarter, half and the whole of the run (of each point its own).
        at: what is read of a trajectory up to a horizon: its ``last`` value, its ``worst`` (farthest in the direction of
            collapse) or where it ``settled`` (mean over the last quarter).
    """

    def __init__(
        self,
        experiment: Experiment,
        rows: Sequence[str],
        *,
        at: At = "last",
        above: Sequence[bool] = (),
        workers: int = 1,
        folder: Path | None = None,
        tell: Tell | None = None,
    ) -> None:
        """``above``: of every row, whether higher is healthier; needed for ``worst``. Raises SpecError, StoreError."""
        if experiment.sweep:
            raise SpecError(
                f"The experiment also sweeps over {', '.join(experiment.sweep)}. Take one point: --set 'sweep={{}}', and --set "
                f"KEY=VALUE for each of these."
            )
        self.rows, self.at, self.workers = tuple(rows), at, workers
        self.above = tuple(above) or (True,) * len(self.rows)
        self.experiment = measuring(resolved(experiment), self.rows)
        self.horizons = horizons_of(self.experiment.generations)
        self._tell = tell or (lambda text: None)
        self._known: dict[str, Floats] = {}  # point name -> (replicates, rows, horizons)
        self._points: dict[str, Point] = {}
        self._pace = 0.0  # seconds per replicate, so far
        self._journal = _Journal(folder, self._identity()) if folder is not None else None
        if self._journal is not None:
            self._known = self._journal.read((len(self.rows), len(self.horizons)))

    def _identity(self) -> dict[str, Any]:
        return {"id": self.experiment.id, "rows": list(self.rows), "at": self.at, "above": list(self.above)}

    def point(self, settings: Settings) -> Point:
        """The experiment at these settings, checked. Raises SpecError."""
        point = self.experiment.at(settings)
        if point.name not in self._points:
            check_experiment(point.experiment)
            self._points[point.name] = point
        return self._points[point.name]

    def have(self, settings: Settings) -> int:
        """How many replicates are there."""
        return len(self._known.get(self.point(settings).name, ()))

    def seen(self, base: Settings, key: str, row: int = 0, horizon: int = -1) -> list[tuple[Settings, Floats]]:
        """Everything measured at the settings ``base`` and any value of ``key``: settings and readings (replicates,)."""
        return [
            (point.settings, self._known[name][:, row, horizon])
            for name, point in self._points.items()
            if name in self._known and {k: v for k, v in point.settings.items() if k != key} == dict(base)
        ]

    @property
    def made(self) -> int:
        """All replicates so far."""
        return sum(map(len, self._known.values()))

    def ask(self, wanted: Sequence[tuple[Settings, int]]) -> None:
        """Run what is missing so that each of these settings has at least so many replicates."""
        needed: dict[str, int] = {}
        for settings, count in wanted:
            name = self.point(settings).name
            needed[name] = max(count, needed.get(name, 0))
        missing = {name: (len(self._known.get(name, ())), count) for name, count in needed.items()}
        missing = {name: ends for name, ends in missing.items() if ends[1] > ends[0]}
        total = sum(stop - start for start, stop in missing.values())
        if not total:
            return
        workers = self.workers if self._pace * total > _SHORT else 1
        units = [
            (self._points[name], first, min(first + size, stop))
            for name, (start, stop) in missing.items()
            for size in [self._size(name, stop - start, workers)]
            for first in range(start, stop, size)
        ]
        began, waiting = time.perf_counter(), {}
        work = functools.partial(_measured, rows=self.rows, at=self.at, above=self.above)
        for (point, first, _), values in map_units(work, units, workers):
            waiting[point.name, first] = values
            while (
                point.name,
                len(self._known.get(point.name, ())),
            ) in waiting:  # in order, so that a stopped search loses nothing
                self._keep(point.name, waiting.pop((point.name, len(self._known.get(point.name, ())))))
            self._tell(f"{self.made} replicates")
        self._pace = max((time.perf_counter() - began) * workers / total, 1e-9)

    def _size(self, name: str, count: int, workers: int) -> int:
        """Replicates per block: what fits the memory of a block, shared between the workers."""
        experiment = dataclasses.replace(self._points[name].experiment, replicates=count)
        return block_size(experiment, workers)

    def _keep(self, name: str, values: Floats) -> None:
        if self._journal is not None:
            self._journal.write(name, values)
        known = self._known.get(name)
        self._known[name] = values if known is None else np.concatenate([known, values])

    def values(self, settings: Settings, count: int, row: int = 0, horizon: int = -1) -> Floats:
        """At least ``count`` readings of a row at a horizon, shape (replicates,)."""
        self.ask([(settings, count)])
        return self._known[self.point(settings).name][:, row, horizon]


def measuring(experiment: Experiment, rows: Sequence[str]) -> Experiment:
    """The experiment with only the metrics that give these rows: the others would change nothing but the time.

    Raises:
        SpecError: no metric gives a row.
    """
    known = directions_of(experiment)
    for row in rows:
        if row not in known:
            raise SpecError(
                f"No row '{row}' is measured. {did_you_mean(row, known)} Or add its metric to the experiment."
            )
    kept = tuple(
        metric
        for metric in experiment.metric
        if any(row in directions_of(dataclasses.replace(experiment, metric=(metric,))) for row in rows)
    )
    return dataclasses.replace(experiment, metric=kept, examples=0)


def _measured(
    unit: tuple[Point, int, int],
    *,
    rows: tuple[str, ...],
    at: At,
    above: tuple[bool, ...],
) -> Floats:
    """The readings of replicates first .. stop - 1 of a point, shape (replicates, rows, horizons)."""
    point, first, stop = unit
    seen: dict[str, list[Floats]] = {row: [] for row in rows}
    there: dict[str, list[bool]] = {row: [] for row in rows}
    for generation in run(point.experiment, range(first, stop), point.name):
        for row in rows:
            there[row].append(row in generation.rows)
            seen[row].append(generation.rows.get(row, np.full(stop - first, np.nan)))
    horizons = horizons_of(point.experiment.generations)
    readings = [
        read(np.stack(seen[row], axis=1), horizons, at, up, np.array(there[row]))
        for row, up in zip(rows, above, strict=True)
    ]
    return np.stack(readings, axis=1)


def horizons_of(generations: int) -> list[int]:
    """A quarter, half and the whole of the generations."""
    return [max(1, generations // 4), max(1, generations // 2), generations]


def read(trajectory: Floats, horizons: Sequence[int], at: At, above: bool, there: Array | None = None) -> Floats:
    """What is read of trajectories (replicates, generations) up to each horizon, shape (replicates, horizons).

    ``there`` (generations,): when the row was measured at all; what was measured and is no number stays NaN, which keeps no line.

    >>> path = np.array([[4.0, 1.0, 3.0, 5.0]])
    >>> [read(path, [2, 4], at, True).tolist() for at in ("last", "worst", "settled")]
    [[[1.0, 5.0]], [[1.0, 1.0]], [[1.0, 5.0]]]
    """
    there = np.ones(trajectory.shape[1], bool) if there is None else there
    if at == "last":
        return trajectory[:, np.array(horizons) - 1]
    out = np.full((len(trajectory), len(horizons)), np.nan)
    for k, t in enumerate(horizons):
        start = t - max(1, t // 4) if at == "settled" else 0
        part = trajectory[:, start:t][:, there[start:t]]
        if part.shape[1]:
            out[:, k] = part.mean(axis=1) if at == "settled" else part.min(axis=1) if above else part.max(axis=1)
    return out


class _Journal:
    """Readings as they are made, a line for each block; a line that was cut off by a kill does not count."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self._path = folder / "trials.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not self._path.exists():
                if any(folder.iterdir()):
                    raise StoreError(f"'{folder}' is not empty and holds no search. Choose another folder with -o.")
                self._append({"identity": identity})
            elif not self._path.read_bytes().endswith(b"\n"):
                with open(self._path, "a", encoding="utf-8") as file:  # the last line was cut off
                    file.write("\n")
        except OSError as error:
            raise StoreError(
                f"'{folder}' cannot be written ({error.strerror}). Choose another folder with -o."
            ) from None
        if next(iter(self._lines()), {}).get("identity") != identity:
            raise StoreError(
                f"'{folder}' holds the search of another experiment or row. Choose another folder with -o."
            )

    def _lines(self) -> list[dict[str, Any]]:
        found = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def read(self, shape: tuple[int, int]) -> dict[str, Floats]:
        """Point name -> readings (replicates, *shape)."""
        out: dict[str, list[Array]] = {}
        for line in self._lines()[1:]:
            out.setdefault(line["point"], []).append(np.array(line["values"], np.float64).reshape(-1, *shape))
        return {name: np.concatenate(parts) for name, parts in out.items()}

    def write(self, name: str, values: Floats) -> None:
        self._append({"point": name, "values": values.tolist()})

    def _append(self, line: dict[str, Any]) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
