"""Re-create one replicate of a stored run and compare it bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remission.errors import SpecError
from remission.loop import run
from remission.store import Run


@dataclass(frozen=True)
class Comparison:
    """The outcome of a re-creation.

    Attributes:
        same: every stored number was met bit for bit.
        compared: how many numbers.
        worst: the largest absolute difference.
        where: row and generation of the first difference, or "".
    """

    same: bool
    compared: int
    worst: float
    where: str


def rerun(store: Run, replicate: int, point: int = 0) -> Comparison:
    """Run one replicate of a stored run again.

    Raises:
        SpecError: no such replicate or point, or it was not stored yet.
    """
    points = store.experiment.points
    if changed := store.changed_modules():
        raise SpecError(
            f"{', '.join(changed)} changed since the run was made, so it would not be the same. The code that was run is "
            f"kept in '{store.folder / 'modules'}'."
        )
    if not 0 <= point < len(points):
        raise SpecError(f"The run has {len(points)} points, numbered from 0. Got {point}.")
    if not 0 <= replicate < points[point].experiment.replicates:
        raise SpecError(
            f"Point {point} has {points[point].experiment.replicates} replicates, numbered from 0. Got {replicate}."
        )
    if replicate in store.missing(point):
        raise SpecError(f"Replicate {replicate} of point {point} is not stored yet. Finish the run first.")
    stored = {metric: values[replicate] for (index, metric), values in store.values().items() if index == point}
    compared, worst, where = 0, 0.0, ""
    for generation in run(points[point].experiment, [replicate], points[point].name):
        for metric, values in generation.rows.items():
            old, new = stored[metric][generation.t - 1], values[0]
            compared += 1
            if not (old == new or (np.isnan(old) and np.isnan(new))):
                worst = max(worst, abs(float(old - new)))
                where = where or f"{metric} in generation {generation.t}"
    return Comparison(not where, compared, worst, where)
