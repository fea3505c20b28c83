"""Handwritten digits, 70,000 pictures of 28 x 28 pixels (MNIST; 12 MB download)."""

from __future__ import annotations

import functools
from typing import Annotated, Literal

from msgspec import Meta

from remission.data import Array, Integers, Space
from remission.interfaces import FiniteSource
from remission.sources._classes import NUMERALS, one_of, picture_space
from remission.sources._idx import load_classes, load_pictures
from remission.sources._text import Loaded

_CLASSES = tuple("0123456789")


class Mnist(FiniteSource):
    """MNIST. Licence CC BY-SA 3.0; LeCun, Bottou, Bengio and Haffner, Proc. IEEE 86:2278 (1998).

    Items are pictures in grey levels 0 .. 1, flattened to (pixels^2,), or (pixels^2 + 1,) with the class last. At 28
    pixels the training set takes 376 MB of memory; 14 takes a quarter of that.

    Attributes:
        split: the 60,000 training pictures, the 10,000 test pictures, or both in this order.
        pixels: side of a picture; below 28 it is averaged over squares of 2 x 2 or 4 x 4.
        labels: add the class, so that items are labelled instead of pictures.
        captions: add the digit's word (zero to nine) as a caption of one token.
        limit: only the first so many.

    Raises:
        DataError: the set is not here and cannot be fetched, or a copy is not the published one.

    >>> Mnist(pixels=7, limit=5).label
    'mnist[pixels=7,limit=5]'
    """

    split: Literal["train", "test", "both"] = "train"
    pixels: Literal[28, 14, 7] = 28
    labels: bool = False
    captions: bool = False
    limit: Annotated[int, Meta(ge=1)] | None = None

    def check(self) -> None:
        """The class is carried in one way."""
        one_of("mnist", self.labels, self.captions)

    @property
    def space(self) -> Space:
        """A square picture, its pixels and one of 10 classes, or the picture and one of 10 words. Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All pictures, (N, pixels^2 or one more)."""
        return _load(self).items

    def item_classes(self) -> Integers:
        """The class of every picture, (N,)."""
        return load_classes("mnist", self.split, self.limit)


@functools.lru_cache(maxsize=2)  # large
def _load(source: Mnist) -> Loaded:
    shown = load_pictures("mnist", source.split, source.pixels, source.limit, source.labels or source.captions)
    return Loaded(picture_space(source.pixels, source.labels, source.captions, _CLASSES, NUMERALS), shown)
