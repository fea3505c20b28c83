"""How large the pages of a column of a Parquet file are, which nothing but their headers says.

A page is unpacked whole, whatever it holds: one value of a gigabyte is a page of a gigabyte.
"""

from __future__ import annotations

from typing import IO, Any

_LEAST, _MOST = 1 << 12, 1 << 22  # bytes that are read for a header


def has_larger(path: str, chunk: Any, most: int) -> bool:
    """Whether a page of a column of a row group unpacks to more bytes, or its headers do not say.

    Args:
        path: of the file.
        chunk: what the footer tells of the column, a ``pyarrow.parquet.ColumnChunkMetaData``.
        most: bytes.
    """
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        at = min(at, chunk.dictionary_page_offset)
    end = at + chunk.total_compressed_size
    with open(path, "rb") as file:
        while at < end:
            header = _header(file, at)
            if header is None or header[0] > most:
                return True
            at += header[1]
    return False


def _header(file: IO[bytes], at: int) -> tuple[int, int] | None:
    """Bytes of the page at a place, unpacked, and how far it is to the next one."""
    size = _LEAST
    while size <= _MOST:
        file.seek(at)
        try:
            fields, length = _Compact(file.read(size)).struct()
            return (fields[2], length + fields[3]) if fields[2] >= 0 <= fields[3] else None
        except IndexError:  # longer than what was read
            size *= 32
        except (KeyError, ValueError, RecursionError):
            return None
    return None


class _Compact:
    """Thrift's compact protocol, as far as a header has to be skipped."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self) -> tuple[dict[int, int], int]:
        """Its integers by number, and its length."""
        found: dict[int, int] = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            value = self._value(kind)
            if value is not None:
                found[number] = value
        return found, self._at

    def _value(self, kind: int) -> int | None:
        if kind in (1, 2):  # true and false
            return None
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind in (7, 8):
            self._skip(8 if kind == 7 else self._varint())
        elif kind in (9, 10):
            head = self._byte()
            count = self._varint() if head >> 4 == 15 else head >> 4
            for _ in range(count):
                self._byte() if head & 15 in (1, 2) else self._value(head & 15)
        elif kind == 12:
            self.struct()
        else:
            raise ValueError("no header of a page")  # it holds no map
        return None

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise IndexError

    def _varint(self) -> int:
        found, shift = 0, 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
            shift += 7
            if shift > 63:
                raise ValueError("no number")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
