"""Pieces of clothing, 70,000 pictures of 28 x 28 pixels (Fashion-MNIST; 31 MB download)."""

from __future__ import annotations

from remission.sources._idx import IdxPictures

_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class FashionMnist(IdxPictures):
    """Fashion-MNIST. Licence MIT; Xiao, Rasul and Vollgraf, arXiv 1708.07747 (Zalando SE).

    Items are pictures in grey levels 0 .. 1, flattened to (pixels^2,), or (pixels^2 + 1,) with the class last. At 28
    pixels the training set takes 376 MB of memory; 14 takes a quarter of that.

    Attributes:
        split: the 60,000 training pictures, the 10,000 test pictures, or both in this order.
        pixels: side of a picture; below 28 it is averaged over squares of 2 x 2 or 4 x 4.
        labels: add the class, so that items are labelled instead of pictures.
        captions: add the name of the class as a caption of one token.
        limit: only the first so many.

    Raises:
        DataError: the set is not here and cannot be fetched, or a copy is not the published one.

    >>> FashionMnist(pixels=7, limit=5).label
    'fashion-mnist[pixels=7,limit=5]'
    """

    classes = _CLASSES
    words = _CLASSES
