"""Verdicts on a stored run: its collapse profile, one per definition of collapse, and the fate of a planted artifact."""

from __future__ import annotations

import dataclasses
from typing import Any

from remission.lab.artifacts import verdicts_on_artifacts
from remission.lab.axes import axes_of
from remission.lab.definitions import definitions
from remission.store import Run


def profile_of(run: Run) -> list[dict[str, Any]]:
    """The collapse profile of every point as flat rows: axis, row, first, last, change, low, high, verdict."""
    values, level = run.values(), run.level
    rows: list[dict[str, Any]] = []
    for point in range(len(run.facts["points"])):
        trajectory = {metric: array for (index, metric), array in values.items() if index == point}
        for reading in axes_of(trajectory, run.facts["directions"], level):
            flat = {key: value for key, value in dataclasses.asdict(reading).items() if key != "change"}
            ends = {"change": reading.change.value, "low": reading.change.low, "high": reading.change.high}
            rows.append({"point": point} | flat | ends)
    return rows


def verdicts_of(run: Run) -> list[dict[str, Any]]:
    """Flat rows (point, definition, verdict, sentence, ...) for the report and for scripts."""
    values = run.values()
    rows: list[dict[str, Any]] = []
    for point in range(len(run.facts["points"])):
        trajectory = {metric: array for (index, metric), array in values.items() if index == point}
        rows += [{"point": point} | dataclasses.asdict(verdict) for verdict in definitions(trajectory)]
        found = verdicts_on_artifacts(trajectory, point, run.facts, run.level)
        rows += [{"point": point} | row for row in found]
    return rows
