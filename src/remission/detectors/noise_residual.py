"""How neighbouring noise residuals occur together: cameras and networks leave different grain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from remission.data import Array, Floats, Integers
from remission.detectors._images import fitted, matched, scored
from remission.documents import Documents
from remission.interfaces import Detector

_T = 2  # residuals are cut off at - T .. T
_LINE = {"first": (-1, 1), "second": (1, -2, 1), "third": (1, -3, 3, -1)}  # along a row; columns likewise
_SQUARE = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]])  # of Ker and Boehme


class NoiseResidual(Detector):
    """A logistic regression on co-occurrences of quantised noise residuals, a small version of the spatial rich model.

    High-pass filters (first, second and third differences along rows and columns, and a square of 3 x 3) take the content
    away. A residual r is brought to whole numbers round(r / (``step`` k)) with k the largest coefficient of its filter, cut to
    - 2 .. 2, and the shares of all triples of neighbouring values are counted, along the filter and across it. Triples that are
    mirror images or negatives of one another count as one, rows and columns of a filter are added, and the features are the
    square roots of the shares: 39 for each of 8 tables. The score is the logit, higher is more likely synthetic.

    It knows the generators and the processing it was trained on: JPEG or resizing afterwards replace the grain
    (``benchmarks/detect_lab.py``: real drawings that were compressed after the fit were nearly all called synthetic). So
    both kinds must have one size, one type, the same grey levels and the same traces of JPEG, or ``fit`` refuses and
    names the leak; and a picture of another size than those of the fit scores NaN.

    Attributes:
        step: of quantisation, in units of the largest coefficient of a filter.
        strength: inverse of the ridge penalty (C of scikit-learn).

    Raises:
        DataError: items that are no pictures of bytes; sizes, types, grey levels or traces of JPEG that differ.
        FitError: fewer than 20 pictures of a kind, or below 8 pixels a side.

    Source: Fridrich & Kodovsky, "Rich models for steganalysis of digital images", IEEE TIFS 7 (2012), sections II and III;
    Cozzolino, Gragnaniello & Verdoliva, "Image forgery detection through residual-based local descriptors and block-matching"
    (ICIP 2014).

    >>> NoiseResidual(step=2.0).label
    'noise-residual[step=2]'
    """

    takes: ClassVar[Literal["text", "picture", "file"]] = "picture"
    batch: ClassVar[int] = 1024

    step: Annotated[float, Meta(gt=0)] = 1.0
    strength: Annotated[float, Meta(gt=0)] = 0.1

    def fit(self, examples: Documents, seed: int = 0) -> dict[str, Array]:
        """The regression; nothing is random."""
        pictures = matched(examples, "noise-residual")
        assert examples.synthetic is not None
        return fitted(pictures, examples.synthetic, lambda some: co_occurrences(some, self.step), self.strength)

    def score(self, state: dict[str, Array], items: Sequence[Any]) -> Floats:
        """Logits (n,); NaN for a picture of another size or type than those of the fit."""
        return scored(state, items, lambda some: co_occurrences(some, self.step), "noise-residual")


def co_occurrences(pictures: Array, step: float) -> Floats:
    """Square roots of the shares of triples of residuals, (n, 8 x 39), of pictures (n, h, w, c).

    >>> co_occurrences(np.full((1, 8, 8, 1), 7, np.uint8), 1.0).sum()
    np.float64(8.0)
    """
    planes = np.moveaxis(pictures, 3, 1).astype(np.int32)  # (n, c, h, w)
    tables = []
    for weights in _LINE.values():
        along = [_line(planes, weights, axis) for axis in (3, 2)]
        tables += [
            _table(along, (3, 2), step * max(map(abs, weights))),
            _table(along, (2, 3), step * max(map(abs, weights))),
        ]
    square = sum(
        int(_SQUARE[i, j]) * planes[:, :, i : planes.shape[2] - 2 + i, j : planes.shape[3] - 2 + j]
        for i in range(3)
        for j in range(3)
    )
    tables += [_table([square], (3,), 4 * step), _table([square], (2,), 4 * step)]
    return np.concatenate(tables, axis=1)


def _line(planes: Array, weights: tuple[int, ...], axis: int) -> Array:
    """Residuals of a filter along an axis, where it fits."""
    size = planes.shape[axis] - len(weights) + 1
    parts = [weight * np.take(planes, np.arange(k, k + size), axis) for k, weight in enumerate(weights)]
    return np.sum(parts, axis=0)


def _table(residuals: Sequence[Any], axes: tuple[int, ...], step: float) -> Floats:
    """Square roots of the shares (n, 39) of triples along an axis of each of these residuals."""
    kinds, number = _classes()
    n = len(residuals[0])
    counts = np.zeros((n, number))
    for residual, axis in zip(residuals, axes, strict=True):
        values = np.clip(np.rint(residual / step), -_T, _T).astype(np.int64) + _T
        size = values.shape[axis] - 2
        one, two, three = (np.take(values, np.arange(k, k + size), axis) for k in range(3))
        codes = kinds[(one * 5 + two) * 5 + three].reshape(n, -1)
        placed = codes + number * np.arange(n)[:, None]
        counts += np.bincount(placed.ravel(), minlength=n * number).reshape(n, number)
    out: Floats = np.sqrt(counts / counts.sum(axis=1, keepdims=True))
    return out


@lru_cache(maxsize=1)
def _classes() -> tuple[Integers, int]:
    """The class of every triple (125,): a triple, its mirror image, its negative and both are one."""
    triples = np.array(np.unravel_index(np.arange(125), (5, 5, 5)))

    def code(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return (values[0] * 5 + values[1]) * 5 + values[2]

    same = np.stack([code(triples), code(triples[::-1]), code(4 - triples), code(4 - triples[::-1])]).min(axis=0)
    names, kinds = np.unique(same, return_inverse=True)
    return kinds.astype(np.int64), len(names)
