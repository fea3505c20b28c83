"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from remission.aside import sync_folder, written


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    for text in ("one", "two"):
        with written(path) as beside:
            assert beside.parent == path.parent
            beside.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text
    assert names(path.parent) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failures_leave_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before", encoding="utf-8")

    def fails() -> None:
        with written(path) as beside:
            beside.write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        fails()
    assert path.read_text(encoding="utf-8") == "before"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_what_was_there(tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file.txt"
    path.write_text("before", encoding="utf-8")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"), written(path) as beside:
        beside.write_text("after", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "before"
    assert names(tmp_path) == ["file.txt"]


def test_two_writers_at_once_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with written(path) as one:
        one.write_text("one", encoding="utf-8")
        with written(path) as two:
            two.write_text("two", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "two"
    assert path.read_text(encoding="utf-8") == "one"
    assert names(tmp_path) == ["file.txt"]


def test_secrets_are_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with written(path, mode=0o600) as beside:
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_order_of_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content first, then the name, then the folder that holds the name; without ``sync`` only the name."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append("fsync") or fsync(handle))
    monkeypatch.setattr(os, "replace", lambda *names: calls.append("replace") or replace(*names))
    for sync in (True, False):
        with written(tmp_path / "file", sync=sync) as beside:
            beside.write_bytes(b"x")
    assert calls == ["fsync", "replace", "fsync", "replace"]
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")
