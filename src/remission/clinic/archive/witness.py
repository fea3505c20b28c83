"""Checkpoints kept elsewhere: with them a rollback to an older state, or another history, is found.

A witness file holds one checkpoint a line. Keep it where the owner of the archive, and whoever could steal its key, cannot
write: with a partner, on paper, in a mail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from remission.clinic.archive._aside import written_aside
from remission.errors import DataError, StoreError
from remission.gold import disk
from remission.gold.log import Fault, Log
from remission.gold.merkle import Tree
from remission.gold.signing import Checkpoint, read_checkpoint


def read_witness(path: Path) -> list[Checkpoint]:
    """The checkpoints of a witness file. Raises DataError when it holds anything else."""
    try:
        lines = disk.read_given(path, most=1 << 28).split(b"\n")
    except OSError as error:
        raise DataError(f"The witness '{path}' cannot be read: {error.strerror or error}.") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        checkpoint = read_checkpoint(line.strip())
        if checkpoint is None or not checkpoint.is_signed:
            raise DataError(
                f"'{path}', line {number}: no signed checkpoint. A witness file is written by `remission archive witness`."
            )
        found.append(checkpoint)
    if not found:
        raise DataError(f"The witness '{path}' holds no checkpoint. `remission archive witness` writes one.")
    return found


def add_to_witness(path: Path, log: Log) -> bool:
    """Add the newest checkpoint to a witness file, which must agree with the log; False when it is there already.

    Raises:
        DataError: the file is no witness. StoreError: it disagrees with this archive, or cannot be written.
    """
    path = Path(os.path.realpath(path.expanduser()))  # a link stays one, and what it leads to grows
    kept = read_witness(path) if path.exists() else []
    faults, _ = against_witness(log, kept)
    if faults:
        raise StoreError(f"'{path}' does not agree with '{log.folder}': {faults[0].what}. Nothing was written.")
    if any(one.size == log.head.size for one in kept):
        return False
    try:
        _write_anew(path, log.head.line() + b"\n")
    except OSError as error:
        raise StoreError(f"The witness '{path}' cannot be written: {error.strerror or error}.") from None
    return True


def _write_anew(path: Path, line: bytes) -> None:
    """The file with one line more, whole at any time; the line before may have lost its end, as editors and mails do to it."""
    before = disk.read(path, most=1 << 28) if path.exists() else b""
    with written_aside(path) as aside:
        aside.write_bytes(before + (b"" if before.endswith(b"\n") or not before else b"\n") + line)
        if before:
            shutil.copymode(path, aside)


def against_witness(log: Log, kept: Sequence[Checkpoint]) -> tuple[list[Fault], int]:
    """What disagrees with checkpoints kept elsewhere, and how many of them agree."""
    faults: list[Fault] = []
    known = {(one.size, one.root) for one in log.checkpoints if one is not None}
    unsure = [one for one in kept if one.origin == log.origin and (one.size, one.root) not in known]
    roots = _roots(log, sorted({one.size for one in unsure if one.size <= log.size}))
    agreed: list[Checkpoint] = []
    newest = max((one for one in log.checkpoints if one is not None), key=lambda one: one.size, default=None)
    for one in kept:
        what, kind = "", "fork"
        if one.origin != log.origin:
            what, kind = f"the witness saw the archive {one.origin[:16]}..., and this is {log.origin[:16]}...", "origin"
        elif one.size > log.size and one in unsure:
            what, kind = f"the witness saw {one.size} entries, and now there are {log.size}", "rollback"
        elif one in unsure and roots.get(one.size) != one.root:
            what = f"the first {one.size} entries are not those that the witness saw"
        elif one.key not in log.keys:
            what, kind = (
                f"the witness saw a checkpoint signed by {one.key[:16]}..., which is no key of the archive",
                "key",
            )
        if what:
            faults.append(Fault(kind, what, f"witness of {one.time}", one, newest if kind == "rollback" else None))
        else:
            agreed.append(one)
    return [_bounded(one, agreed) for one in faults], len(agreed)


def _bounded(fault: Fault, agreed: Sequence[Checkpoint]) -> Fault:
    """A fork happened after the last checkpoint that both histories share, as far as witnesses tell."""
    if fault.kind != "fork" or fault.since is None:
        return fault
    earlier = [one for one in agreed if one.size < fault.since.size]
    return replace(fault, after=max(earlier, key=lambda one: one.size, default=None))


def _roots(log: Log, sizes: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    if not sizes:
        return found
    tree, wanted = Tree(), set(sizes)
    try:
        for leaf in log.leaves(sizes[-1]):
            tree.append(leaf)
            if tree.size in wanted:
                found[tree.size] = tree.root().hex()
    except (OSError, ValueError):
        pass  # a damaged log has its own faults
    return found
