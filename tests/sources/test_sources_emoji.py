"""Emoji and the PNG reader under them: the published pictures and names, and nothing that is not a PNG."""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.errors import DataError
from remission.sources._download import fetch
from remission.sources._png import read_png
from remission.sources.emoji import Emoji, pack

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda near: (abs(guess - near), (left, up, corner).index(near)))


def filtered(pixels: np.ndarray, kinds: list[int]) -> bytes:
    """Rows with the filters of section 9 of the specification applied, in plain Python."""
    height, width, samples = pixels.shape
    flat = pixels.reshape(height, -1).astype(int)
    out = bytearray()
    for y in range(height):
        out.append(kinds[y])
        for x in range(width * samples):
            left = flat[y, x - samples] if x >= samples else 0
            up = flat[y - 1, x] if y else 0
            corner = flat[y - 1, x - samples] if y and x >= samples else 0
            guess = [0, left, up, (left + up) // 2, paeth(left, up, corner)][kinds[y]]
            out.append((flat[y, x] - guess) % 256)
    return bytes(out)


def file(pixels, colour, kinds, more=b"", raw=None, header=(8, 0, 0, 0), size=None):
    height, width = pixels.shape[:2]
    depth, packing, filtering, interlace = header
    width, height = size or (width, height)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, packing, filtering, interlace)
    data = zlib.compress(filtered(pixels, kinds) if raw is None else raw)
    parts = [data[i : i + 50] for i in range(0, len(data), 50)]  # the stream may be cut anywhere
    body = b"".join(chunk(b"IDAT", part) for part in parts)
    return SIGNATURE + chunk(b"IHDR", head) + more + body + chunk(b"IEND", b"")


@given(st.sampled_from(sorted(SAMPLES)), st.integers(1, 9), st.lists(st.integers(0, 4), min_size=1, max_size=7))
def test_every_colour_type_and_filter_is_read(colour, width, kinds):
    rng = np.random.default_rng(width)
    pixels = rng.integers(0, 8 if colour == 3 else 256, (len(kinds), width, SAMPLES[colour])).astype(np.uint8)
    palette, alpha = rng.integers(0, 256, (8, 3)).astype(np.uint8), rng.integers(0, 256, 5).astype(np.uint8)
    more = chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", alpha.tobytes()) if colour == 3 else b""
    found = read_png(file(pixels, colour, kinds, more), "it")
    expected = np.full((len(kinds), width, 4), 255)
    if colour == 3:
        expected[..., :3] = palette[pixels[..., 0]]
        expected[..., 3] = np.append(alpha, [255] * 3)[pixels[..., 0]]
    else:
        expected[..., :3] = pixels[..., :3] if colour in (2, 6) else pixels[..., :1]
        if colour in (4, 6):
            expected[..., 3] = pixels[..., -1]
    assert (found == expected).all()


def test_one_colour_may_be_transparent():
    pixels = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint8)
    found = read_png(file(pixels, 2, [0], chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))), "it")
    assert found[0, :, 3].tolist() == [0, 255]
    grey = read_png(file(np.array([[[7], [8]]], np.uint8), 0, [0], chunk(b"tRNS", struct.pack(">H", 8))), "it")
    assert grey[0].tolist() == [[7, 7, 7, 255], [8, 8, 8, 0]]


PIXELS = np.zeros((2, 3, 4), np.uint8)
GOOD = file(PIXELS, 6, [0, 0])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no PNG file"),
        (b"GIF89a", "no PNG file"),
        (GOOD[:30], "cut off after 30 bytes"),
        (GOOD[:-12], "cut off"),
        (GOOD[:20] + b"\xff" + GOOD[21:], "damaged at byte 8"),
        (SIGNATURE + chunk(b"IEND", b""), "header is missing"),
        (SIGNATURE + struct.pack(">I4s", 2**32 - 1, b"IDAT") + b"abcdefgh", "cut off"),
        (file(PIXELS, 6, [0, 0], header=(16, 0, 0, 0)), "16 bits"),
        (file(PIXELS, 6, [0, 0], header=(8, 0, 0, 1)), "interlaced"),
        (file(PIXELS, 6, [0, 0], size=(0, 2)), "0 x 2 pixels"),
        (file(PIXELS, 6, [0, 0], size=(2**31, 2**31)), "Make it smaller"),
        (file(PIXELS, 6, [0, 0], raw=bytes(25)), "less data than"),
        (file(PIXELS, 6, [0, 0], raw=bytes(10**6)), "more data than"),
        (file(PIXELS, 6, [0, 0], raw=b"\x05" + bytes(25)), "filter that PNG does not have"),
        (file(PIXELS[..., :1], 3, [0, 0]), "broken palette"),
        (file(PIXELS[..., :1], 3, [0, 0], chunk(b"PLTE", b"abcd")), "broken palette"),
        (
            SIGNATURE + chunk(b"IHDR", GOOD[16:29]) + chunk(b"IDAT", b"no zlib") + chunk(b"IEND", b""),
            "cannot be unpacked",
        ),
    ],
)
def test_what_is_no_png_is_refused(data, says):
    with pytest.raises(DataError, match=says):
        read_png(data, "it")


@given(st.binary(max_size=80), st.integers(0, len(GOOD)))
def test_damage_is_never_a_crash(noise, at):
    for data in (noise, SIGNATURE + noise, GOOD[:at] + noise + GOOD[at:], GOOD[:at] + noise):
        try:
            read_png(data, "it")
        except DataError:
            continue
        assert data.startswith(GOOD)


@pytest.fixture
def mirror(shared, monkeypatch, tmp_path):
    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path))
    return shared / "data" / "emoji"


@pytest.mark.usefixtures("mirror")
def test_emoji_are_pictures_with_their_names():
    source = Emoji(pixels=8)
    items, space = source.items(), source.space
    assert items.shape == (1650, 198) == (1650, space.pixels + 6)
    assert items is source.items()
    assert not items.flags.writeable
    assert (space.kind, space.picture, space.channels) == ("captioned", (8, 8), 3)
    assert items[:, :192].min() >= 0.0
    assert items[:, :192].max() <= 1.0
    captions = items[:, 192:].astype(int)
    assert (captions == items[:, 192:]).all()
    assert captions.min() == 0
    assert captions.max() == space.size - 1 == len(space.names) - 1
    said = [" ".join(space.field("caption").text(row).split()) for row in captions]
    assert {"grinning face", "cat", "woman health worker", "red heart", "hash sign"} <= set(said)
    assert not any("skin tone" in text for text in said)
    red = items[said.index("red heart"), :192].reshape(8, 8, 3)
    assert red[4, 4, 0] > 0.8 > 0.4 > red[4, 4, 1]
    assert (red[0, 0] > 0.95).all(), "white outside of the picture"
    every = Emoji(pixels=8, tones=True, length=8)
    assert every.items().shape == (3530, 200)


@pytest.mark.usefixtures("mirror")
def test_smaller_pictures_are_averages_and_rare_words_unknown():
    whole = Emoji().items()[:40, :3072].reshape(40, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    source = Emoji(pixels=16, vocabulary=50, length=2)
    assert np.allclose(source.items()[:40, :768], whole.reshape(40, -1))
    assert source.space.size == 50
    assert source.space.names[0] == "\n" or "\n" in source.space.names
    assert "<unk>" in source.space.names
    assert source.space.shape == (770,)


def test_the_pictures_can_be_packed_byte_for_byte(mirror, monkeypatch, tmp_path):
    with zipfile.ZipFile(mirror / "noto_png32.zip") as archive:
        archive.extractall(tmp_path / "noto")
    monkeypatch.setenv("REMISSION_MIRROR", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="Pack it yourself: git clone") as caught:
        fetch("emoji", "noto_png32.zip")
    assert "pack('noto-emoji/png/32')" in str(caught.value)
    path = pack(tmp_path / "noto" / "png" / "32")
    assert path.read_bytes() == (mirror / "noto_png32.zip").read_bytes()
    assert len(fetch("emoji", "noto_png32.zip")) == 5_170_232
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"Delete that copy\. Pack it yourself"):
        fetch("emoji", "noto_png32.zip")
    with pytest.raises(DataError, match=f"SHA-256 {hashlib.sha256(_empty()).hexdigest()}"):
        pack(tmp_path / "nothing")


def _empty() -> bytes:
    import io

    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    return out.getvalue()
