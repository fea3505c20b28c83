"""Evidence says something, is what it was meant to be, and is there once; ids and dates are what people wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remission.cli import _run as command_line
from remission.clinic.archive.adding import add
from remission.clinic.archive.changing import add_evidence, erase_items
from remission.clinic.archive.record import EVIDENCE, NEEDS, about, checked_date, checked_evidence, number_of, record
from remission.clinic.archive.sampling import sample
from remission.clinic.archive.writing import create, writing
from remission.errors import DataError, SpecError
from remission.gold.archive import Archive
from remission.gold.signing import load_signer, new_signer

from .archive_tools import record_of

COLLECTION = {"title": "t", "issuer": "i", "method": "m", "licence": "MIT"}
WHOLE: dict[str, dict[str, Any]] = {
    "dated-snapshot": {"date": "2020", "what": "a dump"},
    "signed-statement": {"by": "Jane", "text": "I wrote this"},
    "reviewer-decision": {"by": "Ann", "verdict": "human"},
    "detector": {"name": "words", "version": "1", "score": 0.2},
    "watermark": {"name": "gumbel", "version": "1", "p": 0.01},
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    signer = new_signer(tmp_path / "key")
    create(tmp_path / "archive", "evidence", signer)
    with writing(tmp_path / "archive", signer) as writer:
        for item in ("a", "b", "c"):
            found = [{"kind": "signed-statement", "by": "Jane", "text": "mine"}] if item == "c" else []
            writer.ingest(item, f"text {item}".encode(), record_of(item, evidence=found))
        writer.commit()
    return tmp_path


@pytest.mark.parametrize("kind", EVIDENCE)
def test_evidence_that_says_nothing_is_refused(kind: str) -> None:
    whole = {"kind": kind} | WHOLE[kind]
    assert checked_evidence(whole) == whole
    for group in NEEDS[kind]:
        assert set(group) <= set(EVIDENCE[kind])
        left = {name: value for name, value in whole.items() if name not in group}
        for one in (left, left | {group[0]: ""}):
            with pytest.raises(SpecError, match=f"'{group[0]}'"):
                checked_evidence(one)
            with pytest.raises(SpecError, match="needs"):
                about({"collection": COLLECTION, "evidence": [one]})


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("detector", {"verdict": "machin"}), ("reviewer-decision", {"verdict": "yes"}), ("watermark", {"verdict": "humane"}),
        ("dated-snapshot", {"sha256": "zz"}), ("dated-snapshot", {"sha256": "ab" * 31}), ("detector", {"score": "1_0"}),
        ("detector", {"score": "\uff11"}), ("watermark", {"p": 1.5}), ("watermark", {"p": -0.1}), ("signed-statement", {"statment": "x"}),
        ("dated-snapshot", {"date": "\uff12\uff10\uff11\uff19"}),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(kind: str, wrong: dict[str, Any]) -> None:
    with pytest.raises((SpecError, DataError)):
        checked_evidence({"kind": kind} | WHOLE[kind] | wrong)


def test_columns_of_evidence_are_filled_or_the_row_has_none() -> None:
    told = about({"collection": COLLECTION, "evidence": [
        {"kind": "signed-statement", "by": {"from": "who"}, "text": {"from": "statement"}},
        {"kind": "detector", "name": "d", "version": "1", "verdict": {"from": "said"}},
    ]})  # fmt: skip

    def of(**row: str) -> Any:
        return record(told, "x", "c", "text", row)["evidence"]

    assert of() == []
    assert of(who="Jane", statement="mine") == [{"kind": "signed-statement", "by": "Jane", "text": "mine"}]
    assert of(said=" Human")[0]["verdict"] == "human"
    with pytest.raises(SpecError, match="'text' or"):
        of(who="Jane")
    with pytest.raises(SpecError, match="no verdict 'fine'"):
        of(said="fine")


def test_evidence_that_is_there_is_not_added_again(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    one = {"kind": "detector", "name": "d", "version": "1", "score": 0.5}
    first = add_evidence(folder, signer, [("a", one), ("b", one), ("a", dict(one))], "us")
    assert (first.new, first.known) == (2, 1)
    again = add_evidence(folder, signer, [("a", one), ("b", one)], "somebody else")
    assert (again.new, again.known, again.checkpoint) == (0, 2, first.checkpoint)
    mine = {"kind": "signed-statement", "by": "Jane", "text": "mine"}
    assert (
        add_evidence(folder, signer, [("c", mine), ("a", mine), ("a", one | {"score": 0.6})], "us").new == 2
    )  # c came with it
    events = [entry["item"] for _, entry in Archive(folder).log.entries() if entry["event"] == "evidence"]
    assert events == ["a", "b", "a", "a"]


def test_files_of_evidence(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, file = place / "archive", place / "e.jsonl"
    words = [
        "archive",
        "evidence",
        str(folder),
        str(file),
        "--kind",
        "signed-statement",
        "--key",
        str(place / "key"),
        "--json",
    ]
    head = Archive(folder).head
    for row, reason in (
        ({"id": "a", "signer": "Jane", "statment": "I wrote this"}, "has no 'signer'"),
        ({"id": "a", "by": "Jane", "txt": "I wrote this"}, "Did you mean 'text'"),
        ({"id": "a", "by": "Jane"}, "needs 'by', and 'text' or"),
        ({"id": True, "by": "Jane", "text": "x"}, "not true"),
        ({"id": ["a"], "by": "Jane", "text": "x"}, "whole number"),
        ({"id": 1e400, "by": "Jane", "text": "x"}, "whole number"),
        ({"by": "Jane", "text": "x"}, "no id"),
    ):
        file.write_text(json.dumps({"id": "b", "by": "Jane", "text": "x"}) + "\n" + json.dumps(row) + "\n")
        assert command_line(words) == 2
        error = capsys.readouterr().err
        assert reason in error
        assert "line 2" in error
    assert Archive(folder).head == head
    file.write_text(json.dumps({"id": "b", "by": "Jane", "text": "x", "where": None}) + "\n")
    for new in (1, 0):
        assert command_line(words) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["new"], told["known"]) == (new, 1 - new)
    assert command_line([*words[:4], "--kind", "rumour", *words[6:]]) == 2


# --- small things -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [True, 1e400, [1], {"x": 1}, False])
def test_ids_are_what_people_wrote(place: Path, given: Any) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    told = about({"collection": COLLECTION})
    (place / "x.jsonl").write_text(
        json.dumps({"id": given, "text": "some text"}) + "\n" + json.dumps({"id": 7, "text": "other"}) + "\n"
    )
    with pytest.raises(DataError, match=r"'id' is a text or a number.*line 1"):
        add(folder, signer, [place / "x.jsonl"], told)
    assert add(folder, signer, [place / "x.jsonl"], told, skip_bad=True).new == 1
    assert set(Archive(folder).log.items) == {"a", "b", "c", "7"}


def test_what_was_erased_is_not_there_already(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    told = about({"collection": COLLECTION})
    (place / "x.jsonl").write_text("".join(json.dumps({"id": one, "text": one}) + "\n" for one in ("x", "y")))
    assert add(folder, signer, [place / "x.jsonl"], told).new == 2
    erase_items(folder, signer, ["x"], "on request", "us")
    with pytest.raises(DataError, match="was erased once"):
        add(folder, signer, [place / "x.jsonl"], told)
    found = add(folder, signer, [place / "x.jsonl"], told, skip_bad=True)
    assert (found.new, found.known, found.account.quarantined) == (0, 1, 1)


def test_a_batch_that_is_too_large_is_told_so(place: Path) -> None:
    archive = Archive(place / "archive")
    with pytest.raises(DataError, match="no batch of this size"):
        sample(archive, 100, certified=False)
    with pytest.raises(DataError, match="batch 0 can"):
        sample(archive, 2, batch=1, certified=False)
    with pytest.raises(DataError, match="batches 0 to 2 can"):
        sample(archive, 1, batch=3, certified=False)


@pytest.mark.parametrize("date", ["\uff12\uff10\uff11\uff19", "2019-0\u0663", "\u0662\u0660\u0661\u0669-01-01"])
def test_dates_have_digits_of_ascii(date: str) -> None:
    with pytest.raises(SpecError, match="no date"):
        checked_date(date, "collected")
    assert checked_date("2019-03", "collected") == "2019-03"


def test_numbers() -> None:
    assert [number_of(one) for one in ("1", " .5", "-2.", "1e3", 7, 0.25)] == [1, 0.5, -2, 1000, 7, 0.25]
    for one in ("1_0", "\u0661", "nan", "inf", "0x1", "", None, True, [1]):
        assert number_of(one) != number_of(one)
