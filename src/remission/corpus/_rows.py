"""Rows of files, each a dict, with its line; or the reason why it is none."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import itertools
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from remission.corpus._files import FREE, TROUBLE, lines, opened, said, suffix
from remission.corpus._json_text import elements
from remission.errors import need

LONGEST = 64 << 20  # bytes of a line; longer ones are set aside unread
Found = tuple[int | None, dict[str, Any] | str]  # the line and the row, or the reason why there is none

HUMAN = frozenset({"human", "0", "0.0", "real", "natural", "original", "false", "hwt"})
SYNTHETIC = frozenset(
    {"ai", "1", "1.0", "synthetic", "machine", "generated", "fake", "true", "llm", "mgt", "model", "machine-generated"}
)

_ESCAPED = re.compile("[\udc80-\udcff]")  # how undecodable bytes come out of "surrogateescape"
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")


class Row(dict[str, Any]):
    """A row of JSON.

    Attributes:
        written: the text it was decoded from.
    """

    written: str


def rows(path: Path, text: str, paragraphs: bool, written: bool = False) -> Iterator[Found]:
    """Every row of a file; with ``written``, those of JSON know their text.

    A file that breaks off gives its rows so far, then the reason.
    """
    kind = suffix(path)
    try:
        if kind in (".jsonl", ".ndjson"):
            yield from _json_lines(path, written)
        elif kind == ".json":
            yield from _json(path, written)
        elif kind in (".csv", ".tsv"):
            yield from _table(path)
        elif kind == ".parquet":
            yield from _parquet(path)
        elif kind == ".arrow":
            yield from _arrow(path)
        elif kind in (".warc", ".wet"):
            yield from _warc(path, text)
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


def row_of(line: bytes, written: bool = False) -> dict[str, Any] | str:
    """The row of a line of JSONL, or why it is none; with ``written`` it knows the line."""
    try:
        text = line.decode("utf-8").strip()
        row = _DECODER.decode(text)
    except UnicodeDecodeError:
        return "not UTF-8"
    except _TwiceError as error:
        return str(error)
    except (ValueError, RecursionError):
        return "broken JSON"
    if not isinstance(row, dict):
        return "no JSON object"
    return _knowing(row, text) if written else row


def _knowing(row: dict[str, Any], text: str) -> Row:
    found = Row(row)
    found.written = text
    return found


def _json_lines(path: Path, written: bool) -> Iterator[Found]:
    for number, line in enumerate(lines(path, LONGEST), 1):
        if line is None:
            yield number, f"a line of more than {LONGEST >> 20} MiB"
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield number, row_of(line, written)


def _json(path: Path, written: bool) -> Iterator[Found]:
    """A list of objects, or one object a line."""
    with opened(path) as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start != b"[":
        yield from _json_lines(path, written)
        return
    with opened(path) as file:
        content = file.read(4 * LONGEST + 1)
    if len(content) > 4 * LONGEST:
        yield None, f"a JSON list of more than {4 * LONGEST >> 20} MiB; write one object a line instead"
        return
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        listed = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        yield None, f"broken JSON: {said(error)}"
        return
    texts = elements(text) if written else itertools.repeat("")
    for number, (row, its) in enumerate(zip(listed, texts, strict=False), 1):
        if not isinstance(row, dict):
            yield number, "no JSON object"
        else:
            yield number, _knowing(row, its) if written else row


def header(path: Path) -> list[str]:
    """Names of the columns of a table of text; none where no row of it is read. Raises as reading does."""
    with opened(path) as file:
        reader = _reader(file, path)
        while True:  # as it is read: the first line that can be
            with contextlib.suppress(csv.Error):
                found: list[str] = next(reader, [])
                return found if len(set(found)) == len(found) else []


def _reader(file: IO[bytes], path: Path) -> Any:
    csv.field_size_limit(LONGEST)
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    return csv.reader(text, delimiter="\t" if suffix(path) == ".tsv" else ",", strict=True)


def _table(path: Path) -> Iterator[Found]:
    with opened(path) as file:
        reader = _reader(file, path)
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
                for row in _flat(batch):
                    number += 1
                    yield number, row
    except pa.ArrowException as error:
        yield None, f"the file cannot be read: {said(error)}"


def _flat(batch: Any) -> Iterator[dict[str, Any]]:
    """The rows of an Arrow batch without nested and binary columns."""
    import pyarrow as pa

    columns = {name: batch.column(place) for place, name in enumerate(batch.schema.names)}
    flat = {
        name: column.to_pylist()
        for name, column in columns.items()
        if not (pa.types.is_nested(column.type) or pa.types.is_binary(column.type))
    }
    for place in range(batch.num_rows):
        yield {name: values[place] for name, values in flat.items()}


def _arrow(path: Path) -> Iterator[Found]:
    import pyarrow as pa

    number = 0
    try:
        for batch in arrow_batches(path):
            for row in _flat(batch):
                number += 1
                yield number, row
    except pa.ArrowException as error:
        yield None, f"the file cannot be read: {said(error)}"


def arrow_batches(path: Path, columns: Collection[str] | None = None) -> Iterator[Any]:
    """Batches of an Arrow file or stream, checked before anybody looks into them.

    Offsets of a made-up file may point anywhere, so every batch is validated in full. Extension types that run code when
    they are loaded (CVE-2023-47248) are refused. Columns that are not wanted are not unpacked.
    """
    import pyarrow as pa

    with pa.OSFile(str(path), "rb") as file:
        reader, tabled = _ipc(file, columns)
        with reader:
            for field in reader.schema:
                if isinstance(field.type, pa.BaseExtensionType):
                    raise pa.ArrowInvalid(f"the column '{field.name}' is of an extension type, {field.type}")
            for batch in _batches(reader, tabled):
                batch.validate(full=True)
                yield batch
        if not tabled:  # a stream that was cut between two batches ends without a word
            file.seek(-8, 2)
            if file.read(8) != b"\xff\xff\xff\xff\0\0\0\0":
                raise pa.ArrowInvalid("it breaks off: the mark of its end is missing")


def unchecked_batches(path: Path, columns: Collection[str]) -> Iterator[Any]:
    """Batches of some columns, which must be validated one by one before anybody looks into them; not copied from the file."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        reader, tabled = _ipc(file, columns)
        with reader:
            yield from _batches(reader, tabled)


def arrow_schema(path: Path) -> Any:
    """The columns of an Arrow file or stream. Raises ArrowException, OSError."""
    import pyarrow as pa

    with pa.OSFile(str(path), "rb") as file, _ipc(file, None)[0] as reader:
        return reader.schema


def _ipc(file: Any, columns: Collection[str] | None) -> tuple[Any, bool]:
    """A reader of some columns, and whether it is that of a file (of a stream otherwise)."""
    import pyarrow as pa

    tabled = file.read(6) == b"ARROW1"
    file.seek(0)
    opened_as = pa.ipc.open_file if tabled else pa.ipc.open_stream
    names = opened_as(file).schema.names
    wanted = [place for place, name in enumerate(names) if columns is None or name in columns]
    file.seek(0)
    return opened_as(file, options=pa.ipc.IpcReadOptions(included_fields=wanted)), tabled


def _batches(reader: Any, tabled: bool) -> Iterator[Any]:
    yield from (reader.get_batch(place) for place in range(reader.num_record_batches)) if tabled else reader


def _warc(path: Path, text: str) -> Iterator[Found]:
    """Records of extracted text (``conversion``, in WET files); pages as they were sent hold no text yet."""
    need("warc", "Reading WARC files", "fastwarc")
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    beside = (
        WarcRecordType.warcinfo | WarcRecordType.request | WarcRecordType.metadata
        | WarcRecordType.revisit | WarcRecordType.continuation
    )  # fmt: skip
    with opened(path) as file:
        quiet = _Quiet(file)
        records = ArchiveIterator(quiet, record_types=WarcRecordType.any_type, parse_http=False)
        number = 0
        while (record := _next(records)) is not None:
            number += 1
            headers = {name.lower(): value for name, value in record.headers.items()}
            if not headers.get("content-length", "").strip().isdigit():
                yield number, "a record breaks off: it does not say how long it is"
            elif not record.record_type & beside:
                yield number, _record(record, headers, text, record.record_type == WarcRecordType.conversion)
        if quiet.trouble is not None:
            raise quiet.trouble


def _next(records: Any) -> Any:
    """The next record, or None. A panic of the library, which is no ordinary exception, is trouble with the file."""
    try:
        return next(records, None)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError("the reader of WARC files gave up") from None


class _Quiet:
    """A stream that ends where it breaks and keeps why: the reader of WARC files does not survive an exception."""

    def __init__(self, file: Any) -> None:
        self._file, self._place = file, 0
        self.trouble: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        if self.trouble is not None:
            return b""
        try:
            piece = self._file.read1(size if size >= 0 else 1 << 20)  # what there is, before the trouble
        except TROUBLE as error:
            self.trouble = error
            return b""
        self._place += len(piece)
        return piece

    def tell(self) -> int:
        return self._place


def _record(record: Any, headers: dict[str, str], text: str, extracted: bool) -> dict[str, Any] | str:
    if not extracted:
        return "a record of a page as it was sent; text is read from records of type conversion (WET files)"
    if record.content_length > LONGEST:
        return f"a record of more than {LONGEST >> 20} MiB"
    content = record.reader.read()
    if len(content) < record.content_length:  # the library gives what there is without a word
        return f"a record breaks off: {len(content)} of {record.content_length} bytes are there"
    if not _digest_holds(headers.get("warc-block-digest", ""), content):
        return "a record does not have the checksum it says"
    uri = headers.get("warc-target-uri")
    try:
        row = {text: content.decode("utf-8"), "id": uri or headers.get("warc-record-id")}
    except UnicodeDecodeError:
        return "not UTF-8"
    site = urlsplit(uri).hostname if uri else None
    return row | {"url": uri, "source": site, "date": headers.get("warc-date")}


def _digest_holds(digest: str, content: bytes) -> bool:
    name, _, value = digest.partition(":")
    if name.lower() not in ("sha1", "sha256"):
        return True
    found = hashlib.new(name.lower(), content)
    return value.strip().lower() in (found.hexdigest(), base64.b32encode(found.digest()).decode().lower())


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
