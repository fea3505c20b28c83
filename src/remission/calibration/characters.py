"""Plain features of texts, counted character by character: what a trivial detector could look at."""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Sequence

import numpy as np

from remission.numerics.arrays import Array, Floats, Integers

(
    OTHER, UPPER, LOWER, DIGIT, BLANK, NEWLINE, SPACE, STOP, COMMA, CLAUSE, ASKING, HYPHEN, DASH, BRACKET, QUOTE,
    APOSTROPHE, CURLY, SIGN, FOREIGN, ODD,
) = range(20)  # fmt: skip
CLASSES = 20
LONG = 14  # letters of a word that is called long: joined words of a broken extraction are

TEXT_FEATURES = (
    "characters", "newlines", "blanks", "double blanks", "other spaces", "blank at an end", "upper case",
    "digits", "full stops", "commas", "semicolons and colons", "question and exclamation marks", "hyphens", "dashes",
    "brackets", "straight quotes", "apostrophes", "curly quotes", "other signs", "accented and foreign letters",
    "encoding oddities", "blanks before punctuation", "no blank after punctuation", "long words", "word length",
    "ends without punctuation", "begins in lower case",
)  # fmt: skip

_ENDS = (STOP, ASKING, QUOTE, CURLY, APOSTROPHE, BRACKET)


def _class(code: int) -> int:
    char = chr(code)
    fixed = {
        "\n": NEWLINE, " ": BLANK, ".": STOP, ",": COMMA, ";": CLAUSE, ":": CLAUSE, "?": ASKING, "!": ASKING,
        "-": HYPHEN, '"': QUOTE, "'": APOSTROPHE, "\ufeff": ODD, "\ufffd": ODD, "\u2026": SIGN,
    }  # fmt: skip
    if char in fixed:
        return fixed[char]
    kind = unicodedata.category(char)
    if kind in ("Cc", "Cf", "Co", "Cn", "Cs"):
        return SPACE if char in "\t\r\v\f" else ODD
    if kind[0] == "Z":
        return SPACE
    if kind[0] in "LM":
        if code > 127:
            return FOREIGN
        return UPPER if char.isupper() else LOWER
    by_kind = {"Nd": DIGIT, "Pd": DASH, "Ps": BRACKET, "Pe": BRACKET, "Pi": CURLY, "Pf": CURLY}
    return by_kind.get(kind, SIGN if kind[0] in "PSN" else OTHER)


@functools.cache
def _table() -> Array:
    """The class of every character of the basic plane; the last entry stands for all others."""
    table = np.fromiter((_class(code) for code in range(0x10000)), np.uint8, 0x10000)
    table[0xFFFF] = SIGN
    return table


def codes_of(texts: Sequence[str]) -> tuple[Array, Integers]:
    """All characters of all texts, and where each text begins (n + 1)."""
    encoding = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
    codes = np.frombuffer("".join(texts).encode(encoding, "surrogatepass"), np.uint32)
    starts = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)])
    return codes, starts


def features(texts: Sequence[str]) -> Floats:
    """The features ``TEXT_FEATURES`` of each text, (n, 27); shares are per character, of letters or of words.

    An empty text has zeros.
    """
    if not texts:
        return np.zeros((0, len(TEXT_FEATURES)))
    parts, start, size = [], 0, 0
    for stop, text in enumerate(texts, 1):  # some megabytes at a time
        size += len(text)
        if size > 1_000_000 or stop == len(texts):
            parts.append(_features(texts[start:stop]))
            start, size = stop, 0
    return np.concatenate(parts)


def _features(texts: Sequence[str]) -> Floats:
    codes, starts = codes_of(texts)
    n, lengths = len(texts), np.diff(starts)
    kind = _table()[np.minimum(codes, 0xFFFF)]
    owner = np.repeat(np.arange(n), lengths)
    counts = np.bincount(owner * CLASSES + kind, minlength=n * CLASSES).reshape(n, CLASSES).astype(float)

    def per(mask: Array, owners: Integers = owner[1:]) -> Floats:
        return np.bincount(owners[mask], minlength=n).astype(float)

    inside = owner[1:] == owner[:-1] if owner.size else np.zeros(0, bool)
    left, right = kind[:-1], kind[1:]
    marks = np.isin(right, (STOP, COMMA, CLAUSE, ASKING))
    tight = np.isin(left, (COMMA, CLAUSE, ASKING, STOP)) & ((right == UPPER) | (right == LOWER))
    words, long, letters = _words(kind, owner, n)
    first, last = _ends(kind, lengths, starts)
    total, letter = np.maximum(lengths, 1.0), np.maximum(counts[:, UPPER] + counts[:, LOWER] + counts[:, FOREIGN], 1.0)

    def share(*classes: int) -> Floats:
        return counts[:, list(classes)].sum(1) / total

    columns = [
        lengths.astype(float), share(NEWLINE), share(BLANK), per(inside & (left == BLANK) & (right == BLANK)) / total,
        share(SPACE), np.isin(first, (BLANK, NEWLINE, SPACE)) + np.isin(last, (BLANK, NEWLINE, SPACE)),
        counts[:, UPPER] / letter, share(DIGIT), share(STOP), share(COMMA), share(CLAUSE), share(ASKING), share(HYPHEN),
        share(DASH), share(BRACKET), share(QUOTE), share(APOSTROPHE), share(CURLY), share(SIGN),
        counts[:, FOREIGN] / letter, share(ODD, OTHER), per(inside & marks & (left == BLANK)) / total,
        per(inside & tight) / total, long / np.maximum(words, 1.0), letters / np.maximum(words, 1.0),
        (~np.isin(last, _ENDS)).astype(float), (first == LOWER).astype(float),
    ]  # fmt: skip
    found = np.column_stack(columns)
    found[lengths == 0] = 0.0
    return found


def _words(kind: Array, owner: Integers, n: int) -> tuple[Floats, Floats, Floats]:
    """Words, long words and letters of each text; a word is a run of letters."""
    letter = (kind == UPPER) | (kind == LOWER) | (kind == FOREIGN)
    if not letter.any():
        return np.zeros(n), np.zeros(n), np.zeros(n)
    fresh = np.concatenate([[True], (owner[1:] != owner[:-1]) | ~letter[:-1]])
    begin = np.flatnonzero(letter & fresh)
    run = np.cumsum(letter & fresh) - 1  # the word that every letter belongs to
    size = np.bincount(run[letter], minlength=begin.size)
    whose = owner[begin]
    return (
        np.bincount(whose, minlength=n).astype(float),
        np.bincount(whose[size >= LONG], minlength=n).astype(float),
        np.bincount(whose, weights=size, minlength=n).astype(float),
    )


def _ends(kind: Array, lengths: Integers, starts: Integers) -> tuple[Array, Array]:
    """The classes of the first and the last character of each text."""
    if not kind.size:
        return np.zeros(lengths.size, np.uint8), np.zeros(lengths.size, np.uint8)
    top = kind.size - 1
    return kind[np.minimum(starts[:-1], top)], kind[np.clip(starts[1:] - 1, 0, top)]
