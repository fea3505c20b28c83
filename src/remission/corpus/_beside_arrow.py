"""Columns that are carried along from Parquet files and saved data sets, read apart from the documents and joined to them.

Apart, because a value that cannot be read must cost nothing but itself: every column of a row group is read on its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from remission.corpus._batches import Batch
from remission.corpus._beside_parquet import chunks_of_group, opened
from remission.corpus._beside_values import handled, settled, sizes
from remission.corpus._files import TROUBLE, suffix
from remission.corpus._rows import arrow_schema, unchecked_batches
from remission.corpus.beside import Beside, Column
from remission.corpus.spans import Span
from remission.numerics.arrays import Booleans, Integers

_BROKEN = "cannot be read"


@dataclass(eq=False)
class _Chunk:
    """Columns of some consecutive rows.

    Attributes:
        first: the number of the first of them, from 1.
        count: how many.
        arrays: by field; None: they cannot be read.
    """

    first: int
    count: int
    arrays: Mapping[str, Any]
    known: dict[str, tuple[Any, Booleans, Integers]] = field(default_factory=dict)

    def of(self, name: str) -> tuple[Any, Booleans, Integers] | None:
        """The values of a field, which of them cannot be had, and their bytes; None: none can."""
        import pyarrow as pa

        if name not in self.known:
            given = self.arrays[name]
            if given is None:
                return None
            try:
                array, bad = handled(given)
                self.known[name] = array, bad, sizes(array)
            except MemoryError:
                raise
            except (pa.ArrowException, *TROUBLE):
                self.arrays = {**self.arrays, name: None}
                return None
        return self.known[name]


def joined(batches: Iterator[Batch], span: Span, beside: Beside) -> Iterator[Batch]:
    """The same documents in the same order with what is beside them, in smaller batches where that is much."""
    there = _fields(span)
    columns = [column for column in beside.columns if column.field in there]
    absent = [column for column in beside.columns if column.field not in there]
    chunks = _chunks(span, [str(column.field) for column in columns], beside) if columns else iter(())
    chunk = next(chunks, None)
    for batch in batches:
        rest = len(batch)
        if not rest:
            yield batch
            continue
        batch, at = replace(batch, beside=_nulls(absent, rest)), 0
        while at < rest:
            while chunk is not None and chunk.first + chunk.count <= batch.places[at]:
                chunk = next(chunks, None)
            end = rest if chunk is None else int(np.searchsorted(batch.places, chunk.first + chunk.count))
            yield from _pieces(batch, at, end, chunk, columns, beside)
            at = end


def _pieces(
    batch: Batch, at: int, end: int, chunk: _Chunk | None, columns: Sequence[Column], beside: Beside
) -> Iterator[Batch]:
    """The documents from ``at`` to ``end`` with their rows of a chunk, of about as many bytes as a batch may have."""
    rows = batch.places[at:end] - (0 if chunk is None else chunk.first)
    values = {column: None if chunk is None else chunk.of(str(column.field)) for column in columns}
    long: dict[Column, Booleans] = {}
    total = np.zeros(rows.size, np.int64)
    for column, known in values.items():
        if known is None:
            beside.lose(column, _BROKEN, rows.size)
            continue
        size = known[2][rows]
        long[column] = size > beside.limits.document
        beside.lose(column, beside.too_long, int(long[column].sum()))
        total += np.where(long[column], 0, size)
    for first, last in _cut(total, beside.limits.batch_bytes):
        here = slice(first, last)
        found: dict[str, Any] = {}
        for column, known in values.items():
            if known is None:
                found |= _nulls([column], last - first)
                continue
            array, bad = _taken(known[0], rows[here], long[column][here]), known[1][rows[here]]
            found[column.name], more = settled(array, column.kind)
            beside.lose(column, _BROKEN, int(((bad | more) & ~long[column][here]).sum()))
        yield _part(batch, at + first, at + last, found, [column.name for column in beside.columns])


def _taken(array: Any, rows: Integers, gone: Booleans) -> Any:
    """Some rows of an array, null where they are gone."""
    import pyarrow as pa

    if not gone.any() and rows[-1] - rows[0] == rows.size - 1:
        cut = array.slice(int(rows[0]), rows.size)
        if len(array) == rows.size or not pa.types.is_nested(array.type):
            return cut  # of a list that was cut, all that was in it before would be cast
    return array.take(pa.array(rows, mask=gone))


def _cut(total: Integers, most: int) -> Iterator[tuple[int, int]]:
    """From and to, so that each piece holds ``most`` bytes or is one row."""
    if total.sum() <= most:
        yield 0, total.size
        return
    first, held = 0, 0
    for row, size in enumerate(total.tolist()):
        if row > first and held + size > most:
            yield first, row
            first, held = row, 0
        held += size
    yield first, total.size


def _part(batch: Batch, first: int, last: int, found: dict[str, Any], order: Sequence[str]) -> Batch:
    """Documents of a batch with what is beside them; the first ones come with the rows that are none."""
    count = last - first
    columns = {name: column.slice(first, count) for name, column in batch.columns.items()}
    beside = {name: column.slice(first, count) for name, column in batch.beside.items()} | found
    seen, aside = (count + batch.seen - len(batch), batch.aside) if not first else (count, ())
    items = batch.items.slice(first, count)
    return Batch(items, batch.places[first:last], columns, aside, seen, {name: beside[name] for name in order})


def _nulls(columns: Sequence[Column], count: int) -> dict[str, Any]:
    import pyarrow as pa

    return {column.name: pa.nulls(count, column.kind) for column in columns}


def _fields(span: Span) -> frozenset[str]:
    """Names of the columns of a file; none where they cannot be read, and then neither can a document."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(span.path)
    try:
        return frozenset((pq.read_schema(path) if suffix(path) == ".parquet" else arrow_schema(path)).names)
    except (pa.ArrowException, *TROUBLE):
        return frozenset()


def _chunks(span: Span, fields: Sequence[str], beside: Beside) -> Iterator[_Chunk]:
    """All rows of a span, in order, as far as they can be read."""
    import pyarrow as pa

    found = _parquet if suffix(Path(span.path)) == ".parquet" else _saved
    try:
        yield from found(span, fields, beside)
    except MemoryError:  # which is an exception of Arrow, too
        raise
    except (pa.ArrowException, *TROUBLE):
        return


def _parquet(span: Span, fields: Sequence[str], beside: Beside) -> Iterator[_Chunk]:
    with contextlib.ExitStack() as held:
        file = opened(span.path, fields, held)
        groups = range(span.first, span.last) if span.kind == "groups" else range(file.plain.metadata.num_row_groups)
        first = span.start + 1
        for group in groups:
            for count, arrays in chunks_of_group(file, group, beside.limits):
                yield _Chunk(first, count, arrays)
                first += count


def _saved(span: Span, fields: Sequence[str], beside: Beside) -> Iterator[_Chunk]:
    first = span.start + 1
    for batch in unchecked_batches(Path(span.path), fields):
        arrays = {name: _checked(batch.column(batch.schema.get_field_index(name))) for name in fields}
        for at in range(0, batch.num_rows, beside.limits.batch_rows):
            count = min(beside.limits.batch_rows, batch.num_rows - at)
            cut = {name: None if array is None else array.slice(at, count) for name, array in arrays.items()}
            yield _Chunk(first, count, cut)
            first += count


def _checked(array: Any) -> Any:
    """The column of a made-up file may point anywhere: None, unless nothing but the characters of texts is wrong."""
    import pyarrow as pa
    from pyarrow import types

    try:
        array.validate(full=True)
        return array
    except pa.ArrowException:
        pass
    bytes_ = (
        pa.binary() if types.is_string(array.type) else pa.large_binary() if types.is_large_string(array.type) else None
    )
    try:
        array.validate()
        if bytes_ is None:
            return None
        array.view(bytes_).validate(full=True)
        return array
    except pa.ArrowException:
        return None
