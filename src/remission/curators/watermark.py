"""Drops, or weighs down, what bears a watermark of a known key."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission import watermarking
from remission.data import TOKENS, Array, Blind, Floats
from remission.errors import SpecError
from remission.evidence import weigh
from remission.interfaces import Curator, Judgement
from remission.rng import Streams
from remission.world import World


class Watermark(Curator):
    """Tests every block for the ``mark`` under each of ``keys``; what is as improbable as ``level`` without them goes.

    The p-value of a block is that of its scores under one key, each distinct (context, token) counted once; the least of
    them, times the number of keys, is compared with ``level``. So at most a share ``level`` of the blocks that bear none of
    the keys is lost, whatever they say. How many marked ones are found depends on the length of blocks, on their entropy and
    on what happened to them since. Blocks of other publishers, whose keys are not among ``keys``, pass.

    Sees tokens only. Where everything that arrives is marked nothing is left to train on: mix in fresh data, or weigh.

    Attributes:
        mark: which watermark, with its parameters; the same as that of the model.
        keys: names of the known keys of the lab.
        level: the false-positive rate, in (0, 1).
        weight: of flagged blocks; 0: they are dropped, and replaced where the experiment refills.

    Raises:
        SpecError: a mark of pictures, no key, a mark that does not fit the source.

    >>> from remission import registry
    >>> Watermark(mark=registry.load("watermarks", "gumbel")(), level=0.01).label
    'watermark[mark=gumbel,level=0.01]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS

    mark: watermarking.Watermark
    keys: tuple[str, ...] = ("lab",)
    level: Annotated[float, Meta(gt=0, lt=1)] = 1e-3
    weight: Annotated[float, Meta(ge=0)] = 0.0

    def check(self) -> None:
        """A mark of tokens, and different keys."""
        watermarking.of_tokens("watermark", self.mark)
        if not self.keys or len(set(self.keys)) < len(self.keys):
            raise SpecError(f"watermark: 'keys' are names of keys, each once and at least one. Got {list(self.keys)}.")

    # What others know of their class depends on a field here, hence properties in the place of class variables.
    @property
    def weighs(self) -> bool:  # type: ignore[override]
        """Whether flagged blocks stay with a weight."""
        return self.weight > 0

    @property
    def drops(self) -> bool:  # type: ignore[override]
        """Whether flagged blocks go."""
        return self.weight == 0

    @property
    def yields(self) -> float:
        """Of blocks without the keys."""
        return 1.0 - self.level if self.drops else 1.0

    def refuses(self, world: World) -> str:
        """A mark for another vocabulary or longer blocks."""
        mark = watermarking.of_tokens("watermark", self.mark)
        return watermarking.misfit(mark, world.space.size, world.space.shape[0])

    def judge(self, data: Blind, generation: int, streams: Streams) -> Judgement:
        """Nothing is drawn: the same block is always judged alike."""
        flagged = self.log10_p(data.items) <= np.log10(self.level)
        if self.drops:
            return Judgement(~flagged)
        return Judgement(np.ones(flagged.shape, bool), np.where(flagged, self.weight, 1.0))

    def log10_p(self, items: Array) -> Floats:
        """log10 of the p-value (r, n) of each block (r, n, length), corrected for the number of keys; at most 0."""
        r, n, length = items.shape
        mark = watermarking.of_tokens("watermark", self.mark)
        tokens = watermarking.Tokens(np.asarray(items, np.int64).reshape(-1), np.arange(r * n + 1) * length)
        found = [weigh(mark, watermarking.lab_key(mark, name), tokens).log10_p for name in self.keys]
        return np.minimum(np.min(found, axis=0) + np.log10(len(found)), 0.0).reshape(r, n)
