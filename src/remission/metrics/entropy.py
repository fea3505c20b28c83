"""Shannon entropy of the symbols or tokens, in nats."""

from __future__ import annotations

from typing import ClassVar, Literal

from remission.data import DISCRETE, Floats
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import Of, chosen, counts_of, shares_of, without_probabilities
from remission.numerics import counts
from remission.view import View
from remission.world import World


class Entropy(Metric):
    """H = - sum_i p_i ln p_i in nats, in [0, ln V]; falls in collapse. Blind to the order of tokens.

    Attributes:
        of: ``model``, ``sample`` or ``training`` set; empty: the model if it knows its probabilities.
        estimator: ``plug-in`` (too low by about (types - 1) / (2 n) for n counted symbols), or ``miller-madow``, which
            adds (types seen - 1) / (2 n) (Miller 1955, "Note on the bias of information estimates").

    Raises:
        SpecError: ``miller-madow`` for exact probabilities or a weighted training set; ``of`` asks for what the model
            or the fast path does not have.

    >>> Entropy(of="sample").label
    'entropy[of=sample]'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"": "falls"}
    sized: ClassVar[bool] = True

    of: Of = ""
    estimator: Literal["plug-in", "miller-madow"] = "plug-in"

    @property
    def samples(self) -> bool:  # type: ignore[override]
        """Only when a sample or training set is asked for by name."""
        return self.of in ("sample", "training")

    def check(self) -> None:
        """A correction for counting needs counts."""
        if self.estimator == "miller-madow" and self.of not in ("sample", "training"):
            raise SpecError("entropy: estimator 'miller-madow' corrects counts. Set of = 'sample' or 'training'.")

    def refuses(self, world: World) -> str:
        """``of = 'model'`` without probabilities."""
        return without_probabilities(self.of, world)

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        of = chosen(view, self.of)
        if self.estimator == "miller-madow":
            return {"": counts.miller_madow(counts_of(view, of, whole=True))}
        return {"": counts.entropy(shares_of(view, of))}
