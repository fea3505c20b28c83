"""Which real modes the model still reaches, rare ones apart, and how much lies in none."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, Metric
from remission.laws import MixtureLaw
from remission.numerics.divergence import kullback_leibler
from remission.numerics.modes import Modes as _Modes
from remission.numerics.modes import counts, found_modes, known_modes
from remission.view import View


class ModeCoverage(Metric):
    """Modes hit by the sample. Modes are the components of a mixture law, else k-means cells of the reference.

    A mode holds the sample points that are nearest to it (by Mahalanobis distance for a law, Euclidean else) and within
    its reach. ``hit``: share of modes with at least one point; ``rare-recall``: the same among the rarest modes;
    ``kl``: KL(sample shares || real shares) in nats over points that lie in a mode (NaN when none does);
    ``outside``: share of the sample that lies in no mode (in health 1 - ``inside``). In collapse hit and rare-recall
    fall and kl rises; outside rises when modes merge or the model hallucinates.

    Attributes:
        modes: how many cells to look for when the law has no modes.
        inside: the share of a real mode's own points that its reach holds.
        rare: the rarest share of modes (ties included) that counts as rare.

    Source: Srivastava et al., "VEEGAN" (NeurIPS 2017), section 4.1, for modes hit.

    >>> ModeCoverage(modes=8).label
    'mode-coverage[modes=8]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {
        "hit": "falls",
        "rare-recall": "falls",
        "kl": "rises",
        "outside": "rises",
    }

    modes: Annotated[int, Meta(ge=1)] = 10
    inside: Annotated[float, Meta(gt=0, lt=1)] = 0.999
    rare: Annotated[float, Meta(gt=0, le=1)] = 0.25

    def prepare(self, view: View) -> list[_Modes]:
        """The modes; a single entry serves all replicates when the law is known."""
        law = view.law
        if isinstance(law, MixtureLaw):
            return [known_modes(law.weights, law.centres, law.spreads, self.inside)]
        k = min(self.modes, view.reference.shape[1])
        uniforms = view.streams.sub("cells").uniforms(k)
        return [
            found_modes(np.asarray(points, np.float64), k, u, self.inside)
            for points, u in zip(view.reference, uniforms, strict=True)
        ]

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        out = np.empty((4, view.replicates))
        for i, points in enumerate(np.asarray(view.sample, np.float64)):
            out[:, i] = self._one(points, view.prepared[min(i, len(view.prepared) - 1)])
        return dict(zip(self.columns, out, strict=True))

    def _one(self, points: Floats, modes: _Modes) -> tuple[float, ...]:
        count, outside = counts(points, modes)
        hit, ranked = count > 0, np.sort(modes.shares)
        rare = modes.shares <= ranked[max(math.ceil(self.rare * len(ranked)) - 1, 0)]
        gap = kullback_leibler(count.astype(np.float64), modes.shares) if count.any() else math.nan
        return float(np.mean(hit)), float(np.mean(hit[rare])), gap, outside / len(points)
