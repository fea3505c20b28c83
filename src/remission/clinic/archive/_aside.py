"""Outputs that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from remission.aside import written
from remission.errors import StoreError


@contextlib.contextmanager
def written_aside(path: Path, folder: bool = False) -> Iterator[Path]:
    """A place to write to, which gets its name at the end; removed when anything fails. Plain files are written over, nothing else."""
    if path.exists() and not path.is_file() and not folder:  # a pipe or a device would be gone
        raise StoreError(f"'{path}' is there, and no plain file. Choose another name.")
    try:
        with _folder(path) if folder else written(path) as aside:
            yield aside
    except OSError as error:
        raise StoreError(f"'{path}' cannot be written: {error.strerror or error}.") from None


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[Path]:
    if path.exists():
        raise StoreError(f"'{path}' exists. Choose another folder.")
    aside = path.with_name(f".{path.name}.aside-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        yield aside
        os.replace(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
