"""Zipf exponent: how steeply probability falls with rank."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from remission.data import DISCRETE, Floats
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import Of, chosen, counts_of, shares_of, without_probabilities
from remission.metrics._words import Unit, no_words, sizes, word_counts
from remission.numerics.counts import zipf_exponent
from remission.view import View
from remission.world import World


class ZipfSlope(Metric):
    """The exponent s of p ~ rank^-s over the K types alive; moves either way.

    ``likelihood`` solves E_s ln rank = observed mean of ln rank for p_k = k^-s / sum_{j <= K} j^-s (maximum likelihood
    over the ranks 1 .. K); ``ranks`` is minus the least-squares slope of ln p on ln rank, which weighs a hapax like
    the commonest word. NaN with fewer than two types.

    Ranks come from the same counts, so the exponent moves with n: a flat law reads too steep (equal probabilities,
    1000 types, n = 1000: 0.35 instead of 0) and a steep one too flat while types are missing (1.5: 1.30 at n = 100).
    Compare equal n only (Piantadosi 2014, doi:10.3758/s13423-014-0585-6). Sharper sampling makes it rise; drift kills
    rare types and with them the low end of the line, so that it may fall while K shrinks: read ``types.alive`` with it.

    Attributes:
        of: ``model``, ``sample`` or ``training`` set; empty: the model if it knows its probabilities.
        method: how the exponent is fitted.
        unit: ``tokens``, or ``words``, numbers and signs of the text of the sample (as in ``distinct``).

    >>> ZipfSlope(method="ranks").label
    'zipf-slope[method=ranks]'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"": "either"}
    sized: ClassVar[bool] = True

    of: Of = ""
    method: Literal["likelihood", "ranks"] = "likelihood"
    unit: Unit = "tokens"

    def check(self) -> None:
        """Words are those of a sample."""
        if self.unit == "words" and self.of not in ("", "sample"):
            raise SpecError(f"zipf-slope: words are those of the sample; of = '{self.of}' has none. Leave of out.")

    @property
    def samples(self) -> bool:  # type: ignore[override]
        """Only when a sample or training set is asked for by name."""
        return self.of in ("sample", "training") or self.unit == "words"

    def refuses(self, world: World) -> str:
        """``of = 'model'`` without probabilities, words of symbols."""
        return without_probabilities(self.of, world) or no_words(self.unit, world)

    def prepare(self, view: View) -> list[int] | None:
        """How many words the reference has."""
        return sizes(view, self.unit)

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        if self.unit == "words":
            rows = word_counts(view, view.prepared)
            return {"": np.array([float(zipf_exponent(row, self.method)) if row.size else np.nan for row in rows])}
        of = chosen(view, self.of)
        weights = shares_of(view, of) if of == "model" else counts_of(view, of)
        return {"": zipf_exponent(weights, self.method)}
