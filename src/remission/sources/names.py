"""First names, 32,033 of them, as single characters (0.2 MB download)."""

from __future__ import annotations

import functools
from typing import Annotated

from msgspec import Meta

from remission.data import Array, Space
from remission.interfaces import FiniteSource
from remission.sources._download import fetch
from remission.sources._text import Loaded, blocks


class Names(FiniteSource):
    r"""Blocks of characters cut from a list of first names, each ended by ``\n``: 27 types, for very fast text loops.

    Licence MIT; Karpathy, "makemore".

    Attributes:
        length: characters per block.

    Raises:
        DataError: the list is not here and cannot be fetched, or a copy is not the published one.

    >>> Names(length=16).label
    'names[length=16]'
    """

    length: Annotated[int, Meta(ge=1)] = 32

    @property
    def space(self) -> Space:
        """Blocks of characters. Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All blocks, (N, length)."""
        return _load(self).items


@functools.lru_cache(maxsize=4)
def _load(source: Names) -> Loaded:
    names = fetch("names", "names.txt").decode("utf-8").split()
    return blocks(names, source.length, None, "character", "names")
