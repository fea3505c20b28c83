"""Reading metadata: tags of EXIF, records of IPTC, properties of XMP. Malformed parts are left out."""

from __future__ import annotations

import html
import re
import struct
from collections.abc import Iterator

EXIF = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x829A: "ExposureTime",
    0x829D: "FNumber",
    0x8827: "ISO",
    0x9003: "DateTimeOriginal",
    0x920A: "FocalLength",
    0x9286: "UserComment",
    0xA434: "LensModel",
}
_SUB = 0x8769  # where the tags of the camera stand
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}  # bytes of a value by type
_MOST_TAGS = 512
IPTC = {65: "Program", 80: "By-line", 105: "Headline", 110: "Credit", 115: "Source", 116: "Copyright", 120: "Caption"}
_XMP = re.compile(
    r"(?:[\w-]+:)?(DigitalSourceType|DigitalSourcefileType|CreatorTool|Credit|UserComment|AISystemUsed)"
    r"(?:\s*=\s*(?:\"([^\"<]{0,4000})\"|'([^'<]{0,4000})')|\s*>\s*(?:<[^>]{0,200}>\s*)*([^<]{0,4000})<"
    r"|\s+[\w-]+:resource\s*=\s*[\"']([^\"'<]{0,4000})[\"'])"
)


def exif_tags(block: bytes) -> dict[str, str]:
    """The tags of a block in the TIFF format that say where a picture comes from."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return {}
    first = struct.unpack(order + "I", block[4:8])[0]
    out: dict[str, str] = {}
    waiting = [first]
    for place in waiting:  # at most the first directory and that of the camera
        for tag, kind, count, value in _entries(block, place, order):
            if tag == _SUB and len(waiting) == 1 and kind == 4:
                waiting.append(struct.unpack(order + "I", value[:4])[0])
            elif tag in EXIF and EXIF[tag] not in out:
                out[EXIF[tag]] = _spelled(tag, kind, count, value, order)
    return {name: text for name, text in out.items() if text}


def _entries(block: bytes, place: int, order: str) -> Iterator[tuple[int, int, int, bytes]]:
    """(tag, type, count, bytes) of one directory."""
    if place + 2 > len(block):
        return
    number = struct.unpack(order + "H", block[place : place + 2])[0]
    for i in range(min(number, _MOST_TAGS)):
        entry = block[place + 2 + 12 * i : place + 14 + 12 * i]
        if len(entry) < 12:
            return
        tag, kind, count = struct.unpack(order + "HHI", entry[:8])
        size = _SIZES.get(kind, 0) * count
        if size <= 4:
            yield tag, kind, count, entry[8:]
            continue
        begin = struct.unpack(order + "I", entry[8:])[0]
        if begin + size <= len(block):
            yield tag, kind, count, block[begin : begin + size]


def _spelled(tag: int, kind: int, count: int, value: bytes, order: str) -> str:
    if EXIF[tag] == "UserComment" and kind in (2, 7):
        return _comment(value[:count], order)
    if kind in (1, 2, 7):
        return value[:count].decode("utf-8", "replace").rstrip("\0 ").strip()
    if kind in (5, 10) and len(value) >= 8:
        above, below = struct.unpack(order + ("II" if kind == 5 else "ii"), value[:8])
        return f"{above / below:g}" if below else ""
    width = {3: "H", 4: "I", 9: "i"}.get(kind)
    return str(struct.unpack(order + width, value[: struct.calcsize(width)])[0]) if width and count else ""


def _comment(value: bytes, order: str) -> str:
    """A user comment, which says in its first eight bytes how it is written; UTF-16 in either order occurs."""
    charset, text = value[:8], value[8:]
    if charset.startswith(b"UNICODE"):
        guess = "utf-16-le" if text[:1] != b"\0" and text[1:2] == b"\0" else "utf-16-be"
        return text.decode(guess, "replace").strip("\0\ufeff ")
    if charset[:5] == b"ASCII" or charset == b"\0" * 8:
        return text.decode("utf-8", "replace").strip("\0 ")
    return value.decode("utf-8", "replace").strip("\0 ")


def iptc_records(block: bytes) -> Iterator[tuple[str, str]]:
    """(name, text) of the records of IPTC-IIM that say who or what made a picture."""
    place = 0
    while place + 5 <= len(block) and block[place] == 0x1C:
        record, number, size = struct.unpack(">BBH", block[place + 1 : place + 5])
        place += 5
        if size & 0x8000 or place + size > len(block):  # an extended length; none of these needs one
            return
        if record == 2 and number in IPTC:
            yield IPTC[number], block[place : place + size].decode("utf-8", "replace").strip()
        place += size


def xmp_properties(packet: str) -> Iterator[tuple[str, str]]:
    """(name, text) of the properties of an XMP packet that say where a picture comes from.

    Looked for as words, not as XML: no entity is ever expanded, and a packet that is cut off still says what it says.
    """
    for match in _XMP.finditer(packet):
        text = next((part for part in match.groups()[1:] if part), "")
        if text.strip():
            yield match[1], html.unescape(text).strip()
