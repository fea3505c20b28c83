"""Rows of files, each a dict, with its line; or the reason why it is none."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from remission.corpus._files import FREE, TROUBLE, lines, opened, said, suffix

LONGEST = 64 << 20  # bytes of a line; longer ones are set aside unread
Found = tuple[int | None, dict[str, Any] | str]  # the line and the row, or the reason why there is none

HUMAN = frozenset({"human", "0", "0.0", "real", "natural", "original", "false", "hwt"})
SYNTHETIC = frozenset(
    {"ai", "1", "1.0", "synthetic", "machine", "generated", "fake", "true", "llm", "mgt", "model", "machine-generated"}
)

_ESCAPED = re.compile("[\udc80-\udcff]")  # how undecodable bytes come out of "surrogateescape"
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")


def rows(path: Path, text: str, paragraphs: bool) -> Iterator[Found]:
    """Every row of a file. A file that breaks off gives its rows so far, then the reason."""
    kind = suffix(path)
    try:
        if kind in (".jsonl", ".ndjson"):
            yield from _json_lines(path)
        elif kind == ".json":
            yield from _json(path)
        elif kind in (".csv", ".tsv"):
            yield from _table(path, "\t" if kind == ".tsv" else ",")
        elif kind == ".parquet":
            yield from _parquet(path)
        else:
            yield from _plain(path, text, paragraphs)
    except TROUBLE as error:
        yield None, f"the file cannot be read: {said(error)}"


class _TwiceError(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(f"the key '{next(name for name in names if names.count(name) > 1)}' occurs twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _row(line: bytes) -> dict[str, Any] | str:
    try:
        row = _DECODER.decode(line.decode("utf-8").strip())
    except UnicodeDecodeError:
        return "not UTF-8"
    except _TwiceError as error:
        return str(error)
    except (ValueError, RecursionError):
        return "broken JSON"
    return row if isinstance(row, dict) else "no JSON object"


def _json_lines(path: Path) -> Iterator[Found]:
    for number, line in enumerate(lines(path, LONGEST), 1):
        if line is None:
            yield number, f"a line of more than {LONGEST >> 20} MiB"
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield number, _row(line)


def _json(path: Path) -> Iterator[Found]:
    """A list of objects, or one object a line."""
    with opened(path) as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start != b"[":
        yield from _json_lines(path)
        return
    with opened(path) as file:
        content = file.read(4 * LONGEST + 1)
    if len(content) > 4 * LONGEST:
        yield None, f"a JSON list of more than {4 * LONGEST >> 20} MiB; write one object a line instead"
        return
    try:
        listed = json.loads(content.removeprefix(b"\xef\xbb\xbf").decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        yield None, f"broken JSON: {said(error)}"
        return
    for number, row in enumerate(listed, 1):
        yield number, row if isinstance(row, dict) else "no JSON object"


def _table(path: Path, separator: str) -> Iterator[Found]:
    csv.field_size_limit(LONGEST)
    with opened(path) as file:
        reader = csv.reader(
            io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline=""), delimiter=separator, strict=True
        )
        header: list[str] | None = None
        while True:
            start = reader.line_num + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield start, f"broken table: {said(error)}"
                continue
            if header is None:
                header = fields
                if len(set(header)) < len(header):
                    yield start, "the header names a column twice"
                    return
            elif len(fields) != len(header):
                if fields:
                    yield start, "a number of fields other than the header's"
            elif any(_ESCAPED.search(value) for value in fields):
                yield start, "not UTF-8"
            else:
                yield start, dict(zip(header, fields, strict=True))


def _parquet(path: Path) -> Iterator[Found]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=1024):
                columns = {name: batch.column(place) for place, name in enumerate(batch.schema.names)}
                flat = {
                    name: column.to_pylist()
                    for name, column in columns.items()
                    if not (pa.types.is_nested(column.type) or pa.types.is_binary(column.type))
                }
                for place in range(batch.num_rows):
                    number += 1
                    yield number, {name: values[place] for name, values in flat.items()}
    except pa.ArrowException as error:
        yield None, f"the file cannot be read: {said(error)}"


def by_folder(path: Path) -> dict[str, Any]:
    """What the place of a file says of it: its name, and its label when it lies in a folder called after one."""
    named = path.parent.name.lower()
    return {"id": path.name} | ({"label": named} if named in HUMAN | SYNTHETIC else {})


def _plain(path: Path, text: str, paragraphs: bool) -> Iterator[Found]:
    with opened(path) as file:
        content = file.read(max(FREE, LONGEST) + 1)
    if len(content) > max(FREE, LONGEST):
        yield None, f"a document of more than {max(FREE, LONGEST) >> 20} MiB"
        return
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        decoded = content.decode("utf-16" if wide else "utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        yield None, "not UTF-8"
        return
    beside = by_folder(path)
    if not paragraphs:
        yield 1, beside | {text: decoded}
        return
    line, end = 1, 0
    for part in [*_PARAGRAPH.finditer(decoded), None]:
        piece = decoded[end : len(decoded) if part is None else part.start()]
        if piece.strip():
            yield line, beside | {text: piece, "id": f"{path.name}:{line}"}
        if part is not None:
            line += piece.count("\n") + part.group().count("\n")
            end = part.end()
