"""Heterozygosity: the probability that two draws differ, 1 - sum p^2; zero when one symbol is left."""

from __future__ import annotations

from typing import ClassVar, Literal

from remission.data import DISCRETE, Floats
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import Of, chosen, counts_of, shares_of, without_probabilities
from remission.numerics import counts
from remission.view import View
from remission.world import World


class Heterozygosity(Metric):
    """1 - sum_i p_i^2 with p the model's probabilities, in [0, 1 - 1/V]; falls in collapse.

    The discrete variance: in *replace* its expectation is (1 - S_0)(1 - 1/n)^t with S_0 the real sum p^2 (THEORY row
    D1, which is about the fitted p; a sample of m draws shows another factor 1 - 1/m, which ``nei`` removes).

    Attributes:
        of: ``model``, ``sample`` or ``training`` set; empty: the model if it knows its probabilities.
        estimator: ``plug-in``, or ``nei``: times m / (m - 1), unbiased for counted sets (Nei 1978, Genetics 89:583,
            eq. 1).

    Raises:
        SpecError: ``nei`` for exact probabilities or a weighted training set; ``of`` asks for what the model or the
            fast path does not have.

    >>> Heterozygosity(of="sample", estimator="nei").label
    'heterozygosity[of=sample,estimator=nei]'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"": "falls"}
    sized: ClassVar[bool] = True

    of: Of = ""
    estimator: Literal["plug-in", "nei"] = "plug-in"

    @property
    def samples(self) -> bool:  # type: ignore[override]
        """Only when a sample or training set is asked for by name."""
        return self.of in ("sample", "training")

    def check(self) -> None:
        """A correction for counting needs counts."""
        if self.estimator == "nei" and self.of not in ("sample", "training"):
            raise SpecError("heterozygosity: estimator 'nei' corrects counts. Set of = 'sample' or 'training'.")

    def refuses(self, world: World) -> str:
        """``of = 'model'`` without probabilities."""
        return without_probabilities(self.of, world)

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        of = chosen(view, self.of)
        if self.estimator == "nei":
            return {"": counts.nei(counts_of(view, of, whole=True))}
        return {"": counts.heterozygosity(shares_of(view, of))}
