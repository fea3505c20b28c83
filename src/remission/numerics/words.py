"""Words of running text that may be cut anywhere, and character n-grams that are counted exactly."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from remission.numerics.arrays import Integers
from remission.numerics.text import Documents

CUT = "\x1e"  # stands between texts
BROKEN = "\ufffd"  # bytes that are no character; a letter here, for they break words
ENDS = frozenset(".!?\u2026\u3002\uff01\uff1f")  # signs that end a sentence
_ORDER = 4  # the longest n-gram whose code fits 63 bits with _ALPHABET characters
_ALPHABET = 50_000


def pieces(texts: Sequence[str], cut: bool = False) -> list[list[str]]:
    r"""Words, numbers and single signs of each text, without white space.

    A word is a run of letters with the marks that combine with them, and may hold an apostrophe or a hyphen between
    letters; a number is a run of digits, and may hold a point or comma between digits. ``cut``: the texts were cut out
    of longer ones at any character, so a word or number that touches an end may be part of one and is left out.

    >>> pieces(["It's 3.14, well-known."])
    [["It's", '3.14', ',', 'well-known', '.']]
    >>> pieces(["oman is mor"], cut=True)
    [['is']]
    """
    if not texts:
        return []
    whole = CUT.join(text.replace(CUT, " ") for text in texts)
    letter = "[A-Za-z]" if whole.isascii() else rf"(?:[^\W\d_]|[{BROKEN}{_marks(whole)}])"
    inner, point = r"['\u2019\-]", "[.,]"
    word, number = rf"{letter}+(?:{inner}{letter}+)*", rf"\d+(?:{point}\d+)*"
    if cut:  # a sign that may stand inside a word may be where it was cut
        whole = re.sub(rf"(?<={CUT})(?:{inner}?{word}|{point}?{number})", "", CUT + whole + CUT)
        whole = re.sub(rf"(?:{word}{inner}?|{number}{point}?)(?={CUT})", "", whole)[1:-1]
    found: list[list[str]] = [[]]
    for piece in re.findall(rf"{CUT}|{word}|{number}|[^\w\s]|_", whole):
        if piece == CUT:
            found.append([])
        else:
            found[-1].append(piece)
    return found


def is_word(piece: str) -> bool:
    """Whether a piece is a word: no number and no sign."""
    return piece[0].isalpha() or piece[0] == BROKEN or _joins(piece[0])


def _joins(char: str) -> bool:
    return unicodedata.category(char).startswith("M") or char in "\u200c\u200d"


def _marks(text: str) -> str:
    """The combining marks of a text, escaped for a class of characters."""
    return "".join(re.escape(char) for char in sorted(set(text)) if _joins(char))


def numbered(texts: Sequence[Sequence[str]]) -> Documents:
    """Texts of pieces as documents of numbers: the same piece has the same number in every call.

    Numbers are 63-bit hashes of the pieces, so that nothing need be shared between calls.
    """
    known: dict[str, int] = {}
    for text in texts:
        for piece in text:
            if piece not in known:
                digest = hashlib.blake2b(piece.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                known[piece] = int.from_bytes(digest, "little") >> 1
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)]).astype(np.int64)
    flat = np.fromiter((known[piece] for text in texts for piece in text), np.int64, int(starts[-1]))
    return Documents(flat, starts)


def alphabet(texts: Sequence[str]) -> dict[str, int]:
    """A number from 1 for every character (the first 50,000), the same for the same set of characters."""
    return {char: number for number, char in enumerate(sorted(set("".join(texts)))[:_ALPHABET], start=1)}


def character_ngrams(texts: Sequence[str], known: dict[str, int], n: int) -> Integers:
    """A code for every n-gram of characters within a text, n of 1 to 4; -1 where a character is not known.

    >>> character_ngrams(["aba", "b"], {"a": 1, "b": 2}, 2).tolist()
    [5, 7]
    """
    assert 1 <= n <= _ORDER
    points = np.frombuffer(CUT.join(texts).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
    if points.size < n:
        return np.empty(0, np.int64)
    table = np.zeros(1 + max(points.max(), *map(ord, known), 0), np.int64)
    for char, number in known.items():
        table[ord(char)] = number
    numbers, ends, base = table[points], points == ord(CUT), len(known) + 1
    places = points.size - n + 1
    code, whole, inside = np.zeros(places, np.int64), np.ones(places, bool), np.ones(places, bool)
    for i in range(n):
        part = numbers[i : i + places]
        code = code * base + part
        whole &= part > 0
        inside &= ~ends[i : i + places]
    return np.where(whole, code, -1)[inside]
