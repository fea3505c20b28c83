"""What the marks of the package invisible-watermark share: bits in the mean Haar band of the colour difference U.

Bits lie in blocks of 4 x 4 of that band (8 x 8 pixels), one a block, in rows and over again; a bit is read as the
majority of its blocks.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.errors import DataError, SpecError
from remission.numerics.arrays import Array, Booleans, Floats, Integers
from remission.numerics.haar import Haar, haar, unhaar
from remission.numerics.survival import log_binomial_tail
from remission.watermarking import Key, PictureFinding, PictureWatermark
from remission.watermarks import _picture as pictures

BLOCK = 4
LEAST = 256 * 256  # pixels that the package marks and reads
STEP = 36  # of the quantisation


class Blue(PictureWatermark):
    """A mark whose bits are read from, and written into, the blocks of that band."""

    bits: Annotated[int, Meta(ge=8, le=1024)] = 32

    @abstractmethod
    def written(self, blocks: Floats, bit: Booleans) -> Floats:
        """The blocks (n, 4, 4) with the bit (n,) of each."""

    @abstractmethod
    def read(self, blocks: Floats) -> Booleans:
        """The bit (n,) of each block."""

    def random_key(self, rng: np.random.Generator, name: str = "random") -> Key:
        """Random bits."""
        return Key(name, (int.from_bytes(rng.bytes(128), "big") >> (1024 - self.bits),))

    def check_key(self, key: Key) -> None:
        """One whole number of ``bits`` bits."""
        check_key(key, self.bits, self.name())

    def embed(self, key: Key, picture: Array, payload: Booleans | None = None) -> Array:
        """The marked picture (h, w, 3)."""
        self.check_key(key)
        wanted = payload_of(key, payload, self.bits, self.name())
        planes, found = bands(check(picture, f"Marking with {self.name()}"))
        old = blocks(found.mean)
        return assembled(planes, found, put(found.mean, self.written(old, wanted[np.arange(len(old)) % wanted.size])))

    def find(self, key: Key, picture: Array, payload: Booleans | None = None) -> PictureFinding:
        """What the picture says, at the scale and place where it was marked."""
        self.check_key(key)
        wanted = payload_of(key, payload, self.bits, self.name())
        _, found = bands(check(picture, f"Reading {self.name()}"))
        return finding(self.read(blocks(found.mean)), wanted)


def check(picture: Array, what: str) -> Array:
    """The picture as (h, w, 3). Raises DataError for one that is too small or no array of bytes."""
    pictures.check_picture(picture, 2 * BLOCK, what)
    if picture.shape[0] * picture.shape[1] < LEAST:
        raise DataError(
            f"{what} needs pictures of at least {LEAST} pixels (256 x 256); this one has {picture.shape[0]} x {picture.shape[1]}."
        )
    return picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)


def check_key(key: Key, bits: int, what: str) -> None:
    """Raise SpecError unless the key is one whole number of so many bits."""
    if len(key.values) != 1 or not 0 <= key.values[0] < 1 << bits:
        raise SpecError(
            f"{what}: the key '{key.name}' must be the payload as one whole number from 0 to 2^{bits} - 1, its first bit the "
            f"most significant."
        )


def payload_of(key: Key, payload: Booleans | None, bits: int, what: str) -> Booleans:
    """The payload (bits,) given, or the one that the key is."""
    if payload is not None:
        return pictures.check_payload(payload, bits, what)
    return np.array([key.values[0] >> (bits - 1 - place) & 1 for place in range(bits)], np.bool_)


def bands(picture: Array) -> tuple[Integers, Haar]:
    """The planes Y, U, V (h, w, 3) of a colour picture, as OpenCV rounds them, and the Haar bands of U."""
    red, green, blue = (picture[..., k].astype(np.int64) for k in range(3))
    y = (blue * 1868 + green * 9617 + red * 4899 + 8192) >> 14
    u = ((blue - y) * 8061 + (128 << 14) + 8192) >> 14
    v = ((red - y) * 14369 + (128 << 14) + 8192) >> 14
    height, width = (side // 4 * 4 for side in y.shape)
    return np.stack([y, u.clip(0, 255), v.clip(0, 255)], axis=-1), haar(u.clip(0, 255)[:height, :width])


def assembled(planes: Integers, found: Haar, mean: Floats) -> Array:
    """The colour picture with another mean band of U.

    As in the package, the differences along rows and columns are exchanged, values are cut to whole numbers, and those
    beyond 0 .. 255 wrap around: it is part of the mark as it is found in the wild.
    """
    new = unhaar(Haar(mean, found.columns, found.rows, found.both))
    planes = planes.copy()
    planes[: new.shape[0], : new.shape[1], 1] = new.astype(np.int64) & 255
    y, u, v = planes[..., 0], planes[..., 1] - 128, planes[..., 2] - 128
    blue = y + ((u * 33292 + 8192) >> 14)
    green = y + ((u * -6472 + v * -9519 + 8192) >> 14)
    red = y + ((v * 18678 + 8192) >> 14)
    return np.stack([red, green, blue], axis=-1).clip(0, 255).astype(np.uint8)


def blocks(mean: Floats) -> Floats:
    """The blocks (n, 4, 4) of a band, in rows; what is left at the edges is left out."""
    height, width = (side // BLOCK for side in mean.shape)
    part = mean[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK)
    return part.transpose(0, 2, 1, 3).reshape(-1, BLOCK, BLOCK)


def put(mean: Floats, changed: Floats) -> Floats:
    """The band with its blocks (n, 4, 4) replaced."""
    out = mean.copy()
    height, width = (side // BLOCK for side in mean.shape)
    part = changed.reshape(height, width, BLOCK, BLOCK).transpose(0, 2, 1, 3)
    out[: height * BLOCK, : width * BLOCK] = part.reshape(height * BLOCK, width * BLOCK)
    return out


def finding(votes: Booleans, expected: Booleans) -> PictureFinding:
    """What the votes (n,) of all blocks say, against an expected payload."""
    bits = expected.size
    turn = np.arange(votes.size) % bits
    share = np.bincount(turn, votes, bits) / np.maximum(np.bincount(turn, minlength=bits), 1)
    read = share * 255 > 127  # the threshold of the package, just below one half
    agree = int((read == expected).sum())
    chance = log_binomial_tail(np.array([bits]), np.array([agree]), 0.5)[0] / np.log(10)
    return PictureFinding(payload=read, log10_p=min(0.0, float(chance)))
