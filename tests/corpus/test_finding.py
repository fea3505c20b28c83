"""Which files a folder stands for: nothing in it is left out in silence, and no name ends the run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from remission import DataError, StoreError
from remission.clinic.census.manifest import read_manifest, verify
from remission.clinic.census.running import run_census
from remission.clinic.census.units import Config
from remission.corpus._files import expand
from remission.corpus.reading import read_documents
from remission.corpus.spans import find
from tests.clinic.census.scorers import LENGTHS
from tests.corpus.damaged import jsonl, rows

BAD = os.fsdecode(b"bad\xff.jsonl")


def inline(function: Any, tasks: Any) -> Any:
    for task in tasks:
        yield task, function(task)


def every_kind(folder: Path) -> Path:
    """A folder with 10 documents that are read, and one of every thing that is not; 5 documents lie outside of it."""
    inside, outside = folder / "in", folder / "out"
    for one in (inside / "deep", inside / ".hidden", outside):
        one.mkdir(parents=True)
    jsonl(inside / "a.jsonl", rows(6))
    jsonl(inside / "deep" / "b.jsonl", rows(4, 6))
    jsonl(inside / ".hidden" / "h.jsonl", rows(5, 90))
    jsonl(inside / BAD, rows(5, 20))
    (inside / os.fsdecode(b"dir\xfe")).mkdir()
    jsonl(inside / os.fsdecode(b"dir\xfe") / "c.jsonl", rows(5, 30))
    (inside / os.fsdecode(b"picture\xfd.png")).write_bytes(b"x")
    jsonl(outside / "d.jsonl", rows(5, 40))
    (inside / "away").symlink_to(outside)
    (inside / "file.jsonl").symlink_to(outside / "d.jsonl")
    (inside / "near").symlink_to(inside / "deep")
    (inside / "gone.jsonl").symlink_to(inside / "nothing")
    (inside / "loop").symlink_to(inside / "loop")
    os.mkfifo(inside / "pipe.jsonl")
    return inside


def test_everything_in_a_folder_is_read_or_named(tmp_path: Path) -> None:
    inside = every_kind(tmp_path)
    found = find([inside])
    assert [Path(file).name for file in found.files] == ["a.jsonl", "b.jsonl"]
    assert {(str(Path(name).relative_to(inside)), reason) for name, reason in found.refused} == {
        (r"bad\xff.jsonl", "a name that is not UTF-8"), (r"dir\xfe/c.jsonl", "a name that is not UTF-8"),
        ("away", "a link that leads out of the folder"), ("file.jsonl", "a link that leads out of the folder"),
        ("gone.jsonl", "a link to nothing"), ("loop", "a link to nothing"),
    }  # fmt: skip
    ignored = {str(Path(name).relative_to(inside)) for name in found.ignored}
    assert ignored == {"near", "pipe.jsonl", r"picture\xfd.png"}
    there = {str(path) for path in inside.rglob("*") if not path.is_dir() or path.is_symlink()}
    hidden = {str(inside / ".hidden" / "h.jsonl")}
    assert len(there - hidden) == len(found.files) + len(found.refused) + len(found.ignored)


def test_a_census_goes_on_beside_names_and_links_that_cannot_be_read(tmp_path: Path) -> None:
    inside = every_kind(tmp_path)
    census = run_census([inside], LENGTHS, tmp_path / "census", Config(), inline)
    assert (census.receipt.kept, sum(census.receipt.quarantined.values()), census.receipt.seen) == (10, 6, 16)
    assert census.receipt.quarantined["a name that is not UTF-8"] == 2
    assert verify(tmp_path / "census", inputs=True) == []
    assert read_manifest(tmp_path / "census").refused == census.manifest.refused
    again = run_census([inside], LENGTHS, tmp_path / "census", Config(), inline)
    assert (again.manifest, again.found_done) == (census.manifest, 1)
    json.dumps(census.table()).encode()


def test_names_given_one_by_one_and_by_patterns(tmp_path: Path) -> None:
    inside = every_kind(tmp_path)
    refused = [(str(inside / r"bad\xff.jsonl"), "a name that is not UTF-8")]
    assert find([inside / BAD]).refused == tuple(refused)
    found = find([inside / "*.jsonl"])  # what a pattern matches is read, links too: they were named
    assert [Path(file).name for file in found.files] == ["a.jsonl", "file.jsonl"]
    assert found.refused == ((str(inside / "gone.jsonl"), "a link to nothing"), *refused)
    assert found.ignored == (str(inside / "pipe.jsonl"),)
    with pytest.raises(DataError, match=r"lost\\xff.jsonl' does not exist"):
        find([inside / os.fsdecode(b"lost\xff.jsonl")])
    (tmp_path / os.fsdecode(b"it\xff.png")).touch()
    with pytest.raises(DataError, match=r"it\\xff.png' is no kind of file"):
        find([tmp_path / os.fsdecode(b"it\xff.png")])


def test_readers_without_spans_name_them_too(tmp_path: Path) -> None:
    documents, account = read_documents([every_kind(tmp_path)])
    assert len(documents) == 15  # the linked file is read here
    assert account.reasons == {"a name that is not UTF-8": 2, "a link that leads out of the folder": 1, "a link to nothing": 2}  # fmt: skip
    with pytest.raises(DataError, match=r"bad\\xff.jsonl' has a name that is not UTF-8"):
        expand([tmp_path / "in"], "text")


def test_a_folder_of_nothing_but_links_says_so(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "away").symlink_to(tmp_path)
    with pytest.raises(DataError, match=r"nothing to read.*away' \(a link that leads out"):
        find([tmp_path / "in"])


def test_a_folder_that_cannot_be_read_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, scan = every_kind(tmp_path), os.scandir

    def denied(path: Any) -> Any:
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(DataError, match="deep' cannot be read: permission denied"):
        find([inside])


def test_a_census_is_not_written_where_no_name_can_be(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"to\xff")
    with pytest.raises(StoreError, match=r"to\\xff' has a name that is not UTF-8"):
        run_census([jsonl(tmp_path / "a.jsonl", rows(3))], LENGTHS, folder, Config(), inline)
    assert not folder.exists()
