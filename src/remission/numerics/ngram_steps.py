"""Markov chains of text, written for many blocks side by side and one token at a time.

What :func:`remission.numerics.ngrams.wander` draws in one go, for those who want to change the law of each token on the
way: the same tree, and the law of the next token of every block as an array.
"""

from __future__ import annotations

import numpy as np

from remission.numerics.arrays import Floats, Integers
from remission.numerics.jit import jit
from remission.numerics.ngrams import advance, cumulate, grow, search
from remission.numerics.unigram import shape


@jit()
def _shaped(mass, begin, many, base, order, temperature, top_k, top_p):  # type: ignore[no-untyped-def]
    """Shape the masses of what follows every full context, in place."""
    for context in range(base[order - 1], base[order]):
        shape(mass[begin[context] : begin[context] + many[context]], temperature, top_k, top_p)


@jit()
def _starts(blocks, share, order, bare, first, total, uniforms, path, left, block):  # type: ignore[no-untyped-def]
    """Begin a new text in every row that has none, or whose context has no successor: a random training block's start."""
    for j in range(left.size):
        node = path[j, order - 1]
        if first or (bare and left[j] == 0 and total[node] <= 0.0):
            block[j] = search(share, 0, share.size, uniforms[j] * share[-1])
            left[j] = order - 1
            path[j, :], path[j, 0] = -1, 0


@jit()
def _laws(  # type: ignore[no-untyped-def]
    blocks, order, smoothing, token, mass, begin, many, total, path, left, block, out
):
    """Fill ``out`` (b, V) with the log-probabilities of the next token of every row; of a start it is sure."""
    size = out.shape[1]
    for j in range(left.size):
        if left[j] > 0:
            out[j, :] = -np.inf
            out[j, blocks[block[j], order - 1 - left[j]]] = 0.0
        elif smoothing > 0.0:
            out[j, :] = 1.0 / size
            for depth in range(order):
                node = path[j, depth]
                if node >= 0 and total[node] > 0.0:
                    out[j, :] *= smoothing / (total[node] + smoothing)
                    for child in range(begin[node], begin[node] + many[node]):
                        out[j, token[child]] += mass[child] / (total[node] + smoothing)
            out[j, :] = np.log(out[j, :])
        else:
            out[j, :] = -np.inf
            node = path[j, order - 1]
            for child in range(begin[node], begin[node] + many[node]):
                if mass[child] > 0.0:
                    out[j, token[child]] = np.log(mass[child] / total[node])


@jit()
def _move(token, begin, many, path, left, emitted):  # type: ignore[no-untyped-def]
    for j in range(left.size):
        if left[j] > 0:
            left[j] -= 1
        advance(token, begin, many, path[j], emitted[j])


@jit()
def _pick(logits, uniforms, out):  # type: ignore[no-untyped-def]
    able, weight = np.empty(logits.shape[1] + 1, np.int64), np.empty(logits.shape[1])
    for j in range(out.size):
        many, highest = np.int64(0), -np.inf
        for k in range(logits.shape[1]):  # most tokens never come; without a branch: the processor could not guess it
            able[many] = k
            many += np.int64(logits[j, k] != -np.inf)
        for i in range(many):
            highest = max(highest, logits[j, able[i]])
        total = 0.0
        for i in range(many):
            weight[i] = np.exp(logits[j, able[i]] - highest)
            total += weight[i]
        if not 1.0 <= total < np.inf:
            return False
        target, upto, last = uniforms[j] * total, 0.0, 0
        for i in range(many):
            upto, last = upto + weight[i], i
            if upto > target:
                break
        out[j] = able[last]
    return True


def pick(logits: Floats, uniforms: Floats) -> Integers | None:
    """A token for each row (b,): the inverse of its distribution function at a uniform on [0, 1), (b,).

    None when a row leaves no token, or is no law.

    >>> import numpy as np
    >>> pick(np.log([[0.25, 0.75]]), np.array([0.3]))
    array([1])
    """
    out = np.empty(len(logits), np.int64)
    return out if _pick(logits, uniforms, out) else None


class Tree:
    """The chain of one replicate's weighted blocks, shaped or smoothed."""

    def __init__(
        self,
        blocks: Integers,
        weight: Floats,
        order: int,
        size: int,
        smoothing: float,
        temperature: float,
        top_k: int,
        top_p: float,
    ) -> None:
        """See :func:`remission.numerics.ngrams.wander`; ``blocks`` (n, length), ``weight`` (n,) or empty."""
        self.blocks, self.order, self.size, self.smoothing = blocks, order, size, float(smoothing)
        token, mass, begin, many, _, base = grow(blocks, weight, order, size)
        _shaped(mass, begin, many, base, order, temperature, top_k, top_p)
        self.nodes = token, mass, begin, many
        self.total = cumulate(mass, begin, many)[1]
        self.share = np.cumsum(weight) if weight.size else np.arange(1.0, len(blocks) + 1)


class Walk:
    """Rows of blocks that one chain writes side by side.

    At each step :meth:`laws` must be called before :meth:`move`.
    """

    def __init__(self, chain: Tree, rows: int) -> None:
        """``rows``: how many blocks are written."""
        self.chain = chain
        self.path = np.full((rows, chain.order), -1, np.int64)
        self.left, self.block = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self.begun = False

    def laws(self, uniforms: Floats) -> Floats:
        """The log-probabilities (rows, V) of every row's next token.

        Where a new text begins, the uniform (rows,) of this step chooses it, and the law is that token alone.
        """
        chain = self.chain
        out = np.empty((self.left.size, chain.size))
        token, mass, begin, many = chain.nodes
        _starts(
            chain.blocks, chain.share, chain.order, chain.smoothing == 0.0, not self.begun, chain.total, uniforms,
            self.path, self.left, self.block,
        )  # fmt: skip
        self.begun = True
        _laws(
            chain.blocks, chain.order, chain.smoothing, token, mass, begin, many, chain.total, self.path, self.left,
            self.block, out,
        )  # fmt: skip
        return out

    def move(self, emitted: Integers) -> None:
        """Every row goes on with a token (rows,)."""
        token, _, begin, many = self.chain.nodes
        _move(token, begin, many, self.path, self.left, emitted)
