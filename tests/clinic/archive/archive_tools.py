"""Small archives with everything in them, and the same in memory."""

from __future__ import annotations

import importlib.util
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from remission.clinic.archive import writing as writing_module
from remission.clinic.archive.changing import add_evidence, amend, erase_items, rotate
from remission.clinic.archive.witness import add_to_witness
from remission.clinic.archive.writing import create, writing
from remission.errors import DataError
from remission.gold.archive import Archive
from remission.gold.signing import Signer, new_signer


def record_of(item: str, **more: Any) -> dict[str, Any]:
    return {"id": item, "licence": "CC0-1.0", "collected": "2019-04-01", "dated_by": "dated-snapshot"} | more


@dataclass
class Model:
    """What an archive should hold: a plain dict for each thing, and no hashes at all."""

    contents: dict[str, bytes | None] = field(default_factory=dict)
    records: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    amended: dict[str, dict[str, str]] = field(default_factory=dict)
    erased_contents: set[bytes] = field(default_factory=set)
    events: int = 1


class Made:
    """An archive made by random operations, and its model."""

    def __init__(self, folder: Path, seed: int, steps: int = 12, loose: int = 300) -> None:
        self.random = random.Random(seed)
        self.folder = folder / "archive"
        self.signer: Signer = new_signer(folder / "key-0")
        self.where, self.keys, self.model = folder, 1, Model()
        self.loose = loose
        create(self.folder, "made at random", self.signer)
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        chosen = self.random.choice(["add", "add", "add", "again", "erase", "amend", "evidence", "rotate", "conflict"])
        getattr(self, chosen)()

    def add(self) -> None:
        model, rng = self.model, self.random
        before = writing_module.LOOSE
        writing_module.LOOSE = self.loose
        try:
            with writing(self.folder, self.signer) as writer:
                for _ in range(rng.randint(1, 5)):
                    item = f"item-{len(model.contents)}"
                    live = [one for one in model.contents.values() if one is not None]
                    content = (
                        rng.choice(live) if live and rng.random() < 0.3 else rng.randbytes(rng.choice([0, 1, 40, 900]))
                    )
                    if content in model.erased_contents:
                        continue
                    record = record_of(item, note="\u20ac" * rng.randint(0, 3))
                    assert writer.ingest(item, content, record)
                    model.contents[item], model.records[item] = content, record
                    model.events += 1
                    if rng.random() < 0.2:
                        writer.commit()
                writer.commit()
                writer.ingest("never committed", b"x", record_of("never committed"))
        finally:
            writing_module.LOOSE = before

    def again(self) -> None:
        live = self.live()
        if live:
            item = self.random.choice(live)
            with writing(self.folder, self.signer) as writer:
                assert not writer.ingest(item, self.model.contents[item] or b"", self.model.records[item] or {})
                assert writer.commit() is None

    def conflict(self) -> None:
        live = self.live()
        if live:
            item = self.random.choice(live)
            with writing(self.folder, self.signer) as writer:
                for content, record in ((b"other", self.model.records[item]), (self.model.contents[item], {"id": "z"})):
                    try:
                        writer.ingest(item, content or b"", record or {})
                    except DataError:
                        continue
                    raise AssertionError("a conflict was taken")

    def erase(self) -> None:
        live = self.live()
        if not live:
            return
        item, model = self.random.choice(live), self.model
        content = model.contents[item]
        copies = [one for one in live if model.contents[one] == content]
        keep = self.random.random() < 0.5
        erase_items(self.folder, self.signer, [item], "on request", "us", keep_record=keep, all_copies=True)
        model.erased_contents.add(content or b"")
        for one in copies:
            model.contents[one] = None
            if not keep:
                model.records[one] = None
        model.events += len(copies)

    def amend(self) -> None:
        live = self.live()
        if live:
            item = self.random.choice(live)
            change = {"licence": self.random.choice(["MIT", "CC-BY-4.0"])}
            amend(self.folder, self.signer, [item], change, "asked the author", "us")
            self.model.amended[item] = change
            self.model.events += 1

    def evidence(self) -> None:
        live = self.live()
        if live:
            found = {"kind": "detector", "name": "d", "version": "1", "score": self.random.random()}
            add_evidence(self.folder, self.signer, [(self.random.choice(live), found)], "us")
            self.model.events += 1

    def rotate(self) -> None:
        new = new_signer(self.where / f"key-{self.keys}")
        rotate(self.folder, self.signer, new)
        self.signer, self.keys = new, self.keys + 1
        self.model.events += 1

    def live(self) -> list[str]:
        return [item for item, content in self.model.contents.items() if content is not None]

    def check(self) -> None:
        """The archive holds what the model holds, and nothing else."""
        archive, model = Archive(self.folder), self.model
        assert archive.log.size == model.events
        assert set(archive.log.items) == set(model.contents)
        for item, content in model.contents.items():
            if content is None:
                assert item in archive.log.erased
            else:
                assert archive.content(item) == content
            kept = model.records[item]
            if kept is not None:
                assert archive.record(item) == kept


BATCHES, EACH = 4, 5


def make_whole(place: Path) -> None:
    """Checkpoints of 1, 6, 11, 16, 21, 22 (an amendment) and 23 (an erasure) entries; ``earlier`` is a copy from before the last two."""
    signer = new_signer(place / "key")
    create(place / "archive", "faults", signer)
    rng = random.Random(5)
    with writing(place / "archive", signer) as writer:
        for batch in range(BATCHES):
            for number in range(EACH):
                item = f"{batch}-{number}"
                writer.ingest(item, rng.randbytes(70_000 if number == 4 else 60), record_of(item))
            writer.commit()
    shutil.copytree(place / "archive", place / "earlier")
    amend(place / "archive", signer, ["1-1"], {"licence": "MIT"}, "a better one", "us")
    erase_items(place / "archive", signer, ["0-0"], "on request", "us")
    add_to_witness(place / "witness", Archive(place / "archive").log)


def standalone() -> ModuleType:
    """The verifier that imports nothing of ours, as a module."""
    path = Path(writing_module.__file__).with_name("standalone_verify.py")
    spec = importlib.util.spec_from_file_location("standalone", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rejects(module: ModuleType, folder: Path, origin: str = "", witness: str = "") -> bool:
    """Whether the stand-alone verifier finds something wrong."""
    try:
        module.archive(folder, origin, witness)
    except (SystemExit, Exception):
        return True
    return False
