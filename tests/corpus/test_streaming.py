"""Spans and batches: together they are the file, whatever their size, and no row is lost without a word."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission import DataError, SpecError
from remission.corpus import _arrow_spans, _files
from remission.corpus.reading import Fields, read_documents
from remission.corpus.spans import Span, find, spans_of, stamp_of
from remission.corpus.streaming import Aside, Batch, Limits, read
from tests.corpus.damaged import dictionary_bomb, every_case, jsonl, parquet, rows, text
from tests.test_corpus import ROWS, written

SMALL = Limits(batch_rows=7, batch_bytes=2000)


def all_of(spans: Iterable[Span], fields: Fields | None = None, limits: Limits | None = None) -> list[Batch]:
    found = [batch for span in spans for batch in read(span, fields, limits)]
    for batch in found:
        assert batch.seen == len(batch) + sum(one.rows for one in batch.aside)
        assert len(batch.places) == len(batch)
        assert all(len(column) == len(batch) for column in batch.columns.values())
    return found


def texts_of(batches: list[Batch]) -> list[str]:
    return [item for batch in batches if len(batch) for item in batch.items.to_pylist()]


def column_of(batches: list[Batch], name: str) -> list[str]:
    return [value for batch in batches if len(batch) for value in batch.columns[name].to_pylist()]


def aside_of(batches: list[Batch]) -> list[Aside]:
    return [one for batch in batches for one in batch.aside]


@pytest.mark.parametrize(
    "kind", [".jsonl", ".ndjson", ".json", ".jsonl.gz", ".jsonl.zst", ".csv", ".tsv", ".parquet", ".arrow"]
)
def test_every_format_gives_what_the_small_reader_gives(kind: str, tmp_path: Path) -> None:
    if kind == ".arrow":
        path = tmp_path / "rows.arrow"
        table = pa.Table.from_pylist(ROWS)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    else:
        path = written(kind, tmp_path)
    fields = Fields(unit="pair", columns=("label",))
    for limits in (None, Limits(batch_rows=1)):
        found = all_of(spans_of(str(path)), fields, limits)
        documents, _ = read_documents([path], fields)
        assert texts_of(found) == list(documents.items)
        assert column_of(found, "id") == documents.column("id").tolist()
        assert column_of(found, "domain") == documents.column("domain").tolist()
        assert column_of(found, "unit") == [row["pair"] for row in ROWS]
        assert not aside_of(found)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=30), st.integers(1, 400), st.booleans())
def test_spans_of_lines_partition_the_file(tmp_path_factory: pytest.TempPathFactory, content: list[str], size: int, end: bool) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("spans") / "rows.jsonl"
    lines = [json.dumps({"text": f"t {value}", "id": str(n)}, ensure_ascii=False) for n, value in enumerate(content)]
    path.write_text("\n".join(lines) + ("\n" if end else ""), encoding="utf-8", newline="")
    whole = all_of(spans_of(str(path)))
    spans = spans_of(str(path), size=size)
    assert [span.first for span in spans[1:]] == [span.last for span in spans[:-1]]
    parts = all_of(spans, limits=SMALL)
    assert column_of(parts, "id") == [str(n) for n in range(len(content))]
    assert np.array_equal(
        np.concatenate([batch.places for batch in parts]), np.concatenate([batch.places for batch in whole])
    )


def test_spans_of_row_groups_partition_the_file(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", rows(230), group=50)
    spans = spans_of(str(path), size=1)
    assert [(span.first, span.last, span.rows, span.start) for span in spans] == [
        (n, n + 1, 50 if n < 4 else 30, 50 * n) for n in range(5)
    ]
    found = all_of(spans, limits=SMALL)
    assert column_of(found, "id") == [f"d{n}" for n in range(230)]
    assert np.concatenate([batch.places for batch in found]).tolist() == [*range(1, 231)]
    assert len(spans_of(str(path))) == 1
    assert max(len(batch) for batch in found) <= 7


def test_halves_are_the_span(tmp_path: Path) -> None:
    path = parquet(tmp_path / "rows.parquet", rows(230), group=50)
    one, other = spans_of(str(path))[0].halves() or ()
    assert column_of(all_of([one, other]), "id") == [f"d{n}" for n in range(230)]
    single = spans_of(str(path), size=1)[0]
    assert single.halves() is None
    long = jsonl(tmp_path / "long.jsonl", [{"text": text(n, 3000)} for n in range(300)])
    (span,) = spans_of(str(long))
    halves = span.halves()
    assert halves is not None
    assert texts_of(all_of(halves)) == texts_of(all_of([span]))


def test_filters_are_counted_as_dropped_and_before_faults(tmp_path: Path) -> None:
    content = [*rows(9), {"id": "x", "text": None, "source": "z", "date": ""}]
    for path in (parquet(tmp_path / "a.parquet", content), jsonl(tmp_path / "a.jsonl", content)):
        found = all_of(spans_of(str(path)), Fields(where={"source": {"a", "b"}}))
        assert column_of(found, "id") == ["d0", "d1", "d3", "d4", "d6", "d7"]
        assert [(one.reason, one.dropped) for one in aside_of(found)] == [("filtered", True)] * 4


def test_values_of_other_types_become_words(tmp_path: Path) -> None:
    import datetime

    content = [{"text": "a", "id": 7, "year": 2.5, "flag": True, "day": datetime.date(2023, 1, 2)},
               {"text": "b", "id": None, "year": float("nan"), "flag": False, "day": None}]  # fmt: skip
    path = parquet(tmp_path / "a.parquet", content)
    found = all_of(spans_of(str(path)), Fields(columns=("year", "flag", "day", "nowhere"), domain_is="web"))
    assert [column_of(found, name) for name in ("id", "year", "flag", "day", "nowhere", "domain")] == [
        ["7", ""], ["2.5", ""], ["1", "0"], ["2023-01-02", ""], ["", ""], ["web", "web"],
    ]  # fmt: skip
    nested = parquet(tmp_path / "b.parquet", [{"text": "a", "tags": ["x"]}])
    (aside,) = aside_of(all_of(spans_of(str(nested)), Fields(columns=("tags",))))
    assert "'tags' is no name of anything" in aside.reason


def test_the_damage_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case is named and counted, and the rest is read: here with small bombs and a giant of 8 MB."""
    monkeypatch.setattr(_files, "FREE", 1 << 20)
    monkeypatch.setattr(_files, "PIECE", 1 << 16)
    cases = every_case(tmp_path / "files", 8 << 20)
    for name, (good, aside, reason) in cases.items():
        spans = spans_of(str(tmp_path / "files" / name))
        found = all_of(spans, Fields(columns=("source",)), Limits(document=1 << 20))
        set_aside = aside_of(found)
        assert len(texts_of(found)) == good or good < 0, (name, len(texts_of(found)), set_aside)
        assert sum(one.rows for one in set_aside) == aside, (name, set_aside)
        assert not reason or any(reason in one.reason for one in set_aside), (name, set_aside)
        for value in texts_of(found):
            value.encode()
        if name.startswith("flipped") and "unsigned" not in name:
            assert {one.place for one in set_aside} == {51}
        if name == "cut.jsonl.gz":
            assert 10 < len(texts_of(found)) < 40


@pytest.mark.parametrize("small", [True, False])
def test_a_dictionary_bomb_is_seen_before_it_is_unpacked(
    small: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways: what is stored is held, or little is unpacked at once."""
    if not small:
        monkeypatch.setattr(_arrow_spans, "SMALL", 0)
    path = dictionary_bomb(tmp_path / "bomb.parquet", 2 << 20, 2000, good=30)  # 4 GB
    assert path.stat().st_size < 5_000
    (span,) = spans_of(str(path))
    largest = 0
    for batch in read(span, None, Limits(document=1 << 20)):
        largest = max(largest, pa.total_allocated_bytes())
        assert len(batch) == 0 or batch.items[0].as_py() == text(int(batch.places[0]) - 1)
        if batch.places.size == 0 and batch.aside[0].place > 300:
            break  # 600 MB are enough
    assert largest < 100 << 20
    tame = dictionary_bomb(tmp_path / "tame.parquet", 100_000, 500, good=30)  # allowed, but not all at once
    found = all_of(spans_of(str(tame)), limits=Limits(batch_bytes=1 << 20))
    assert len(texts_of(found)) == 530
    assert max(batch.items.nbytes for batch in found) < 5 << 20
    assert len(found) >= 10


def test_a_file_that_changes_under_way_is_not_read(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows(3))
    (span,) = spans_of(str(path))
    os.utime(path, ns=(1, stamp_of(str(path))[1] + 10))
    with pytest.raises(DataError, match="was changed while"):
        list(read(span))
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        list(read(span))


def test_links_out_of_a_folder_are_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    jsonl(inside / "a.jsonl", rows(3))
    jsonl(outside / "secret.jsonl", rows(3))
    (inside / "link.jsonl").symlink_to(outside / "secret.jsonl")
    (inside / "near.jsonl").symlink_to(inside / "a.jsonl")
    os.mkfifo(inside / "pipe.jsonl")
    found = find([inside])
    assert [Path(file).name for file in found.files] == ["a.jsonl", "near.jsonl"]
    assert [(Path(file).name, reason) for file, reason in found.refused] == [
        ("link.jsonl", "a link that leads out of the folder")
    ]
    (tmp_path / "other name").symlink_to(inside, target_is_directory=True)
    again = find([tmp_path / "other name"])
    assert ([Path(file).name for file in again.files], len(again.refused)) == (["a.jsonl", "near.jsonl"], 1)
    assert [Path(file).name for file in find([inside / "link.jsonl"]).files] == ["link.jsonl"]  # asked for by name


def test_a_saved_data_set_is_read_and_its_leavings_are_not(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "set"
    datasets.Dataset.from_list(rows(20)).save_to_disk(str(folder), num_shards=2)
    (folder / "cache-123.arrow").write_bytes(b"nothing")
    found = find([folder])
    assert [Path(file).name for file in found.files] == ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    assert {Path(file).name for file in found.ignored} == {"cache-123.arrow", "dataset_info.json", "state.json"}
    spans = [span for file in found.files for span in spans_of(file)]
    batches = all_of(spans, Fields(columns=("source",)), SMALL)
    assert column_of(batches, "id") == [f"d{n}" for n in range(20)]
    documents, account = read_documents([folder])
    assert list(documents.items) == texts_of(batches)
    assert account.quarantined == 0


def arrow_stream(path: Path, batches: int, end: bool = True) -> Path:
    with pa.OSFile(str(path), "wb") as file:
        table = pa.Table.from_pylist(rows(10))
        writer = pa.ipc.new_stream(file, table.schema)
        for _ in range(batches):
            writer.write_table(table)
        writer.close()
    if not end:
        path.write_bytes(path.read_bytes()[:-8])
    return path


def test_broken_arrow_files_are_said_to_be(tmp_path: Path) -> None:
    whole = arrow_stream(tmp_path / "a.arrow", 3)
    assert len(texts_of(all_of(spans_of(str(whole))))) == 30
    quiet = arrow_stream(tmp_path / "quiet.arrow", 3, end=False)  # cut between two batches: no error of its own
    found = all_of(spans_of(str(quiet)))
    assert len(texts_of(found)) == 30
    assert "the mark of its end is missing" in aside_of(found)[0].reason
    content = whole.read_bytes()
    (tmp_path / "cut.arrow").write_bytes(content[: len(content) * 3 // 5])
    found = all_of(spans_of(str(tmp_path / "cut.arrow")))
    assert 10 <= len(texts_of(found)) < 30
    assert "cannot be read" in aside_of(found)[0].reason
    table = pa.table({"text": ["a", "b"]})
    offsets = pa.py_buffer(np.array([0, 1 << 30, 2], np.int32))
    mad = pa.StringArray.from_buffers(2, offsets, table.column(0).chunk(0).buffers()[2])
    with pa.OSFile(str(tmp_path / "mad.arrow"), "wb") as file:
        schema = pa.schema([("text", pa.string())])
        with pa.ipc.new_stream(file, schema) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays([mad], schema=schema))
    found = all_of(spans_of(str(tmp_path / "mad.arrow")))
    assert not texts_of(found)
    assert "cannot be read" in aside_of(found)[0].reason


def record(kind: str, uri: str, body: bytes, more: bytes = b"") -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {uri}\r\nWARC-Date: 2023-01-02T03:04:05Z\r\n".encode()
    head += b"WARC-Record-ID: <urn:uuid:12345678-1234-1234-1234-123456789012>\r\n" + more
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body + b"\r\n\r\n"


def test_web_archives(tmp_path: Path) -> None:
    pytest.importorskip("fastwarc")
    import base64
    import hashlib

    digest = b"WARC-Block-Digest: sha1:" + base64.b32encode(hashlib.sha1(b"Good text.").digest()) + b"\r\n"
    parts = [
        record("warcinfo", "x", b"software: none"),
        record("conversion", "http://a.org/1", b"Good text.", digest),
        record("conversion", "http://a.org/2", b"Bad  text.", digest),
        record("response", "http://b.org/3", b"HTTP/1.1 200 OK\r\n\r\n<html>"),
        record("conversion", "http://b.org/4", b"\xff"),
        record("conversion", "http://b.org/5", "Zweiter Text: ä.".encode()),
    ]
    for name, content in (("a.wet", b"".join(parts)), ("b.warc.gz", b"".join(map(gzip.compress, parts)))):
        (tmp_path / name).write_bytes(content)
        found = all_of(spans_of(str(tmp_path / name)), Fields(columns=("source", "date")))
        assert texts_of(found) == ["Good text.", "Zweiter Text: ä."]
        assert column_of(found, "source") == ["a.org", "b.org"]
        assert column_of(found, "date") == ["2023-01-02T03:04:05Z"] * 2
        reasons = [one.reason for one in aside_of(found)]
        assert ["checksum" in reasons[0], "as it was sent" in reasons[1], reasons[2]] == [True, True, "not UTF-8"]
        for size in (3, 40, 200):  # cut off: the record that breaks is never taken for a whole one
            (tmp_path / f"cut-{name}").write_bytes(content[:-size])
            cut = all_of(spans_of(str(tmp_path / f"cut-{name}")))
            assert texts_of(cut) == ["Good text.", "Zweiter Text: ä."][: len(texts_of(cut))]
            assert len(texts_of(cut)) >= (1 if size < 200 else 0), (name, size)
            if len(texts_of(cut)) < 2:
                reasons = [one.reason for one in aside_of(cut)]
                assert any("breaks off" in reason or "cannot be read" in reason for reason in reasons), (name, size)


def test_pictures_with_a_limit_on_pixels(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (6, 4), (200, 10, 10)).save(tmp_path / "a.png")
    image.new("RGB", (600, 400)).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"\x89PNG nothing")
    spans = [span for file in find([tmp_path], "picture").files for span in spans_of(file, "picture")]
    batches = [batch for span in spans for batch in read(span, None, Limits(pixels=10_000), "picture")]
    assert [item.shape for batch in batches for item in batch.items] == [(4, 6, 3)]
    reasons = [one.reason for batch in batches for one in batch.aside]
    assert reasons[0] == "more than 0.01 million pixels"
    assert reasons[1].startswith("no picture that can be read")


def test_limits_that_are_none() -> None:
    with pytest.raises(SpecError, match="batch_rows"):
        Limits(batch_rows=0)


def test_texts_stored_once_and_pointed_at_are_read_whatever_their_layout(tmp_path: Path) -> None:
    texts = [text(n % 3) for n in range(20)]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        column = pa.array(texts, kind).dictionary_encode()
        path = tmp_path / f"{kind}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, pa.schema([("text", column.type)])) as stream:
            stream.write_batch(pa.record_batch([column], names=["text"]))
        (span,) = spans_of(str(path))
        assert [item for batch in read(span) for item in batch.items.to_pylist()] == texts, kind
