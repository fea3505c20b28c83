"""Divergence of the generated from the real symbol distribution: KL both ways, Jensen-Shannon, total variation."""

from __future__ import annotations

from typing import ClassVar

from remission.data import DISCRETE, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._symbols import Of, chosen, real_shares, shares_of, without_probabilities
from remission.numerics import counts
from remission.view import View
from remission.world import World


class Divergence(Metric):
    """How far the generated probabilities q are from the real p; every column rises in collapse.

    ``kl`` = sum p ln(p / q) in nats, the excess cross-entropy of the model on real data: infinite, and reported so, as
    soon as q has lost one real symbol; ``reverse`` = sum q ln(q / p), infinite when q makes what is never real;
    ``js`` = Jensen-Shannon in nats, in [0, ln 2]; ``tv`` = half the sum of |p - q|, in [0, 1].
    p is the exact law of the source, else shares in the reference: then all four stay above zero even for a
    perfect model, the more so the fewer the items.

    Attributes:
        of: ``model``, ``sample`` or ``training`` set; empty: the model if it knows its probabilities.

    Raises:
        SpecError: ``of`` asks for what the model or the fast path does not have.

    >>> sorted(Divergence.columns)
    ['js', 'kl', 'reverse', 'tv']
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {"kl": "rises", "reverse": "rises", "js": "rises", "tv": "rises"}
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
        """Four columns (r,)."""
        of = chosen(view, self.of)
        p, q = real_shares(view, of), shares_of(view, of)
        return {
            "kl": counts.kullback_leibler(p, q),
            "reverse": counts.kullback_leibler(q, p),
            "js": counts.jensen_shannon(p, q),
            "tv": counts.total_variation(p, q),
        }
