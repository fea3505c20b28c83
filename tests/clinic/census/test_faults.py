"""Whatever goes wrong at whatever moment: nothing is lost, nothing is there twice, and the result is the undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from remission import StoreError
from remission.clinic.census.manifest import part_files, verify
from remission.clinic.census.parts import read_rows
from remission.clinic.census.running import run_census
from tests.clinic.census.faults import CONFIG, MOMENTS, engine
from tests.clinic.census.scorers import LENGTHS
from tests.clinic.census.test_census import inline
from tests.corpus.damaged import jsonl, parquet, rows

ROOT = Path(__file__).resolve().parents[3]


def corpus(folder: Path, units: int) -> int:
    """About so many units; how many documents."""
    folder.mkdir()
    half = units // 2
    parquet(folder / "a.parquet", rows(25 * half), group=25)
    for number in range(half):
        jsonl(folder / f"b{number:03d}.jsonl", rows(12, 25 * half + 12 * number))
    return 37 * half


def same(tmp_path: Path, name: str, documents: int) -> None:
    """The census in this folder is whole, verified and equal to the undisturbed one, byte for byte."""
    whole = run_census([tmp_path / "in"], LENGTHS, tmp_path / "whole", CONFIG, inline)
    assert (tmp_path / name / "manifest.json").read_bytes() == (tmp_path / "whole" / "manifest.json").read_bytes()
    assert verify(tmp_path / name) == []
    for path in (tmp_path / "whole" / "groups").rglob("*.parquet"):
        assert (tmp_path / name / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
    ids: Counter[str] = Counter()
    for path in part_files(tmp_path / name, whole.manifest):
        ids.update(read_rows(path).column("id").to_pylist())
    assert len(ids) == documents
    assert set(ids.values()) == {1}
    assert len([*(tmp_path / name / "parts").rglob("*.parquet")]) == len(whole.manifest.parts)
    assert not [*(tmp_path / name).rglob("*.aside")]


def run_with_faults(tmp_path: Path, wanted: tuple[str, ...]) -> int:
    """Run until it is done; how often it was stopped by a full disk."""
    said = []
    while not (tmp_path / "out" / "manifest.json").exists():
        try:
            run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", CONFIG, engine(tmp_path / "marks", wanted))
        except StoreError as error:
            said.append(str(error))
    assert all("No space left" in text and "Finished parts are safe" in text for text in said)
    assert len([*(tmp_path / "marks").iterdir()]) >= len(wanted), (
        "not every fault has happened"
    )  # two workers may take one
    return len(said)


def test_a_fault_at_every_moment_of_writing(tmp_path: Path) -> None:
    documents = corpus(tmp_path / "in", 20)
    assert run_with_faults(tmp_path, MOMENTS) == 1
    same(tmp_path, "out", documents)


@pytest.mark.slow
def test_a_hundred_faults(tmp_path: Path) -> None:
    """80 killed workers and full disks, at all moments; then 20 kills of the whole tree, see below."""
    documents = corpus(tmp_path / "in", 200)
    wanted = tuple(random.Random(5).choices(MOMENTS, k=80))
    assert 0 < run_with_faults(tmp_path, wanted) <= wanted.count("full")  # two workers may meet it together
    same(tmp_path, "out", documents)
    kill_trees(tmp_path, 15)
    kill_trees(tmp_path, 5, "groups")
    subprocess.run(command_of(tmp_path), cwd=ROOT, check=True)
    same(tmp_path, "killed", documents)


def command_of(tmp_path: Path) -> list[str]:
    return [sys.executable, "-m", "tests.clinic.census.faults", str(tmp_path / "in"), str(tmp_path / "killed")]


def kill_trees(tmp_path: Path, kills: int, what: str = "parts") -> None:
    """Kill the census with all its workers so often, each time after some more files of parts, or of groups."""
    dice = random.Random(kills)
    for _ in range(kills):
        began, wanted = time.time_ns(), dice.randint(1, 4)
        process = subprocess.Popen(command_of(tmp_path), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        deadline = time.monotonic() + 120
        while process.poll() is None and files_of(tmp_path, what, began) < wanted and time.monotonic() < deadline:
            time.sleep(0.002)
        assert process.poll() is None, "it was over before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert files_of(tmp_path, what, began) >= wanted, "it was killed too early"
        assert not (tmp_path / "killed" / "manifest.json").exists()


def files_of(tmp_path: Path, what: str, began: int) -> int:
    """How many files of parts or groups were written since."""
    found = 0
    for path in (tmp_path / "killed" / what).rglob("*.parquet"):
        try:
            found += path.stat().st_mtime_ns >= began - 10**7
        except FileNotFoundError:
            continue
    return found


def test_the_whole_tree_is_killed(tmp_path: Path) -> None:
    documents = corpus(tmp_path / "in", 40)
    kill_trees(tmp_path, 2)
    kill_trees(tmp_path, 1, "groups")
    subprocess.run(command_of(tmp_path), cwd=ROOT, check=True)
    same(tmp_path, "killed", documents)


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    from remission.clinic.census.running import _writing

    corpus(tmp_path / "in", 4)
    run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", CONFIG, inline)
    with _writing(tmp_path / "out"), pytest.raises(StoreError, match="Another process"):
        run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", CONFIG, inline)


def test_what_a_killed_run_left_half_written_goes(tmp_path: Path) -> None:
    documents = corpus(tmp_path / "in", 4)
    run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", CONFIG, inline)
    shard = next((tmp_path / "out" / "parts").iterdir())
    (shard / ".abc-1-2.aside").write_bytes(b"half")
    run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", CONFIG, inline)
    same(tmp_path, "out", documents)


@pytest.mark.parametrize("broken", ["lost", "twice"])
def test_the_comparison_can_fail(broken: str, tmp_path: Path) -> None:
    """A part that is gone, or documents that are there twice, are seen by the check that all the others use."""
    documents = corpus(tmp_path / "in", 4)
    run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", CONFIG, inline)
    parts = sorted((tmp_path / "out" / "parts").rglob("*.parquet"))
    if broken == "lost":
        parts[0].unlink()
    else:
        parts[0].write_bytes(parts[1].read_bytes())
    with pytest.raises(AssertionError):
        same(tmp_path, "out", documents)
