"""What a worker does with a unit: read, score, write the part, give the receipt."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from remission import __version__
from remission.clinic.census.fingerprints import contents, first_words
from remission.clinic.census.parts import PartWriter, check_pages, receipt_of
from remission.clinic.census.receipts import Receipt
from remission.clinic.census.sampling import NOT_DRAWN
from remission.clinic.census.scoring import Scorer, Scores
from remission.clinic.census.tally import KEPT, MOST_STRATA, Tally, strata_of
from remission.clinic.census.units import Config, Unit
from remission.corpus.reading import Takes
from remission.corpus.spans import Span, expected, spans_of
from remission.corpus.streaming import Aside, Batch, read
from remission.errors import RemissionError, StoreError

__all__ = ["KEPT", "MOST_STRATA", "Done", "Halve", "Plan", "Task", "drawn", "process", "scored", "step", "strata_of"]
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
        seconds: it took for bytes (to read, check and draw) and for documents (to score, hash and write). None: it was there
            already.
        started: seconds that what is done once in a process took before that; of samples.
    """

    name: str
    sha256: str
    receipt: Receipt
    seconds: tuple[float, float] | None = field(default=None, compare=False)
    started: float = field(default=0.0, compare=False)


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
    import pyarrow as pa

    try:
        return process(task)
    finally:
        pa.default_memory_pool().release_unused()  # else a worker holds more with every unit it has done


def process(unit: Unit) -> Done:
    """Do a unit and store its part; one that is there already is left as it is.

    Raises:
        StoreError: the part cannot be written. DataError: a file was changed, or there are too many strata.
        RemissionError: a row is unaccounted for.
    """
    there = found_part(unit)
    if there is not None:
        return there
    before = time.perf_counter()
    _warm_up(unit)
    tally, began, scoring = Tally(), time.perf_counter(), 0.0
    with PartWriter(unit.part) as writer:
        for span in unit.spans:
            wrong = expected(span.path, dict(unit.config.sums), span.sha256)
            if wrong:
                writer.add(tally.aside(span, [Aside(None, wrong, rows=max(1, span.rows))]))
                tally.seen += max(1, span.rows)
                continue
            for batch in filled(read(span, unit.config.reading, unit.config.limits, unit.scorer.takes), unit.config):
                tally.seen += batch.seen
                asked = time.perf_counter()
                good, scores, failed = scored(unit.scorer, batch)
                if len(good):
                    writer.add(tally.kept(span, good, scores, unit))
                scoring += time.perf_counter() - asked
                aside = [*batch.aside, *failed]
                if aside:
                    writer.add(tally.aside(span, aside))
        asked = time.perf_counter()
        writer.flush()
        scoring += time.perf_counter() - asked
        receipt = tally.receipt(writer.sha256).check(f"unit {unit.name}")
        sha256 = writer.finish(receipt, unit.spans)
    return Done(unit.name, sha256, receipt, (time.perf_counter() - began - scoring, scoring), began - before)


def _warm_up(unit: Unit) -> None:
    """Score one drawn document, for what is done once in a process (models and compiled code are loaded) is no time of documents.

    Only of samples, whose times are multiplied.
    """
    config = unit.config
    if config.sampling.everything or unit.scorer.content in _WARM:
        return
    _WARM.add(unit.scorer.content)
    for span in unit.spans:
        if expected(span.path, dict(config.sums), span.sha256):
            continue
        for read_batch in read(span, config.reading, config.limits, unit.scorer.takes):
            batch, _ = drawn(read_batch, config)
            if len(batch):
                good, scores, _ = scored(unit.scorer, _one(batch, 0, 1))
                if len(good):
                    Tally().kept(span, good, scores, unit)
                return


_WARM: set[str] = set()  # scorers that this process has asked


def filled(batches: Iterable[Batch], config: Config) -> Iterator[Batch]:
    """The documents of batches of a span that are drawn, those that are not among what is aside.

    In a sample few are drawn of each batch. They are put together until they are as many as a batch holds: scored few at a time,
    documents would take longer than in the full scan, whose time is told from them.
    """
    held: list[Batch] = []
    documents = bytes_ = 0
    for read_batch in batches:
        batch, left = drawn(read_batch, config)
        batch = replace(batch, aside=(*batch.aside, *left), seen=read_batch.seen)
        if config.sampling.everything or isinstance(batch.items, list):
            yield batch
            continue
        if held and _kinds(batch) != _kinds(held[0]):
            yield _together(held)
            held, documents, bytes_ = [], 0, 0
        held.append(batch)
        documents, bytes_ = documents + len(batch), bytes_ + batch.items.nbytes
        if documents >= config.limits.batch_rows or bytes_ >= config.limits.batch_bytes:
            yield _together(held)
            held, documents, bytes_ = [], 0, 0
    if held:
        yield _together(held)


def _kinds(batch: Batch) -> list[Any]:
    return [batch.items.type, *((name, column.type) for name, column in batch.columns.items())]


def _together(batches: Sequence[Batch]) -> Batch:
    import pyarrow as pa

    if len(batches) == 1:
        return batches[0]
    columns = {name: pa.concat_arrays([one.columns[name] for one in batches]) for name in batches[0].columns}
    aside = tuple(itertools.chain.from_iterable(one.aside for one in batches))
    return Batch(
        pa.concat_arrays([one.items for one in batches]), np.concatenate([one.places for one in batches]), columns,
        aside, sum(one.seen for one in batches),
    )  # fmt: skip


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


def found_part(unit: Unit, sha256: str | None = None) -> Done | None:
    """The part of a unit that is there already; None where there is none, or it is damaged, or has another hash than this.

    Where no hash is known, all of it is read, for its pages have checksums.
    """
    try:
        with open(unit.part, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if sha256 is None:
            check_pages(unit.part)
        return Done(unit.name, digest, receipt_of(unit.part)) if sha256 in (None, digest) else None
    except (OSError, StoreError):
        return None


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
