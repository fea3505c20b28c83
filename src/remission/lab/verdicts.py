"""Verdicts on a stored run: one per published definition of collapse, and per grid point."""

from __future__ import annotations

import dataclasses
from typing import Any

from remission.lab.definitions import definitions
from remission.store import Run


def verdicts_of(run: Run) -> list[dict[str, Any]]:
    """Flat rows (point, definition, verdict, sentence, ...) for the report and for scripts."""
    values = run.values()
    rows: list[dict[str, Any]] = []
    for point in range(len(run.facts["points"])):
        trajectory = {metric: array for (index, metric), array in values.items() if index == point}
        rows += [{"point": point} | dataclasses.asdict(verdict) for verdict in definitions(trajectory)]
    return rows
