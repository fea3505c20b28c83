"""A run in numbers: per point, generation and row, over replicates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from remission.data import Floats
from remission.estimate import mean_interval, mean_is_estimable, median_interval
from remission.store import Run


def summary(run: Run) -> list[dict[str, Any]]:
    """Rows with point, generation, metric, n, mean, median, mean_log, low, high, level, of, estimable.

    ``low`` and ``high`` are the interval of the mean, or of the median (``of`` says which) where the mean cannot be
    estimated from the replicates made (see :func:`remission.estimate.mean_is_estimable`). ``mean_log`` is the mean
    natural logarithm, NaN unless all values are positive. ``n`` counts values that are numbers.
    """
    level = run.level
    return [
        {"point": point, "generation": t, "metric": metric} | one_row(column, level)
        for (point, metric), values in sorted(run.values().items())
        for t, column in enumerate(values.T, start=1)
        if not np.isnan(column).all() or t <= run.facts["sizes"][point][1]
    ]


def one_row(values: Floats, level: float) -> dict[str, Any]:
    """The summary of one row over replicates, shape (R,)."""
    kept = values[~np.isnan(values)]
    estimable = mean_is_estimable(kept)
    with np.errstate(invalid="ignore"):
        interval = mean_interval(kept, level) if estimable and np.isfinite(kept).all() else median_interval(kept, level)
        mean = float(kept.mean()) if kept.size else math.nan
    middle = median_interval(kept, level)
    positive = kept.size > 0 and bool((kept > 0).all())
    return {
        "n": int(kept.size),
        "mean": mean,
        "median": float(np.median(kept)) if kept.size else math.nan,
        "mean_log": float(np.log(kept).mean()) if positive else math.nan,
        "low": interval.low,
        "high": interval.high,
        "median_low": middle.low,
        "median_high": middle.high,
        "level": level,
        "of": "mean" if interval.method == "t" else "median",
        "estimable": estimable,
    }


def heavy_tails(rows: list[dict[str, Any]], point_names: list[str]) -> list[str]:
    """A sentence for every row whose mean cannot be believed at the end of the run, from which generation on."""
    first: dict[tuple[int, str], int] = {}
    for row in rows:  # generations in order: a generation that can be believed ends a stretch
        key = row["point"], row["metric"]
        if row["estimable"]:
            first.pop(key, None)
        else:
            first.setdefault(key, row["generation"])
    return [
        f"{metric}{f' at {point_names[point]}' if point_names[point] else ''}: from generation {t} on the mean is carried by "
        f"replicates too rare to be seen here; the median and the mean logarithm are reported."
        for (point, metric), t in sorted(first.items())
    ]
