"""Spans: the parts of files that can be read apart from each other, and what identifies them."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from remission.corpus._files import LEADS_OUT, TROUBLE, said, search, suffix
from remission.corpus._results import Results
from remission.corpus.reading import Takes
from remission.errors import DataError

SIZE = 64 << 20  # bytes of a span, where a file can be cut
PIECE = 1 << 20
LEAST = 1 << 20  # spans of lines are not halved below
LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class Span:
    """A part of a file.

    Attributes:
        path: where the file is.
        sha256: of the whole file.
        kind: ``groups`` (row groups of a Parquet file), ``lines`` (bytes of lines), ``whole``, ``picture``, or ``lost`` (the
            file ended the process that looked into it).
        first, last: row groups, or bytes, from first until before last. A line belongs to the span its first byte is in.
        rows: how many rows the file says it has there; -1: nobody knows before it is read.
        size: bytes on disk, about.
        start: the number of the first row (from 0), of row groups.
        whole: it is the whole file.
        stamp: size and time of change of the file when it was looked at.
    """

    path: str
    sha256: str
    kind: str
    first: int
    last: int
    rows: int
    size: int
    start: int
    whole: bool
    stamp: tuple[int, int]

    @property
    def identity(self) -> tuple[str, str, str, int, int]:
        """What the documents of the span depend on."""
        return self.path, self.sha256, self.kind, self.first, self.last

    def table(self) -> dict[str, Any]:
        """As plain values, without what the file's copy on another disk would change."""
        return {name: value for name, value in vars(self).items() if name != "stamp"} | {"bytes": self.stamp[0]}

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Span:
        """What ``table`` gave, of the file as it is now. Raises DataError when it is another one or gone."""
        values = dict(table)
        stamp = stamp_of(values["path"])
        if stamp[0] != values.pop("bytes"):
            raise DataError(f"'{values['path']}' has been changed: it has another size. Run the census again.")
        return cls(**values, stamp=stamp)

    def halves(self) -> tuple[Span, Span] | None:
        """Two spans instead of this one; None when it is read as one."""
        if self.last - self.first < (2 * LEAST if self.kind == "lines" else 2):
            return None
        if self.kind == "lines":
            middle = (self.first + self.last) // 2
            return (
                replace(self, last=middle, size=middle - self.first, whole=False),
                replace(self, first=middle, size=self.last - middle, whole=False),
            )
        if self.kind != "groups":
            return None
        groups = groups_of(Path(self.path))
        middle = (self.first + self.last) // 2
        return _grouped(self, groups, self.first, middle), _grouped(self, groups, middle, self.last)

    def check(self) -> None:
        """Raise DataError when the file is no longer the one that was looked at."""
        if stamp_of(self.path) != self.stamp:
            raise DataError(f"'{self.path}' was changed while it was being read. Run the command again.")


@dataclass(frozen=True)
class Found:
    r"""Files of a corpus.

    Attributes:
        files: those to read, in order.
        ignored: files of folders that are no documents, links to folders within, and folders of censuses and curations.
        refused: files and linked folders that are not read, with the reason; bytes of names that are not UTF-8 as ``\xff``.
    """

    files: tuple[str, ...]
    ignored: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


def find(paths: Sequence[str | Path], takes: Takes = "text", output: str | Path | None = None) -> Found:
    """The files of paths, folders and patterns. In folders, links that lead out of them are refused, folders among them.

    Names that are not UTF-8, and links to nothing, are refused too. Given the folder that is about to be written, it and those of
    other censuses and curations are left out where they lie inside of folders and patterns: what was made of a corpus is no part
    of it.

    Raises DataError for a path that does not exist or is of no kind that is read, and for a folder that cannot be read.
    """
    results = None if output is None else Results(Path(output))
    found = search(paths, "text" if takes == "tokens" else takes, results)
    folders = [Path(path).expanduser() for path in paths if Path(path).expanduser().is_dir()]
    roots = [(Path(os.path.abspath(folder)), folder.resolve()) for folder in folders]
    out = [
        (str(file), LEADS_OUT)
        for file in found.files
        if (holding := [root for named, root in roots if Path(os.path.abspath(file)).is_relative_to(named)])
        and not any(file.resolve().is_relative_to(root) for root in holding)
    ]
    left_out = {file for file, _ in out}
    files = tuple(str(file) for file in found.files if str(file) not in left_out)
    return Found(files, tuple(found.ignored), tuple(dict.fromkeys((*out, *found.refused))))


def stamp_of(path: str) -> tuple[int, int]:
    """Size and time of change of a file. Raises DataError when it is gone."""
    try:
        told = os.stat(path)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {said(error)}.") from None
    return told.st_size, told.st_mtime_ns


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file, read piece by piece."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def spans_of(path: str, takes: Takes = "text", size: int = SIZE) -> list[Span]:
    """Cut a file into spans of about ``size`` bytes, in order; together they are the file.

    Row groups of Parquet and lines of plain JSONL are cut apart; what is packed, tables with quotes, texts and pictures are
    read as one. A Parquet file without a readable end is one span, which says why when it is read.
    """
    stamp = stamp_of(path)
    try:
        base = Span(path, sha256_of(path), "whole", 0, 0, -1, stamp[0], 0, True, stamp)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {said(error)}. It is not left out on its own.") from None
    if takes in ("picture", "file"):
        return [replace(base, kind="picture")]
    if suffix(Path(path)) == ".parquet":
        return [*_row_groups(base, size)]
    if Path(path).suffix.lower() in LINES and stamp[0] > 0:
        count = max(1, round(stamp[0] / size))
        ends = [stamp[0] * number // count for number in range(count + 1)]
        return [
            replace(base, kind="lines", first=first, last=last, size=last - first, whole=count == 1)
            for first, last in itertools.pairwise(ends)
        ]
    return [base]


def lost_span(path: str) -> Span:
    """A file that cannot be looked into at all."""
    stamp = stamp_of(path)
    return Span(path, sha256_of(path), "lost", 0, 0, -1, stamp[0], 0, True, stamp)


def groups_of(path: Path) -> list[tuple[int, int]]:
    """(rows, bytes on disk) of every row group of a Parquet file; empty when its end cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            told = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            return [(max(0, group.num_rows), _packed(group)) for group in told]
    except (pa.ArrowException, *TROUBLE):
        return []


def _packed(group: Any) -> int:
    return sum(max(0, group.column(place).total_compressed_size) for place in range(group.num_columns))


def _row_groups(base: Span, size: int) -> Iterator[Span]:
    groups = groups_of(Path(base.path))
    if not groups:
        yield base
        return
    first, held = 0, 0
    for number, (_, packed) in enumerate(groups):
        if held and held + packed > size:
            yield _grouped(base, groups, first, number)
            first, held = number, 0
        held += packed
    yield _grouped(base, groups, first, len(groups))


def _grouped(base: Span, groups: Sequence[tuple[int, int]], first: int, last: int) -> Span:
    return replace(
        base,
        kind="groups",
        first=first,
        last=last,
        rows=sum(rows for rows, _ in groups[first:last]),
        size=sum(packed for _, packed in groups[first:last]),
        start=sum(rows for rows, _ in groups[:first]),
        whole=last - first == len(groups),
    )


def expected(path: str, sums: Mapping[str, str], sha256: str) -> str:
    """Why a file is not the one that was published; empty when it is, or when nothing is known of it."""
    known = sums.get(path, sums.get(Path(path).name, ""))
    return "" if known in ("", sha256) else "the file's SHA-256 is not the expected one"
