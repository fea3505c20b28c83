"""The Parquet files of a curated training set: hashes, sizes, rows and columns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from remission.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

FOLDERS = ("kept", "dropped")
COLUMNS = {
    "text": "the document", "id": "what it is called in the corpus", "weight": "what it counts in training, 0 to 1",
    "score": "of the detector; higher: more likely synthetic", "stratum": "the part of the corpus it belongs to",
    "kind": "of text, by which the calibration was chosen that its score is compared with", "file": "the file of the corpus it was in", "place": "where in that file",
    "cluster": "a number that near-duplicates share", "reason": "why it was dropped",
}  # fmt: skip
LIST = "SHA256SUMS"
CARD = ("README.md", "croissant.json")
BESIDE = ("curation.json", "asked.json")  # what `curate` writes besides


@dataclass(frozen=True)
class Hashed:
    """A file: its path below the folder (with /), its bytes, their sha256 in hexadecimal."""

    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, path: Path) -> Self:
        """Hash a file in pieces. Raises DataError."""
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(path.relative_to(folder).as_posix(), path.stat().st_size, digest)
        except OSError as error:
            raise DataError(f"'{path}' cannot be read ({error.strerror}).") from None


@dataclass(frozen=True)
class Group:
    """The files of ``kept`` or ``dropped``.

    Attributes:
        name: of the folder; files: by name; rows: of all.
        columns: name -> Croissant data type, of lists that of what is in them; empty for what Croissant has no plain type for
            (bytes, structures, lists of these).
        lists: names of columns of lists.
    """

    name: str
    files: tuple[Hashed, ...]
    rows: int
    columns: dict[str, str]
    lists: frozenset[str] = frozenset()


def found(folder: Path) -> dict[str, Group]:
    """The groups that have files. Raises DataError: none kept, one unreadable, files of one group with different columns."""
    groups = {}
    for name in FOLDERS:
        paths = sorted((folder / name).glob("*.parquet"))
        if paths:
            groups[name] = _group(folder, name, paths)
    if "kept" not in groups:
        raise DataError(f"'{folder}' holds no kept/*.parquet: there is no training set to describe.")
    return groups


def _group(folder: Path, name: str, paths: list[Path]) -> Group:
    import pyarrow.parquet as pq

    rows, first = 0, None
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                rows, schema = rows + file.metadata.num_rows, file.schema_arrow
        except Exception as error:
            raise DataError(f"'{path}' is no Parquet file that can be read ({' '.join(str(error).split())}).") from None
        first = schema if first is None else first
        if not schema.equals(first):
            raise DataError(
                f"'{path}' and '{paths[0]}' have different columns. The card describes one layout for all files."
            )
    assert first is not None
    columns = {one.name: _type(_inside(one.type)) for one in first}
    lists = frozenset(one.name for one in first if _inside(one.type) is not one.type)
    return Group(name, tuple(Hashed.of(folder, path) for path in paths), rows, columns, lists)


def _inside(kind: pa.DataType) -> pa.DataType:
    """What is in a list; of other types, themselves."""
    from pyarrow import types

    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return kind.value_type if is_list else kind


def _type(kind: pa.DataType) -> str:
    """The Croissant type of a column, or empty."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    known = (
        ("sc:Text", (types.is_string, types.is_large_string)), ("sc:Integer", (types.is_integer,)),
        ("sc:Float", (types.is_floating,)), ("sc:Boolean", (types.is_boolean,)), ("sc:Date", (types.is_date,)),
        ("sc:DateTime", (types.is_timestamp,)), ("sc:Time", (types.is_time,)), ("sc:Float", (types.is_decimal,)),
    )  # fmt: skip
    return next((name for name, tests in known if any(test(kind) for test in tests)), "")


def sums(groups: dict[str, Group]) -> str:
    """The list of hashes of the documents as ``sha256sum`` writes it."""
    return "".join(map(_line, (one for group in groups.values() for one in group.files)))


def sums_beside(folder: Path) -> str:
    """The same of the card, and of what a curation says of itself. Raises DataError."""
    names = [*CARD, *(name for name in BESIDE if (folder / name).is_file())]
    return "".join(_line(Hashed.of(folder, folder / name)) for name in names)


def _line(one: Hashed) -> str:
    return f"{one.sha256}  {one.name}\n"


def digest(lines: str) -> str:
    """SHA-256 of a list of hashes."""
    return hashlib.sha256(lines.encode()).hexdigest()


def listed(folder: Path) -> dict[str, str]:
    """Name -> sha256 out of the list. Raises DataError."""
    try:
        lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{folder / LIST}' cannot be read ({error}).") from None
    pairs = [line.split("  ", 1) for line in lines if line]
    if any(len(pair) != 2 for pair in pairs):
        raise DataError(f"'{folder / LIST}' has a line that is not a hash and a name.")
    return {name: digest for digest, name in pairs}
