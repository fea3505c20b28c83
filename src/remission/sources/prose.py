"""English text without a download: the prose of the docstrings of Python and the numerical packages."""

from __future__ import annotations

import functools
from typing import Annotated

from msgspec import Meta

from remission.data import Array, Space
from remission.interfaces import FiniteSource
from remission.sources._docstrings import documents
from remission.sources._text import Level, Loaded, blocks, tokens
from remission.sources._tokenizer import check, subword_blocks, subwords


class Prose(FiniteSource):
    r"""Blocks of text written by the people who documented the installed software.

    Docstrings are read from the source files (nothing is imported); only paragraphs of whole sentences are kept: no
    code, signatures, tables, lists, formulas or parameter sections, and none twice. A docstring is a document and
    ends with the token ``\n``. The text depends on the installed versions, and so does its fingerprint in the
    provenance of a run; it is prepared once and kept in the cache folder (``REMISSION_DATA``). Licences: those of the
    packages (PSF and BSD).

    Attributes:
        packages: which, in this order; ``python`` is its standard library.
        length: tokens per block.
        vocabulary: keep that many types, ``<unk>`` included, the most frequent; none: all.
        level: words (numbers and single signs count as words), single characters, or tokens of a byte-level BPE (``bpe``)
            trained on the text with at most ``vocabulary`` types (512 when left out).
        tokenizer: cut by this one instead: the folder of a Hugging Face model or a tokenizer.json.
        lower: in lower case.

    Raises:
        DataError: a package that is not installed, too little text.

    >>> Prose(length=32, lower=True).label
    'prose[length=32,lower=True]'
    """

    packages: tuple[str, ...] = ("python", "numpy", "scipy", "sklearn")
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
        """Blocks of tokens; names are the vocabulary, the most frequent first. Loads the text."""
        return _load(self).space

    def items(self) -> Array:
        """All blocks, (N, length)."""
        return _load(self).items


@functools.lru_cache(maxsize=4)
def _load(source: Prose) -> Loaded:
    if subwords(source.level, source.tokenizer):
        how = (source.tokenizer, source.vocabulary, source.lower)
        return subword_blocks(documents(source.packages), source.length, *how, "prose")
    parts = [tokens(text, source.level, source.lower) for text in documents(source.packages)]
    return blocks(parts, source.length, source.vocabulary, source.level, "prose")
