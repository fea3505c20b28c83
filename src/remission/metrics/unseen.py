"""Unseen mass: what the sample's singletons say of the types it has not shown (Good-Turing, Chao1, hapaxes)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import DISCRETE, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import counts_of
from remission.metrics._words import Unit, no_words, sizes, word_counts
from remission.numerics import counts
from remission.view import View
from remission.world import World


class Unseen(Metric):
    """Signs of a living tail in one sample, without any reference; every column falls in collapse.

    With f1 and f2 the numbers of types seen once and twice among n symbols: ``mass`` = f1 / n, the probability of
    all types not seen (Good 1953, Biometrika 40:237); ``chao1`` = types seen + f1 (f1 - 1) / (2 (f2 + 1)), a lower
    bound on the number of types there are (Chao 1984, bias-corrected 2005); ``hapax`` = f1 / types seen.
    All three move with n: the sample is cut to the size of the reference.

    Attributes:
        unit: ``tokens``, or ``words``, numbers and signs of the text they make (as in ``distinct``).

    >>> Unseen().label
    'unseen'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"mass": "falls", "chao1": "falls", "hapax": "falls"}
    sized: ClassVar[bool] = True

    unit: Unit = "tokens"

    def refuses(self, world: World) -> str:
        """Words of symbols."""
        return no_words(self.unit, world)

    def prepare(self, view: View) -> list[int] | None:
        """How many words the reference has."""
        return sizes(view, self.unit)

    def measure(self, view: View) -> dict[str, Floats]:
        """Three columns (r,)."""
        measures = {"mass": counts.unseen_mass, "chao1": counts.chao1, "hapax": counts.hapax_share}
        if self.unit == "words":
            rows = word_counts(view, view.prepared)
            return {name: np.array([float(measure(row)) for row in rows]) for name, measure in measures.items()}
        found = counts_of(view, "sample")
        return {name: measure(found) for name, measure in measures.items()}
