"""First names, 32,033 of them, as single characters (0.2 MB download)."""

from __future__ import annotations

import functools
from typing import Annotated, Literal

from msgspec import Meta

from remission.data import Array, Space
from remission.errors import SpecError
from remission.interfaces import FiniteSource
from remission.sources._download import fetch
from remission.sources._text import Loaded, blocks
from remission.sources._tokenizer import check, subword_blocks, subwords


class Names(FiniteSource):
    r"""Blocks of characters cut from a list of first names, each ended by ``\n``: 27 types, for very fast text loops.

    Licence MIT; Karpathy, "makemore".

    Attributes:
        length: tokens per block.
        level: single characters, or tokens of a byte-level BPE (``bpe``) trained on the list.
        vocabulary: how many types that BPE has at most; none: 512.
        tokenizer: cut by this one instead: the folder of a Hugging Face model or a tokenizer.json.

    Raises:
        DataError: the list is not here and cannot be fetched, or a copy is not the published one.

    >>> Names(length=16).label
    'names[length=16]'
    """

    length: Annotated[int, Meta(ge=1)] = 32
    level: Literal["character", "bpe", "tokenizer"] = "character"
    vocabulary: Annotated[int, Meta(ge=2)] | None = None
    tokenizer: str | None = None

    def check(self) -> None:
        """One way to cut the text."""
        check(self.name(), self.level, "character", self.tokenizer, self.vocabulary)
        if self.vocabulary is not None and self.level == "character":
            raise SpecError("names: 'vocabulary' is for level = 'bpe'. Remove one, or add the other.")

    @property
    def space(self) -> Space:
        """Blocks of tokens. Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All blocks, (N, length)."""
        return _load(self).items


@functools.lru_cache(maxsize=4)
def _load(source: Names) -> Loaded:
    names = fetch("names", "names.txt").decode("utf-8").split()
    if subwords(source.level, source.tokenizer):
        return subword_blocks(names, source.length, source.tokenizer, source.vocabulary, False, "names")
    return blocks(names, source.length, None, "character", "names")
