"""Read spans of any size batch by batch, with limits; every row is a document, dropped on request, or set aside by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.corpus import _arrow_spans, _beside_arrow, _rows
from remission.corpus._batches import Aside, Batch, Gather, aside_only
from remission.corpus._beside_rows import Values
from remission.corpus._files import FREE, TROUBLE, opened, said, suffix
from remission.corpus.beside import JSON, TABLE, Beside
from remission.corpus.reading import Fields, Takes, read_picture
from remission.corpus.spans import Span
from remission.errors import SpecError

__all__ = ["Aside", "Batch", "Limits", "read"]


@dataclass(frozen=True)
class Limits:
    """How much is read at once, and what is too much.

    Attributes:
        document: bytes of a document in UTF-8; longer ones are set aside without being held.
        batch_rows: documents in a batch.
        batch_bytes: bytes of the texts of a batch, about; a single document may be larger.
        pixels: of a picture, looked up before anything is unpacked.

    Packed files may unpack to 200 times their size, or to 64 MiB whatever their size; zstd windows of more than 128 MiB are
    refused.
    """

    document: int = 32 << 20
    batch_rows: int = 1024
    batch_bytes: int = 16 << 20
    pixels: int = 100_000_000

    def __post_init__(self) -> None:
        for name in ("document", "batch_rows", "batch_bytes", "pixels"):
            if getattr(self, name) < 1:
                raise SpecError(f"The limit '{name}' must be at least 1. Got {getattr(self, name)}.")


def read(
    span: Span, fields: Fields | None = None, limits: Limits | None = None, takes: Takes = "text",
    beside: Beside | None = None,
) -> Iterator[Batch]:  # fmt: skip
    """The documents of a span in batches, each with the rows that were dropped or set aside beside them.

    Args:
        span: made by :func:`remission.corpus.spans.spans_of`.
        fields: which fields hold what; ``id``, ``unit``, ``domain`` and ``columns`` come along as texts, empty where
            there is none. Labels are not looked at.
        limits: how much at once.
        takes: ``text``; ``picture`` gives arrays, ``file`` gives paths.
        beside: columns that are carried along. Batches are smaller where these are large; documents are the same.

    Raises:
        DataError: the file was changed since the span was made.
        MissingExtra: the library that reads files of this kind is not installed.
    """
    fields, limits = fields or Fields(), limits or Limits()
    span.check()
    if span.kind == "lost":
        yield aside_only(Aside(None, "the file ends the process that reads it"))
    elif span.size == 0 and span.whole and span.kind == "whole":
        yield aside_only(Aside(None, "the file is empty"))
    elif span.kind == "picture":
        yield from _pictures(span, fields, limits, takes, beside)
    elif span.kind == "groups" or suffix(Path(span.path)) in (".parquet", ".arrow"):
        is_saved = span.kind != "groups" and suffix(Path(span.path)) == ".arrow"
        batches = (_arrow_spans.saved if is_saved else _arrow_spans.parquet)(span, fields, limits)
        yield from batches if beside is None else _beside_arrow.joined(batches, span, beside)
    else:
        yield from _gathered(span, fields, limits, beside)


def _gathered(span: Span, fields: Fields, limits: Limits, beside: Beside | None) -> Iterator[Batch]:
    """Batches of what is read row by row."""
    path, written = Path(span.path), beside is not None
    if suffix(path) in _LINES:
        found = _lines(span, limits, written)
    else:
        found = _rows.rows(path, fields.text, paragraphs=False, written=written)
    values = None if beside is None else Values(beside, suffix(path) in (*JSON, *TABLE))
    gather, any_row = Gather(fields, limits, beside=values), False
    for place, row in found:
        any_row = True
        gather.add(place, row)
        if gather.full:
            yield gather.take()
    if not any_row and span.whole:
        gather.add(None, "the file holds no row")
    yield gather.take()


_LINES = (".jsonl", ".ndjson")


def _lines(span: Span, limits: Limits, written: bool) -> Iterator[_rows.Found]:
    """Rows of JSONL by the place of their first byte in the unpacked file."""
    longest = min(_rows.LONGEST, 2 * limits.document + (1 << 16))  # a text may take twice its bytes, escaped
    last = span.last if span.kind == "lines" else None
    position = span.first
    try:
        with opened(Path(span.path)) as file:
            if position:  # the line that began before belongs to the span before
                file.seek(position - 1)
                position += _skip(file) - 1
            while last is None or position < last:
                line = file.readline(longest + 1)
                if not line:
                    return
                place, position = position, position + len(line)
                if len(line) > longest and not line.endswith(b"\n"):
                    position += _skip(file)
                    yield place, f"a line of more than {_said_bytes(longest)}"
                    continue
                if place == 0:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.strip():
                    yield place, _rows.row_of(line, written)
    except TROUBLE as error:
        yield None, f"the file cannot be read: {said(error)}"


def _skip(file: Any) -> int:
    """Go behind the end of the line; how many bytes that were."""
    gone = 0
    while piece := file.readline(1 << 20):
        gone += len(piece)
        if piece.endswith(b"\n"):
            break
    return gone


def _said_bytes(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count:,} bytes"


def _pictures(span: Span, fields: Fields, limits: Limits, takes: Takes, beside: Beside | None) -> Iterator[Batch]:
    values = None if beside is None else Values(beside, told=False)
    gather = Gather(fields, limits, pictures=True, beside=values)
    path = Path(span.path)
    row: Any = {fields.text: span.path} | _rows.by_folder(path)
    if takes == "picture":
        if span.size > FREE:
            row = f"a picture of more than {FREE >> 20} MiB"
        else:
            item, reason = read_picture(path, limits.pixels)
            row = reason or row | {fields.text: item}
    gather.add(None, row)
    yield gather.take()
