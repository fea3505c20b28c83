"""Reading local corpora: every format gives the same documents, and every bad row is accounted for."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission.corpus import _files, _rows
from remission.corpus.reading import LONGEST_VALUE, Fields, labels_of, read_documents
from remission.errors import DataError

ROWS = [
    {"id": "a", "text": "First, in English.", "label": "human", "domain": "news", "pair": "1"},
    {"id": "b", "text": "Zweite, mit Umlaut: ä\nund Zeile.", "label": "ai", "domain": "news", "pair": "1"},
    {"id": "c", "text": "third \"quoted\", with, commas", "label": "human", "domain": "web", "pair": "2"},
]  # fmt: skip


def packed(path: Path, content: bytes, method: str) -> None:
    with pa.output_stream(str(path), compression=method) as stream:
        stream.write(content)


def written(kind: str, folder: Path) -> Path:
    path = folder / f"rows{kind}"
    lines = "\n".join(json.dumps(row) for row in ROWS).encode()
    if kind == ".jsonl":
        path.write_bytes(lines)
    elif kind == ".ndjson":
        path.write_bytes(b"\xef\xbb\xbf" + lines.replace(b"\n", b"\r\n\r\n") + b"\n")
    elif kind == ".json":
        path.write_text(json.dumps(ROWS))
    elif kind in (".jsonl.gz", ".jsonl.zst"):
        packed(path, lines, "gzip" if kind.endswith("gz") else "zstd")
    elif kind == ".parquet":
        pq.write_table(pa.Table.from_pylist([row | {"nested": [1]} for row in ROWS]), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(ROWS[0]), delimiter="\t" if kind == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(ROWS)
    return path


@pytest.mark.parametrize("kind", [".jsonl", ".ndjson", ".json", ".jsonl.gz", ".jsonl.zst", ".csv", ".tsv", ".parquet"])
def test_every_format_gives_the_same(kind: str, tmp_path: Path) -> None:
    documents, account = read_documents([written(kind, tmp_path)], Fields(unit="pair"))
    assert list(documents.items) == [row["text"] for row in ROWS]
    assert documents.synthetic is not None
    assert documents.synthetic.tolist() == [False, True, False]
    assert documents.column("domain").tolist() == ["news", "news", "web"]
    assert documents.column("id").tolist() == ["a", "b", "c"]
    assert documents.units is not None
    assert documents.units.tolist() == [0, 0, 1]
    assert account.table() | {"files": 1} == {
        "in": 3, "kept": 3, "dropped": 0, "quarantined": 0, "reasons": {}, "examples": [], "files": 1, "ignored": [],
    }  # fmt: skip


BAD = {
    b"{broken": "broken JSON",
    b"[1, 2]": "no JSON object",
    b'"only text"': "no JSON object",
    b'{"id": "x"}': "no 'text'",
    b'{"text": null}': "no 'text'",
    b'{"text": 7}': "'text' is no text",
    b'{"text": " \\n "}': "'text' is empty",
    b'{"text": "half \\ud800"}': "'text' has half characters (lone surrogates)",
    b'{"text": "caf\xe9"}': "not UTF-8",
    b'{"text": "one", "text": "two"}': "the key 'text' occurs twice",
    b'{"text": "fine", "label": "perhaps"}': "the label is neither human nor ai: 'perhaps'",
    b'{"text": "fine", "source": "' + b"s" * 501 + b'"}': f"'source' has more than {LONGEST_VALUE} characters",
    b'{"text": "fine", "source": "\\udfff"}': "a column has half characters (lone surrogates)",
    b"[" * 200_000: "broken JSON",
}


def test_every_bad_row_is_counted_with_reason_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    lines = [b'{"text": "good one"}', *BAD, b'{"text": "good two", "label": ""}']
    path.write_bytes(b"\n".join(lines))
    documents, account = read_documents([path])
    assert list(documents.items) == ["good one", "good two"]
    assert documents.synthetic is None
    table = account.table()
    assert table["in"] == len(lines) == table["kept"] + table["quarantined"]
    found = {row["line"]: row["reason"] for row in table["examples"]}
    assert found == dict(enumerate(BAD.values(), 2))
    assert documents.column("id").tolist() == [f"{path}:1", f"{path}:{len(lines)}"]


def test_labels_in_all_spellings(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    given = ["human", "AI", 0, 1, "real", "Synthetic", "machine", False, True, None, ""]
    path.write_text("\n".join(json.dumps({"text": "a text", "label": label}) for label in given))
    documents, _ = read_documents([path])
    found = labels_of(documents)
    assert found[:9].tolist() == [0, 1, 0, 1, 0, 1, 1, 0, 1]
    assert np.isnan(found[9:]).all()
    assert documents.synthetic is None


def test_filters_and_limits_are_counted_apart(tmp_path: Path) -> None:
    path = written(".jsonl", tmp_path)
    documents, account = read_documents([path], Fields(where={"domain": {"web", "books"}}))
    assert (len(documents), account.dropped, account.quarantined) == (1, 2, 0)
    documents, _ = read_documents([path], limit=2)
    assert len(documents) == 2
    with pytest.raises(DataError, match="No row has a field 'spilt'"):
        read_documents([path], Fields(where={"spilt": {"train"}}))
    with pytest.raises(DataError, match="3 rows do not match"):
        read_documents([path], Fields(where={"domain": {"nowhere"}}))


def test_a_field_that_no_row_has_is_named(tmp_path: Path) -> None:
    path = written(".jsonl", tmp_path)
    for fields, word in (
        (Fields(text="body"), "--text"),
        (Fields(unit="pear"), "'pair'"),
        (Fields(label="y"), "--label"),
    ):
        with pytest.raises(DataError, match=word):
            read_documents([path], fields)


def test_rows_without_a_unit_are_units_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "u.jsonl"
    path.write_text("\n".join(json.dumps({"text": "x y", "site": site}) for site in ["a", "", "", "a", None]))
    documents, _ = read_documents([path], Fields(unit="site"))
    units = documents.sampling_units
    assert units[0] == units[3]
    assert np.unique(units).size == 4


def test_a_bomb_is_cut_off_and_the_rows_before_it_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "FREE", 200_000)
    monkeypatch.setattr(_files, "PIECE", 4096)
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "first"}\n' + b" " * 4_000_000))
    documents, account = read_documents([path])
    assert len(documents) == 1
    assert account.first().count("unpacks to more than 200 times its size") == 1


def test_a_file_that_breaks_off_keeps_its_rows(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 26, 4000)
    lines = [json.dumps({"text": "".join(chr(97 + code) for code in noise[i : i + 40])}) for i in range(0, 4000, 40)]
    whole = gzip.compress("\n".join(lines).encode())
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    documents, account = read_documents([path])
    assert 10 < len(documents) < 100
    assert account.quarantined >= 1
    assert "the file cannot be read" in "".join(account.reasons)
    (tmp_path / "no.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"No usable document was read.*cannot be read"):
        read_documents([tmp_path / "no.parquet"])


def test_an_endless_line_is_set_aside_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rows, "LONGEST", 1000)
    path = tmp_path / "long.jsonl"
    path.write_text(json.dumps({"text": "x" * 5000}) + "\n" + json.dumps({"text": "short"}))
    documents, account = read_documents([path])
    assert list(documents.items) == ["short"]
    assert account.examples[0]["line"] == 1


def test_bad_rows_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'text,label\ngood,human\ntoo,many,fields\nbad \xff,human\n"un"quoted,ai\n"two\nlines",ai\n')
    documents, account = read_documents([path])
    assert list(documents.items) == ["good", "two\nlines"]
    assert [row["line"] for row in account.examples] == [3, 4, 5]
    (tmp_path / "twice.csv").write_text("text,text\na,b\n")
    with pytest.raises(DataError, match="names a column twice"):
        read_documents([tmp_path / "twice.csv"])


def test_plain_texts_by_folder_and_paragraph(tmp_path: Path) -> None:
    for name, content in (
        ("human/a.txt", b"Line one.\n\nLine\r\ntwo."),
        ("ai/b.md", "wide ä".encode("utf-16")),
        ("ai/c.txt", b"\xff"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    documents, account = read_documents([tmp_path])
    assert list(documents.items) == ["wide ä", "Line one.\n\nLine\ntwo."]
    assert documents.synthetic is not None
    assert documents.synthetic.tolist() == [True, False]
    assert account.reasons == {"not UTF-8": 1}
    documents, _ = read_documents([tmp_path / "human"], paragraphs=True)
    assert list(documents.items) == ["Line one.", "Line\ntwo."]
    assert documents.column("id").tolist() == ["a.txt:1", "a.txt:3"]


def test_notes_beside_tables_are_no_documents(tmp_path: Path) -> None:
    written(".jsonl", tmp_path)
    (tmp_path / "README.md").write_text("About these rows.")
    documents, account = read_documents([tmp_path])
    assert len(documents) == 3
    assert account.ignored == [str(tmp_path / "README.md")]
    documents, _ = read_documents([str(tmp_path / "*.jsonl"), tmp_path / "rows.jsonl"])  # the same file is read once
    assert len(documents) == 3


def test_paths_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"x")
    for path, words in (
        (tmp_path / "none.jsonl", "does not exist"),
        (tmp_path / "a.pdf", "no kind of file"),
        (tmp_path, "nothing to read"),
    ):
        with pytest.raises(DataError, match=words):
            read_documents([path])


def test_pictures_as_arrays_and_as_files(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name in ("human/a.png", "ai/b.jpg"):
        (tmp_path / name).parent.mkdir()
        image.new("RGB", (6, 4), (200, 10, 10)).save(tmp_path / name)
    (tmp_path / "ai" / "broken.png").write_bytes(b"\x89PNG nothing")
    documents, account = read_documents([tmp_path], takes="picture")
    assert [item.shape for item in documents.items] == [(4, 6, 3), (4, 6, 3)]
    assert documents.items[0].dtype == np.uint8
    assert documents.column("label").tolist() == ["synthetic", "human"]
    assert account.quarantined == 1
    documents, _ = read_documents([tmp_path], takes="file")
    assert len(documents) == 3
    assert all(Path(item).is_file() for item in documents.items)


def test_the_shared_sets_are_read_whole(shared: Path) -> None:
    documents, account = read_documents([shared / "data" / "text-detection" / "fastdetect-api"], Fields(unit="pair"))
    assert (len(documents), account.quarantined) == (3223, 0)
    assert documents.synthetic is not None
    assert int(documents.synthetic.sum()) == 2676
    assert set(documents.column("split")) == {"train", "dev", "test"}
