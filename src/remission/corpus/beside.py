"""Columns of a corpus that are carried along with its documents: which there are, and one type for each.

They are found in the headers and schemas of files before anything is read, and never decide whether a row is a document.
"""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from remission.corpus import _rows
from remission.corpus._arrow_spans import _wrong
from remission.corpus._batches import names_of
from remission.corpus._beside_types import common
from remission.corpus._files import TROUBLE, suffix
from remission.corpus.reading import Fields
from remission.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from remission.corpus.streaming import Limits

__all__ = ["REST", "Beside", "Column", "names_of", "planned", "read_anyway"]

Asked = Literal["all", "none"] | Sequence[str]
REST = "fields"  # the column of what rows of JSON hold besides
FIRST_ROWS = 100  # of JSON, that names are looked for in
ARROW, TABLE, JSON = (".parquet", ".arrow"), (".csv", ".tsv"), (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class Column:
    """A column that is carried along.

    Attributes:
        name: of it, where it is written.
        field: of the files; None: all fields of a row of JSON that are not read, together as the text of an object.
        kind: its Arrow type.
    """

    name: str
    field: str | None
    kind: Any

    def table(self) -> dict[str, Any]:
        """As plain values."""
        import pyarrow as pa

        schema = pa.schema([("", self.kind)]).serialize().to_pybytes()
        return {**self.said(), "schema": base64.b64encode(schema).decode()}

    def said(self) -> dict[str, Any]:
        """The same for readers."""
        return {"name": self.name, "field": self.field, "type": str(self.kind)}

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Column:
        """What ``table`` gave."""
        import pyarrow as pa

        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(table["schema"])))
        return cls(table["name"], table["field"], schema.field(0).type)


class Beside:
    """What is read of the columns that are carried along, and what of them could not be had.

    Args:
        columns: which.
        fields: which fields are read anyway.
        limits: a value of more bytes than a document may have becomes null.

    Attributes:
        unread: values that are null because they could not be had, by column and reason.
    """

    def __init__(self, columns: Sequence[Column], fields: Fields, limits: Limits) -> None:
        self.columns, self.limits = tuple(columns), limits
        self.read = read_anyway(fields)
        self.unread: Counter[str] = Counter()

    def lose(self, column: Column, reason: str, count: int = 1) -> None:
        """Count values that could not be had."""
        if count:
            self.unread[f"{column.name}: {reason}"] += count

    @property
    def too_long(self) -> str:
        """The reason of a value above the limit."""
        return f"more than {self.limits.document:,} bytes"


def read_anyway(fields: Fields) -> frozenset[str]:
    """Fields of rows that a reader with these ``fields`` reads, whole, into columns of its own."""
    named = names_of(fields)
    if fields.domain_is:
        named = {name: field for name, field in named.items() if name != "domain"}
    return frozenset({fields.text, *named.values()})


def planned(asked: Asked, paths: Sequence[str], fields: Fields, taken: Collection[str]) -> tuple[Column, ...]:
    """The columns to carry along from the files of a corpus.

    A column has the type that it has in all files that have it; where these differ, it is text: strings as they are, other
    values as JSON. Tables of text (CSV, TSV) have columns of text. Of rows of JSON nobody knows the fields ahead: with ``all``
    they come together in one column, by name each in its own, as text. Other files have no columns.

    Args:
        asked: ``all``, ``none``, or names.
        paths: the files, in order.
        fields: which are read anyway, and not carried twice.
        taken: names that columns cannot have; these get a ``_`` at their end.

    Raises:
        SpecError: no file has a column of such a name.
    """
    import pyarrow as pa

    if asked == "none":
        return ()
    forms = {path: suffix(Path(path)) for path in paths}
    json = [path for path, form in forms.items() if form in JSON]
    kinds: dict[str, list[Any]] = {}
    for path in (path for path, form in forms.items() if form in ARROW + TABLE):
        for name, kind in _header(path, forms[path], fields).items():
            kinds.setdefault(name, []).append(kind)
    read = read_anyway(fields)
    if asked == "all":
        found = {name: common(given) for name, given in kinds.items() if name not in read}
        taken = {*taken, *([REST] if json else [])}
        rest = [Column(REST, None, pa.large_string())] if json else []
        return (*_named(found, taken), *rest)
    wanted = [asked] if isinstance(asked, str) else list(dict.fromkeys(asked))
    _check(wanted, kinds, json)
    text = pa.large_string()
    found = {name: text if json else common(kinds[name]) for name in wanted if name not in read}
    return _named(found, taken)


def _header(path: str, form: str, fields: Fields) -> dict[str, Any]:
    """The columns of a file with their types; none where no row of it can be a document."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if form in TABLE:
            return dict.fromkeys(_rows.header(Path(path)), pa.string())
        schema = pq.read_schema(path) if form == ".parquet" else _rows.arrow_schema(Path(path))
    except (pa.ArrowException, *TROUBLE):
        return {}
    return {} if _wrong(schema, fields) else {field.name: field.type for field in schema}


def _named(found: Mapping[str, Any], taken: Collection[str]) -> tuple[Column, ...]:
    """Columns whose names are free, and clean; those that have theirs keep it."""
    given = {field: field for field in found if field and _clean(field) == field and field not in taken}
    for field in found:
        name = given.get(field, _clean(field))
        while field not in given and (name in taken or name in given.values() or not name):
            name += "_"
        given[field] = name
    return tuple(Column(given[field], field, kind) for field, kind in found.items())


def _clean(name: str) -> str:
    """A name without half characters, which no other file can hold."""
    return name.encode("utf-8", "backslashreplace").decode()


def _check(wanted: Sequence[str], kinds: Iterable[str], json: Sequence[str]) -> None:
    """See that every name is one of a file. Raises SpecError."""
    known = dict.fromkeys(kinds)
    for path in json:
        known |= dict.fromkeys(_fields_of(path, FIRST_ROWS))
    missing = {name for name in wanted if name not in known}
    for path in json:  # a field may be in a late row alone
        if missing:
            missing -= set(_fields_of(path, None, missing))
    for name in wanted:
        if name in missing:
            told = did_you_mean(name, known) if known else "Its files have none."
            raise SpecError(f"No file of the corpus has a column '{name}'. {told}")


def _fields_of(path: str, rows: int | None, until: Collection[str] = ()) -> dict[str, None]:
    """Names of fields in the first rows of JSON, or in all of them until these are found."""
    found: dict[str, None] = {}
    for _, row in itertools.islice(_rows.rows(Path(path), "", paragraphs=False), rows):
        if isinstance(row, dict):
            found |= dict.fromkeys(row)
        if until and all(name in found for name in until):
            break
    return found
