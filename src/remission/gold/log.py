"""The log: events in batches, each batch closed by a signed checkpoint over everything up to it.

A line is the leaf hash in hexadecimal digits, a blank, and the event as canonical JSON; the last line is the word
``checkpoint`` and the checkpoint. Leaf hashes could be computed; they stand there so that damage can be located.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from remission.errors import DataError, VerificationError
from remission.gold import disk
from remission.gold.index import Items, Places
from remission.gold.merkle import Tree
from remission.gold.signing import Checkpoint, is_introduced, read_checkpoint

FORMAT = 1
LARGEST = 1 << 30  # bytes of a log file
_decode = msgspec.json.decode


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was signed.

    Attributes:
        kind: a word for what is wrong.
        what: in words.
        where: file and, where known, line or item.
        since: the first checkpoint that says otherwise: it vouches for what was there before. None when no checkpoint that is
            left, or was kept elsewhere, speaks of it: it was added, or comes after all of them.
        after: the last checkpoint that does not speak of it yet, so that it is younger; None when ``since`` is the first of all.
        batch: of the log, that it belongs to; None: to no batch.
    """

    kind: str
    what: str
    where: str
    since: Checkpoint | None = None
    after: Checkpoint | None = None
    batch: int | None = None

    def table(self) -> dict[str, Any]:
        """As plain values."""
        points = {"since": self.since, "after": self.after}
        told = {name: None if one is None else {"size": one.size, "time": one.time} for name, one in points.items()}
        return {"kind": self.kind, "what": self.what, "where": self.where} | told


@dataclass
class Log:
    """What the log says, as far as it holds.

    Attributes:
        folder: of the archive.
        tree: of all entries.
        checkpoints: of every batch; None where its line is broken.
        firsts: number of the first entry of each batch.
        offsets: where the JSON of each entry begins in its file, and where it ends.
        items: item -> number of the entry that brought it.
        contents: numbers of the entries that stored a content, by the first 64 bits of its hash; see :meth:`holder`.
        erased: item -> what of it was erased.
        gone: hashes of contents that were erased.
        tombs: item, or hash of a content -> number of the first entry that says that its record, or it, was erased.
        keys: public keys that signed, in order.
        faults: what is wrong with it.
        strange: batches whose checkpoint is not by the key that should have signed it, or is of another archive.
    """

    folder: Path
    tree: Tree = field(default_factory=Tree)
    checkpoints: list[Checkpoint | None] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    offsets: array[int] = field(default_factory=lambda: array("I"))
    ends: array[int] = field(default_factory=lambda: array("I"))
    items: Items = field(init=False)
    contents: Places = field(default_factory=Places)
    erased: dict[str, tuple[str, ...]] = field(default_factory=dict)
    gone: set[bytes] = field(default_factory=set)
    tombs: dict[str | bytes, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    strange: set[int] = field(default_factory=set)
    origin: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        self.items = Items(lambda number: str(self.entry(number).get("item")), self._names)

    @property
    def head(self) -> Checkpoint:
        """The newest checkpoint."""
        last = self.checkpoints[-1] if self.checkpoints else None
        if last is None:
            raise VerificationError(
                f"The newest checkpoint of '{self.folder}' is damaged. Run `remission archive verify`."
            )
        return last

    @property
    def size(self) -> int:
        """Entries."""
        return self.tree.size

    def batch_of(self, number: int) -> int:
        """The batch that an entry is in."""
        import bisect

        return bisect.bisect_right(self.firsts, number) - 1

    def since(self, batch: int) -> Checkpoint | None:
        """The first checkpoint that covers a batch."""
        return next((one for one in self.checkpoints[batch:] if one is not None), None)

    def dated(self, fault: Fault, kept: Sequence[Checkpoint] = ()) -> Fault:
        """A fault with the checkpoints before and from which it counts: of the log, and of those ``kept`` elsewhere."""
        ours = [one for at, one in enumerate(self.checkpoints) if one is not None and at not in self.strange]
        kept = [one for one in kept if one.origin == self.origin]
        if (
            fault.batch is None
        ):  # a witness says since when itself; of what was added no checkpoint speaks, the newest neither
            return fault if fault.since is not None else replace(fault, after=max(ours, key=_size, default=None))
        early = [
            one for at, one in enumerate(self.checkpoints[: fault.batch]) if one is not None and at not in self.strange
        ]
        after = max(early, key=_size, default=None)
        bound = max(0 if after is None else after.size, self.firsts[fault.batch])
        late = [one for one in (*ours, *kept) if one.size > bound]
        return replace(fault, since=min(late, key=_size, default=None), after=after)

    def line(self, number: int) -> bytes:
        """The JSON of an entry."""
        start, end = self.offsets[number], self.ends[number]
        return disk.read(log_file(self.folder, self.batch_of(number)), start, end - start)

    def entry(self, number: int) -> dict[str, Any]:
        """An entry."""
        return dict(_decode(self.line(number)))

    def entries(self, first: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """Entries with their numbers, from ``first`` on."""
        for batch in range(self.batch_of(first), len(self.firsts)):
            data = disk.read(log_file(self.folder, batch), most=LARGEST)
            end = self.firsts[batch + 1] if batch + 1 < len(self.firsts) else self.size
            for number in range(max(first, self.firsts[batch]), end):
                yield number, _decode(data[self.offsets[number] : self.ends[number]])

    def _names(self, numbers: array[int]) -> Iterator[tuple[str, int]]:
        waiting = iter(numbers)
        wanted = next(waiting, -1)
        for number, entry in self.entries() if wanted >= 0 else ():
            if number == wanted:
                yield entry["item"], number
                wanted = next(waiting, -1)

    def holder(self, content: bytes) -> int | None:
        """The entry that stored the content with this hash (32 bytes); None when none did."""
        found = self.contents.find(short(content))
        return next((one for one in found if self.entry(one)["content"] == content.hex()), None)

    def leaves(self, size: int | None = None) -> list[bytes]:
        """The leaf hashes of the first ``size`` entries."""
        size, found = self.size if size is None else size, []
        for batch in range(len(self.firsts)):
            data = disk.read(log_file(self.folder, batch), most=LARGEST)
            end = self.firsts[batch + 1] if batch + 1 < len(self.firsts) else self.size
            for number in range(self.firsts[batch], min(end, size)):
                start = self.offsets[number] - 65
                found.append(bytes.fromhex(data[start : start + 64].decode("ascii")))
        return found

    def take(self, number: int, entry: dict[str, Any], batch: int) -> str:
        """Note what an entry says; a reason when it cannot be, given what was said before."""
        event = entry.get("event")
        if event == "ingest":
            item, content = entry["item"], bytes.fromhex(entry["content"])
            if item in self.items:
                return f"the item '{item}' is ingested twice"
            first = entry.get("as")
            if first is None and self.holder(content) is not None:
                return "a content is stored twice"
            if first is not None and first not in self.contents.find(short(content)):
                return "it points to an entry that did not bring this content"
            self.items.note(item, number)
            if first is None:
                self.contents.add(short(content), number)
        elif event == "tombstone":
            item = entry["item"]
            if item not in self.items:
                return f"it erases an item '{item}' that was never ingested"
            self.erased[item] = tuple(dict.fromkeys([*self.erased.get(item, ()), *entry["erased"]]))
            if "record" in entry["erased"]:
                self.tombs.setdefault(item, number)
            if "content" in entry["erased"]:
                self.gone.add(bytes.fromhex(entry["content"]))
                self.tombs.setdefault(bytes.fromhex(entry["content"]), number)
        elif event == "key":
            if not is_introduced(self.origin, entry["key"], entry["proof"]):
                return "the new key is not introduced by its holder"
            self.keys.append(entry["key"])
        elif event == "open" and number > 0:
            return "an archive begins twice"
        return ""


def short(content: bytes) -> int:
    """The first 64 bits of a hash."""
    return int.from_bytes(content[:8])


def log_file(folder: Path, batch: int) -> Path:
    """The file of a batch in the log."""
    return folder / "log" / f"{batch:08d}.jsonl"


def records_file(folder: Path, batch: int) -> Path:
    """The file with the records of a batch."""
    return folder / "records" / f"{batch:08d}.jsonl"


def pack_file(folder: Path, batch: int) -> Path:
    """The file with the small contents of a batch."""
    return folder / "packs" / f"{batch:08d}.pack"


def object_file(folder: Path, content: str) -> Path:
    """The file of a large content."""
    return folder / "objects" / content[:2] / content


def read_log(folder: Path) -> Log:
    """Read and check the whole log: hashes, roots, signatures, and that events make sense one after another.

    Never stops at a fault: what is wrong is listed in ``faults``. Raises DataError when there is no log at all.
    """
    log = Log(folder)
    place = folder / "log"
    if place.is_symlink() or not place.is_dir():
        raise DataError(f"'{folder}' is no archive: it has no folder 'log'. `remission archive init` makes one.")
    names = sorted(path.name for path in place.iterdir())
    numbers = [
        int(name[:8]) for name in names if name == f"{name[:8]}.jsonl" and name[:8].isdecimal() and name.isascii()
    ]
    if not numbers:
        raise DataError(f"'{folder}' is no archive: its log is empty. `remission archive init` makes one.")
    most = 2 * len(numbers) + 1000  # a file that claims to be later than that is no batch, but a stray
    for batch in range(max((one for one in numbers if one < most), default=0) + 1):
        _Batch(log, batch).read()
    log.faults = [log.dated(one) for one in log.faults]
    return log


def _size(checkpoint: Checkpoint) -> int:
    return checkpoint.size


class _Batch:
    """One file of the log."""

    def __init__(self, log: Log, number: int) -> None:
        self.log, self.number = log, number
        self.name = f"log/{number:08d}.jsonl"

    def fault(self, kind: str, what: str, line: int | None = None) -> None:
        where = self.name + (f", line {line}" if line else "")
        self.log.faults.append(Fault(kind, what, where, batch=self.number))

    def read(self) -> None:
        log = self.log
        log.firsts.append(log.size)
        try:
            data = disk.read(log_file(log.folder, self.number), most=LARGEST)
        except OSError as error:
            path = log_file(log.folder, self.number)
            kind = "symlink" if path.is_symlink() else "unreadable" if path.exists() else "missing"
            self.fault(kind, f"a batch of the log cannot be had: {error.strerror or error}")
            log.checkpoints.append(None)
            return
        lines = data.split(b"\n")
        if lines[-1] != b"" or len(lines) < 3:
            self.fault("truncated", "the file does not end with a whole checkpoint")
        checkpoint = self._checkpoint(lines[-2] if len(lines) > 1 else b"")
        log.checkpoints.append(checkpoint)
        self._entries(lines[:-2], checkpoint)

    def _checkpoint(self, line: bytes) -> Checkpoint | None:
        word, _, content = line.partition(b" ")
        checkpoint = read_checkpoint(content) if word == b"checkpoint" else None
        if checkpoint is None:
            self.fault("checkpoint", "the checkpoint is not as it was written")
        elif not checkpoint.is_signed:
            self.fault("signature", "the signature does not fit the checkpoint")
            return None
        return checkpoint

    def _entries(self, lines: list[bytes], checkpoint: Checkpoint | None) -> None:
        log, start = self.log, 0
        stated: list[bytes] = []
        computed: list[bytes] = []
        broken: list[int] = []
        key_before, keys = log.keys[-1] if log.keys else None, len(log.keys)
        for place, line in enumerate(lines):
            entry = line[65:]
            digest = hashlib.sha256(b"\x00" + entry)
            computed.append(digest.digest())
            if line[:65] == digest.hexdigest().encode() + b" ":
                stated.append(computed[-1])
            else:
                broken.append(place)
                stated.append(_unhex(line[:64]))
            log.offsets.append(start + 65)
            log.ends.append(start + len(line))
            start += len(line) + 1
        self._root(stated, computed, broken, checkpoint)
        bad = set(broken)
        for place, line in enumerate(lines):
            self._event(log.firsts[-1] + place, line[65:], place, place in bad)
        if checkpoint is not None:
            self._signer(checkpoint, key_before or (log.keys[0] if log.keys else None))
            if self.number in log.strange:  # nobody is introduced by a stranger
                del log.keys[max(keys, 1) :]

    def _root(
        self, stated: list[bytes], computed: list[bytes], broken: list[int], checkpoint: Checkpoint | None
    ) -> None:
        log = self.log
        trees = []
        for leaves in (stated, computed) if broken else (computed,):
            tree = log.tree.copy()
            for leaf in leaves:
                tree.append(leaf)
            trees.append(tree)
        signed = None if checkpoint is None else (checkpoint.size, checkpoint.root)
        fits = next((tree for tree in trees if (tree.size, tree.root().hex()) == signed), None)
        for place in broken:
            self.fault("entry", "an entry is not as it was signed", place + 1)
        log.tree = fits or trees[-1]
        if fits is not None or checkpoint is None:
            return
        if any(one.kind in ("root", "missing", "unreadable", "checkpoint", "signature") for one in log.faults):
            return  # told already: with one batch broken no later root can be right
        count = checkpoint.size - log.firsts[-1]
        if count != len(computed):
            self.fault(
                "root", f"{len(computed)} entries where {count} were signed: some were inserted, doubled or deleted"
            )
        else:
            first, last = log.firsts[-1], log.firsts[-1] + len(computed) - 1
            self.fault("root", f"entries {first} to {last} are not those that were signed, or not in that order")

    def _event(self, number: int, line: bytes, place: int, known: bool) -> None:
        log = self.log
        try:
            entry = _decode(line)
            if number == 0:
                self._opening(entry, line)
            reason = log.take(number, entry, self.number)
        except (msgspec.DecodeError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"an entry cannot be understood: {type(error).__name__}"
        if reason and not known:
            self.fault("event", reason, place + 1)

    def _opening(self, entry: dict[str, Any], line: bytes) -> None:
        log = self.log
        if entry["event"] != "open" or entry["format"] != FORMAT:
            self.fault("event", "the log does not begin with an opening that this version can read", 1)
        log.origin = hashlib.sha256(b"\x00" + line).hexdigest()
        log.name = str(entry["name"])
        log.keys.append(entry["key"])

    def _signer(self, checkpoint: Checkpoint, key: str | None) -> None:
        log = self.log
        anchored = self.number > 0 and not any(one.batch == 0 for one in log.faults)
        if key is not None and checkpoint.key != key:
            self.fault("key", f"the checkpoint is signed by {checkpoint.key[:16]}..., not by the key of the archive")
        if checkpoint.origin != log.origin:
            self.fault("origin", "the checkpoint belongs to another archive")
        if anchored and (checkpoint.key, checkpoint.origin) != (key, log.origin):
            log.strange.add(self.number)
        earlier = [one for one in log.checkpoints[:-1] if one is not None]
        if earlier and checkpoint.time < earlier[-1].time:
            self.fault("time", f"the checkpoint of {checkpoint.time} is older than the one before it")


def _unhex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return b"\0" * 32
