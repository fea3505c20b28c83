"""Distinct-n: different n-grams per n-gram, for n = 1 to 4."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import TOKENS, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._words import Unit, sizes, units
from remission.numerics import text
from remission.view import View


class Distinct(Metric):
    """Different n-grams / all n-grams of the sample, in (0, 1], columns ``1`` to ``4``; falls in collapse.

    n-grams do not cross the ends of blocks (Li et al. 2016, arXiv:1510.03055, section 4.3). It falls with the length of
    the text as well: the sample is cut to the size of the reference. NaN for n above the length of a block.

    Attributes:
        unit: ``tokens`` of the space, or ``words``: words, numbers and signs of the text that the tokens make (those
            that the ends of a block may have cut are left out), at most as many as the reference has.

    >>> list(Distinct.columns)
    ['1', '2', '3', '4']
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {"1": "falls", "2": "falls", "3": "falls", "4": "falls"}
    sized: ClassVar[bool] = True

    unit: Unit = "tokens"

    def prepare(self, view: View) -> list[int] | None:
        """How many words the reference has."""
        return sizes(view, self.unit)

    def measure(self, view: View) -> dict[str, Floats]:
        """Four columns (r,)."""
        found = np.stack([text.distinct(blocks, 4) for blocks in units(view, self.unit, view.prepared)])
        return {str(n): found[:, n - 1] for n in range(1, 5)}
