"""Pictures as PNG without an image library: contact sheets in 16 greys, or in colour."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def png(pixels: Bytes, levels: int = 256) -> bytes:
    r"""A PNG file.

    Args:
        pixels: ``(h, w)`` greys or ``(h, w, 3)`` colours, uint8.
        levels: 16 stores greys with four bits each, which halves a contact sheet.

    >>> png(np.zeros((2, 3), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    height, width = pixels.shape[:2]
    colour = pixels.ndim == 3
    depth = 4 if levels == 16 and not colour else 8
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    if depth == 4:
        greys = ((rows.astype(np.uint16) * 15 + 127) // 255).astype(np.uint8)
        greys = np.pad(greys, ((0, 0), (0, width % 2)))
        rows = np.bitwise_or(greys[:, 0::2] << 4, greys[:, 1::2], dtype=np.uint8)
    raw = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # each row starts with its filter, 0: none
    header = struct.pack(">IIBBBBB", width, height, depth, 2 if colour else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def sheet(pictures: Any, low: float, high: float, columns: int | None = None, gap: int = 1) -> Bytes:
    """Pictures in a grid with a grey gap.

    Args:
        pictures: ``(n, h, w)`` or ``(n, h, w, 3)``; not finite becomes black.
        low: the value drawn black; what lies below is cut.
        high: the value drawn white.
        columns: pictures per row; by default as square as possible.
        gap: pixels between pictures.

    >>> sheet(np.ones((3, 2, 2)), 0.0, 1.0).shape
    (5, 5)
    """
    pictures = np.asarray(pictures, np.float64)
    n, height, width = pictures.shape[:3]
    columns = columns or max(1, math.ceil(math.sqrt(n)))
    rows = max(1, math.ceil(n / columns))
    span = high - low if high > low else 1.0
    share = np.clip(np.nan_to_num((pictures - low) / span, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, *pictures.shape[3:])
    out = np.full(shape, 119, np.uint8)
    for index, picture in enumerate(np.rint(share * 255).astype(np.uint8)):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        out[top : top + height, left : left + width] = picture
    return out


def data_uri(pixels: Bytes, levels: int = 16) -> str:
    """The picture for an ``src`` attribute.

    >>> data_uri(np.zeros((1, 1), np.uint8))[:22]
    'data:image/png;base64,'
    """
    return "data:image/png;base64," + base64.b64encode(png(pixels, levels)).decode("ascii")


def common_bounds(sets: Sequence[Any]) -> tuple[float, float]:
    """Black and white for several sets of pictures: the range of the first, which is the real one.

    >>> common_bounds([np.array([0.0, 16.0]), np.array([-3.0, 40.0])])
    (0.0, 16.0)
    """
    for pictures in sets:
        finite = np.asarray(pictures, np.float64)
        finite = finite[np.isfinite(finite)]
        if finite.size and finite.max() > finite.min():
            return float(finite.min()), float(finite.max())
    return 0.0, 1.0
