"""Reading small PNG pictures without an image library; whatever is not one is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from remission.data import Array
from remission.errors import DataError
from remission.numerics.jit import jit

MOST = 4096  # pixels a side
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type: grey, RGB, palette, grey and alpha, RGB and alpha


def read_png(data: bytes, what: str, most: int = MOST) -> Array:
    """Red, green, blue and alpha of a PNG with 8 bits per sample, uint8 (h, w, 4).

    Grey, colour and palette pictures, with or without transparency; not interlaced.

    Args:
        data: the file.
        what: names it in errors.
        most: the longest side that is read, in pixels.

    Raises:
        DataError: no PNG, a wrong checksum, a kind that is not read, a side longer than ``most``, or more or less data
            than the size asks for.

    Source: W3C, Portable Network Graphics (PNG) Specification, second edition (2003), sections 5, 9 and 11.
    """
    chunks: dict[bytes, bytearray] = {}
    for kind, body in _chunks(data, what):
        chunks.setdefault(kind, bytearray()).extend(body)
    if len(chunks.get(b"IHDR", b"")) != 13:
        raise DataError(f"{what} is no PNG: its header is missing. Replace it by a fresh copy.")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or colour not in _CHANNELS or packing or filtering or interlace:
        raise DataError(
            f"{what} is a PNG of colour type {colour} with {depth} bits{', interlaced' if interlace else ''}. "
            f"Only 8 bits per sample, not interlaced, are read. Save it so."
        )
    if not (1 <= width <= most and 1 <= height <= most):
        raise DataError(f"{what} has {width} x {height} pixels; 1 to {most} a side are read. Make it smaller.")
    samples = _CHANNELS[colour]
    raw = _inflated(chunks.get(b"IDAT", b""), height * (1 + width * samples), what)
    rows = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * samples)
    out = np.empty((height, width * samples), np.uint8)
    if not unfilter(rows, samples, out):
        raise DataError(f"{what} uses a filter that PNG does not have. Replace it by a fresh copy.")
    return _coloured(out.reshape(height, width, samples), colour, chunks, what)


def _chunks(data: bytes, what: str) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of every chunk up to the end; checksums are checked."""
    if data[:8] != _SIGNATURE:
        raise DataError(f"{what} is no PNG file. Replace it by a fresh copy.")
    at, kind = 8, b""
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", data[at : at + 8].ljust(8, b"\0"))
        if len(data) < at + 12 + size:
            raise DataError(f"{what} is cut off after {len(data)} bytes. Replace it by a fresh copy.")
        body, check = data[at + 8 : at + 8 + size], data[at + 8 + size : at + 12 + size]
        if zlib.crc32(kind + body) != int.from_bytes(check, "big"):
            raise DataError(f"{what} is damaged at byte {at}. Replace it by a fresh copy.")
        yield kind, body
        at += 12 + size


def _inflated(packed: bytes | bytearray, size: int, what: str) -> bytes:
    """Exactly ``size`` bytes, however much more there may be to unpack."""
    try:
        raw = zlib.decompressobj().decompress(packed, size + 1)
    except zlib.error as error:
        raise DataError(f"{what} cannot be unpacked: {error}. Replace it by a fresh copy.") from None
    if len(raw) != size:
        raise DataError(
            f"{what} holds {'more' if len(raw) > size else 'less'} data than its size asks for ({size} bytes)."
        )
    return raw


@jit()
def unfilter(rows, samples, out):  # type: ignore[no-untyped-def]
    """Undo the filter of each row (its first byte); False for a filter that does not exist."""
    height, width = out.shape
    for y in range(height):
        kind = rows[y, 0]
        if kind > 4:
            return False
        for x in range(width):
            left = int(out[y, x - samples]) if x >= samples else 0
            up = int(out[y - 1, x]) if y > 0 else 0
            corner = int(out[y - 1, x - samples]) if y > 0 and x >= samples else 0
            guess = 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = up
            elif kind == 3:
                guess = (left + up) // 2
            elif kind == 4:  # Paeth: the neighbour nearest to left + up - corner
                near = left + up - corner
                a, b, c = abs(near - left), abs(near - up), abs(near - corner)
                guess = left if a <= b and a <= c else up if b <= c else corner
            out[y, x] = (int(rows[y, x + 1]) + guess) & 255
    return True


def _coloured(pixels: Array, colour: int, chunks: Mapping[bytes, bytes | bytearray], what: str) -> Array:
    """Samples of any colour type as red, green, blue and alpha."""
    out = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    if colour == 3:
        palette = chunks.get(b"PLTE", b"")
        alpha = np.frombuffer(chunks.get(b"tRNS", b""), np.uint8)
        if len(palette) % 3 or int(pixels.max()) >= len(palette) // 3 or alpha.size > len(palette) // 3:
            raise DataError(f"{what} has a broken palette. Replace it by a fresh copy.")
        table = np.full((len(palette) // 3, 4), 255, np.uint8)
        table[:, :3] = np.frombuffer(palette, np.uint8).reshape(-1, 3)
        table[: alpha.size, 3] = alpha
        return table[pixels[..., 0]]
    if colour in (4, 6):
        out[..., 3] = pixels[..., -1]
    out[..., :3] = pixels[..., :3] if colour in (2, 6) else pixels[..., :1]
    key = chunks.get(b"tRNS", b"")
    if colour in (0, 2) and len(key) == 2 * pixels.shape[2]:  # one colour, in 16 bits, is transparent
        out[(pixels == np.frombuffer(key, ">u2")).all(axis=2), 3] = 0
    return out
