"""Artifacts that can be told exactly, without a detector: a shape in a corner of a picture, or a stock phrase.

A source that plants one is :class:`Marked`; metrics, laws and verdicts ask it for its :class:`Mark`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from remission.data import Array, Floats, Integers, Space
from remission.errors import SpecError
from remission.rng import Streams

Figure = Literal["patch", "ring", "stroke"]

SMALLEST = 5  # side of a picture that has room for every figure and its rim
SHARE = 0.9  # of a figure's numbers must lie on their side of the middle
_DARK, _BRIGHT = 1, 2


class Mark(ABC):
    """An artifact and how it is told."""

    @abstractmethod
    def put(self, items: Array, chosen: Array, streams: Streams) -> None:
        """Write it into the ``chosen`` (r, n) of the items (r, n, *item), in place."""

    @abstractmethod
    def match(self, items: Array) -> Floats:
        """How far each item carries it, (r, n): 1 as planted."""

    @abstractmethod
    def carried(self, items: Array) -> Array:
        """Which items carry it by the published definition, booleans (r, n)."""


class Marked(ABC):
    """A source some of whose items carry a mark when the loop sees them."""

    @property
    @abstractmethod
    def mark(self) -> Mark:
        """What is planted."""

    @abstractmethod
    def rate_at(self, t: int) -> float:
        """The probability that it is planted in a real item of generation t."""


@dataclass(frozen=True, eq=False)
class Shape(Mark):
    """A bright figure with a dark rim, at a fixed place of every picture.

    A picture carries it when at least nine in ten of the numbers (pixels times colours) that should be 1 are above 1/2,
    and nine in ten of those that should be 0 are not. ``match`` is half of 1 + the mean of the ones - the mean of the
    zeros: linear in the numbers between 0 and 1, so that a blurred figure counts in part.

    Attributes:
        places: which numbers of an item it is made of, (k,).
        wanted: 0 or 1 for each.
    """

    places: Integers
    wanted: Floats

    @classmethod
    def of(cls, figure: Figure, space: Space) -> Shape:
        """The figure on the pictures of a space, its size in proportion to theirs.

        ``patch``: a square of a sixth of the side in the corner of the first pixel. ``ring``: a circle a quarter of the
        side wide in the corner beside it. ``stroke``: a straight bar along the first column. Bright is 1 and dark 0;
        in colour bright is magenta (1, 0, 1), which neither black nor white pictures hold.

        Raises:
            SpecError: no pictures, or too small ones.
        """
        if not space.picture or space.kind not in ("image", "captioned"):
            hint = " Set labels = false, or captions = true." if space.kind == "labelled" else ""
            raise SpecError(f"a {figure} needs pictures; items are of kind '{space.kind}'.{hint}")
        if min(space.picture) < SMALLEST:
            raise SpecError(
                f"a {figure} needs pictures of at least {SMALLEST} x {SMALLEST} pixels. Got {space.picture}."
            )
        grid = _FIGURES[figure](*space.picture)
        pixels = np.flatnonzero(grid)
        colours = np.arange(space.channels)
        places = (pixels[:, None] * space.channels + colours).ravel()
        bright = (grid.ravel()[pixels] == _BRIGHT)[:, None] & ~((space.channels >= 3) & (colours == 1))
        return cls(places, bright.ravel().astype(np.float64))

    def put(self, items: Array, chosen: Array, streams: Streams) -> None:
        """The same pixels for every picture."""
        rows, columns = np.nonzero(chosen)
        items[rows[:, None], columns[:, None], self.places] = self.wanted

    def match(self, items: Array) -> Floats:
        """(1 + mean of the ones - mean of the zeros) / 2, every number cut to 0 .. 1."""
        ones, zeros = (np.clip(side, 0.0, 1.0) for side in self._sides(items))
        return (1.0 + ones.mean(axis=-1) - zeros.mean(axis=-1)) / 2.0

    def carried(self, items: Array) -> Array:
        """At least nine in ten numbers of either kind on the right side of 1/2."""
        ones, zeros = self._sides(items)
        return ((ones > 0.5).mean(axis=-1) >= SHARE) & ((zeros <= 0.5).mean(axis=-1) >= SHARE)

    def _sides(self, items: Array) -> tuple[Floats, Floats]:
        """The numbers that should be 1, and those that should be 0."""
        return items[..., self.places[self.wanted > 0.5]], items[..., self.places[self.wanted <= 0.5]]


@dataclass(frozen=True, eq=False)
class Phrase(Mark):
    """A run of tokens, written over those of a block from a random place on.

    A block carries it when the whole run stands in it, anywhere. ``match`` is the largest share of its tokens that stand
    in their order from any one place on.

    Attributes:
        tokens: the run, (m,).
        start: where the tokens of an item begin (behind the picture, where there is one).
        length: how many tokens an item has.
    """

    tokens: Integers
    start: int
    length: int

    @classmethod
    def of(cls, tokens: tuple[int, ...], space: Space) -> Phrase:
        """The run in the texts of a space. Raises SpecError when there is no text or the run is too long."""
        if space.kind not in ("tokens", "captioned"):
            raise SpecError(f"a phrase needs text; items are of kind '{space.kind}'. Try a patch, a ring or a stroke.")
        length = space.shape[0] - space.pixels
        if not 1 <= len(tokens) <= length:
            raise SpecError(f"a phrase must have 1 to {length} tokens, as many as an item has. Got {len(tokens)}.")
        return cls(np.array(tokens, np.int64), space.pixels, length)

    def put(self, items: Array, chosen: Array, streams: Streams) -> None:
        """At a uniformly random place of each item."""
        width = self.tokens.size
        begin = self.start + streams.sub("place").integers(self.length - width + 1, items.shape[1])
        rows, columns = np.nonzero(chosen)
        items[rows[:, None], columns[:, None], begin[rows, columns][:, None] + np.arange(width)] = self.tokens

    def match(self, items: Array) -> Floats:
        """The best place's share of tokens."""
        return self._right(items) / self.tokens.size

    def carried(self, items: Array) -> Array:
        """The whole run is there."""
        return self._right(items) == self.tokens.size

    def _right(self, items: Array) -> Integers:
        """How many tokens stand right from the best place on, (r, n)."""
        places = self.length - self.tokens.size + 1
        right = np.zeros((*items.shape[:2], places), np.int64)
        for offset, token in enumerate(self.tokens):
            right += items[..., self.start + offset : self.start + offset + places] == token
        return right.max(axis=-1)


def _patch(height: int, width: int) -> Array:
    grid, core = np.zeros((height, width), np.int8), max(2, round(min(height, width) / 6))
    grid[: core + 1, : core + 1] = _DARK
    grid[:core, :core] = _BRIGHT
    return grid


def _ring(height: int, width: int) -> Array:
    grid, box = np.zeros((height, width), np.int8), max(3, round(min(height, width) / 4))
    grid[: box + 1, width - box - 1 :] = _DARK
    away = np.hypot(*np.meshgrid(*[np.arange(box) - (box - 1) / 2] * 2))
    inner = box / 2 - max(1, round(box / 6))
    grid[:box, width - box :][(away > inner) & (away <= box / 2)] = _BRIGHT
    return grid


def _stroke(height: int, width: int) -> Array:
    grid, thick = np.zeros((height, width), np.int8), max(1, round(min(height, width) / 14))
    rows = slice(height // 8, height - height // 8)
    grid[rows, : thick + 1] = _DARK
    grid[rows, :thick] = _BRIGHT
    return grid


_FIGURES = {"patch": _patch, "ring": _ring, "stroke": _stroke}
