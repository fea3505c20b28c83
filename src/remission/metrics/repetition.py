"""Repetition: n-grams shared between blocks, n-grams that recur, and the longest sequence found twice."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._words import Unit, sizes, units
from remission.numerics import text
from remission.view import View


class Repetition(Metric):
    """Three ways in which generated text repeats itself; every column rises in collapse.

    ``self`` = mean over blocks of ln(1 + occurrences of its n-grams in other blocks), one per other block that
    holds it (Salkar et al. 2022 as in Shaib et al. 2024, arXiv:2403.00553, section 3); ``repeated`` = share of n-gram
    places whose n-gram occurs more than once in the sample, in [0, 1]; ``longest`` = tokens in the longest sequence
    within a block that is found at a second place, in the same block or another (they may overlap).
    All move with the amount of text: the sample is cut to the size of the reference.

    Attributes:
        n: tokens per n-gram for the first two.
        unit: ``tokens``, or ``words``, numbers and signs of the text they make (as in ``distinct``).

    >>> Repetition(n=3).label
    'repetition[n=3]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {"self": "rises", "repeated": "rises", "longest": "rises"}
    sized: ClassVar[bool] = True

    n: Annotated[int, Meta(ge=1, le=64)] = 4
    unit: Unit = "tokens"

    def prepare(self, view: View) -> list[int] | None:
        """How many words the reference has."""
        return sizes(view, self.unit)

    def measure(self, view: View) -> dict[str, Floats]:
        """Three columns (r,)."""
        rows = units(view, self.unit, view.prepared)
        return {
            "self": np.array([text.self_repetition(row, self.n) for row in rows]),
            "repeated": np.array([text.repeated_share(row, self.n) for row in rows]),
            "longest": np.array([float(text.longest_repeat(row)) for row in rows]),
        }
