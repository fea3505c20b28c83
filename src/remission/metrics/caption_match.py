"""Whether captions still say what is on the pictures: agreement with the caption of the nearest real picture."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import CAPTIONED, Array, Floats, Space
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.numerics.neighbours import nearest
from remission.view import View


class CaptionMatch(Metric):
    """Each generated item's caption beside that of the nearest reference picture, no trained network between them.

    The nearest picture is the one at the least Euclidean distance among the real items never trained on. ``exact``: share
    of items whose captions are equal. ``f1``: mean of 2 c / (a + b), with a and b words in the two captions and c those in
    common, each as often as it occurs in both (1 where neither has any; the token that ends a caption is no word).
    ``real``: the same F1 of reference items and their nearest *other* reference picture, which is what looking alike is
    worth in this world. ``ratio``: f1 / real. In [0, 1], ratio above 1 where the model writes commoner words.

    ``exact``, ``f1`` and ``ratio`` fall when pictures and captions come loose from each other. They say little where
    everything has narrowed to one picture and one caption: read with the diversity of both.

    Raises SpecError with fewer than 2 reference items.

    Source: token F1 as in Rajpurkar et al., SQuAD (arXiv 1606.05250), section 6.1.

    >>> list(CaptionMatch.columns)
    ['exact', 'f1', 'real', 'ratio']
    """

    accepts: ClassVar[frozenset[str]] = CAPTIONED
    columns: ClassVar[dict[str, Direction]] = {"exact": "falls", "f1": "falls", "real": "either", "ratio": "falls"}

    def prepare(self, view: View) -> Floats:
        """F1 of the reference with itself, (r,)."""
        if view.reference.shape[1] < 2:
            raise SpecError("caption-match needs at least 2 reference items. Raise reference.")
        out = np.empty(view.replicates)
        for i, real in enumerate(view.reference):
            pictures, captions = _split(real, view.space)
            _, index = nearest(pictures, pictures.copy(), 2)  # a copy: otherwise a point is left out of its own set
            other = np.where(index[:, 0] == np.arange(len(real)), index[:, 1], index[:, 0])
            out[i] = shared_words(captions, captions[other], _ends(view.space)).mean()
        return out

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        exact, f1 = np.empty(view.replicates), np.empty(view.replicates)
        for i, (sample, real) in enumerate(zip(view.sample, view.reference, strict=True)):
            (pictures, captions), (known, told) = _split(sample, view.space), _split(real, view.space)
            beside = told[nearest(pictures, known)[1][:, 0]]
            exact[i] = (captions == beside).all(axis=1).mean()
            f1[i] = shared_words(captions, beside, _ends(view.space)).mean()
        own = np.asarray(view.prepared, np.float64)
        ratio = np.divide(f1, own, out=np.full_like(f1, np.nan), where=own > 0)
        return {"exact": exact, "f1": f1, "real": own, "ratio": ratio}


def shared_words(one: Array, other: Array, ends: int) -> Floats:
    """Token F1 of captions (n, l) and (n, l), shape (n,); the token ``ends`` (-1: none) is no word.

    >>> shared_words(np.array([[1, 2, 2, 0]]), np.array([[2, 3, 0, 0]]), 0)
    array([0.4])
    """
    again = np.tril(one[:, :, None] == one[:, None, :]).sum(axis=2)  # the how manyth of its kind each token is
    there = (one[:, :, None] == other[:, None, :]).sum(axis=2)
    common = ((again <= there) & (one != ends)).sum(axis=1)
    total = (one != ends).sum(axis=1) + (other != ends).sum(axis=1)
    return np.where(total > 0, 2.0 * common / np.maximum(total, 1), 1.0)


def _split(items: Array, space: Space) -> tuple[Floats, Array]:
    return np.ascontiguousarray(items[:, : space.pixels]), items[:, space.pixels :].astype(np.int64)


def _ends(space: Space) -> int:
    """The token that ends a caption and fills what is left of it."""
    return space.names.index("\n") if "\n" in space.names else -1
