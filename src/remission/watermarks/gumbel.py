"""Gumbel-max: the token is drawn with keyed noise, so that its law stays as it is (Aaronson; Kirchner)."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.numerics import philox
from remission.numerics.arrays import Floats, Integers
from remission.watermarking import Key, Steering, TextWatermark, Tokens
from remission.watermarks._keys import one_value
from remission.watermarks._laws import Exponentials

_HISTORY = 8192  # contexts back that a repetition is looked for, in writing


class Gumbel(TextWatermark):
    """Token w is written when it maximises ln p_w - ln(- ln u_w), u a keyed uniform of the context and w.

    Averaged over keys the law of the text is unchanged, if ``p`` is what would have been drawn from: after temperature and
    truncation. A context that the text held before is written without noise of the key, and counts once.

    The score of a token is - ln(1 - u): exponential of mean 1 without the key, so n of them are Gamma(n, 1). A token of
    probability p that was written with the key has the mean sum over k >= 1 of 1 / (k (1 + k p)); sure tokens carry nothing.

    With ``alpha`` > 0 there are two keys, derived from the one, as serving engines use them where a second model drafts:
    every token is written with the second one with probability ``alpha``, and scores are weighed 1 - ``alpha`` to
    ``alpha``. The law of the sum of two Gammas is then exact, while the engine's own detector matches moments.

    Only tokens that were generated are context, not the prompt; missing ones are token -1, so a text that begins
    where generation began is scored from its first token on.

    Attributes:
        width: tokens of context.
        alpha: share of the second key; 0: one key.
        dialect: ``vllm-philox-v1``, the PRF of vLLM since 0.30.

    Raises:
        SpecError: a key of more than 64 bits.

    Source: Aaronson, talk at the Simons Institute (2023); Kuditipudi et al. (arXiv 2307.15593); Fernandez et al., "Three
    bricks to consolidate watermarks for LLMs" (arXiv 2308.00113), for the exact test.

    >>> Gumbel(alpha=0.1).label
    'gumbel[alpha=0.1]'
    """

    once: ClassVar[Literal["context", "ngram", "token"]] = "context"

    width: Annotated[int, Meta(ge=1, le=64)] = 4
    alpha: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    dialect: Literal["vllm-philox-v1"] = "vllm-philox-v1"

    @property
    def context(self) -> int:
        """Tokens before the scored one."""
        return self.width

    @property
    def padded(self) -> bool:
        """Missing tokens are -1."""
        return True

    @property
    def plain(self) -> bool:
        """All is as usual."""
        return True

    def random_key(self, rng: np.random.Generator, name: str = "random") -> Key:
        """64 bits."""
        return Key(name, (int(rng.integers(0, 2**64, dtype=np.uint64)),))

    def check_key(self, key: Key) -> None:
        """One whole number of 64 bits."""
        one_value(self.name(), key, 0, 2**64 - 1)

    def scores(self, key: Key, tokens: Tokens, places: Integers) -> Floats:
        """The score of each token, from 0 on, of mean 1 without the key."""
        self.check_key(key)
        first = tokens.first[places]
        out = np.zeros(places.size)
        for value, weight in self._keys(key):
            out += weight * -np.log1p(-philox.uniforms_at(value, tokens.ids, first, places, self.width))
        return out

    def law(self, key: Key) -> Exponentials:
        """A Gamma, or the sum of two."""
        return Exponentials((1.0 - self.alpha, self.alpha))

    def published(self, n: Integers, total: Floats) -> dict[str, Floats]:
        """The p-value of the engine's detector: a Gamma with the right mean and variance; it underflows."""
        from scipy import special

        variance = (1 - self.alpha) ** 2 + self.alpha**2
        return {"p": np.where(n > 0, special.gammaincc(n / variance, total / variance), 1.0)}

    def steering(self, key: Key) -> Steering:
        """Leaves the token that the noise chooses; with two keys both choices, in their proportion."""
        self.check_key(key)
        return _Chosen(self, self._keys(key))

    def _keys(self, key: Key) -> list[tuple[int, float]]:
        """The keys in use, and the weight of each."""
        if not self.alpha:
            return [(key.values[0], 1.0)]
        return [(derived(key.values[0], b"key_a"), 1.0 - self.alpha), (derived(key.values[0], b"key_b"), self.alpha)]


class _Chosen(Steering):
    def __init__(self, mark: Gumbel, keys: list[tuple[int, float]]) -> None:
        self.mark, self.keys = mark, keys
        self.begun = -1
        self.seen: list[list[bytes]] = []

    def __call__(self, history: Integers, logits: Floats) -> Floats:
        """Logits that leave one token, or two; rows whose context was there before stay as they are."""
        out = np.array(logits, np.float64)
        if self.begun < 0:
            self.begun, self.seen = history.shape[1], [[] for _ in history]
        contexts = np.full((len(out), self.mark.width), -1, np.int64)
        own = history[:, self.begun :][:, -self.mark.width :]
        if own.shape[1]:
            contexts[:, -own.shape[1] :] = own
        for row, context in enumerate(contexts):
            name = context.tobytes()
            if name not in self.seen[row][-_HISTORY:]:
                out[row] = self._fixed(out[row], context)
            self.seen[row].append(name)
        return out

    def _fixed(self, logits: Floats, context: Integers) -> Floats:
        shares: dict[int, float] = {}
        for value, weight in self.keys:
            noise = -np.log(-np.log(philox.uniforms(value, context, logits.size)))
            token = int(np.argmax(logits + noise))
            shares[token] = shares.get(token, 0.0) + weight
        out = np.full(logits.size, -np.inf)
        out[[*shares]] = np.log([*shares.values()])
        return out


def derived(key: int, domain: bytes) -> int:
    """One of the two keys that the engine derives from a key."""
    return int.from_bytes(hashlib.sha256(domain + key.to_bytes(8, "big")).digest()[:8], "big")
