"""Largest share: the probability of the commonest symbol, 1 when nothing else is left."""

from __future__ import annotations

from typing import ClassVar

from remission.data import DISCRETE, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import Of, chosen, shares_of, without_probabilities
from remission.view import View
from remission.world import World


class MaxShare(Metric):
    """max_i p_i, in [1/V, 1]; rises in collapse. The order parameter of the temperature transition (THEORY row T1).

    Attributes:
        of: ``model``, ``sample`` or ``training`` set; empty: the model if it knows its probabilities.

    Raises:
        SpecError: ``of`` asks for what the model or the fast path does not have.

    >>> MaxShare().label
    'max-share'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    sized: ClassVar[bool] = True

    of: Of = ""

    @property
    def samples(self) -> bool:  # type: ignore[override]
        """Only when a sample or training set is asked for by name."""
        return self.of in ("sample", "training")

    def refuses(self, world: World) -> str:
        """``of = 'model'`` without probabilities."""
        return without_probabilities(self.of, world)

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        return {"": shares_of(view, chosen(view, self.of)).max(axis=1)}
