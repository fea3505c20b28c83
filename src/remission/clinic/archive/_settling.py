"""Put right what an interrupted command left in an archive, and overwrite what was erased."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from remission.errors import StoreError
from remission.gold import disk
from remission.gold.archive import FOLDERS, LARGEST
from remission.gold.log import Log, log_file, object_file, pack_file, records_file


def settle(log: Log) -> None:
    """Put right what an interrupted command left: take back a batch that was not finished, finish erasing."""
    folder, incoming = log.folder, log.folder / "incoming"
    own_folders(folder)
    if not incoming.is_dir():
        return
    promise = read_promise(folder)
    others = [path for path in sorted(incoming.iterdir()) if path.name != "promise.json"]
    for path in others:  # before anything else goes: a writer that lost its lock can no longer give its batch a name
        disk.remove(path)
    if others:
        disk.sync_folder(incoming)
    if promise is not None:
        batch = promise["batch"]
        if log_file(folder, batch).exists():
            begin = log.firsts[batch] if batch < len(log.firsts) else log.size
            erase(log, [entry for _, entry in log.entries(begin)] if begin < log.size else [])
        else:
            disk.remove(pack_file(folder, batch))
            disk.remove(records_file(folder, batch))
            for sha in promise["objects"]:
                if log.holder(bytes.fromhex(sha)) is None:
                    disk.remove(object_file(folder, sha))
    disk.remove(incoming / "promise.json")


def own_folders(folder: Path) -> None:
    """Refuse to write, and above all to remove, through a link that lies in place of a folder of the archive."""
    shards: list[Path] = []
    with contextlib.suppress(OSError):  # there are none, which is told below
        shards = sorted((folder / "objects").iterdir())
    for place in (*(folder / name for name in FOLDERS), *shards):
        emptied = place.name == "incoming" and not place.exists()  # copies often leave empty folders out
        if place.is_symlink() or not (place.is_dir() or emptied or place in shards):
            raise StoreError(
                f"'{place}' is no folder of its own, and what it leads to may belong to somebody else. Nothing was written. "
                "Run `remission archive verify`."
            )


def read_promise(folder: Path) -> dict[str, Any] | None:
    """What an interrupted command was about to write; None when nothing was begun, or a link leads elsewhere."""
    if (folder / "incoming").is_symlink():
        return None
    try:
        found = json.loads(disk.read(folder / "incoming" / "promise.json", most=LARGEST))
        names = found["objects"]
        sound = type(found["batch"]) is int and all(
            len(bytes.fromhex(one)) == 32 and one == one.lower() for one in names
        )
        return dict(found) if sound else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def erase(log: Log, entries: list[dict[str, Any]]) -> None:
    """Overwrite what these tombstones name; harmless when it is done already."""
    for entry in entries:
        if entry["event"] != "tombstone":
            continue
        number = log.items[entry["item"]]
        ingest = log.entry(number)
        if "record" in entry["erased"]:
            disk.overwrite(records_file(log.folder, log.batch_of(number)), ingest["at"], b" " * ingest["long"])
        if "content" in entry["erased"]:
            holder = log.entry(ingest["as"]) if "as" in ingest else ingest
            if "pack" in holder:
                disk.overwrite(pack_file(log.folder, holder["pack"]), holder["offset"], b"\0" * holder["size"])
            else:
                path = object_file(log.folder, ingest["content"])
                disk.blank(path)  # who holds a hard link, or the disk itself, holds zeros
                disk.remove(path)
                if path.parent.is_dir():
                    disk.sync_folder(path.parent)
