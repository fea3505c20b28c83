"""Diversity of sentence structure without a tagger: patterns of function words, signs and word shapes."""

from __future__ import annotations

import math
from collections import Counter
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Array, Floats, Integers, Space
from remission.interfaces import Direction, Metric
from remission.metrics._words import pieces_of
from remission.numerics import counts
from remission.numerics.words import ENDS, is_word
from remission.view import View


class SentenceStructure(Metric):
    """How many ways there are to build a sentence, whatever the sentences are about.

    Text is cut into words, numbers and signs. The ``frequent`` commonest words of the reference (about its function
    words) and its signs stay what they are; any other word becomes its shape (lower case, capital first, or other) and
    any number a number. A pattern is ``n`` of these in a row within a block: "The cat sat on the mat." begins with
    "the - word - word - on". Patterns are compared at equally many places, in the order of the text.

    =================== =============================================================================================
    ``distinct``        different patterns in the sample over those in the reference: 1 in health; falls
    ``effective``       effective number of patterns, exp(- sum p ln p) of their shares p, over that of the reference:
                        1 in health; falls
    ``js``              Jensen-Shannon divergence of the shares of patterns of sample and reference, in nats, in
                        [0, ln 2], above 0 even in health; rises
    ``length``          mean number of words and numbers per sentence over that of the reference
    ``length-spread``   standard deviation of the same over that of the reference: 1 in health; falls
    =================== =============================================================================================

    Narrowing makes the first two fall; drift into noise makes them rise. A sentence is what lies between two of . ! ?
    and their like in one block, so a sentence longer than a block is not seen: use blocks of a few sentences. NaN without
    a place for a pattern, or with fewer than two whole sentences.

    Attributes:
        n: words, numbers and signs per pattern.
        frequent: how many words stay what they are.

    Source: the templates of parts of speech of Shaib et al., "Detection and measurement of syntactic templates in
    generated text" (EMNLP 2024), with common words and shapes in place of a tagger.

    >>> SentenceStructure(n=3).label
    'sentence-structure[n=3]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {
        "distinct": "falls", "effective": "falls", "js": "rises", "length": "either", "length-spread": "falls",
    }  # fmt: skip
    sized: ClassVar[bool] = True

    n: Annotated[int, Meta(ge=1, le=6)] = 4
    frequent: Annotated[int, Meta(ge=0, le=500)] = 50

    def prepare(self, view: View) -> list[tuple[dict[str, int], _Read]]:
        """For each replicate the pieces that stay what they are, and what is read of the reference at equal n."""
        m = min(view.evaluation, view.reference.shape[1])
        out = []
        for blocks in view.reference:
            kept = _kept(pieces_of(view.space, blocks), self.frequent)
            out.append((kept, self._read(blocks[:m], view.space, kept)))
        return out

    def measure(self, view: View) -> dict[str, Floats]:
        """Five columns (r,)."""
        rows = []
        for blocks, (kept, real) in zip(view.pair()[0], view.prepared, strict=True):
            found = self._read(blocks, view.space, kept)
            rows.append((*_patterns(found.patterns, real.patterns), *_lengths(found.lengths, real.lengths)))
        return dict(zip(self.columns, np.array(rows, np.float64).T, strict=True))

    def _read(self, blocks: Array, space: Space, kept: dict[str, int]) -> _Read:
        patterns, lengths = [], []
        base = len(kept) + len(_SHAPES)
        for text in pieces_of(space, blocks):
            elements = np.array([_element(piece, kept) for piece in text], np.int64)
            places = max(elements.size - self.n + 1, 0)
            code = np.zeros(places, np.int64)
            for i in range(self.n):
                code = code * base + elements[i : i + places]
            patterns.append(code)
            lengths += _sentences(text)
        return _Read(np.concatenate(patterns), np.array(lengths, np.float64))


class _Read(NamedTuple):
    patterns: Integers  # a code per place
    lengths: Floats  # of whole sentences


_SHAPES = ("word", "Word", "WORD", "number", "sign")
_SIGNS = 300  # signs that stay what they are, at most: codes of six elements fit 63 bits


def _kept(texts: list[list[str]], frequent: int) -> dict[str, int]:
    """A number for each common word and each sign of real text."""
    words: Counter[str] = Counter()
    signs: Counter[str] = Counter()
    for text in texts:
        for piece in text:
            if is_word(piece):
                words[piece.lower()] += 1
            elif not piece[0].isdigit():
                signs[piece] += 1
    names = [name for found, most in ((words, frequent), (signs, _SIGNS)) for name in _commonest(found)[:most]]
    return {name: number for number, name in enumerate(names, start=len(_SHAPES))}


def _commonest(found: Counter[str]) -> list[str]:
    return sorted(found, key=lambda name: (-found[name], name))


def _element(piece: str, kept: dict[str, int]) -> int:
    number = kept.get(piece.lower())
    if number is not None:
        return number
    if is_word(piece):
        return 0 if piece.islower() else 1 if piece.istitle() else 2
    return 3 if piece[0].isdigit() else 4


def _sentences(text: list[str]) -> list[int]:
    """Words and numbers of each sentence that begins and ends in a text."""
    out, length, begun = [], 0, False
    for piece in text:
        if piece in ENDS:
            if begun and length:
                out.append(length)
            length, begun = 0, True
        elif is_word(piece) or piece[0].isdigit():
            length += 1
    return out


def _patterns(one: Integers, other: Integers) -> tuple[float, float, float]:
    places = min(one.size, other.size)
    if not places:
        return math.nan, math.nan, math.nan
    codes, index = np.unique(np.concatenate([one[:places], other[:places]]), return_inverse=True)
    p, q = (np.bincount(half, minlength=codes.size) / places for half in (index[:places], index[places:]))
    kinds = [int((shares > 0).sum()) for shares in (p, q)]
    numbers = [float(np.exp(counts.entropy(shares))) for shares in (p, q)]
    return kinds[0] / kinds[1], numbers[0] / numbers[1], float(counts.jensen_shannon(p, q))


def _lengths(one: Floats, other: Floats) -> tuple[float, float]:
    if min(one.size, other.size) < 2:
        return math.nan, math.nan
    spread = float(other.std())
    return float(one.mean() / other.mean()), float(one.std()) / spread if spread > 0 else math.nan
