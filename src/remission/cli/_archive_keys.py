"""Keys and folders that commands of the archive make, and take away again when nothing came of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from remission.cli._archive import signer_of
from remission.errors import DataError, RemissionError


def new_folder(archive: Path) -> None:
    """Refuse a folder that holds anything. Raises click.UsageError."""
    if not archive.exists() or (archive.is_dir() and not any(archive.iterdir())):
        return
    hint = ""
    if archive.is_dir() and _only_begun(archive):
        hint = " It is what an interrupted `archive init` left, and holds nothing yet: remove it, and run the command again."
    raise click.UsageError(f"'{archive}' is there and not empty. An archive begins in a new folder.{hint}")


def _only_begun(archive: Path) -> bool:
    """Whether a folder holds what `init` writes before the opening of the log, and nothing else."""
    from remission.gold.archive import FOLDERS

    inner = [path.relative_to(archive).parts for path in archive.rglob("*")]
    return all(
        one[0] == "incoming" if len(one) > 1 else one[0] in (*FOLDERS, "verify.py", "README.txt", ".lock")
        for one in inner
    )


@contextlib.contextmanager
def key_at(path: Path, archive: Path) -> Iterator[tuple[Any, bool]]:
    """The private key in a file, made if it is not there, and whether it was; a new one goes again when nothing came of it."""
    from remission.gold.signing import new_signer

    if path.exists():
        yield signer_of(path), False
        return
    signer = new_signer(path)
    try:
        yield signer, True
    except BaseException:
        if not _signs(signer.key, archive):
            path.unlink(missing_ok=True)
        raise


def _signs(key: str, archive: Path) -> bool:
    """Whether a key is one of an archive, as far as can be told: without it nothing could ever be added again."""
    from remission.gold.archive import Archive

    try:
        return key in Archive(archive).log.keys
    except DataError:  # no archive
        return False
    except RemissionError:
        return True
