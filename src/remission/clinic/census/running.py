"""Run a census into a folder; the same call goes on where it stopped, and the result is the same whatever happened.

::

    census.json             what is asked: fields, strata, limits, scorer
    parts/ab/ab12….parquet  rows of one unit with its receipt; there whole or not at all, so it is its own mark
    groups/ab/ab12….parquet which of its documents are copies, and what near-duplicates belong together
    manifest.json           when all is done: inputs and parts with their hashes, the merged receipt, a seal
    timings.json            how long that took, from which the cost of a full scan is estimated; no part of the result
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from remission import __version__
from remission.clinic.census import timings
from remission.clinic.census.grouping import Groups, are_whole, in_order
from remission.clinic.census.kept import Kept, Source, declared_by_copies, read_kept
from remission.clinic.census.manifest import ANSWER, NAME, SIGNATURE, Manifest, read_manifest, write_manifest
from remission.clinic.census.parts import explained, part_path, write_whole
from remission.clinic.census.process import (
    Done,
    Halve,
    Outcome,
    Plan,
    Task,
    done,
    set_aside,
    stand_in,
    step,
)
from remission.clinic.census.receipts import Receipt, Sum, first_examples
from remission.clinic.census.scoring import Scorer, hash_of
from remission.clinic.census.tally import MOST_STRATA
from remission.clinic.census.timings import PartTimes, Pass, grouped, keep_timings, timings_in
from remission.clinic.census.units import FORMAT, Config, Grouper, Unit, size_of_units
from remission.corpus._files import is_utf8, shown
from remission.corpus.spans import SIZE, Found, Span, find, lost_span, stamp_of
from remission.engines.limits import LATER, Later, Limits, Lost
from remission.engines.local import supervise
from remission.errors import DataError, StoreError
from remission.numerics.arrays import Words

Outcomes = Iterator[tuple[Task, Outcome | Lost[Task]]]
Engine = Callable[[Callable[[Task], Outcome], Iterable[Task | Later]], Outcomes]
Progress = Callable[[float, float], None]  # (bytes of the files done, of how many)

GUARD = Limits(seconds=1800.0, memory=4 << 30)  # of a unit, where nothing is said


@dataclass(frozen=True)
class Census:
    """A finished census.

    Attributes:
        folder: where it lies.
        manifest: what it is made of.
        receipt: what became of every row.
        found_done: units that were there already.
        timed: of parts: bytes, seconds for them (to read and draw), seconds for documents (to score, hash, write).
        passed: how long the pass over copies took, of samples.
    """

    folder: Path
    manifest: Manifest
    receipt: Receipt
    found_done: int
    timed: PartTimes = field(default_factory=dict)
    passed: Pass | None = None

    def table(self) -> dict[str, Any]:
        """As plain values."""
        strata = {name: stratum.table() for name, stratum in sorted(self.receipt.strata.items())}
        counts = {name: {key: value for key, value in row.items() if key != "cells"} for name, row in strata.items()}
        return {
            "census": str(self.folder),
            "accounting": self.receipt.accounting(),
            "bytes": self.receipt.bytes,
            "strata": counts,
            "files": len(self.manifest.inputs),
            "parts": len(self.manifest.parts),
            "ignored": list(self.manifest.ignored),
            "unread": len(self.manifest.unread),
            "copies": None if self.manifest.groups is None else self.manifest.groups.table(),
        }


def local_engine(workers: int = 1, limits: Limits = GUARD) -> Engine:
    """Supervised worker processes on this machine."""
    return lambda function, tasks: supervise(function, tasks, workers, limits)


def run_census(
    paths: Sequence[str | Path],
    scorer: Scorer,
    folder: str | Path,
    config: Config | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Census:
    """Score all documents of files, folders and patterns, and account for every row.

    Args:
        paths: what is read, see :func:`remission.corpus.spans.find`.
        scorer: what is asked of each document.
        folder: a new one, that of this very census, which then goes on, or that of one that kept no document.
        config: how documents are read and counted.
        engine: where the work is done; by default one worker process here.
        progress: told how far it is.

    Raises:
        StoreError: the folder holds another census or cannot be written.
        DataError: a path that does not exist, or a file that is changed under way.
        Exception: what the scorer raises on all documents of a batch; finished parts are kept.
    """
    config = config or Config()
    folder = Path(folder)
    found, unread = _drawn(find(paths, scorer.takes, folder), config)
    total = float(sum(stamp_of(path)[0] for path in found.files))
    config = replace(config, size=_open_folder(folder, config, scorer, size_of_units(total)))
    with _writing(folder):
        run = _Run(found, config, scorer, folder, progress)
        try:
            for task, outcome in (engine or local_engine())(step, run.tasks()):
                run.take(task, outcome)
        finally:
            keep_timings(folder, run.timed)
        _sweep(folder)  # what killed workers left half-written
        receipt = run.receipt().check("the census")
        manifest = Manifest(
            version=__version__, config=config.table() | {"hash": config.content()}, scorer=scorer.content,
            inputs=run.inputs(), refused=found.refused, ignored=found.ignored,
            parts=dict(sorted(run.done.items())), receipt=receipt,
            order=tuple(in_order(folder, list(run.done), found.files)), unread=unread, marks=scorer.marks,
        )  # fmt: skip
        groups, passed = _groups(folder, manifest, config)
        manifest = replace(manifest, groups=groups)
        write_manifest(folder, manifest)
        keep_timings(folder, {}, passed)
    return census_of(folder, manifest, run.found_done)


def census_of(folder: Path, manifest: Manifest, found_done: int) -> Census:
    """A finished census with what is known of its times."""
    known = timings_in(folder)
    timed = {name: row for name, row in known.parts.items() if name in manifest.parts}
    return Census(folder, manifest, manifest.receipt, found_done, timed, known.copies)


def _groups(folder: Path, manifest: Manifest, config: Config) -> tuple[Groups | None, Pass | None]:
    """Copies and near-duplicates: those found before, where nothing has changed since. What else is said of before goes.

    Of a sample, how long they took is told as well.
    """
    try:
        before: Manifest | None = read_manifest(folder)
    except StoreError:
        before = None
    if before is not None and (before.parts, before.order) == (manifest.parts, manifest.order):
        known = before.groups
        if known is None or are_whole(folder, manifest.order, known):
            return known, None
    for name in (SIGNATURE, ANSWER, NAME):
        (folder / name).unlink(missing_ok=True)
    if config.copies == "none":
        return None, None
    return grouped(folder, manifest.order, config.copies == "near", config.sampling)


def _drawn(found: Found, config: Config) -> tuple[Found, tuple[tuple[str, int], ...]]:
    """The files that are read, and those that are not drawn into a sample, with their bytes."""
    chosen = config.sampling.read(len(found.files))
    read = tuple(path for path, is_read in zip(found.files, chosen.tolist(), strict=True) if is_read)
    others = [path for path, is_read in zip(found.files, chosen.tolist(), strict=True) if not is_read]
    return replace(found, files=read), tuple((path, stamp_of(path)[0]) for path in others)


def source_of(folder: str | Path, manifest: Manifest, archive: Words | None = None, rate: float = 0.05) -> Source:
    """What the documents of a finished census are read from: see :mod:`remission.clinic.census.kept`."""
    known = np.empty(0, np.uint64) if archive is None else np.sort(archive)
    grouped = manifest.groups is not None
    source = Source(
        Path(folder), manifest.order, grouped, manifest.sampling, known, rate, manifest.marks, len(manifest.inputs)
    )
    if not grouped or not any(stratum.declared for stratum in manifest.receipt.strata.values()):
        return source
    return replace(source, declared=declared_by_copies(source))


def kept_of(folder: str | Path, manifest: Manifest, archive: Words | None = None, rate: float = 0.05) -> Kept:
    """The documents of a finished census that count."""
    counts = {name: stratum.n for name, stratum in manifest.receipt.strata.items()}
    return read_kept(source_of(folder, manifest, archive, rate), counts)


def _open_folder(folder: Path, config: Config, scorer: Scorer, size: int) -> int:
    """Make the folder, or see that it is that of this census; the bytes of its units."""
    if not is_utf8(folder.absolute()):
        raise StoreError(f"'{shown(folder.absolute())}' has a name that is not UTF-8. Choose another folder with -o.")
    given, config = config.size, replace(config, size=config.size or size)
    content = {
        "format": FORMAT, "version": __version__, "config": config.table(), "scorer": scorer.content,
        "id": hash_of({"config": config.content(), "scorer": scorer.content}),
    }  # fmt: skip
    path = folder / "census.json"
    if path.is_file():
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
            before = int(there["config"]["size"])
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(f"'{path}' is damaged. Delete it and run the same command again.") from None
        if there.get("id") != content["id"] or (given is not None and given != before):
            if _cleared(folder, content):
                return cast(int, config.size)
            what = "other settings of reading, strata, copies or sampling"
            if there.get("scorer") != scorer.content:
                what = "another detector or other watermarks"
            raise StoreError(
                f"'{folder}' holds a census with {what} (or of another version), whose documents would have to be scored again. "
                "Choose another folder with -o."
            )
        return before
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"'{folder}' is a file. Choose another folder with -o.")
    if folder.exists() and any(one.name != ".lock" for one in folder.iterdir()):
        raise StoreError(f"'{folder}' is not empty and holds no census. Choose another folder with -o.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(content, indent=1, sort_keys=True))
    return config.size or size


def _cleared(folder: Path, content: Mapping[str, Any]) -> bool:
    """Make the folder of a finished census that kept no document that of another one; False: it kept some, or is not finished."""
    with _writing(folder):
        try:
            before = read_manifest(folder)
        except StoreError:
            return False
        if before.receipt.kept:
            return False
        write_whole(folder / "census.json", json.dumps(content, indent=1, sort_keys=True))
        parts = [part_path(folder, name) for name in before.parts]
        for path in (*(folder / name for name in (SIGNATURE, ANSWER, NAME, timings.NAME)), *parts):
            path.unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Hold the folder; what a killed run left half-written goes. The lock ends with the process."""
    with explained(folder):
        handle = open(folder / ".lock", "w", encoding="ascii")  # noqa: SIM115  (held until the end)
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"Another process is writing to '{folder}'. Wait for it, or choose another -o.") from None
        _sweep(folder)
        yield


def _sweep(folder: Path) -> None:
    for path in folder.rglob(".*.aside"):
        path.unlink(missing_ok=True)


@dataclass
class _Run:
    """Which tasks there are, in an order that depends on the files alone, and what has come of them."""

    found: Found
    config: Config
    scorer: Scorer
    folder: Path
    progress: Progress | None
    done: dict[str, str] = field(default_factory=dict)  # part -> SHA-256
    found_done: int = 0
    timed: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ready: deque[Task] = deque()
        self._spans: dict[str, tuple[Span, ...]] = {}  # of files that were looked at
        self._grouped = 0  # so many files have gone into units
        self._size = self.config.size or SIZE
        self._grouper = Grouper(self._size)
        self._under_way = 0
        self._sum = Sum()
        self._sum.add(_refused(self.found))
        self._why: dict[str, str] = {}  # units ended their workers
        self._total = float(sum(stamp_of(path)[0] for path in self.found.files))
        self._bytes = 0.0

    def tasks(self) -> Iterator[Task | Later]:
        """Units before files that are still to be looked at, so that scoring begins at once."""
        plans = (Plan(path, self.scorer.takes, self._size) for path in self.found.files)
        while True:
            task = self._ready.popleft() if self._ready else next(plans, None)
            if task is not None:
                self._under_way += 1
                yield task
            elif self._under_way:
                yield LATER
            else:
                return

    def take(self, task: Task, outcome: Outcome | Lost[Task]) -> None:
        """What came of a task."""
        self._under_way -= 1
        if isinstance(task, Plan):
            spans = (lost_span(task.path),) if isinstance(outcome, Lost) else outcome
            self._spans[task.path] = cast(tuple[Span, ...], spans)  # what a Plan comes to, see process.step
            self._group()
        elif isinstance(task, Halve):
            halves: Any = () if isinstance(outcome, Lost) else outcome
            self._in_place_of(task.unit, halves)
        elif isinstance(outcome, Lost):
            self._ready.appendleft(Halve(task))
            self._why[task.name] = outcome.said
        else:
            self._finish(task, cast(Done, outcome))

    def _group(self) -> None:
        """Make units of the spans of files, as far as all files before them have been looked at."""
        files = self.found.files
        while self._grouped < len(files) and files[self._grouped] in self._spans:
            for spans in self._grouper.add(self._spans[files[self._grouped]]):
                self._offer(self._unit(spans))
            self._grouped += 1
        if self._grouped == len(files):
            for spans in self._grouper.rest():
                self._offer(self._unit(spans))

    def _unit(self, spans: tuple[Span, ...]) -> Unit:
        return Unit(spans, self.config, self.scorer, str(self.folder.resolve()))

    def _offer(self, unit: Unit) -> None:
        """A unit is ready to be done, or is done already."""
        if not unit.part.exists():
            self._ready.append(unit)
            return
        there = done(unit)
        if there.receipt.split:
            self._ready.append(Halve(unit))  # its halves may be there in part
            return
        self.found_done += 1
        self._finish(unit, there)

    def _in_place_of(self, unit: Unit, halves: tuple[Unit, ...]) -> None:
        """A unit ended its workers: two halves are done instead, or it is set aside when it cannot be cut."""
        if halves:
            self._add(done(unit) if unit.part.exists() else stand_in(unit, halves))
            for half in halves:
                self._offer(half)
            return
        why = self._why.get(unit.name, "its workers died")
        self._finish(unit, set_aside(unit, f"it cannot be processed: {why}"))

    def _finish(self, unit: Unit, outcome: Done) -> None:
        self._add(outcome)
        if len(self._sum.strata) > MOST_STRATA:
            raise DataError(f"by: there are more than {MOST_STRATA:,} strata. Name columns with fewer values.")
        self._bytes += unit.size
        if outcome.seconds is not None:
            self.timed[unit.name] = (float(unit.size), *outcome.seconds)
        if self.progress is not None:
            self.progress(min(self._bytes, self._total), self._total)

    def _add(self, outcome: Done) -> None:
        if outcome.name not in self.done:
            self.done[outcome.name] = outcome.sha256
            self._sum.add(outcome.receipt)

    def receipt(self) -> Receipt:
        """What became of all rows, and of the files that were not even looked at."""
        return self._sum.receipt()

    def inputs(self) -> dict[str, tuple[str, int]]:
        """Hash and size of every file."""
        found = {}
        for path in self.found.files:
            if path not in self._spans:
                raise DataError(f"'{path}' was not looked at. Run the command again.")
            found[path] = (self._spans[path][0].sha256, self._spans[path][0].stamp[0])
        return found


def _refused(found: Found) -> Receipt:
    """Files that were not even looked at."""
    shown = [{"file": f, "place": None, "rows": 1, "reason": reason} for f, reason in found.refused]
    counts = Counter(reason for _, reason in found.refused)
    return Receipt(seen=len(shown), quarantined=counts, examples=first_examples(shown))
