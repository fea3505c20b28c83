"""The periodic pattern of the picture watermark ``spread-spectrum``: which waves it has, and what each says.

The pattern repeats every 128 pixels. Its waves have 5 to 26 cycles per period (0.04 to 0.2 per pixel): longer ones drown
in the content of pictures, shorter ones do not survive halving the size or strong JPEG. They have three uses:

- *guides* tell where the pattern lies. Their sign is the same for all eight waves that turning and mirroring carry into one
  another, so the pattern of guides looks the same from all sides and one search finds it.
- *pilots* are signs that follow from the key alone. They tell which side is up, and whether the key was used at all.
- *carriers* are signs that follow from the key, times the signs of the coded payload.

The signs of each use come from a stream of their own, so that whatever the guides make of a picture, pilots and carriers
are independent of it.
"""

from __future__ import annotations

import functools
import hashlib
from typing import NamedTuple

import numpy as np

from remission.numerics import convolutional
from remission.numerics.arrays import Array, Booleans, Floats, Integers
from remission.numerics.gratings import Pattern, Waves
from remission.numerics.local import Field
from remission.watermarking import Key
from remission.watermarks._picture import bits_of

PERIOD = 128
LONGEST, SHORTEST = 5, 26  # cycles per period
SIDES = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))
_GUIDES = 88  # of 256 orbits
_PILOTS = (0, 5)  # of 8 signs: a real and an imaginary part, for half a turn changes only the latter
_NEAR, _HOPE = 2.5, 0.02  # cycles per period; what a carrier counts for when guides of its length are lost


class Layout(NamedTuple):
    """The waves, the same for all keys.

    Attributes:
        rows, columns: (g,) k and l of the guides.
        orbit: (g,) which guides share their sign.
        orbits: how many such groups.
        free_rows, free_columns: (f,) k and l of the other waves, each of two signs.
        pilots: (2 f,) which of these signs are pilots.
    """

    rows: Integers
    columns: Integers
    orbit: Integers
    orbits: int
    free_rows: Integers
    free_columns: Integers
    pilots: Booleans


@functools.cache
def layout() -> Layout:
    """The waves. An orbit (a, b), a >= b, is one of guides when the first byte of SHA-256("a,b") is small."""
    k, l = np.mgrid[-SHORTEST : SHORTEST + 1, 0 : SHORTEST + 1]  # noqa: E741
    squares = k * k + l * l
    half = (squares >= LONGEST**2) & (squares <= SHORTEST**2) & ((l > 0) | (k > 0))
    k, l = k[half], l[half]  # noqa: E741
    high, low = np.maximum(abs(k), l), np.minimum(abs(k), l)
    guide = np.array(
        [hashlib.sha256(b"%d,%d" % one).digest()[0] < _GUIDES for one in zip(high.tolist(), low.tolist(), strict=True)]
    )
    _, orbit = np.unique(high[guide] * 1000 + low[guide], return_inverse=True)
    signs = 2 * int((~guide).sum())
    return Layout(
        k[guide], l[guide], orbit, int(orbit.max()) + 1, k[~guide], l[~guide], np.isin(np.arange(signs) % 8, _PILOTS)
    )  # fmt: skip


def guides(key: Key) -> Pattern:
    """The guides of a key."""
    waves = layout()
    signs = _signs(bits_of(key, "guides", waves.orbits))[waves.orbit]
    return Pattern(SHORTEST, waves.rows, waves.columns, signs.astype(np.float32))


def key_signs(key: Key) -> Integers:
    """The signs (2 f,) of pilots and carriers before the payload."""
    return _signs(bits_of(key, "carriers", layout().pilots.size))


def own_payload(key: Key, bits: int) -> Booleans:
    """The payload (bits,) that follows from the key."""
    return bits_of(key, "payload", bits)


def _signs(bits: Booleans) -> Integers:
    return np.where(bits, 1, -1)


def order(key: Key, bits: int) -> Integers:
    """Which sign of the code each carrier says, in an order that follows from the key; each about as often."""
    count = int((~layout().pilots).sum())
    words = np.packbits(bits_of(key, "order", 64 * count)).view(">u8")
    return np.argsort(words, kind="stable") % convolutional.length(bits)


def said(key: Key, payload: Booleans) -> Integers:
    """The signs (2 f,) of all pilots and carriers that say a payload."""
    signs = key_signs(key)
    signs[~layout().pilots] *= convolutional.encode(payload)[order(key, payload.size)]
    return signs


def period(key: Key, payload: Booleans) -> Field:
    """One period (128, 128) of the pattern, with variance 1."""
    import scipy.fft

    waves, signs = layout(), said(key, payload)
    spectrum = np.zeros((PERIOD, PERIOD // 2 + 1), np.complex128)
    guide = guides(key)
    spectrum[guide.rows, guide.columns] = guide.signs
    spectrum[waves.free_rows, waves.free_columns] = (signs[0::2] + 1j * signs[1::2]) * np.sqrt(0.5)
    spectrum[: PERIOD // 2 : -1, 0] = np.conj(spectrum[1 : PERIOD // 2, 0])
    tile = scipy.fft.irfft2(spectrum, (PERIOD, PERIOD))
    return (tile / tile.std()).astype(np.float32)


def turned(waves: Waves, turns: int, mirrored: bool) -> Waves:
    """Waves (2 K + 1, K + 1) as they would be, had the picture not been mirrored (left-right), then turned (counter-clockwise)."""
    most = waves.shape[1] - 1
    whole = np.concatenate([np.conj(waves[::-1, :0:-1]), waves], axis=1)
    whole = np.rot90(whole, -turns)
    if mirrored:
        whole = whole[:, ::-1]
    return whole[:, most:]


def signs_in(waves: Array) -> Floats:
    """What the waves say of pilots and carriers, (2 f,): the sign is the answer, the size how sure it is; 0 says nothing."""
    free = layout()
    found = waves[free.free_rows + SHORTEST, free.free_columns]
    out = np.empty(2 * found.size)
    out[0::2], out[1::2] = found.real, found.imag
    return out


def reliability(waves: Array, guide: Pattern) -> Floats:
    """How far each pilot and carrier can be believed, (2 f,): how well guides of about the same length are borne out.

    Args:
        waves: (2 K + 1, K + 1) whitened, the pattern at the middle.
        guide: the guides of the key.
    """
    borne = (waves[guide.rows + SHORTEST, guide.columns].real * guide.signs).clip(-1.5, 1.5)
    lengths = np.hypot(guide.rows, guide.columns)
    steps = np.arange(SHORTEST + 1)
    near = np.exp(-0.5 * ((lengths[:, None] - steps) / _NEAR) ** 2)
    mean = np.maximum(borne @ near / near.sum(axis=0), 0) + _HOPE
    free = layout()
    return np.repeat(mean[np.rint(np.hypot(free.free_rows, free.free_columns)).astype(np.int64)], 2)
