"""The documents of rows that are in memory already, Arrow or plain, checked as those of files are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from remission.corpus import _arrow_spans
from remission.corpus._batches import Aside, Batch, Gather, aside_only, names_of, too_long
from remission.corpus.reading import Fields
from remission.corpus.streaming import Limits
from remission.errors import DataError, did_you_mean

__all__ = ["of_arrow", "of_rows"]


def of_arrow(
    batch: Any, fields: Fields | None = None, limits: Limits | None = None, columns: Collection[str] = ()
) -> Iterator[Batch]:
    """The documents of an Arrow record batch, block by block.

    Texts may be strings, large strings, string views, or any of them stored once and pointed at; a text is unpacked with its
    block and no earlier. Of a column of another type, all rows are set aside with that reason.

    Args:
        batch: a ``pyarrow.RecordBatch``.
        fields: ``text``, ``domain``, ``domain_is`` and ``where``; others are not looked at.
        limits: how much at once, and how much is too much.
        columns: what is read beside the text, by the names of ``Fields``: ``domain`` or the names of columns.

    Returns:
        Batches whose places are rows from 0; every row is in one of them, as a document or aside. Columns that are not there
        are left out.

    Raises:
        DataError: there is no column for the text, or two of one name.
    """
    fields, limits = fields or Fields(), limits or Limits()
    texts = _column(batch, fields.text, "text")
    wanted = _wanted(fields, columns)
    there = {name: field for name, field in wanted.items() if field in batch.schema.names}
    beside = {field: _column(batch, field, name) for name, field in there.items() if field != fields.text}
    reading = replace(fields, id="", unit=None, columns=tuple(name for name in columns if name != "domain"))
    known = {*there, *(["domain"] if fields.domain_is and "domain" in columns else [])}
    for first, count, long in _pieces(texts, limits):
        if long:
            yield aside_only(Aside(first, too_long(fields.text, limits)))
            continue
        piece = _batch(
            {fields.text: _plain(texts.slice(first, count))}
            | {field: _plain(column.slice(first, count)) for field, column in beside.items()}
        )
        trouble = _arrow_spans._wrong(piece.schema, reading)
        if trouble:
            yield aside_only(*(Aside(place, trouble) for place in range(first, first + count)))
            continue
        for found in _arrow_spans._checked(piece, first - 1, reading, limits):
            yield _only(found, known)


def of_rows(
    texts: Sequence[Any],
    beside: Mapping[str, Sequence[Any]] | None = None,
    fields: Fields | None = None,
    limits: Limits | None = None,
    columns: Collection[str] = (),
) -> Iterator[Batch]:
    """The documents of plain values, block by block; as :func:`of_arrow`.

    Args:
        texts: n values; what is no text is set aside.
        beside: columns of n values each, by their names in the rows.
        fields: which of them hold what.
        limits: how much at once, and how much is too much.
        columns: what is read beside the text.
    """
    fields, limits = fields or Fields(), limits or Limits()
    beside = beside or {}
    there = {name: field for name, field in _wanted(fields, columns).items() if field in beside}
    reading = replace(fields, id="", unit=None, columns=tuple(name for name in columns if name != "domain"))
    known = {*there, *(["domain"] if fields.domain_is and "domain" in columns else [])}
    gather = Gather(reading, limits)
    for place, given in enumerate(texts):
        text = None if isinstance(given, float) and given != given else given  # how pandas says that there is none
        gather.add(place, {field: beside[field][place] for field in there.values()} | {fields.text: text})
        if gather.full:
            yield _only(gather.take(), known)
    yield _only(gather.take(), known)


def _wanted(fields: Fields, columns: Collection[str]) -> dict[str, str]:
    """What is read beside the text, and the field each is read from."""
    named = names_of(fields)
    return {name: named.get(name, name) for name in (*columns, *fields.where)}


def _column(batch: Any, field: str, role: str) -> Any:
    import pyarrow as pa

    names = batch.schema.names
    if field not in names:
        raise DataError(f"No column '{field}' for the {role}. {did_you_mean(field, names)}")
    if names.count(field) > 1:
        raise DataError(f"{names.count(field)} columns have the name '{field}'. Rename or leave out all but one.")
    found = batch.column(names.index(field))
    if pa.types.is_dictionary(found.type) and pa.types.is_string_view(found.type.value_type):
        return pa.DictionaryArray.from_arrays(found.indices, _plain(found.dictionary))  # views cannot be taken from
    return found


def _batch(columns: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])


def _only(batch: Batch, known: Collection[str]) -> Batch:
    return replace(batch, columns={name: column for name, column in batch.columns.items() if name in known})


def _pieces(texts: Any, limits: Limits) -> Iterator[tuple[int, int, bool]]:
    """Blocks of rows, (first, count, too long: one row alone), of no more bytes and rows than a batch may have."""
    import pyarrow as pa
    import pyarrow.compute as pc

    of_value = _lengths(texts.dictionary) if pa.types.is_dictionary(texts.type) else None
    for start in range(0, len(texts), limits.batch_rows):
        first, held = start, 0
        block = texts.slice(start, limits.batch_rows)
        lengths = _lengths(block) if of_value is None else of_value.take(block.indices)
        for row, length in enumerate(pc.fill_null(lengths, 0).to_pylist(), start):
            if row > first and (held + length > limits.batch_bytes or length > limits.document):
                yield first, row - first, False
                first, held = row, 0
            if length > limits.document:
                yield row, 1, True
                first = row + 1
            else:
                held += length
        if first < start + len(block):
            yield first, start + len(block) - first, False


def _lengths(texts: Any) -> Any:
    """Bytes of each text, (n,); null where there is none, 0 where it is no text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _arrow_spans._is_text(texts.type):
        return pa.array(np.zeros(len(texts), np.int64))
    raw = texts.cast(pa.large_binary()) if pa.types.is_string_view(texts.type) else texts
    return pc.binary_length(raw).cast(pa.int64())


def _plain(texts: Any) -> Any:
    """Texts as strings of one of the usual layouts; what is no text is left as it is."""
    import pyarrow as pa

    if pa.types.is_null(texts.type):
        return texts.cast(pa.string())
    if pa.types.is_dictionary(texts.type) and _arrow_spans._is_text(texts.type.value_type):
        return texts.dictionary.take(texts.indices)
    if pa.types.is_string_view(texts.type):  # as bytes, because texts that are no UTF-8 are found later, one by one
        return texts.cast(pa.large_binary()).view(pa.large_string())
    return texts
