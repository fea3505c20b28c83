"""Columns that are carried along from rows that are read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remission.corpus._json_text import members
from remission.corpus._rows import Row
from remission.corpus.beside import Beside, Column
from remission.corpus.reading import SURROGATE
from remission.numerics.arrays import Booleans

_HALF = "half characters (lone surrogates)"
_BROKEN = "cannot be read"


class Values:
    """The values of rows beside their documents, until a batch is full.

    Args:
        beside: which.
        told: whether files of this kind have any.
    """

    def __init__(self, beside: Beside, told: bool) -> None:
        self._beside, self._told = beside, told
        self._together = any(column.field is None for column in beside.columns)  # then fields of JSON are nowhere else
        self._clear()

    def _clear(self) -> None:
        self._held: list[list[str | None]] = [[] for _ in self._beside.columns]
        self._lost: list[tuple[int, Column, str]] = []

    def add(self, row: dict[str, Any]) -> int:
        """Take the values of the row of a document; their characters."""
        number, size = len(self._held[0]) if self._held else 0, 0
        written = _written(row) if self._told else {}
        for column, held in zip(self._beside.columns, self._held, strict=True):
            value = self._value(column, row, written) if self._told else None
            reason = "" if value is None else self._wrong(value)
            if written is None and (column.field is None or not (self._together or row.get(column.field) is None)):
                value, reason = None, _BROKEN
            if reason:
                self._lost.append((number, column, reason))
            held.append(None if reason else value)
            size += 0 if reason or value is None else len(value)
        return size

    def _value(self, column: Column, row: dict[str, Any], written: dict[str, tuple[str, str]] | None) -> str | None:
        if column.field is None:
            if not isinstance(row, Row) or written is None:
                return None
            rest = (f"{key}: {value}" for name, (key, value) in written.items() if name not in self._beside.read)
            return "{" + ", ".join(rest) + "}"
        value = None if self._together and isinstance(row, Row) else row.get(column.field)
        if value is None or isinstance(value, str):
            return value
        return None if written is None else written[column.field][1]

    def _wrong(self, value: str) -> str:
        most = self._beside.limits.document
        if len(value) > most // 4 and len(value.encode("utf-8", "surrogatepass")) > most:
            return self._beside.too_long
        return _HALF if not value.isascii() and SURROGATE.search(value) else ""

    def take(self, good: Booleans | None) -> dict[str, Any]:
        """Arrow arrays of the rows so far, of the good ones alone where some are not; the next begin."""
        import pyarrow as pa

        held, lost = self._held, self._lost
        self._clear()
        for number, column, reason in lost:
            if good is None or good[number]:
                self._beside.lose(column, reason)
        columns: Sequence[tuple[Column, Any]] = [
            (column, pa.nulls(len(values), column.kind) if set(values) <= {None} else pa.array(values, column.kind))
            for column, values in zip(self._beside.columns, held, strict=True)
        ]
        mask = None if good is None or good.all() else pa.array(good)
        return {column.name: array if mask is None else array.filter(mask) for column, array in columns}


def _written(row: dict[str, Any]) -> dict[str, tuple[str, str]] | None:
    """How the fields of a row of JSON are written; None: that cannot be said."""
    if not isinstance(row, Row):
        return {}
    try:
        return members(row.written)
    except (ValueError, IndexError, RecursionError):
        return None
