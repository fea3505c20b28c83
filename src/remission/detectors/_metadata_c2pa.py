"""Content credentials (C2PA): the boxes and claims of a manifest, read without a library, and checked with one."""

from __future__ import annotations

import importlib.util
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST_BOXES = 10_000
_MOST_ITEMS = 100_000
_DEEP = 24


class Malformed(Exception):  # noqa: N818
    """Bytes that are not what they should be."""


@dataclass(frozen=True)
class Box:
    """A JUMBF superbox (ISO 19566-5).

    Attributes:
        label: its name.
        kind: first four bytes of its content type: ``c2pa`` a store, ``c2ma`` a manifest, ``c2as`` assertions, ``cbor``...
        content: (type, bytes) of content boxes.
        inside: superboxes.
    """

    label: str
    kind: bytes
    content: tuple[tuple[bytes, bytes], ...]
    inside: tuple[Box, ...]

    def all(self) -> Iterator[Box]:
        """This box and every one inside it."""
        yield self
        for box in self.inside:
            yield from box.all()


def source_types(data: bytes) -> list[str]:
    """The ``digitalSourceType`` of every action of the active manifest, the last of its store (C2PA 2.1, section 11.1).

    Of all manifests, when the active one names none. Raises Malformed when these are no boxes.
    """
    found = parse(data)
    manifests = [box for top in found for box in top.all() if box.kind in (b"c2ma", b"c2um", b"c2cm")]
    for chosen in ([manifests[-1]] if manifests else [], manifests or found):
        types = [one for top in chosen for box in top.all() for one in _of_box(box)]
        if types:
            return types
    return []


def generators(data: bytes) -> list[str]:
    """The names of the programs that made the claims. Raises Malformed."""
    out = []
    for top in parse(data):
        for box in top.all():
            if box.label.startswith("c2pa.claim"):
                out += [name for _, claim in _values(box) if isinstance(claim, dict) for name in _made_by(claim)]
    return out


def _made_by(claim: dict[Any, Any]) -> Iterator[str]:
    """The name in a claim of version 1, or the names in one of version 2."""
    if isinstance(claim.get("claim_generator"), str):
        yield claim["claim_generator"]
    told = claim.get("claim_generator_info")
    for one in told if isinstance(told, list) else [told]:
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            yield one["name"]


def _of_box(box: Box) -> Iterator[str]:
    for _, value in _values(box):
        yield from _types_in(value)


def _types_in(value: Any) -> Iterator[str]:
    """Every digitalSourceType in nested values."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "digitalSourceType" and isinstance(inner, str):
                yield inner
            else:
                yield from _types_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _types_in(inner)


def _values(box: Box) -> Iterator[tuple[bytes, Any]]:
    for kind, content in box.content:
        try:
            if kind == b"cbor":
                yield kind, cbor(content)
            elif kind == b"json":
                yield kind, json.loads(content)
        except (Malformed, ValueError, RecursionError):
            continue  # one assertion that cannot be read does not hide the others


def parse(data: bytes) -> list[Box]:
    """The superboxes of a stretch of bytes. Raises Malformed."""
    budget = [_MOST_BOXES]
    return [_superbox(body, 0, budget) for kind, body in _boxes(data, budget) if kind == b"jumb"]


def _boxes(data: bytes, budget: list[int]) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        budget[0] -= 1
        if budget[0] < 0:
            raise Malformed(f"more than {_MOST_BOXES} boxes")
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        head = 8
        if size == 1:
            if place + 16 > len(data):
                raise Malformed("a box is cut off")
            size, head = struct.unpack(">Q", data[place + 8 : place + 16])[0], 16
        elif size == 0:
            size = len(data) - place
        if size < head or place + size > len(data):
            raise Malformed("a box is cut off")
        yield kind, data[place + head : place + size]
        place += size


def _superbox(body: bytes, depth: int, budget: list[int]) -> Box:
    if depth > _DEEP:
        raise Malformed("boxes lie too deep in one another")
    label, family = "", b""
    content: list[tuple[bytes, bytes]] = []
    inside: list[Box] = []
    for kind, part in _boxes(body, budget):
        if kind == b"jumd":
            if len(part) < 17:
                raise Malformed("the description of a box is cut off")
            family = part[:4]
            if part[16] & 2:
                label = part[17:].partition(b"\0")[0].decode("utf-8", "replace")
        elif kind == b"jumb":
            inside.append(_superbox(part, depth + 1, budget))
        else:
            content.append((kind, part))
    return Box(label, family, tuple(content), tuple(inside))


# --- CBOR (RFC 8949), as far as claims use it ---------------------------------------------------------------------------


def cbor(data: bytes) -> Any:
    """The first value of a stretch of CBOR; byte strings stay bytes, tags are left off. Raises Malformed.

    >>> cbor(bytes.fromhex("a26161016162820203"))
    {'a': 1, 'b': [2, 3]}
    """
    return _value(data, 0, 0, [_MOST_ITEMS])[0]


def _head(data: bytes, place: int) -> tuple[int, int, int, int]:
    """(major type, short count, number, place after it)."""
    if place >= len(data):
        raise Malformed("CBOR is cut off")
    major, short = data[place] >> 5, data[place] & 31
    place += 1
    if short < 24:
        return major, short, short, place
    if short == 31:
        return major, short, 0, place
    if short > 27 or place + (1 << short - 24) > len(data):
        raise Malformed("CBOR is cut off")
    size = 1 << short - 24
    return major, short, int.from_bytes(data[place : place + size], "big"), place + size


def _value(data: bytes, place: int, depth: int, budget: list[int]) -> tuple[Any, int]:
    budget[0] -= 1
    if depth > _DEEP or budget[0] < 0:
        raise Malformed("CBOR is too deep or too long")
    major, short, number, after = _head(data, place)
    if major in (0, 1):
        return (number if major == 0 else -1 - number), after
    if major in (2, 3):
        return _string(data, major, short, number, after, budget)
    if major in (4, 5):
        return _several(data, major, None if short == 31 else number, after, depth, budget)
    if major == 6:
        return _value(data, after, depth + 1, budget)
    if short in (25, 26, 27):
        kind = {25: ">e", 26: ">f", 27: ">d"}[short]
        return struct.unpack(kind, data[place + 1 : after])[0], after
    return {20: False, 21: True}.get(number), after


def _string(data: bytes, major: int, short: int, size: int, place: int, budget: list[int]) -> tuple[Any, int]:
    if short == 31:  # pieces up to a break
        pieces: list[bytes] = []
        while data[place : place + 1] != b"\xff":
            kind, inner, count, after = _head(data, place)
            budget[0] -= 1
            if kind != major or inner == 31 or budget[0] < 0:
                raise Malformed("a string of CBOR is broken")
            pieces.append(data[after : after + count])
            place = after + count
        whole, place = b"".join(pieces), place + 1
    else:
        if place + size > len(data):
            raise Malformed("CBOR is cut off")
        whole, place = data[place : place + size], place + size
    return (whole if major == 2 else whole.decode("utf-8", "replace")), place


def _several(data: bytes, major: int, count: int | None, place: int, depth: int, budget: list[int]) -> tuple[Any, int]:
    """An array or a map, of a stated number of items or up to a break."""
    items: list[Any] = []
    wanted = None if count is None else count * (major - 3)
    while wanted is None or len(items) < wanted:
        if wanted is None and data[place : place + 1] == b"\xff":
            place += 1
            break
        item, place = _value(data, place, depth + 1, budget)
        items.append(item)
    if major == 4:
        return items, place
    return {
        key if isinstance(key, (str, int, bytes)) else str(key): value
        for key, value in zip(items[::2], items[1::2], strict=False)
    }, place


# --- the library ----------------------------------------------------------------------------------------------------------


def validated(path: Path | str) -> tuple[bool | None, str]:
    """Whether the library c2pa finds the signature and the hashes of a file in order, and what it says.

    None when the library is not installed (extra ``c2pa``) or cannot read the file.
    """
    if importlib.util.find_spec("c2pa") is None:
        return None, ""
    import c2pa

    try:
        with c2pa.Reader(str(path)) as reader:
            told = json.loads(reader.json())
    except Exception as error:  # the library raises classes of its own for every kind of damage
        return None, f"c2pa: {str(error)[:200]}"
    state = str(told.get("validation_state", ""))
    codes = [str(one.get("code", "")) for one in told.get("validation_status", [])]
    return state in ("Valid", "Trusted"), f"{state or 'no state'}{': ' + ', '.join(codes[:5]) if codes else ''}"
