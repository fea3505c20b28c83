"""Pictures and labels in the IDX format of MNIST and its kin."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np

from remission.data import Array, Integers
from remission.errors import DataError
from remission.sources._classes import frozen
from remission.sources._download import fetch, unpack

Split = Literal["train", "test", "both"]

_STEMS = {"train": ["train"], "test": ["t10k"], "both": ["train", "t10k"]}
_LIMIT = 64 * 2**20  # bytes; the largest file unpacks to 47 MB


def read_idx(data: bytes, what: str) -> Array:
    """The array of an unpacked IDX file of unsigned bytes.

    >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), "an example")
    array([7, 9], dtype=uint8)
    """
    axes = data[3] if len(data) > 3 else 0
    start = 4 + 4 * axes
    if data[:3] != b"\x00\x00\x08" or not axes or len(data) < start:
        raise DataError(f"{what} is no IDX file of unsigned bytes. Replace it by a fresh copy.")
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], ">u4"))
    if len(data) - start != int(np.prod(shape, dtype=object)):
        raise DataError(f"{what} holds {len(data) - start} bytes for the shape {shape}. Replace it by a fresh copy.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def load_pictures(name: str, split: Split, pixels: int, limit: int | None, classes: bool) -> Array:
    """Pictures of a set in grey levels 0 .. 1, averaged down to ``pixels`` a side, with the class last if asked for."""
    pictures = np.concatenate([_part(name, f"{stem}-images-idx3-ubyte.gz") for stem in _STEMS[split]])[:limit]
    n, side = pictures.shape[:2]
    step = side // pixels
    items = np.empty((n, pixels * pixels + classes))
    for start in range(0, n, 4096):
        part = pictures[start : start + 4096].reshape(-1, pixels, step, pixels, step)
        sums = part.sum(axis=(2, 4), dtype=np.int64).reshape(-1, pixels * pixels)
        items[start : start + 4096, : pixels * pixels] = sums / (255.0 * step * step)
    if classes:
        items[:, -1] = load_classes(name, split, limit)
    items.flags.writeable = False
    return items


@functools.lru_cache(maxsize=8)
def load_classes(name: str, split: Split, limit: int | None) -> Integers:
    """The class of every picture of a set, (N,)."""
    parts = [_part(name, f"{stem}-labels-idx1-ubyte.gz") for stem in _STEMS[split]]
    return frozen(np.concatenate(parts)[:limit])


def _part(name: str, file: str) -> Array:
    return read_idx(unpack(fetch(name, file), _LIMIT, file), file)
