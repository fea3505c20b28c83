"""Columns of a row group of a Parquet file, each read on its own, with as many rows at once as memory has room for."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remission.corpus._beside_pages import has_larger
from remission.corpus._beside_types import is_odd, leaves
from remission.corpus._files import TROUBLE

if TYPE_CHECKING:
    from remission.corpus.streaming import Limits

AMPLE = 4  # batches may come out so many times as large as they should
NESTED = 512 << 20  # bytes that lists of a row group may unpack to, with their texts stored once and pointed at
PAGE = 512 << 20  # bytes of a page; what reads it holds several times as much
BUFFERS = 16 << 20  # bytes of the buffers of all columns
_POINTED = ("RLE_DICTIONARY", "PLAIN_DICTIONARY")


class Opened:
    """A Parquet file, of which some columns are wanted.

    Attributes:
        plain: it; its texts are unpacked.
        places: by name of a wanted column, those of the file that it is made of.
    """

    def __init__(self, path: str, fields: Sequence[str], held: contextlib.ExitStack) -> None:
        self.path, self._held = path, held
        self.plain = self._open(None, 1 << 20)
        schema, first = self.plain.schema_arrow, 0
        self.places: dict[str, range] = {}
        self.kinds: dict[str, Any] = {}
        for one in schema:
            last = first + leaves(one.type)
            if one.name in fields:
                self.places[one.name], self.kinds[one.name] = range(first, last), one.type
            first = last
        wide = sum(map(len, self.places.values()))
        self.plain = self._open(None, max(1 << 14, min(1 << 20, BUFFERS // max(1, wide))))

    def _open(self, pointed: Sequence[str] | None, buffer: int) -> Any:
        import pyarrow.parquet as pq

        return self._held.enter_context(
            pq.ParquetFile(
                self.path, read_dictionary=pointed, pre_buffer=False, buffer_size=buffer,
                page_checksum_verification=True,
            )
        )  # fmt: skip

    @functools.cached_property
    def pointed(self) -> Any:
        """The same file with texts that are stored once and pointed at left so."""
        paths = [
            self.plain.schema.column(place).path
            for name, places in self.places.items() if not is_odd(self.kinds[name])
            for place in places if self.is_bytes(place)
        ]  # fmt: skip
        return self._open(paths, 1 << 18)

    def is_bytes(self, place: int) -> bool:
        """Whether a column of the file holds texts or bytes of any length."""
        told = self.plain.schema.column(place)
        return told.physical_type == "BYTE_ARRAY" and told.logical_type.type != "DECIMAL"


def opened(path: str, fields: Sequence[str], held: contextlib.ExitStack) -> Opened:
    """Open a file until ``held`` ends. Raises ArrowException, OSError."""
    return Opened(path, fields, held)


def chunks_of_group(file: Opened, group: int, limits: Limits) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(rows, array by column; None from where it cannot be read), in order; together they are the row group."""
    told = file.plain.metadata.row_group(group)
    count, size, ways = max(0, told.num_rows), 0.0, {}
    for name in file.places:
        ways[name], each = _way(file, told, group, name, limits)
        size += each
    at_once = int(max(1, min(limits.batch_rows, limits.batch_bytes // max(1.0, size))))
    readings = {}
    for name, way in ways.items():
        arrays = None if way is None else _arrays(way, group, name, at_once)
        readings[name] = _Reading(arrays, functools.partial(_is_absurd, file, told, name))
    done = 0
    while done < count:
        ready = [reading.ready() for reading in readings.values()]
        rows = min([count - done, *(one for one in ready if one)])
        yield rows, {name: reading.take(rows) for name, reading in readings.items()}
        done += rows


def _way(file: Opened, told: Any, group: int, name: str, limits: Limits) -> tuple[Any, float]:
    """How a column of a row group is read (None: it is too large for that), and bytes of a row, about."""
    count = max(1, told.num_rows)
    stored, pointed = 0, False
    for leaf, place in enumerate(file.places[name]):
        chunk = told.column(place)
        size, values = max(0, chunk.total_uncompressed_size), max(0, chunk.num_values)
        stored += max(size, 8 * values)
        if size > PAGE and has_larger(file.path, chunk, PAGE):
            return None, 0.0
        if not file.is_bytes(place) or is_odd(file.kinds[name]) or not set(chunk.encodings) & set(_POINTED):
            continue
        most = AMPLE * limits.batch_bytes
        if size * values <= most:
            continue
        flat = len(file.places[name]) == 1 and values == told.num_rows
        unpacked = _longest(file, group, name, leaf) * (min(values, limits.batch_rows) if flat else values)
        pointed = pointed or unpacked > (most if flat else NESTED)
    if stored > limits.document * count:
        return None, 0.0
    return (file.pointed if pointed else file.plain), stored / count


def _is_absurd(file: Opened, told: Any, name: str) -> bool:
    """Whether a page of a column is larger than any that is read, though the footer does not say so."""
    return any(has_larger(file.path, told.column(place), PAGE) for place in file.places[name])


def _longest(file: Opened, group: int, name: str, leaf: int) -> int:
    """Bytes of the longest text of a row group that is stored once and pointed at: a few of them may stand for gigabytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        for array in _arrays(file.pointed, group, name, 1):
            inner = list(_leaves(array))[leaf]
            if isinstance(inner, pa.DictionaryArray) and len(inner.dictionary):
                return pc.max(pc.binary_length(inner.dictionary)).as_py() or 0
            return 0
    except (pa.ArrowException, *TROUBLE):
        pass  # reading it will say so, a lack of memory too
    return 0


def _leaves(array: Any) -> Iterator[Any]:
    """The arrays that one is made of."""
    from pyarrow import types

    if types.is_struct(array.type):
        for place in range(array.type.num_fields):
            yield from _leaves(array.field(place))
    elif types.is_nested(array.type):
        yield from _leaves(array.values)
    else:
        yield array


def _arrays(file: Any, group: int, name: str, size: int) -> Iterator[Any]:
    for batch in file.iter_batches(size, row_groups=[group], columns=[name], use_threads=False):
        yield batch.column(batch.schema.get_field_index(name))


class _Reading:
    """A column row by row; from where it breaks it is lost, and nothing else is.

    Args:
        arrays: of its rows; None: they cannot be had.
        absurd: whether the file asks for so much memory that the lack of it is no wonder. What other machines can read must
            not be lost on a small one.
    """

    def __init__(self, arrays: Iterator[Any] | None, absurd: Callable[[], bool]) -> None:
        self._arrays, self._absurd = arrays, absurd
        self._held: Any = None

    def ready(self) -> int:
        """How many rows are at hand; 0: there are no more."""
        import pyarrow as pa

        try:
            while self._arrays is not None and (self._held is None or not len(self._held)):
                self._held = next(self._arrays)
        except (StopIteration, pa.ArrowException, *TROUBLE) as error:
            if isinstance(error, MemoryError) and not self._absurd():
                raise
            self._arrays = self._held = None
        return 0 if self._held is None else len(self._held)

    def take(self, rows: int) -> Any:
        """The next rows; None: they cannot be had."""
        if self._held is None:
            return None
        found, self._held = self._held.slice(0, rows), self._held.slice(rows)
        return found
