"""KGW: a green list of tokens for every context, whose logits are raised (Kirchenbauer et al.)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from remission.errors import DataError, SpecError
from remission.numerics import mersenne
from remission.numerics.arrays import Floats, Integers, Words
from remission.numerics.repeats import fresh, grouped, hashes
from remission.watermarking import Key, Steering, TextWatermark, Tokens
from remission.watermarks._keys import one_value
from remission.watermarks._laws import Shares

_TABLE = 1_000_003  # a prime
_ORIGINAL = 2971215073  # the seed of the original repository's table
_TRIED = 40  # candidates that self-hash looks at when it writes
_MODULUS = 2**64 - 1


class Kgw(TextWatermark):
    """The first ``int(gamma V)`` numbers of a keyed random permutation of the vocabulary are green.

    ``lefthash``: the permutation follows from the last token (dialect ``original``: from the sum of the last ``width``). The
    score of a token is 1 when it is green. ``selfhash``: it follows from the token itself and one of the last ``width``
    tokens, the token included; whoever writes tries the 40 most probable candidates. Writing adds ``delta`` to the logits
    of green tokens, so the text's law is changed.

    Dialect ``transformers`` is that of ``WatermarkingConfig`` on the CPU, ``original`` that of the authors' repository.
    They agree for ``lefthash`` of width 1 alone. With a GPU both draw other lists, which nothing here can know.

    Each distinct (permutation, token) of a text counts once. Without the key the green ones are then at most binomial with
    ``int(gamma V)`` / V. Under ``lefthash`` token 0 as context gives one list whatever the key, so it is no evidence.

    Attributes:
        vocabulary: V, the size of the model's output, which may be larger than its tokenizer.
        gamma: share of green tokens.
        delta: added to their logits, in writing only.
        seeding: see above.
        width: tokens of context; under ``lefthash`` of dialect ``transformers`` only the first tokens of a text that are
            left out, and what the dialect's own detector takes for a repetition, depend on it.
        dialect: see above.

    Raises:
        SpecError: a key that the dialect cannot use. DataError: a token outside the vocabulary.

    Source: Kirchenbauer et al., "A watermark for large language models" (arXiv 2301.10226), algorithm 2; Kirchenbauer et
    al., "On the reliability of watermarks" (arXiv 2306.04634), for self-hash.

    >>> Kgw(vocabulary=50257).label
    'kgw[vocabulary=50257]'
    """

    vocabulary: Annotated[int, Meta(ge=2, lt=214_748_364)]  # beyond, PyTorch shuffles in another manner
    gamma: Annotated[float, Meta(gt=0, lt=1)] = 0.25
    delta: Annotated[float, Meta(ge=0)] = 2.0
    seeding: Literal["lefthash", "selfhash"] = "lefthash"
    width: Annotated[int, Meta(ge=1, le=64)] = 1
    dialect: Literal["transformers", "original"] = "transformers"

    def check(self) -> None:
        """There is a green token."""
        if int(self.vocabulary * self.gamma) < 1:
            raise SpecError(f"kgw: gamma = {self.gamma} of {self.vocabulary} tokens leaves no green one. Raise gamma.")

    @property
    def context(self) -> int:
        """Tokens before the scored one."""
        return self.width - (self.seeding == "selfhash")

    @property
    def green(self) -> int:
        """How many tokens are green."""
        return int(self.vocabulary * self.gamma)

    def random_key(self, rng: np.random.Generator, name: str = "random") -> Key:
        """32 bits, of which no more are used."""
        return Key(name, (int(rng.integers(1, 2**32)),))

    def check_key(self, key: Key) -> None:
        """One whole number, in 64 bits; self-hash calculates with signed ones."""
        one_value(self.name(), key, 1, 2**63 - 1 if self.seeding == "selfhash" else _MODULUS)

    def _refuse_unknown(self, tokens: Tokens) -> None:
        if tokens.ids.size and int(tokens.ids.max()) >= self.vocabulary:
            raise DataError(
                f"kgw: a token is number {int(tokens.ids.max())}, and the vocabulary has {self.vocabulary}. Give the size of "
                f"the model's output as 'vocabulary', and the tokenizer of that model."
            )

    def scorable(self, tokens: Tokens) -> Integers:
        """Where the context is complete."""
        self._refuse_unknown(tokens)
        return super().scorable(tokens)

    def identities(self, key: Key, tokens: Tokens, places: Integers) -> Words:
        """The permutation and the token."""
        self.check_key(key)
        if self.seeding == "lefthash":
            sums = self._sums(tokens, places)  # contexts share a list where the key times them agrees in 32 bits
            seeds = _left_seeds(key.values[0], int(sums.max(initial=0)) + 1)[sums]
            return np.where(seeds & np.uint64(0xFFFFFFFF) == 0, np.uint64(0), _pairs(seeds, tokens.ids[places]))
        return _pairs(self._own_seeds(key, tokens, places), tokens.ids[places])

    def dialect_places(self, key: Key, tokens: Tokens) -> Integers:
        """Where the whole window is new in its text."""
        self.scorable(tokens)
        return fresh(tokens.ids, tokens.starts, self.context, True)

    def scores(self, key: Key, tokens: Tokens, places: Integers) -> Floats:
        """1 for green tokens, else 0."""
        self.check_key(key)
        self._refuse_unknown(tokens)
        targets = tokens.ids[places]
        if self.seeding == "lefthash":
            sums = self._sums(tokens, places)
            seeds = _left_seeds(key.values[0], int(sums.max(initial=0)) + 1)
            groups = sums
        else:
            seeds, groups = np.unique(self._own_seeds(key, tokens, places), return_inverse=True)
        kept, bounds, inverse = grouped(groups, targets, seeds.size, self.vocabulary)
        used = np.flatnonzero(np.diff(bounds))
        ends = np.concatenate([bounds[used], bounds[-1:]])
        of_pair = np.repeat(seeds[used], np.diff(ends))
        inside = mersenne.members(of_pair, ends, targets[kept], self.vocabulary, self.green)
        return inside[inverse].astype(np.float64)

    def law(self, key: Key) -> Shares:
        """Binomial: tokens of one context are drawn without replacement, which only makes the sum less spread."""
        return Shares(self.green, self.vocabulary)

    def random_scores(self, key: Key, tokens: Tokens, places: Integers, rng: np.random.Generator) -> Floats:
        """Green lists drawn at random, one for each context: as a random key gives them, without its permutations."""
        targets = tokens.ids[places]
        if self.seeding == "selfhash":  # another token has another permutation
            windows = hashes(tokens.ids, tokens.first[places], places, self.context, True)
            _, inverse = np.unique(windows, return_inverse=True)
            return (rng.random(int(inverse.max(initial=-1)) + 1) < self.green / self.vocabulary)[inverse].astype(float)
        sums = self._sums(tokens, places)
        kept, bounds, inverse = grouped(sums, targets, int(sums.max(initial=0)) + 1, self.vocabulary)
        low, sizes = bounds[:-1], np.diff(bounds)
        chosen, left = np.zeros(kept.size, np.bool_), np.full(low.size, self.green)
        for rank in range(int(sizes.max(initial=0))):  # of one list, tokens are drawn without replacement
            low, left, sizes = (part[sizes > rank] for part in (low, left, sizes))
            hit = rng.random(low.size) * (self.vocabulary - rank) < left
            chosen[low + rank] = hit
            left = left - hit
        return chosen[inverse].astype(float)

    def published(self, n: Integers, total: Floats) -> dict[str, Floats]:
        """The z score with the nominal share, and the tail of a normal law there."""
        from scipy import special

        with np.errstate(divide="ignore", invalid="ignore"):
            z = (total - self.gamma * n) / np.sqrt(n * self.gamma * (1 - self.gamma))
        return {"z": z, "p": 0.5 * special.erfc(z / math.sqrt(2))}

    def greens(self, key: Key, context: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """The green list after a context, in the order of the permutation. Under self-hash its last token is the candidate."""
        self.check_key(key)
        ids = np.asarray(context, np.int64)
        needed = self.width if self.seeding == "selfhash" or self.dialect == "original" else 1
        if ids.ndim != 1 or ids.size < needed:
            raise DataError(f"kgw: a green list follows from the last {needed} tokens. Got {ids.tolist()}.")
        text = Tokens(np.append(ids, 0), np.array([0, ids.size + 1]))
        if self.seeding == "lefthash":
            sums = int(self._sums(text, np.array([ids.size]))[0])
            return mersenne.head(key.values[0] * sums % _MODULUS, self.vocabulary, self.green)
        own = self._own_seeds(key, text, np.array([ids.size - 1]))
        return mersenne.head(int(own[0]), self.vocabulary, self.green)

    def steering(self, key: Key) -> Steering:
        """Adds ``delta``."""
        self.check_key(key)
        return _Raised(self, key)

    def _sums(self, tokens: Tokens, places: Integers) -> Integers:
        """What lefthash multiplies the key with: the last token, or the sum of the last ``width``."""
        width = self.width if self.dialect == "original" else 1
        sums = np.zeros(places.size, np.int64)
        for back in range(1, width + 1):
            sums += tokens.ids[places - back]
        return sums

    def _own_seeds(self, key: Key, tokens: Tokens, places: Integers) -> Words:
        """Seeds of self-hash: the least product over the window, signed and wrapped, modulo 2^64 - 1."""
        table = _table(_ORIGINAL if self.dialect == "original" else key.values[0])
        own = table[tokens.ids[places] % _TABLE]
        least = np.full(places.size, np.iinfo(np.int64).max)
        with np.errstate(over="ignore"):
            for back in range(self.width):
                least = np.minimum(least, np.int64(key.values[0]) * table[tokens.ids[places - back] % _TABLE] * own)
            words = least.astype(np.uint64)
            return np.where(least < 0, words - np.uint64(1), words)


class _Raised(Steering):
    def __init__(self, mark: Kgw, key: Key) -> None:
        self.mark, self.key = mark, key
        self.lists = lru_cache(maxsize=4096)(self._list)

    def __call__(self, history: Integers, logits: Floats) -> Floats:
        """Raise what is green after each row's history; rows that are too short stay as they are."""
        out = np.array(logits, np.float64)
        if out.shape[1] != self.mark.vocabulary:
            raise DataError(
                f"kgw: the model gives {out.shape[1]} logits, and the vocabulary has {self.mark.vocabulary}. Set vocabulary = "
                f"{out.shape[1]}."
            )
        if history.shape[1] < self.mark.width:
            return out
        for row in range(len(out)):
            out[row, self._green(history[row], out[row])] += self.mark.delta
        return out

    def _green(self, history: Integers, logits: Floats) -> npt.NDArray[Any]:
        if self.mark.seeding == "lefthash":
            width = self.mark.width if self.mark.dialect == "original" else 1
            return self.lists(int(history[-width:].sum()))
        tried = np.argsort(-logits, kind="stable")[: _TRIED + (self.mark.dialect == "original")]
        tried = tried[np.isfinite(logits[tried])]
        width = self.mark.context
        rows = [np.append(history[history.size - width :], token) for token in tried]
        text = Tokens.of(rows)
        return tried[self.mark.scores(self.key, text, text.starts[1:] - 1) > 0]

    def _list(self, sums: int) -> npt.NDArray[np.int32]:
        return mersenne.head(self.key.values[0] * sums % _MODULUS, self.mark.vocabulary, self.mark.green)


def _pairs(first: Words, second: Integers) -> Words:
    """A number for each pair, never 0; seeds count by their low 32 bits, which are all that is used."""
    low = first & np.uint64(0xFFFFFFFF)
    return (low << np.uint64(32)) + second.astype(np.uint64) + np.uint64(1)


@lru_cache(maxsize=64)
def _left_seeds(key: int, many: int) -> Words:
    """The products key x modulo 2^64 - 1 for x = 0 .. many - 1."""
    return np.array([key * x % _MODULUS for x in range(many)], np.uint64)


@lru_cache(maxsize=8)
def _table(key: int) -> Integers:
    """1 more than a random permutation of the numbers below a prime."""
    return mersenne.head(key, _TABLE, _TABLE).astype(np.int64) + 1
