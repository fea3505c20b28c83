"""WikiText-2: two million words of good Wikipedia articles (13 MB download)."""

from __future__ import annotations

import functools
from typing import Annotated, Literal

from msgspec import Meta

from remission.data import Array, Space
from remission.interfaces import FiniteSource
from remission.sources._download import fetch
from remission.sources._text import Level, Loaded, blocks, tokens
from remission.sources._tokenizer import check, subword_blocks, subwords


class Wikitext2(FiniteSource):
    r"""Blocks of text from WikiText-2, whose rare words are already ``<unk>``.

    Words are cut at blanks, as the set was published, and every line ends with the token ``\n``: 2,088,628 tokens in
    ``train``, 217,646 in ``valid``, 245,569 in ``test``. Licence CC BY-SA 3.0; Merity et al., arXiv 1609.07843.

    Attributes:
        split: which part.
        length: tokens per block.
        vocabulary: keep that many types, ``<unk>`` included; none: all.
        level: words, single characters, or tokens of a byte-level BPE (``bpe``) trained on the text with at most
            ``vocabulary`` types (512 when left out), which keeps the text to the byte.
        tokenizer: cut by this one instead: the folder of a Hugging Face model or a tokenizer.json.
        lower: in lower case.

    Raises:
        DataError: the set is not here and cannot be fetched, or a copy is not the published one.

    >>> Wikitext2(split="valid", lower=True).label
    'wikitext-2[split=valid,lower=True]'
    """

    split: Literal["train", "valid", "test"] = "train"
    length: Annotated[int, Meta(ge=1)] = 64
    vocabulary: Annotated[int, Meta(ge=2)] | None = None
    level: Level = "word"
    tokenizer: str | None = None
    lower: bool = False

    def check(self) -> None:
        """One way to cut the text."""
        check(self.name(), self.level, "word", self.tokenizer, self.vocabulary)

    @property
    def space(self) -> Space:
        """Blocks of tokens; names are the vocabulary, the most frequent first. Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All blocks, (N, length)."""
        return _load(self).items


@functools.lru_cache(maxsize=2)  # large
def _load(source: Wikitext2) -> Loaded:
    text = fetch("wikitext-2", f"{source.split}.txt").decode("utf-8")
    if subwords(source.level, source.tokenizer):
        how = (source.tokenizer, source.vocabulary, source.lower)
        return subword_blocks([text], source.length, *how, "wikitext-2", end=False)
    if source.level == "character":
        return blocks(
            [tokens(text, "character", source.lower)],
            source.length,
            source.vocabulary,
            "character",
            "wikitext-2",
            end=False,
        )
    lines = (text.lower() if source.lower else text).removesuffix("\n").split("\n")
    return blocks([line.split() for line in lines], source.length, source.vocabulary, "word", "wikitext-2")
