"""What the metrics of text share: running text and words rebuilt from tokens of any level."""

from __future__ import annotations

from typing import Literal

import numpy as np

from remission.data import Array, Integers, Space
from remission.interfaces import FiniteSource
from remission.numerics.text import Documents, documents
from remission.numerics.words import numbered, pieces
from remission.view import View
from remission.world import World

Unit = Literal["tokens", "words"]


def spelt(space: Space, blocks: Array) -> list[str]:
    """Blocks (n, length) as a person reads them."""
    return [space.text(block) for block in blocks]


def is_cut(space: Space) -> bool:
    """Whether a block may begin or end inside a word: tokens are parts of words, put together without a blank."""
    return space.joiner == ""


def pieces_of(space: Space, blocks: Array) -> list[list[str]]:
    """Words, numbers and signs of each block; without the words that the ends of a block may have cut."""
    return pieces(spelt(space, blocks), is_cut(space))


def sizes(view: View, unit: Unit) -> list[int] | None:
    """How many words the reference has at equal n, per replicate; None for tokens, where blocks are counted."""
    if unit == "tokens":
        return None
    key = "words/sizes"
    if key not in view.cache:
        m = min(view.evaluation, view.reference.shape[1])
        view.cache[key] = [sum(map(len, pieces_of(view.space, blocks[:m]))) for blocks in view.reference]
    return view.cache[key]


def units(view: View, unit: Unit, most: list[int] | None) -> list[Documents]:
    """The sample of each replicate as documents, at most as much of it as there is of the reference.

    ``tokens``: as many blocks as the reference has. ``words``: words, numbers and signs of the text of those blocks,
    and no more of them than the reference has (``most``, see :func:`sizes`).
    """
    if unit == "tokens":
        return [documents(blocks) for blocks in view.pair()[0]]
    key = "words/sample"
    if key not in view.cache:
        assert most is not None
        found = [numbered(pieces_of(view.space, blocks)) for blocks in view.pair()[0]]
        view.cache[key] = [first(row, count) for row, count in zip(found, most, strict=True)]
    return view.cache[key]


def real_units(view: View, which: Literal["real", "reference"], unit: Unit) -> list[Documents]:
    """Real items as documents, all of them."""
    items: Array = getattr(view, which)
    if unit == "tokens":
        return [documents(blocks) for blocks in items]
    return [numbered(pieces_of(view.space, blocks)) for blocks in items]


def real_texts(view: View) -> list[str] | None:
    """All the real text there is, block by block; None when the source is no finite set of it."""
    if not isinstance(view.source, FiniteSource):
        return None
    items = view.source.items()
    if view.source.space.kind == "captioned":
        items = items[:, view.source.space.pixels :].astype(np.int64)
    return spelt(view.space, items)


def first(found: Documents, count: int) -> Documents:
    """The first ``count`` tokens; documents that begin after them are gone."""
    if found.flat.size <= count:
        return found
    return Documents(found.flat[:count], np.append(found.starts[found.starts < count], count))


def word_counts(view: View, most: list[int] | None) -> list[Integers]:
    """How often each different word, number or sign occurs in the sample of each replicate."""
    return [np.unique(row.flat, return_counts=True)[1] for row in units(view, "words", most)]


def no_words(unit: Unit, world: World) -> str:
    """Why ``unit`` cannot be read in this world; empty when it can."""
    if unit == "words" and world.space.kind == "symbols":
        return "single symbols make no words. Leave unit out."
    return ""
