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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from remission import __version__
from remission.clinic.census import timings
from remission.clinic.census._under_way import Progress, Run
from remission.clinic.census.grouping import Groups, are_whole, in_order
from remission.clinic.census.kept import Kept, Source, declared_by_copies, read_kept
from remission.clinic.census.manifest import ANSWER, NAME, SIGNATURE, Manifest, read_manifest, write_manifest
from remission.clinic.census.parts import explained, part_path, write_whole
from remission.clinic.census.process import (
    Outcome,
    Task,
    step,
)
from remission.clinic.census.receipts import Receipt
from remission.clinic.census.scoring import Scorer, hash_of
from remission.clinic.census.timings import PartTimes, Pass, grouped, keep_timings, timings_in
from remission.clinic.census.units import FORMAT, Config, size_of_units
from remission.corpus._files import is_utf8, shown
from remission.corpus.spans import Found, find, stamp_of
from remission.engines.limits import Later, Limits, Lost
from remission.engines.local import supervise
from remission.errors import StoreError
from remission.numerics.arrays import Words

Outcomes = Iterator[tuple[Task, Outcome | Lost[Task]]]
Engine = Callable[[Callable[[Task], Outcome], Iterable[Task | Later]], Outcomes]

GUARD = Limits(seconds=1800.0, memory=4 << 30)  # of a unit, where nothing is said


@dataclass(frozen=True)
class Census:
    """A finished census.

    Attributes:
        folder: where it lies.
        manifest: what it is made of.
        receipt: what became of every row.
        found_done: units that were there already.
        started: seconds that a worker took to begin, of samples.
        mended: units whose part was there and damaged, and was done anew.
        timed: of parts: bytes, seconds for them (to read and draw), seconds for documents (to score, hash, write).
        passed: how long the pass over copies took, of samples.
    """

    folder: Path
    manifest: Manifest
    receipt: Receipt
    found_done: int
    timed: PartTimes = field(default_factory=dict)
    passed: Pass | None = None
    started: float = 0.0
    mended: int = 0

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
        before = _before(folder)
        run = Run(found, config, scorer, folder, progress, {} if before is None else before.parts)
        try:
            for task, outcome in (engine or local_engine())(step, run.tasks()):
                run.take(task, outcome)
        finally:
            keep_timings(folder, run.timed, started=run.started)
        _sweep(folder)  # what killed workers left half-written
        receipt = run.receipt().check("the census")
        manifest = Manifest(
            version=__version__, config=config.table() | {"hash": config.content()}, scorer=scorer.content,
            inputs=run.inputs(), refused=found.refused, ignored=found.ignored,
            parts=dict(sorted(run.done.items())), receipt=receipt,
            order=tuple(in_order(folder, list(run.done), found.files)), unread=unread, marks=scorer.marks,
        )  # fmt: skip
        groups, passed = _groups(folder, manifest, config, before)
        manifest = replace(manifest, groups=groups)
        write_manifest(folder, manifest)
        keep_timings(folder, {}, passed)
    return replace(census_of(folder, manifest, run.found_done), mended=run.mended)


def _before(folder: Path) -> Manifest | None:
    """The manifest that an earlier run left; None: there is none that can be read."""
    try:
        return read_manifest(folder)
    except StoreError:
        return None


def census_of(folder: Path, manifest: Manifest, found_done: int) -> Census:
    """A finished census with what is known of its times."""
    known = timings_in(folder)
    timed = {name: row for name, row in known.parts.items() if name in manifest.parts}
    return Census(folder, manifest, manifest.receipt, found_done, timed, known.copies, known.started)


def _groups(
    folder: Path, manifest: Manifest, config: Config, before: Manifest | None
) -> tuple[Groups | None, Pass | None]:
    """Copies and near-duplicates: those found before, where nothing has changed since. What else is said of before goes.

    Of a sample, how long they took is told as well.
    """
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
    there = _settings(path)
    if there is not None:
        before = int(there["config"]["size"])
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
    ours = path.exists() or (folder / "parts").is_dir()  # damaged: parts are known by their names
    if folder.exists() and not ours and any(not _of_writing(one.name) for one in folder.iterdir()):
        raise StoreError(f"'{folder}' is not empty and holds no census. Choose another folder with -o.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(content, indent=1, sort_keys=True))
    return config.size or size


def _settings(path: Path) -> dict[str, Any] | None:
    """What a census was asked for; None where there is none, or it is damaged."""
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        int(there["config"]["size"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cast(dict[str, Any], there)


def _of_writing(name: str) -> bool:
    """Whether it is what a run that was stopped before its first part leaves."""
    return name == ".lock" or (name.startswith(".") and name.endswith(".aside"))


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
