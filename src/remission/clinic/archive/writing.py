"""Write to an archive: batches that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from remission.clinic.archive._clock import check_clock
from remission.clinic.archive._settling import erase, own_folders, settle
from remission.clinic.archive.readme import README, verifier
from remission.errors import DataError, StoreError
from remission.gold import disk
from remission.gold import log as logs
from remission.gold.archive import FOLDERS, LARGEST, Archive, now
from remission.gold.canonical import canonical
from remission.gold.contents import packed
from remission.gold.log import FORMAT, Log, log_file, object_file, pack_file, read_log, records_file
from remission.gold.merkle import leaf_hash
from remission.gold.signing import Checkpoint, Signer

_CLOSING = 2000  # more bytes than the line of a checkpoint has
LOOSE = 1 << 16  # compressed bytes from which a content has a file of its own
BATCH, BATCH_BYTES = 10_000, 64 << 20  # entries, and bytes of all that is written, after which a batch is closed
RECORD = 64 << 20  # bytes of a record
LOST = 10.0  # seconds to wait for whoever writes after the lock was lost


def create(folder: Path, name: str, signer: Signer) -> Archive:
    """Make an archive. Raises StoreError when the folder is not empty, SpecError for an unusable name."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"'{folder}' is there and not empty. An archive begins in a new folder.")
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise DataError(f"The name of an archive has 1 to 100 printable characters. Got '{name[:100]}'.")
    code = verifier()
    with disk.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for one in FOLDERS:
            disk.make_folder(folder / one)
        for file, content in (("verify.py", code), ("README.txt", README)):
            disk.write_new(folder / file, content)
        opening = {
            "event": "open", "format": FORMAT, "name": name, "key": signer.key, "created": now(),
            "nonce": secrets.token_hex(16), "verifier": hashlib.sha256(code).hexdigest(),
            "readme": hashlib.sha256(README).hexdigest(),
        }  # fmt: skip
        log = Log(folder)
        log.origin = leaf_hash(canonical(opening)).hex()
        log.keys.append(signer.key)
        with disk.alone(folder / ".lock") as held:
            writer = Writer(log, signer, held=held)
            writer.event(opening)
            writer.commit()
    return Archive(folder)


@contextlib.contextmanager
def writing(folder: Path, signer: Signer, wait: float = 60.0) -> Iterator[Writer]:
    """Hold an archive for writing, alone; others wait. What an interrupted command left is put right first.

    What was not committed at the end is thrown away.

    Raises:
        StoreError: the last checkpoint lies in the future (see :func:`remission.clinic.archive._clock.signing_ahead`), somebody else holds it, the disk is full or cannot be written, the key is not the archive's, or the lock was
            taken away, so that somebody else may write at the same time.
        VerificationError: the log is not as it was signed; nothing is ever signed on top of that.
    """
    if not (folder / "log").is_dir():
        raise DataError(f"'{folder}' is no archive: it has no folder 'log'. `remission archive init` makes one.")
    with disk.explained(folder), disk.alone(folder / ".lock", wait) as held:
        archive = Archive(folder)
        if signer.key != archive.log.keys[-1]:
            raise StoreError(
                f"This key ({signer.key[:16]}...) is not the one that signs '{folder}' now ({archive.log.keys[-1][:16]}...). "
                "Give the file of that key with --key."
            )
        settle(archive.log)
        check_clock(archive.log)
        yield Writer(archive.log, signer, archive, held)


class Writer:
    """Gathers events and makes them part of the archive, a batch at a time."""

    def __init__(
        self, log: Log, signer: Signer, archive: Archive | None = None, held: Callable[[], bool] = lambda: True
    ) -> None:
        """See :func:`writing`; ``held``: whether nobody else can write."""
        self.log, self.signer, self.archive, self._held = log, signer, archive, held
        self.folder = log.folder
        self._clear()

    def _clear(self) -> None:
        self._entries: list[dict[str, Any]] = []
        self._lines: list[bytes] = []
        self._records: list[bytes] = []
        self._pack: list[bytes] = []
        self._loose: dict[str, bytes] = {}
        self._made: list[Path] = []  # files of this batch
        self._new: dict[bytes, int] = {}  # contents of this batch -> entry
        self._items: dict[str, tuple[str, str]] = {}  # of this batch -> hashes of content and record
        self._at = self._offset = self._weight = self._long = 0

    @property
    def pending(self) -> int:
        """Events of the batch so far."""
        return len(self._lines)

    def ingest(self, item: str, content: bytes, record: dict[str, Any]) -> bool:
        """Add an item to the batch, which is closed by itself when it is large; False when it is there already.

        Raises:
            DataError: the id is there with another content or record, the content was erased, or it is too large.
        """
        return self.ingest_line(item, content, canonical(record))

    def ingest_line(self, item: str, content: bytes, line: bytes) -> bool:
        """As :meth:`ingest`, with the record as canonical JSON."""
        sha = hashlib.sha256(content)
        if self._has(item, sha, len(content), line):
            return False
        entry: dict[str, Any] = {"event": "ingest", "item": item, "content": sha.hexdigest(), "bytes": len(content)}
        first = self._new.get(sha.digest())
        if first is None:
            first = self.log.holder(sha.digest())
        if first is not None:
            entry["as"] = first
        else:
            entry |= self._store(sha.hexdigest(), content)
            self._new[sha.digest()] = self.log.size + len(self._lines)
        self._items[item] = (sha.hexdigest(), hashlib.sha256(line).hexdigest())
        self.event(entry, line)
        if len(self._lines) >= BATCH or self._weight + self._at + self._long >= BATCH_BYTES:
            self.commit()
        return True

    def has(self, item: str, content: bytes, line: bytes) -> bool:
        """Whether :meth:`ingest_line` would find it there already. Raises DataError as it does, and changes nothing."""
        return self._has(item, hashlib.sha256(content), len(content), line)

    def _has(self, item: str, sha: Any, size: int, line: bytes) -> bool:
        if sha.digest() in self.log.gone:
            raise DataError(f"the content of '{item}' was erased once, on request; it cannot come back")
        if self._known(item, sha.hexdigest(), line):
            return True
        if size > LARGEST:
            raise DataError(f"'{item}' has {size:,} bytes; at most {LARGEST:,} are taken")
        if len(line) > RECORD:
            raise DataError(f"the record of '{item}' has {len(line):,} bytes; at most {RECORD:,} are taken")
        return False

    def _known(self, item: str, content: str, record: bytes) -> bool:
        """Whether exactly this item is there. Raises DataError when another of its name is."""
        digest = hashlib.sha256(record).hexdigest()
        if item in self._items:
            there = self._items[item]
        elif (number := self.log.items.get(item)) is not None:
            entry = self.log.entry(number)
            there = (entry["content"], entry["record"])
        else:
            return False
        if there[0] != content:
            raise DataError(
                f"'{item}' is there with a different content. An id never changes its meaning; choose another"
            )
        if there[1] != digest:
            raise DataError(f"'{item}' is there with a different record. Change it with `remission archive amend`")
        return True

    def _store(self, sha: str, content: bytes) -> dict[str, Any]:
        stored = packed(content)
        self._weight += len(stored)
        fields = {"stored": hashlib.sha256(stored).hexdigest(), "size": len(stored)}
        if len(stored) >= LOOSE:
            self._loose[sha] = stored
            return fields
        fields |= {"pack": len(self.log.firsts), "offset": self._offset}
        self._offset += len(stored)
        self._pack.append(stored)
        return fields

    def event(self, entry: dict[str, Any], record: bytes | None = None) -> int:
        """Add an event to the batch, with a record (canonical JSON) where it has one; the number it will have.

        Raises:
            DataError: the batch becomes larger than a file of the log is read. Nothing of it is written then.
        """
        if record is not None:
            entry |= {"record": hashlib.sha256(record).hexdigest(), "at": self._at, "long": len(record)}
            self._records.append(record + b"\n")
            self._at += len(record) + 1
        line = canonical(entry)
        self._long += len(line) + 66  # with its hash, a blank, and the end of the line
        if max(self._long + _CLOSING, self._at) > logs.LARGEST:
            self._clear()
            raise DataError(
                f"This command says more than the {logs.LARGEST:,} bytes that one batch of the log can hold, and nothing of it was "
                "written. Give it fewer items at once."
            )
        self._entries.append(entry)
        self._lines.append(line)
        return self.log.size + len(self._lines) - 1

    def commit(self) -> Checkpoint | None:
        """Make the batch part of the archive: when this returns it is on the disk, signed. None when it is empty."""
        if not self._lines:
            return None
        self._alone()
        log, batch = self.log, len(self.log.firsts)
        tree = log.tree.copy()
        hashes = [leaf_hash(line) for line in self._lines]
        for leaf in hashes:
            tree.append(leaf)
        check_clock(log)
        last = log.checkpoints[-1] if log.checkpoints else None
        time = now() if last is None else max(now(), last.time)
        checkpoint = self.signer.sign(Checkpoint(log.origin, tree.size, tree.root().hex(), time, ""))
        lines = [leaf.hex().encode() + b" " + line for leaf, line in zip(hashes, self._lines, strict=True)]
        text = b"\n".join([*lines, b"checkpoint " + checkpoint.line(), b""])
        try:
            self._write(batch, text)
        except (OSError, StoreError):
            with contextlib.suppress(OSError, StoreError):
                self._take_back(batch)
            self._clear()
            raise
        self._note(batch, lines, tree, checkpoint)
        if any(entry["event"] == "tombstone" for entry in self._entries):
            erase(log, self._entries)
        self._finish()
        self._clear()
        return checkpoint

    def _write(self, batch: int, text: bytes) -> None:
        """The promise first, then contents and records, the log last: that it gets its name is what counts."""
        folder, incoming = self.folder, self.folder / "incoming"
        part = incoming / f"{secrets.token_hex(8)}.part"  # of a name that no other writer takes for its own
        own_folders(folder)
        disk.make_folder(incoming)
        promise = {"batch": batch, "objects": sorted(self._loose)}
        self._put(part, canonical(promise))
        disk.publish(part, incoming / "promise.json")
        if self._pack:
            self._put(pack_file(folder, batch), b"".join(self._pack))
            disk.sync_folder(folder / "packs")
        for sha, stored in self._loose.items():
            path = object_file(folder, sha)
            if disk.make_folder(path.parent):
                disk.sync_folder(folder / "objects")
            self._put(path, stored)
            disk.sync_folder(path.parent)
        if self._records:
            self._put(records_file(folder, batch), b"".join(self._records))
            disk.sync_folder(folder / "records")
        self._put(part, text)
        self._alone()
        disk.publish(part, log_file(folder, batch))

    def _put(self, path: Path, content: bytes) -> None:
        disk.write_new(path, content)
        self._made.append(path)

    def _take_back(self, batch: int) -> None:
        """Remove what was written of a batch that does not count; where the lock was lost, after taking the one that is there now."""
        if self._held():
            if not log_file(self.folder, batch).exists():  # else it counts, and the next command finishes what it began
                settle(self.log)
            return
        with disk.alone(self.folder / ".lock", LOST):
            log = read_log(self.folder)
            if log.faults:
                return
            settle(log)
            for path in self._made:
                loose = path.parent.parent.name == "objects"
                if log.holder(bytes.fromhex(path.name)) is None if loose else batch >= len(log.firsts):
                    disk.remove(path)

    def _alone(self) -> None:
        if not self._held():
            raise StoreError(
                f"The file '{self.folder / '.lock'}' was taken away or replaced while this command worked, so another may be writing. "
                "What this one had not acknowledged was not written; run it again. Leave that file alone."
            )

    def _note(self, batch: int, lines: list[bytes], tree: Any, checkpoint: Checkpoint) -> None:
        log, start = self.log, 0
        log.firsts.append(log.size)
        for place, (entry, line) in enumerate(zip(self._entries, lines, strict=True)):
            log.offsets.append(start + 65)
            log.ends.append(start + len(line))
            start += len(line) + 1
            reason = log.take(log.firsts[-1] + place, entry, batch)
            if reason:
                raise AssertionError(reason)
        log.tree = tree
        log.checkpoints.append(checkpoint)

    def _finish(self) -> None:
        if self._held():  # else it may be of another writer
            disk.remove(self.folder / "incoming" / "promise.json")
        disk.sync_folder(self.folder / "incoming")
