"""Damage at random places: every flipped bit is found, and whatever coarser happens to a file."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from remission.clinic.archive.verifying import verify
from remission.errors import DataError

from .archive_tools import rejects, standalone


def flips(whole: Path, folder: Path, count: int, seed: int, alone: bool) -> None:
    """Flip one bit after the other, each put back, every bit of every file being as likely."""
    shutil.copytree(whole / "archive", folder, symlinks=True)
    module = standalone()
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    sizes = [path.stat().st_size for path in files]
    rng = random.Random(seed)
    kinds = set()
    for turn in range(count):
        # half of the flips by size, half by file, so that short files are hit as well
        path = rng.choices(files, sizes)[0] if turn % 2 else rng.choice(files)
        at, bit = rng.randrange(path.stat().st_size), 1 << rng.randrange(8)
        data = path.read_bytes()
        path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
        where = f"{path.relative_to(folder)}, byte {at}, bit {bit}"
        if alone:
            assert rejects(module, folder), where
        else:
            found = verify(folder)
            assert found.faults, where
            told = [fault for fault in found.faults if fault.where.startswith(str(path.relative_to(folder)))]
            assert told, (where, found.faults)
            kinds |= {fault.kind for fault in told}
            checkpoint_gone = path.parent.name == "log" and path.name == sorted(os.listdir(folder / "log"))[-1]
            assert all(fault.since or fault.after for fault in found.faults), (where, found.faults)
            assert all(fault.since for fault in told) or checkpoint_gone, (where, told)
        path.write_bytes(data)
    assert alone or {"entry", "record", "content", "file"} <= kinds
    assert verify(folder).ok


def test_flipped_bits(whole: Path, tmp_path: Path) -> None:
    flips(whole, tmp_path / "flips", 500, 1, alone=False)


def test_flipped_bits_and_the_stand_alone_verifier(whole: Path, tmp_path: Path) -> None:
    flips(whole, tmp_path / "flips", 300, 2, alone=True)


@pytest.mark.slow
def test_ten_thousand_flipped_bits(whole: Path, tmp_path: Path) -> None:
    flips(whole, tmp_path / "flips", 10_000, 3, alone=False)


@pytest.mark.slow
def test_ten_thousand_flipped_bits_and_the_stand_alone_verifier(whole: Path, tmp_path: Path) -> None:
    flips(whole, tmp_path / "flips", 10_000, 4, alone=True)


def mangle(folder: Path, rng: random.Random) -> str:
    """Something coarse happens to one file or two; what it was."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    path, other = rng.sample(files, 2)
    data = path.read_bytes()
    at, end = sorted(rng.choices(range(len(data) + 1), k=2))
    end = min(end, at + rng.choice([1, 2, 64, 4000]))
    what = rng.choice(
        ["cut", "insert", "double", "zero", "truncate", "trade", "copy over", "rename", "copy", "shuffle lines"]
    )
    if what == "trade":
        path.write_bytes(other.read_bytes())
        other.write_bytes(data)
    elif what == "copy over":
        path.write_bytes(other.read_bytes())
    elif what in ("rename", "copy"):
        new = path.with_name(
            rng.choice([path.name.upper() + "x", f"{rng.randrange(99):08d}{path.suffix}", path.name[::-1]])
        )
        if not new.exists():
            (shutil.copy if what == "copy" else shutil.move)(path, new)
    elif what == "shuffle lines":
        pieces = data.split(b"\n")
        rng.shuffle(pieces)
        path.write_bytes(b"\n".join(pieces))
    else:
        changed = {
            "cut": data[:at] + data[end:],
            "insert": data[:at] + rng.randbytes(rng.randint(1, 80)) + data[at:],
            "double": data[:end] + data[at:],
            "zero": data[:at] + bytes(end - at) + data[end:],
            "truncate": data[:at],
        }
        path.write_bytes(changed[what])
    return f"{what}: {path.relative_to(folder)}, {other.relative_to(folder)}, {at} to {end}"


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mangles(whole: Path, place: Path, count: int, seed: int) -> None:
    module, rng, before, changes = standalone(), random.Random(seed), state(whole / "archive"), 0
    for _ in range(count):
        shutil.copytree(whole / "archive", place)
        what = mangle(place, rng)
        if state(place) != before:
            changes += 1
            assert verify_or_refuse(place), what
            assert rejects(module, place), what
        shutil.rmtree(place)
    assert changes > 0.7 * count


def verify_or_refuse(folder: Path) -> bool:
    """Whether damage is reported; an archive without any log is refused as none."""
    try:
        return not verify(folder).ok
    except DataError:
        return not list((folder / "log").glob("????????.jsonl"))


def test_coarse_damage(whole: Path, tmp_path: Path) -> None:
    mangles(whole, tmp_path / "mangled", 120, 1)


@pytest.mark.slow
def test_coarse_damage_of_every_kind(whole: Path, tmp_path: Path) -> None:
    mangles(whole, tmp_path / "mangled", 5000, 2)
