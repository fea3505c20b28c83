"""A language model whose output is written with a watermark, as far as its publishers go along."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Array, Dataset, Floats, Integers, Space
from remission.desk import Desk
from remission.errors import SpecError
from remission.interfaces import HasDensity, LongModel, Model, Sampling, State, Steerable
from remission.rng import Streams
from remission.watermarking import Key, Steering, TextWatermark, Watermark, lab_key, misfit, of_tokens
from remission.world import World

_UNKNOWN = " (of somebody else)"  # what the name of the second key ends with


class Watermarked(Model):
    """The ``model`` as it is, its samples written with a ``mark``: what marking buys a world that trains on what it finds.

    Each block of a sample is marked with probability ``adoption``, and a marked one with the key called ``key`` with
    probability ``known``, else with a second key that nobody in the loop knows (another publisher's). Then each token of
    marked blocks is replaced with probability ``laundered`` by a token drawn at random from the whole sample: the
    substitution attack, which spoils the scores of all tokens whose context it falls into as well.

    Keys of the lab follow from their names, so the curator ``watermark`` and the metric ``radioactivity`` need only the
    name. The mark is put into the law of each next token after temperature and truncation. Starts that an n-gram model
    cuts from its training set are written as they are; a prompt is context and not marked.

    One key writes all blocks, so schemes that choose a token by its context choose alike wherever the context comes again.
    That leaves the law of each text alone but makes texts of a sample resemble each other, most of all under ``gumbel``
    and for models of few contexts; ``distinct`` and ``types`` show what marking costs.

    Everything else is the model's: what it takes, how it is fitted, ``log_density`` (before the mark), warm starts, prompts.
    With ``adoption`` = 0 samples are those of the bare model, bit for bit; there are no beams, which draw nothing.
    There is no fast path.

    Attributes:
        model: which model: ngram, transformer, causal-lm, or one of your own that is ``Steerable``.
        mark: which watermark, such as gumbel, kgw, synthid or unigram, with its parameters.
        key: the name of the known key.
        adoption: share of blocks that are marked at all, in [0, 1].
        known: share of the marked blocks that bear the known key, in [0, 1].
        laundered: share of the tokens of marked blocks that are replaced, in [0, 1].

    Raises:
        SpecError: a mark of pictures, a model that cannot be steered, a mark that does not fit the source.

    Source of the question: Sander et al., "Watermarking makes language models radioactive" (arXiv 2402.14904). The attack is
    the substitution attack of Kirchenbauer et al. (arXiv 2301.10226), with words at random.

    >>> from remission import registry
    >>> part = {"models": "ngram", "watermarks": "gumbel"}
    >>> ngram, gumbel = (registry.load(folder, name)() for folder, name in part.items())
    >>> Watermarked(model=ngram, mark=gumbel, adoption=0.5).label
    'watermarked[model=ngram,mark=gumbel,adoption=0.5]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS

    model: Model
    mark: Watermark
    key: str = "lab"
    adoption: Annotated[float, Meta(ge=0, le=1)] = 1.0
    known: Annotated[float, Meta(ge=0, le=1)] = 1.0
    laundered: Annotated[float, Meta(ge=0, le=1)] = 0.0

    def __new__(cls, **fields: Any) -> Watermarked:
        """One that can do what its model can: capabilities are asked for by class, and here they depend on a field."""
        model = fields.get("model")
        able = _ABLE.get((isinstance(model, LongModel), isinstance(model, HasDensity)), Watermarked)
        if not fields or issubclass(able, cls):  # no fields: a copy or a pickle is being made
            return object.__new__(able if fields else cls)
        # `dataclasses.replace` with another kind of model asks the old class: this is none of it, so it is ready made
        return Watermarked(**fields)

    def check(self) -> None:
        """The model writes token by token, and the mark is one of tokens."""
        of_tokens("watermarked", self.mark)
        if not isinstance(self.model, Steerable):
            raise SpecError(
                f"watermarked: '{self.model.name()}' does not write token by token, so it cannot be marked. Try ngram, "
                f"transformer or causal-lm."
            )

    # What others know of their class depends on a field here, hence properties in the place of class variables.
    @property
    def knows(self) -> frozenset[str]:  # type: ignore[override]
        """What the model knows that draws."""
        return self.model.knows - {"beams"}

    @property
    def weighted(self) -> bool:  # type: ignore[override]
        """As the model."""
        return self.model.weighted

    @property
    def warm(self) -> bool:  # type: ignore[override]
        """As the model."""
        return self.model.warm

    @property
    def order(self) -> int:
        """1 + the tokens at the start of a block that the model does not predict."""
        return int(getattr(self.model, "order", 1))

    def minimum(self, space: Space) -> int:
        """As the model."""
        return self.model.minimum(space)

    def refuses(self, world: World) -> str:
        """What the model refuses; a mark for another vocabulary or longer blocks."""
        if world.space.kind not in self.model.accepts:
            return f"'{self.model.name()}' takes {', '.join(sorted(self.model.accepts))}."
        if world.sampling.beams > 1:
            return "a beam search draws nothing that could be marked. Set beams = 1."
        return self.model.refuses(world) or misfit(self._mark, world.space.size, world.space.shape[0])

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> State:
        """As the model."""
        return self.model.fit(data, streams, previous)

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """New blocks, int64 (r, n, length), some of them marked."""
        if self.adoption == 0.0:
            return self.bare_sample(state, n, streams, sampling)
        assert isinstance(self.model, Steerable)
        mark, keys = self._mark, self.keys
        bears = (streams.sub("marked").uniforms(n) < self.adoption).astype(np.int64)
        bears[(streams.sub("publisher").uniforms(n) >= self.known) & (bears > 0)] = 2

        def steer(i: int, start: int, stop: int) -> Steering:
            return _Several(mark, keys, bears[i, start:stop])

        items = self.model.sample_steered(state, n, streams, sampling, steer)
        return self._laundered(items, bears > 0, streams) if self.laundered else items

    def bare_sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """What the model writes without a mark, (r, n, length)."""
        return self.model.sample(state, n, streams, sampling)

    @property
    def keys(self) -> tuple[Key, Key]:
        """The known key, and the one that nobody knows."""
        return lab_key(self.mark, self.key), lab_key(self.mark, self.key + _UNKNOWN)

    @property
    def _mark(self) -> TextWatermark:
        return of_tokens("watermarked", self.mark)

    def _laundered(self, items: Array, marked: Array, streams: Streams) -> Array:
        """Tokens of marked blocks (r, n) replaced by tokens from anywhere in the sample."""
        r, count = len(items), int(np.prod(items.shape[1:]))
        hit = streams.sub("laundered").uniforms(count).reshape(items.shape) < self.laundered
        others = np.take_along_axis(items.reshape(r, -1), streams.sub("substitutes").integers(count, count), axis=1)
        return np.where(hit & marked[..., None], others.reshape(items.shape), items)


class _Several(Steering):
    """A batch of texts of which each bears the key of its number, from 1 on, or none (0)."""

    def __init__(self, mark: TextWatermark, keys: tuple[Key, ...], bears: Integers) -> None:
        rows = [(np.flatnonzero(bears == number), key) for number, key in enumerate(keys, 1)]
        self.parts = [(chosen, mark.steering(key)) for chosen, key in rows if chosen.size]

    def __call__(self, history: Integers, logits: Floats) -> Floats:
        """Every text's logits, changed by its own key."""
        if len(self.parts) == 1 and self.parts[0][0].size == len(logits):
            return self.parts[0][1](history, logits)
        out = np.array(logits, np.float64)
        for rows, steering in self.parts:
            out[rows] = steering(history[rows], logits[rows])
        return out


class _Likely(Watermarked, HasDensity):
    def log_density(self, state: State, items: Array) -> Floats:
        """That of the model, before any mark."""
        assert isinstance(self.model, HasDensity)
        return self.model.log_density(state, items)


class _Long(Watermarked, LongModel):  # type: ignore[override]
    @property
    def pretrained(self) -> bool:  # type: ignore[override]
        """As the model."""
        return self._long.pretrained

    @property
    def _long(self) -> LongModel:
        assert isinstance(self.model, LongModel)
        return self.model

    def fit_at(self, data: Dataset, streams: Streams, previous: State | None, desk: Desk) -> State:
        """As the model."""
        return self._long.fit_at(data, streams, previous, desk)

    def together(self, space: Space) -> int:
        """As the model."""
        return self._long.together(space)

    def inherit(self, state: State, first: State) -> State:
        """As the model."""
        return self._long.inherit(state, first)

    def content(self) -> str:
        """As the model."""
        return self._long.content()


class _LongLikely(_Long, _Likely):  # type: ignore[override]
    pass


_ABLE: dict[tuple[bool, bool], type[Watermarked]] = {
    (False, True): _Likely, (True, False): _Long, (True, True): _LongLikely,
}  # fmt: skip
