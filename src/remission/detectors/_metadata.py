"""What a picture file carries beside its pixels: chunks of PNG, segments of JPEG, chunks of WebP. Never decodes a pixel.

Files are untrusted: every length is checked, texts are inflated up to a limit, and what is malformed ends the reading with
a fault in words, never with an exception.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from remission.errors import DataError

MOST_CHUNKS = 20_000
MOST_BYTES = 16 * 2**20  # of one chunk of metadata, and of all together twice that
MOST_TEXT = 4 * 2**20  # of one inflated text
_PNG = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_LONG_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_XMP_KEYWORD = "XML:com.adobe.xmp"


@dataclass
class Carried:
    """What a file carries, still unread.

    Attributes:
        format: ``png``, ``jpeg``, ``webp`` or empty when it is none of them.
        texts: (keyword, text) of PNG; the comments of JPEG have the keyword ``comment``.
        exif: blocks in the TIFF format.
        xmp: packets.
        iptc: records of IPTC-IIM.
        c2pa: JUMBF boxes.
        faults: what is wrong with the file, in words.
    """

    format: str = ""
    texts: list[tuple[str, str]] = field(default_factory=list)
    exif: list[bytes] = field(default_factory=list)
    xmp: list[str] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    c2pa: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    read: int = 0  # bytes of metadata so far

    @property
    def any(self) -> bool:
        """Whether there is metadata at all."""
        return bool(self.texts or self.exif or self.xmp or self.iptc or self.c2pa)

    def take(self, file: BinaryIO, size: int, what: str) -> bytes | None:
        """The next ``size`` bytes of metadata; None, with a fault, when they are missing or too many."""
        if size > MOST_BYTES or self.read + size > 2 * MOST_BYTES:
            self.faults.append(f"{what} of {size} bytes is too large and was left out")
            file.seek(size, 1)
            return None
        data = file.read(size)
        self.read += size
        if len(data) < size:
            self.faults.append(f"{what} is cut off")
            return None
        return data


def carried(path: Path | str) -> Carried:
    """What the file at ``path`` carries.

    Raises:
        DataError: there is no such file, or it cannot be opened.
    """
    found = Carried()
    try:
        with open(path, "rb") as file:
            head = file.read(12)
            if head.startswith(_PNG):
                found.format = "png"
                file.seek(len(_PNG))
                _png(file, found)
            elif head.startswith(b"\xff\xd8"):
                found.format = "jpeg"
                file.seek(2)
                _jpeg(file, found)
            elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
                found.format = "webp"
                _webp(file, found)
    except OSError as error:
        raise DataError(
            f"'{path}' cannot be read: {error.strerror or error}. Give the path of a picture file."
        ) from None
    return found


# --- PNG ------------------------------------------------------------------------------------------------------------------


def _png(file: BinaryIO, found: Carried) -> None:
    for _ in range(MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            found.faults.append("the PNG ends without its end chunk")
            return
        size, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if kind not in (*_TEXTS, b"eXIf", b"caBX"):
            file.seek(size + 4, 1)
            continue
        data = found.take(file, size, f"the chunk {kind.decode('latin-1')}")
        check = file.read(4)
        if data is None:
            continue
        if check != struct.pack(">I", zlib.crc32(kind + data)):
            found.faults.append(f"the chunk {kind.decode('latin-1')} has a wrong checksum and was left out")
        elif kind == b"eXIf":
            found.exif.append(data)
        elif kind == b"caBX":
            found.c2pa.append(data)
        else:
            _png_text(kind, data, found)
    found.faults.append(f"more than {MOST_CHUNKS} chunks")


def _png_text(kind: bytes, data: bytes, found: Carried) -> None:
    keyword, zero, rest = data.partition(b"\0")
    name = keyword.decode("latin-1")
    if not zero:
        found.faults.append("a text chunk without a keyword")
        return
    text: bytes | None = rest
    charset = "latin-1"
    if kind == b"zTXt":
        text = _inflated(rest[1:], found, name)
    elif kind == b"iTXt":
        charset = "utf-8"
        packed = rest[:1] == b"\1"
        parts = rest[2:].split(b"\0", 2)  # language, translated keyword, text
        if len(parts) < 3:
            found.faults.append(f"the text '{name[:40]}' is cut off")
            return
        text = _inflated(parts[2], found, name) if packed else parts[2]
    if text is None:
        return
    words = text.decode(charset, "replace")
    if name == _XMP_KEYWORD:
        found.xmp.append(words)
    else:
        found.texts.append((name, words))


def _inflated(data: bytes, found: Carried, name: str) -> bytes | None:
    machine = zlib.decompressobj()
    try:
        text = machine.decompress(data, MOST_TEXT)
    except zlib.error:
        found.faults.append(f"the text '{name[:40]}' cannot be inflated")
        return None
    if machine.unconsumed_tail:
        found.faults.append(f"the text '{name[:40]}' is longer than {MOST_TEXT} bytes; its beginning was read")
    return text


# --- JPEG -----------------------------------------------------------------------------------------------------------------


def _jpeg(file: BinaryIO, found: Carried) -> None:
    boxes: dict[int, list[tuple[int, bytes]]] = {}
    long: dict[int, bytes] = {}
    for _ in range(MOST_CHUNKS):
        mark = _marker(file)
        if mark is None:
            found.faults.append("the JPEG ends before its picture")
            break
        if mark in (0xDA, 0xD9):  # the picture begins, or the file ends
            break
        if mark == 0x01 or 0xD0 <= mark <= 0xD8:  # these stand alone
            continue
        head = file.read(2)
        size = int.from_bytes(head, "big") - 2
        if len(head) < 2 or size < 0:
            found.faults.append("a segment of the JPEG is cut off")
            break
        if mark not in (0xE1, 0xEB, 0xED, 0xFE):
            file.seek(size, 1)
            continue
        data = found.take(file, size, f"the segment {mark:02X}")
        if data is not None:
            _segment(mark, data, found, boxes, long)
    for parts in boxes.values():
        found.c2pa.append(_joined(sorted(parts, key=lambda part: part[0])))
    if long:
        found.xmp.append(b"".join(long[place] for place in sorted(long)).decode("utf-8", "replace"))


def _marker(file: BinaryIO) -> int | None:
    """The next marker; fill bytes are allowed before it."""
    if file.read(1) != b"\xff":
        return None
    for _ in range(MOST_CHUNKS):
        byte = file.read(1)
        if not byte or byte == b"\0":
            return None
        if byte != b"\xff":
            return byte[0]
    return None


def _segment(
    mark: int, data: bytes, found: Carried, boxes: dict[int, list[tuple[int, bytes]]], long: dict[int, bytes]
) -> None:
    if mark == 0xFE:
        found.texts.append(("comment", data.decode("utf-8", "replace")))
    elif mark == 0xE1 and data.startswith(b"Exif\0"):
        found.exif.append(data[6:])
    elif mark == 0xE1 and data.startswith(_XMP):
        found.xmp.append(data[len(_XMP) :].decode("utf-8", "replace"))
    elif mark == 0xE1 and data.startswith(_LONG_XMP) and len(data) >= len(_LONG_XMP) + 40:
        begin = len(_LONG_XMP) + 32  # after the identifier: length of the whole, place of this part
        long[int.from_bytes(data[begin + 4 : begin + 8], "big")] = data[begin + 8 :]
    elif mark == 0xED and data.startswith(b"Photoshop 3.0\0"):
        found.iptc += _resources(data[14:])
    elif mark == 0xEB and data[:2] == b"JP" and len(data) >= 16:
        number, turn = struct.unpack(">HI", data[2:8])
        boxes.setdefault(number, []).append((turn, data[8:]))


def _joined(parts: list[tuple[int, bytes]]) -> bytes:
    """A JUMBF box from its segments, each of which repeats the head of the box (ISO 19566-5, annex D)."""
    head = 16 if parts[0][1][:4] == b"\0\0\0\1" else 8
    return b"".join([parts[0][1], *(part[head:] for _, part in parts[1:])])


def _resources(data: bytes) -> list[bytes]:
    """The IPTC records among Photoshop's image resources."""
    out = []
    place = 0
    while data[place : place + 4] == b"8BIM" and len(data) >= place + 7:
        kind = int.from_bytes(data[place + 4 : place + 6], "big")
        place += 6 + (data[place + 6] + 2) // 2 * 2  # a name with its length, padded to an even number
        size = int.from_bytes(data[place : place + 4], "big")
        if kind == 0x0404:
            out.append(data[place + 4 : place + 4 + size])
        place += 4 + (size + 1) // 2 * 2
    return out


# --- WebP -----------------------------------------------------------------------------------------------------------------


def _webp(file: BinaryIO, found: Carried) -> None:
    for _ in range(MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            if head:
                found.faults.append("a chunk of the WebP is cut off")
            return
        kind, size = struct.unpack("<4sI", head)
        if kind not in (b"EXIF", b"XMP ", b"C2PA"):
            file.seek(size + size % 2, 1)
            continue
        data = found.take(file, size, f"the chunk {kind.decode()}")
        if size % 2:
            file.read(1)
        if data is None:
            continue
        if kind == b"EXIF":
            found.exif.append(data[6:] if data.startswith(b"Exif\0") else data)
        elif kind == b"XMP ":
            found.xmp.append(data.decode("utf-8", "replace"))
        else:
            found.c2pa.append(data)
    found.faults.append(f"more than {MOST_CHUNKS} chunks")
