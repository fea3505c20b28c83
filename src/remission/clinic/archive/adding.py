"""Add what corpus readers read: everything is checked first, so that a command adds all of it or nothing.

The same command again adds nothing twice: an item that is there with the same content and record counts as known. A command
that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from remission.clinic.archive.record import About, checked_id, record
from remission.clinic.archive.writing import Writer, writing
from remission.corpus._files import expand
from remission.corpus.accounting import Accounting
from remission.corpus.reading import Fields, read_documents
from remission.documents import Documents
from remission.errors import DataError, SpecError
from remission.gold.archive import LARGEST
from remission.gold.canonical import canonical
from remission.gold.signing import Checkpoint, Signer

SHOWN = 5  # reasons in a message
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
    content: bytes | Path
    record: bytes

    def bytes(self) -> bytes:
        """The content; of files only when it is needed."""
        if isinstance(self.content, bytes):
            return self.content
        from remission.gold import disk

        try:
            return disk.read(self.content, most=LARGEST)
        except OSError as error:
            raise DataError(f"'{self.content}' cannot be read: {error.strerror or error}") from None


def add(
    folder: Path, signer: Signer, paths: Sequence[str | Path], about: About, fields: Fields | None = None, *,
    pictures: bool = False, paragraphs: bool = False, skip_bad: bool = False, wait: float = 60.0, tell: Tell | None = None,
) -> Added:  # fmt: skip
    """Add documents of files and folders, or files of pictures, with what is said about them.

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
        DataError: something cannot be taken, with the reason; nothing was added.
        SpecError, StoreError: a description, or an archive, that cannot be used.
    """
    check_paths(paths)
    fields = fields or Fields()
    named = replace(fields, columns=tuple(dict.fromkeys([*fields.columns, *about.needs])))
    documents, account = read_documents(paths, named, "file" if pictures else "text", paragraphs)
    statement = canonical({"collection": about.collection})
    collection = hashlib.sha256(statement).hexdigest()
    items = list(_items(documents, account, about, collection, _places(paths, pictures), pictures))
    if account.quarantined and not skip_bad:
        _refuse(account)
    with writing(folder, signer, wait) as writer:
        items = _fitting(writer, items, account)
        if account.quarantined and not skip_bad:
            _refuse(account)
        new = _write(writer, items, about, statement, collection, tell)
        checkpoint = writer.commit() or writer.log.head
    return Added(new, len(items) - new, account, checkpoint if new else None, collection)


def _write(
    writer: Writer, items: list[_Item], about: About, statement: bytes, collection: str, tell: Tell | None
) -> int:
    assert writer.archive is not None
    fresh = [item for item in items if item.id not in writer.log.items]
    if fresh and collection not in writer.archive.collections:
        writer.event({"event": "collection", "name": about.collection["title"]}, statement)
    for number, item in enumerate(fresh):
        writer.ingest_line(item.id, item.bytes(), item.record)
        if tell is not None and number % 1000 == 0:
            tell(number, len(fresh))
    return len(fresh)


def _items(
    documents: Documents, account: Accounting, about: About, collection: str, places: dict[str, str], pictures: bool
) -> Iterator[_Item]:
    """Items with their records; those that cannot be taken are moved to the account of what was set aside."""
    seen: dict[str, tuple[str, bytes]] = {}
    columns = {name: column for name, column in documents.columns.items() if name not in ("id", "label")}
    labels, ids = documents.column("label"), documents.column("id")
    for place, found in enumerate(documents.items):
        name = str(ids[place])
        try:
            content: bytes | Path = Path(found) if pictures else found.encode("utf-8")
            item = _Item("", content, b"")
            digest = hashlib.sha256(item.bytes()).hexdigest()
            name = checked_id(_name(name, str(found) if pictures else "", digest, places))
            if labels[place] == "synthetic":
                raise DataError("it is labelled as synthetic; a gold archive keeps what people made")
            row = {key: str(column[place]) for key, column in columns.items()}
            made = record(about, name, collection, "image" if pictures else "text", row)
            rest = {key: value for key, value in row.items() if value and key not in about.needs}
            line = canonical(made | ({"columns": rest} if rest else {}))
        except (DataError, SpecError) as error:
            _set_aside(account, name, error)
            continue
        before = seen.setdefault(name, (digest, line))
        if before != (digest, line):
            what = "content" if before[0] != digest else "record"
            _set_aside(account, name, DataError(f"the id '{name}' comes twice, with a different {what}"))
        elif before[1] is line:
            yield _Item(name, content, line)
        else:
            account.kept -= 1
            account.dropped += 1  # the same row twice


def _name(given: str, file: str, digest: str, places: dict[str, str]) -> str:
    if file:
        return places.get(file, given)
    path, colon, line = given.rpartition(":")
    if colon and line.isdecimal() and path in places:
        return f"sha256:{digest}"  # where it lay on somebody's disk is no name
    return given


def _places(paths: Sequence[str | Path], pictures: bool) -> dict[str, str]:
    """File -> its path within the folder that was given."""
    found: dict[str, str] = {}
    for given in paths:
        root = Path(given).expanduser()
        for file in expand([given], "file" if pictures else "text")[0]:
            found[str(file)] = file.relative_to(root).as_posix() if root.is_dir() else file.name
    return found


def _fitting(writer: Writer, items: list[_Item], account: Accounting) -> list[_Item]:
    """Items that do not contradict what is in the archive."""
    found = []
    for item in items:
        try:
            content = item.bytes()
            digest = hashlib.sha256(content)
            if not writer.known(item.id, digest.hexdigest(), item.record) and digest.digest() in writer.log.gone:
                raise DataError("its content was erased once, on request; it cannot come back")
        except DataError as error:
            _set_aside(account, item.id, error)
            continue
        found.append(item)
    return found


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


def check_paths(paths: Sequence[str | Path]) -> None:
    """Refuse what is no plain file: devices, pipes, sockets, links that lead elsewhere. Raises DataError."""
    for given in paths:
        path = Path(given).expanduser()
        if not os.path.lexists(path):
            continue  # a pattern, or nothing; the reader says so
        root = path if path.is_dir() and not path.is_symlink() else path.parent
        for one in [path, *(_below(path) if path.is_dir() and not path.is_symlink() else ())]:
            _plain_file(one, root, one == path)


def _below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"'{folder}' cannot be read: {error.strerror}.") from None
    for entry in entries:
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))


def _plain_file(path: Path, root: Path, given: bool) -> None:
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            target = path.resolve(strict=True)
            if not given and (target.is_dir() or root.resolve() not in target.parents):
                raise DataError(
                    f"'{path}' is a link that leads to '{target}'. Name that itself; links are not followed."
                )
            mode = target.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it leads in a circle"
        raise DataError(f"'{path}' cannot be read: {reason}.") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
        raise DataError(f"'{path}' is {kinds.get(stat.S_IFMT(mode), 'no file')}. Only files are taken.")
