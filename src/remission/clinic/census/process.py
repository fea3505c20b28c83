"""What a worker does with a unit: read, score, write the part, give the receipt."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from remission import __version__
from remission.clinic.census.fingerprints import bands, contents, first_words
from remission.clinic.census.parts import BAND_NAMES, STATUS, PartWriter, receipt_of, schema
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
from remission.clinic.census.sampling import NOT_DRAWN
from remission.clinic.census.scoring import Scorer, Scores
from remission.clinic.census.units import Config, Unit
from remission.corpus._rows import HUMAN
from remission.corpus.reading import Takes
from remission.corpus.spans import Span, expected, spans_of
from remission.corpus.streaming import Aside, Batch, read
from remission.errors import DataError, RemissionError

KEPT, DROPPED, QUARANTINED = STATUS
MOST_STRATA = 20_000
LEAST_MARK = 3  # -log10 of the largest p-value of a watermark that receipts count
_OF_SCORES = ("score", "cell", "flagged", "why", "mark", "log10_p")


@dataclass(frozen=True)
class Plan:
    """A file that is to be cut into spans.

    Attributes:
        path: of the file.
        takes: what documents are.
        size: bytes of a span.
        version: of the package, which must be the same everywhere.
    """

    path: str
    takes: Takes
    size: int
    version: str = __version__


@dataclass(frozen=True)
class Halve:
    """A unit that ended its workers and is to be cut in two; done by a worker, because it looks into the file again."""

    unit: Unit


@dataclass(frozen=True)
class Done:
    """A part that is there.

    Attributes:
        name: of its unit.
        sha256: of the file.
        receipt: what became of the rows.
        seconds: it took to read, check and write; and to score. None: it was there already.
    """

    name: str
    sha256: str
    receipt: Receipt
    seconds: tuple[float, float] | None = field(default=None, compare=False)


Task = Plan | Unit | Halve
Outcome = tuple[Span, ...] | tuple[Unit, ...] | Done


def step(task: Task) -> Outcome:
    """What engines map: cut a file into spans, do a unit, or cut one in two."""
    if isinstance(task, Halve):
        return task.unit.halves() or ()
    if isinstance(task, Plan):
        if task.version != __version__:
            raise RemissionError(f"A worker has version {__version__} of the package, the census {task.version}.")
        return tuple(spans_of(task.path, task.takes, task.size))
    return process(task)


def process(unit: Unit) -> Done:
    """Do a unit and store its part; one that is there already is left as it is.

    Raises:
        StoreError: the part cannot be written. DataError: a file was changed, or there are too many strata.
        RemissionError: a row is unaccounted for.
    """
    if unit.part.exists():
        return done(unit)
    tally, began, scoring = Tally(), time.perf_counter(), 0.0
    with PartWriter(unit.part) as writer:
        for span in unit.spans:
            wrong = expected(span.path, dict(unit.config.sums), span.sha256)
            if wrong:
                writer.add(tally.aside(span, [Aside(None, wrong, rows=max(1, span.rows))]))
                tally.seen += max(1, span.rows)
                continue
            for read_batch in read(span, unit.config.reading, unit.config.limits, unit.scorer.takes):
                tally.seen += read_batch.seen
                batch, left = drawn(read_batch, unit.config)
                asked = time.perf_counter()
                good, scores, failed = scored(unit.scorer, batch)
                scoring += time.perf_counter() - asked
                if len(good):
                    writer.add(tally.kept(span, good, scores, unit))
                writer.add(tally.aside(span, [*batch.aside, *left, *failed]))
        writer.flush()
        receipt = tally.receipt(writer.sha256).check(f"unit {unit.name}")
        sha256 = writer.finish(receipt, unit.spans)
    return Done(unit.name, sha256, receipt, (time.perf_counter() - began - scoring, scoring))


def drawn(batch: Batch, config: Config) -> tuple[Batch, list[Aside]]:
    """The documents of a batch that are drawn into the sample, and how many are not."""
    if config.sampling.everything or not len(batch):
        return batch, []
    words = first_words(contents(batch))
    chosen = config.sampling.drawn(words, strata_of(batch, config.by))
    if chosen.all():
        return batch, []
    left = Aside(None, NOT_DRAWN, rows=int((~chosen).sum()), dropped=True)
    return replace(_those(batch, np.flatnonzero(chosen).tolist()), aside=batch.aside), [left]


def done(unit: Unit) -> Done:
    """The part of a unit that is there."""
    with open(unit.part, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Done(unit.name, digest, receipt_of(unit.part))


def set_aside(unit: Unit, reason: str) -> Done:
    """Store the part of a unit that cannot be done: all of it is set aside."""
    tally = Tally()
    with PartWriter(unit.part) as writer:
        for span in unit.spans:
            rows = max(1, span.rows)
            place = span.start + 1 if span.kind == "groups" else span.first if span.kind == "lines" else None
            writer.add(tally.aside(span, [Aside(place, reason, rows=rows)]))
            tally.seen += rows
        writer.flush()
        receipt = tally.receipt(writer.sha256).check(f"unit {unit.name}")
        return Done(unit.name, writer.finish(receipt, unit.spans), receipt)


def stand_in(unit: Unit, halves: Sequence[Unit]) -> Done:
    """Store an empty part that names the units which are done instead of this one."""
    with PartWriter(unit.part) as writer:
        receipt = Receipt(sha256=writer.sha256, split=tuple(half.name for half in halves))
        return Done(unit.name, writer.finish(receipt), receipt)


def scored(scorer: Scorer, batch: Batch) -> tuple[Batch, Scores, list[Aside]]:
    """Scores of a batch. Where the scorer fails on a document, that one is set aside and the others are scored.

    Raises whatever the scorer raises on all of several documents: then the scorer is at fault.
    """
    if not len(batch):
        return batch, Scores.of(np.empty(0)), []
    try:
        return batch, _fitting(scorer.score(batch), len(batch)), []
    except (MemoryError, RemissionError):
        raise
    except Exception as error:
        if len(batch) == 1:
            return _one(batch, 0, 0), Scores.of(np.empty(0)), [_failed(batch, 0, error)]
        found: list[Scores] = []
        good: list[int] = []
        failed = []
        for place in range(len(batch)):
            try:
                found.append(_fitting(scorer.score(_one(batch, place, 1)), 1))
                good.append(place)
            except (MemoryError, RemissionError):
                raise
            except Exception as another:
                failed.append(_failed(batch, place, another))
        if not good:
            raise error
        return _those(batch, good), _joined(found), failed


def _failed(batch: Batch, place: int, error: Exception) -> Aside:
    return Aside(int(batch.places[place]), f"the scorer failed ({type(error).__name__}: {str(error)[:100]})")


def _fitting(scores: Scores, n: int) -> Scores:
    for name in _OF_SCORES:
        if len(getattr(scores, name)) != n:
            raise ValueError(f"The scorer gave {len(getattr(scores, name))} values of '{name}' for {n} documents.")
    return scores


def _one(batch: Batch, first: int, count: int) -> Batch:
    return _those(batch, list(range(first, first + count)))


def _those(batch: Batch, places: Sequence[int]) -> Batch:
    import pyarrow as pa

    at = pa.array(places, pa.int64())
    items = [batch.items[p] for p in places] if isinstance(batch.items, list) else batch.items.take(at)
    columns = {name: column.take(at) for name, column in batch.columns.items()}
    return Batch(items, batch.places[list(places)], columns, (), len(places))


def _joined(parts: Sequence[Scores]) -> Scores:
    return Scores(*(np.concatenate([np.asarray(getattr(part, name)) for part in parts]) for name in _OF_SCORES))


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
        dates = np.asarray(batch.columns["date"].to_pylist(), dtype=np.str_)
        early = (dates != "") & (dates < config.before)
        if early.any():
            self._early += _stratum(early, score, why, scores, says)
        if len(self._strata) > MOST_STRATA:
            raise DataError(f"by: there are more than {MOST_STRATA:,} strata. Name columns with fewer values.")
        marks = {"mark": scores.mark.tolist(), "log10_p": scores.log10_p.tolist()} if unit.scorer.marks else {}
        return _rows(
            n, file=span.path, place=[None if place < 0 else place for place in batch.places.tolist()], status=KEPT, rows=1,
            reason=why.tolist(), id=batch.columns["id"], stratum=strata.tolist(),
            cell=np.asarray(scores.cell, dtype=np.str_).tolist(),
            score=[None if value != value else value for value in score.tolist()],
            flagged=np.asarray(scores.flagged, dtype=bool).tolist(), early=early.tolist(), declared=says.tolist(),
            **({} if config.copies == "none" else {"content": contents(batch)}), **marks,
            **(dict(zip(BAND_NAMES, bands(batch), strict=True)) if config.copies == "near" else {}),
        )  # fmt: skip

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
        return _rows(
            len(aside), file=span.path, place=[one.place for one in aside], rows=[one.rows for one in aside],
            status=[DROPPED if one.dropped else QUARANTINED for one in aside], reason=[one.reason for one in aside],
            id="", stratum="", cell="",
        )  # fmt: skip

    def receipt(self, sha256: str) -> Receipt:
        """The counts."""
        return Receipt(
            self.seen, self._kept, self._dropped, self._quarantined, self._bytes, self._strata, self._examples, sha256,
            early=self._early,
        )  # fmt: skip


def _bytes_of(batch: Batch) -> int:
    import pyarrow.compute as pc

    return 0 if isinstance(batch.items, list) else pc.sum(pc.binary_length(batch.items)).as_py() or 0


def declared(batch: Batch, column: str, span: Span, takes: Takes) -> Any:
    """Which documents say that they are synthetic, (n,): by a column, or in the files of pictures themselves."""
    said = np.zeros(len(batch), bool)
    if column:
        values = [value.lower() for value in batch.columns[column].to_pylist()]
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
    """The name of each document's stratum, (n,): ``source=a | month=2023-01``; ``all`` when nothing is asked for."""
    n = len(batch)
    if not by:
        return np.full(n, "all")
    named = []
    for name in by:
        if name in ("month", "year") and name not in batch.columns:
            dates = np.asarray(batch.columns["date"].to_pylist(), dtype=np.str_)
            values = dates.astype("<U7" if name == "month" else "<U4")
        else:
            values = np.asarray(batch.columns[name].to_pylist(), dtype=np.str_)
        named.append([f"{name}={value}" for value in values.tolist()])
    return np.array([" | ".join(parts) for parts in zip(*named, strict=True)], dtype=np.str_)


def _rows(n: int, **values: Any) -> Any:
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
