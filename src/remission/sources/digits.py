"""Handwritten digits, 1,797 pictures of 8 x 8 pixels (scikit-learn's; no download)."""

from __future__ import annotations

import functools

import numpy as np

from remission.data import Array, Space
from remission.interfaces import FiniteSource
from remission.sources._text import Loaded


class Digits(FiniteSource):
    """UCI's "Optical Recognition of Handwritten Digits" test set as it comes with scikit-learn; grey levels 0 .. 1.

    Items are pictures, flattened to (64,), or (65,) with the digit last. Several pixels are always 0. Source:
    Alpaydin and Kaynak, UCI Machine Learning Repository (1998), CC BY 4.0.

    Attributes:
        labels: add the digit, so that items are labelled instead of pictures.

    >>> Digits().items().shape, Digits().space.picture
    ((1797, 64), (8, 8))
    >>> Digits(labels=True).space.size
    10
    """

    labels: bool = False

    @property
    def space(self) -> Space:
        """A picture of 8 x 8, or 64 features and one of 10 classes."""
        return _load(self).space

    def items(self) -> Array:
        """All pictures, (1797, 64 or 65)."""
        return _load(self).items


@functools.cache
def _load(source: Digits) -> Loaded:
    from sklearn.datasets import load_digits

    pictures, digits = load_digits(return_X_y=True)
    items = pictures.astype(np.float64) / 16.0
    space = Space("image", (64,), picture=(8, 8))
    if source.labels:
        items = np.column_stack([items, digits])
        space = Space("labelled", (65,), size=10, names=tuple("0123456789"))
    items.flags.writeable = False
    return Loaded(space, items)
