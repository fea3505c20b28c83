"""What happens to items later, and which values are refused whoever gives them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest

from remission.clinic.archive.changing import add_evidence, amend, erase_items
from remission.clinic.archive.queues import make_queue, read_answers
from remission.clinic.archive.record import about, record
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create, writing
from remission.errors import DataError, SpecError
from remission.gold.archive import Archive
from remission.gold.signing import Signer, load_signer, new_signer

from .archive_tools import record_of, rejects, standalone

COLLECTION = {"title": "Letters", "issuer": "The library", "method": "scanned", "licence": "CC0-1.0"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    create(tmp_path / "archive", "later", new_signer(tmp_path / "key"))
    with writing(tmp_path / "archive", load_signer(tmp_path / "key")) as writer:
        for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
            writer.ingest(name, content, record_of(name, note=f"PRIVATE {name}", evidence=[]))
        writer.commit()
    return tmp_path


def signer(place: Path) -> Signer:
    return load_signer(place / "key")


def test_a_record_that_was_kept_is_erased_later(place: Path) -> None:
    folder, kept = place / "archive", place / "kept"
    erase_items(folder, signer(place), ["a"], "request", "us", keep_record=True, all_copies=True)
    assert Archive(folder).record("b")["note"] == "PRIVATE b"
    shutil.copytree(folder, kept)
    erase_items(folder, signer(place), ["a", "c"], "request", "us")
    archive = Archive(folder)
    assert archive.log.erased == {"a": ("content", "record"), "b": ("content",), "c": ("content", "record")}
    assert archive.log.entry(archive.log.size - 2)["erased"] == ["record"]
    held = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    assert b"PRIVATE a" not in held
    assert b"PRIVATE b" in held
    assert verify(folder).ok
    assert not rejects(standalone(), folder)
    for keep in (True, False):
        with pytest.raises(DataError, match="erased already"):
            erase_items(folder, signer(place), ["a"], "again", "us", keep_record=keep)
    for path in sorted((kept / "records").iterdir()):
        shutil.copy(path, folder / "records" / path.name)
    found = [one for one in verify(folder).faults if one.kind == "not-erased" and "'a'" in one.what]
    assert [None if one.since is None else one.since.size for one in found] == [archive.log.size]


ESCAPE = "\x1b[2Jgone"


def test_values_that_others_stumble_over_are_refused(place: Path) -> None:
    folder, key = place / "archive", signer(place)
    told = {"kind": "detector", "name": "d", "version": "1"}
    before = Archive(folder).head
    for wrong in (["human"], True, ESCAPE, {"x": 1}, float("nan")):
        with pytest.raises((SpecError, DataError)):
            add_evidence(folder, key, [("a", told | {"verdict": wrong})], "us")
    for score in ("high", True, [1], float("inf")):
        with pytest.raises((SpecError, DataError)):
            add_evidence(folder, key, [("a", told | {"score": score})], "us")
    for changes in ({"licence": ""}, {"modality": ""}, {"dated_by": ""}, {"rights": ESCAPE}):
        with pytest.raises(SpecError, match=r"cannot be empty|control characters"):
            amend(folder, key, ["a"], changes, "why", "us")
    for reason, by in ((ESCAPE, "us"), ("why", ESCAPE)):
        with pytest.raises(SpecError, match="control characters"):
            amend(folder, key, ["a"], {"licence": "MIT"}, reason, by)
        with pytest.raises(SpecError, match="control characters"):
            erase_items(folder, key, ["c"], reason, by)
    with pytest.raises(SpecError, match="control characters"):
        add_evidence(folder, key, [("a", told)], ESCAPE)
    assert Archive(folder).head == before
    add_evidence(folder, key, [("a", told | {"verdict": "human", "score": "0.5"}), ("a", told | {"score": 0.1})], "us")
    assert make_queue(folder, key, place / "q", by="disagreement").tasks == 1
    amend(folder, key, ["a"], {"rights": "two\n\tlines", "collector": ""}, "why", "us")


def test_control_characters_do_not_come_in(tmp_path: Path) -> None:
    evidence: dict[str, Any] = {"kind": "dated-snapshot", "date": "2020", "what": {"from": "what"}}
    told = about({"collection": COLLECTION, "item": {"rights": {"from": "rights"}}, "evidence": [evidence]})
    assert record(told, "x", "c", "text", {"rights": "a\r\nb\tc", "what": "w"})["rights"] == "a\r\nb\tc"
    for row in ({"rights": ESCAPE, "what": "w"}, {"rights": "r", "what": ESCAPE}, {"rights": "r", "what": "\x9b2J"}):
        with pytest.raises(SpecError, match="control characters"):
            record(told, "x", "c", "text", row)
    for tables in (
        {"collection": COLLECTION | {"title": ESCAPE}},
        {"collection": COLLECTION | {"source": ["fine", ESCAPE]}},
        {"collection": COLLECTION, "item": {"collector": ESCAPE}},
        {"collection": COLLECTION, "evidence": [{"kind": "dated-snapshot", "date": "2020", "what": ESCAPE}]},
    ):
        with pytest.raises(SpecError, match="control characters"):
            about(tables)
    (tmp_path / "said.csv").write_text(f"task,verdict,reviewer\nt,human,{ESCAPE}\n")
    with pytest.raises((SpecError, DataError), match="control characters"):
        read_answers(tmp_path / "said.csv", "")


def test_a_large_content_is_overwritten_before_its_name_goes(place: Path) -> None:
    """A hard link, as backups make, and the disk itself hold zeros afterwards: for small contents as for large ones."""
    folder, large = place / "archive", Random(1).randbytes(90_000)
    with writing(folder, signer(place)) as writer:
        writer.ingest("large", large, record_of("large"))
        writer.commit()
    (path,) = (folder / "objects").glob("??/*")
    (place / "kept").hardlink_to(path)
    before = path.stat().st_size
    assert (place / "kept").read_bytes().strip(b"\0")
    erase_items(folder, signer(place), ["large"], "request", "us")
    assert not path.exists()
    assert (place / "kept").read_bytes() == bytes(before)
    assert verify(folder).ok


@pytest.mark.parametrize("what", ["link", "pipe", "nothing"])
def test_what_lies_in_place_of_an_erased_content_is_not_followed(what: str, place: Path) -> None:
    folder, thesis = place / "archive", place / "thesis"
    with writing(folder, signer(place)) as writer:
        writer.ingest("large", Random(1).randbytes(90_000), record_of("large"))
        writer.commit()
    (path,) = (folder / "objects").glob("??/*")
    path.unlink()
    thesis.write_text("years of work")
    if what == "link":
        path.symlink_to(thesis)
    elif what == "pipe":
        os.mkfifo(path)
    erase_items(folder, signer(place), ["large"], "request", "us")
    assert thesis.read_text() == "years of work"
    assert not os.path.lexists(path)
    assert verify(folder).ok
