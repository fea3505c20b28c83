"""Mean and variance along one direction: where a model has gone, with its sign."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from remission.data import VECTORS, Floats
from remission.interfaces import Direction, HasMoments, Metric
from remission.view import View
from remission.world import World


class Projection(Metric):
    """``mean`` = w . mu and ``variance`` = w' S w of the model (or a sample), w = ``direction``; both move either way.

    The squared error of the mean says how far a model is off; this says to which side. With w = (1, -1) it is the gap
    between two coordinates.

    Attributes:
        direction: w, one number per coordinate; empty: the first coordinate.
        of: ``model``, ``sample``, or empty: the model if it knows its moments, else the sample.

    Raises:
        SpecError: another number of coordinates than the source has.

    >>> Projection(direction=(1.0, -1.0)).label
    'projection[direction=1/-1]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    columns: ClassVar[dict[str, Direction]] = {"mean": "either", "variance": "either"}

    direction: tuple[float, ...] = ()
    of: Literal["", "model", "sample"] = ""

    @property
    def samples(self) -> bool:  # type: ignore[override]  # a field decides; read through instances only
        """Only when a sample is asked for by name."""
        return self.of == "sample"

    def refuses(self, world: World) -> str:
        """A direction in another space."""
        d = world.space.features
        if self.direction and len(self.direction) != d:
            return f"'direction' has {len(self.direction)} numbers, and items have {d}."
        return ""

    def measure(self, view: View) -> dict[str, Floats]:
        """Both columns (r,)."""
        mean, cov = view.moments(self.of or ("model" if isinstance(view.model, HasMoments) else "sample"))
        w = np.array(self.direction) if self.direction else np.eye(mean.shape[1])[0]
        return {"mean": np.ascontiguousarray(mean * w).sum(axis=1), "variance": np.einsum("i,rij,j->r", w, cov, w)}
