"""How many types of symbols are still alive after t fits, exactly.

Every type is a Wright-Fisher chain of its own: from i copies among n to Binom(n', i/n); none left is for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World

LARGEST = 2000
COST = 1e9


def alive(p: Floats, counts: Sequence[int]) -> Floats:
    """E number of types alive after each fit.

    x_1(j) = sum_i Binom(j; n_1, p_i) and x_{t+1}(j) = sum_i x_t(i) Binom(j; n_{t+1}, i / n_t) are the expected numbers of types
    with j copies; alive is sum_{j >= 1} x_t(j).

    Args:
        p: real probabilities, shape (V,).
        counts: n_1 .. n_T, up to a few thousand (the cost is n^2 per fit).

    Conditions: relative frequencies, replace. Scale: mean. Source: Wright-Fisher chain (Ewens 2004, section 1.4), THEORY D2.

    >>> p = 1 / (np.arange(1, 101) + 2.7)
    >>> round(float(alive(p / p.sum(), [200] * 10)[-1]), 3)
    24.997
    """
    values = np.empty(len(counts))
    numbers = _first(counts[0], p)
    chain, size = np.empty((0, 0)), (0, 0)
    for t, n in enumerate(counts):
        if t:
            if size != (counts[t - 1], n):
                size = (counts[t - 1], n)
                chain = _binomial(n, np.arange(size[0] + 1) / size[0])
            numbers = numbers @ chain
        values[t] = numbers[1:].sum()
    return values


def _first(n: int, p: Floats) -> Floats:
    """Expected number of types with j = 0 .. n copies among n real items, a slice of the types at a time."""
    size = max(1, 2_000_000 // (n + 1))
    return np.asarray(sum(_binomial(n, p[i : i + size]).sum(axis=0) for i in range(0, p.size, size)), np.float64)


def _binomial(n: int, p: Floats) -> Floats:
    """Binom(j; n, p_i), shape (len(p), n + 1)."""
    from scipy.special import gammaln, xlog1py, xlogy

    j = np.arange(n + 1)
    log = gammaln(n + 1) - gammaln(j + 1) - gammaln(n - j + 1)
    return np.asarray(np.exp(log + xlogy(j, p[:, None]) + xlog1py(n - j, -p[:, None])), np.float64)


class TypeSurvival(Theory):
    """E of the number of types with positive probability in *replace*; see :func:`alive`. In collapse it falls to 1.

    >>> float(round(alive(np.array([0.5, 0.5]), [1])[0], 12))
    1.0
    """

    row: ClassVar[str] = "D2"
    source: ClassVar[str] = "Wright-Fisher chain; Ewens (2004), section 1.4"
    statement: ClassVar[str] = "P(i -> j) = Binom(j; n, i/n); E alive = sum_i (1 - P_t(0))"

    def refuses(self, world: World) -> str:
        """Needs bare frequencies, replace, and n small enough for the chain."""
        return given.first(world, given.unigram, given.plain_sampling, given.real_start, given.replace, _small)

    def predict(self, world: World) -> list[Prediction]:
        """Types alive, and as a share of the real ones."""
        assert isinstance(world.law, CategoricalLaw)
        values = alive(world.law.p, given.counts(world).tolist())
        recall = values / float((world.law.p > 0).sum())
        return [
            Prediction(self.name(), "types.alive", "mean", values),
            Prediction(self.name(), "types.recall", "mean", recall),
        ]


def _small(world: World) -> str:
    assert isinstance(world.law, CategoricalLaw)
    n = given.counts(world).astype(float)
    largest = int(n.max())
    changes = 20.0 if np.ptp(n) else 1.0
    cost = changes * float(n[1:] @ n[:-1]) + 20.0 * n[0] * world.law.p.size
    if largest > LARGEST or cost > COST:
        return (
            f"a chain of {largest} items over {world.generations} generations with {world.law.p.size} types is too large "
            f"to work out"
        )
    return ""
