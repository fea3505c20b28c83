"""How long two types live side by side until one of them is all there is.

The absorption time of the Wright-Fisher chain, exactly and in Kimura's diffusion limit.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World

LARGEST = 2000
COST = 1e9


def _chain(n: int) -> Floats:
    """P(i -> j) = Binom(j; n, i/n) for 0 < i, j < n."""
    from scipy.special import gammaln, xlog1py, xlogy

    j = np.arange(1, n)
    log = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
    p = (np.arange(1, n) / n)[:, None]
    return np.asarray(np.exp(log + xlogy(j, p) + xlog1py(n - j, -p)), np.float64)


def fixation_time(n: int, p: float) -> float:
    """Mean number of fits, after a start with n p copies, until one type is gone: ((I - Q)^-1 1) at i = n p.

    Args:
        n: items per generation, up to a few thousand.
        p: share of the first type at the start; n p must be a whole number.

    Conditions: two types, replace, constant n. Source: absorbing chains, Kemeny & Snell, Finite Markov Chains (1960), chapter 3; THEORY D6.

    >>> round(fixation_time(50, 0.5), 2)
    67.52
    """
    copies = round(n * p)
    if abs(copies - n * p) > 1e-9 * n:
        raise ValueError(f"{p} of {n} items is {n * p:g} copies, not a whole number. Choose p = i / n.")
    if copies in (0, n):
        return 0.0
    times = np.linalg.solve(np.eye(n - 1) - _chain(n), np.ones(n - 1))
    return float(times[copies - 1])


def diffusion_time(n: int, p: float) -> float:
    """-2n [p ln p + q ln q]: the diffusion limit of :func:`fixation_time` (Kimura & Ohta 1969). Approximate.

    >>> round(diffusion_time(50, 0.5), 2)
    69.31
    """
    return -2.0 * n * sum(q * math.log(q) for q in (p, 1.0 - p) if q > 0)


def undecided(n: int, p: float, generations: int) -> Floats:
    """P(both types alive) after each fit, the first being a draw of n real symbols. Arguments as in :func:`fixation_time`.

    >>> [float(value) for value in undecided(2, 0.5, 3).round(6)]
    [0.5, 0.25, 0.125]
    """
    from scipy.stats import binom

    chain = _chain(n)
    state = binom.pmf(np.arange(1, n), n, p)
    values = np.empty(generations)
    for t in range(generations):
        values[t] = state.sum()
        state = state @ chain
    return values


class FixationTime(Theory):
    """E types alive = 1 + P(both alive) for two types in *replace*; its sum over t is the time to one symbol.

    Range 1 to 2; in collapse it falls to 1. See :func:`undecided` and :func:`fixation_time`.

    >>> round(fixation_time(2, 0.5), 6)
    2.0
    """

    row: ClassVar[str] = "D6"
    source: ClassVar[str] = "absorbing chains: Kemeny & Snell (1960), chapter 3"
    statement: ClassVar[str] = "T = (I - Q)^-1 1; diffusion -2n [p ln p + q ln q]"

    def refuses(self, world: World) -> str:
        """Needs two types, replace and constant n."""
        return given.first(
            world,
            given.unigram,
            given.plain_sampling,
            given.real_start,
            given.replace,
            given.constant_count,
            _two_types,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The row types.alive."""
        assert isinstance(world.law, CategoricalLaw)
        both = undecided(int(given.counts(world)[0]), float(world.law.p[0]), world.generations)
        return [Prediction(self.name(), "types.alive", "mean", 1.0 + both)]


def _two_types(world: World) -> str:
    assert isinstance(world.law, CategoricalLaw)
    if world.law.p.size != 2:
        return f"there are {world.law.p.size} types, not 2"
    n = int(given.counts(world)[0])
    if n > LARGEST or n * n * world.generations > COST:
        return f"a chain of {n} items over {world.generations} generations is too large to work out"
    return ""
