"""A Markov chain of words: each token is drawn by how often it followed the order - 1 tokens before it.

The cheapest text in which collapse is clearly seen: in *replace* the vocabulary and the distinct n-grams shrink from
generation to generation (Suresh et al., arXiv 2412.17646, section 5: a bigram on WikiText).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from remission.data import TOKENS, Array, Dataset, Floats, Integers, Space
from remission.errors import DataError, FitError, SpecError
from remission.interfaces import HasDensity, Model, Sampling, State, Steerable
from remission.numerics import ngram_steps as steps
from remission.numerics import ngrams as kernels
from remission.rng import Streams
from remission.watermarking import Steer, Steering

_LOGITS = 2**16  # at once, when every token's law is looked at: what stays in the processor's cache


@dataclass(frozen=True, eq=False)
class Chain:
    """The fitted state: the text itself and, for the bare chain, its links."""

    blocks: Array  # (r, n, length) int64: the training blocks
    size: Integers  # (r,): V, the size of the vocabulary
    weight: Floats | None  # (r, n), or None when all blocks weigh the same
    links: npt.NDArray[np.int32] | None  # (r, m, 3): token of each member, start and size of the group after it
    starts: npt.NDArray[np.int32] | None  # (r, n, 2): start and size of the group after the start of each block


class Ngram(Model, HasDensity, Steerable):
    """The maximum-likelihood Markov chain of order - 1 previous tokens within blocks.

    With c(h w) the weight of the occurrences of context h (``order`` - 1 tokens) followed by token w inside one block,
    p(w | h) = c(h w) / sum_v c(h v). A new block begins with the first order - 1 tokens of a random training block.
    A context that was only seen at the end of blocks has no successor: there a new text begins in the same way. The
    law of the output does not depend on how the counts are held; the bare chain never counts (each position of the
    text is linked to those that followed the same context). In collapse contexts lose successors and text repeats.

    ``smoothing`` = s > 0 interpolates with shorter contexts h' (h without its first token), and at last with the
    uniform 1 / V: p(w | h) = (c(h w) + s p(w | h')) / (sum_v c(h v) + s). An unseen context backs off whole.

    ``temperature``, ``top_k`` and ``top_p`` shape p(. | h) of every context (starts stay as they are); they cannot be
    combined with smoothing, whose law has no short list of successors.

    Attributes:
        order: n of the n-grams: 1 draws independent tokens, 2 is a bigram, 3 a trigram...
        smoothing: weight of the shorter context, in tokens; 0 keeps the bare chain.

    Raises:
        SpecError: blocks shorter than ``order``; smoothing with a sampling option.

    Source: Shannon, Bell System Technical Journal 27 (1948), section 3; for the smoothing MacKay & Bauman Peto, "A
    hierarchical Dirichlet language model", Natural Language Engineering 1 (1995), with the shorter context's law as
    the prior mean.

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> data = Dataset(Space("tokens", (4,), 3), np.array([[[0, 1, 0, 2]]]), np.zeros((1, 1), np.int32))
    >>> model = Ngram(order=2)
    >>> np.exp(model.log_density(model.fit(data, None), np.array([[[0, 1, 0, 1], [0, 1, 1, 0]]])))
    array([[0.25, 0.  ]])
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    knows: ClassVar[frozenset[str]] = frozenset({"temperature", "top_k", "top_p"})
    weighted: ClassVar[bool] = True

    order: Annotated[int, Meta(ge=1, le=5)] = 3
    smoothing: Annotated[float, Meta(ge=0)] = 0.0

    def minimum(self, space: Space) -> int:
        """One block, if blocks are long enough for one n-gram."""
        if space.shape[0] < self.order:
            raise SpecError(
                f"ngram: blocks of {space.shape[0]} tokens hold no {self.order}-gram. "
                "Lower 'order' or make the blocks of the source longer."
            )
        return 1

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> Chain:
        """Link (or merely keep) the text. Raises FitError for no block or weights that cannot be drawn from."""
        if data.n < self.minimum(data.space):
            raise FitError("An n-gram needs at least one block per fit. Raise samples or the kept share.")
        r, n, length = data.items.shape
        blocks, size = np.ascontiguousarray(data.items), np.full(r, data.space.size)
        self._within(blocks, data.space.size)
        weight = data.weight
        if weight is not None:
            if not (np.isfinite(weight).all() and (weight >= 0).all() and (weight.sum(axis=1) > 0).all()):
                raise FitError("Weights of blocks must be finite, not negative and not all zero. Check the curators.")
            weight = None if (weight == weight[:, :1]).all() else np.ascontiguousarray(weight)
        if weight is not None or self.smoothing > 0:
            return Chain(blocks, size, weight, None, None)
        if n * length >= 2**31:
            raise FitError(f"A text of {n * length} tokens is too long for 32-bit links. Keep it below 2**31 tokens.")
        links = np.empty((r, n * (length - self.order + 1), 3), np.int32)
        starts = np.empty((r, n, 2), np.int32)
        kernels.link(blocks, self.order, data.space.size, links, starts)
        return Chain(blocks, size, None, links, starts)

    def sample(self, state: Chain, n: int, streams: Streams, sampling: Sampling) -> Array:
        """New blocks as long as the training blocks, int64 (r, n, length)."""
        self._possible(sampling)
        out = np.empty((len(streams), n, state.blocks.shape[2]), np.int64)
        named = (*streams.words, streams.replicates, state.blocks)
        if state.links is not None and not sampling.used:
            kernels.follow(*named, state.links, state.starts, self.order - 1, out)
            return out
        law = (self.order, int(state.size[0]), self.smoothing)
        options = (sampling.temperature, sampling.top_k, sampling.top_p)
        kernels.wander(*named, _or_empty(state.weight), *law, *options, out)
        return out

    def sample_steered(self, state: Chain, n: int, streams: Streams, sampling: Sampling, steer: Steer) -> Array:
        """New blocks (r, n, length) of the law of :meth:`sample`, every token of which goes through ``steer``.

        Starts go through it as well, as laws of one token, so that a text's history is the text from its beginning.
        """
        self._possible(sampling)
        r, _, length = state.blocks.shape
        uniforms, out = streams.uniforms(n * length).reshape(r, n, length), np.empty((r, n, length), np.int64)
        rows = max(1, _LOGITS // int(state.size[0]))
        options = (sampling.temperature, sampling.top_k, sampling.top_p)
        for i in range(r):
            weight = np.empty(0) if state.weight is None else state.weight[i]
            tree = steps.Tree(state.blocks[i], weight, self.order, int(state.size[i]), self.smoothing, *options)
            for start in range(0, n, rows):
                stop = min(n, start + rows)
                out[i, start:stop] = _written(tree, steer(i, start, stop), uniforms[i, start:stop])
        return out

    def log_density(self, state: Chain, items: Array) -> Floats:
        """Natural log-probability (r, m) of each block given its first order - 1 tokens; minus infinity if unseen.

        This is the exact law of :meth:`sample`, new texts after a context without successor included.
        Divide by length - order + 1 for the mean per token; exp of minus that is the perplexity.
        """
        items = np.ascontiguousarray(items)
        self._within(items, int(state.size[0]))
        out = np.empty(items.shape[:2])
        law = (self.order, int(state.size[0]), self.smoothing)
        kernels.log_probability(state.blocks, _or_empty(state.weight), *law, items, out)
        return out

    def _possible(self, sampling: Sampling) -> None:
        if sampling.used and self.smoothing > 0:
            raise SpecError(
                f"ngram: smoothing cannot be combined with {', '.join(sorted(sampling.used))}. "
                "Set smoothing = 0 or leave the sampling neutral."
            )

    def _within(self, items: Array, size: int) -> None:
        if not kernels.within(items, size):
            raise DataError(f"A token is outside 0 .. {size - 1}. Check that the data and its space belong together.")


def _or_empty(weight: Floats | None) -> Floats:
    return np.empty((0, 0)) if weight is None else weight


def _written(tree: steps.Tree, steering: Steering, uniforms: Floats) -> Integers:
    """Texts (b, length), token by token."""
    walk, out = steps.Walk(tree, len(uniforms)), np.empty(uniforms.shape, np.int64)
    for k in range(uniforms.shape[1]):
        tokens = steps.pick(steering(out[:, :k], walk.laws(uniforms[:, k])), uniforms[:, k])
        if tokens is None:
            raise DataError("What steers an n-gram left no token that may come. It must leave one of finite logit.")
        out[:, k] = tokens
        walk.move(tokens)
    return out
