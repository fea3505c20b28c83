"""Rows to be forecast, from a run folder or from a table of a model line of one's own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from remission.corpus._files import TABLES, suffix
from remission.corpus._rows import rows as rows_of
from remission.data import Floats, Integers
from remission.errors import DataError, SpecError, did_you_mean
from remission.store import Run

LINES = ("replicate", "line")  # columns that tell independent lines apart


@dataclass(frozen=True, eq=False)
class Lines:
    """A metric of one or more independent lines of models.

    Attributes:
        generations: whole numbers, ascending, (m,).
        values: (R, m), NaN where nothing was measured.
        errors: standard errors of the values, (R, m), or None.
        names: of the lines.
        notes: what was left out or merged on the way.
    """

    metric: str
    generations: Integers
    values: Floats
    errors: Floats | None = None
    names: tuple[str, ...] = ("",)
    notes: tuple[str, ...] = field(default=())


def lines_of_run(run: Run, metric: str, point: int) -> Lines:
    """A row of a stored run, one line for each replicate.

    Raises:
        SpecError: there is no such point or row. DataError: nothing of it was measured.
    """
    points = len(run.facts["points"])
    if not 0 <= point < points:
        raise SpecError(f"The run has {points} points, numbered from 0. Got {point}.")
    values = run.values()
    known = sorted({name for index, name in values if index == point})
    if not known:
        raise DataError(f"Nothing was measured yet at point {point} of '{run.folder}'. Run it first.")
    if metric not in known:
        raise SpecError(f"No row '{metric}' is measured. {did_you_mean(metric, known)}")
    array = np.where(np.isfinite(values[point, metric]), values[point, metric], math.nan)
    notes = []
    if infinite := int(np.isinf(values[point, metric]).sum()):
        notes.append(f"{infinite} infinite values count as not measured.")
    names = tuple(f"replicate {number}" for number in range(len(array)))
    return _trimmed(metric, np.arange(1, array.shape[1] + 1), array, None, names, notes)


def lines_of_table(path: Path, metric: str, generation: str = "generation") -> Lines:
    """A column of a table (CSV, TSV, JSONL, JSON, Parquet), one row a generation, or a line and generation.

    Args:
        path: the file.
        metric: its column; in a table with the columns ``metric`` and ``value``, the name in the first.
        generation: the column of the generation, whole numbers.

    A column ``replicate`` or ``line`` tells lines apart. ``se``, or ``low`` and ``high`` (95 %), are measurement errors.

    Raises:
        DataError, SpecError: what is wrong, and in which row.
    """
    if not path.is_file():
        raise SpecError(f"'{path}' is neither a run folder nor a table.")
    if suffix(path) not in TABLES:
        raise SpecError(f"'{path}' is no table. Those are {', '.join(sorted(TABLES))}.")
    table = []
    for number, row in rows_of(path, "", False):
        if isinstance(row, str):
            raise DataError(f"{path}{'' if number is None else f', row {number}'}: {row}.")
        table.append((number, row))
    if not table:
        raise DataError(f"'{path}' has no rows.")
    columns = list(table[0][1])
    column = metric
    if metric not in columns and {"metric", "value"} <= set(columns):
        named = sorted({str(row["metric"]) for _, row in table})
        if metric not in named:
            raise SpecError(f"'{path}' has no metric '{metric}'. {did_you_mean(metric, named)}")
        table, column = [(number, row) for number, row in table if str(row["metric"]) == metric], "value"
    for name in (generation, column):
        if name not in columns:
            raise SpecError(f"'{path}' has no column '{name}'. {did_you_mean(name, columns)}")
    return _collected(path, metric, column, generation, table)


def _collected(path: Path, metric: str, column: str, generation: str, table: list[tuple[int | None, Any]]) -> Lines:
    line = next((name for name in LINES if name in table[0][1]), "")
    found: dict[tuple[str, int], tuple[float, float]] = {}
    missing = again = 0
    for number, row in table:
        where = f"{path}, row {number}"
        t = _number(row.get(generation), where, generation)
        if not t.is_integer():
            raise DataError(f"{where}: '{generation}' must be a whole number. Got {row.get(generation)!r}.")
        value = _number(row.get(column), where, column)
        if not math.isfinite(value):
            missing += 1
            continue
        key = str(row.get(line, "")), int(t)
        entry = value, _error(row, where)
        if key in found:
            if found[key][0] != value:
                named = f" of {line} '{key[0]}'" if line else ""
                advice = "" if line else " Several lines need a column 'replicate'."
                raise DataError(
                    f"{where}: generation {key[1]}{named} was {found[key][0]:g} before and is {value:g} here.{advice}"
                )
            again += 1
        found[key] = entry
    if not found:
        raise DataError(f"'{path}' has no value of '{metric}': all {missing} are missing.")
    names = list(dict.fromkeys(name for name, _ in found))
    times = sorted({t for _, t in found})
    values = np.full((len(names), len(times)), math.nan)
    errors = values.copy()
    place = {t: i for i, t in enumerate(times)}
    for (name, t), (value, error) in found.items():
        values[names.index(name), place[t]], errors[names.index(name), place[t]] = value, error
    notes = [f"{missing} rows without a value of '{metric}' were left out."] if missing else []
    if again:
        notes.append(f"{again} repeated rows, the same as before, count once.")
    shown = tuple(f"{line} {name}" if line else "" for name in names)
    known = errors if np.isfinite(errors[np.isfinite(values)]).all() else None
    if known is None and np.isfinite(errors).any():
        notes.append("Measurement errors are given for some rows only and are not used.")
    return _trimmed(metric, np.array(times), values, known, shown, notes)


def _number(value: Any, where: str, column: str) -> float:
    """A number of a table; NaN when the field is empty."""
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "nan", "na", "null", "none", "-")):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(f"{where}: '{column}' must be a number. Got {value!r}.") from None


def _error(row: Any, where: str) -> float:
    if "se" in row:
        error = _number(row["se"], where, "se")
    elif "low" in row and "high" in row:
        error = (_number(row["high"], where, "high") - _number(row["low"], where, "low")) / (2 * 1.96)
    else:
        return math.nan
    if error < 0:
        raise DataError(f"{where}: a measurement error is negative.")
    return error


def _trimmed(
    metric: str, times: Integers, values: Floats, errors: Floats | None, names: Iterable[str], notes: list[str]
) -> Lines:
    """Without lines and generations in which nothing was measured."""
    names = tuple(names)
    lines, here = (np.asarray(np.isfinite(values).any(axis=axis)) for axis in (1, 0))
    if not lines.any():
        raise DataError(f"Nothing of '{metric}' was measured yet.")
    if empty := int((~lines).sum()):
        notes.append(f"{empty} lines without any value were left out.")
    kept = tuple(name for name, keep in zip(names, lines, strict=True) if keep)
    return Lines(
        metric, times[here], values[np.ix_(lines, here)], None if errors is None else errors[np.ix_(lines, here)],
        kept, tuple(notes),
    )  # fmt: skip
