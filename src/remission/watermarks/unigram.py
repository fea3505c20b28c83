"""Unigram: one green list for all contexts, so that edits do little (Zhao et al.)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.errors import DataError, SpecError
from remission.numerics.arrays import Booleans, Floats, Integers
from remission.watermarking import Key, Steering, TextWatermark, Tokens
from remission.watermarks._keys import one_value
from remission.watermarks._laws import Shares


class Unigram(TextWatermark):
    """``int(gamma V)`` tokens of the vocabulary are green, whatever stands before them. Writing adds ``delta`` to their logits.

    The score of a token is 1 when it is green, and each distinct token of a text counts once. Without the key the green
    ones among n distinct tokens are hypergeometric: n of V drawn without replacement, ``int(gamma V)`` of them green.

    There is no context to be spoiled, so an edit spoils one score; but the list can be learned from enough text.

    Attributes:
        vocabulary: V, the size of the model's output.
        gamma: share of green tokens. delta: added to their logits, in writing only.
        dialect: ``original``, the authors' repository.

    Raises:
        SpecError: a key that is no signed whole number of 64 bits. DataError: a token outside the vocabulary.

    Source: Zhao et al., "Provable robust watermarking for AI-generated text" (arXiv 2306.17439).

    >>> Unigram(vocabulary=50257, gamma=0.25).label
    'unigram[vocabulary=50257,gamma=0.25]'
    """

    once: ClassVar[Literal["context", "ngram", "token"]] = "token"

    vocabulary: Annotated[int, Meta(ge=2, lt=2**31)]
    gamma: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    delta: Annotated[float, Meta(ge=0)] = 2.0
    dialect: Literal["original"] = "original"

    def check(self) -> None:
        """There is a green token."""
        if int(self.vocabulary * self.gamma) < 1:
            raise SpecError(
                f"unigram: gamma = {self.gamma} of {self.vocabulary} tokens leaves no green one. Raise gamma."
            )

    @property
    def context(self) -> int:
        """None."""
        return 0

    def random_key(self, rng: np.random.Generator, name: str = "random") -> Key:
        """63 bits."""
        return Key(name, (int(rng.integers(0, 2**63)),))

    def check_key(self, key: Key) -> None:
        """One whole number of 63 bits."""
        one_value(self.name(), key, 0, 2**63 - 1)

    def _refuse_unknown(self, tokens: Tokens) -> None:
        if tokens.ids.size and int(tokens.ids.max()) >= self.vocabulary:
            raise DataError(
                f"unigram: a token is number {int(tokens.ids.max())}, and the vocabulary has {self.vocabulary}. Give the size "
                f"of the model's output as 'vocabulary', and the tokenizer of that model."
            )

    def scorable(self, tokens: Tokens) -> Integers:
        """Everywhere."""
        self._refuse_unknown(tokens)
        return super().scorable(tokens)

    def scores(self, key: Key, tokens: Tokens, places: Integers) -> Floats:
        """1 for green tokens, else 0."""
        self._refuse_unknown(tokens)
        return self.greens(key)[tokens.ids[places]].astype(np.float64)

    def law(self, key: Key) -> Shares:
        """Hypergeometric."""
        return Shares(int(self.vocabulary * self.gamma), self.vocabulary, distinct=True)

    def greens(self, key: Key) -> Booleans:
        """Which tokens are green, (V,)."""
        self.check_key(key)
        return _greens(key.values[0], self.vocabulary, int(self.gamma * self.vocabulary))

    def random_scores(self, key: Key, tokens: Tokens, places: Integers, rng: np.random.Generator) -> Floats:
        """A green list that is drawn without a key."""
        mask = np.arange(self.vocabulary) < int(self.gamma * self.vocabulary)
        return rng.permutation(mask)[tokens.ids[places]].astype(np.float64)

    def published(self, n: Integers, total: Floats) -> dict[str, Floats]:
        """The z score with the nominal share. The authors' detector counts repeated tokens as well."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return {"z": (total - self.gamma * n) / np.sqrt(self.gamma * (1 - self.gamma) * n)}

    def steering(self, key: Key) -> Steering:
        """Adds ``delta``."""
        return _Raised(self.greens(key), self.delta)


class _Raised(Steering):
    def __init__(self, greens: Booleans, delta: float) -> None:
        self.greens, self.delta = greens, delta

    def __call__(self, history: Integers, logits: Floats) -> Floats:
        """Raise what is green."""
        if logits.shape[1] != self.greens.size:
            raise DataError(
                f"unigram: the model gives {logits.shape[1]} logits, and the vocabulary has {self.greens.size}. Set vocabulary "
                f"= {logits.shape[1]}."
            )
        return np.asarray(logits + self.delta * self.greens)


@lru_cache(maxsize=64)
def _greens(key: int, size: int, green: int) -> Booleans:
    seed = int.from_bytes(hashlib.sha256(key.to_bytes(8, "little")).digest()[:4], "little")
    mask = np.arange(size) < green
    np.random.default_rng(seed).shuffle(mask)
    return mask
