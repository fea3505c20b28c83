"""Bits per byte of held-out real text under the newest model: comparable between vocabularies."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Array, Floats, Integers, Space
from remission.interfaces import Direction, HasDensity, Metric
from remission.metrics._chances import given_tokens, log_chances
from remission.view import View


class BitsPerByte(Metric):
    """- log2 of the probability of the reference / the bytes of the text that was predicted; rises in collapse.

    With l_j the natural log-probability of block j given its start and b_j the bytes, in UTF-8, of its text without
    that of its start: - sum_j l_j / (ln 2 sum_j b_j). Unlike perplexity it does not move with how text is cut into
    tokens: a model of characters and one of words can be compared, if both see the same text; ``<unk>`` is text of
    five bytes here, so words are comparable only with a whole vocabulary. Infinite, and reported so, as soon as one
    block is impossible. Of the fitted model, before temperature or truncation. NaN when nothing is predicted.

    Attributes:
        given: tokens at the start of a block that are not predicted (as in ``perplexity``).

    >>> BitsPerByte(given=1).label
    'bits-per-byte[given=1]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    needs: ClassVar[tuple[type, ...]] = (HasDensity,)
    samples: ClassVar[bool] = False

    given: Annotated[int, Meta(ge=-1)] = -1

    def prepare(self, view: View) -> Integers:
        """Bytes of the predicted text of the reference, shape (r,)."""
        given = given_tokens(view.model, self.given)
        return np.array([_bytes(view.space, blocks, given) for blocks in view.reference], np.int64)

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        total = log_chances(view, view.state, view.reference).sum(axis=1)
        size = view.prepared
        return {"": np.where(size > 0, -total / (math.log(2) * np.maximum(size, 1)), np.nan)}


def _bytes(space: Space, blocks: Array, given: int) -> int:
    """Bytes of the text of blocks (m, length) from token ``given`` on, joiners before those tokens included."""
    names = space.names or tuple(str(number) for number in range(space.size))
    sizes = np.array([len(name.encode("utf-8", "surrogateescape")) for name in names], np.int64)
    joins = max(blocks.shape[1] - max(given, 1), 0) * len(blocks)
    return int(sizes[blocks[:, given:]].sum()) + joins * len(space.joiner.encode("utf-8"))
