"""Whether an archive is what was signed, down to the last bit, and what is wrong where it is not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.clinic.archive._clock import of_the_future
from remission.clinic.archive._looked import is_shard, listed, sound, told_origin, unhex
from remission.clinic.archive._settling import read_promise
from remission.clinic.archive.witness import against_witness, read_witness
from remission.gold import disk
from remission.gold.archive import FOLDERS, LARGEST, stored_bytes
from remission.gold.contents import unpacked
from remission.gold.log import Fault, Log, log_file, pack_file, read_log, records_file
from remission.gold.signing import Checkpoint

_FILES = ("verify.py", "README.txt")
_ROOT = {*FOLDERS, *_FILES, ".lock"}
_HIDDEN_ENDS = {"log": ".jsonl", "records": ".jsonl", "packs": ".pack"}
Tell = Callable[[float, float], None]


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        faults: empty when everything is as it was signed.
        notes: what is no fault but should be known.
        checkpoint: the newest one that could be read.
        origin: of the archive.
        items: that are not erased; ``erased``: that are.
        witnessed: checkpoints kept elsewhere that this archive agrees with.
    """

    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    checkpoint: Checkpoint | None
    origin: str
    items: int
    erased: int
    witnessed: int

    @property
    def ok(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    def document(self) -> dict[str, Any]:
        """As plain values."""
        head = self.checkpoint
        return {
            "ok": self.ok,
            "faults": [one.table() for one in self.faults],
            "notes": list(self.notes),
            "origin": self.origin,
            "checkpoint": None
            if head is None
            else {"size": head.size, "time": head.time, "root": head.root, "key": head.key},
            "items": self.items,
            "erased": self.erased,
            "witnessed": self.witnessed,
        }


def verify(
    folder: Path, origin: str = "", witnesses: Sequence[Path] = (), wait: float = 60.0, tell: Tell | None = None
) -> Verification:
    """Check everything: names, log, roots, signatures, records, contents, and checkpoints kept elsewhere.

    Somebody who holds the key can sign another history, and anybody can put back an older state: both are found only with a
    witness, and a wholly different archive only with ``origin`` or a witness.

    Args:
        folder: of the archive; nothing is written.
        origin: what the archive must be, as told by somebody else than the archive.
        witnesses: files of checkpoints that were kept elsewhere.
        wait: seconds to wait for somebody who is writing.
        tell: told of progress.

    Raises:
        DataError: no archive, or no witness file. SpecError: an origin that is none.
    """
    origin = told_origin(origin)
    kept = [checkpoint for path in witnesses for checkpoint in read_witness(path)]
    with disk.explained(folder), disk.locked(folder / ".lock", False, wait):
        log = read_log(folder)
        looked = _Look(log, tell)
        looked.all()
    vouching = [one for one in kept if one.key in log.keys]
    faults, notes = [log.dated(one, vouching) for one in (*log.faults, *looked.faults)], looked.notes
    if origin and origin != log.origin:
        faults.append(
            Fault("origin", f"this is the archive {log.origin[:16]}..., not {origin[:16]}...", "log/00000000.jsonl")
        )
    trouble, agreed = against_witness(log, kept)
    faults += trouble
    if not origin and not kept:
        notes.append(
            "Neither an origin nor a witness was given: that the archive was not put back to an older state, or replaced as a "
            "whole, is not checked."
        )
    notes += of_the_future(log)
    head = next((one for one in reversed(log.checkpoints) if one is not None), None)
    left = len(log.items) - len(log.erased)
    return Verification(tuple(faults), tuple(notes), head, log.origin, left, len(log.erased), agreed)


class _Look:
    """Looks at all files of an archive whose log was read."""

    def __init__(self, log: Log, tell: Tell | None) -> None:
        self.log, self.folder, self.tell = log, log.folder, tell
        self.faults: list[Fault] = []
        self.notes: list[str] = []
        self.promise = read_promise(self.folder)
        self.erasing = self._erasing()
        self.loose: set[str] = set()  # of objects that should be there
        self.packed: dict[int, int] = {}  # pack -> bytes that entries account for

    def fault(self, kind: str, what: str, where: str, batch: int | None = None) -> None:
        self.faults.append(Fault(kind, what, where, batch=batch))

    def all(self) -> None:
        self._batches()
        self._names()
        self._fixed()
        self._incoming()

    def _incoming(self) -> None:
        left = [] if (self.folder / "incoming").is_symlink() else list(listed(self.folder / "incoming"))
        if any(entry.is_file(follow_symlinks=False) for entry in left):
            self.notes.append(
                "A command was interrupted; what it left in 'incoming' counts for nothing and goes with the next one that writes."
            )
        for entry in left:
            if not entry.is_file(follow_symlinks=False):
                what = "no plain file, and no command left it there: take it away, for it may stop whoever writes"
                self.fault("stray", what, f"incoming/{entry.name}")

    # --- what the log names ---------------------------------------------------------------------------------------

    def _batches(self) -> None:
        log = self.log
        for batch in range(len(log.firsts)):
            end = log.firsts[batch + 1] if batch + 1 < len(log.firsts) else log.size
            try:
                entries = self._of(batch, end)
            except (OSError, ValueError):
                continue  # the log has a fault there, told already
            try:
                self._records(batch, entries)
                self._contents(batch, entries)
            except (KeyError, IndexError, TypeError):
                if not log.faults:  # a broken log, which is told, may say anything
                    raise
            if self.tell is not None:
                self.tell(batch + 1, len(log.firsts))

    def _of(self, batch: int, end: int) -> list[dict[str, Any]]:
        import msgspec

        data = disk.read(log_file(self.folder, batch), most=LARGEST)
        found = []
        for number in range(self.log.firsts[batch], min(end, len(self.log.offsets))):
            try:
                entry = msgspec.json.decode(data[self.log.offsets[number] : self.log.ends[number]])
            except (msgspec.DecodeError, ValueError, RecursionError):
                continue
            if isinstance(entry, dict) and sound(entry):
                found.append(entry)
        return found

    def _records(self, batch: int, entries: list[dict[str, Any]]) -> None:
        path, name = records_file(self.folder, batch), f"records/{batch:08d}.jsonl"
        named = [entry for entry in entries if "record" in entry]
        try:
            data = disk.read(path, most=LARGEST)
        except OSError as error:
            if named:
                self._gone(error, name, batch, f"{len(named)} records")
            return
        at = 0
        for line, entry in enumerate(named, 1):
            text = data[entry["at"] : entry["at"] + entry["long"]]
            item = entry.get("item", entry.get("name", ""))
            where = f"{name}, line {line} ('{item}')"
            if entry["at"] != at or data[at + len(text) : at + len(text) + 1] != b"\n":
                self.fault("record", "records do not lie one a line behind the other", where, batch)
                return
            at += entry["long"] + 1
            if "record" in self.log.erased.get(entry.get("item", ""), ()):
                if text.strip(b" "):
                    self._not_erased("the record", entry, where)
            elif hashlib.sha256(text).hexdigest() != entry["record"]:
                self.fault("record", "the record is not what was signed", where, batch)
        if at != len(data):
            self.fault("record", f"{len(data) - at} bytes that belong to no entry", name, batch)

    def _contents(self, batch: int, entries: list[dict[str, Any]]) -> None:
        offset = 0
        for entry in entries:
            if entry["event"] != "ingest" or "as" in entry:
                continue
            if "pack" not in entry:
                self.loose.add(entry["content"])
                self._content(entry, f"objects/{entry['content'][:2]}/{entry['content']}", batch)
                continue
            where = f"packs/{batch:08d}.pack ('{entry['item']}')"
            if entry["pack"] != batch or entry["offset"] != offset:
                self.fault("content", "contents do not lie one behind the other", where, batch)
                return
            offset += entry["size"]
            self.packed[batch] = offset
        if batch not in self.packed:
            return
        name = f"packs/{batch:08d}.pack"
        try:
            data = disk.read(pack_file(self.folder, batch))
        except OSError as error:
            self._gone(error, name, batch, f"the contents of {sum('pack' in entry for entry in entries)} items")
            return
        packed = [entry for entry in entries if "pack" in entry]
        for entry in packed:
            self._bytes(entry, data[entry["offset"] : entry["offset"] + entry["size"]], name, batch)
        if len(data) > offset:
            self.fault("content", f"{len(data) - offset} bytes that belong to no entry", name, batch)
        elif len(data) < offset and bytes.fromhex(packed[-1]["content"]) in self.log.gone:  # else its hash has told it
            self.fault("content", f"it is cut off: {offset - len(data)} bytes are missing", name, batch)

    def _content(self, entry: dict[str, Any], name: str, batch: int) -> None:
        erased = bytes.fromhex(entry["content"]) in self.log.gone
        try:
            data = stored_bytes(self.folder, entry)
        except OSError as error:
            if not (erased and isinstance(error, FileNotFoundError)):
                self._gone(error, name, batch, f"the content of '{entry['item']}'")
            return
        if erased:
            self._not_erased("the content", entry, name)
        else:
            self._bytes(entry, data, name, batch)

    def _bytes(self, entry: dict[str, Any], stored: bytes, name: str, batch: int) -> None:
        where = f"{name} ('{entry['item']}')"
        if bytes.fromhex(entry["content"]) in self.log.gone:
            if stored.strip(b"\0"):
                self._not_erased("the content", entry, where)
            return
        if hashlib.sha256(stored).hexdigest() != entry["stored"]:
            short = " (it is cut off)" if len(stored) < entry["size"] else ""
            self.fault("content", f"the content of '{entry['item']}' is not what was signed{short}", where, batch)
            return
        content = unpacked(stored, entry["bytes"])
        if content is None or hashlib.sha256(content).hexdigest() != entry["content"]:
            self.fault("content", f"'{entry['item']}' was stored as something else than its hash says", where, batch)

    def _not_erased(self, what: str, entry: dict[str, Any], where: str) -> None:
        erased = entry["item"] if what == "the record" else bytes.fromhex(entry["content"])
        batch = self.log.batch_of(self.log.tombs[erased])
        if entry["content"] in self.erasing:  # anybody could have written the promise, so it excuses nothing
            said = "was to be erased, and is there: by what lies in 'incoming', a command was interrupted, and the next one that writes finishes it"
            self.fault("unfinished", f"{what} of '{entry['item']}' {said}", where, batch)
            return
        self.fault("not-erased", f"{what} of '{entry['item']}' was erased, and is there again", where, batch)

    def _erasing(self) -> set[str]:
        """Contents whose erasing an interrupted command had just begun: those of tombstones in the batch of its promise."""
        last = len(self.log.firsts) - 1
        if self.promise is None or self.promise["batch"] != last:
            return set()
        try:
            entries = self._of(last, self.log.size)
        except OSError:
            return set()
        return {entry["content"] for entry in entries if entry["event"] == "tombstone" and "content" in entry}

    def _gone(self, error: OSError, name: str, batch: int, what: str) -> None:
        kind, said = "missing", f"{what} cannot be had: {error.strerror or error}"
        path = self.folder / name
        if path.is_symlink():
            kind, said = "symlink", f"a link lies in place of {what}"
        elif path.exists() and not path.is_file():
            kind, said = "special", f"something that is no file lies in place of {what}"
        elif path.exists():
            kind = "unreadable"
        self.fault(kind, said, name, batch)

    # --- what the log does not name -------------------------------------------------------------------------------

    def _names(self) -> None:
        for entry in listed(self.folder):
            if entry.name not in _ROOT:
                self._stray(entry, entry.name, _ROOT)
        for folder in FOLDERS:
            path = self.folder / folder
            if path.is_symlink() or not path.is_dir():
                kind = "symlink" if path.is_symlink() else "special" if path.exists() else "missing"
                if kind != "missing" or folder != "incoming":  # it is empty, and copies often leave such folders out
                    self.fault(kind, "a folder of the archive is not there", folder, 0)
                continue
            if folder == "incoming":
                continue
            expected = self._expected(folder)
            for entry in listed(path):
                if folder == "objects":
                    self._shard(entry)
                elif entry.name not in expected or (
                    self._begun(entry.name) and not entry.is_file(follow_symlinks=False)
                ):
                    self._stray(entry, f"{folder}/{entry.name}", expected)

    def _expected(self, folder: str) -> set[str]:
        if folder == "objects":
            return set()
        batches = list(range(len(self.log.firsts)))
        ending = _HIDDEN_ENDS[folder]
        if folder == "packs":
            batches = list(self.packed)
        elif folder == "records":
            batches = [one for one in batches if self._has_records(one)]
        if self.promise is not None and folder != "log" and self.promise["batch"] == len(self.log.firsts):
            batches.append(self.promise["batch"])
        return {f"{batch:08d}{ending}" for batch in batches}

    def _begun(self, name: str) -> bool:
        """Whether it is of a batch that does not count yet, so that no entry tells when it is no file."""
        return int(name[:8]) >= len(self.log.firsts)

    def _has_records(self, batch: int) -> bool:
        end = self.log.firsts[batch + 1] if batch + 1 < len(self.log.firsts) else self.log.size
        try:
            return any("record" in entry for entry in self._of(batch, end))
        except OSError:
            return True

    def _shard(self, entry: os.DirEntry[str]) -> None:
        name = f"objects/{entry.name}"
        begun = self.promise is not None and self.promise["batch"] == len(self.log.firsts)
        promised = set(self.promise["objects"]) if self.promise is not None and begun else set()
        promised = {one for one in promised if unhex(one) not in self.log.gone}  # what is gone is never added again
        shards = {one[:2] for one in self.loose | promised}
        if not entry.is_dir(follow_symlinks=False) or not is_shard(entry.name):
            self._stray(entry, name, shards)
            return
        for inner in listed(Path(entry.path)):
            if inner.name in self.loose and inner.name[:2] == entry.name:
                continue
            if inner.name in promised and inner.name[:2] == entry.name and inner.is_file(follow_symlinks=False):
                continue
            where = f"{name}/{inner.name}"
            if (gone := unhex(inner.name)) in self.log.gone:
                batch = self.log.batch_of(self.log.tombs[gone])
                self.fault("not-erased", "something lies under the name of a content that was erased", where, batch)
            else:
                self._stray(inner, where, self.loose)

    def _stray(self, entry: os.DirEntry[str], where: str, expected: set[str]) -> None:
        folded, number = entry.name.casefold(), entry.name[:8]
        batch = (
            int(number)
            if where.startswith(("records/", "packs/")) and number.isdecimal() and number.isascii()
            else None
        )
        if batch is not None and batch >= len(self.log.firsts):
            batch = None  # of no batch that was signed
        clash = entry.name not in expected and any(one.casefold() == folded for one in expected)
        if clash:
            self.fault("case-clash", "a name that differs from one of the archive only in case", where, batch)
        else:
            self.fault("stray", "nothing in the log speaks of this", where, batch)

    def _fixed(self) -> None:
        try:
            opening = self.log.entry(0)
        except (OSError, ValueError, IndexError):
            return
        for name, key in (("verify.py", "verifier"), ("README.txt", "readme")):
            try:
                content = disk.read(self.folder / name, most=1 << 20)
            except OSError as error:
                self._gone(error, name, 0, "a file that came with the archive")
                continue
            if hashlib.sha256(content).hexdigest() != opening.get(key):
                self.fault("file", "a file that came with the archive was changed", name, 0)
        lock = self.folder / ".lock"
        if lock.is_symlink() or (lock.exists() and (not lock.is_file() or lock.stat().st_size)):
            self.fault("stray", "the lock is no empty file", ".lock")
