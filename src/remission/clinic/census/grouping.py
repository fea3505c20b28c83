"""Copies and near-duplicates over a whole census: which document is the first of its content, and what belongs together.

Parts hold a hash and sketch keys of every document. Equal ones are found by sorting, a column after the other and of a column a
range of values after the other, so that little more is held than what was found: 9 bytes for a document, and what
one range takes. Beside every part lies in the end a file of groups with a row for each of its kept documents, in order.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from remission.aside import sync_folder
from remission.clinic.census.parts import BAND_NAMES, explained, part_path, read_rows
from remission.clinic.census.tally import KEPT
from remission.errors import StoreError
from remission.numerics.arrays import Array, Integers, Words
from remission.numerics.linking import clusters, link

FIRST, FIRST_HERE, COPY = 0, 1, 2  # of its content in the census; in its stratum only; neither
AT_ONCE = 1 << 19  # keys of a column that are sorted at once
MOST_RANGES = 8  # of a column, for each reads it anew: of more documents, more are sorted at once
BYTES, BYTES_LEAST = 25, 25e6  # of memory that is held for a document, and besides (docs/census.md)
READ_AT_ONCE = 1 << 21  # keys of several columns that are read at once


@dataclass(frozen=True)
class Groups:
    """What was found.

    Attributes:
        documents: kept ones.
        copies: those with the very content of an earlier one.
        clusters: groups of two or more different contents that are near-duplicates; ``clustered``: contents in them;
            ``largest``: of the largest.
        sha256: of what they say of all documents in order, however these are cut into parts.
        files: SHA-256 over those of the files of groups.
    """

    documents: int
    copies: int
    clusters: int
    clustered: int
    largest: int
    sha256: str
    files: str

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return dict(vars(self))

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Groups:
        """What ``table`` gave."""
        return cls(**table)


def group_path(folder: Path, name: str) -> Path:
    """Where the groups of a part lie."""
    return folder / "groups" / name[:2] / f"{name}.parquet"


def in_order(folder: Path, names: Sequence[str], files: Sequence[str]) -> list[str]:
    """Parts with kept documents in the order of the corpus: of the files, and of places in them."""
    rank = {path: place for place, path in enumerate(files)}
    keys = []
    for name in names:
        rows = read_rows(part_path(folder, name), ["status", "file", "place"])
        kept = rows.column("status").index(KEPT).as_py()
        if kept >= 0:
            place = rows.column("place")[kept].as_py()
            keys.append((rank[rows.column("file")[kept].as_py()], -1 if place is None else place, name))
    return [name for _, _, name in sorted(keys)]


def group(
    folder: Path, names: Sequence[str], near: bool, probability: Callable[[str], float] = lambda _: 1.0
) -> Groups:
    """Find copies among the parts ``names``, in this order, and write files of groups.

    Args:
        folder: of the census.
        names: parts with documents.
        near: also look for near-duplicates.
        probability: of a document of a stratum to be drawn. A content in several strata is drawn whenever the largest of
            theirs says so: the first is the first of those, and stands for as many as that probability says.

    Raises:
        StoreError: a part is damaged, or the files cannot be written.
    """
    sizes = [_count(folder, name) for name in names]
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    n = int(ends[-1])
    copy = np.full(n, COPY, np.int8)
    parents: Any = np.arange(n, dtype=np.int32 if n < 2**31 else np.int64)  # half as large where that will do
    parts = _Parts(folder, names, sizes)
    for edges in _ranges(n) if n else ():
        _copies(parts, edges, probability, copy, parents)
    for some in _together(n) if near else ():
        for keys, things in _keys(parts, some, n):
            link(parents, keys, things)
    cluster = clusters(parents)
    del parents
    digest, files = _Digest(), hashlib.sha256()
    contents = np.zeros(n, cluster.dtype)  # in each cluster: not copies of them, for these say nothing new
    for place, name in enumerate(names):
        here = slice(ends[place], ends[place + 1])
        digest.add(copy[here], cluster[here])
        files.update(_write(group_path(folder, name), copy[here], cluster[here]))
        np.add.at(contents, cluster[here][copy[here] == FIRST], 1)
    many = contents > 1
    return Groups(
        n, n - int(np.count_nonzero(copy == FIRST)), int(np.count_nonzero(many)), int(contents[many].sum()),
        int(contents.max(initial=0)), digest.hex(), files.hexdigest(),
    )  # fmt: skip


class _Digest:
    """A hash of all rows of groups in order, whatever the parts and the version of the file format."""

    def __init__(self) -> None:
        self._copy, self._cluster = hashlib.sha256(), hashlib.sha256()

    def add(self, copy: Any, cluster: Integers) -> None:
        self._copy.update(np.ascontiguousarray(copy, "<i1").tobytes())
        self._cluster.update(np.ascontiguousarray(cluster, "<i8").tobytes())

    def hex(self) -> str:
        return hashlib.sha256(self._copy.digest() + self._cluster.digest()).hexdigest()


def _count(folder: Path, name: str) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.equal(read_rows(part_path(folder, name), ["status"]).column(0), KEPT)).as_py() or 0)


@dataclass(frozen=True)
class _Parts:
    """Parts in order, and how many documents each holds."""

    folder: Path
    names: Sequence[str]
    sizes: Sequence[int]

    def read(self, columns: Sequence[str]) -> Iterator[Any]:
        """These columns of the documents of each part, as Arrow tables."""
        import pyarrow.compute as pc

        for name, size in zip(self.names, self.sizes, strict=True):
            rows = read_rows(part_path(self.folder, name), columns)
            if rows.num_rows > size:
                status = read_rows(part_path(self.folder, name), ["status"]).column(0)
                rows = rows.filter(pc.equal(status, KEPT))
            yield rows


def _ranges(n: int) -> list[tuple[int, int]]:
    """First and last value of ranges that hold about equally many of n scattered ones."""
    count = min(MOST_RANGES, max(1, -(-n // AT_ONCE)))
    edges = [2**64 * place // count for place in range(count + 1)]
    return [(low, high - 1) for low, high in pairwise(edges)]


def _within(values: Words, edges: tuple[int, int]) -> Integers:
    """Places of the values that lie in a range."""
    found = values >= np.uint64(edges[0])
    found &= values <= np.uint64(edges[1])
    return np.flatnonzero(found)


def _copies(
    parts: _Parts, edges: tuple[int, int], probability: Callable[[str], float], copy: Any, parents: Integers
) -> None:
    """Of the documents whose hash lies in a range, say which are copies and link each to the earliest one with its content."""
    known: dict[str, int] = {}
    found: list[tuple[Array, ...]] = []
    at = 0
    for rows in parts.read(["content", "stratum"]):
        content = rows.column("content").combine_chunks()
        words = np.frombuffer(content.buffers()[1], "<u8").reshape(-1, 2)[content.offset :][: len(content)]
        coded = rows.column("stratum").combine_chunks().dictionary_encode()
        codes = np.array([known.setdefault(text, len(known)) for text in coded.dictionary.to_pylist()], np.int32)
        here = _within(words[:, 0], edges)
        strata = codes[coded.indices.to_numpy(zero_copy_only=False)]
        found.append((words[here, 0], words[here, 1], strata[here], (here + at).astype(parents.dtype)))
        at += len(words)
    first, second, strata, things = (np.concatenate(column) for column in zip(*found, strict=True))
    n = things.size
    if not n:
        return
    del found
    order = np.lexsort((strata, second, first))  # stable: of equals, the earlier one comes first
    new = np.ones(n, bool)
    new[1:] = False
    for half in (first, second):
        half = half[order]
        new[1:] |= half[1:] != half[:-1]
    strata = strata[order]
    new_here = new.copy()
    new_here[1:] |= strata[1:] != strata[:-1]
    rates = np.array([probability(name) for name in known])
    starts = np.flatnonzero(new)
    best = earliest = np.minimum.reduceat(order, starts)
    if np.unique(rates).size > 1:
        rank = np.unique(-rates, return_inverse=True)[1].astype(np.int64)[strata]
        best = np.minimum.reduceat(rank * n + order, starts) % n
    copy[things[order[new_here]]] = FIRST_HERE
    copy[things[best]] = FIRST
    parents[things[order]] = np.repeat(things[earliest], np.diff(np.append(starts, n)))


def _together(n: int) -> Iterator[Sequence[str]]:
    """Bands that are read at once: of few documents all, for opening a part takes longer than reading it."""
    count = max(1, READ_AT_ONCE // max(1, n))
    for first in range(0, len(BAND_NAMES), count):
        yield BAND_NAMES[first : first + count]


def times_read(n: int, near: bool) -> int:
    """How often the pass over n documents reads each part."""
    return 1 + len(_ranges(max(1, n))) + (len(list(_together(n))) if near else 0)


def _keys(parts: _Parts, some: Sequence[str], n: int) -> Iterator[tuple[Words, Integers]]:
    """Keys of some bands with the documents they are of, ascending; of many, those of a range of keys after the other."""
    held = list(parts.read(some)) if len(some) > 1 else None
    keys = np.empty(n, np.uint64)
    for band in some:
        at = 0
        for rows in parts.read([band]) if held is None else held:
            keys[at : at + rows.num_rows] = rows.column(band).fill_null(0).to_numpy()
            at += rows.num_rows
        for low, high in _ranges(n):
            things = _within(keys, (max(1, low), high))  # 0: it has no key
            yield keys[things], things.astype(np.uint32 if n < 2**32 else np.int64)


def _write(path: Path, copy: Any, cluster: Integers) -> bytes:
    """Write a file of groups aside and rename it; its SHA-256."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    aside = path.with_name(f".{path.name}-{os.getpid()}.aside")
    with explained(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = pa.table({"copy": pa.array(copy, pa.int8()), "cluster": pa.array(cluster, pa.int64())})
            pq.write_table(rows, aside, compression="zstd", write_page_checksum=True)
            with open(aside, "rb+") as file:
                os.fsync(file.fileno())
                sha256 = hashlib.file_digest(file, "sha256").digest()
            os.replace(aside, path)
            sync_folder(path.parent)
        finally:
            aside.unlink(missing_ok=True)
    return sha256


def read_groups(folder: Path, name: str) -> tuple[Any, Integers]:
    """Whether each kept document of a part is a copy, and its cluster. Raises StoreError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = group_path(folder, name)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            rows = file.read()
            return rows.column("copy").to_numpy(), rows.column("cluster").to_numpy()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StoreError(
            f"The groups of a part, '{path}', cannot be read ({type(error).__name__}). Run the census again to make them anew."
        ) from None


def are_whole(folder: Path, names: Sequence[str], groups: Groups) -> bool:
    """Whether the files of groups are those that were written, and say what they said."""
    digest, files = _Digest(), hashlib.sha256()
    try:
        for name in names:
            with open(group_path(folder, name), "rb") as file:
                files.update(hashlib.file_digest(file, "sha256").digest())
            digest.add(*read_groups(folder, name))
    except (StoreError, OSError):
        return False
    return (digest.hex(), files.hexdigest()) == (groups.sha256, groups.files)
