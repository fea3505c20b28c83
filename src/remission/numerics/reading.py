"""Reading text in one compiled pass: folded characters, and pieces (words, numbers, signs) with a hash each.

What depends on layout alone is gone afterwards: which blanks stand where, kinds of quotes and dashes, letter case,
accents, invisible characters, look-alike letters of other scripts, signs of mark-up. A piece is known by its hash.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Integers, Words
from remission.numerics.jit import jit
from remission.numerics.random import mix

BLANK, LETTER, DIGIT, SIGN, DROPPED, ALONE = 0, 1, 2, 3, 4, 5  # what a character is
WORD, NUMBER, MARK = 1, 2, 3  # what a piece is
REPEATED = 0x200000  # added to a sign that follows itself: "...", "!!"
LONGEST = 24  # letters of a word that is still one; a longer run has no hash
_ALIKE = 0x400000  # this letter looks like the Latin one that follows
_TABLE = 0x20000  # characters above are rare scripts, read as letters that stand alone

_SIGNS = {
    "\"": "\u00ab\u00bb\u201c\u201d\u201e\u201f\u2033\u2036\u300c\u300d\u300e\u300f\u301d\u301e\"",
    "'": "\u2018\u2019\u201a\u201b\u2032\u2035\u02bc\u02b9\u02bb\u00b4`'\u2039\u203a",
    "-": "-\u2010\u2011",
    "\u2014": "\u2012\u2013\u2014\u2015\u2212\u2e3a\u2e3b",
    "(": "([{", ")": ")]}",
    ".": ".\u3002\u0964\u06d4\u0589", ",": ",\u3001\u060c\u104a", ";": ";\u061b", "?": "?\u061f\u00bf", "!": "!\u00a1",
    "$": "$\u00a2\u00a3\u00a5\u20ac\u20b9", ":": ":", "%": "%\u2030", "&": "&", "/": "/\u2044", "+": "+", "@": "@",
}  # fmt: skip
# Unicode Technical Standard 39 (confusables), the letters with the shape of a Latin one in common typefaces.
_LOOK_ALIKES = {
    "cyrillic": ("\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d\u04cf\u04af", "abekmhopctyxsijhdqwly"),
    "greek": ("\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03f2\u03f3", "abeznikmvoptyxcj"),
    "armenian": ("\u0561\u0570\u0578\u057d\u0585\u0581\u0566\u0575", "whnuogqj"),
}  # fmt: skip


class Tables(NamedTuple):
    """What each character below 0x20000 is (uint8) and becomes (uint32)."""

    kind: npt.NDArray[np.uint8]
    fold: npt.NDArray[np.uint32]


class Reading(NamedTuple):
    """Pieces of m texts one after the other; those of text i are ``starts[i] : starts[i + 1]``."""

    chars: npt.NDArray[np.uint32]  # folded characters of all pieces, without anything between
    ends: Integers  # (p + 1,): piece j is chars[ends[j] : ends[j + 1]]
    hashes: Words  # (p,) uint64; 0 for a run of letters too long for a word
    kind: npt.NDArray[np.uint8]  # (p,) WORD, NUMBER or MARK
    starts: Integers  # (m + 1,)

    @property
    def texts(self) -> int:
        """How many texts (m)."""
        return self.starts.size - 1


@cache
def tables() -> Tables:
    """The tables, made from the Unicode data of this Python once."""
    kind, fold = np.zeros(_TABLE, np.uint8), np.arange(_TABLE, dtype=np.uint32)
    for code in range(_TABLE):
        kind[code], fold[code] = _character(chr(code))
    for letters, latin in _LOOK_ALIKES.values():
        for one, other in zip(letters, latin, strict=True):
            for form in (one, one.upper()):
                if len(form) == 1:
                    kind[ord(form)], fold[ord(form)] = LETTER, _ALIKE | ord(other)
    for sign, forms in _SIGNS.items():
        for form in forms:
            kind[ord(form)], fold[ord(form)] = SIGN, ord(sign)
    for blank in "*#_~|^=<>\\":  # mark-up and mathematics
        kind[ord(blank)] = BLANK
    return Tables(kind, fold)


def _character(char: str) -> tuple[int, int]:
    category = unicodedata.category(char)
    if category in ("Mn", "Me", "Cf", "Cs") or char in "\u115f\u1160\u3164\uffa0\u180e":
        return DROPPED, ord(char)
    if category[0] == "L" or category == "Mc":
        base = unicodedata.normalize("NFKD", char)[0]
        base = base if unicodedata.category(base)[0] == "L" and ord(base) < 0x250 else char
        small = base.lower()
        return (ALONE if _alone(char) else LETTER), ord(small if len(small) == 1 else base)
    if category == "Nd":
        return DIGIT, ord("0")
    if category == "So" and (0x2600 <= ord(char) < 0x27C0 or ord(char) >= 0x1F000):
        return SIGN, 0x263A  # any emoji
    return BLANK, ord(char)


def _alone(char: str) -> bool:
    """Whether the script of a letter sets no blanks between words."""
    code = ord(char)
    return 0x0E00 <= code < 0x1000 or 0x1780 <= code < 0x1800 or 0x2E80 <= code < 0xA000 or 0xF900 <= code < 0xFB00


def read(codes: npt.NDArray[Any], starts: Integers, words: int = sys.maxsize) -> Reading:
    """The pieces of texts.

    Args:
        codes: characters of all texts (N,) uint32.
        starts: where each text begins, and N (m + 1,).
        words: only so many words and numbers of each text are read.
    """
    size = codes.size
    chars, ends = np.empty(size, np.uint32), np.zeros(size + 1, np.int64)
    hashes, kind = np.empty(size, np.uint64), np.empty(size, np.uint8)
    places = np.zeros(starts.size, np.int64)
    table = tables()
    _read(codes, starts, words, table.kind, table.fold, chars, ends, hashes, kind, places)
    total = int(places[-1])
    return Reading(chars[: ends[total]], ends[: total + 1], hashes[:total], kind[:total], places)


@jit(inline=True)
def join(one, other):  # type: ignore[no-untyped-def]
    """The hash of two things in order; ``other`` is a hash already, so one round scatters enough."""
    word = (one ^ (one >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) + other
    return word * np.uint64(0x9E3779B97F4A7C15)


@jit(inline=True)
def _what(code, kinds):  # type: ignore[no-untyped-def]
    return kinds[code] if code < kinds.size else np.uint8(ALONE)


@jit(inline=True)
def _clitic(codes, at, stop):  # type: ignore[no-untyped-def]
    """How many letters after an apostrophe at ``at`` are the end of a contraction ('s, 't, 'd, 'm, 're, 've, 'll)."""
    left = stop - at - 1
    one = codes[at + 1] | np.uint32(32) if left > 0 else np.uint32(0)
    two = codes[at + 2] | np.uint32(32) if left > 1 else np.uint32(0)
    more = two >= 97 and two <= 122
    if not more and (one == 115 or one == 116 or one == 100 or one == 109):
        return 1
    third = codes[at + 3] | np.uint32(32) if left > 2 else np.uint32(0)
    if third >= 97 and third <= 122:
        return 0
    ends_in_e = (one == 114 or one == 118) and two == 101
    return 2 if ends_in_e or (one == 108 and two == 108) else 0


@jit(inline=True)
def _latin(codes, low, stop, kinds, fold):  # type: ignore[no-untyped-def]
    """Whether look-alike letters are to be read as Latin: no fewer letters are Latin than of another shape."""
    latin = other = 0
    for i in range(low, stop):
        code = codes[i]
        if code < 128:
            letter = code | 32
            latin += letter >= 97 and letter <= 122
        elif code >= 0x250 and code < kinds.size and kinds[code] == LETTER and not fold[code] & np.uint32(_ALIKE):
            other += 1
    return latin >= other


@jit(inline=True)
def word_hash(chars, low, high):  # type: ignore[no-untyped-def]
    """The hash of the word chars[low : high]; 0 for none or a longer run of letters than a word."""
    if high <= low or high - low > LONGEST:
        return np.uint64(0)
    word = np.uint64(high - low)
    for i in range(low, high):
        word = (word ^ np.uint64(chars[i])) * np.uint64(0x100000001B3)
    return mix(word) | np.uint64(1)


@jit()
def _read(codes, starts, words, kinds, fold, chars, ends, hashes, kind, places):  # type: ignore[no-untyped-def]
    p, c = 0, 0
    for text in range(starts.size - 1):
        i, stop, found, first = starts[text], starts[text + 1], 0, p
        latin = _latin(codes, i, stop, kinds, fold)
        while i < stop and found < words:
            code = codes[i]
            what = _what(code, kinds)
            if what in (BLANK, DROPPED):
                i += 1
                continue
            if what == LETTER:
                low = c
                i, c = _word(codes, i, stop, kinds, fold, latin, chars, c)
                split = c - low == 3 and chars[low] == 110 and chars[low + 1] == 39 and chars[low + 2] == 116
                if split and p > first and kind[p - 1] == WORD:  # "do n't" of tokenised text
                    p -= 1
                    found -= 1
                    low = ends[p]
                kind[p], hashes[p] = WORD, word_hash(chars, low, c)
                found += 1
            elif what == ALONE:
                chars[c], kind[p], hashes[p] = code, WORD, mix(np.uint64(code)) | np.uint64(1)
                c += 1
                i += 1
                found += 1
            elif what == DIGIT:
                low = c
                i, c = _number(codes, i, stop, kinds, chars, c)
                kind[p], hashes[p] = NUMBER, mix(np.uint64(min(c - low, 5))) | np.uint64(1)
                found += 1
            else:
                sign = fold[code] if code < fold.size else code
                letters = _clitic(codes, i, stop) if sign == 39 and p > first and kind[p - 1] == WORD else 0
                if (
                    letters > 0 and i > starts[text] and _what(codes[i - 1], kinds) == BLANK
                ):  # "it 's" of tokenised text
                    p -= 1
                    chars[c] = 39
                    for k in range(letters):
                        chars[c + 1 + k] = codes[i + 1 + k] | np.uint32(32)
                    c += 1 + letters
                    i += 1 + letters
                    kind[p], hashes[p] = WORD, word_hash(chars, ends[p], c)
                else:
                    i, sign = _sign(codes, starts[text], i, stop, kinds, fold, sign)
                    stress = sign == 46 or sign == 33 or sign == 63
                    if stress and p > first and kind[p - 1] == MARK and chars[c - 1] & np.uint32(0x1FFFFF) == sign:
                        p -= 1
                        c -= 1
                        sign |= np.uint32(REPEATED)
                    chars[c], kind[p], hashes[p] = sign, MARK, mix(np.uint64(sign)) | np.uint64(1)
                    c += 1
            p += 1
            ends[p] = c
        places[text + 1] = p


@jit()
def _word(codes, i, stop, kinds, fold, latin, chars, c):  # type: ignore[no-untyped-def]
    """Copy a word that begins at ``i``, apostrophes between letters included; where it ends in both arrays."""
    while i < stop:
        code = codes[i]
        what = _what(code, kinds)
        if what == DROPPED:
            i += 1
            continue
        if what == LETTER:
            letter = fold[code]
            if letter & np.uint32(_ALIKE):
                letter = letter & np.uint32(0x1FFFFF) if latin else code
            chars[c] = letter
            c += 1
            i += 1
            continue
        if i + 1 < stop and what == SIGN:
            sign, after = fold[code], _what(codes[i + 1], kinds)
            if sign == 39 and after == LETTER:
                chars[c] = 39
                c += 1
                i += 1
                continue
            if sign == 45 and (codes[i + 1] == 10 or codes[i + 1] == 13):  # a word broken at the end of a line
                j = i + 1
                while j < stop and _what(codes[j], kinds) == BLANK:
                    j += 1
                if j < stop and codes[j] >= 97 and codes[j] <= 122:
                    i = j
                    continue
        break
    return i, c


@jit()
def _number(codes, i, stop, kinds, chars, c):  # type: ignore[no-untyped-def]
    """Copy a number as so many zeros, points and commas between digits left out."""
    while i < stop:
        what = _what(codes[i], kinds)
        if what == DIGIT:
            chars[c] = 48
            c += 1
        elif what != DROPPED and not (
            (codes[i] == 44 or codes[i] == 46) and i + 1 < stop and _what(codes[i + 1], kinds) == DIGIT
        ):
            break
        i += 1
    return i, c


@jit()
def _sign(codes, start, i, stop, kinds, fold, sign):  # type: ignore[no-untyped-def]
    """Where a sign ends, and what it is: a quote, a hyphen between letters, a dash, or itself."""
    after = i + 1
    while after < stop and _what(codes[after], kinds) == DROPPED:
        after += 1
    if sign == 39:  # '' and `` are one sign
        double = after < stop and _what(codes[after], kinds) == SIGN and fold[codes[after]] == 39
        return after + 1 if double else after, np.uint32(34)
    if sign == 45 or sign == 0x2014:
        before = i - 1
        while before >= start and _what(codes[before], kinds) == DROPPED:
            before -= 1
        inside = after < stop and _what(codes[after], kinds) == LETTER
        if sign == 45 and inside and before >= start and _what(codes[before], kinds) == LETTER:
            return after, np.uint32(45)
        while (
            after < stop
            and _what(codes[after], kinds) == SIGN
            and (fold[codes[after]] == 45 or fold[codes[after]] == 0x2014)
        ):
            after += 1  # -- and --- are one dash
        return after, np.uint32(0x2014)
    return after, sign


def spelled(reading: Reading) -> tuple[npt.NDArray[np.uint32], Integers]:
    """The characters of the texts, one blank before each word or number, and where each text begins (m + 1,)."""
    out = np.empty(reading.chars.size + 2 * reading.hashes.size, np.uint32)
    starts = np.zeros(reading.starts.size, np.int64)
    _spell(reading.chars, reading.ends, reading.kind, reading.starts, out, starts)
    return out[: starts[-1]], starts


@jit()
def _spell(chars, ends, kind, texts, out, starts):  # type: ignore[no-untyped-def]
    n = 0
    for text in range(texts.size - 1):
        for j in range(texts[text], texts[text + 1]):
            if kind[j] != MARK:
                out[n] = 32
                n += 1
            for i in range(ends[j], ends[j + 1]):
                out[n] = chars[i] & np.uint32(0x1FFFFF)
                n += 1
            if kind[j] == MARK and chars[ends[j]] & np.uint32(REPEATED):
                out[n] = out[n - 1]
                n += 1
        starts[text + 1] = n
