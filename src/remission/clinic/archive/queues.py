"""Queues of items for reviewers: which, in which order, and with planted items whose truth is known."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from remission.clinic.archive._shown import planted as planted_tasks
from remission.clinic.archive._shown import show
from remission.clinic.archive.changing import as_it_is, current
from remission.clinic.archive.record import checked_words, number_of
from remission.clinic.archive.writing import writing
from remission.errors import DataError, SpecError, StoreError, did_you_mean
from remission.gold import disk
from remission.gold.archive import Archive, now
from remission.gold.canonical import canonical, parse
from remission.gold.signing import Signer

By = Literal["random", "stratum", "disagreement"]
SCHEMA = "remission/archive-queue/1"


@dataclass(frozen=True)
class Queue:
    """A queue that was made.

    Attributes:
        name: of the queue.
        by: how items were chosen.
        tasks: how many, planted ones among them; ``planted``: those.
        strata: stratum -> (chosen, of how many).
        seed: of the choice.
        reviewed: how many of the items were reviewed before, in other queues.
        same_as: an earlier queue that was drawn with the same seed from the same items; empty: none was.
        file: for reviewers; ``key_file``: for the organiser, who alone knows which task is which.
        pictures: the folder with the pictures that ``file`` names; None when there are none.
    """

    name: str
    by: By
    tasks: int
    planted: int
    strata: dict[str, tuple[int, int]]
    file: Path
    key_file: Path
    pictures: Path | None
    seed: int
    reviewed: int
    same_as: str

    def document(self) -> dict[str, Any]:
        """As plain values."""
        strata = [{"stratum": name, "chosen": chosen, "items": of} for name, (chosen, of) in self.strata.items()]
        rest = {"queue": self.name, "by": self.by, "tasks": self.tasks, "planted": self.planted, "strata": strata}
        pictures = None if self.pictures is None else str(self.pictures)
        rest |= {"file": str(self.file), "key_file": str(self.key_file), "pictures": pictures}
        return rest | {"seed": self.seed, "reviewed": self.reviewed, "same_as": self.same_as}


def make_queue(
    folder: Path, signer: Signer, output: Path, *, by: By = "random", count: int = 100, stratum: str = "language",
    planted: Sequence[str | Path] = (), modality: str = "", seed: int | None = None, wait: float = 60.0,
) -> Queue:  # fmt: skip
    """Choose items for review and write ``output`` for reviewers and ``output``.key for the organiser.

    Pictures go into the folder ``output``.pictures, named by their tasks.

    The log keeps how the queue was chosen and a hash of the key file, so that nobody can choose another truth afterwards. The order
    of tasks follows from nothing that the log holds, and strata have numbers there: their names are in the key file only. Who has
    the archive, or only its log, can still tell items from planted documents by the hashes of their contents.

    Args:
        folder: of the archive.
        signer: its key.
        output: the file for reviewers, JSON lines of ``task`` and ``text``, or of ``task``, ``file``, ``format``, ``width``, ``height``
            and ``bytes`` for a picture; the order is random.
        by: ``random``: every item that is not erased is as likely; the share of human items is estimated from these.
            ``stratum``: as many of every stratum, weighted by its size afterwards. ``disagreement``: those whose detectors
            disagree most; nothing is estimated from these.
        count: items of the archive; at most as many as there are.
        stratum: the field of a record (or of its columns) that strata are named by.
        planted: files with documents of known truth (``label`` human or ai), or pictures in folders called human or ai, mixed in as
            if they were items; each once.
        modality: only items of this one (``text``, ``image``); empty: all.
        seed: of the choice of items; None: a new one. The log keeps it.
        wait: seconds to wait for other writers.

    Raises:
        DataError: no items, planted documents without labels, no detector evidence. StoreError: a file is there already.
    """
    key_file = _names(output, count)
    extra = planted_tasks(planted)
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    name, pictures = secrets.token_hex(6), output.with_name(output.name + ".pictures")
    with writing(folder, signer, wait) as writer:
        assert writer.archive is not None
        archive = writer.archive
        kinds = _Modalities(archive)
        live = _live(archive, kinds, modality)
        rng = np.random.Generator(np.random.PCG64(seed))
        chosen, strata = _chosen(archive, live, by, min(count, len(live)), stratum, rng)
        numbers = {one: str(at) if by == "stratum" else one for at, one in enumerate(sorted(strata), 1)}
        tasks = [{"item": item, "stratum": numbers[of]} for item, of in chosen] + extra
        secrets.SystemRandom().shuffle(tasks)  # the seed is in the log, for all to read
        listed = [{"task": f"{name}-{place:05d}", **one} for place, one in enumerate(tasks)]
        line = canonical(
            {
                "schema": SCHEMA,
                "queue": name,
                "origin": archive.origin,
                "by": by,
                "seed": seed,
                "nonce": secrets.token_hex(16),
            }
            | {"strata": {numbers[one]: list(of) for one, of in strata.items()}}
            | {"names": {number: one for one, number in numbers.items()}}
            | {"tasks": [{key: value for key, value in one.items() if key not in ("text", "file")} for one in listed]}
        )
        event = {"event": "queue", "queue": name, "by": by, "seed": seed, "items": len(chosen), "planted": len(extra)}
        event |= {"strata": {numbers[one]: of for one, (_, of) in strata.items()}, "of": len(live)}
        event |= {"modality": modality} if modality else {}
        event |= {"field": stratum} if by == "stratum" else {}
        reviewed, same_as = _before(archive, event, {item for item, _ in chosen})
        writer.event(event | {"commitment": hashlib.sha256(line).hexdigest(), "time": now()})
        with _all_or_none(key_file, output, pictures):
            shown = show(listed, pictures, pictures.name, archive.content, kinds.of)
            _write(key_file, line + b"\n", 0o600)
            _write(output, b"".join(canonical(one) + b"\n" for one in shown), 0o644)
            writer.commit()
    seen = pictures if pictures.exists() else None
    return Queue(name, by, len(listed), len(extra), strata, output, key_file, seen, seed, reviewed, same_as)


def _live(archive: Archive, kinds: _Modalities, modality: str) -> list[str]:
    live = sorted(item for item in archive.log.items if item not in archive.log.erased)
    live = [item for item in live if not modality or kinds.of(item) == modality]
    if not live:
        of = f"of modality {modality!r} " if modality else ""
        raise DataError(f"'{archive.folder}' holds no items {of}to review.")
    return live


@contextlib.contextmanager
def _all_or_none(key_file: Path, output: Path, pictures: Path) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        key_file.unlink(missing_ok=True)
        output.unlink(missing_ok=True)
        shutil.rmtree(pictures, ignore_errors=True)
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            raise StoreError(f"'{pictures}' cannot be written: {error.strerror or error}.") from None
        raise


def _before(archive: Archive, event: dict[str, Any], chosen: set[str]) -> tuple[int, str]:
    """How many of these items were reviewed before, and an earlier queue that must hold the same."""
    reviewed: set[str] = set()
    same, how = "", {name: event[name] for name in event if name not in ("queue", "planted")}
    for _, entry in archive.log.entries():
        if entry["event"] == "review":
            reviewed.add(entry["item"])
        elif entry["event"] == "queue" and event["by"] != "disagreement":
            told = {name: entry[name] for name in entry if name not in ("queue", "planted", "commitment", "time")}
            same = entry["queue"] if told == how else same
        elif entry["event"] in ("ingest", "tombstone", "amend"):
            same = ""  # the same seed chooses others
    return len(chosen & reviewed), same


class _Modalities:
    """What items are: as their records say, or later events."""

    def __init__(self, archive: Archive) -> None:
        self._archive, self._later = archive, current(archive)

    def of(self, item: str) -> str:
        later = self._later.get(item, {"changes": {}})["changes"]
        if "modality" in later or not _has_record(self._archive, item):
            return str(later.get("modality", "text"))
        return str(self._archive.record(item).get("modality", "text"))


def _names(output: Path, count: int) -> Path:
    key_file = output.with_name(output.name + ".key")
    for path in (output, key_file, output.with_name(output.name + ".pictures")):
        if path.exists():
            raise StoreError(f"'{path}' exists. A queue is never written over; choose another name.")
    if count < 1:
        raise SpecError(f"A queue has at least one item. Got {count}.")
    return key_file


def read_key(path: Path) -> tuple[dict[str, Any], str]:
    """The key of a queue and its hash. Raises DataError."""
    try:
        line = disk.read_given(path, 1 << 32).rstrip(b"\n")
    except OSError as error:
        raise DataError(f"The key of the queue, '{path}', cannot be read: {error.strerror or error}.") from None
    found = parse(line)
    if found is None or found.get("schema") != SCHEMA:
        raise DataError(f"'{path}' is no key of a queue. `remission archive review queue` writes it, ending in .key.")
    return found, hashlib.sha256(line).hexdigest()


def _chosen(
    archive: Archive, live: list[str], by: By, count: int, stratum: str, rng: np.random.Generator
) -> tuple[list[tuple[str, str]], dict[str, tuple[int, int]]]:
    if by == "random":
        places = rng.choice(len(live), count, replace=False)
        return [(live[place], "all") for place in places], {"all": (count, len(live))}
    later = current(archive)
    records = {item: as_it_is(archive.record(item), later.get(item)) for item in live if _has_record(archive, item)}
    if by == "stratum":
        return _by_stratum({item: _field(one, stratum) for item, one in records.items()}, stratum, count, rng)
    ranked = sorted(
        ((_disagreement(one["evidence"]), item) for item, one in records.items()), key=lambda one: (-one[0], one[1])
    )
    found = [(item, "disagreement") for value, item in ranked if value > 0][:count]
    if not found:
        raise DataError(
            "No two detectors disagree about any item. Add what they say with `remission archive evidence`, two of them at least."
        )
    return found, {"disagreement": (len(found), len(live))}


def _by_stratum(
    strata: dict[str, str], field: str, count: int, rng: np.random.Generator
) -> tuple[list[tuple[str, str]], dict[str, tuple[int, int]]]:
    groups: dict[str, list[str]] = {}
    for item, name in strata.items():
        groups.setdefault(name, []).append(item)
    if set(groups) == {""}:
        raise DataError(f"No record has a field '{field}' to choose by. Name another with --stratum.")
    if count < len(groups):
        raise DataError(
            f"{count} items are fewer than the {len(groups)} strata of '{field}'. Ask for more, or another field."
        )
    left, found, told = count, [], {}
    for place, (name, items) in enumerate(sorted(groups.items(), key=lambda one: (len(one[1]), one[0]))):
        take = min(len(items), math.ceil(left / (len(groups) - place)) if place else left // len(groups))
        left -= take
        found += [(items[at], name) for at in rng.choice(len(items), take, replace=False)]
        told[name] = (take, len(items))
    return found, told


def _has_record(archive: Archive, item: str) -> bool:
    return "record" not in archive.log.erased.get(item, ())


def _field(record: dict[str, Any], name: str) -> str:
    value = record.get(name, record.get("columns", {}).get(name, ""))
    return value if isinstance(value, str) else ""


def _disagreement(evidence: list[dict[str, Any]]) -> float:
    """How far detectors are apart about one item: 1 or more when their verdicts differ, else the range of their scores' ranks.

    Scores of different detectors have different scales; only those given as probabilities (0 .. 1) are compared.
    """
    found = [one for one in evidence if one["kind"] == "detector"]
    verdicts = {str(one["verdict"]) for one in found if one.get("verdict")}
    scores = [one["score"] for one in found if isinstance(one.get("score"), (int, float)) and 0 <= one["score"] <= 1]
    spread = max(scores) - min(scores) if len(scores) >= 2 else 0.0
    return (len(verdicts) - 1 if verdicts else 0) + float(spread)


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"'{path}' cannot be written: {error.strerror or error}.") from None


def read_answers(path: Path, reviewer: str) -> list[dict[str, Any]]:
    """Answers of reviewers: JSON lines or a CSV with ``task``, ``verdict`` and, if wanted, ``reviewer`` and ``seconds``.

    Raises:
        DataError: with the line of what cannot be used.
    """
    from remission.corpus._rows import rows

    if not path.is_file():
        raise DataError(f"There is no file of answers '{path}'.")
    found = []
    for number, row in rows(path, "text", False):
        if isinstance(row, str):
            raise DataError(f"'{path}', line {number}: {row}.")
        who, verdict = str(row.get("reviewer") or reviewer).strip(), str(row.get("verdict", "")).strip().lower()
        if not who:
            raise DataError(
                f"'{path}', line {number}: who reviewed it? Name them in a field 'reviewer', or with --reviewer."
            )
        if verdict not in VERDICTS:
            raise DataError(f"'{path}', line {number}: no verdict '{verdict[:40]}'. {did_you_mean(verdict, VERDICTS)}")
        checked_words(who, f"reviewer ({path.name}, line {number})")
        one: dict[str, Any] = {"task": str(row.get("task", "")).strip(), "reviewer": who, "verdict": verdict}
        if row.get("seconds") not in (None, ""):
            one["seconds"] = _seconds(row["seconds"], path, number)
        found.append(one)
    if not found:
        raise DataError(f"'{path}' holds no answers.")
    return found


VERDICTS = ("human", "machine", "unsure")


def _seconds(given: Any, path: Path, line: int | None) -> float:
    value = number_of(given)
    if not 0 <= value < 1e6:
        raise DataError(f"'{path}', line {line}: {json.dumps(given)} is no number of seconds.")
    return value
