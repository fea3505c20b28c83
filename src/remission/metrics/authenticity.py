"""Memorisation: AuthPct, the data-copying test C_T, and the distance to the training set."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.metrics._features import Features, featured, pair, refusal
from remission.numerics.modes import kmeans
from remission.numerics.neighbours import authentic, copying_in_cells, mann_whitney_z, nearest
from remission.view import View
from remission.world import World


class Authenticity(Metric):
    """Whether the model repeats the real items it was trained on. Training items are those of fit 1.

    ``authpct``: 100 x the share of the sample farther from its nearest training item than that item is from its own
    nearest training neighbour (0 to 100; about 50-70 in health, 0 for copies). ``ct``: z-scored Mann-Whitney U of the
    sample's against the reference's distances to the training set (about N(0, 1) in health, far below 0 for copies).
    ``distance``: median distance of the sample to the training set over that of the reference (1 in health, 0 for
    copies). All fall for copies, but also when a model narrows onto its modes: read with recall. Equal n.

    Attributes:
        cells: k-means cells of the training items within which C_T is computed, then averaged; 1: no cells.
        features: the ``items`` themselves, or features of pictures: ``classifier`` or ``random``, see ``frechet``.

    Raises SpecError with fewer than 2 training items.

    Source: Alaa et al. (ICML 2022), section 3.3; Meehan et al. (AISTATS 2020), section 4 and eq. 4.

    >>> Authenticity(cells=4).label
    'authenticity[cells=4]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"authpct": "falls", "ct": "falls", "distance": "falls"}
    sized: ClassVar[bool] = True

    cells: Annotated[int, Meta(ge=1)] = 1
    features: Features = "items"

    def refuses(self, world: World) -> str:
        """Features that this world does not have."""
        return refusal(self.features, world)

    def prepare(self, view: View) -> tuple[Floats, Floats, list[tuple[Floats, Floats | None]]]:
        """Reference and training items as points; distances of the first to the second, and the cells."""
        if view.real.shape[1] < 2:
            raise SpecError("authenticity needs at least 2 real training items. Raise samples.")
        m = min(view.evaluation, view.reference.shape[1])
        uniforms = view.streams.sub("cells").uniforms(self.cells)
        reference, real = (featured(view, self.features, which) for which in ("reference", "real"))
        return reference, real, [
            (nearest(test[:m], train)[0][:, 0], kmeans(train, self.cells, u)[0] if self.cells > 1 else None)
            for test, train, u in zip(reference, real, uniforms, strict=True)
        ]  # fmt: skip

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        reference, real, known = view.prepared
        out = np.empty((3, view.replicates))
        for i, (sample, test) in enumerate(zip(*pair(view, self.features, reference), strict=True)):
            far, centres = known[i]
            gap, honest = authentic(real[i], sample)
            z = mann_whitney_z(gap, far)
            if centres is not None:
                z = copying_in_cells(test, sample, real[i], centres)
            middle = float(np.median(far))
            out[:, i] = 100 * honest.mean(), z, np.median(gap) / middle if middle else np.nan
        return dict(zip(self.columns, out, strict=True))
