"""Compare runs: what differs from the base, by how much, and whether the replicates can tell.

Two runs share their random numbers when seed and point name agree, for every stream is named by seed, point,
generation, purpose and replicate (:mod:`remission.rng`). Replicates are then paired by number. They must be: runs that
share random numbers are not independent, and an unpaired interval would be wrong. Other runs are compared unpaired.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from remission.data import Floats
from remission.errors import SpecError, StoreError, did_you_mean
from remission.estimate import mean_interval, mean_is_estimable, median_interval
from remission.lab.comparison.difference import POWER, Cells, band_factor, differences, replicates_needed
from remission.lab.comparison.sides import Pairing, Side, pairing, read_sides

__all__ = ["Comparison", "Difference", "Pair", "Side", "compare", "read_sides"]

SPAN = 3.0  # positive rows whose values span more than this factor are compared as ratios
MOST_CURVES = 500  # of a document: each needs a band of its own

Marks = np.typing.NDArray[np.bool_]
Scale = Literal["auto", "difference", "ratio"]
Verdict = Literal["better", "worse", "higher", "lower", "no clear difference", "undecided"]


@dataclass(frozen=True)
class Difference:
    """One row of one run against the base.

    Attributes:
        base, run: labels. ``row``: the metric row; ``direction``: what it does in collapse (falls, rises, either).
        scale: ``difference`` (run minus base) or ``ratio`` (run over base, from differences of logarithms).
        of: what is compared: ``means`` (``geometric means`` on the scale ``ratio``), ``medians`` of the two runs, or
            ``median of pairs``, the median difference (ratio) over pairs.
        base_value, run_value: those means or medians of the two runs.
        value, low, high: difference or ratio with its own interval at ``level``.
        all_low, all_high: the same at the simultaneous level: with probability ``level`` every interval of the table
            holds its truth.
        verdict: by the simultaneous interval: ``better`` or ``worse`` (in the sense of ``direction``), ``higher`` or
            ``lower`` (rows that may move either way), ``no clear difference``, or ``undecided`` (too few replicates).
        paired: whether replicates were paired. ``n``: replicates (pairs, or the smaller run).
        correlation: between the runs over pairs. ``variance_ratio``: variance of the difference over that of unpaired
            runs; 1 when pairing gains nothing. Both NaN when unpaired.
        detectable: the smallest true difference (on ``ratio``: factor) that these replicates call clear in this table
            with 80 % power.
        needed: replicates per run that would call a true difference as large as ``value`` (or as asked for) clear.
    """

    base: str
    run: str
    row: str
    direction: str
    scale: str
    of: str
    base_value: float
    run_value: float
    value: float
    low: float
    high: float
    all_low: float
    all_high: float
    verdict: Verdict
    paired: bool
    n: int
    correlation: float
    variance_ratio: float
    detectable: float
    needed: float

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return dict(self.__dict__)


@dataclass(frozen=True, eq=False)
class Pair:
    """A run, its base, and all their cells: arrays (rows, T, replicates) on the scale of each row."""

    base: Side
    run: Side
    pairing: Pairing
    rows: tuple[str, ...]
    ratio: Marks
    until: int

    def _cells_of(self, side: Side, rows: Sequence[int] | slice, times: slice) -> Floats:
        values = side.stacked(self.rows)[rows, times]
        if self.pairing.paired:
            values = values[..., : min(self.base.replicates, self.run.replicates)]
        ratio = self.ratio[rows]
        if ratio.any():
            values = values.copy()
            with np.errstate(invalid="ignore", divide="ignore"):
                values[ratio] = np.log(values[ratio])
        return values

    def values(self, rows: Sequence[int] | slice, times: slice) -> tuple[Floats, Floats]:
        """Base and run, (rows, times, replicates)."""
        return self._cells_of(self.base, rows, times), self._cells_of(self.run, rows, times)

    def cells(self, rows: Sequence[int] | slice = slice(None), times: slice | None = None) -> Cells:
        """The differences of these rows, in all common generations or some."""
        base, run = self.values(rows, times or slice(0, self.until))
        return differences(base, run, self.pairing.paired)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs against a base.

    Attributes:
        pairs: what is compared with what.
        rows: the metric rows, the same for all pairs.
        generation: of the table. ``level``: of single intervals, and of all intervals of the table at once.
        see: the difference (or factor) that ``needed`` is about; the one found when None.
        warnings: what a reader must know.
    """

    pairs: tuple[Pair, ...]
    rows: tuple[str, ...]
    generation: int
    level: float
    see: float | None
    warnings: tuple[str, ...]

    @property
    def simultaneous(self) -> float:
        """The level of each interval such that all of the table hold together (Bonferroni)."""
        return 1 - (1 - self.level) / max(1, len(self.pairs) * len(self.rows))

    @cached_property
    def differences(self) -> list[Difference]:
        """The table, pair by pair."""
        here = slice(self.generation - 1, self.generation)
        out: list[Difference] = []
        for pair in self.pairs:
            out += self._rows_of(pair, pair.cells(times=here), pair.values(slice(None), here))
        return out

    def _rows_of(self, pair: Pair, cells: Cells, values: tuple[Floats, Floats]) -> list[Difference]:
        single, joint = cells.interval(self.level), cells.interval(self.simultaneous)
        columns = [cells.value, *single, *joint, cells.detectable(self.simultaneous)]
        columns += [cells.correlation, cells.variance_ratio, self._needed(pair, cells), *_middles(values, cells.mean)]
        mean, ratio, table = cells.mean[:, 0].tolist(), pair.ratio.tolist(), np.stack(columns)[..., 0].T.tolist()
        middle = "median of pairs" if pair.pairing.paired else "medians"
        out = []
        for index, row in enumerate(self.rows):
            value, low, high, all_low, all_high, least, r, narrowed, needed, a, b = table[index]
            direction = pair.run.directions.get(row, pair.base.directions.get(row, "either"))
            shown = _exp if ratio[index] else float
            out.append(
                Difference(
                    base=pair.base.label, run=pair.run.label, row=row, direction=direction,
                    scale="ratio" if ratio[index] else "difference", of=middle if not mean[index] else "geometric means" if ratio[index] else "means",
                    base_value=shown(a), run_value=shown(b), value=shown(value), low=shown(low), high=shown(high),
                    all_low=shown(all_low), all_high=shown(all_high), verdict=_verdict(all_low, all_high, direction),
                    paired=pair.pairing.paired, n=int(cells.n[index, 0]), correlation=r, variance_ratio=narrowed,
                    detectable=shown(least), needed=needed,
                )
            )  # fmt: skip
        return out

    def _needed(self, pair: Pair, cells: Cells) -> Floats:
        wanted = cells.value
        if self.see is not None:
            factor = math.log(self.see) if self.see > 0 else math.nan
            wanted = np.broadcast_to(np.where(pair.ratio, factor, self.see)[:, None], cells.value.shape)
        return replicates_needed(cells, wanted, self.simultaneous)

    def curves(self, rows: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The differences over all common generations, a dict per pair and row.

        Keys: base, run, row, scale, band, generation, value, low, high (pointwise), band_low, band_high (hold all
        generations of the curve at once). ``band`` says how: ``max-t`` where means are compared in all generations,
        else ``bonferroni``.
        """
        chosen = self.rows if rows is None else tuple(rows)
        return [
            {"base": pair.base.label, "run": pair.run.label, "row": row} | self._curve(pair, row)
            for pair in self.pairs
            for row in chosen
        ]

    def _curve(self, pair: Pair, row: str) -> dict[str, Any]:
        index = [self.rows.index(row)]
        base, run = (values[0] for values in pair.values(index, slice(0, pair.until)))
        cells = differences(base, run, pair.pairing.paired)
        measured = np.flatnonzero(~np.isnan(cells.value))
        base, run = base[measured], run[measured]
        cells = differences(base, run, pair.pairing.paired)
        low, high = cells.interval(self.level)
        whole = not (np.isnan(base).any() or np.isnan(run).any())
        if measured.size and whole and cells.mean.all() and cells.n.min() > 3:
            half = band_factor(base, run, cells, self.level) * cells.se
            band, ends = "max-t", (cells.value - half, cells.value + half)
        else:
            band, ends = "bonferroni", cells.interval(1 - (1 - self.level) / max(1, measured.size))
        ratio = bool(pair.ratio[index[0]])
        columns = {"value": cells.value, "low": low, "high": high, "band_low": ends[0], "band_high": ends[1]}
        return {"scale": "ratio" if ratio else "difference", "band": band, "generation": (measured + 1).tolist()} | {
            name: (_exps(values) if ratio else values).tolist() for name, values in columns.items()
        }

    def own_curves(self) -> list[dict[str, Any]]:
        """Every run by itself over its generations: run, row, of, generation, value, low, high (a list each).

        Geometric means on the scale ``ratio``; else means, or medians in all generations if a mean of one cannot be
        believed.
        """
        ratios = dict(zip(self.rows, self.pairs[0].ratio.tolist(), strict=True))
        sides = {side.key: side for pair in self.pairs for side in (pair.base, pair.run)}.values()
        return [
            {"run": side.label, "row": row} | _own_curve(side.rows[row], ratios[row], self.level)
            for side in sides
            for row in self.rows
        ]

    def document(self) -> dict[str, Any]:
        """As plain values for JSON and for the page."""
        pairs = [
            {"base": pair.base.label, "run": pair.run.label, "generations": pair.until} | pair.pairing.table()
            for pair in self.pairs
        ]
        warnings, curves = list(self.warnings), []
        if len(self.pairs) * len(self.rows) <= MOST_CURVES:
            curves = self.curves()
        else:
            warnings.append(f"Curves are left out: more than {MOST_CURVES}. Choose rows with --metric, or fewer runs.")
        return {
            "generation": self.generation, "level": self.level, "simultaneous_level": self.simultaneous,
            "simultaneous": "bonferroni", "power": POWER, "pairs": pairs,
            "differences": [row.table() for row in self.differences], "curves": curves, "warnings": warnings,
        }  # fmt: skip


def compare(
    pairs: Sequence[tuple[Side, Side]],
    rows: Iterable[str] = (),
    generation: int | None = None,
    level: float = 0.95,
    scale: Scale = "auto",
    see: float | None = None,
) -> Comparison:
    """Compare each (base, run).

    Args:
        pairs: see :func:`remission.lab.comparison.sides.read_sides`.
        rows: which metric rows; all that every run has when empty.
        generation: of the table; the last that all have when None.
        level: of single intervals, and of the table as a whole.
        scale: ``auto``: ``ratio`` for rows that are positive in every run and generation and whose middle 80 % over
            replicates and runs span more than a factor of 3 at ``generation``; else ``difference``.
        see: the difference (or factor) that ``needed`` is about.

    Raises:
        SpecError: a row that is not measured, a generation that is not there, or nothing in common.
        StoreError: the same run twice.
    """
    if not 0 < level < 1:
        raise SpecError(f"'level' is a probability, such as 0.95. Got {level:g}.")
    for base, run in pairs:
        if base.key == run.key:
            raise StoreError(f"'{run.label}' is compared with itself. Give two different runs.")
    sides = list({id(side): side for pair in pairs for side in pair}.values())
    warnings = [f"{side.label} is not finished: {side.missing}." for side in sides if side.missing]
    chosen, told = _common_rows(sides, list(rows))
    until = [min(base.generations, run.generations) for base, run in pairs]
    at = _generation(sides, chosen, min(until), generation)
    ratio = _ratios(sides, chosen, at, scale)
    found = tuple(
        Pair(base, run, pairing(base, run), chosen, ratio, last) for (base, run), last in zip(pairs, until, strict=True)
    )
    for pair in found:
        if pair.pairing.note:
            told.append(f"{pair.run.label}: {pair.pairing.note}")
    return Comparison(found, chosen, at, level, see, tuple(warnings + told))


def _common_rows(sides: list[Side], wanted: list[str]) -> tuple[tuple[str, ...], list[str]]:
    every = [row for row in sides[0].rows if all(row in side.rows for side in sides)]
    somewhere = {row for side in sides for row in side.rows}
    for row in wanted:
        if row not in somewhere:
            raise SpecError(f"No row '{row}' is measured. {did_you_mean(row, somewhere)}")
        if row not in every:
            lacking = next(side.label for side in sides if row not in side.rows)
            raise SpecError(f"'{lacking}' has no row '{row}'. Rows that all runs have: {', '.join(every) or 'none'}.")
    if not every:
        first, other = next((sides[0], side) for side in sides[1:] if not set(side.rows) & set(sides[0].rows))
        raise SpecError(
            f"'{first.label}' and '{other.label}' have no row in common: {', '.join(first.rows)} against "
            f"{', '.join(other.rows)}. Compare runs that measure the same metrics."
        )
    if wanted:
        return tuple(dict.fromkeys(wanted)), []
    left = sorted(somewhere - set(every))
    return tuple(every), [f"Not compared, because not all runs have them: {', '.join(left)}."] if left else []


def _generation(sides: list[Side], rows: tuple[str, ...], until: int, wanted: int | None) -> int:
    """The generation of the table: the last in which every run has a value of some row that is compared."""
    if wanted is not None and not 1 <= wanted <= until:
        raise SpecError(f"'--generation {wanted}': the runs have the generations 1 to {until} in common.")
    there = np.ones((len(rows), until), bool)
    for side in sides:
        there &= ~np.isnan(side.stacked(rows)[:, :until]).all(axis=-1)
    times = np.flatnonzero(there.any(axis=0)) + 1
    if times.size == 0:
        raise SpecError("The runs have no generation in common in which a row was measured. Finish them first.")
    if wanted is None:
        return int(times[-1])
    if wanted not in times:
        raise SpecError(f"'--generation {wanted}': nothing was measured there in all runs. Try {int(times[-1])}.")
    return wanted


def _ratios(sides: list[Side], rows: tuple[str, ...], at: int, scale: Scale) -> Marks:
    if scale == "difference":
        return np.zeros(len(rows), bool)
    positive, low, high = np.ones(len(rows), bool), np.full(len(rows), np.inf), np.zeros(len(rows))
    for side in sides:
        positive &= side.positive(rows)
        here = np.sort(side.stacked(rows)[:, at - 1], axis=-1)  # NaN last
        counts = (~np.isnan(here)).sum(-1)
        ends = (0.1 * (counts - 1)).astype(int).clip(0), np.ceil(0.9 * (counts - 1)).astype(int).clip(0)
        each = np.arange(len(rows))
        low, high = np.fmin(low, here[each, ends[0]]), np.fmax(high, here[each, ends[1]])
    if scale == "ratio":
        if not positive.all():
            names = ", ".join(row for row, good in zip(rows, positive, strict=True) if not good)
            raise SpecError(f"'--scale ratio' needs positive values; these rows have others: {names}.")
        return positive
    return np.asarray(positive & (high > SPAN * low))


def _middles(values: tuple[Floats, Floats], mean: Marks) -> list[Floats]:
    """The mean or the median of each side, (rows, 1) each."""
    out = []
    for side in values:
        with np.errstate(invalid="ignore"):
            if np.isnan(side).any():
                kept = np.asarray(np.isnan(side).all(-1))[..., None]
                full = np.where(kept, 0.0, side)
                centre = np.where(mean, np.nanmean(full, axis=-1), np.nanmedian(full, axis=-1))
                out.append(np.where(kept[..., 0], np.nan, centre))
            else:
                out.append(np.where(mean, side.mean(axis=-1), np.median(side, axis=-1)))
    return out


def _own_curve(values: Floats, ratio: bool, level: float) -> dict[str, Any]:
    measured = np.flatnonzero(~np.isnan(values).all(axis=0))
    columns = [column[~np.isnan(column)] for column in values.T[measured]]
    if ratio:
        columns = [np.log(column) for column in columns]
    believed = all(np.isfinite(column).all() and mean_is_estimable(column) for column in columns)
    found = [(mean_interval if believed else median_interval)(column, level) for column in columns]
    of = "median" if not believed else "geometric mean" if ratio else "mean"
    shown = _exp if ratio else float
    return {"of": of, "generation": (measured + 1).tolist()} | {
        name: [shown(getattr(one, name)) for one in found] for name in ("value", "low", "high")
    }


def _verdict(low: float, high: float, direction: str) -> Verdict:
    if math.isnan(low) or math.isnan(high):
        return "undecided"
    if low <= 0 <= high:
        return "no clear difference"
    rose = low > 0
    if direction == "either":
        return "higher" if rose else "lower"
    return "worse" if rose == (direction == "rises") else "better"


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf


def _exps(values: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.exp(values)
