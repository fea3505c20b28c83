"""A run with a wrong clock does not make later signed times wrong without anybody knowing."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from remission.cli import _run as command_line
from remission.clinic.archive import _clock
from remission.clinic.archive import writing as writing_module
from remission.clinic.archive._clock import signing_ahead
from remission.clinic.archive.changing import amend, erase_items
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create, writing
from remission.errors import StoreError
from remission.gold.archive import Archive, is_ahead
from remission.gold.signing import load_signer, new_signer

from .archive_tools import record_of

LATE = "2099-01-01T00:00:00Z"


def at(monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    monkeypatch.setattr(writing_module, "now", lambda: time)
    monkeypatch.setattr(_clock, "now", lambda: time)
    monkeypatch.setattr(_clock, "is_ahead", lambda signed: signed > time)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An archive whose last checkpoint was signed by a clock that ran 70 years ahead."""
    signer = new_signer(tmp_path / "key")
    create(tmp_path / "archive", "clock", signer)
    with pytest.MonkeyPatch.context() as patch:
        at(patch, LATE)
        with writing(tmp_path / "archive", signer) as writer:
            writer.ingest("a", b"a", record_of("a"))
            writer.commit()
    return tmp_path


def test_nothing_is_signed_after_a_checkpoint_of_the_future(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    head = Archive(folder).head
    assert head.time == LATE
    for act in (
        lambda: amend(folder, signer, ["a"], {"licence": "MIT"}, "asked", "us"),
        lambda: erase_items(folder, signer, ["a"], "asked", "us"),
    ):
        with pytest.raises(StoreError, match="--clock-ahead"):
            act()
    assert Archive(folder).head == head
    with signing_ahead():
        assert amend(folder, signer, ["a"], {"licence": "MIT"}, "asked", "us").time == LATE
    with pytest.raises(StoreError, match="--clock-ahead"):  # told once, not for good
        amend(folder, signer, ["a"], {"licence": "MIT"}, "asked", "us")


def test_verify_tells_of_times_in_the_future(place: Path) -> None:
    found = verify(place / "archive")
    assert found.ok
    (note,) = [one for one in found.notes if "in the future" in one]
    assert "checkpoint of 2 entries" in note
    assert LATE in note
    other = new_signer(place / "other")
    create(place / "right", "clock", other)
    assert not [one for one in verify(place / "right").notes if "in the future" in one]


def test_a_clock_that_is_put_back_while_a_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = new_signer(tmp_path / "key")
    create(tmp_path / "archive", "clock", signer)
    with writing(tmp_path / "archive", signer) as writer:
        writer.ingest("a", b"a", record_of("a"))
        writer.commit()
        writer.ingest("b", b"b", record_of("b"))
        at(monkeypatch, "2001-01-01T00:00:00Z")
        with pytest.raises(StoreError, match="2001-01-01"):
            writer.commit()
    monkeypatch.undo()
    assert list(Archive(tmp_path / "archive").log.items) == ["a"]


def test_clocks_may_differ_by_minutes() -> None:
    def written(minutes: int) -> str:
        time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ")

    assert [is_ahead(written(minutes)) for minutes in (-60, 3, 7)] == [False, False, True]


def test_the_command_line_can_be_told_to(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "archive",
        "amend",
        str(place / "archive"),
        "a",
        "--set",
        "licence=MIT",
        "--reason",
        "x",
        "--key",
        str(place / "key"),
    ]
    assert command_line(words) == 2
    assert "--clock-ahead" in capsys.readouterr().err
    assert command_line([*words, "--clock-ahead"]) == 0
    assert command_line(words) == 2
