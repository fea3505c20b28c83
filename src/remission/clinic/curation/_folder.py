"""The folder of a curation: held by one process, and plain values as files say them."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from remission.clinic.census.parts import explained
from remission.errors import StoreError


def check_free(folder: Path) -> None:
    """See that a folder is new, empty, or one of a curation. Raises StoreError."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"'{folder}' is a file. Choose another folder with -o.")
    with explained(folder):
        strange = folder.exists() and not (folder / "asked.json").is_file() and any(map(_strange, folder.iterdir()))
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise StoreError(
            f"'{folder}' cannot be written: '{there}' is no folder, or not yours. Choose another folder with -o."
        )
    if strange:
        raise StoreError(f"'{folder}' is not empty and holds no curation. Choose another folder with -o.")


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the folder, a new one or one of a curation; what a killed run left half-written goes. Raises StoreError."""
    check_free(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = open(folder / ".lock", "w", encoding="ascii")  # noqa: SIM115  (held until the end)
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"Another process is writing to '{folder}'. Wait for it, or choose another -o.") from None
        for path in folder.rglob("*.aside"):
            path.unlink(missing_ok=True)
        yield


def _strange(path: Path) -> bool:
    """Whether a file is none of those that a run leaves which was stopped before it had begun."""
    return path.name != ".lock" and not (path.name.endswith(".aside"))


def finite(value: Any) -> Any:
    """Plain values with None for what JSON has no word for, NaN and infinity.

    >>> finite({"value": float("nan"), "rows": [0.5]})
    {'value': None, 'rows': [0.5]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, (list, tuple)) else value
