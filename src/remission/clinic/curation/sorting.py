"""What a worker does with a part of a census: read its documents again, keep some with weights, put the others beside them."""

from __future__ import annotations

import functools
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.census.fingerprints import contents
from remission.clinic.census.grouping import FIRST
from remission.clinic.census.kept import ARCHIVED, DECLARED, MARKED, Marking, Source, read_part
from remission.clinic.census.parts import explained, part_path, spans_in, write_whole
from remission.clinic.census.units import Config
from remission.clinic.curation._writing import Writer
from remission.clinic.curation.counting import COPY_REASON, cells_in
from remission.clinic.curation.rules import Rules
from remission.corpus.beside import Beside, Column, names_of
from remission.corpus.reading import Fields, Takes
from remission.corpus.spans import Span, sha256_of, stamp_of
from remission.corpus.streaming import Batch, read
from remission.errors import DataError, RemissionError, StoreError
from remission.numerics.arrays import Array, Floats, Words

KEY = b"remission.curation"
OURS = frozenset(
    {"text", "path", "id", "weight", "score", "kind", "stratum", "file", "place", "cluster", "reason"}
)  # columns of every curation
_DECIDING, _ARCHIVE, _DECLARED = ".deciding.json", ".archive.npy", ".declared.npy"
DECLARED_REASON = "declares that it is synthetic"
DECLARED_COPY_REASON = "a copy of it declares that it is synthetic"
MARKED_REASON = "watermarked"
UNJUDGED_REASON = "not judged"


@dataclass(frozen=True)
class Deciding:
    """How documents are decided on: the same for all parts.

    Attributes:
        rules: for judged documents of unknown origin.
        marking: which p-values of watermarks are discoveries.
        unjudged: whether documents nothing is said of are kept.
        id: hash of everything the files depend on.
        columns: of the corpus, that are carried along.
    """

    rules: Rules
    marking: Marking | None
    unjudged: bool
    id: str
    columns: tuple[Column, ...] = ()

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "rules": self.rules.table(), "marking": None if self.marking is None else vars(self.marking),
            "unjudged": self.unjudged, "id": self.id, "columns": [column.table() for column in self.columns],
        }  # fmt: skip

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Deciding:
        """What ``table`` gave."""
        marking = table["marking"]
        return cls(
            Rules.of(table["rules"]), None if marking is None else Marking(**marking), table["unjudged"], table["id"],
            tuple(map(Column.of, table["columns"])),
        )  # fmt: skip


@dataclass(frozen=True)
class Hashing:
    """A file that several parts are of, to be hashed once: what it was in the census, and how it looks now."""

    path: str
    sha256: str
    stamp: tuple[int, int]


@dataclass(frozen=True)
class Job:
    """A part to be sorted.

    Attributes:
        number: of the part in the order of the corpus; name: of it.
        first: number of its first document, in the census.
        source: where rows are read from, this part alone, without the archive.
        config: how documents were read; takes: what they are.
        id: of the decisions, which lie in the folder: they may be large, and jobs are many.
        folder: where files go.
        hashed: stamps of files that are known to be those of the census.
    """

    number: int
    name: str
    first: int
    source: Source
    config: Config
    takes: Takes
    id: str
    folder: str
    hashed: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def path(self, kind: str) -> Path:
        """Of the file of ``kept`` or ``dropped`` documents."""
        return Path(self.folder) / kind / f"{self.number:06d}.parquet"


@dataclass(frozen=True)
class Sorted:
    """What became of the documents of a part.

    Attributes:
        number: of the part.
        kept: documents; weight: sum of theirs; squares: sum of squares.
        dropped: by reason.
        bytes: of the texts that are kept.
        unread: values of columns carried along that are null because they could not be had, by column and reason.
    """

    number: int
    kept: int
    weight: float
    squares: float
    dropped: Counter[str]
    bytes: int
    unread: Counter[str]

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return vars(self) | {name: dict(sorted(getattr(self, name).items())) for name in ("dropped", "unread")}

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Sorted:
        """What ``table`` gave."""
        return cls(**{**table, **{name: Counter(table[name]) for name in ("dropped", "unread")}})


def tell(folder: Path, deciding: Deciding, source: Source) -> None:
    """Put the decisions where workers find them; :func:`forget` takes them away."""
    for name, array in ((_ARCHIVE, source.archive), (_DECLARED, source.declared)):
        aside = folder / f"{name}-{os.getpid()}.aside"
        with explained(folder):
            try:
                with open(aside, "wb") as file:
                    np.save(file, array)
                os.replace(aside, folder / name)
            finally:
                aside.unlink(missing_ok=True)
    write_whole(folder / _DECIDING, json.dumps(deciding.table(), sort_keys=True))


def forget(folder: Path) -> None:
    """Take away what :func:`tell` put there."""
    for name in (_ARCHIVE, _DECLARED, _DECIDING):
        (folder / name).unlink(missing_ok=True)


@functools.lru_cache(maxsize=2)
def _told(folder: str, identity: str) -> tuple[Deciding, Words, Words]:
    """The decisions; the archive and contents declared by copies, which stay on the disk: workers of a machine share them."""
    try:
        deciding = Deciding.of(json.loads((Path(folder) / _DECIDING).read_text(encoding="utf-8")))
        archive, declared = (np.load(Path(folder) / name, mmap_mode="r") for name in (_ARCHIVE, _DECLARED))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"'{folder}' cannot be read here ({type(error).__name__}). On a cluster, it must be a folder that all machines share."
        ) from None
    if deciding.id != identity:
        raise StoreError(f"Another process is writing to '{folder}'. Wait for it, or choose another -o.")
    return deciding, archive, declared


def hashed(file: Hashing) -> bool:
    """Whether a file is the one of the census."""
    return _sha256(file.path, file.stamp) == file.sha256


def work(task: Job | Hashing) -> Any:
    """What an engine is given to do."""
    return hashed(task) if isinstance(task, Hashing) else sort(task)


def sort(job: Job) -> Sorted:
    """Sort the documents of a part; a part that is sorted already is left as it is.

    Raises:
        DataError: an input file was changed or is gone. StoreError: no place to write.
        RemissionError: a document is unaccounted for.
    """
    there = _found(job)
    if there is not None:
        return there
    deciding, archive, declared = _told(job.folder, job.id)
    _, rows = next(read_part(replace(job.source, archive=archive, declared=declared), deciding.marking))
    weights, reasons = decided(deciding, rows, job.source.grouped)
    beside = Beside(deciding.columns, job.config.reading, job.config.limits) if deciding.columns else None
    large = [column.name for column in deciding.columns]
    with Writer(job.path("kept"), large) as kept, Writer(job.path("dropped"), large) as dropped:
        at = 0
        for span, batch in _documents(job, beside):
            here = _matched(rows.table, at, span, batch, job.source.grouped)
            at += here.size
            documents = _those(batch, here)
            low, high = at - here.size, at
            whole = _columns(job, rows, documents, span, slice(low, high), weights)
            keep = weights[low:high] > 0
            kept.add(whole, keep, None)
            dropped.add(whole, ~keep, reasons[low:high])
        if at != rows.table.num_rows:
            raise RemissionError(
                f"part {job.name}: {rows.table.num_rows - at} documents of the census were not found again in its files. Run the "
                "census again."
            )
        counts = Counter(np.asarray(reasons)[weights == 0].tolist())
        inside = weights[weights > 0]
        unread = Counter[str]() if beside is None else beside.unread
        found = Sorted(
            job.number, inside.size, float(inside.sum()), float((inside**2).sum()), counts, kept.bytes, unread
        )
        if dropped.count:
            dropped.finish({})
        told = json.dumps({"id": job.id, **found.table()}, sort_keys=True).encode()
        kept.finish({KEY: told})  # last: this file is the mark that the part is done
    return found


def _found(job: Job) -> Sorted | None:
    """What was done before, with the same settings."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = job.path("kept")
    if not path.exists():
        return None
    try:
        told = json.loads((pq.read_metadata(path).metadata or {})[KEY])
        others = sum(told["dropped"].values())
        if others and not (job.path("dropped").exists() and pq.read_metadata(job.path("dropped")).num_rows == others):
            return None  # taken away since: the part is sorted again
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise StoreError(
            f"'{path}' is damaged ({type(error).__name__}). Delete it and run the same command again."
        ) from None
    if told.pop("id") != job.id:
        raise StoreError(f"'{job.folder}' holds a curation with other settings. Choose another folder with -o.")
    return Sorted.of(told)


def decided(deciding: Deciding, rows: Any, grouped: bool) -> tuple[Floats, Array]:
    """Weights (n,), 0 for what is dropped, and why (n,), empty for what is kept.

    What is known comes before what is estimated: documents of the archive are kept, declared and watermarked ones dropped.
    """
    n = rows.table.num_rows
    weights, reasons = np.ones(n), np.full(n, "", object)
    score = np.asarray(rows.table.column("score").fill_null(np.nan).to_numpy(), float)
    judged = np.isfinite(score)
    for cell, here in cells_in(rows.table, judged):
        rule = deciding.rules.find(*cell)
        if rule is not None:
            weights[here] = rule.weight(score[here])
            reasons[here[weights[here] == 0]] = rule.reason
    if not deciding.unjudged:
        why = rows.table.column("reason").fill_null("").to_pylist()
        for place in np.flatnonzero(~judged):
            weights[place], reasons[place] = 0.0, f"{UNJUDGED_REASON}: {why[place]}"
    origin = rows.known
    for known, reason in ((DECLARED, DECLARED_COPY_REASON), (MARKED, MARKED_REASON)):
        weights[origin == known], reasons[origin == known] = 0.0, reason
    itself = np.asarray(rows.table.column("declared").fill_null(False).to_numpy(), bool)
    reasons[(origin == DECLARED) & itself] = DECLARED_REASON
    weights[origin == ARCHIVED], reasons[origin == ARCHIVED] = 1.0, ""
    if grouped:
        weights[rows.copy != FIRST], reasons[rows.copy != FIRST] = 0.0, COPY_REASON
    return weights, reasons


def taken(fields: Fields) -> frozenset[str]:
    """Names that columns have which every curation with such a census writes."""
    return OURS | {named(name) for name in names_of(fields)}


def named(name: str) -> str:
    """What a column that the census read is called in a training set."""
    return f"{name}_" if name in OURS - {"id"} else name


def _documents(job: Job, beside: Beside | None) -> Iterator[tuple[Span, Batch]]:
    """The documents of the part as they were read for the census."""
    for span in spans_in(part_path(job.source.folder, job.name)):
        stamp = stamp_of(span.path)
        if job.hashed.get(span.path) != stamp and _sha256(span.path, stamp) != span.sha256:
            raise DataError(f"'{span.path}' was changed after the census. Run the census again, then curate.")
        for batch in read(span, job.config.reading, job.config.limits, job.takes, beside):
            if len(batch):
                yield span, batch


@functools.lru_cache(maxsize=64)
def _sha256(path: str, _stamp: tuple[int, int]) -> str:
    return sha256_of(path)


def _matched(table: Any, at: int, span: Span, batch: Batch, hashed: bool) -> Array:
    """The places in a batch of the next documents of the census; others of the batch were set aside there."""
    rows = table.slice(at, len(batch))
    same = [path == span.path for path in rows.column("file").to_pylist()]
    places = [-1 if place is None else place for place in rows.column("place").to_pylist()]
    wanted = [place for place, is_same in zip(places, same, strict=True) if is_same]
    index = {place: number for number, place in enumerate(batch.places.tolist())}
    found: list[int] = []
    for place in wanted:
        number = index.get(place)
        if number is None:
            break  # of a later batch
        found.append(number)
    here = np.array(found, np.int64)
    if hashed and here.size:
        mine = contents(_those(batch, here)).to_pylist()
        if mine != rows.column("content").to_pylist()[: here.size]:
            raise DataError(f"Documents of '{span.path}' are not what they were in the census. Run the census again.")
    return here


def _those(batch: Batch, here: Array) -> Batch:
    import pyarrow as pa

    if here.size == len(batch):
        return batch
    at = pa.array(here, pa.int64())
    items = [batch.items[place] for place in here] if isinstance(batch.items, list) else batch.items.take(at)
    columns, beside = (
        {name: column.take(at) for name, column in given.items()} for given in (batch.columns, batch.beside)
    )
    return replace(batch, items=items, places=batch.places[here], columns=columns, beside=beside)


def _columns(job: Job, rows: Any, batch: Batch, span: Span, here: slice, weights: Floats) -> Any:
    """The documents with what is known of each, an Arrow table."""
    import pyarrow as pa

    table = rows.table.slice(here.start, here.stop - here.start)
    texts = batch.items if not isinstance(batch.items, list) else pa.array([span.path] * len(batch), pa.large_string())
    columns = {"text" if job.takes == "text" else "path": texts.cast(pa.large_string()), "id": batch.columns["id"]}
    columns |= {named(name): column for name, column in batch.columns.items()}
    columns |= {
        "weight": pa.array(weights[here]),
        "score": table.column("score").combine_chunks(),
        "kind": table.column("cell").combine_chunks(),
        "stratum": table.column("stratum").combine_chunks(),
        "file": table.column("file").combine_chunks(),
        "place": table.column("place").combine_chunks(),
        "cluster": pa.array(rows.cluster[here] if job.source.grouped else np.arange(here.start, here.stop) + job.first),
    }
    return pa.table(columns | batch.beside)
