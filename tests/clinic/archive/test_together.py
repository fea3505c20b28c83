"""Several at once, and media that nobody can write."""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remission.cli import _run as command_line
from remission.clinic.archive import queues
from remission.clinic.archive import writing as writing_module
from remission.clinic.archive._shown import planted
from remission.clinic.archive.changing import erase_items
from remission.clinic.archive.proving import check_proof, prove
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create, writing
from remission.errors import DataError, StoreError, VerificationError
from remission.gold import disk
from remission.gold.archive import Archive
from remission.gold.signing import load_signer, new_signer
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


def test_a_lock_that_is_taken_away_at_any_moment_loses_nothing(place: Path, tmp_path: Path) -> None:
    """Before every call to the operating system that a commit makes, the lock goes and another writer commits: who was told that
    an item is kept was told the truth, and nothing of the other's is touched."""
    moment = refused = 0
    while True:
        turn = tmp_path / "turn"
        shutil.copytree(place, turn)
        folder, signer = turn / "archive", load_signer(turn / "key")
        machine = Interrupted(moment, folder, signer)
        kept = []
        with pytest.MonkeyPatch.context() as patch, writing(folder, signer) as writer:
            patch.setattr(writing_module, "LOOSE", 300)
            writer.ingest("ours", b"ours", record_of("ours"))
            writer.ingest("large", random.Random(0).randbytes(900), record_of("large"))
            patch.setattr(disk, "os", machine)
            try:
                writer.commit()
                kept = ["ours", "large"]
            except StoreError:
                refused += 1
            except OSError:  # what another took away is not there
                refused += 1
        archive = Archive(folder)
        assert set(archive.log.items) == {*kept, *machine.kept}, moment
        assert all(archive.content(item) for item in archive.log.items)
        assert verify(folder).faults == ()
        with writing(folder, signer):
            pass
        found = verify(folder)
        assert (found.faults, list((folder / "incoming").iterdir())) == ((), []), moment
        shutil.rmtree(turn)
        if not machine.done:
            break
        assert machine.kept or kept, "neither could write"
        moment += 1
    assert moment > 15
    assert refused > 10


class Interrupted:
    """The module ``os``; before one of its calls somebody removes the lock, and another writer commits."""

    def __init__(self, moment: int, folder: Path, signer: Any) -> None:
        self.moment, self.folder, self.signer = moment, folder, signer
        self.kept: list[str] = []
        self.done = False

    def __getattr__(self, name: str) -> Any:
        true = getattr(os, name)
        if name not in {"open", "write", "fsync", "link", "rename", "unlink", "mkdir"}:
            return true

        def call(*given: Any, **more: Any) -> Any:
            self.moment -= 1
            if self.moment == -1:
                self.done = True
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(disk, "os", os)
                    self._other()
            return true(*given, **more)

        return call

    def _other(self) -> None:
        (self.folder / ".lock").unlink()
        with contextlib.suppress(StoreError), writing(self.folder, self.signer) as writer:
            writer.ingest("theirs", b"theirs", record_of("theirs"))
            writer.commit()
            self.kept = ["theirs"]


def test_a_name_is_never_taken_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_given: Any, **_more: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    for turn in range(2):
        (tmp_path / "there").write_bytes(b"theirs")
        (tmp_path / "part").write_bytes(b"ours")
        with pytest.raises(FileExistsError):
            disk.publish(tmp_path / "part", tmp_path / "there")
        assert (tmp_path / "there").read_bytes() == b"theirs"
        disk.publish(tmp_path / "part", tmp_path / f"new-{turn}")
        assert (tmp_path / f"new-{turn}").read_bytes() == b"ours"
        assert not (tmp_path / "part").exists()
        monkeypatch.setattr(os, "link", no_links)  # a file system where a file has one name only


def test_what_is_erased_while_it_is_read_is_no_fault(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    with writing(folder, signer) as writer:
        writer.ingest("a", b"content", record_of("a"))
        writer.ingest("large", random.Random(0).randbytes(writing_module.LOOSE + 9), record_of("large"))
        writer.ingest("kept", b"kept", record_of("kept"))
        writer.commit()
    opened = Archive(folder)
    erase_items(folder, signer, ["a", "large"], "on request", "us")
    for item in ("a", "large"):
        for read in (opened.content, opened.record):
            with pytest.raises(DataError, match="was erased while"):
                read(item)
    pack = folder / "packs" / "00000001.pack"
    pack.write_bytes(bytes(len(pack.read_bytes())))
    with pytest.raises(VerificationError, match="not what was signed"):  # nobody erased this one
        opened.content("kept")


def test_commands_that_read_let_nobody_write_meanwhile(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While each reads, somebody tries to erase, and must wait."""
    folder, signer = place / "archive", load_signer(place / "key")
    with writing(folder, signer) as writer:
        for item in ("a", "b"):
            writer.ingest(item, item.encode(), record_of(item))
        writer.commit()
    tried, true = [], disk.read

    def read(path: Path, *rest: Any, **more: Any) -> bytes:
        if not path.name.endswith(".jsonl") or path.parent.name != "log":
            with pytest.raises(StoreError, match="--wait"):
                erase_items(folder, signer, ["a"], "on request", "us", wait=0.0)
            tried.append(path.name)
        return true(path, *rest, **more)

    monkeypatch.setattr(disk, "read", read)
    out = str(place / "out")
    for words in (
        ["export", str(folder), "-o", out], ["show", str(folder), "a"], ["sample", str(folder), "-o", f"{out}.jsonl", "--count", "1", "--all"],
        ["prove", str(folder), "a", "-o", f"{out}.json", "--content", f"{out}.txt"],
    ):  # fmt: skip
        before = len(tried)
        assert command_line(["archive", *words]) == 0, words
        assert len(tried) > before, words
    monkeypatch.undo()
    erase_items(folder, signer, ["a"], "on request", "us", wait=0.0)  # nothing is held any longer


def test_a_queue_is_made_of_what_is_there_when_it_is_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    with writing(folder, signer) as writer:
        for item in ("a", "b"):
            writer.ingest(item, item.encode(), record_of(item))
        writer.commit()
    (place / "planted.jsonl").write_text('{"text": "x", "label": "human"}\n{"text": "y", "label": "ai"}\n')
    true = planted

    def slow(paths: Any) -> Any:
        erase_items(folder, signer, ["a"], "on request", "us")  # while planted documents are read
        return true(paths)

    monkeypatch.setattr(queues, "planted_tasks", slow)
    assert queues.make_queue(folder, signer, place / "q", planted=[place / "planted.jsonl"]).tasks == 3
