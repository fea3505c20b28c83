"""An archive, to read: items, what is known of them, and what happened to them."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from remission.errors import DataError, VerificationError, did_you_mean
from remission.gold import disk
from remission.gold.contents import unpacked
from remission.gold.log import object_file, pack_file, read_log, records_file
from remission.gold.signing import Checkpoint

FOLDERS = ("log", "records", "packs", "objects", "incoming")
LARGEST = 1 << 30  # bytes of a content


@contextlib.contextmanager
def reading(folder: Path, wait: float = 60.0) -> Iterator[Archive]:
    """An archive that nobody changes meanwhile: writers wait, other readers do not. Nothing is written.

    Raises:
        DataError: no archive. VerificationError: the log is not as it was signed. StoreError: somebody writes for longer than
            ``wait`` seconds.
    """
    with contextlib.ExitStack() as stack:
        if (folder / "log").is_dir():  # else it is no archive, which is told below
            with disk.explained(folder):
                stack.enter_context(disk.locked(folder / ".lock", False, wait))
        yield Archive(folder)


class Archive:
    """An archive whose log was checked. While somebody writes, hold it with :func:`reading`: else items can be erased meanwhile.

    Attributes:
        folder: where it is.
        log: what happened.
    """

    def __init__(self, folder: Path) -> None:
        """Open it for reading.

        Raises:
            DataError: no archive. VerificationError: the log is not as it was signed.
        """
        self.folder = folder
        with disk.explained(folder):
            self.log = read_log(folder)
        if self.log.faults:
            fault = self.log.faults[0]
            raise VerificationError(
                f"The log of '{folder}' is not as it was signed: {fault.what} ({fault.where}). Run `remission archive verify`."
            )

    @property
    def origin(self) -> str:
        """What names this archive and its first key for good: tell it to those who will check."""
        return self.log.origin

    @property
    def head(self) -> Checkpoint:
        """The newest checkpoint."""
        return self.log.head

    def __len__(self) -> int:
        """Items that are not erased."""
        return len(self.log.items) - len(self.log.erased)

    def number(self, item: str) -> int:
        """The entry that brought an item. Raises DataError."""
        found = self.log.items.get(item)
        if found is None:
            near = f" {did_you_mean(item, self.log.items)}" if len(self.log.items) <= 50 else ""
            raise DataError(f"The archive has no item '{item}'.{near}")
        return found

    def content(self, item: str) -> bytes:
        """The content of an item, checked. Raises DataError when it was erased, VerificationError when it is damaged."""
        return self.content_at(self.log.entry(self.number(item)))

    def content_at(self, entry: dict[str, Any]) -> bytes:
        """The content of an ingest; see :meth:`content`."""
        if bytes.fromhex(entry["content"]) in self.log.gone:
            raise DataError(f"The content of '{entry['item']}' was erased; `remission archive log` says why.")
        holder = self.log.entry(entry["as"]) if "as" in entry else entry
        try:
            stored = stored_bytes(self.folder, holder)
        except OSError as error:
            self._erased_since(entry, "content")
            raise VerificationError(
                f"The content of '{entry['item']}' cannot be read: {error.strerror or error}."
            ) from None
        content = None
        if hashlib.sha256(stored).hexdigest() == holder["stored"]:
            content = unpacked(stored, holder["bytes"])
        if content is None or hashlib.sha256(content).hexdigest() != entry["content"]:
            self._erased_since(entry, "content")
            raise VerificationError(f"The content of '{entry['item']}' is not what was signed. Run `archive verify`.")
        return content

    def record(self, item: str) -> dict[str, Any]:
        """What is known of an item, as it was ingested. Raises DataError when erased, VerificationError when damaged."""
        number = self.number(item)
        return self.record_at(number, self.log.entry(number))

    def record_at(self, number: int, entry: dict[str, Any]) -> dict[str, Any]:
        """The record that an entry brought."""
        if "record" in self.log.erased.get(entry.get("item", ""), ()):
            raise DataError(f"The record of '{entry['item']}' was erased; `remission archive log` says why.")
        path = records_file(self.folder, self.log.batch_of(number))
        try:
            line = disk.read(path, entry["at"], entry["long"])
        except OSError as error:
            raise VerificationError(f"'{path}' cannot be read: {error.strerror or error}.") from None
        if hashlib.sha256(line).hexdigest() != entry["record"]:
            self._erased_since(entry, "record")
            raise VerificationError(f"The record of entry {number} is not what was signed. Run `archive verify`.")
        return dict(json.loads(line))

    def _erased_since(self, entry: dict[str, Any], what: str) -> None:
        """Raise DataError when the log says by now that this was erased: what is no longer there is no fault then."""
        log = read_log(self.folder)
        gone = what in log.erased.get(entry.get("item", ""), ())
        if what == "content":
            gone = bytes.fromhex(entry["content"]) in log.gone
        if gone and not log.faults:
            raise DataError(
                f"The {what} of '{entry['item']}' was erased while it was being read; `remission archive log` says why. Run the "
                "command again."
            )

    @cached_property
    def collections(self) -> dict[str, dict[str, Any]]:
        """Hash of the record -> fields of each collection."""
        return {
            entry["record"]: self.record_at(number, entry)
            for number, entry in self.log.entries()
            if entry["event"] == "collection"
        }


def stored_bytes(folder: Path, holder: dict[str, Any]) -> bytes:
    """The compressed bytes of the content that an ingest stored. Raises OSError."""
    if "pack" in holder:
        return disk.read(pack_file(folder, holder["pack"]), holder["offset"], holder["size"])
    return disk.read(object_file(folder, holder["content"]), most=holder["size"])


def is_ahead(time: str) -> bool:
    """Whether a signed time lies in the future of this clock, by more than clocks of people differ (5 minutes)."""
    return time > _written(datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5))


def now() -> str:
    """The time, UTC, to the second."""
    return _written(datetime.datetime.now(datetime.UTC))


def _written(time: datetime.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
