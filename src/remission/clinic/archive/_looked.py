"""What lies on the disk, and what an entry says, looked at without trust."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from remission.errors import SpecError

_ORIGIN = re.compile("[0-9a-f]{64}")


def listed(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, by name; nothing when it cannot be read."""
    try:
        with os.scandir(folder) as found:
            yield from sorted(found, key=lambda entry: entry.name)
    except OSError:
        return


def told_origin(text: str) -> str:
    """An origin as somebody told it, in the usual spelling; empty stays empty. Raises SpecError for what can be none."""
    found = text.strip().lower()
    if found and _ORIGIN.fullmatch(found) is None:
        raise SpecError(
            f"An origin has 64 hexadecimal digits, as `remission archive init` printed them. Got {len(found)} characters: "
            f"'{found[:80]}'."
        )
    return found


def is_shard(name: str) -> bool:
    """Whether it is the name of a folder of objects."""
    return len(name) == 2 and all(letter in "0123456789abcdef" for letter in name)


def unhex(name: str) -> bytes:
    """The bytes of hexadecimal digits; none when they are no such thing."""
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""


def sound(entry: dict[str, Any]) -> bool:
    """Whether the fields that are looked at are there and have the types they should; the log tells when not."""
    numbers = all(type(entry[name]) is int and entry[name] >= 0 for name in _NUMBERS if name in entry)
    words = all(isinstance(entry[name], str) for name in _WORDS if name in entry)
    if not numbers or not words or "event" not in entry or ("record" in entry and not {"at", "long"} <= set(entry)):
        return False
    return entry["event"] != "ingest" or (set(entry) in _INGEST and len(unhex(entry["content"])) == 32)


_WORDS = ("event", "item", "content", "record", "stored")
_ANY = {"event", "item", "content", "bytes", "record", "at", "long"}
_INGEST = (_ANY | {"as"}, _ANY | {"stored", "size"}, _ANY | {"stored", "size", "pack", "offset"})
_NUMBERS = ("at", "long", "bytes", "size", "offset", "pack", "as")
