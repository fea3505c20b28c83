"""What the scores of a watermark say of texts: p-values that hold, for each text and for all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from remission.numerics.arrays import Booleans, Floats, Integers
from remission.numerics.repeats import firsts, hashes, sums
from remission.watermarking import Key, Law, TextWatermark, Tokens

Repeats = Literal["text", "passages", "corpus", "dialect", "all"]
PASSAGE = 8  # so many tokens and one more are a passage


@dataclass(frozen=True, eq=False)
class Evidence:
    """Scores of texts under one key.

    Attributes:
        places: (k,) the places of the tokens whose scores count.
        scores: (k,) their scores.
        text: (k,) the text each belongs to.
        n, total: (m,) how many scores of each text count, and their sum.
        mark, key: what they are scores of.
        left_out: how many scores do not count, because what they depend on was there before.
    """

    places: Integers
    scores: Floats
    text: Integers
    n: Integers
    total: Floats
    mark: TextWatermark
    key: Key
    left_out: int = 0

    @cached_property
    def law(self) -> Law:
        """Of sums of scores without the key."""
        return self.mark.law(self.key)

    @cached_property
    def log10_p(self) -> Floats:
        """Of each text (m,); 0 where nothing counts. Small is marked."""
        return self.law.log10_tail(self.n, self.total)

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
        repeats: what counts once. ``text``: what a score depends on, within each text. ``passages``: also nothing that
            stands, context and all, in 9 tokens that an earlier text has as well, so that copied passages are evidence once.
            ``corpus``: what a score depends on, within all texts, of which the first counts: then p-values of texts are
            independent, but schemes of short contexts run out of new things in a large corpus. ``dialect``: what the
            scheme's own detector counts once. ``all``: nothing.
            p-values hold for the first three.

    Raises:
        SpecError: a key that the scheme cannot use. DataError: tokens that it cannot know.
    """
    places, left_out = once(mark, key, tokens, repeats)
    return scored(mark, key, tokens, places, left_out)


def once(mark: TextWatermark, key: Key, tokens: Tokens, repeats: Repeats) -> tuple[Integers, int]:
    """The places that count, (k,), and how many others have a score."""
    if repeats == "text":
        places = mark.once_places(key, tokens)
    elif repeats == "passages":
        places = mark.once_places(key, tokens)
        places = places[~_copied(tokens, mark.context)[places]]
    elif repeats == "dialect":
        places = mark.dialect_places(key, tokens)
    else:
        every = places = mark.scorable(tokens)
        if repeats == "corpus":
            places = every[firsts(mark.identities(key, tokens, every))]
        return places, every.size - places.size
    return places, _scorable(mark, tokens) - places.size


def _copied(tokens: Tokens, context: int) -> Booleans:
    """Which tokens (N,) stand, with their context, in a window of 9 tokens that came before."""
    before = max(PASSAGE, context)
    again = ~firsts(hashes(tokens.ids, tokens.first, np.arange(tokens.ids.size), before, True))
    upto = np.concatenate([[0], np.cumsum(again)])
    places = np.arange(tokens.ids.size)
    ends = np.minimum(places + before - context, tokens.first + tokens.lengths[tokens.text_of] - 1)
    return np.asarray(upto[ends + 1] > upto[places])


def scored(mark: TextWatermark, key: Key, tokens: Tokens, places: Integers, left_out: int = 0) -> Evidence:
    """Evidence of the scores at these places."""
    scores, text = mark.scores(key, tokens, places), tokens.text_of[places]
    n, total = sums(text, scores, len(tokens))
    return Evidence(places, scores, text, n, total, mark, key, left_out)


def _scorable(mark: TextWatermark, tokens: Tokens) -> int:
    if not mark.plain:
        return mark.scorable(tokens).size
    return int(np.maximum(tokens.lengths - (0 if mark.padded else mark.context), 0).sum())


def key_test(mark: TextWatermark, key: Key, tokens: Tokens, keys: int = 999, seed: int = 0) -> Floats:
    """The p-value (m,) of each text by the rank of its total among those of keys drawn at random.

    It assumes nothing of the text or of the law of scores: without the key a text is independent of it, so the true key is one
    of ``keys`` + 1 exchangeable ones. Never below 1 / (``keys`` + 1). Use it to check the exact laws.
    """
    found = weigh(mark, key, tokens)
    rng = np.random.default_rng(seed)
    above = np.ones(len(tokens))
    for _ in range(keys):
        other = mark.random_scores(key, tokens, found.places, rng)
        above += sums(found.text, other, len(tokens))[1] >= found.total - 1e-9
    return above / (keys + 1)
