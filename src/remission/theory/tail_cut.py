"""Truncated sampling cuts the tail: the error stops at the probability of what was cut.

A power-law world is learned like T^-c; from data without its tail the error levels off at the tail's mass.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def power_law(types: int, exponent: float) -> Floats:
    """p_i ~ i^-b, i = 1 .. V.

    >>> power_law(2, 1.0).round(4)
    array([0.6667, 0.3333])
    """
    weights = np.arange(1, types + 1, dtype=float) ** -exponent
    return np.asarray(weights / weights.sum(), np.float64)


def missed(p: Floats, n: int, kept: int = 0) -> float:
    """Mean probability of the types not seen in n items: sum_i p_i (1 - q_i)^n.

    q is p, or p cut to its ``kept`` most probable types and renormalised. Without a cut it falls like n^-(1 - 1/b).

    Args:
        p: real probabilities, shape (V,).
        n: items.
        kept: k; 0 keeps all.

    Conditions: items drawn independently from q. Scale: mean. Source: Dohmatob et al., arXiv 2402.07043, the model of
    infinite memory; THEORY S1.

    >>> round(missed(np.array([0.5, 0.5]), 2), 4)
    0.25
    """
    q = p
    if kept:
        q = np.zeros_like(p)
        top = np.argsort(-p, kind="stable")[:kept]
        q[top] = p[top] / p[top].sum()
    return float(p @ (1.0 - q) ** n)


def tail_mass(p: Floats, kept: int) -> float:
    """Sum of p over all but its ``kept`` most probable types, about k^-(b - 1): where :func:`missed` levels off.

    >>> round(tail_mass(power_law(10**6, 1.5), 100), 4)
    0.0757
    """
    return float(np.sort(p)[::-1][kept:].sum())


def rate(exponent: float) -> float:
    """C = 1 - 1/b of the law n^-c.

    >>> round(rate(1.5), 4)
    0.3333
    """
    return 1.0 - 1.0 / exponent


class TailCut(Theory):
    """Lower bound on the real probability of the types that are lost under ``top_k`` sampling in *replace*.

    Fit 1 misses :func:`missed` in the mean; from fit 2 on at most k types are alive, so at least :func:`tail_mass` is lost, and
    what is lost stays lost. Range 0 to 1; in collapse it rises.

    >>> tail_mass(np.array([0.5, 0.25, 0.25]), 2)
    0.25
    """

    row: ClassVar[str] = "S1"
    source: ClassVar[str] = "Dohmatob et al., arXiv 2402.07043; bound for the loop derived"
    statement: ClassVar[str] = "error(T) = sum p_i (1 - q_i)^T ~ T^-c, c = 1 - 1/b; plateau sum_{i>k} p_i"

    def refuses(self, world: World) -> str:
        """Needs bare frequencies, top_k alone, replace and a real start."""
        return given.first(world, given.unigram, _top_k, given.real_start, given.replace)

    def predict(self, world: World) -> list[Prediction]:
        """The rows types.lost and types.alive, as bounds from below and above."""
        law = world.law
        assert isinstance(law, CategoricalLaw)
        k, n = world.sampling.top_k, int(given.counts(world)[0])
        lost = np.full(world.generations, max(tail_mass(law.p, k), missed(law.p, n)))
        lost[0] = missed(law.p, n)
        seen = float(-np.expm1(n * np.log1p(-np.minimum(law.p, 1 - 1e-16))).sum())
        alive = np.full(world.generations, min(float(k), seen))
        alive[0] = seen
        name = self.name()
        return [Prediction(name, "types.lost", "bound", lost), Prediction(name, "types.alive", "bound", alive)]


def _top_k(world: World) -> str:
    used = world.sampling.used
    return "" if used == {"top_k"} else "sampling is not cut to the top k alone"
