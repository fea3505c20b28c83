"""Handwritten digits, 1,797 pictures of 8 x 8 pixels (scikit-learn's; no download)."""

from __future__ import annotations

import functools

import numpy as np

from remission.data import Array, Integers, Space
from remission.interfaces import FiniteSource
from remission.sources._classes import NUMERALS, frozen, one_of, picture_space
from remission.sources._text import Loaded


class Digits(FiniteSource):
    """UCI's "Optical Recognition of Handwritten Digits" test set as it comes with scikit-learn; grey levels 0 .. 1.

    Items are pictures, flattened to (64,), or (65,) with the digit last. Several pixels are always 0. Source:
    Alpaydin and Kaynak, UCI Machine Learning Repository (1998), CC BY 4.0.

    Attributes:
        labels: add the digit, so that items are labelled instead of pictures.
        captions: add the digit's word (zero to nine) as a caption of one token.

    >>> Digits().items().shape, Digits().space.picture
    ((1797, 64), (8, 8))
    >>> Digits(labels=True).space.size
    10
    >>> Digits(captions=True).space.names[7]
    'seven'
    """

    labels: bool = False
    captions: bool = False

    def check(self) -> None:
        """The digit is carried in one way."""
        one_of("digits", self.labels, self.captions)

    @property
    def space(self) -> Space:
        """A picture of 8 x 8, its 64 features and one of 10 classes, or the picture and one of 10 words."""
        return _load(self).space

    def items(self) -> Array:
        """All pictures, (1797, 64 or 65)."""
        return _load(self).items

    def item_classes(self) -> Integers:
        """The digit of every picture, (1797,)."""
        return _digits()


@functools.cache
def _load(source: Digits) -> Loaded:
    from sklearn.datasets import load_digits

    pictures = load_digits(return_X_y=True)[0]
    items = pictures.astype(np.float64) / 16.0
    if source.labels or source.captions:
        items = np.column_stack([items, _digits()])
    items.flags.writeable = False
    return Loaded(picture_space(8, source.labels, source.captions, tuple("0123456789"), NUMERALS), items)


@functools.cache
def _digits() -> Integers:
    from sklearn.datasets import load_digits

    return frozen(load_digits(return_X_y=True)[1])
