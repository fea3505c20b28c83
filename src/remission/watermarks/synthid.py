"""SynthID-Text: every token wins a keyed tournament (Dathathri et al.)."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.errors import SpecError
from remission.numerics import mersenne, tournament
from remission.numerics.arrays import Array, Booleans, Floats, Integers, Words
from remission.numerics.repeats import fresh
from remission.watermarking import Key, Law, Steering, TextWatermark, Tokens
from remission.watermarks._laws import Whole


class Synthid(TextWatermark):
    """A token is the winner of a knock-out of 2^depth draws, in which layer l prefers tokens whose keyed bit g_l is 1.

    The key has a value for each of up to 64 layers. Bits are read from a table by a hash of the last ``ngram`` tokens and the value;
    averaged over keys the law of the text is unchanged. A context that came among the last ``history`` ones is written
    without the key, and counts once here.

    The score of a token is the sum over layers of a whole-number weight times g_l, weights falling from 10 to 1, because deeper
    layers find less to choose from. Without the key the sum of n scores is the n-fold convolution of
    the law that the key's own entries of the table give, which is not quite that of fair coins.

    In writing the context is at first filled with token 0, so that the prompt is no part of it; ``start`` scores those first tokens
    as well, for texts that begin where generation began.

    With the default table only the low 16 bits of hashes matter: tokens and keys that are equal modulo 65536 are the same.

    Attributes:
        ngram: tokens that a bit depends on, the token itself included.
        table_size: of the sampling table.
        table_seed: what the table is drawn with.
        history: contexts back that a repetition is looked for.
        start: see above.
        eos: number of the token that ends a text; nothing is scored from the first one on. None: there is none.
        skip_first: the first ``ngram`` - 1 tokens are written without the key.
        dialect: ``transformers``, which is also that of the package synthid-text up to 0.2.

    Raises:
        SpecError: a key of no or more than 64 values.

    Source: Dathathri et al., Nature 634 (2024), and its supplement for weights and masks.

    >>> Synthid(ngram=4).label
    'synthid[ngram=4]'
    """

    once: ClassVar[Literal["context", "ngram", "token"]] = "context"

    ngram: Annotated[int, Meta(ge=2, le=64)] = 5
    table_size: Annotated[int, Meta(ge=2, le=2**24)] = 65536
    table_seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    history: Annotated[int, Meta(ge=1)] = 1024
    start: bool = False
    eos: Annotated[int, Meta(ge=0)] | None = None
    skip_first: bool = False
    dialect: Literal["transformers"] = "transformers"

    @property
    def context(self) -> int:
        """Tokens before the scored one."""
        return self.ngram - 1

    @property
    def padded(self) -> bool:
        """Whether the first tokens are scored."""
        return self.start

    def random_key(self, rng: np.random.Generator, name: str = "random") -> Key:
        """30 values of 31 bits, as in the published configuration."""
        return Key(name, tuple(int(value) for value in rng.integers(1, 2**31, 30)))

    def check_key(self, key: Key) -> None:
        """1 to 64 whole numbers of 63 bits."""
        if not 1 <= len(key.values) <= 64:
            raise SpecError(
                f"synthid: the key '{key.name}' has {len(key.values)} values; it takes one for each layer, 1 to 64."
            )
        if not all(0 <= value < 2**63 for value in key.values):
            raise SpecError(f"synthid: a value of the key '{key.name}' is outside 0 .. 2^63 - 1.")

    def scorable(self, tokens: Tokens) -> Integers:
        """Where the context is complete and no text has ended."""
        places = super().scorable(tokens)
        if self.eos is None:
            return places
        ended = np.cumsum(tokens.ids == self.eos)
        before = np.concatenate([[0], ended])[tokens.first]
        return np.asarray(places[(ended - before)[places] == 0])

    @property
    def plain(self) -> bool:
        """Unless texts end early."""
        return self.eos is None

    def dialect_places(self, key: Key, tokens: Tokens) -> Integers:
        """Where the context is none of the last ``history`` ones."""
        places = fresh(tokens.ids, tokens.starts, self.context, False, self.padded, self.history)
        return places if self.plain else np.asarray(places[np.isin(places, self.scorable(tokens))])

    def g_values(self, key: Key, tokens: Tokens, places: Integers) -> Words:
        """The bits of each token (k,), packed: bit l is that of layer l."""
        self.check_key(key)
        if self._wide:
            words = tournament.hashes(tokens.ids, tokens.first[places], places, self.context, True)
            return tournament.layers(words, _values(key), _table(self.table_size, self.table_seed))
        return self._looked_up(tokens, places, _packed(key.values, self.table_size, self.table_seed), np.uint64)

    def scores(self, key: Key, tokens: Tokens, places: Integers) -> Floats:
        """Weighted sums of bits: whole numbers."""
        if self._wide:
            return _weighed(self.g_values(key, tokens, places), len(key.values))
        self.check_key(key)
        return self._looked_up(tokens, places, _score_table(key.values, self.table_size, self.table_seed), np.float64)

    def _looked_up(self, tokens: Tokens, places: Integers, table: Array, kind: type) -> Array:
        out: Array = np.empty(places.size, kind)
        first = tokens.first[places] if self.padded else None
        tournament.looked_up(tokens.ids, first, places, self.context, table, out)
        return out

    @property
    def _wide(self) -> bool:
        """Whether all bits of a hash matter, because the size of the table is no power of two."""
        return bool(self.table_size & (self.table_size - 1))

    def law(self, key: Key) -> Law:
        """The law of the key's own entries of the table."""
        self.check_key(key)
        return _law(key.values, self.table_size, self.table_seed)

    def means(self, key: Key, tokens: Tokens) -> dict[str, Floats]:
        """The statistics of the published package for each text (m,), over the places that its mask lets through.

        ``mean``: the mean bit; ``weighted``: with weights that fall evenly from 10 to 1 and average 1. NaN without any.
        """
        places = self.dialect_places(key, tokens)
        depth = len(key.values)
        bits = tournament.bits_of(self.g_values(key, tokens, places), depth)
        weights = np.linspace(10, 1, depth)
        text, m = tokens.text_of[places], len(tokens)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                name: np.bincount(text, bits @ w, m) / (np.bincount(text, minlength=m) * depth)
                for name, w in (("mean", np.ones(depth)), ("weighted", weights * depth / weights.sum()))
            }

    def posterior(self, key: Key, tokens: Tokens, beta: Floats, delta: Floats, prior: float = 0.5) -> Floats:
        """The published Bayesian detector's probability (m,) that each text is marked, given its trained parameters.

        Args:
            key: the secret.
            tokens: texts.
            beta: (depth,) of the detector.
            delta: (depth, depth) of it, of which the part below the diagonal is used.
            prior: of a marked text.
        """
        places = self.dialect_places(key, tokens)
        bits = tournament.bits_of(self.g_values(key, tokens, places), len(key.values)).astype(np.float64)
        with np.errstate(over="ignore"):
            two = 1 / (
                1 + np.exp(-(bits @ np.tril(delta, -1).T + beta))
            )  # probability of two different tokens in a match
        odds = np.log(np.maximum(0.5 * ((bits + 0.5) * two + 1 - two), 1e-30)) - np.log(0.5)
        prior = min(max(prior, 1e-5), 1 - 1e-5)
        sums = np.bincount(tokens.text_of[places], odds.sum(axis=1), len(tokens)) + np.log(prior / (1 - prior))
        return np.asarray(1 / (1 + np.exp(-np.clip(sums, -700, 700))))

    def random_scores(self, key: Key, tokens: Tokens, places: Integers, rng: np.random.Generator) -> Floats:
        """Scores of a table in random order: what another key's table looks like, without making it."""
        if self._wide:
            other = Key("random", tuple(int(value) for value in rng.integers(1, 2**62, len(key.values))))
            return self.scores(other, tokens, places)
        table = rng.permutation(_score_table(key.values, self.table_size, self.table_seed))
        return self._looked_up(tokens, places, table, np.float64)

    def steering(self, key: Key) -> Steering:
        """Replaces the law of the next token by that of the winner."""
        self.check_key(key)
        return _Won(self, key)


class _Won(Steering):
    def __init__(self, mark: Synthid, key: Key) -> None:
        self.mark, self.key = mark, key
        self.begun = -1
        self.seen: list[list[int]] = []

    def __call__(self, history: Integers, logits: Floats) -> Floats:
        """Logarithms of the winner's law; rows whose context was there before stay as they are."""
        out = np.array(logits, np.float64)
        mark, width = self.mark, self.mark.context
        if self.begun < 0:
            self.begun, self.seen = history.shape[1], [[] for _ in history]
        own = history[:, self.begun :][:, -width:]
        if mark.skip_first and history.shape[1] - self.begun < width:
            return out
        contexts = np.zeros((len(out), width), np.int64)
        if own.shape[1]:
            contexts[:, -own.shape[1] :] = own
        text = Tokens(contexts.ravel(), np.arange(len(out) + 1) * width)
        words = tournament.hashes(text.ids, text.starts[:-1], text.starts[1:], width, False)
        for row, word in enumerate(words):
            if int(word) not in self.seen[row][-mark.history :]:
                out[row] = self._won(out[row], contexts[row])
            self.seen[row].append(int(word))
        return out

    def _won(self, logits: Floats, context: Integers) -> Floats:
        able = np.flatnonzero(logits > -np.inf)
        rows = np.column_stack([np.broadcast_to(context, (able.size, context.size)), able])
        text = Tokens(rows.ravel(), np.arange(able.size + 1) * rows.shape[1])
        bits = self.mark.g_values(self.key, text, text.starts[1:] - 1)
        weights = np.exp(logits[able] - logits[able].max())
        weights /= weights.sum()
        tournament.play(weights, bits, len(self.key.values))
        out = np.full(logits.size, -np.inf)
        with np.errstate(divide="ignore"):
            out[able] = np.log(np.maximum(weights, 0.0))
        return out


def _values(key: Key) -> Words:
    return np.array(key.values, np.uint64)


def weights_of(depth: int) -> Integers:
    """Whole weights of the layers, from 10 to 1: sums of scores stay on a lattice that is small enough to convolve."""
    return np.rint(np.linspace(10, 1, depth)).astype(np.int64)


def _weighed(packed: Words, depth: int) -> Floats:
    return (tournament.bits_of(packed, depth) @ weights_of(depth)).astype(np.float64)


@lru_cache(maxsize=16)
def _table(size: int, seed: int) -> Booleans:
    return (mersenne.integers(seed, size) & np.uint32(1)).astype(np.bool_)


@lru_cache(maxsize=64)
def _packed(values: tuple[int, ...], size: int, seed: int) -> Words:
    powers = np.uint64(1) << np.arange(len(values), dtype=np.uint64)
    return tournament.shifted(np.array(values, np.uint64), _table(size, seed), powers)


@lru_cache(maxsize=64)
def _score_table(values: tuple[int, ...], size: int, seed: int) -> Array:
    weights = weights_of(len(values)).astype(np.int16)
    return tournament.shifted(np.array(values, np.uint64), _table(size, seed), weights)


@lru_cache(maxsize=64)
def _law(values: tuple[int, ...], size: int, seed: int) -> Law:
    depth = len(values)
    whole = int(weights_of(depth).sum()) + 1
    if not size & (size - 1):
        found = _score_table(values, size, seed).astype(np.int64)
        return Whole(np.bincount(found, minlength=whole).astype(np.float64))
    table, weights = _table(size, seed), weights_of(depth)
    mass = np.zeros(whole)
    for share, shifts in _ranges(values):
        found = np.zeros(size, np.int64)
        for weight, shift in zip(weights, shifts, strict=True):
            found += weight * np.roll(table, -(shift % size))
        mass += share * np.bincount(found, minlength=whole)
    return Whole(mass)


def _ranges(values: tuple[int, ...]) -> list[tuple[float, list[int]]]:
    """Ranges of a 64-bit hash x in which no layer's sum begins or ceases to overflow: their share, and what is added to x.

    Layer l looks up (x + c_l) modulo the size of the table, as a signed number that wraps; within a range that is x
    shifted by a constant, and every remainder of x is equally likely.
    """
    top, full = 2**63, 2**64
    added = [(value * tournament.FACTOR + 1 + top) % full - top for value in values]
    ends = sorted({-top, top, *(top - c if c > 0 else -top - c for c in added if c)})
    out = []
    for low, high in itertools.pairwise(ends):
        shifts = [c - full if low + c >= top else c + full if low + c < -top else c for c in added]
        out.append(((high - low) / full, shifts))
    return out
