"""Text as blocks of tokens: how words are cut, counted and numbered, the same for every text source."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from remission.data import Array, Space
from remission.errors import DataError

Level = Literal["word", "character", "bpe", "tokenizer"]  # the last two: see _tokenizer.py

END = "\n"  # ends a document
UNKNOWN = "<unk>"  # stands for every type outside a limited vocabulary


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a finite source holds once it is read."""

    space: Space
    items: Array


def words(text: str) -> list[str]:
    r"""Cut text into words, numbers and single signs, losing nothing but white space.

    A word is a run of letters, digits and ``_``, with the marks that combine with them, and may hold an apostrophe or
    a hyphen between letters; a number may hold a point or comma between digits; every other character is a token.
    Text is first brought to Unicode form NFC. Scripts without blanks come out as whole runs: use characters there.

    >>> words("Don't panic: it's a well-known 3.14 (or so)...")
    ["Don't", 'panic', ':', "it's", 'a', 'well-known', '3.14', '(', 'or', 'so', ')', '.', '.', '.']
    >>> words("Cafe\u0301 हिन्दी\n")
    ['Café', 'हिन्दी']
    """
    text = unicodedata.normalize("NFC", text)
    marks = "" if text.isascii() else "".join(sorted(char for char in set(text) if _joins(char)))
    letter = rf"[\w{re.escape(marks)}]"
    pattern = rf"\d+(?:[.,]\d+)*(?!{letter})|{letter}+(?:['\u2019\-]{letter}+)*|[^\w\s]"
    return re.findall(pattern, text)


def _joins(char: str) -> bool:
    return unicodedata.category(char).startswith("M") or char in "\u200c\u200d"


def tokens(document: str, level: Level, lower: bool) -> list[str]:
    """The tokens of one document without its end."""
    if lower:
        document = document.lower()
    return words(document) if level == "word" else list(document)


def blocks(
    documents: Iterable[Sequence[str]], length: int, vocabulary: int | None, level: Level, what: str, end: bool = True
) -> Loaded:
    r"""Number the tokens and cut them into consecutive blocks; what is left over at the end is dropped.

    Args:
        documents: the tokens of each document, or whole strings for single characters.
        length: tokens per block.
        vocabulary: how many types to keep, the unknown one included: the most frequent stay (ties: alphabetical), all
            others become ``<unk>``. None keeps every type.
        level: decides how text is put together again.
        what: names the text in errors.
        end: put the token ``\n`` after every document.

    Raises:
        DataError: fewer tokens than one block needs.
    """
    pieces = [[*document, END] for document in documents] if end else [list(document) for document in documents]
    stream = list(chain.from_iterable(pieces))
    if len(stream) < length:
        raise DataError(
            f"{what} has {len(stream)} token(s), fewer than one block of {length}. Give more text or a smaller length."
        )
    counts = Counter(stream)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    if vocabulary is not None and vocabulary < len(names):
        names = [*[name for name in names if name != UNKNOWN][: vocabulary - 1], UNKNOWN]
    number = {name: i for i, name in enumerate(names)}
    unknown = number.get(UNKNOWN, -1)
    numbers = np.fromiter((number.get(token, unknown) for token in stream), np.int64, len(stream))
    items = numbers[: len(stream) // length * length].reshape(-1, length)
    items.flags.writeable = False
    joiner = " " if level == "word" else ""
    return Loaded(Space("tokens", (length,), size=len(names), names=tuple(names), joiner=joiner), items)
