"""Folders that hold what this package made of a corpus; where they lie inside of it, they are no part of it."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable
from pathlib import Path

from remission.errors import DataError

_CENSUS, _CURATION = "census.json", "asked.json"
_OF_CENSUS = {"format", "version", "config", "scorer", "id"}


def is_result(folder: Path) -> bool:
    """Whether a folder is that of a census or of a curation."""
    if _names(folder / _CENSUS) >= _OF_CENSUS:
        return True
    return (folder / "kept").is_dir() and "id" in _names(folder / _CURATION)


def _names(path: Path) -> set[str]:
    try:
        told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return set()
    return set(told) if isinstance(told, dict) else set()


class Results:
    """What to leave out of a corpus.

    Args:
        output: the folder that is about to be written, which need not be there yet: so that the first run leaves out what the
            second one does.
    """

    def __init__(self, output: Path) -> None:
        self._output = output.expanduser().resolve()

    def under(self, root: Path, files: Iterable[Path]) -> list[Path]:
        """The outermost such folders at or below a folder with these files, in order."""
        found = {file.parent for file in files if file.name in (_CENSUS, _CURATION) and is_result(file.parent)}
        real = root.resolve()
        if self._output != real and self._output.is_relative_to(real):
            below = self._output.relative_to(real)
            found |= set() if any(part.startswith(".") for part in below.parts) else {root / below}
        return sorted(folder for folder in found if found.isdisjoint(folder.parents))

    def is_output(self, folder: Path) -> bool:
        """Whether it is the one about to be written."""
        return folder.resolve() == self._output

    def among(self, pattern: Path, files: Iterable[Path]) -> list[Path]:
        """Those below the fixed part of a pattern that hold files which match it, in order."""
        parts = pattern.parts
        fixed = Path(*parts[: next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))])
        folders = {folder for file in files for folder in file.parents if folder != fixed and fixed in folder.parents}
        found = {folder for folder in folders if is_result(folder) or self.is_output(folder)}
        return sorted(folder for folder in found if found.isdisjoint(folder.parents))


def no_corpus(folder: Path) -> DataError:
    """Why such a folder is not read."""
    return DataError(
        f"'{folder}' is the folder of a census or a curation and no corpus. Name the documents; those that a curation kept are "
        f"in '{folder / 'kept'}'."
    )
