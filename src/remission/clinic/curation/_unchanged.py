"""A census is used only as it was when it was finished: a training set would name its seal, and rest on other numbers."""

from __future__ import annotations

from pathlib import Path

from remission.clinic.census.grouping import are_whole
from remission.clinic.census.manifest import read_manifest
from remission.clinic.census.parts import part_path
from remission.clinic.curation._card_files import FOLDERS, LIST, Hashed, listed
from remission.corpus.spans import sha256_of
from remission.errors import DataError, StoreError


def check_sorted(folder: Path) -> None:
    """See that files of a curation that goes on, or is made again, are those in its list, where it has one; gone ones are made anew.

    Raises:
        StoreError: one was changed: it would be given a new hash, and pass for what was sorted.
    """
    if not (folder / LIST).is_file():
        return
    try:
        names = listed(folder)
        changed = [
            path
            for name in FOLDERS
            for path in sorted((folder / name).glob("*.parquet"))
            if names.get(f"{name}/{path.name}") not in (None, Hashed.of(folder, path).sha256)
        ]
    except DataError as error:
        raise StoreError(f"{error} Delete '{folder / LIST}' and run the same command again.") from None
    if changed:
        raise StoreError(
            f"'{changed[0]}' was changed after it was written: it has another hash than in {LIST}. Delete it and run the same command "
            "again, which makes it anew."
        )


def check_unchanged(folder: Path) -> None:
    """See that every part of a census, and what it says of copies, is what its manifest says.

    Raises:
        StoreError: a part, or a file of groups, is gone, damaged or was changed; or there is no finished census.
    """
    manifest = read_manifest(folder)
    for name, sha256 in sorted(manifest.parts.items()):
        path = part_path(folder, name)
        try:
            same, what = (
                sha256_of(str(path)) == sha256,
                "was changed after the census: it has another hash than in the manifest",
            )
        except OSError as error:
            same, what = False, f"cannot be read ({error.strerror})"
        if not same:
            raise StoreError(
                f"The part '{path}' {what}. Delete it and run the same `remission census` again, which scores it anew; then this."
            )
    if manifest.groups is not None and not are_whole(folder, manifest.order, manifest.groups):
        raise StoreError(
            f"What the census says of copies, in '{folder / 'groups'}', is gone or was changed after it. Run the same `remission census` "
            "again, which makes it anew; then this."
        )
