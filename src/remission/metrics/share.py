"""Share of one symbol: how likely a chosen type is under the model."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from remission.data import DISCRETE, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import Of, chosen, shares_of, without_probabilities
from remission.view import View
from remission.world import World


class Share(Metric):
    """p of one ``symbol``, in [0, 1]; moves either way. List the metric once for every symbol that matters.

    Attributes:
        symbol: which, counted from 0.
        of: ``model``, ``sample`` or ``training`` set; empty: the model if it knows its probabilities.

    Raises:
        SpecError: there is no such symbol; ``of`` asks for what the model or the fast path does not have.

    >>> Share(symbol=2).label
    'share[symbol=2]'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"": "either"}
    sized: ClassVar[bool] = True

    symbol: Annotated[int, Meta(ge=0)] = 0
    of: Of = ""

    @property
    def samples(self) -> bool:  # type: ignore[override]  # a field decides; read through instances only
        """Only when a sample or training set is asked for by name."""
        return self.of in ("sample", "training")

    def refuses(self, world: World) -> str:
        """A symbol that is not there; ``of = 'model'`` without probabilities."""
        if self.symbol >= world.space.size:
            return f"there is no symbol {self.symbol}: the source has {world.space.size}, counted from 0."
        return without_probabilities(self.of, world)

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        return {"": shares_of(view, chosen(view, self.of))[:, self.symbol].copy()}
