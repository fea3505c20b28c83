"""Zipf exponent: how steeply probability falls with rank."""

from __future__ import annotations

from typing import ClassVar, Literal

from remission.data import DISCRETE, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import Of, chosen, counts_of, shares_of, without_probabilities
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

    >>> ZipfSlope(method="ranks").label
    'zipf-slope[method=ranks]'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"": "either"}
    sized: ClassVar[bool] = True

    of: Of = ""
    method: Literal["likelihood", "ranks"] = "likelihood"

    @property
    def samples(self) -> bool:  # type: ignore[override]
        """Only when a sample or training set is asked for by name."""
        return self.of in ("sample", "training")

    def refuses(self, world: World) -> str:
        """``of = 'model'`` without probabilities."""
        return without_probabilities(self.of, world)

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        of = chosen(view, self.of)
        weights = shares_of(view, of) if of == "model" else counts_of(view, of)
        return {"": zipf_exponent(weights, self.method)}
