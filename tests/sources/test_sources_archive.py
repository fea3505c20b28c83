"""A gold archive as the source of an experiment and of a plan: what is taken, what is refused, what is written down of it."""

from __future__ import annotations

import json
import os
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission import Experiment
from remission.cli import _run as command_line
from remission.errors import DataError, SpecError, VerificationError
from remission.sources.archive import Archive
from remission.sources.file import File

pytest.importorskip("cryptography")
pytest.importorskip("zstandard")

from remission.clinic.archive.changing import amend, erase_items
from remission.clinic.archive.queues import make_queue
from remission.clinic.archive.review import record_answers
from remission.clinic.archive.writing import create, writing
from remission.gold.archive import Archive as Opened
from remission.gold.signing import Signer, load_signer, new_signer

WORDS = [
    "the",
    "mill",
    "road",
    "bench",
    "square",
    "letter",
    "rain",
    "town",
    "editor",
    "thanks",
    "who",
    "took",
    "back",
    "again",
    "flooded",
    "is",
]


def text_of(number: int) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=30)) + "."


def png(level: int, width: int = 4, height: int = 3) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + bytes([level, 0, 255]) * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def ingest(folder: Path, signer: Signer, items: dict[str, bytes], modality: str = "text") -> None:
    with writing(folder, signer) as writer:
        for name, content in items.items():
            writer.ingest(name, content, {"id": name, "modality": modality, "evidence": []})
        writer.commit()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """40 texts, of which 0 to 29 are certified, and 3 pictures."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.chdir(tmp_path)
    signer = new_signer(tmp_path / "key")
    create(tmp_path / "gold", "letters", signer)
    ingest(tmp_path / "gold", signer, {f"t{n:02d}": text_of(n).encode() for n in range(40)})
    make_queue(tmp_path / "gold", signer, tmp_path / "queue", count=40)
    tasks = json.loads((tmp_path / "queue.key").read_text())["tasks"]
    said = [
        {"task": one["task"], "reviewer": who, "verdict": "human" if one["item"] < "t30" or who == "ann" else "machine"}
        for one in tasks
        for who in ("ann", "bob")
    ]
    record_answers(tmp_path / "gold", signer, tmp_path / "queue.key", said, partial=True)
    ingest(tmp_path / "gold", signer, {f"p{n}": png(n * 100) for n in range(3)}, "image")
    return tmp_path


def gold(**more: Any) -> Archive:
    return Archive(path="gold", **({"length": 10} | more))


def shown(source: Archive) -> str:
    names = source.space.names
    return " ".join(names[number] for number in source.items().ravel())


def test_texts_are_cut_as_those_of_a_file(place: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [text_of(n) for n in range(30)]}), place / "all.parquet")
    for how in ({}, {"level": "character"}, {"vocabulary": 5, "lower": True}, {"level": "bpe", "vocabulary": 300}):
        if how.get("level") == "bpe":
            pytest.importorskip("tokenizers")
        there = File(path="all.parquet", text="text", length=10, **how)
        assert np.array_equal(gold(**how).items(), there.items())
        assert gold(**how).space == there.space


def test_what_is_taken(place: Path) -> None:
    signer = load_signer(place / "key")
    held = shown(gold())
    assert all(" ".join(text_of(n).split()[:5]) in held for n in range(30))
    assert " ".join(text_of(30).split()[:9]) not in held
    assert len(gold(certified=False).items()) > len(gold().items())
    before = gold().items().copy()
    at = Opened(place / "gold").log.size
    ingest(place / "gold", signer, {"new": b"something else " * 9})
    assert np.array_equal(gold(at=at, certified=False).items(), gold(certified=False, at=at).items())
    assert len(gold(certified=False).items()) > len(gold(certified=False, at=at).items())
    assert np.array_equal(gold(at=at).items(), before)
    erase_items(place / "gold", signer, ["t00"], "on request", "us")
    assert len(gold().items()) < len(before)
    assert len(gold(at=at).items()) < len(before)  # erased since
    amend(place / "gold", signer, ["t01"], {"modality": "other"}, "it is a score", "us")
    assert " ".join(text_of(1).split()[:9]) in held
    assert " ".join(text_of(1).split()[:9]) not in shown(gold())


def test_pictures(place: Path) -> None:
    source = gold(takes="picture", certified=False)
    assert (source.space.kind, source.space.picture, source.space.channels) == ("image", (3, 4), 3)
    items = source.items().reshape(3, 3, 4, 3)
    assert items.dtype == np.float64
    assert items[1, 0, 0].tolist() == [100 / 255, 0.0, 1.0]
    grey = gold(takes="picture", certified=False, colours="grey").items()
    assert grey[2, 0] == pytest.approx(0.299 * 200 / 255 + 0.114)
    ingest(place / "gold", load_signer(place / "key"), {"wide": png(1, width=9)}, "image")
    with pytest.raises(DataError, match="9 x 3 pixels"):
        gold(takes="picture", certified=False).items()


def test_what_is_refused(place: Path) -> None:
    with pytest.raises(DataError, match="is no archive"):
        Archive(path="nowhere").items()
    with pytest.raises(SpecError, match="a size that the log"):
        gold(at=10_000).items()
    with pytest.raises(DataError, match=r"no certified items.*certified = false"):
        gold(at=5).items()
    with pytest.raises(DataError, match="takes = 'text'"):
        gold(takes="picture").items()
    with pytest.raises(VerificationError, match="as \\[source\\] says"):
        gold(origin="0" * 64).items()
    with pytest.raises(SpecError, match="origin"):
        gold(origin="abc")
    assert gold(origin=Opened(place / "gold").origin).items().shape[1] == 10
    ingest(place / "gold", load_signer(place / "key"), {"odd": b"\xff\xfe"})
    with pytest.raises(DataError, match="'odd' is said to be a text"):
        gold(certified=False).items()


@pytest.mark.parametrize("what", ["log", "pack"])
def test_a_damaged_archive_is_never_learned_from(place: Path, what: str) -> None:
    path = place / "gold" / ("log/00000001.jsonl" if what == "log" else "packs/00000001.pack")
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    os.utime(place / "gold" / "log", ns=(1, 1))
    with pytest.raises(VerificationError, match=r"not (as it|what) was signed"):
        gold().items()


EXPERIMENT = """
[experiment]
generations = {generations}
replicates = 2
samples = 10
reference = 12
[source]
kind = "archive"
path = "gold"
length = 10{more}
[model]
kind = "ngram"
order = 1
[regime]
kind = "fresh"
share = 0.5
[[metric]]
kind = "types"
"""


def run(place: Path, capsys: pytest.CaptureFixture[str], generations: int = 3, more: str = "", out: str = "out") -> int:
    (place / "experiment.toml").write_text(EXPERIMENT.format(generations=generations, more=more))
    return command_line(["run", "experiment.toml", "-o", out, "--json"])


def test_a_run_says_who_vouches_for_its_data(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, capsys) == 0
    told = json.loads((place / "out" / "provenance.json").read_text())
    archive = Opened(place / "gold")
    (vouched,) = told["vouched"].values()
    head = archive.head
    assert vouched == {
        "archive": "letters", "origin": archive.origin, "at": head.size, "items": 30, "certified": True, "size": head.size,
        "root": head.root, "time": head.time, "key": head.key,
    }  # fmt: skip
    assert len(told["inputs"]) == 1
    first = Experiment.from_file(place / "experiment.toml").id
    erase_items(place / "gold", load_signer(place / "key"), ["t05"], "on request", "us")
    assert Experiment.from_file(place / "experiment.toml").id != first  # the data is part of what a run is


def test_an_archive_that_grows_during_a_run_stops_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of before are kept, none is made of other data under the same name."""
    from remission.lab import execute as executing

    (place / "experiment.toml").write_text(EXPERIMENT.format(generations=2, more=""))
    real, calls = executing.run_block, []

    def grown(block: Any, tick: Any = None) -> Any:
        calls.append(block)
        if len(calls) == 2:
            ingest(place / "gold", load_signer(place / "key"), {"late": text_of(99).encode()})
        return real(block, tick)

    monkeypatch.setattr(executing, "run_block", grown)
    monkeypatch.setattr(executing, "block_size", lambda experiment, workers: 1)
    experiment = Experiment.from_file(place / "experiment.toml")
    at = gold().vouched()["at"]
    with pytest.raises(DataError, match=rf"changed while it was used \(from {at} to {at + 1} entries\)"):
        executing.execute(experiment, place / "out")
    assert len(list((place / "out" / "rows").glob("*.parquet"))) == 1


def test_a_run_at_a_size_names_the_checkpoint_that_covers_it(place: Path) -> None:
    facts = gold(at=20, certified=False).vouched()
    assert (facts["at"], facts["size"], facts["items"]) == (20, 41, 19)
    assert facts["root"] == Opened(place / "gold").log.checkpoints[1].root  # type: ignore[union-attr]


def test_nothing_comes_twice_unless_asked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = len(gold().items()) - 12  # blocks for training: what the reference leaves
    enough = 1 + (there - 10) // 5  # generation 1 takes 10, every later one 5
    assert run(place, capsys, enough) == 0
    capsys.readouterr()
    assert run(place, capsys, enough + 2, out="more") == 2
    assert "archive has no more items" in capsys.readouterr().err
    assert run(place, capsys, enough + 2, "\nagain = true", out="again") == 0


PLAN = """
[plan]
generations = 2
items = 60
keep = ["types.alive >= 3"]
replicates = 4
[corpus]
synthetic = 0.5
[source]
kind = "surrogate"
base = { kind = "archive", path = "gold", length = 10 }
[[metric]]
kind = "types"
"""


def test_a_plan_from_an_archive(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "plan.toml").write_text(PLAN)
    assert command_line(["plan", "plan.toml", "--budget", "100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "remission/plan/1"
    (place / "plan.toml").write_text(PLAN.replace('"gold"', '"nowhere"'))
    assert command_line(["plan", "plan.toml", "--budget", "100", "--json"]) == 2
    assert "is no archive" in capsys.readouterr().err
