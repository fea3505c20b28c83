"""Batches of Parquet files and of saved data sets, checked column by column instead of row by row."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from remission.corpus._batches import Aside, Batch, aside_only, kept, names_of, screened, too_long
from remission.corpus._files import TROUBLE, said
from remission.corpus._rows import arrow_batches
from remission.corpus.reading import LONGEST_VALUE, Fields, word_of
from remission.corpus.spans import Span
from remission.numerics.arrays import Integers

if TYPE_CHECKING:
    from remission.corpus.streaming import Limits

AMPLE = 4  # batches may come out so many times as large as they should
SMALL = 16 << 20  # bytes of a column that may be held at once, with its texts stored once and pointed at
BUFFER = 1 << 20


def parquet(span: Span, fields: Fields, limits: Limits) -> Iterator[Batch]:
    """Row group by row group; one that breaks loses its rest and no more."""
    import pyarrow as pa

    with contextlib.ExitStack() as held:
        try:
            file = held.enter_context(_parquet_file(span, None))
            schema, told = file.schema_arrow, file.metadata
            groups = range(span.first, span.last) if span.kind == "groups" else range(told.num_row_groups)
            rows = [max(0, told.row_group(group).num_rows) for group in groups]
        except (pa.ArrowException, *TROUBLE) as error:
            yield aside_only(Aside(None, _unreadable(error), rows=max(1, span.rows)))
            return
        trouble = _wrong(schema, fields)
        if trouble or not sum(rows):
            if sum(rows) or span.whole:
                yield aside_only(Aside(None, trouble or "the file holds no row", rows=max(1, sum(rows))))
            return
        pointed: Any = None
        start = span.start
        for group, count in zip(groups, rows, strict=True):
            stored, has_dictionary = _stored(told.row_group(group), fields.text)
            size = max(1, min(limits.batch_rows, limits.batch_bytes // max(1, stored // max(1, count))))
            way = file
            if has_dictionary:
                pointed = pointed or held.enter_context(_parquet_file(span, fields.text))
                longest = _longest(pointed, group, fields.text)
                if longest * size > AMPLE * limits.batch_bytes:
                    if stored <= SMALL:
                        way = pointed
                    else:
                        size = max(1, limits.batch_bytes // longest)
            yield from _row_group(way, group, size, start, count, fields, limits)
            start += count


def _parquet_file(span: Span, pointed: str | None) -> Any:
    import pyarrow.parquet as pq

    by_name = None if pointed is None else [pointed]
    return pq.ParquetFile(
        span.path, read_dictionary=by_name, pre_buffer=False, buffer_size=BUFFER, page_checksum_verification=True
    )


def _longest(pointed: Any, group: int, name: str) -> int:
    """Bytes of the longest text of a row group that is stored once and pointed at: a few of them may stand for gigabytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        for batch in pointed.iter_batches(1, row_groups=[group], columns=[name], use_threads=False):
            dictionary = batch.column(batch.schema.get_field_index(name)).dictionary
            return pc.max(pc.binary_length(dictionary)).as_py() or 0 if len(dictionary) else 0
    except (pa.ArrowException, *TROUBLE):
        pass  # reading it will say so
    return 0


def _row_group(
    file: Any, group: int, size: int, start: int, count: int, fields: Fields, limits: Limits
) -> Iterator[Batch]:
    import pyarrow as pa

    names = file.schema_arrow.names
    columns = [name for name in dict.fromkeys([fields.text, *names_of(fields).values()]) if name in names]
    done = 0
    try:
        for batch in file.iter_batches(size, row_groups=[group], columns=columns, use_threads=False):
            for ready in _checked(batch, start + done, fields, limits):
                yield ready
                done += ready.seen
        reason = "rows are missing: there are fewer than the file says"
    except (pa.ArrowException, *TROUBLE) as error:
        reason = _unreadable(error)
    if done < count:
        yield aside_only(Aside(start + done + 1, reason, rows=count - done))


def saved(span: Span, fields: Fields, limits: Limits) -> Iterator[Batch]:
    """A file of a Hugging Face data set saved to disk."""
    import pyarrow as pa

    wanted = {fields.text, *names_of(fields).values()}
    start, done = span.start, 0
    try:
        for batch in arrow_batches(Path(span.path), wanted):
            trouble = _wrong(batch.schema, fields)
            if trouble:
                done += batch.num_rows
                yield aside_only(Aside(None, trouble, rows=max(1, batch.num_rows)))
                continue
            for first in range(0, batch.num_rows, limits.batch_rows):
                for ready in _checked(batch.slice(first, limits.batch_rows), start + done, fields, limits):
                    yield ready
                    done += ready.seen
        if not done:
            yield aside_only(Aside(None, "the file holds no row"))
    except (pa.ArrowException, *TROUBLE) as error:
        yield aside_only(Aside(None, _unreadable(error)))


def _unreadable(error: BaseException) -> str:
    return f"the file cannot be read: {said(error)}"


def _wrong(schema: Any, fields: Fields) -> str:
    """Why no row of a file with these columns is a document; empty when they may be."""
    import pyarrow as pa

    there = ", ".join(schema.names[:12])
    if fields.text not in schema.names:
        return f"no column '{fields.text}': there are {there}"
    if len(set(schema.names)) < len(schema.names):
        return "two columns have one name"
    kind = schema.field(fields.text).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not _is_text(kind):
        return f"the column '{fields.text}' is no text: {kind}"
    for name in names_of(fields).values():
        if name in schema.names:
            kind = schema.field(name).type
            if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
                return f"the column '{name}' is no name of anything: {kind}"
    return ""


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _stored(group: Any, name: str) -> tuple[int, bool]:
    """Bytes a column of a row group unpacks to, and whether texts may be stored once and pointed at."""
    for place in range(group.num_columns):
        column = group.column(place)
        if column.path_in_schema == name:
            return max(0, column.total_uncompressed_size), bool(column.has_dictionary_page)
    return 0, False


def _checked(batch: Any, start: int, fields: Fields, limits: Limits) -> Iterator[Batch]:
    """Batches of the rows of an Arrow batch, numbered from start + 1."""
    import pyarrow as pa

    texts = batch.column(batch.schema.get_field_index(fields.text))
    if pa.types.is_dictionary(texts.type) and pa.types.is_string_view(
        texts.type.value_type
    ):  # which nothing is taken from
        texts = pa.DictionaryArray.from_arrays(texts.indices, texts.dictionary.cast(pa.large_string()))
    if not pa.types.is_dictionary(texts.type):
        yield _ready(batch, texts, np.arange(start + 1, start + 1 + batch.num_rows), fields, limits, [])
        return
    first = 0
    for count, long in _pieces(texts, limits):
        piece = batch.slice(first, count)
        places = np.arange(start + first + 1, start + first + 1 + count)
        aside = [Aside(int(places[0]), too_long(fields.text, limits))] if long else []
        pointed = texts.slice(first, count)
        yield _ready(piece, None if long else pointed.dictionary.take(pointed.indices), places, fields, limits, aside)
        first += count


def _pieces(texts: Any, limits: Limits) -> Iterator[tuple[int, bool]]:
    """Cut texts that are stored once and pointed at before they are unpacked: (rows, too long: one row alone)."""
    import pyarrow.compute as pc

    if len(texts.dictionary):
        of_value = pc.fill_null(pc.binary_length(texts.dictionary), 0)
        lengths = pc.fill_null(of_value.take(texts.indices), 0).to_numpy(zero_copy_only=False)
    else:
        lengths = np.zeros(len(texts), np.int64)
    count, held = 0, 0
    for length in lengths.tolist():
        if count and (held + length > limits.batch_bytes or length > limits.document):
            yield count, False
            count, held = 0, 0
        if length > limits.document:
            yield 1, True
            continue
        count, held = count + 1, held + length
    if count:
        yield count, False


def _ready(batch: Any, texts: Any, places: Integers, fields: Fields, limits: Limits, aside: list[Aside]) -> Batch:
    import pyarrow as pa

    n = batch.num_rows
    columns, good, found = _columns(batch, places, fields)
    if texts is None:  # too long, which is said already
        return Batch([], np.empty(0, np.int64), {}, tuple(aside), n)
    texts, valid, broken = _decoded(texts.cast(pa.large_binary()), places, fields.text)
    fine, lacking = screened(texts, places, fields.text, limits)
    gone = {one.place for one in found}
    more = [one for one in broken if one.place not in gone]
    gone |= {one.place for one in more}
    more += [one for one in lacking if one.place not in gone]
    return kept(texts, places, columns, good & valid & fine, [*found, *more], n)


def _decoded(raw: Any, places: Integers, name: str) -> tuple[Any, Any, list[Aside]]:
    """Texts of bytes; those that are no UTF-8 become empty, one by one."""
    import pyarrow as pa

    n = len(raw)
    try:
        texts = raw.cast(pa.large_string())  # checks that it is UTF-8
        return texts, np.ones(n, bool), []
    except pa.ArrowInvalid:
        pass
    found: list[str | None] = []
    valid, aside = np.ones(n, bool), []
    for place, value in enumerate(raw.to_pylist()):
        try:
            found.append(None if value is None else value.decode("utf-8"))
        except UnicodeDecodeError:
            found.append("")
            valid[place] = False
            aside.append(Aside(int(places[place]), _not_utf8(value, name)))
    return pa.array(found, pa.large_string()), valid, aside


def _not_utf8(value: bytes, name: str) -> str:
    try:
        value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return "not UTF-8"
    return f"'{name}' has half characters (lone surrogates)"


def _columns(batch: Any, places: Integers, fields: Fields) -> tuple[dict[str, Any], Any, list[Aside]]:
    """The columns beside the text as trimmed texts; which rows are wanted and usable, and why the others are not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    n = batch.num_rows
    columns: dict[str, Any] = {}
    good = np.ones(n, bool)
    aside: list[Aside] = []

    def leave_out(mask: Any, reason: str, dropped: bool = False) -> None:
        mask = mask & good
        aside.extend(Aside(int(place), reason, dropped=dropped) for place in places[mask].tolist())
        good[mask] = False

    for name, field in names_of(fields).items():
        place = batch.schema.get_field_index(field)
        default = fields.domain_is if name == "domain" else ""
        if place < 0 or (name == "domain" and default):
            columns[name] = pa.array([default] * n, pa.string())
            continue
        values = batch.column(place)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if _is_text(values.type):
            values, fine, _ = _decoded(values.cast(pa.large_binary()), places, field)
            leave_out(~fine, f"'{field}' is not UTF-8")
        elif pa.types.is_temporal(values.type):
            values = values.cast(pa.string())
        else:
            values = pa.array([word_of(value) for value in values.to_pylist()], pa.string())
        values = pc.utf8_trim_whitespace(pc.fill_null(values.cast(pa.string()), ""))
        long = pc.utf8_length(values).to_numpy(zero_copy_only=False) > LONGEST_VALUE
        leave_out(long, f"'{field}' has more than {LONGEST_VALUE} characters")
        columns[name] = values
    for name, wanted in fields.where.items():
        mask = pc.is_in(columns[name], pa.array(sorted(wanted), pa.string())).to_numpy(zero_copy_only=False)
        leave_out(~mask, "filtered", dropped=True)
    return columns, good, aside
