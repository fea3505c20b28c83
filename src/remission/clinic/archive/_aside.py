"""Outputs that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from remission.errors import StoreError


@contextlib.contextmanager
def written_aside(path: Path, folder: bool = False) -> Iterator[Path]:
    """A place to write to, which gets its name at the end; removed when anything fails. Files are written over, folders not."""
    aside = path.with_name(f".{path.name}.aside-{os.getpid()}")
    if folder and path.exists():
        raise StoreError(f"'{path}' exists. Choose another folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if folder:
            aside.mkdir()
        yield aside
        os.replace(aside, path)
    except OSError as error:
        raise StoreError(f"'{path}' cannot be written: {error.strerror or error}.") from None
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)
