"""Gibberish: the share of words, and of character n-grams, that occur nowhere in real text."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from remission.data import TOKENS, Array, Floats, Integers, Space
from remission.interfaces import Direction, Metric
from remission.metrics._words import is_cut, real_texts, spelt
from remission.numerics.words import CUT, alphabet, character_ngrams, is_word, pieces
from remission.view import View


class Gibberish(Metric):
    """Whether what is generated is made of real words, in any text world: characters, parts of words or words.

    Blocks are put together as text and brought to lower case. A word is a run of letters with the marks that combine
    with them, apostrophes and hyphens between letters allowed; numbers and signs are no words, and words that the ends
    of a block may have cut are left out. Real text is all blocks of the source without those of the reference
    (the training items of fit 1 where the source is a law).

    =================== ============================================================================================
    ``words``           share of the words of the sample that occur nowhere in real text, in [0, 1]; rises
    ``characters``      share of its places of ``n`` characters, blanks and signs included, whose n-gram occurs nowhere
                        in real text, in [0, 1]; rises
    ``real-words``      the same of the reference: what honest new text reaches (names, rare words)
    ``real-characters`` likewise
    =================== ============================================================================================

    Only what exceeds the reference's own rate is gibberish. It rises when a model drifts into noise, and falls when it
    narrows onto common words. Where tokens are words a model can only write words, so read ``novel-ngrams`` there. A
    rate of words that are correct but make no sense is not measured. NaN without a word.

    Attributes:
        n: characters per n-gram.

    >>> Gibberish(n=3).label
    'gibberish[n=3]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {
        "words": "rises", "characters": "rises", "real-words": "either", "real-characters": "either",
    }  # fmt: skip

    n: Annotated[int, Meta(ge=1, le=4)] = 4

    def prepare(self, view: View) -> list[tuple[_Known, float, float]]:
        """For each replicate what real text holds, and the two rates of the reference."""
        every = real_texts(view)
        whole = None if every is None else _Known.of(every, view.space, self.n)
        out = []
        for reference, real in zip(view.reference, view.real, strict=True):
            if whole is None:
                known = _Known.of(spelt(view.space, real), view.space, self.n)
            else:
                known = whole.without(spelt(view.space, reference), view.space, self.n)
            out.append((known, *self._rates(reference, view.space, known)))
        return out

    def measure(self, view: View) -> dict[str, Floats]:
        """Four columns (r,)."""
        pairs = zip(view.sample, view.prepared, strict=True)
        rows = [(*self._rates(blocks, view.space, known), *real) for blocks, (known, *real) in pairs]
        return dict(zip(self.columns, np.array(rows, np.float64).T, strict=True))

    def _rates(self, blocks: Array, space: Space, known: _Known) -> tuple[float, float]:
        texts = _lower(spelt(space, blocks))
        words = _words(texts, space)
        codes = character_ngrams(texts, known.letters, self.n)
        fresh = sum(word in known.gone or word not in known.words for word in words)
        seen = _index(known.codes, codes)[1] & ~_index(known.gone_codes, codes)[1]
        return fresh / len(words) if words else np.nan, float(1 - seen.mean()) if codes.size else np.nan


class _Known(NamedTuple):
    """What real text holds: how often each word, and each n-gram of characters (ascending codes).

    ``gone`` is what one replicate's reference alone holds; the rest is shared by all replicates.
    """

    words: Counter[str]
    letters: dict[str, int]
    codes: Integers
    counts: Integers
    gone: frozenset[str] = frozenset()
    gone_codes: Integers = np.empty(0, np.int64)

    @classmethod
    def of(cls, texts: list[str], space: Space, n: int) -> _Known:
        texts = _lower(texts)
        letters = alphabet(texts)
        codes, counts = np.unique(character_ngrams(texts, letters, n), return_counts=True)
        return cls(Counter(_words(texts, space)), letters, codes, counts)

    def without(self, texts: list[str], space: Space, n: int) -> _Known:
        """What is left when texts that are part of it are taken out."""
        texts = _lower(texts)
        words = Counter(_words(texts, space))
        codes, counts = np.unique(character_ngrams(texts, self.letters, n), return_counts=True)
        place, found = _index(self.codes, codes)
        return self._replace(
            gone=frozenset(word for word, count in words.items() if count >= self.words[word]),
            gone_codes=codes[found & (counts >= self.counts[place])],
        )


def _index(ascending: Integers, codes: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Where each code stands, and whether it is there at all."""
    if not ascending.size:
        return np.zeros(codes.size, np.int64), np.zeros(codes.size, bool)
    place = np.minimum(np.searchsorted(ascending, codes), ascending.size - 1)
    return place, ascending[place] == codes


def _lower(texts: list[str]) -> list[str]:
    return [text.replace(CUT, " ").lower() for text in texts]


def _words(texts: list[str], space: Space) -> list[str]:
    return [piece for text in pieces(texts, is_cut(space)) for piece in text if is_word(piece)]
