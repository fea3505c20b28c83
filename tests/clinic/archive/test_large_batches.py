"""Whatever one command says, the log and the records that it writes can be read again, or nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remission.clinic.archive import writing as writing_module
from remission.clinic.archive.adding import add
from remission.clinic.archive.changing import add_evidence, amend, erase_items
from remission.clinic.archive.queues import make_queue, read_answers
from remission.clinic.archive.record import about
from remission.clinic.archive.review import record_answers
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create
from remission.errors import DataError
from remission.gold import log as logs
from remission.gold.archive import Archive
from remission.gold.signing import load_signer, new_signer

MOST = 20_000
ABOUT = about({
    "collection": {"title": "t", "issuer": "i", "method": "m", "licence": "MIT"}, "item": {"rights": {"from": "terms"}},
})  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of 60 items, where a file of the log and of records is read up to 20,000 bytes."""
    create(tmp_path / "archive", "large", new_signer(tmp_path / "key"))
    monkeypatch.setattr(logs, "LARGEST", MOST)
    monkeypatch.setattr(writing_module, "BATCH_BYTES", MOST // 4)
    rows = [{"id": f"item-{n}", "text": f"text {n}", "terms": "x" * 400} for n in range(60)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    add(tmp_path / "archive", load_signer(tmp_path / "key"), [tmp_path / "a.jsonl"], ABOUT)
    return tmp_path


def test_records_and_events_close_batches(place: Path) -> None:
    files = [*(place / "archive" / "log").iterdir(), *(place / "archive" / "records").iterdir()]
    assert all(file.stat().st_size < MOST / 2 for file in files)
    assert sum(file.stat().st_size for file in files) > MOST, "one batch would have done: nothing was tested"
    assert len(Archive(place / "archive")) == 60
    assert verify(place / "archive").ok


def test_a_record_that_is_too_large_is_refused_before_anything_is_written(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_module, "RECORD", 600)
    folder, head = place / "archive", Archive(place / "archive").head
    rows = [{"id": "fine", "text": "fine", "terms": "x"}, {"id": "large", "text": "large", "terms": "x" * 480}]
    (place / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="the record of 'large'"):
        add(folder, load_signer(place / "key"), [place / "b.jsonl"], ABOUT)
    assert Archive(folder).head == head


@pytest.mark.parametrize("what", ["amend", "evidence", "erase", "record"])
def test_what_one_batch_cannot_hold_is_refused_whole(place: Path, what: str) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    items = [f"item-{n}" for n in range(60)]
    made = make_queue(folder, signer, place / "q", count=60)
    tasks = [json.loads(line)["task"] for line in made.file.read_text().splitlines()]

    def act(some: int) -> Any:
        long = "y" * 400
        if what == "amend":
            return amend(folder, signer, items[:some], {"rights": long}, "asked", "us")
        if what == "evidence":
            found = {"kind": "signed-statement", "by": "Jane", "text": long}
            return add_evidence(folder, signer, [(item, found) for item in items[:some]], "us")
        if what == "erase":
            return erase_items(folder, signer, items[:some], long, "us")
        rows = [
            {"task": task, "verdict": "human", "reviewer": who + long[:200]} for task in tasks[:some] for who in "ab"
        ]
        (place / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return record_answers(folder, signer, place / "q.key", read_answers(place / "said.jsonl", ""), partial=True)

    before = Archive(folder).head
    with pytest.raises(DataError, match="fewer items"):
        act(60)
    assert Archive(folder).head == before
    assert verify(folder).ok
    act(10)
    assert Archive(folder).head.size > before.size
    assert verify(folder).ok
