"""How many tokens of marked text are needed to find it, by the entropy of what was written: measured, not assumed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from remission.clinic.profiles import Profile
from remission.errors import SpecError
from remission.evidence import weigh
from remission.numerics.arrays import Floats, Integers
from remission.watermarking import Key, TextWatermark, Tokens

RATES = (1e-2, 1e-4, 1e-6)
POWER = 0.9
SIZE = 512  # tokens of the model that writes, where the scheme names no vocabulary
_STEPS = 40  # lengths at which power is measured
_PER_KEY = 20  # texts that share a key


def power(
    profiles: Sequence[Profile],
    nats: Sequence[float],
    texts: int = 400,
    longest: int = 800,
    seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> list[dict[str, Any]]:
    """Scored tokens until 90 % of marked texts reach a false-positive rate, for each scheme, entropy and rate.

    Texts are written by an idealised model: the logits of the next token are Gaussian, scaled to the entropy and shuffled at
    every step, so that what is measured is the scheme and not the repetitions of a language. Every 20 texts have another key.

    Args:
        profiles: schemes; tokenizers do not matter.
        nats: entropies of the next token.
        texts: for each scheme and entropy.
        longest: tokens of a text.
        seed: of all draws.
        progress: told (cases done, cases).

    Returns:
        Rows ``profile``, ``scheme``, ``nats``, ``fpr``, ``tokens`` (None: more than ``longest``), ``curve``: pairs of scored tokens
        and the share of texts found.

    Raises:
        SpecError: an entropy that a vocabulary of that size cannot have.
    """
    out: list[dict[str, Any]] = []
    cases = [(profile, entropy) for profile in profiles for entropy in nats]
    for number, (profile, entropy) in enumerate(cases):
        size = getattr(profile.mark, "vocabulary", SIZE)
        if entropy >= 0.98 * math.log(size):
            raise SpecError(
                f"{entropy:g} nats are more than {size} tokens can have. Give less than {math.log(size):.2g}."
            )
        lengths, found = _found(profile.mark, entropy, size, texts, longest, np.random.default_rng([seed, number]))
        for rate, shares in zip(RATES, found, strict=True):
            reached = np.flatnonzero(shares >= POWER)
            out.append(
                {
                    "profile": profile.name, "scheme": profile.mark.label, "nats": entropy, "fpr": rate,
                    "tokens": int(lengths[reached[0]]) if reached.size else None,
                    "curve": [[int(n), float(share)] for n, share in zip(lengths, shares, strict=True)],
                }
            )  # fmt: skip
        if progress is not None:
            progress(number + 1, len(cases))
    return out


def _found(
    mark: TextWatermark, nats: float, size: int, texts: int, longest: int, rng: np.random.Generator
) -> tuple[Integers, Floats]:
    """Numbers of scored tokens (k,), and the share (rates, k) of texts that are found with so many."""
    lengths = np.unique(np.geomspace(4, longest, _STEPS).astype(np.int64))
    found, reached = np.zeros((len(RATES), lengths.size)), lengths.size
    for begun in range(0, texts, _PER_KEY):
        key = mark.random_key(rng)
        ids = write(mark, key, min(_PER_KEY, texts - begun), longest + mark.context, nats, rng, size)
        evidence = weigh(mark, key, Tokens.of(list(ids)))
        for text in range(len(ids)):
            totals = np.cumsum(evidence.scores[evidence.text == text])
            own = lengths[lengths <= totals.size]
            p = evidence.law.log10_tail(own, totals[own - 1])
            reached = min(reached, own.size)  # repetitions do not count, so some texts have fewer scores
            for row, rate in enumerate(RATES):
                found[row, : own.size] += p <= math.log10(rate)
    return lengths[:reached], found[:, :reached] / texts


def logits(size: int, nats: float) -> Floats:
    """Gaussian logits (size,), scaled so that their law has this entropy."""
    z = np.random.default_rng(size).normal(size=size)
    low, high = 0.0, 200.0
    p = np.full(size, 1 / size)
    for _ in range(80):
        middle = (low + high) / 2
        p = np.exp(middle * (z - z.max()))
        p /= p.sum()
        entropy = -float(p @ np.log(np.maximum(p, 1e-300)))
        low, high = (middle, high) if entropy > nats else (low, middle)
    return np.asarray(np.log(np.maximum(p, 1e-300)))


def write(
    mark: TextWatermark | None,
    key: Key | None,
    texts: int,
    length: int,
    nats: float,
    rng: np.random.Generator,
    size: int,
) -> Integers:
    """Texts (texts, length) of an idealised model: the logits are shuffled at every step."""
    steering = mark.steering(key) if mark is not None and key is not None else None
    out = np.zeros((texts, 0), np.int64)
    base = logits(size, nats)
    for _ in range(length):
        now = rng.permuted(np.tile(base, (texts, 1)), axis=1)
        if steering is not None:
            now = steering(out, now)
        token = (now - np.log(-np.log(rng.random(now.shape)))).argmax(axis=1)
        out = np.column_stack([out, token])
    return out
