"""What the scores of a watermark say of texts: p-values that hold, for each text and for all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from remission.numerics.arrays import Booleans, Floats, Integers
from remission.numerics.repeats import firsts
from remission.watermarking import Key, Law, TextWatermark, Tokens

Repeats = Literal["corpus", "text", "dialect", "all"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Scores of texts under one key.

    Attributes:
        places: (k,) the scored places of the tokens.
        scores: (k,) their scores.
        counted: (k,) whether each counts, or was there before.
        text: (k,) the text each belongs to.
        n, total: (m,) how many scores of each text count, and their sum.
        log10_p: (m,) of each text; 0 where nothing counts. Small is marked.
        law: of sums of scores without the key.
    """

    places: Integers
    scores: Floats
    counted: Booleans
    text: Integers
    n: Integers
    total: Floats
    log10_p: Floats
    law: Law

    @property
    def pooled(self) -> tuple[int, float, float]:
        """n, total and log10 p of all texts together; right where what counts was counted once in all of them."""
        n, total = int(self.n.sum()), float(self.total.sum())
        return n, total, float(self.law.log10_tail(np.array([n]), np.array([total]))[0])


def weigh(mark: TextWatermark, key: Key, tokens: Tokens, repeats: Repeats = "text") -> Evidence:
    """Score texts and test each.

    Args:
        mark: the scheme.
        key: the secret.
        tokens: m texts.
        repeats: what counts once: the same thing within a ``text``, or within the whole ``corpus``, of which the first
            counts (texts that share passages then are no longer dependent); ``dialect``: what the scheme's own detector
            counts once; ``all``: nothing. p-values hold for the first two.
    """
    places = mark.scorable(tokens)
    text = tokens.text_of[places]
    counted = once(mark, key, tokens, places, repeats)
    scores = np.zeros(places.size)
    scores[counted] = mark.scores(key, tokens, places[counted])
    return summed(scores, counted, places, text, len(tokens), mark.law(key))


def once(mark: TextWatermark, key: Key, tokens: Tokens, places: Integers, repeats: Repeats) -> Booleans:
    """Which of the places count, (k,)."""
    if repeats == "all":
        return np.ones(places.size, np.bool_)
    found = mark.dialect_identities if repeats == "dialect" else mark.identities
    return firsts(found(key, tokens, places), None if repeats == "corpus" else tokens.text_of[places])


def summed(scores: Floats, counted: Booleans, places: Integers, text: Integers, texts: int, law: Law) -> Evidence:
    """Evidence from scores that are there already."""
    n = np.bincount(text[counted], minlength=texts).astype(np.int64)
    total = np.bincount(text[counted], scores[counted], texts).astype(np.float64)
    return Evidence(places, scores, counted, text, n, total, law.log10_tail(n, total), law)


def key_test(mark: TextWatermark, key: Key, tokens: Tokens, keys: int = 999, seed: int = 0) -> Floats:
    """The p-value (m,) of each text by the rank of its total among those of keys drawn at random.

    It assumes nothing of the text or of the law of scores: without the key a text is independent of it, so the true key is one
    of ``keys`` + 1 exchangeable ones. Never below 1 / (``keys`` + 1). Use it to check the exact laws.
    """
    found = weigh(mark, key, tokens)
    chosen, text = found.places[found.counted], found.text[found.counted]
    rng = np.random.default_rng(seed)
    above = np.ones(len(tokens))
    for _ in range(keys):
        other = mark.random_scores(key, tokens, chosen, rng)
        above += np.bincount(text, other, len(tokens)) >= found.total - 1e-9
    return above / (keys + 1)
