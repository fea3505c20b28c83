"""How many types of symbols are alive with fresh real data in every generation, for any number of items.

The copies of a type are a branching process with immigration: copies have successors, and fresh text brings new ones in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.numerics.arrays import Booleans
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World

RARE = 0.5  # as the metric `types` has it: the rarer half of the types
_ROUNDS = 200_000  # generations after which a limit that is not reached is not given


def weights(share: float, generations: int) -> Floats:
    """c_t, so that a type of probability p is absent from fit t with probability exp(-n p c_t), t = 1 .. T.

    With l = ``share`` of the n items from the model before and (1 - l) n fresh ones, Poisson counts are X_1 ~ Poisson(n p),
    X_{t+1} ~ Poisson(l X_t + (1 - l) n p). The generating function at 0 gives

        c_t = g_t + (1 - l) (g_1 + ... + g_{t-1}),   g_1 = 1,   g_{k+1} = 1 - exp(-l g_k):

    g_k is the chance that the line of one copy lives k generations on. c_t falls from 1 to a limit, see :func:`limit`.
    Real counts are binomial, with a fixed number of fresh items or with the origin of every item drawn. As
    (1 - x/n)^m <= exp(-m x/n), the chance of absence is at most exp(-n p c_t), by induction over t; it is off by O(1/n).

    Args:
        share: l, 0 .. 1.
        generations: T; the result has shape (T,).

    Conditions: relative frequencies, constant n and l. Scale: bound. Source: for l = 1 the rate g_t of Suresh et al., arXiv
    2412.17646 (THEORY D3); for l < 1 derived for this project in the same way.

    >>> weights(0.0, 3), weights(1.0, 3).round(4)
    (array([1., 1., 1.]), array([1.    , 0.6321, 0.4685]))
    >>> weights(0.5, 3).round(4)
    array([1.    , 0.8935, 0.8753])
    """
    lines = np.ones(generations)
    for t in range(1, generations):
        lines[t] = -np.expm1(-share * lines[t - 1])
    return lines + (1.0 - share) * np.concatenate([[0.0], np.cumsum(lines[:-1])])


def limit(share: float) -> float:
    """c_t for t without end; 0 for a share of 1, NaN where it is not reached in many generations.

    >>> limit(0.0), round(limit(0.5), 4), limit(1.0)
    (1.0, 0.8703, 0.0)
    """
    if share >= 1.0:
        return 0.0
    total, line = 0.0, 1.0
    for _ in range(_ROUNDS):
        total += line
        line = -math.expm1(-share * line)
        if line < 1e-12 * total:
            return (1.0 - share) * total
    return math.nan


def alive(p: Floats, n: float, weight: Floats) -> Floats:
    """Expected number of the types p (V,) that are alive, for every weight c (T,): sum_i 1 - exp(-n p_i c). Lower bound.

    >>> alive(np.array([0.5, 0.5]), 4, weights(0.0, 2)).round(4)
    array([1.7293, 1.7293])
    """
    values, times = np.unique(p, return_counts=True)  # words have few different frequencies
    return np.asarray(-np.expm1(-n * np.outer(weight, values)) @ times, np.float64)


def lost(p: Floats, n: float, weight: Floats) -> Floats:
    """Expected real probability of the types that are not alive, for every weight c (T,): sum_i p_i exp(-n p_i c). Upper bound.

    >>> lost(np.array([0.5, 0.5]), 4, weights(0.0, 2)).round(4)
    array([0.1353, 0.1353])
    """
    values, times = np.unique(p, return_counts=True)
    return np.asarray(np.exp(-n * np.outer(weight, values)) @ (values * times), np.float64)


def rare(p: Floats, quantile: float = RARE) -> Booleans:
    """Which of the types p (V,) are real and at most at the quantile of the positive p, as the metric ``types`` has it.

    >>> rare(np.array([0.6, 0.1, 0.3, 0.0])).tolist()
    [False, True, True, False]
    """
    return np.asarray((p > 0) & (p <= np.quantile(p[p > 0], quantile, method="lower")))


class TypeSurvivalFresh(Theory):
    """Types alive with fresh real data in every generation; see :func:`weights`.

    ``alive``, ``recall`` and ``rare-recall`` are lower bounds on the mean and fall in collapse, ``lost`` is an upper bound and
    rises; all are off by O(1/n). Without real data after the start the law would be that of ``type-survival-bound``.

    >>> (100 * weights(0.9, 50)[[0, 9, 49]]).round(1)
    array([100. ,  41.6,  40. ])
    """

    row: ClassVar[str] = "D7"
    source: ClassVar[str] = "derived; for l = 1 Suresh et al., arXiv 2412.17646"
    statement: ClassVar[str] = (
        "E alive >= sum_i 1 - exp(-n p_i c_t), c_t = g_t + (1-l)(g_1 + .. + g_{t-1}), g_{k+1} = 1 - exp(-l g_k)"
    )

    def refuses(self, world: World) -> str:
        """Needs bare frequencies, constant n, and real data in a constant share."""
        return given.first(
            world, given.unigram, given.plain_sampling, given.real_start, given.fresh_mix, _some_real, _few
        )

    def predict(self, world: World) -> list[Prediction]:
        """Types alive, as a share of all real ones and of the rare ones, and the real probability of those that are not."""
        assert isinstance(world.law, CategoricalLaw)
        p = world.law.p[world.law.p > 0]
        real, synthetic = given.mix(world)
        n, weight = real + synthetic, weights(synthetic / (real + synthetic), world.generations)
        living = alive(p, n, weight)
        rows = {"types.alive": living, "types.recall": living / p.size, "types.lost": lost(p, n, weight)}
        for label, quantile in _quantiles(world):
            few = rare(p, quantile)
            rows[f"{label}.rare-recall"] = alive(p[few], n, weight) / int(few.sum())
        return [Prediction(self.name(), row, "bound", values) for row, values in rows.items()]


def _quantiles(world: World) -> Iterator[tuple[str, float]]:
    """By label, what is called rare: the usual half, unless a measured variant has its own, which a plain row would be taken for."""
    given_ = {
        metric.label: float(metric.table().get("rare", RARE))
        for metric in world.metrics
        if metric.name() == "types" and metric.table().get("of", "") in ("", "model")
    }
    own = {label: quantile for label, quantile in given_.items() if quantile != RARE}
    yield from own.items() if own else [("types", RARE)]


def _some_real(world: World) -> str:
    real, _ = given.mix(world)
    return "" if real else "no real data arrives after the start, for which type-survival-bound says the same"


def _few(world: World) -> str:
    assert isinstance(world.law, CategoricalLaw)
    size = int(np.unique(world.law.p).size)
    too_many = size * world.generations > 2e8
    return f"{size} frequencies over {world.generations} generations are too many to sum" if too_many else ""
