"""Columns beside the documents: the values of the very rows, whatever the file, and never a row more or less for them."""

from __future__ import annotations

import base64
import csv
import datetime
import decimal
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission.corpus import _beside_pages, _beside_parquet
from remission.corpus.beside import Beside, Column, planned
from remission.corpus.reading import Fields
from remission.corpus.spans import spans_of
from remission.corpus.streaming import Limits, read
from remission.errors import SpecError

FIELDS = Fields(columns=("source",))
SMALL = Limits(document=4000, batch_rows=16, batch_bytes=2000)
KINDS: dict[str, Any] = {
    "flag": pa.bool_(), "number": pa.int64(), "small": pa.uint8(), "real": pa.float64(), "half": pa.float32(), "word": pa.string(),
    "long": pa.large_string(), "code": pa.dictionary(pa.int32(), pa.string()), "bytes": pa.binary(), "four": pa.binary(4),
    "day": pa.date32(), "moment": pa.timestamp("us"), "zoned": pa.timestamp("ms", "Europe/Berlin"), "hour": pa.time64("us"),
    "price": pa.decimal128(12, 3), "tags": pa.list_(pa.string()), "vector": pa.list_(pa.float32(), 3), "nothing": pa.null(),
    "meta": pa.struct([("url", pa.string()), ("year", pa.int16()), ("deep", pa.struct([("k", pa.list_(pa.int8()))]))]),
    "pairs": pa.map_(pa.string(), pa.int32()), "turns": pa.list_(pa.struct([("who", pa.string()), ("raw", pa.binary())])),
    "a.b": pa.int8(), "a": pa.struct([("b", pa.string())]), "lasting": pa.duration("us"), "weight": pa.int32(),
}  # fmt: skip


def value(kind: Any, dice: np.random.Generator) -> Any:
    """One of a type, or none."""
    if dice.random() < 0.2 or pa.types.is_null(kind):
        return None
    n = int(dice.integers(0, 1000))
    if pa.types.is_dictionary(kind):
        return "abc"[n % 3]
    if pa.types.is_map(kind):
        return [(f"k{k}", None if k == 1 else n) for k in range(n % 4)]
    if pa.types.is_struct(kind):
        return {kind.field(k).name: value(kind.field(k).type, dice) for k in range(kind.num_fields)}
    if pa.types.is_nested(kind):
        count = kind.list_size if pa.types.is_fixed_size_list(kind) else n % 4
        return [value(kind.value_type, dice) for _ in range(count)]
    moment = datetime.datetime(1900, 1, 1) + datetime.timedelta(seconds=n * 7_654_321, microseconds=n * 1000)
    simple = [
        (pa.types.is_boolean, n % 2 == 0), (pa.types.is_integer, n % 100), (pa.types.is_floating, (n - 500) / 8),
        (pa.types.is_date, moment.date()), (pa.types.is_time, moment.time()), (pa.types.is_duration, datetime.timedelta(seconds=n)),
        (pa.types.is_decimal, decimal.Decimal(n) / 8), (pa.types.is_fixed_size_binary, n.to_bytes(4)),
        (lambda one: pa.types.is_binary(one), bytes([n % 256]) * (n % 5)),
    ]  # fmt: skip
    if pa.types.is_timestamp(kind):
        return moment if kind.tz is None else moment.replace(tzinfo=datetime.UTC)
    return next((found for test, found in simple if test(kind)), f"ünï {n}" * (n % 3))


def table(n: int, seed: int, names: Sequence[str] = tuple(KINDS)) -> Any:
    """A table of documents, some of them none, and columns beside them."""
    dice = np.random.default_rng(seed)
    texts = [
        None if k % 7 == 3 else "" if k % 11 == 5 else f"document {seed} {k} " * int(dice.integers(1, 5))
        for k in range(n)
    ]
    columns = {"text": pa.array(texts), "source": pa.array([f"s{k % 3}" for k in range(n)])}
    return pa.table(
        columns | {name: pa.array([value(KINDS[name], dice) for _ in range(n)], KINDS[name]) for name in names}
    )


def told(given: Any) -> str | None:
    """How a value is said as text, by another way than the package's."""

    def plain(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: plain(item) for key, item in one.items()}
        if isinstance(one, (list, tuple)):
            return [plain(item) for item in one]
        if isinstance(one, bytes):
            return base64.b64encode(one).decode()
        if isinstance(one, datetime.timedelta):
            return f"PT{one.days * 86400 + one.seconds}.{one.microseconds:06}S"
        if isinstance(one, datetime.datetime) and one.tzinfo:
            return one.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
        if isinstance(one, (datetime.datetime, datetime.time)):
            return one.isoformat(timespec="microseconds")
        return (
            one.isoformat() if isinstance(one, datetime.date) else str(one) if isinstance(one, decimal.Decimal) else one
        )

    found = plain(given)
    return found if found is None or isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def found_in(paths: Sequence[Path], columns: Sequence[Column], limits: Limits = SMALL, fields: Fields = FIELDS, size: int = 2000) -> tuple[dict[Any, Any], Beside]:  # fmt: skip
    """(file, place) -> values beside the document there; and what could not be had. Documents are those that are read without."""
    beside, rows, plain = Beside(columns, fields, limits), {}, {}
    for path in paths:
        for span in spans_of(str(path), size=size):
            for batch in read(span, fields, limits):
                plain |= {
                    (path.name, place): text
                    for place, text in zip(batch.places.tolist(), list(batch.items), strict=True)
                }
                plain[path.name, "aside"] = [*plain.get((path.name, "aside"), []), *batch.aside]
            for batch in read(span, fields, limits, beside=beside):
                assert list(batch.beside) == [column.name for column in columns] or not len(batch)
                arrays = {name: array.to_pylist() for name, array in batch.beside.items()}
                for column in columns if len(batch) else ():
                    assert batch.beside[column.name].type.equals(column.kind)
                    batch.beside[column.name].validate(full=True)
                for k, place in enumerate(batch.places.tolist()):
                    key = (path.name, place)
                    assert key not in rows
                    assert batch.items[k] == plain.pop(key)
                    rows[key] = {name: values[k] for name, values in arrays.items()}
                aside = plain[path.name, "aside"]
                assert list(batch.aside) == aside[: len(batch.aside)]
                plain[path.name, "aside"] = aside[len(batch.aside) :]
    assert not any(plain.values())
    return rows, beside


def same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)  # NaN included


def named(names: Sequence[str]) -> dict[str, str]:
    return {name: "weight_" if name == "weight" else name for name in names}


def write(path: Path, rows: Any, seed: int) -> Path:
    """Parquet or Arrow of any layout."""
    if path.suffix == ".parquet":
        more = [{}, {"use_dictionary": False}, {"compression": "zstd", "data_page_size": 64}, {"data_page_version": "2.0", "dictionary_pagesize_limit": 32}]  # fmt: skip
        pq.write_table(rows, path, row_group_size=5 + 13 * (seed % 7), **more[seed % 4])
        return path
    writer = pa.ipc.new_stream if seed % 2 else pa.ipc.new_file
    with writer(str(path), rows.schema) as file:
        file.write_table(rows, max_chunksize=7 + 11 * (seed % 5))
    return path


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_values_are_those_of_the_row_in_their_own_type(kind: str, seed: int, tmp_path: Path) -> None:
    given = table(60 + 31 * seed, seed)
    path = write(tmp_path / f"a.{kind}", given, seed)
    columns = planned("all", [str(path)], FIELDS, {"weight"})
    names = named(tuple(KINDS))
    assert {column.field: column.name for column in columns} == names
    assert {column.field: column.kind for column in columns} == KINDS | {"code": pa.string()}
    rows, beside = found_in([path], columns)
    assert len(rows) > 40
    wanted = given.to_pylist()
    for (_, place), found in rows.items():
        row = wanted[place - 1]
        assert all(same(found[name], row[field]) for field, name in names.items())
    assert not beside.unread


@pytest.mark.parametrize("seed", range(6))
def test_files_that_differ_make_one_schema(seed: int, tmp_path: Path) -> None:
    """Columns missing in one file, of another type in a second, and null throughout in a third."""
    dice = np.random.default_rng(seed)
    files, tables = [], []
    for number, kind in enumerate(("parquet", "arrow", "parquet")):
        names = [name for name in KINDS if dice.random() < 0.8]
        one = table(40, 10 * seed + number, names)
        for name in names:
            turn = dice.random()
            if turn < 0.2:
                one = one.set_column(one.schema.names.index(name), name, pa.array(["x", None] * 20))
            elif turn < 0.3:
                one = one.set_column(one.schema.names.index(name), name, pa.nulls(40))
        tables.append(one)
        files.append(write(tmp_path / f"{number}.{kind}", one, seed + number))
    columns = planned("all", list(map(str, files)), FIELDS, ())
    rows, beside = found_in(files, columns)
    assert any(pa.types.is_large_string(column.kind) for column in columns if column.field != "long")
    for (name, place), found in rows.items():
        row = tables[int(name[0])].slice(place - 1, 1).to_pylist()[0]
        for column in columns:
            given = row.get(str(column.field))
            as_text = pa.types.is_large_string(column.kind) or pa.types.is_string(column.kind)
            assert same(found[column.name], told(given) if as_text else given), column
    assert not beside.unread


LINES = [
    '{"text": "one", "n": 1.50, "huge": 1e400, "id": 7, "s": "\\ud800", "u": "\\u00e9", "deep": {"a": [1,  {"b": null}]}}',
    '{"n": 12345678901234567890123, "text": "two", "source": "s", "t": true}',
    '{"text": "three"}', '{"text": "", "n": 5}', "{broken", '{"text": "four", "fields": "x", "n": "01", "s": null}',
]  # fmt: skip
REST = [
    '{"n": 1.50, "huge": 1e400, "s": "\\ud800", "u": "\\u00e9", "deep": {"a": [1,  {"b": null}]}}',
    '{"n": 12345678901234567890123, "t": true}', "{}", '{"fields": "x", "n": "01", "s": null}',
]  # fmt: skip


def json_file(path: Path, lines: Sequence[str] = LINES) -> Path:
    content = "\n".join(lines).encode()
    if path.suffix == ".json":
        content = ("[" + ",\n ".join(line for line in lines if line != "{broken") + " ]").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.ndjson", "a.json"])
def test_fields_of_json_come_as_they_are_written(name: str, tmp_path: Path) -> None:
    path = json_file(tmp_path / name)
    columns = planned("all", [str(path)], FIELDS, ())
    assert [(column.name, column.field) for column in columns] == [("fields", None)]
    rows, beside = found_in([path], columns, size=100)
    assert [found["fields"] for found in rows.values()] == REST
    assert not beside.unread
    columns = planned(("n", "s", "deep", "text"), [str(path)], FIELDS, ())
    rows, beside = found_in([path], columns, size=100)
    assert [tuple(found.values()) for found in rows.values()] == [
        ("1.50", None, '{"a": [1,  {"b": null}]}'), ("12345678901234567890123", None, None), (None, None, None), ("01", None, None),
    ]  # fmt: skip
    assert beside.unread == {"s: half characters (lone surrogates)": 1}


def test_tables_of_text_have_columns_of_text(tmp_path: Path) -> None:
    for name, mark in (("a.csv", ","), ("b.tsv", "\t")):
        with open(tmp_path / name, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=mark).writerows([["n", "text", "", "source"], ["01", "one", "", "s"], ["", "two\nlines", "ü,", ""], ["x"], ["3", " ", "", ""]])  # fmt: skip
    (tmp_path / "c.csv").write_text("")
    files = [tmp_path / name for name in ("a.csv", "b.tsv", "c.csv")]
    columns = planned("all", list(map(str, files)), FIELDS, ())
    assert [(column.field, column.name, str(column.kind)) for column in columns] == [
        ("n", "n", "string"),
        ("", "_", "string"),
    ]
    rows, beside = found_in(files, columns)
    assert [tuple(found.values()) for found in rows.values()] == [("01", ""), ("", "ü,")] * 2
    assert not beside.unread


def test_a_name_in_json_makes_text_of_it_everywhere(tmp_path: Path) -> None:
    parquet = write(tmp_path / "b.parquet", table(20, 1, ["number", "word"]), 0)
    lines = json_file(tmp_path / "a.jsonl", ['{"text": "x", "number": [1]}', '{"text": "y", "word": "w"}'])
    plain = tmp_path / "c.txt"
    plain.write_text("only text")
    files = [lines, parquet, plain]
    columns = planned(("word", "number"), list(map(str, files)), FIELDS, ())
    assert [str(column.kind) for column in columns] == ["large_string"] * 2
    rows, _ = found_in(files, columns)
    assert list(rows.values())[:2] == [{"word": None, "number": "[1]"}, {"word": "w", "number": None}]
    assert rows.popitem()[1] == {"word": None, "number": None}
    given = table(20, 1, ["number", "word"]).to_pylist()
    assert all(
        found["number"] == told(given[place - 1]["number"])
        for (name, place), found in rows.items()
        if name == "b.parquet"
    )
    everything = planned("all", list(map(str, files)), FIELDS, ())
    assert [(column.name, str(column.kind)) for column in everything] == [
        ("number", "int64"), ("word", "string"), ("fields", "large_string"),
    ]  # fmt: skip
    rows, _ = found_in(files, everything)
    assert next(iter(rows.values())) == {"number": None, "word": None, "fields": '{"number": [1]}'}
    assert rows.popitem()[1] == {"number": None, "word": None, "fields": None}


def test_names_are_free_and_known(tmp_path: Path) -> None:
    names = ["weight", "weight_", "fields", "domain", "date"]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x"], **{name: [1] for name in names}, "text_": ["y"], "body": ["z"]}), path)
    lines = json_file(tmp_path / "a.jsonl")
    fields = Fields(text="body", domain_is="news", columns=("date",))
    columns = planned("all", [str(path), str(lines)], fields, {"weight", "text", "domain", "date"})
    assert {column.field: column.name for column in columns} == {
        "text": "text__", "weight": "weight__", "weight_": "weight_", "fields": "fields_", "domain": "domain_", "text_": "text_",
        None: "fields",
    }  # fmt: skip
    with pytest.raises(SpecError, match=r"no file|No file.*'weigth'.*weight"):
        planned(("weigth",), [str(path), str(lines)], fields, ())
    with pytest.raises(SpecError, match=r"No file.*'url'.*have none"):
        planned(("url",), [str(tmp_path / "x.txt")], fields, ())
    late = json_file(tmp_path / "late.jsonl", ['{"text": "x"}'] * 300 + ['{"text": "x", "rare": 1}'])
    assert [column.name for column in planned(("rare", "date"), [str(late), str(path)], fields, ())] == ["rare"]
    assert planned("none", [str(path)], fields, ()) == ()


def test_what_cannot_be_read_is_null_and_counted(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in a text and deep in a structure, and values above the limit; each costs itself alone."""
    n = 50
    raw = [b"\xff" if k % 10 == 4 else b"fine" for k in range(n)]
    broken = pa.array(raw).view(pa.string())
    long = pa.array(["x" * (5000 if k % 10 == 7 else 10) for k in range(n)])
    deep = pa.StructArray.from_arrays([broken, pa.array(range(n))], ["s", "k"])
    given = pa.table(
        {"text": [f"document {k}" for k in range(n)], "bad": broken, "long": long, "deep": deep, "k": list(range(n))}
    )
    for kind in ("parquet", "arrow"):
        for seed in range(2):
            path = write(tmp_path / f"{seed}.{kind}", given, seed)
            rows, beside = found_in([path], planned("all", [str(path)], Fields(), ()), fields=Fields())
            for (_, place), found in rows.items():
                k = place - 1
                assert found["k"] == k
                assert found["bad"] == (None if k % 10 == 4 else "fine")
                assert found["long"] == (None if k % 10 == 7 else "x" * 10)
                if kind == "parquet":  # of a batch in memory, nobody can say which part of a structure is sound
                    assert found["deep"] == (None if k % 10 == 4 else {"s": "fine", "k": k})
            assert beside.unread.pop("deep: cannot be read") >= 5
            assert beside.unread == {"bad: cannot be read": 5, "long: more than 4,000 bytes": 5}


def test_a_damaged_column_costs_itself_alone(tmp_path: Path) -> None:
    """Flipped bits in one column of one row group: null there, and everything else as it was."""
    n = 60
    given = pa.table(
        {
            "text": [f"document {k}" for k in range(n)],
            "a": [f"{k:010}" for k in range(n)],
            "b": [f"b{k:010}" for k in range(n)],
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(given, path, row_group_size=20, compression="none", use_dictionary=False, write_page_checksum=True)
    content = path.read_bytes()
    assert content.count(b"b0000000025") >= 1
    place = content.index(b"b0000000025")
    path.write_bytes(content[:place] + b"B" + content[place + 1 :])
    rows, beside = found_in([path], planned("all", [str(path)], Fields(), ()), fields=Fields())
    assert len(rows) == n
    for (_, place), found in rows.items():
        assert found["a"] == f"{place - 1:010}"
        assert found["b"] == (None if 20 <= place - 1 < 40 else f"b{place - 1:010}")
    assert beside.unread == {"b: cannot be read": 20}


@pytest.mark.parametrize("nested", [False, True])
def test_few_bytes_that_stand_for_many_are_unpacked_piece_by_piece(
    nested: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value stored once and pointed at by every row: never more of it in memory than a batch may hold."""
    monkeypatch.setattr(_beside_parquet, "NESTED", 100_000)
    n = 400
    values = [f"{k % 3}" * 3000 for k in range(n)]
    column = pa.array([[one] for one in values]) if nested else pa.array(values)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"document {k}" for k in range(n)], "large": column}), path)
    assert path.stat().st_size < 40_000
    limits = Limits(document=4000, batch_bytes=20_000)
    columns = planned("all", [str(path)], Fields(), ())
    (span,) = spans_of(str(path))
    beside = Beside(columns, Fields(), limits)
    batches = list(read(span, Fields(), limits, beside=beside))
    assert max(batch.beside["large"].nbytes for batch in batches) < 25_000
    assert [row for batch in batches for row in batch.beside["large"].to_pylist()] == column.to_pylist()
    assert not beside.unread
    few = Beside(columns, Fields(), Limits(document=2000))
    assert all(
        batch.beside["large"].null_count == len(batch)
        for batch in read(span, Fields(), Limits(document=2000), beside=few)
    )
    assert few.unread == {"large: more than 2,000 bytes": n}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_a_long_value_that_hardly_occurs_takes_no_memory_for_each_row(kind: Any, tmp_path: Path) -> None:
    """Arrow would set aside 4 GB here: the mean of the two for each of 2,000 rows."""
    words = ["short", "l" * (4 << 20)]
    stored = pa.array(words if not pa.types.is_binary(kind) else [word.encode() for word in words], kind)
    rows = pa.array([1 if k == 7 else None if k % 3 else 0 for k in range(2000)])
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"document {k}" for k in range(2000)], "word": pa.DictionaryArray.from_arrays(rows, stored)}), path)  # fmt: skip
    columns = planned("all", [str(path)], Fields(), ())
    before = pa.default_memory_pool().max_memory()
    beside, found = Beside(columns, Fields(), Limits()), []
    for batch in read(spans_of(str(path))[0], Fields(), Limits(), beside=beside):
        found += batch.beside["word"].to_pylist()
    assert found == [None if row is None else stored[row].as_py() for row in rows.to_pylist()]
    assert not beside.unread
    assert pa.default_memory_pool().max_memory() - before < 500 << 20


def test_types_that_parquet_has_not_are_text(tmp_path: Path) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])])
    given = pa.table(
        {
            "text": ["one", "two", "three"], "union": union, "view": pa.array(["x", None, "y"], pa.string_view()),
            "lists": pa.array([[1], None, []], pa.list_view(pa.int8())), "empty": pa.array([{}, None, {}], pa.struct([])),
            "runs": pa.RunEndEncodedArray.from_arrays([2, 3], ["r", "s"]), "deep": pa.array([["v"], None, []], pa.list_(pa.string_view())),
            "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"a" * 16, None, b"b" * 16], pa.binary(16))),
            "nanos": pa.array([1, None, 10**18 + 1], pa.timestamp("ns")),
        }
    )  # fmt: skip
    path = write(tmp_path / "a.arrow", given, 1)
    rows, beside = found_in([path], planned("all", [str(path)], Fields(), ()), fields=Fields())
    first, second, third = rows.values()
    assert {name: str(first[name]) for name in first if name != "nanos"} == {
        "union": "1", "view": "x", "lists": "[1]", "empty": "{}", "runs": "r", "deep": "['v']", "uuid": str(b"a" * 16),
    }  # fmt: skip
    assert (second["union"], second["view"], second["lists"], second["empty"], second["runs"]) == (
        "b",
        None,
        None,
        None,
        "r",
    )
    assert (third["union"], third["runs"], third["deep"], third["uuid"]) == ("3", "s", [], b"b" * 16)
    assert not beside.unread
    other = write(tmp_path / "b.parquet", pa.table({"text": ["four"], "nanos": [1]}), 0)
    rows, _ = found_in([path, other], planned(("nanos",), [str(path), str(other)], Fields(), ()), fields=Fields())
    assert [found["nanos"] for found in rows.values()] == [
        "1970-01-01T00:00:00.000000001", None, "2001-09-09T01:46:40.000000001", "1",
    ]  # fmt: skip


def test_a_column_survives_being_told() -> None:
    for kind in KINDS.values():
        column = Column("ü", "f", kind)
        assert Column.of(json.loads(json.dumps(column.table()))) == column


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_page_that_is_too_large_is_not_unpacked(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its column is null in that row group; what lies in other pages and columns is as it was."""
    n = 60
    large = ["y" * 300_000 if k == 25 else f"{k}" for k in range(n)]
    given = pa.table({"text": [f"document {k}" for k in range(n)], "large": large, "k": list(range(n))})
    path = tmp_path / "a.parquet"
    pq.write_table(given, path, row_group_size=20, compression="zstd", use_dictionary=version == "1.0", data_page_version=version)  # fmt: skip
    told = pq.read_metadata(path)
    for group in range(3):
        for place in range(3):
            chunk = told.row_group(group).column(place)
            size = chunk.total_uncompressed_size
            assert not _beside_pages.has_larger(str(path), chunk, size)
            assert _beside_pages.has_larger(str(path), chunk, 300_000) == ((group, place) == (1, 1))
            assert _beside_pages.has_larger(str(path), chunk, 20)
    limits = Limits(document=1_000_000)
    columns = planned("all", [str(path)], Fields(), ())
    rows, beside = found_in([path], columns, limits, Fields())
    assert [found["large"] for found in rows.values()] == large
    monkeypatch.setattr(_beside_parquet, "PAGE", 200_000)
    rows, beside = found_in([path], columns, limits, Fields())
    assert [found["large"] for found in rows.values()] == [None if 20 <= k < 40 else large[k] for k in range(n)]
    assert [found["k"] for found in rows.values()] == list(range(n))
    assert beside.unread == {"large: cannot be read": 20}


def test_headers_of_pages_that_are_none_count_as_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x" * 5000] * 3}), path, use_dictionary=False, compression="none")
    chunk = pq.read_metadata(path).row_group(0).column(0)
    assert not _beside_pages.has_larger(str(path), chunk, 1 << 20)
    content = path.read_bytes()
    for noise in (b"\x00" * 40, b"\xff" * 40, b"\x1b" * 40, b"\x15\x00\x15\x01\x15\x01\x00" + b"\x00" * 33):
        at = chunk.data_page_offset
        path.write_bytes(content[:at] + noise + content[at + 40 :])
        assert _beside_pages.has_larger(str(path), chunk, 1 << 20)


def test_a_lack_of_memory_is_not_taken_for_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small machine must not lose what a large one keeps; only of a file that asks for the absurd it is no wonder."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x", "y"], "large": ["a" * 300_000, "b"]}), path)
    columns = planned("all", [str(path)], Fields(), ())

    def lacking(*_: Any) -> Any:
        raise pa.ArrowMemoryError("malloc failed")
        yield

    monkeypatch.setattr(_beside_parquet, "_arrays", lacking)
    with pytest.raises(MemoryError):
        found_in([path], columns, Limits(), Fields())
    monkeypatch.setattr(_beside_parquet, "has_larger", lambda *_: True)
    rows, beside = found_in([path], columns, Limits(), Fields())
    assert [found["large"] for found in rows.values()] == [None, None]
    assert beside.unread == {"large: cannot be read": 2}
