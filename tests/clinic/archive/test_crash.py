"""Crash at every call to the operating system: nothing acknowledged is lost, nothing half-done is visible.

A kill leaves what was written so far. A loss of power may also lose what no fsync had put on the disk: bytes of files, and
names in folders.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remission.clinic.archive import writing as writing_module
from remission.clinic.archive.adding import Added
from remission.clinic.archive.adding import add as add_files
from remission.clinic.archive.changing import erase_items, rotate
from remission.clinic.archive.record import about
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create, writing
from remission.errors import StoreError
from remission.gold import disk
from remission.gold.archive import Archive
from remission.gold.signing import Signer, load_signer, new_signer

from .archive_tools import record_of, rejects, standalone

ABOUT = about({"collection": {"title": "t", "issuer": "i", "method": "m", "licence": "CC0-1.0"}})
BATCHES = [[("a", 50), ("b", 900)], [("c", 50), ("d", 900), ("e", 700)], [("f", 10)]]


class CrashError(BaseException):
    """The process is gone: nothing after it runs, not even what stands in ``except Exception``."""


class Machine:
    """The module ``os`` as a machine that stops at its n-th change of the disk."""

    def __init__(self, stop: int, power: float, seed: int = 0, error: int = 0) -> None:
        self.stop, self.power, self.error = stop, power, error
        self.calls, self.down = 0, False
        self.random = random.Random(seed)
        self.paths: dict[int, Path] = {}
        self.unsynced: dict[Path, bytes] = {}  # file -> what the disk holds of it for sure
        self.names: list[tuple[Path, Callable[[], None]]] = []  # folder, and how to undo a change of names in it

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _tick(self, half: Callable[[], None] | None = None) -> None:
        if self.down:
            raise CrashError
        self.calls += 1
        if self.calls == self.stop:
            if half is not None:
                half()
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            self.down = True
            raise CrashError

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        path, made = Path(path), bool(flags & os.O_CREAT) and not Path(path).exists()
        if made and path.name != ".lock":
            self._tick()
        handle = os.open(path, flags, mode)
        self.paths[handle] = path
        if made and path.name != ".lock":
            self.unsynced[path] = b""
            self.names.append((path.parent, lambda: path.unlink(missing_ok=True)))
        return handle

    def write(self, handle: int, content: Any) -> int:
        path = self.paths[handle]
        self.unsynced.setdefault(path, path.read_bytes())
        self._tick(lambda: os.write(handle, bytes(content)[: len(content) // 2]) and None)
        return os.write(handle, content)

    def fsync(self, handle: int) -> None:
        self._tick()
        path = self.paths[handle]
        if path.is_dir():
            self.names = [one for one in self.names if one[0] != path]
        else:
            self.unsynced.pop(path, None)

    def rename(self, old: Path, new: Path) -> None:
        self._tick()
        assert not new.exists()
        os.rename(old, new)
        if old in self.unsynced:
            self.unsynced[new] = self.unsynced.pop(old)
        self.names.append((new.parent, lambda: new.exists() and os.rename(new, old)))

    def link(self, old: Path, new: Path, follow_symlinks: bool = True) -> None:
        self._tick()
        os.link(old, new, follow_symlinks=follow_symlinks)
        if old in self.unsynced:
            self.unsynced[new] = self.unsynced[old]
        self.names.append((new.parent, lambda: new.unlink(missing_ok=True)))

    def unlink(self, path: Path) -> None:
        content = path.read_bytes() if path.exists() else None
        self._tick()
        os.unlink(path)

        def back() -> None:
            if content is not None:
                path.unlink(missing_ok=True)  # the name may be one of another file by now, which has a second name
                path.write_bytes(content)

        self.names.append((path.parent, back))

    def mkdir(self, path: Path) -> None:
        self._tick()
        os.mkdir(path)
        self.names.append((path.parent, lambda: shutil.rmtree(path, ignore_errors=True)))

    def lose(self) -> None:
        """What the power takes with it: of every change that was not synced, with probability ``power``."""
        for path, content in self.unsynced.items():
            if path.exists() and self.random.random() < self.power:
                path.write_bytes(content)
        for _, undo in reversed(self.names):
            if self.random.random() < self.power:
                undo()


def contents() -> dict[str, bytes]:
    rng = random.Random(0)
    return {item: rng.randbytes(size) for batch in BATCHES for item, size in batch}


def add(folder: Path, signer: Signer) -> list[str]:
    """Add three batches; what was acknowledged is in the list, even after a crash."""
    ACKNOWLEDGED.clear()
    held = contents()
    with writing(folder, signer) as writer:
        for batch in BATCHES:
            for item, _ in batch:
                writer.ingest(item, held[item], record_of(item))
            writer.commit()
            ACKNOWLEDGED.extend(item for item, _ in batch)
    return ACKNOWLEDGED


ACKNOWLEDGED: list[str] = []


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(writing_module, "LOOSE", 600)
    place = tmp_path / "base"
    place.mkdir()
    signer = new_signer(place / "key")
    create(place / "archive", "crash", signer)
    with writing(place / "archive", signer) as writer:
        for item, size in (("old", 40), ("old large", 2000)):
            writer.ingest(item, random.Random(size).randbytes(size), record_of(item))
        writer.commit()
    return place


def run(place: Path, machine: Machine, action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Do something on a machine that stops; whether it stopped."""
    with monkeypatch.context() as patch:
        patch.setattr(disk, "os", machine)
        try:
            action()
        except CrashError:
            machine.lose()
            return True
        except StoreError:
            return True
    return False


def check_visible(folder: Path) -> None:
    """All that was acknowledged, and batches as a whole or not at all."""
    archive, held = Archive(folder), contents()
    found = [item for item in archive.log.items if item in held]
    assert set(found) >= set(ACKNOWLEDGED)
    wholes = [[item for batch in BATCHES[:n] for item, _ in batch] for n in range(len(BATCHES) + 1)]
    assert found in wholes
    assert len(found) <= len(ACKNOWLEDGED) + 3
    for item in found:
        assert archive.content(item) == held[item]
        assert archive.record(item) == record_of(item)
    report = verify(folder, archive.origin)
    assert report.faults == ()


def command(place: Path) -> Added:
    """What ``remission archive add`` does: one text a batch, and a collection."""
    return add_files(place / "archive", load_signer(place / "key"), [place / "a.jsonl"], ABOUT)


@pytest.mark.parametrize("power", [0.0, pytest.param(1.0, marks=pytest.mark.slow)], ids=["kill", "power"])
def test_crash_at_every_call_of_the_command(
    base: Path, tmp_path: Path, power: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_module, "BATCH", 2)
    texts = {f"text-{n}": f"letter {n}" for n in range(3)}
    (base / "a.jsonl").write_text("".join(json.dumps({"id": one, "text": text}) + "\n" for one, text in texts.items()))
    stop, crashes = 0, True
    while crashes:
        stop += 1
        place = tmp_path / "turn"
        shutil.copytree(base, place)
        crashes = run(place, Machine(stop, power, stop), lambda: command(place), monkeypatch)  # noqa: B023
        assert verify(place / "archive").faults == ()
        there = len(Archive(place / "archive")) - 2
        found = command(place)
        assert (found.new, found.known) == (3 - there, there)
        archive = Archive(place / "archive")
        assert {one: archive.content(one).decode() for one in texts} == texts
        assert (len(archive), len(archive.collections)) == (5, 1)
        assert (verify(place / "archive").faults, list((place / "archive" / "incoming").iterdir())) == ((), [])
        shutil.rmtree(place)
    assert stop > 30


SOME = pytest.param(0.5, marks=pytest.mark.slow)


@pytest.mark.parametrize("power", [0.0, SOME, 1.0])
def test_crash_at_every_call_of_add(base: Path, tmp_path: Path, power: float, monkeypatch: pytest.MonkeyPatch) -> None:
    module, stop, crashes = standalone(), 0, True
    while crashes:
        stop += 1
        place = tmp_path / "turn"
        shutil.copytree(base, place)
        folder, signer = place / "archive", load_signer(place / "key")
        crashes = run(place, Machine(stop, power, stop), lambda: add(folder, signer), monkeypatch)  # noqa: B023
        check_visible(folder)
        assert stop % 3 or not rejects(module, folder)  # both verifiers say the same of what was begun
        add(folder, signer)  # the restart: the same command again
        assert len(Archive(folder).log.items) == 2 + len(contents())
        assert (verify(folder).faults, list((folder / "incoming").iterdir())) == ((), [])
        assert stop % 8 or not rejects(module, folder)
        shutil.rmtree(place)
    assert stop > 60, "fewer calls than three batches make: nothing was tested"


@pytest.mark.parametrize("error", [errno.ENOSPC, pytest.param(errno.EIO, marks=pytest.mark.slow)])
def test_an_error_at_every_call_of_add(base: Path, tmp_path: Path, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, fails = 0, True
    while fails:
        stop += 1
        place = tmp_path / "turn"
        shutil.copytree(base, place)
        folder, signer = place / "archive", load_signer(place / "key")
        fails = run(place, Machine(stop, 0.0, error=error), lambda: add(folder, signer), monkeypatch)  # noqa: B023
        check_visible(folder)
        add(folder, signer)
        assert (verify(folder).faults, list((folder / "incoming").iterdir())) == ((), [])
        shutil.rmtree(place)
    assert stop > 60


@pytest.mark.parametrize("power", [0.0, 1.0], ids=["kill", "power"])
@pytest.mark.parametrize("what", ["erase", "rotate"])
def test_crash_at_every_call_of_other_commands(
    base: Path, tmp_path: Path, what: str, power: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, unfinished, stop, crashes = standalone(), 0, 0, True
    while crashes:
        stop += 1
        place = tmp_path / "turn"
        shutil.copytree(base, place)
        folder, signer = place / "archive", load_signer(place / "key")
        new = new_signer(place / "new")

        def action(folder: Path = folder, signer: Signer = signer, new: Signer = new) -> None:
            if what == "erase":
                erase_items(folder, signer, ["old", "old large"], "on request", "us")
            else:
                rotate(folder, signer, new)

        crashes = run(place, Machine(stop, power), action, monkeypatch)
        found = {fault.kind for fault in verify(folder).faults}
        assert found <= ({"unfinished"} if what == "erase" and crashes else set()), stop  # until a command that writes
        unfinished += len(found)
        assert bool(found) == rejects(module, folder), stop
        done = bool(Archive(folder).log.erased) or len(Archive(folder).log.keys) == 2
        assert done or crashes
        with writing(folder, new if done and what == "rotate" else signer):
            pass  # any command that writes puts things right
        assert verify(folder).faults == ()
        assert list((folder / "incoming").iterdir()) == []
        if done and what == "erase":
            assert not (folder / "packs" / "00000001.pack").read_bytes().strip(b"\0")
            assert not list((folder / "objects").glob("??/*"))
        shutil.rmtree(place)
    assert stop > 10
    assert bool(unfinished) == (what == "erase")


def test_an_error_at_every_call_of_erase(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fails after the tombstone counts, the next command that writes erases."""
    stop, fails, late = 0, True, 0
    while fails:
        stop += 1
        place = tmp_path / "turn"
        shutil.copytree(base, place)
        folder, signer = place / "archive", load_signer(place / "key")

        def action(folder: Path = folder, signer: Signer = signer) -> None:
            erase_items(folder, signer, ["old", "old large"], "on request", "us")

        fails = run(place, Machine(stop, 0.0, error=errno.EIO), action, monkeypatch)
        done = bool(Archive(folder).log.erased)
        late += done and fails
        with writing(folder, signer):
            pass
        assert (verify(folder).faults, list((folder / "incoming").iterdir())) == ((), []), stop
        assert done or not fails or Archive(folder).content("old")
        assert not done or not (folder / "packs" / "00000001.pack").read_bytes().strip(b"\0")
        shutil.rmtree(place)
    assert late > 3


def test_the_test_can_fail(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the log written straight to its name, and nothing synced, crashes are seen."""
    monkeypatch.setattr(disk, "publish", lambda old, new: disk.os.rename(old, new))
    monkeypatch.setattr(disk, "sync_folder", lambda folder: None)
    wrong = 0
    for stop in range(1, 40):
        place = tmp_path / "turn"
        shutil.copytree(base, place)
        folder, signer = place / "archive", load_signer(place / "key")
        run(place, Machine(stop, 1.0, stop), lambda: add(folder, signer), monkeypatch)  # noqa: B023
        try:
            check_visible(folder)
        except Exception:
            wrong += 1
        except AssertionError:
            wrong += 1
        shutil.rmtree(place)
    assert wrong > 5
