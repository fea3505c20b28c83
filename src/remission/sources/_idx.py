"""Pictures and labels in the IDX format of MNIST and its kin."""

from __future__ import annotations

import functools
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import Array, Integers, Space
from remission.errors import DataError
from remission.interfaces import FiniteSource
from remission.sources._classes import frozen, one_of, picture_space
from remission.sources._download import fetch, unpack
from remission.sources._text import Loaded

Split = Literal["train", "test", "both"]

_STEMS = {"train": ["train"], "test": ["t10k"], "both": ["train", "t10k"]}
_LIMIT = 64 * 2**20  # bytes; the largest file unpacks to 47 MB


class IdxPictures(FiniteSource):
    """A published set of square pictures in ten classes; subclasses name it, its classes and the words for them."""

    split: Split = "train"
    pixels: Literal[28, 14, 7] = 28
    labels: bool = False
    captions: bool = False
    limit: Annotated[int, Meta(ge=1)] | None = None

    classes: ClassVar[tuple[str, ...]] = ()
    words: ClassVar[tuple[str, ...]] = ()

    def check(self) -> None:
        """The class is carried in one way."""
        one_of(self.name(), self.labels, self.captions)

    @property
    def space(self) -> Space:
        """A square picture, its pixels and one of 10 classes, or the picture and one of 10 words. Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All pictures, (N, pixels^2 or one more)."""
        return _load(self).items

    def item_classes(self) -> Integers:
        """The class of every picture, (N,)."""
        return load_classes(self.name(), self.split, self.limit)


@functools.lru_cache(maxsize=2)  # large
def _load(source: IdxPictures) -> Loaded:
    shown = load_pictures(source.name(), source.split, source.pixels, source.limit, source.labels or source.captions)
    return Loaded(picture_space(source.pixels, source.labels, source.captions, source.classes, source.words), shown)


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
