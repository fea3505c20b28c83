"""Artifact rate: the share of generated items that carry the artifact planted by the source, told without a detector."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Array, Floats
from remission.interfaces import Direction, Metric
from remission.marks import Mark, Marked
from remission.view import View
from remission.world import World


class ArtifactRate(Metric):
    """How often the artifact of a source such as ``artifact`` comes back, in [0, 1].

    ``artifact-rate``: share of the sample that carries it, by the exact definition of its mark: of a figure nine in ten
    of the numbers that should be 1 are above 1/2 and nine in ten of those that should be 0 are not; of a phrase every
    token stands in its place. ``training``: the same share of the training set, weights counted (NaN where none is
    kept). ``reference``: of the clean reference, the false positives; 0 on the built-in pictures. ``ratio``:
    artifact-rate over p0, the rate at which fit 1 got it; above 1 the loop amplifies, below 1 it washes out. ``match``:
    the graded rate (M - M0) / (1 - M0), M and M0 the mean match of sample and reference (:mod:`remission.marks`): a
    model that blurs, or writes half of a phrase, shows here before it shows in the rate.

    All may move either way. What chance alone does is drift without direction (law ``artifact-rate``); networks may
    learn what is frequent better than what is rare, or the other way round. Any n: the rate is an unbiased share.

    >>> list(ArtifactRate.columns)
    ['', 'training', 'reference', 'ratio', 'match']
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"image", "tokens", "captioned"})
    columns: ClassVar[dict[str, Direction]] = dict.fromkeys(("", "training", "reference", "ratio", "match"), "either")

    def refuses(self, world: World) -> str:
        """There must be an artifact to look for."""
        if isinstance(world.source, Marked):
            return ""
        return (
            f"the source {world.source.name()} plants no artifact. Wrap it: [source] kind = 'artifact', "
            f"base = {{ kind = '{world.source.name()}' }}."
        )

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        source = view.source
        assert isinstance(source, Marked)
        mark, p0 = source.mark, source.rate_at(1)
        rate = mark.carried(view.sample).mean(axis=1)
        clean = mark.match(view.reference).mean(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            match = (mark.match(view.sample).mean(axis=1) - clean) / (1.0 - clean)
        return {
            "": rate,
            "training": _weighted(mark, view),
            "reference": mark.carried(view.reference).mean(axis=1),
            "ratio": rate / p0 if p0 else np.full_like(rate, np.nan),
            "match": np.where(np.isfinite(match), match, np.nan),
        }


def _weighted(mark: Mark, view: View) -> Array:
    """Share of the weight of the training set that carries it."""
    if view.training is None:
        return np.full(view.replicates, np.nan)
    return np.stack(
        [
            np.average(row, weights=None if view.training.weight is None else view.training.weight[i])
            for i, row in enumerate(mark.carried(view.training.items).astype(np.float64))
        ]
    )
