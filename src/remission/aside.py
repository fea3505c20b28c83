"""Files that are there whole or not at all: written beside their place, flushed, then renamed."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written(path: Path, *, mode: int = 0o666, sync: bool = True) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` at the end of the block, in place of what was there.

    Whatever fails, a kill included, ``path`` is as it was; and two processes may write it at once, of which one wins. Only a kill
    leaves something behind: a file that ends in ``.aside``.

    Args:
        path: the file; folders above it are made.
        mode: permissions from the first byte on, less the umask.
        sync: have file and name on the disk before going on, so that they survive a power cut as well.

    Raises:
        OSError: it cannot be written. Callers know what to tell the user.
    """
    beside = path.with_name(f".{path.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}.aside")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
        yield beside
        if sync:
            with open(beside, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(beside, path)
        if sync:
            sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk.

    Raises:
        OSError: it is no folder, or the disk fails.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
