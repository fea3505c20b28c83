"""What a watermark is: a scheme, and a key that lives apart from it.

A text watermark gives every token a score that depends on the key and on the tokens just before. In text that was written
without the key these scores follow a known law, whatever the text says; who writes with the key makes them larger.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from remission.component import Component
from remission.errors import DataError, SpecError
from remission.numerics.arrays import Array, Floats, Integers, Words
from remission.numerics.repeats import firsts, fresh, hashes


@dataclass(frozen=True)
class Key:
    """A secret, and the name it goes by. Only the name is ever shown.

    Attributes:
        name: what reports call it.
        values: the secret: whole numbers, how many depends on the scheme.
    """

    name: str
    values: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Tokens:
    """Texts as numbers of tokens, one after another.

    Attributes:
        ids: (N,) int64.
        starts: (m + 1,) int64: text i is ``ids[starts[i]:starts[i + 1]]``.
    """

    ids: Integers
    starts: Integers

    @classmethod
    def of(cls, texts: Sequence[npt.ArrayLike]) -> Tokens:
        """From a list of sequences of token numbers. Raises DataError for what are no whole numbers from 0 on."""
        parts = []
        for number, text in enumerate(texts):
            try:
                part = np.asarray(text)
            except ValueError:
                raise DataError(f"Text {number} is no row of token numbers: its rows differ in length.") from None
            parts.append(part)
            large = part.dtype == np.uint64 and part.size and int(part.max()) >= 2**63
            if large or part.ndim != 1 or (part.dtype.kind not in "iu" and part.size):
                raise DataError(f"Text {number} is no row of token numbers: shape {part.shape}, type {part.dtype}.")
        starts = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([part.size for part in parts], out=starts[1:])
        ids = np.concatenate([*parts, np.empty(0, np.int64)], dtype=np.int64, casting="unsafe")
        return cls(ids, starts)

    def __post_init__(self) -> None:
        if self.ids.size and int(self.ids.min()) < 0:
            where = int(np.flatnonzero(self.ids < 0)[0])
            text = int(np.searchsorted(self.starts, where, side="right")) - 1
            raise DataError(f"Token numbers go from 0 on. Text {text} holds {int(self.ids[where])}.")

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Integers:
        """Tokens of each text, (m,)."""
        return np.diff(self.starts)

    @cached_property
    def text_of(self) -> Integers:
        """The text that each token belongs to, (N,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def first(self) -> Integers:
        """Where the text of each token begins, (N,)."""
        return np.repeat(self.starts[:-1], self.lengths)


class Law(ABC):
    """The law of the sum of n scores of text that was written without the key."""

    @abstractmethod
    def log10_tail(self, n: Integers, total: Floats) -> Floats:
        """log10 P(sum of n scores >= total), elementwise; 0 where n is 0. Does not underflow."""

    @abstractmethod
    def tilt(self, mean: Floats) -> tuple[Floats, Floats]:
        """The exponential tilt theta of the law that has this mean, and the logarithm of E exp(theta score), elementwise.

        What the scores of marked text are most like: theta total - n log E exp(theta score) is the log-likelihood ratio.
        """

    def rate(self, mean: Floats) -> Floats:
        """How fast P(mean of n scores >= x) falls with n (Cramer's rate): about exp(- n rate); 0 up to the expected mean."""
        above = np.maximum(mean, self.mean)
        theta, logarithm = self.tilt(above)
        return np.asarray(np.where(above > self.mean, theta * above - logarithm, 0.0))

    @property
    @abstractmethod
    def mean(self) -> float:
        """Of one score."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """Of one score."""


class Steering(ABC):
    """The state of a batch of b texts that are being written with a key."""

    @abstractmethod
    def __call__(self, history: Integers, logits: Floats) -> Floats:
        """The logits (b, V) of the next token, changed.

        Args:
            history: (b, t) all tokens so far, prompts included. The first call tells how long the prompts are.
            logits: (b, V), after temperature and truncation; minus infinity for a token that must not come.
        """


Steer = Callable[[int, int, int], Steering]  # (i, start, stop): of texts start .. stop - 1 of replicate i, a batch


class Watermark(Component, ABC):
    """A scheme with its dialect and parameters. The key is given to each method.

    Attributes:
        takes: what is marked: ``tokens`` or a ``picture``.
    """

    folder: ClassVar[str] = "watermarks"
    takes: ClassVar[Literal["tokens", "picture"]] = "tokens"

    @abstractmethod
    def random_key(self, rng: np.random.Generator, name: str = "random") -> Key:
        """A new key that this scheme can use, each equally likely."""

    @abstractmethod
    def check_key(self, key: Key) -> None:
        """Raise SpecError when the scheme cannot use the key; its values are not shown."""


class TextWatermark(Watermark):
    """A watermark of texts of tokens.

    Attributes:
        once: what counts once when it comes again in a text: a ``context``, an ``ngram`` (context and token), or a ``token``.
    """

    once: ClassVar[Literal["context", "ngram", "token"]] = "ngram"

    @property
    @abstractmethod
    def context(self) -> int:
        """How many tokens before a token its score depends on."""

    @property
    def padded(self) -> bool:
        """Whether the first tokens of a text have a score as well, with a context that is filled up."""
        return False

    def scorable(self, tokens: Tokens) -> Integers:
        """The places (k,) of ``tokens.ids`` that have a score."""
        if self.padded or not self.context:
            return np.arange(tokens.ids.size)
        return np.flatnonzero(np.arange(tokens.ids.size) - tokens.first >= self.context)

    def identities(self, key: Key, tokens: Tokens, places: Integers) -> Words:
        """What the score at each place depends on, as a number (k,): where it comes again there is no new evidence.

        0 where there is none at all.
        """
        before, itself = (self.context, self.once != "context") if self.once != "token" else (0, True)
        return hashes(tokens.ids, tokens.first[places], places, before, itself)

    @property
    def plain(self) -> bool:
        """Whether scorable places and identities are those of this class, and no others."""
        return False

    def once_places(self, key: Key, tokens: Tokens) -> Integers:
        """The scorable places that count when repetitions within a text do not, (k,)."""
        if self.plain:
            itself = self.once != "context"
            return fresh(tokens.ids, tokens.starts, self.context, itself, self.padded)
        places = self.scorable(tokens)
        return np.asarray(places[firsts(self.identities(key, tokens, places), tokens.text_of[places])])

    def dialect_places(self, key: Key, tokens: Tokens) -> Integers:
        """The places that the dialect's own detector counts, dependent ones among them."""
        return self.once_places(key, tokens)

    def published(self, n: Integers, total: Floats) -> dict[str, Floats]:
        """What the dialect's own detector makes of n scores and their sum, by name; not exact."""
        return {}

    @abstractmethod
    def scores(self, key: Key, tokens: Tokens, places: Integers) -> Floats:
        """The score (k,) of the tokens at these places (k,) of ``tokens.ids``; higher is more likely marked.

        Raises DataError for token numbers that the scheme cannot know.
        """

    @abstractmethod
    def law(self, key: Key) -> Law:
        """The law of sums of scores of text without the key."""

    @abstractmethod
    def steering(self, key: Key) -> Steering:
        """Start to write a batch of texts with the key."""

    def logits_processor(self, key: Key) -> Any:
        """What ``generate(logits_processor=[...])`` of transformers takes, for one call of it. Needs the extra ``deep``.

        It works on logits as they are when it is called. Schemes that fix the token or its probability must come last:
        put temperature and truncation before it in the list, and leave them out of the arguments of ``generate``.
        """
        from remission.networks.steering import Processor

        return Processor(self.steering(key))

    def random_scores(self, key: Key, tokens: Tokens, places: Integers, rng: np.random.Generator) -> Floats:
        """The scores (k,) that another key like this one, drawn at random, would give; schemes may draw them without it."""
        return self.scores(self.random_key(rng), tokens, places)


@dataclass(frozen=True, eq=False)
class PictureFinding:
    """What was read from a picture.

    Attributes:
        payload: (bits,) the bits as read, bool.
        log10_p: log10 of the probability that a picture without the key looks at least as marked.
        log10_p_any: the same for the key alone, whatever the payload; None for schemes that cannot tell.
        scale, shift: how the picture was scaled and shifted (rows, columns) since it was marked, as far as known.
        turns, mirrored: quarter turns counter-clockwise since it was marked, and whether it was mirrored before.
        tilt: how far it was turned beside that, in degrees counter-clockwise, as far as searched.
    """

    payload: npt.NDArray[np.bool_]
    log10_p: float
    log10_p_any: float | None = None
    scale: float = 1.0
    shift: tuple[int, int] = (0, 0)
    turns: int = 0
    mirrored: bool = False
    tilt: float = 0.0


class PictureWatermark(Watermark):
    """A watermark of pictures: arrays (h, w) or (h, w, 3) of bytes."""

    takes: ClassVar[Literal["tokens", "picture"]] = "picture"

    @abstractmethod
    def embed(self, key: Key, picture: Array, payload: npt.NDArray[np.bool_] | None = None) -> Array:
        """The marked picture. Raises DataError for a picture that is too small or no array of bytes.

        Args:
            key: the secret.
            picture: what to mark.
            payload: (bits,) what to write; by default bits that follow from the key, which :meth:`find` then expects.
        """

    @abstractmethod
    def find(self, key: Key, picture: Array, payload: npt.NDArray[np.bool_] | None = None) -> PictureFinding:
        """Read a picture, and test it for the payload (by default the one that follows from the key)."""


def lab_key(mark: Watermark, name: str) -> Key:
    """The key of this name in simulated worlds: the same for all who name it, so no secret. Never mark real text with it."""
    seed = int.from_bytes(hashlib.sha256(f"remission lab key {name}".encode()).digest(), "big")
    return mark.random_key(np.random.default_rng(seed), name)


def of_tokens(owner: str, mark: Watermark) -> TextWatermark:
    """The mark, if it is one of tokens; else SpecError in the name of who wants one."""
    if isinstance(mark, TextWatermark):
        return mark
    raise SpecError(f"{owner}: '{mark.name()}' marks pictures, not tokens. Try gumbel, kgw, synthid or unigram.")


def misfit(mark: TextWatermark, size: int, length: int) -> str:
    """Why a mark cannot be used on blocks of ``length`` tokens out of ``size``, and what to set; empty when it can."""
    vocabulary = getattr(mark, "vocabulary", size)
    if vocabulary != size:
        return f"{mark.name()} is set to a vocabulary of {vocabulary}, and items have tokens out of {size}. Set vocabulary = {size}."
    if length <= mark.context and not mark.padded:
        return (
            f"{mark.name()} scores a token by the {mark.context} before it, and blocks have {length} tokens. Make the blocks of "
            f"the source longer."
        )
    return ""
