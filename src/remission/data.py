"""What items are (`Space`) and how a set of them travels (`Dataset`).

Arrays hold a *block* of replicates: items have shape ``(r, n, *item)``, ``r`` independent replicates of
``n`` items each.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Array as Array
from remission.numerics.arrays import Floats as Floats
from remission.numerics.arrays import Integers as Integers

Kind = Literal["vector", "image", "symbols", "tokens", "labelled", "regression", "captioned"]

VECTORS: frozenset[str] = frozenset({"vector", "image"})
SYMBOLS: frozenset[str] = frozenset({"symbols"})
TOKENS: frozenset[str] = frozenset({"tokens"})
DISCRETE: frozenset[str] = frozenset({"symbols", "tokens"})
LABELLED: frozenset[str] = frozenset({"labelled"})
REGRESSION: frozenset[str] = frozenset({"regression"})
CAPTIONED: frozenset[str] = frozenset({"captioned"})
ROWS: frozenset[str] = VECTORS | LABELLED | REGRESSION
EVERYTHING: frozenset[str] = ROWS | DISCRETE | CAPTIONED

REAL = 0  # the origin of a real item; g >= 1 is the output of the model of fit g


@dataclass(frozen=True)
class Space:
    """What one item is.

    ========== ================= ==========================================================
    kind       item shape, dtype meaning
    ========== ================= ==========================================================
    vector     (d,) float64      a point
    image      (d,) float64      a picture, flattened; ``picture`` is its (height, width), ``channels`` its colours
    symbols    () int64          one of ``size`` symbols
    tokens     (length,) int64   a block of text: ``length`` tokens out of ``size`` types
    labelled   (d + 1,) float64  d features, then the class 0 .. ``size`` - 1
    regression (d + 1,) float64  d covariates, then the response
    captioned  (d + l,) float64  a picture of d numbers, then a caption of l tokens out of ``size`` types
    ========== ================= ==========================================================

    Pictures are flattened in the order (height, width, channel), in grey levels or colours 0 .. 1. A caption of one
    token is a class.
    """

    kind: Kind
    shape: tuple[int, ...]
    size: int = 0
    names: tuple[str, ...] = ()  # of symbols, tokens (the vocabulary), classes or columns; may be empty
    picture: tuple[int, int] | None = None
    channels: int = 1  # of a picture
    joiner: str = " "  # how tokens are put together to show text

    @property
    def features(self) -> int:
        """d: the number of coordinates (of covariates, when there is a label)."""
        width = int(np.prod(self.shape, dtype=int)) if self.shape else 1
        return width - 1 if self.kind in ("labelled", "regression") else width

    @property
    def dtype(self) -> type:
        """The type of stored items."""
        return np.int64 if self.kind in DISCRETE else np.float64

    @property
    def pixels(self) -> int:
        """How many numbers the picture of an item has; 0 where there is no picture."""
        return self.picture[0] * self.picture[1] * self.channels if self.picture else 0

    def field(self, name: Literal["picture", "caption"]) -> Space:
        """What one field of a captioned item is: an image, or tokens."""
        if name == "picture":
            return Space("image", (self.pixels,), picture=self.picture, channels=self.channels)
        return Space("tokens", (self.shape[0] - self.pixels,), self.size, self.names, joiner=self.joiner)

    def text(self, tokens: Array) -> str:
        """Tokens ``(length,)`` as a person reads them.

        Names of byte-level tokens hold bytes that are no character alone as lone surrogates (PEP 383), so that
        nothing is lost when they are put together.

        >>> Space("tokens", (3,), 2, ("to", "be")).text(np.array([0, 1, 0]))
        'to be to'
        """
        names = self.names or tuple(str(number) for number in range(self.size))
        joined = self.joiner.join(names[int(token)] for token in tokens)
        return joined.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True, eq=False)
class Blind:
    """Items without any trace of where they came from: what curators and detectors may see."""

    space: Space
    items: Array  # (r, n, *item)
    weight: Floats | None = None  # (r, n)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Items of a block of replicates, each with its origin.

    Attributes:
        space: what an item is.
        items: shape ``(r, n, *item)``.
        origin: shape ``(r, n)`` int32; 0 is real, g >= 1 the output of the model of fit g.
        weight: shape ``(r, n)`` or None when all items count 1.
        truth: shape ``(r, n)`` or None: for labelled items, the label before any model or noise touched it.
    """

    space: Space
    items: Array
    origin: npt.NDArray[np.int32]
    weight: Floats | None = None
    truth: Floats | None = None

    @property
    def n(self) -> int:
        """Items per replicate."""
        return int(self.items.shape[1])

    @property
    def replicates(self) -> int:
        """Number of replicates in the block."""
        return int(self.items.shape[0])

    @property
    def synthetic_share(self) -> Floats:
        """Share of items made by a model, shape (r,)."""
        return (self.origin > REAL).mean(axis=1) if self.n else np.zeros(self.replicates)

    def blind(self) -> Blind:
        """The same items without origin and truth."""
        return Blind(self.space, self.items, self.weight)

    def take(self, index: Integers) -> Dataset:
        """Items at ``index`` of shape (r, m), replicate by replicate."""
        return self._map(lambda array: np.take_along_axis(array, _fit(index, array), axis=1))

    def cut(self, start: int, stop: int) -> Dataset:
        """Items start .. stop of every replicate (a view)."""
        return self._map(lambda array: array[:, start:stop])

    def only(self, replicate: int) -> Dataset:
        """The block of the replicate at this position alone (a view)."""
        return self._map(lambda array: array[replicate : replicate + 1])

    def _map(self, function: Any) -> Dataset:
        fields: dict[str, Any] = {
            name: None if getattr(self, name) is None else function(getattr(self, name))
            for name in ("items", "origin", "weight", "truth")
        }
        return dataclasses.replace(self, **fields)

    @staticmethod
    def join(parts: list[Dataset]) -> Dataset:
        """All items of several data sets of the same block, in order."""
        if len(parts) == 1:
            return parts[0]

        def stack(name: str, default: Any) -> Any:
            arrays = [getattr(part, name) for part in parts]
            if all(array is None for array in arrays):
                return None
            filled = [default(part) if array is None else array for part, array in zip(parts, arrays, strict=True)]
            return np.concatenate(filled, axis=1)

        return Dataset(
            parts[0].space,
            stack("items", None),
            stack("origin", None),
            stack("weight", lambda part: np.ones(part.origin.shape)),
            stack("truth", lambda part: part.items[..., -1]),
        )


def _fit(index: Integers, array: Array) -> Integers:
    return index.reshape(index.shape + (1,) * (array.ndim - 2))
