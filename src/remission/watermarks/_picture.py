"""What watermarks of pictures share: which arrays are pictures, their brightness, bits that follow from a key."""

from __future__ import annotations

import hashlib

import numpy as np

from remission.errors import DataError, SpecError
from remission.numerics.arrays import Array, Booleans
from remission.numerics.local import Field
from remission.watermarking import Key

_WIDEST = 128  # bits of a key


def check_picture(picture: Array, least: int, what: str) -> None:
    """Raise DataError unless it is an array (h, w) or (h, w, 3) of bytes of at least so many pixels a side."""
    if not isinstance(picture, np.ndarray) or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
        shown = f"an array {picture.shape}" if isinstance(picture, np.ndarray) else f"a {type(picture).__name__}"
        raise DataError(f"{what} takes pictures: arrays (h, w) or (h, w, 3) of bytes. This is {shown}.")
    if picture.dtype != np.uint8:
        raise DataError(
            f"{what} takes pictures of bytes (uint8); this one is {picture.dtype}. Give round(255 x) as uint8."
        )
    if min(picture.shape[:2]) < least:
        size = " x ".join(map(str, picture.shape[:2]))
        raise DataError(f"{what} needs pictures of at least {least} x {least} pixels; this one has {size}.")


def luminance(picture: Array) -> Field:
    """The brightness (h, w) of a picture, 0 .. 255 (Rec. ITU-R BT.601)."""
    if picture.ndim == 2:
        return picture.astype(np.float32, order="C")
    return np.ascontiguousarray(picture) @ np.array([0.299, 0.587, 0.114], np.float32)


def check_number(key: Key, what: str) -> None:
    """Raise SpecError unless a key is one whole number of up to 128 bits."""
    if len(key.values) != 1:
        raise SpecError(f"{what}: a key is one whole number; '{key.name}' has {len(key.values)}.")
    if not 0 <= key.values[0] < 1 << _WIDEST:
        raise SpecError(f"{what}: a key is a whole number from 0 to 2^{_WIDEST} - 1; '{key.name}' lies outside.")


def random_number(rng: np.random.Generator, name: str) -> Key:
    """A key of 128 random bits."""
    return Key(name, (int.from_bytes(rng.bytes(_WIDEST // 8), "big"),))


def bits_of(key: Key, purpose: str, count: int) -> Booleans:
    """The first bits (count,) of the stream of a key for a purpose, most significant first.

    Block i of 256 bits is SHA-256("remission picture watermark 1" | purpose | 0 | key | i), the key as 16 bytes and i as 8,
    the most significant first. Streams of different purposes and of different keys are independent of one another as far
    as anybody knows.
    """
    head = b"remission picture watermark 1" + purpose.encode() + b"\0" + key.values[0].to_bytes(_WIDEST // 8, "big")
    blocks = [hashlib.sha256(head + number.to_bytes(8, "big")).digest() for number in range(-(-count // 256))]
    return np.unpackbits(np.frombuffer(b"".join(blocks), np.uint8))[:count].astype(np.bool_)


def check_payload(payload: Array, bits: int, what: str) -> Booleans:
    """A payload as (bits,) bool. Raises DataError for one that is no row of so many bits."""
    found = np.asarray(payload)
    if found.shape != (bits,) or not np.isin(found, (0, 1)).all():
        raise DataError(f"{what} carries {bits} bits; the payload given is an array {found.shape} of {found.dtype}.")
    return found.astype(np.bool_)
