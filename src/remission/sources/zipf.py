"""Symbols with a long tail: Zipf-Mandelbrot, uniform, or any given probabilities."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import SpecError
from remission.interfaces import GenerativeSource
from remission.laws import CategoricalLaw
from remission.rng import Streams


class Zipf(GenerativeSource):
    """Symbol i = 1 .. types (stored as i - 1) with probability p_i proportional to 1 / (i + shift)^exponent.

    Items are single symbols. In collapse the rare ones, the high numbers, go first. Ranks count from 1: with 100
    types and shift = 2.7 the sum of p^2 is 0.02495, and after ten fits on 200 symbols its expectation is 0.07262
    (THEORY rows D1 and A10; Mandelbrot, "An informational theory of the statistical structure of languages", 1953).

    Attributes:
        types: V, how many symbols.
        exponent: 0 is uniform, 1 is Zipf's law.
        shift: flattens the head (Mandelbrot).
        p: explicit probabilities instead, summing to 1; ``types``, ``exponent`` and ``shift`` are then left alone.

    Raises:
        SpecError: probabilities that do not sum to 1, or given together with another field.

    >>> p = Zipf(types=100, shift=2.7).law().p
    >>> round(float(1 - (1 - (p**2).sum()) * (1 - 1 / 200) ** 10), 5)
    0.07262
    >>> Zipf(types=4, exponent=0.0).law().p
    array([0.25, 0.25, 0.25, 0.25])
    """

    types: Annotated[int, Meta(ge=1, le=10_000_000)] = 100
    exponent: Annotated[float, Meta(ge=0, le=100)] = 1.0
    shift: Annotated[float, Meta(gt=-1, le=1e12)] = 0.0
    p: tuple[Annotated[float, Meta(ge=0, le=1)], ...] = ()

    def check(self) -> None:
        """Explicit probabilities sum to 1 and come alone."""
        if not self.p:
            return
        if abs(float(np.sum(self.p)) - 1.0) > 1e-9:
            raise SpecError(f"zipf: 'p' must sum to 1. It sums to {float(np.sum(self.p)):.12g}. Divide by that.")
        given = [key for key in ("types", "exponent", "shift") if getattr(self, key) != getattr(type(self), key)]
        if [key for key in given if not (key == "types" and self.types == len(self.p))]:
            raise SpecError(f"zipf: 'p' says it all; remove {', '.join(given)}.")

    @property
    def space(self) -> Space:
        """One of V symbols."""
        return Space("symbols", (), size=len(self.p) or self.types)

    def law(self) -> CategoricalLaw:
        """The probabilities (V,)."""
        return CategoricalLaw(self._probabilities())

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh symbols (r, n), int64."""
        return streams.categoricals(self._probabilities(), n)

    def _probabilities(self) -> Floats:
        if self.p:
            return np.array(self.p) / np.sum(self.p)
        ranks = np.arange(1, self.types + 1) + self.shift
        weights = (ranks / ranks[0]) ** -self.exponent
        return weights / weights.sum()
