"""Counting: what becomes of the rows of a unit, as receipts say it and as its part keeps it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from remission.clinic.census.fingerprints import bands, contents
from remission.clinic.census.parts import BAND_NAMES, STATUS, schema
from remission.clinic.census.receipts import (
    EXAMPLES,
    OTHER,
    REASONS,
    Receipt,
    Stratum,
    bins_of,
    first_examples,
    kind_of,
)
from remission.clinic.census.scoring import Scores
from remission.clinic.census.units import Unit
from remission.clinic.dates import dated_before, iso_dates, undated
from remission.clinic.naming import named, visible
from remission.corpus._rows import HUMAN
from remission.corpus.reading import Takes
from remission.corpus.spans import Span
from remission.corpus.streaming import Aside, Batch
from remission.errors import DataError

KEPT, DROPPED, QUARANTINED = STATUS
MOST_STRATA = 20_000
LONGEST_DATE = 40  # characters of a value that is no date, in an example
LEAST_MARK = 3  # -log10 of the largest p-value of a watermark that receipts count


class Tally:
    """Counts of a unit as it goes on, and the rows of its part."""

    def __init__(self) -> None:
        self.seen = 0
        self._kept = self._bytes = 0
        self._dropped: Counter[str] = Counter()
        self._quarantined: Counter[str] = Counter()
        self._examples: tuple[dict[str, Any], ...] = ()
        self._strata: dict[str, Stratum] = {}
        self._early = Stratum()
        self._undated = 0
        self._odd_dates: tuple[dict[str, Any], ...] = ()

    def kept(self, span: Span, batch: Batch, scores: Scores, unit: Unit) -> Any:
        """Count documents; their rows."""
        n, config = len(batch), unit.config
        strata = strata_of(batch, config.by)
        why = np.asarray(scores.why, dtype=np.str_)
        score = np.where(why == "", scores.score, np.nan)
        if np.isnan(score[why == ""]).any():
            raise DataError("The scorer gave no number for a document and no reason why.")
        self._kept += n
        self._bytes += _bytes_of(batch)
        says = declared(batch, config.declared, span, unit.scorer.takes)
        for name in np.unique(strata).tolist():
            here = strata == name
            self._strata[name] = self._strata.get(name, Stratum()) + _stratum(here, score, why, scores, says)
        dates = batch.columns["date"].to_pylist()
        self._note_undated(span, batch, dates)
        early = dated_before(dates, config.before)
        if early.any():
            self._early += _stratum(early, score, why, scores, says)
        if len(self._strata) > MOST_STRATA:
            raise DataError(f"by: there are more than {MOST_STRATA:,} strata. Name columns with fewer values.")
        marks = {"mark": scores.mark.tolist(), "log10_p": scores.log10_p.tolist()} if unit.scorer.marks else {}
        return rows_of(
            n, file=span.path, place=[None if place < 0 else place for place in batch.places.tolist()], status=KEPT, rows=1,
            reason=why.tolist(), id=batch.columns["id"], stratum=strata.tolist(),
            cell=np.asarray(scores.cell, dtype=np.str_).tolist(),
            score=[None if value != value else value for value in score.tolist()],
            flagged=np.asarray(scores.flagged, dtype=bool).tolist(), early=early.tolist(), declared=says.tolist(),
            **({} if config.copies == "none" else {"content": contents(batch)}), **marks,
            **(dict(zip(BAND_NAMES, bands(batch), strict=True)) if config.copies == "near" else {}),
        )  # fmt: skip

    def _note_undated(self, span: Span, batch: Batch, dates: Sequence[str]) -> None:
        odd = undated(dates)
        self._undated += odd.size
        if odd.size:
            shown = [
                {"file": span.path, "place": None if place < 0 else place, "value": visible(dates[at][:LONGEST_DATE])}
                for at, place in zip(odd[:EXAMPLES].tolist(), batch.places[odd[:EXAMPLES]].tolist(), strict=True)
            ]
            self._odd_dates = first_examples([*self._odd_dates, *shown])

    def aside(self, span: Span, aside: Sequence[Aside]) -> Any:
        """Count rows that are no documents; their rows."""
        for one in aside:
            counts = self._dropped if one.dropped else self._quarantined
            kind = kind_of(one.reason)
            counts[kind if kind in counts or len(counts) < REASONS else OTHER] += one.rows
        shown = [
            {"file": span.path, "place": one.place, "rows": one.rows, "reason": one.reason}
            for one in aside
            if not one.dropped
        ]
        self._examples = first_examples([*self._examples, *shown[:EXAMPLES]]) if shown else self._examples
        return rows_of(
            len(aside), file=span.path, place=[one.place for one in aside], rows=[one.rows for one in aside],
            status=[DROPPED if one.dropped else QUARANTINED for one in aside], reason=[one.reason for one in aside],
            id="", stratum="", cell="",
        )  # fmt: skip

    def receipt(self, sha256: str) -> Receipt:
        """The counts."""
        return Receipt(
            self.seen, self._kept, self._dropped, self._quarantined, self._bytes, self._strata, self._examples, sha256,
            early=self._early, undated=self._undated, odd_dates=self._odd_dates,
        )  # fmt: skip


def _bytes_of(batch: Batch) -> int:
    import pyarrow.compute as pc

    return 0 if isinstance(batch.items, list) else pc.sum(pc.binary_length(batch.items)).as_py() or 0


def declared(batch: Batch, column: str, span: Span, takes: Takes) -> Any:
    """Which documents say that they are synthetic, (n,): by a column, or in the files of pictures themselves."""
    said = np.zeros(len(batch), bool)
    if column:
        values = [value.strip().lower() for value in batch.columns[column].to_pylist()]
        said = np.array([value not in HUMAN and value != "" for value in values], bool)
    if takes != "text":
        from remission.detectors.provenance import read_provenance

        said |= read_provenance(span.path).kind in ("synthetic", "composite")
    return said


def _stratum(here: Any, score: Any, why: Any, scores: Scores, says: Any) -> Stratum:
    judged = here & (why == "")
    cell = np.asarray(scores.cell, dtype=np.str_)
    cells = {}
    for name in np.unique(cell[judged]).tolist():
        bins, counts = np.unique(bins_of(score[judged & (cell == name)]), return_counts=True)
        cells[name] = Counter(dict(zip(bins.tolist(), counts.tolist(), strict=True)))
    reasons = Counter(why[here & ~judged].tolist())
    found = here & (scores.log10_p <= -LEAST_MARK)
    places = np.floor(-scores.log10_p[found]).astype(int)
    marks = Counter(f"{name}|{place}" for name, place in zip(scores.mark[found].tolist(), places.tolist(), strict=True))
    flagged = int((judged & np.asarray(scores.flagged, bool)).sum())
    return Stratum(int(here.sum()), flagged, reasons, cells, int((here & says).sum()), marks)


def strata_of(batch: Batch, by: Sequence[str]) -> Any:
    """The name of each document's stratum, (n,): ``source=a | month=2023-01``; ``all`` when nothing is asked for.

    In values, ``|`` and control characters are replaced by others that are seen.
    """
    n = len(batch)
    if not by:
        return np.full(n, "all")
    values: list[list[str]] = []
    for name in by:
        if name in ("month", "year") and name not in batch.columns:
            dates = iso_dates(batch.columns["date"].to_pylist())
            values.append(dates.astype("<U7" if name == "month" else "<U4").tolist())
        else:
            values.append(batch.columns[name].to_pylist())
    return named(by, values)


def rows_of(n: int, **values: Any) -> Any:
    """An Arrow table of part rows; a single value is that of all, what is not given is null."""
    import pyarrow as pa

    kinds = schema()
    arrays = []
    for one in kinds:
        value = values.get(one.name)
        if value is None:
            arrays.append(pa.nulls(n, one.type))
        elif isinstance(value, (str, int)):
            arrays.append(pa.repeat(pa.scalar(value, one.type), n))
        else:
            arrays.append(value if isinstance(value, pa.Array) else pa.array(value, one.type))
    return pa.table(arrays, schema=kinds)
