"""Add what corpus readers read: everything is checked first, so that a command adds all of it or nothing.

The same command again adds nothing twice: an item that is there with the same content and record counts as known. A command
that was killed goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.archive._inputs import Input
from remission.clinic.archive.record import About, checked_id, record
from remission.clinic.archive.writing import Writer, writing
from remission.corpus.accounting import Accounting
from remission.corpus.reading import Fields
from remission.errors import DataError, SpecError
from remission.gold import disk
from remission.gold.archive import LARGEST
from remission.gold.canonical import canonical
from remission.gold.signing import Checkpoint, Signer

SHOWN = 5  # reasons in a message
TWICE = 200_000  # ids that come twice and are looked at in one go
Tell = Callable[[float, float], None]


@dataclass(frozen=True)
class Added:
    """What a command added.

    Attributes:
        new: items that were not there.
        known: items that were there already, just so.
        account: of rows that were read, and of those set aside.
        checkpoint: that covers all of it; None when there was nothing to write.
        collection: hash of the record of the collection.
    """

    new: int
    known: int
    account: Accounting
    checkpoint: Checkpoint | None
    collection: str

    def document(self) -> dict[str, Any]:
        """As plain values."""
        head = self.checkpoint
        return {
            "new": self.new,
            "known": self.known,
            "collection": self.collection,
            "accounting": self.account.table(),
            "checkpoint": None if head is None else {"size": head.size, "time": head.time, "root": head.root},
        }


@dataclass(frozen=True)
class _Item:
    id: str
    content: bytes
    record: bytes


def add(
    folder: Path, signer: Signer, paths: Sequence[str | Path], about: About, fields: Fields | None = None, *,
    pictures: bool = False, paragraphs: bool = False, skip_bad: bool = False, wait: float = 60.0, tell: Tell | None = None,
) -> Added:  # fmt: skip
    """Add documents of files and folders, or files of pictures, with what is said about them.

    Everything is read twice, first to check it and then to write it, a row at a time: beside the index of the archive itself,
    eight bytes for each item are all that is held.

    Args:
        folder: of the archive.
        signer: its key.
        paths: files, folders or patterns, as all corpus readers take them.
        about: the collection, and what holds of its items.
        fields: which fields of a row hold text and id; rows without an id are named by their content.
        pictures: the files themselves are the items, whatever is in them; their ids are their paths in the folder.
        paragraphs: each paragraph of a .txt or .md file is an item.
        skip_bad: set bad rows aside instead of refusing everything.
        wait: seconds to wait for other writers.
        tell: told of progress.

    Raises:
        DataError: something cannot be taken, with the reason; nothing was added. A file was changed meanwhile: batches that were
            signed before that was seen stay.
        SpecError, StoreError: a description, or an archive, that cannot be used.
    """
    fields = fields or Fields()
    named = replace(fields, columns=tuple(dict.fromkeys([*fields.columns, *about.needs])))
    source = Input(paths, named, pictures, paragraphs)
    statement = canonical({"collection": about.collection})
    reading = _Reading(source, about, hashlib.sha256(statement).hexdigest())
    with writing(folder, signer, wait) as writer:
        account, new = reading.check(writer)
        if account.quarantined and not skip_bad:
            _refuse(account)
        if new:
            _write(writer, reading, new, statement, tell)
        checkpoint = writer.commit() or writer.log.head
    return Added(new, account.kept - new, account, checkpoint if new else None, reading.collection)


def _write(writer: Writer, reading: _Reading, new: int, statement: bytes, tell: Tell | None) -> None:
    assert writer.archive is not None
    if reading.collection not in writer.archive.collections:
        writer.event({"event": "collection", "name": reading.about.collection["title"]}, statement)
    done = 0
    for item in reading.items(reading.source.account()):
        with contextlib.suppress(DataError):  # set aside already, on request
            done += writer.ingest_line(item.id, item.content, item.record)
        if tell is not None and done % 1000 == 0:
            tell(done, new)
    if done != new:
        raise DataError("The files were changed while they were being read. Run the command again.")


class _Reading:
    """Rows as items, as often as wanted."""

    def __init__(self, source: Input, about: About, collection: str) -> None:
        self.source, self.about, self.collection = source, about, collection

    def check(self, writer: Writer) -> tuple[Accounting, int]:
        """The account of everything, and how many items are new; what cannot be taken is set aside."""
        account, hashes, new = self.source.account(), array("q"), 0
        for item in self.items(account):
            try:
                new += not writer.has(item.id, item.content, item.record)
            except DataError as error:
                _set_aside(account, item.id, error)
                continue
            hashes.append(hash(item.id))
        ordered = np.sort(np.frombuffer(hashes, np.int64))
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        for start in range(0, len(twice), TWICE):
            new -= self._twice(writer, account, set(twice[start : start + TWICE].tolist()))
        return account, new

    def _twice(self, writer: Writer, account: Accounting, hashes: set[int]) -> int:
        """Look again at ids that seem to come twice; how many of those that were counted as new are not."""
        seen: dict[str, tuple[bytes, bytes]] = {}
        less = 0
        for item in self.items(self.source.account()):
            if hash(item.id) not in hashes:
                continue
            found = hashlib.sha256(item.content).digest(), hashlib.sha256(item.record).digest()
            try:
                known = writer.has(item.id, item.content, item.record)
            except DataError:
                continue  # set aside already
            before = seen.setdefault(item.id, found)
            if before is found:
                continue
            less += not known
            if before == found:
                account.kept -= 1
                account.dropped += 1  # the same row twice
            else:
                what = "content" if before[0] != found[0] else "record"
                _set_aside(account, item.id, DataError(f"the id '{item.id}' comes twice, with a different {what}"))
        return less

    def items(self, account: Accounting) -> Iterator[_Item]:
        """Items with their records; rows that cannot be taken are moved to the account of what was set aside."""
        for found, row in self.source.rows(account):
            name, label = row.pop("id"), row.pop("label")
            try:
                content = _bytes(found) if self.source.pictures else found.encode("utf-8")
                file = str(found) if self.source.pictures else ""
                name = checked_id(_name(name, file, content, self.source.places))
                if label == "synthetic":
                    raise DataError("it is labelled as synthetic; a gold archive keeps what people made")
                modality = "image" if self.source.pictures else "text"
                made = record(self.about, name, self.collection, modality, row)
                rest = {key: value for key, value in row.items() if value and key not in self.about.needs}
                line = canonical(made | ({"columns": rest} if rest else {}))
            except (DataError, SpecError) as error:
                _set_aside(account, name, error)
                continue
            yield _Item(name, content, line)


def _bytes(path: str) -> bytes:
    try:
        return disk.read(Path(path), most=LARGEST)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}") from None


def _name(given: str, file: str, content: bytes, places: dict[str, str]) -> str:
    if file:
        return places.get(file, given)
    path, colon, line = given.rpartition(":")
    if colon and line.isdecimal() and path in places:
        return f"sha256:{hashlib.sha256(content).hexdigest()}"  # where it lay on somebody's disk is no name
    return given


def _set_aside(account: Accounting, name: str, error: Exception) -> None:
    account.kept -= 1
    account.set_aside(name, None, str(error).rstrip("."))


def _refuse(account: Accounting) -> None:
    reasons = [
        f"{one['reason']} ({one['file']}{', line ' + str(one['line']) if one['line'] else ''})"
        for one in account.examples[:SHOWN]
    ]
    raise DataError(
        f"{account.quarantined} of what was read cannot be taken, so nothing was added: {'; '.join(reasons)}. Put it right, or "
        "leave such rows out with --skip-bad."
    )
