"""A million characters of Shakespeare's plays (1 MB download)."""

from __future__ import annotations

import functools
from typing import Annotated

from msgspec import Meta

from remission.data import Array, Space
from remission.interfaces import FiniteSource
from remission.sources._download import fetch
from remission.sources._text import Level, Loaded, blocks, tokens
from remission.sources._tokenizer import check, subword_blocks, subwords


class TinyShakespeare(FiniteSource):
    r"""Blocks of text from Karpathy's "tiny shakespeare": 1,115,394 characters of 65 types.

    As words, every speech is a document and ends with the token ``\n``. Public domain; the collection MIT.

    Attributes:
        length: tokens per block.
        vocabulary: keep that many types, ``<unk>`` included; none: all.
        level: single characters, line breaks included, words, or tokens of a byte-level BPE (``bpe``) trained on the text
            with at most ``vocabulary`` types (512 when left out), which keeps the text to the byte.
        tokenizer: cut by this one instead: the folder of a Hugging Face model or a tokenizer.json.
        lower: in lower case.

    Raises:
        DataError: the text is not here and cannot be fetched, or a copy is not the published one.

    >>> TinyShakespeare(level="word").label
    'tiny-shakespeare[level=word]'
    """

    length: Annotated[int, Meta(ge=1)] = 64
    vocabulary: Annotated[int, Meta(ge=2)] | None = None
    level: Level = "character"
    tokenizer: str | None = None
    lower: bool = False

    def check(self) -> None:
        """One way to cut the text."""
        check(self.name(), self.level, "character", self.tokenizer, self.vocabulary)

    @property
    def space(self) -> Space:
        """Blocks of tokens; names are the vocabulary, the most frequent first. Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All blocks, (N, length)."""
        return _load(self).items


@functools.lru_cache(maxsize=4)
def _load(source: TinyShakespeare) -> Loaded:
    text = fetch("tiny-shakespeare", "input.txt").decode("utf-8")
    if subwords(source.level, source.tokenizer):
        how = (source.tokenizer, source.vocabulary, source.lower)
        return subword_blocks([text], source.length, *how, "tiny-shakespeare", end=False)
    by_word = source.level == "word"
    documents = [tokens(part, source.level, source.lower) for part in (text.split("\n\n") if by_word else [text])]
    return blocks(documents, source.length, source.vocabulary, source.level, "tiny-shakespeare", end=by_word)
