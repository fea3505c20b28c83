"""Unseen mass: what the sample's singletons say of the types it has not shown (Good-Turing, Chao1, hapaxes)."""

from __future__ import annotations

from typing import ClassVar

from remission.data import DISCRETE, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import counts_of
from remission.numerics import counts
from remission.view import View


class Unseen(Metric):
    """Signs of a living tail in one sample, without any reference; every column falls in collapse.

    With f1 and f2 the numbers of types seen once and twice among n symbols: ``mass`` = f1 / n, the probability of
    all types not seen (Good 1953, Biometrika 40:237); ``chao1`` = types seen + f1 (f1 - 1) / (2 (f2 + 1)), a lower
    bound on the number of types there are (Chao 1984, bias-corrected 2005); ``hapax`` = f1 / types seen.
    All three move with n: the sample is cut to the size of the reference.

    >>> Unseen().label
    'unseen'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"mass": "falls", "chao1": "falls", "hapax": "falls"}
    sized: ClassVar[bool] = True

    def measure(self, view: View) -> dict[str, Floats]:
        """Three columns (r,)."""
        found = counts_of(view, "sample")
        return {
            "mass": counts.unseen_mass(found),
            "chao1": counts.chao1(found),
            "hapax": counts.hapax_share(found),
        }
