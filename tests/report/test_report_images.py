"""PNG files hold the pixels they were given."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import pytest

from remission.report.images import common_bounds, data_uri, png, sheet


def decode(data: bytes) -> tuple[int, int, np.ndarray]:
    """Read a PNG with filter 0: bit depth, colour type and rows of samples. Checks every checksum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size]) == (zlib.crc32(kind + body),)
        chunks[kind], at = body, at + 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (rows[:, 0] == 0).all()
    rows = rows[:, 1:]
    if depth == 4:
        rows = np.stack([rows >> 4, rows & 15], axis=-1).reshape(height, -1)[:, :width]
    return depth, colour, rows.reshape(height, width, 3) if colour == 2 else rows


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 8), (2, 3, 3)])
def test_eight_bits_are_exact(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    depth, colour, rows = decode(png(pixels))
    assert depth == 8
    assert colour == (2 if len(shape) == 3 else 0)
    assert (rows == pixels).all()


@pytest.mark.parametrize("width", [1, 2, 7, 8])
def test_sixteen_greys_are_the_nearest(width: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, width)).astype(np.uint8)
    depth, _, rows = decode(png(pixels, 16))
    assert depth == 4
    assert np.abs(rows.astype(int) * 17 - pixels).max() <= 8
    assert not np.array_equal(decode(png(255 - pixels, 16))[2], rows)


def test_a_sheet_shows_pictures_in_reading_order() -> None:
    pictures = np.arange(5.0)[:, None, None] * np.ones((5, 2, 2))
    out = sheet(pictures, 0.0, 4.0)
    assert out.shape == (5, 8)
    assert [int(out[row, column]) for row in (0, 3) for column in (0, 3, 6)] == [0, 64, 128, 191, 255, 119]


def test_what_is_out_of_range_or_missing_does_not_break_a_sheet() -> None:
    out = sheet(np.array([[[np.nan, np.inf, -np.inf, 1e300]]]), 0.0, 1.0)
    assert out.tolist() == [[0, 255, 0, 255]]
    assert sheet(np.full((1, 1, 1), 3.0), 3.0, 3.0).shape == (1, 1)


def test_bounds_come_from_the_real_pictures() -> None:
    assert common_bounds([np.full(3, np.nan), np.array([1.0, 2.0]), np.array([9.0])]) == (1.0, 2.0)
    assert common_bounds([np.ones(4)]) == (0.0, 1.0)


def test_a_data_uri_holds_the_file() -> None:
    pixels = np.eye(6, dtype=np.uint8) * 255
    _, _, rows = decode(base64.b64decode(data_uri(pixels).split(",")[1]))
    assert (rows * 17 == pixels).all()
