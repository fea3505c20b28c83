"""Precision, recall, density and coverage by nearest neighbours, without an n x n matrix."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import VECTORS, Floats
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.metrics._features import Features, featured, pair, refusal
from remission.numerics.neighbours import prdc, squared_radii
from remission.view import View
from remission.world import World


class Prdc(Metric):
    """Fidelity and diversity from balls that reach to the k-th nearest other point of the same set.

    ``precision``: share of the sample in some real ball; ``recall``: share of the reference in some generated ball;
    ``density``: mean number of real balls around a sample point, over k (may exceed 1); ``coverage``: share of
    real balls that hold a sample point. In collapse recall (the sensitive one) and coverage fall, while precision and
    density go UP: never report those alone. Equal n; float64 Euclidean distance; memory grows with n.

    Attributes:
        k: which neighbour sets the radius.
        inequality: ``<`` as in Naeem et al., or ``<=`` as in torch-fidelity.
        features: the ``items`` themselves, or features of pictures: ``classifier`` or ``random``, see ``frechet``.

    Raises SpecError when fewer than k + 1 items are compared.

    Source: Kynkaanniemi et al. (NeurIPS 2019) and Naeem et al. (ICML 2020), eqs. 2, 4, 5.

    >>> Prdc(k=3).label
    'prdc[k=3]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {
        "precision": "either",
        "recall": "falls",
        "density": "rises",
        "coverage": "falls",
    }
    sized: ClassVar[bool] = True

    k: Annotated[int, Meta(ge=1)] = 5
    inequality: Literal["<", "<="] = "<"
    features: Features = "items"

    def refuses(self, world: World) -> str:
        """Features that this world does not have."""
        return refusal(self.features, world)

    def prepare(self, view: View) -> tuple[Floats, list[Floats]]:
        """The reference as points, and the squared radii of those that will be compared."""
        m = min(view.evaluation, view.reference.shape[1])
        if m <= self.k:
            raise SpecError(f"prdc: k = {self.k} needs at least {self.k + 1} items on each side. Got {m}. Lower k.")
        reference = featured(view, self.features, "reference")
        return reference, [squared_radii(points[:m], self.k) for points in reference]

    def measure(self, view: View) -> dict[str, Floats]:
        """All columns, each of shape (r,)."""
        points, radii = view.prepared
        out = np.empty((4, view.replicates))
        for i, (sample, reference) in enumerate(zip(*pair(view, self.features, points), strict=True)):
            out[:, i] = prdc(reference, sample, self.k, self.inequality, radii[i])
        return dict(zip(self.columns, out, strict=True))
