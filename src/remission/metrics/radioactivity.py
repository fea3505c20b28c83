"""Radioactivity: whether what a model writes carries a watermark, its own or that of the text it was trained on."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from remission.data import TOKENS, Array, Floats
from remission.errors import SpecError
from remission.evidence import weigh
from remission.interfaces import Direction, Metric
from remission.view import View
from remission.watermarking import TextWatermark, Tokens, Watermark, lab_key, misfit, of_tokens
from remission.world import World


class Radioactivity(Metric):
    """The evidence in all that a model writes for the ``mark`` with the key called ``key``.

    A student of marked text writes on what the mark preferred, so its own unmarked output gives away what it was trained on.
    Scores of all blocks are pooled, each distinct (context, token) of the whole draw counted once: of n scores with sum s,

    ============ ==================================================================================================
    ``log10-p``  log10 P(sum of n scores >= s) if the model had nothing to do with the key, at most 0; falls. Exact,
                 so without the mark it is below -2 in one draw of a hundred
    ``excess``   (s / n - mean) / standard deviation, both of one score without the key: by how many of them the mean score
                 is too high; 0 without the mark; rises. NaN without a score
    ``scores``   n; falls when the text repeats itself
    ============ ==================================================================================================

    The evidence in ``log10-p`` grows with n, ``excess`` does not. A student can only take over preferences that it can see:
    one of order n learns nothing of a mark whose context is longer than n - 1 tokens.

    Attributes:
        mark: which watermark, with its parameters; none: that of a ``watermarked`` model.
        key: the name of the key of the lab.
        of: the ``sample``: the output as it is, marked on purpose or not; the ``model``: what a ``watermarked`` model writes
            before it is marked, so that only what it has learned is seen.

    Source: Sander et al., "Watermarking makes language models radioactive" (arXiv 2402.14904): scores of distinct tuples,
    pooled.

    >>> Radioactivity(of="model").label
    'radioactivity[of=model]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {"log10-p": "falls", "excess": "rises", "scores": "falls"}
    sized: ClassVar[bool] = False

    mark: Watermark | None = None
    key: str = "lab"
    of: Literal["sample", "model"] = "sample"

    def check(self) -> None:
        """A mark of tokens, if one is given."""
        if self.mark is not None:
            of_tokens("radioactivity", self.mark)

    def refuses(self, world: World) -> str:
        """No mark; one for another vocabulary or longer blocks."""
        if self.mark is None and not isinstance(getattr(world.model, "mark", None), TextWatermark):
            return f"{world.model.name()} writes without a watermark. Set mark, as in mark = {{ kind = 'gumbel' }}."
        return misfit(self._mark(world.model), world.space.size, world.space.shape[0])

    def measure(self, view: View) -> dict[str, Floats]:
        """Three columns (r,)."""
        mark = self._mark(view.model)
        rows = [self._found(mark, blocks) for blocks in self._written(view)]
        return dict(zip(self.columns, np.array(rows, np.float64).reshape(-1, 3).T, strict=True))

    def _mark(self, model: object) -> TextWatermark:
        mark = getattr(model, "mark", None) if self.mark is None else self.mark
        if mark is None:
            raise SpecError("radioactivity: there is no mark to look for. Set mark.")
        return of_tokens("radioactivity", mark)

    def _written(self, view: View) -> Array:
        """Blocks (r, n, length)."""
        bare = getattr(view.model, "bare_sample", None) if self.of == "model" else None
        if bare is None:
            return view.sample
        streams = view.streams.at(view.generation, "evaluation")
        return np.asarray(bare(view.state, view.evaluation, streams, view.sampling))

    def _found(self, mark: TextWatermark, blocks: Array) -> tuple[float, float, float]:
        tokens = Tokens(np.asarray(blocks, np.int64).reshape(-1), np.arange(len(blocks) + 1) * blocks.shape[1])
        found = weigh(mark, lab_key(mark, self.key), tokens, "corpus")
        n, total, log10_p = found.pooled
        excess = (total / n - found.law.mean) / np.sqrt(found.law.variance) if n else np.nan
        return log10_p, excess, float(n)
