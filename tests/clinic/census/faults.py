"""Faults at chosen moments of writing: a worker that is killed, a disk that is full. Run as a program, it is a census to kill."""

from __future__ import annotations

import errno
import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remission.clinic.census import parts, process
from remission.clinic.census.running import Config, run_census
from remission.engines.local import supervise
from tests.clinic.census.scorers import LENGTHS

MOMENTS = ("begin", "write", "written", "synced", "renamed", "full")
CONFIG = Config(by=("source",), size=3000)


def faulty(task: Any, folder: str, wanted: tuple[str, ...]) -> Any:
    """``step``, but the next fault of the plan happens first. Each happens once: its mark is made before it does."""
    if isinstance(task, process.Unit) and not task.part.exists():
        for number, moment in enumerate(wanted):
            if _claim(Path(folder), number, task.name):
                with _fault(moment):
                    return process.step(task)
    return process.step(task)


def _claim(folder: Path, number: int, unit: str) -> bool:
    """Whether this fault is ours to have. A unit has two at most: the third would be its third strike."""
    if len([*folder.glob(f"*-{unit}")]) == 2 or [*folder.glob(f"{number}-*")]:
        return False
    try:
        os.close(os.open(folder / f"{number}-", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    os.rename(folder / f"{number}-", folder / f"{number}-{unit}")
    return True


def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _fault:  # noqa: N801
    """Lets a moment of writing a part go wrong, in this process."""

    def __init__(self, moment: str) -> None:
        place: dict[str, tuple[Any, str, Callable[..., Any]]] = {
            "begin": (parts.PartWriter, "__init__", _die),
            "write": (parts, "content_hash", _die),  # the file is open, rows are under way
            "written": (os, "fsync", _die),
            "synced": (os, "replace", _die),
            "renamed": (parts, "sync_folder", _die),
            "full": (os, "fsync", _full),
        }
        self.owner, self.name, self.what = place[moment]
        self.before = getattr(self.owner, self.name)

    def __enter__(self) -> None:
        setattr(self.owner, self.name, self.what)

    def __exit__(self, *_: object) -> None:
        setattr(self.owner, self.name, self.before)


def engine(marks: Path, wanted: tuple[str, ...], workers: int = 2) -> Any:
    """Local workers with faults."""
    marks.mkdir(exist_ok=True)
    return lambda function, tasks: supervise(
        functools.partial(faulty, folder=str(marks), wanted=wanted), tasks, workers
    )


if __name__ == "__main__":
    run_census([sys.argv[1]], LENGTHS, sys.argv[2], CONFIG, lambda function, tasks: supervise(function, tasks, 2))
