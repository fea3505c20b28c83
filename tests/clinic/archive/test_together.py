"""Several at once, and media that nobody can write."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remission.clinic.archive.proving import check_proof, prove
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create, writing
from remission.errors import StoreError, VerificationError
from remission.gold.archive import Archive
from remission.gold.signing import new_signer
from remission.sources.archive import Archive as Source

from .archive_tools import record_of

WRITER = """
import sys
from pathlib import Path
from remission.gold.signing import load_signer
from remission.clinic.archive.writing import writing
place, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    with writing(place / "archive", load_signer(place / "key")) as writer:
        item = f"{name}-{number}"
        writer.ingest(item, item.encode(), {"id": item})
        writer.ingest(f"both-{number}", b"the same", {"id": f"both-{number}"})
        writer.commit()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    create(tmp_path / "archive", "together", new_signer(tmp_path / "key"))
    return tmp_path


def test_two_writers_and_a_reader(place: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(place), name, "12"], stderr=subprocess.PIPE)
        for name in ("one", "two")
    ]
    looks = 0
    while any(writer.poll() is None for writer in writers):
        assert verify(place / "archive").faults == ()
        looks += 1
    for writer in writers:
        told = writer.communicate()[1].decode()
        assert writer.returncode == 0, told
    archive = Archive(place / "archive")
    assert len(archive) == 36  # every item once, whoever came first
    assert {f"{name}-{n}" for name in ("one", "two", "both") for n in range(12)} == set(archive.log.items)
    assert verify(place / "archive").faults == ()
    assert looks > 0


def test_a_writer_waits_no_longer_than_told(place: Path) -> None:
    from remission.gold.signing import load_signer

    signer = load_signer(place / "key")
    with writing(place / "archive", signer):
        with pytest.raises(StoreError, match="--wait"), writing(place / "archive", signer, wait=0.05):
            pass
        with pytest.raises(StoreError, match="--wait"):
            verify(place / "archive", wait=0.05)
    with writing(place / "archive", signer, wait=0.05) as writer:
        assert writer.pending == 0


def test_media_that_nobody_can_write(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from remission.gold.signing import load_signer

    signer = load_signer(place / "key")
    with writing(place / "archive", signer) as writer:
        writer.ingest("a", b"content", record_of("a"))
        writer.commit()
    true_open, true_python_open = os.open, builtins.open

    def read_only(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(30, "Read-only file system", str(path))
        return true_open(path, flags, *rest, **more)

    def python_open(path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if set(mode) & set("wax+"):
            raise OSError(30, "Read-only file system", str(path))
        return true_python_open(path, mode, *rest, **more)

    def refuse(*_given: Any, **_more: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(builtins, "open", python_open)
    for name in ("rename", "replace", "unlink", "mkdir", "truncate", "utime", "chmod"):
        monkeypatch.setattr(os, name, refuse)
    archive = Archive(place / "archive")
    assert archive.content("a") == b"content"
    assert check_proof(prove(archive, "a"), b"content").entry["item"] == "a"
    assert verify(place / "archive").faults == ()
    assert Source(path=str(place / "archive"), certified=False, length=1).items().shape == (2, 1)
    with pytest.raises(StoreError, match="Read-only"), writing(place / "archive", signer):
        pass


def test_a_copy_without_a_lock_is_read(place: Path) -> None:
    (place / "archive" / ".lock").unlink()
    assert verify(place / "archive").faults == ()
    with pytest.raises(VerificationError, match="content"):
        check_proof(prove_of_something(place), b"another content")


def prove_of_something(place: Path) -> dict[str, Any]:
    from remission.gold.signing import load_signer

    with writing(place / "archive", load_signer(place / "key")) as writer:
        writer.ingest("a", b"content", record_of("a"))
        writer.commit()
    return prove(Archive(place / "archive"), "a")
