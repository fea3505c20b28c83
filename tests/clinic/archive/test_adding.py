"""What goes in: everything or nothing, exactly once, and with reasons for what is refused."""

from __future__ import annotations

import gzip
import json
import os
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from remission.clinic.archive import adding as adding_module
from remission.clinic.archive import writing as writing_module
from remission.clinic.archive.adding import Added, add
from remission.clinic.archive.record import about, checked_date, checked_id, licence, read_about
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create
from remission.corpus.reading import Fields
from remission.errors import DataError, SpecError
from remission.gold.archive import Archive
from remission.gold.signing import load_signer, new_signer

COLLECTION = {"title": "Letters", "issuer": "The library", "method": "scanned", "licence": "CC0-1.0"}
ITEM = {"collector": "me", "collected": "2019-04-01", "dated_by": "dated-snapshot", "language": "en"}
ABOUT = about({"collection": COLLECTION, "item": ITEM})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    create(tmp_path / "archive", "adding", new_signer(tmp_path / "key"))
    return tmp_path


def put(place: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = place / name
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def into(place: Path, *paths: Any, told: Any = ABOUT, fields: Fields | None = None, **more: Any) -> Added:
    return add(place / "archive", load_signer(place / "key"), paths, told, fields, **more)


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"id": f"letter-{n}", "text": f"Dear reader, this is letter {n}."} for n in range(start, start + count)]


def test_every_reader_goes_in_exactly_once(place: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    put(place, "a.jsonl", rows(3))
    put(place, "b.jsonl.gz", rows(2, 3))
    (place / "c.csv").write_text("id,text\nletter-5,one\nletter-6,two\n")
    pq.write_table(pa.table({"id": ["letter-7"], "text": ["three"]}), place / "d.parquet")
    (place / "e.txt").write_text("A text.\n\nIts end.\n")
    paths = [place / name for name in ("a.jsonl", "b.jsonl.gz", "c.csv", "d.parquet", "e.txt")]
    found = into(place, *paths)
    assert (found.new, found.known) == (9, 0)
    again = into(place, *paths)
    assert (again.new, again.known, again.checkpoint) == (0, 9, None)
    archive = Archive(place / "archive")
    assert set(archive.log.items) == {f"letter-{n}" for n in range(8)} | {"e.txt"}
    assert archive.content("e.txt") == b"A text.\n\nIts end.\n"
    record = archive.record("letter-7")
    assert record | ITEM | {"licence": "CC0-1.0", "modality": "text", "id": "letter-7"} == record
    assert archive.collections[record["collection"]] == {"collection": COLLECTION}
    assert record["prov"] == {"wasDerivedFrom": [record["collection"]]}
    assert len([1 for _, entry in archive.log.entries() if entry["event"] == "collection"]) == 1
    assert verify(place / "archive").ok


def test_pictures_go_in_as_they_are(place: Path) -> None:
    (place / "pictures" / "deep").mkdir(parents=True)
    for name, content in (("one.png", b"\x89PNG one"), ("deep/one.png", b"\x89PNG two")):
        (place / "pictures" / name).write_bytes(content)
    assert into(place, place / "pictures", pictures=True).new == 2
    archive = Archive(place / "archive")
    assert archive.content("deep/one.png") == b"\x89PNG two"
    assert archive.record("one.png")["modality"] == "image"
    (place / "pictures" / "one.png").write_bytes(b"another")
    with pytest.raises(DataError, match="different content"):
        into(place, place / "pictures", pictures=True)


def test_a_killed_command_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, true_commit = put(place, "a.jsonl", rows(50)), writing_module.Writer.commit
    monkeypatch.setattr(writing_module, "BATCH", 10)
    commits = 0

    def killed(self: writing_module.Writer) -> Any:
        nonlocal commits
        commits += 1
        if commits == 3:
            raise KeyboardInterrupt
        return true_commit(self)

    monkeypatch.setattr(writing_module.Writer, "commit", killed)
    with pytest.raises(KeyboardInterrupt):
        into(place, path)
    monkeypatch.setattr(writing_module.Writer, "commit", true_commit)
    kept = len(Archive(place / "archive"))
    assert 10 <= kept < 30
    found = into(place, path)
    assert (found.new, found.known) == (50 - kept, kept)
    assert len(Archive(place / "archive")) == 50
    assert verify(place / "archive").ok


def test_rows_without_a_name_are_named_by_their_content(place: Path) -> None:
    path = put(place, "a.jsonl", [{"text": "one"}, {"text": "two"}, {"text": "one"}])
    found = into(place, path)
    assert (found.new, found.account.dropped) == (2, 1)
    assert all(item.startswith("sha256:") for item in Archive(place / "archive").log.items)


@pytest.mark.parametrize("chunk", [1, 200_000])
def test_rows_that_come_twice(place: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding_module, "TWICE", chunk)
    monkeypatch.setattr(writing_module, "BATCH", 4)
    into(place, put(place, "old.jsonl", rows(2)))
    twice = [*rows(6), *rows(3, 1), *rows(1, 9), *rows(1, 9), *rows(1, 9)]
    found = into(place, put(place, "a.jsonl", twice))
    assert (found.new, found.known, found.account.dropped, found.account.kept) == (5, 2, 5, 7)
    assert len(Archive(place / "archive")) == 7
    other = [
        {"id": "letter-20", "text": "one"},
        {"id": "letter-20", "text": "two"},
        *rows(1, 30),
        {"id": "letter-1", "text": "three"},
    ]
    with pytest.raises(DataError, match="comes twice, with a different content") as told:
        into(place, put(place, "b.jsonl", other))
    assert "2 of what was read" in str(told.value)
    assert len(Archive(place / "archive")) == 7
    found = into(place, place / "b.jsonl", skip_bad=True)
    assert (found.new, found.known, found.account.quarantined) == (2, 0, 2)
    assert Archive(place / "archive").content("letter-20") == b"one"
    assert into(place, place / "b.jsonl", skip_bad=True).new == 0


def test_what_is_held_does_not_grow_with_the_input(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the index does: a few dozen bytes for each item, whatever is in it."""
    monkeypatch.setattr(writing_module, "BATCH", 200)

    def peak(count: int) -> int:
        folder = place / f"{count}"
        folder.mkdir()
        create(folder / "archive", "memory", new_signer(folder / "key"))
        path = put(folder, "a.jsonl", [row | {"text": row["text"] + " and more" * 60} for row in rows(count)])
        tracemalloc.start()
        assert into(folder, path).new == count
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    peak(200)  # what is loaded once
    growth = (peak(1900) - peak(700)) / 1200
    assert growth < 300, f"{growth:.0f} bytes more for each item of 580"
    true_items = adding_module._Reading.items
    monkeypatch.setattr(adding_module._Reading, "items", lambda *given: iter(list(true_items(*given))))
    assert (peak(1899) - peak(699)) / 1200 > 600  # all at once is seen


def test_a_file_that_changes_while_it_is_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, true_check = put(place, "a.jsonl", rows(5)), adding_module._Reading.check

    def slow(self: Any, writer: Any) -> Any:
        found = true_check(self, writer)
        put(place, "a.jsonl", rows(7))
        return found

    monkeypatch.setattr(adding_module._Reading, "check", slow)
    with pytest.raises(DataError, match="was changed while it was being read"):
        into(place, path)
    monkeypatch.setattr(adding_module._Reading, "check", true_check)
    assert len(Archive(place / "archive")) == 0
    assert into(place, path).new == 7


def test_columns_fill_fields(place: Path) -> None:
    told = about({
        "collection": COLLECTION,
        "item": {"collected": {"from": "day"}, "dated_by": "publisher", "licence": {"from": "terms"}, "derived_from": {"from": "parents"}},
        "evidence": [
            {"kind": "dated-snapshot", "date": "2020-01-01", "what": "the dump of January"},
            {"kind": "detector", "name": "words", "version": "2", "score": {"from": "score"}},
        ],
    })  # fmt: skip
    row = {
        "id": "x",
        "text": "t",
        "day": "2018-02",
        "terms": "cc-by-4.0",
        "parents": "p, q",
        "score": 0.25,
        "source": "s",
    }
    into(place, put(place, "a.jsonl", [row]), told=told)
    record = Archive(place / "archive").record("x")
    assert (record["collected"], record["licence"], record["columns"]) == ("2018-02", "CC-BY-4.0", {"source": "s"})
    assert record["prov"]["wasDerivedFrom"] == ["p", "q", record["collection"]]
    assert record["evidence"] == [
        {"kind": "dated-snapshot", "date": "2020-01-01", "what": "the dump of January"},
        {"kind": "detector", "name": "words", "version": "2", "score": 0.25},
    ]
    for change, reason in (
        ({"day": "2999-01-01"}, "future"), ({"day": "soon"}, "no date"), ({"terms": "free"}, "SPDX"), ({"score": "high"}, "no number"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=reason):
            into(place, put(place, "b.jsonl", [row | {"id": "y"}, row | {"id": "z"} | change]), told=told)
    assert len(Archive(place / "archive")) == 1


BAD = {
    "path traversal": ({"id": "../../etc/passwd", "text": "x"}, "path traversal"),
    "path traversal, the other way": ({"id": "..\\x", "text": "x"}, "path traversal"),
    "an absolute path": ({"id": "/etc/passwd", "text": "x"}, "path traversal"),
    "control characters": ({"id": "a\u0000b", "text": "x"}, "control characters"),
    "an id without end": ({"id": "a" * 501, "text": "x"}, "more than 500 characters"),
    "no text": ({"id": "z"}, "no 'text'"),
    "half characters": ({"id": "z", "text": "\ud800"}, "half characters"),
    "synthetic": ({"id": "z", "text": "x", "label": "ai"}, "labelled as synthetic"),
    "the same id with another content": ({"id": "letter-1", "text": "another"}, "different content"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_row_and_nothing_goes_in(name: str, place: Path) -> None:
    row, reason = BAD[name]
    before = Archive(place / "archive").head
    path = put(place, "a.jsonl", [*rows(3), row])
    with pytest.raises(DataError, match="nothing was added") as told:
        into(place, path)
    assert reason in str(told.value)
    assert Archive(place / "archive").head == before
    found = into(place, path, skip_bad=True)
    assert (found.new, found.account.quarantined) == (3, 1)
    table = found.account.table()
    assert table["in"] == table["kept"] + table["dropped"] + table["quarantined"] == 4


def test_an_id_never_changes_its_meaning(place: Path) -> None:
    into(place, put(place, "a.jsonl", rows(2)))
    before = Archive(place / "archive").head
    with pytest.raises(DataError, match="different content"):
        into(place, put(place, "b.jsonl", [{"id": "letter-0", "text": "changed"}, *rows(2, 5)]))
    with pytest.raises(DataError, match=r"different record.*amend"):
        into(place, place / "a.jsonl", told=about({"collection": COLLECTION, "item": ITEM | {"language": "fr"}}))
    assert Archive(place / "archive").head == before


def test_only_plain_files_are_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "corpus"
    folder.mkdir()
    put(folder, "a.jsonl", rows(1))
    outside = put(place, "outside.jsonl", rows(1, 9))

    def loop(path: Path) -> None:
        path.symlink_to(path)

    def bind(path: Path) -> None:
        monkeypatch.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)

    cases = {
        "pipe": (os.mkfifo, "is a pipe"),
        "loop": (loop, "cannot be read"),
        "dangling": (lambda path: path.symlink_to(path.parent / "nowhere"), "cannot be read"),
        "leads out": (lambda path: path.symlink_to(outside), "is a link that leads to"),
        "folder": (lambda path: path.symlink_to(folder), "is a link that leads to"),
        "socket": (bind, "is a socket"),
    }
    for name, (make, reason) in cases.items():
        trap = folder / f"{name}.jsonl"
        make(trap)
        with pytest.raises(DataError, match=reason):
            into(place, folder)
        trap.unlink()
    with pytest.raises(DataError, match="is a device"):
        into(place, "/dev/null")
    assert len(Archive(place / "archive")) == 0
    (folder / "inside.jsonl").symlink_to(folder / "a.jsonl")
    assert into(place, folder).new == 1


def test_absurd_sizes_are_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "pictures").mkdir()
    with open(place / "pictures" / "huge.png", "wb") as file:
        file.truncate(1 << 40)  # a hole: it says it has a terabyte
    with pytest.raises(DataError, match="more than it can have"):
        into(place, place / "pictures", pictures=True)
    monkeypatch.setattr(writing_module, "LARGEST", 10)
    with pytest.raises(DataError, match="at most 10 are taken"):
        into(place, put(place, "a.jsonl", rows(1)))
    bomb = place / "bomb.jsonl.gz"
    bomb.write_bytes(gzip.compress(b'{"id": "x", "text": "' + b"a" * 100_000_000 + b'"}'))
    with pytest.raises(DataError):
        into(place, bomb)
    assert len(Archive(place / "archive")) == 0


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "needs title, issuer, method, licence"),
        ({"collection": COLLECTION | {"colour": "red"}}, "no 'collection.colour'"),
        ({"collection": COLLECTION, "items": {}}, "Did you mean 'item'"),
        ({"collection": COLLECTION | {"licence": "free"}}, "SPDX"),
        ({"collection": COLLECTION | {"issued": "2999"}}, "future"),
        ({"collection": COLLECTION, "item": {"collected": "yesterday"}}, "no date"),
        ({"collection": COLLECTION, "item": {"dated_by": "guess"}}, "'dated_by' cannot be 'guess'"),
        ({"collection": COLLECTION, "item": {"modality": "smell"}}, "'modality' cannot be"),
        ({"collection": COLLECTION, "item": {"licence": {"of": "x"}}}, "from"),
        ({"collection": COLLECTION, "item": {"rights": 7}}, "is a text"),
        ({"collection": COLLECTION, "evidence": [{"kind": "rumour"}]}, "has a kind"),
        ({"collection": COLLECTION, "evidence": [{"kind": "detector", "name": "x"}]}, "'name' and 'version'"),
        ({"collection": COLLECTION, "evidence": [{"kind": "watermark", "name": "x", "version": "1", "z": 1}]}, "no 'evidence"),
    ],
)  # fmt: skip
def test_descriptions_are_strict(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        about(tables)


def test_a_date_needs_to_say_how_it_is_known(place: Path) -> None:
    told = about({"collection": COLLECTION, "item": {"collected": "2019-01-01"}})
    with pytest.raises(DataError, match="needs 'dated_by'"):
        into(place, put(place, "a.jsonl", rows(1)), told=told)


def test_descriptions_are_files(tmp_path: Path) -> None:
    path = tmp_path / "about.toml"
    path.write_text('[collection]\ntitle = "t"\nissuer = "i"\nmethod = "m"\nlicence = "mit"\nissued = 2020-02-03\n')
    assert read_about(path).collection["issued"] == "2020-02-03"
    assert read_about(path).collection["licence"] == "MIT"
    path.write_text("[collection")
    with pytest.raises(SpecError, match="no TOML"):
        read_about(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_about(tmp_path / "nowhere.toml")


def test_words_that_are_checked() -> None:
    for good in ("2021", "2021-03", "2021-03-04", "2021-03-04T05:06:07Z", "2021-03-04 05:06"):
        assert checked_date(good, "x") == good
    for bad in ("", "21", "2021-13", "2021-02-30", "2021-3-4", "2021-03-04T25:00", "2021-03-04x", "9999"):
        with pytest.raises(SpecError):
            checked_date(bad, "x")
    assert licence("mit or apache-2.0") == "MIT OR Apache-2.0"
    assert licence("LicenseRef-Public-Domain") == "LicenseRef-Public-Domain"
    assert checked_id("a/b: c.txt") == "a/b: c.txt"
    for bad in ("", "C:\\x", "~root", "a/../b", "x\n", "a\u2028b", "a\x85b", "txt.\u202egnp"):
        with pytest.raises(DataError):
            checked_id(bad)
    assert adding_module.SHOWN
