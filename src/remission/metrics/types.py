"""Survival of types: how many symbols are alive, and how many of the real and of the rare ones.

The first thing a self-consuming loop loses: a rare symbol that is missed once in *replace* is gone for ever (THEORY
rows D2, D3; Suresh et al., arXiv:2412.17646).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import DISCRETE, Array, Floats
from remission.interfaces import Direction, Metric
from remission.laws import CategoricalLaw
from remission.metrics._symbols import Of, chosen, real_shares, shares_of, without_probabilities
from remission.view import View
from remission.world import World


class Types(Metric):
    """Types alive, recalled, and the probability on the rare ones; alive and recalls fall in collapse, ``lost`` rises.

    With real probabilities p and generated ones q, both (r, V): a type is alive when q_i > 0; real when p_i > 0; rare
    when real and p_i is at most the ``rare`` quantile of the positive p (the lower of two, ties included).
    p is the exact law of the source, else shares in the reference; q is exact when the model knows it.

    ================ =====================================================================
    ``alive``        number of types alive
    ``recall``       share of the real types that are alive, in [0, 1]
    ``rare-recall``  share of the rare types that are alive, in [0, 1]
    ``tail``         q of the rare types together / p of the rare types together, 1 at first
    ``lost``         p of the types that are not alive, in [0, 1]: rises
    ================ =====================================================================

    ``tail`` is the mass of a whole group, whose expectation unbiased resampling keeps however few of its types are
    left: truncation and a low temperature make it fall, drift alone does not.

    Attributes:
        of: the ``model``'s own probabilities, its ``sample`` or the ``training`` set; empty: the model's if it
            knows them. A sample shows fewer types than the model holds and is cut to the size of the reference.
        rare: the quantile; 0.5 calls the rarer half of the types rare.

    Raises:
        SpecError: ``of`` asks for what the model or the fast path does not have.

    >>> Types(rare=0.1).label
    'types[rare=0.1]'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {
        "alive": "falls", "recall": "falls", "rare-recall": "falls", "tail": "either", "lost": "rises",
    }  # fmt: skip
    sized: ClassVar[bool] = True

    of: Of = ""
    rare: Annotated[float, Meta(gt=0, le=1)] = 0.5

    @property
    def samples(self) -> bool:  # type: ignore[override]
        """Only when a sample or training set is asked for by name."""
        return self.of in ("sample", "training")

    def refuses(self, world: World) -> str:
        """``of = 'model'`` without probabilities."""
        return without_probabilities(self.of, world)

    def measure(self, view: View) -> dict[str, Floats]:
        """Five columns of shape (r,)."""
        of = chosen(view, self.of)
        p, q = real_shares(view, of), shares_of(view, of)
        alive, real = q > 0, p > 0
        rare = _rare(p[:1] if isinstance(view.law, CategoricalLaw) else p, self.rare)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "alive": alive.sum(axis=1).astype(np.float64),
                "recall": (alive & real).sum(axis=1) / real.sum(axis=1),
                "rare-recall": (alive & rare).sum(axis=1) / rare.sum(axis=1),
                "tail": np.where(rare, q, 0.0).sum(axis=1) / np.where(rare, p, 0.0).sum(axis=1),
                "lost": np.where(alive, 0.0, p).sum(axis=1),
            }


def _rare(p: Floats, quantile: float) -> Array:
    """Which types are real and at most the quantile of their row's positive values; none in a row of NaN."""
    edges = [np.quantile(row[row > 0], quantile, method="lower") if (row > 0).any() else 0.0 for row in p]
    return (p > 0) & (p <= np.array(edges)[:, None])
