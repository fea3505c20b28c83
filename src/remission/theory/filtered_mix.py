"""A detector in the loop: how far filtering by its error rates lowers the error of the mean.

Joins detection and collapse: with synthetic share s in the pool, a detector of given true- and false-positive rates
turns it into the share l that is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import REAL, Floats
from remission.laws import Law
from remission.schedule import value_at
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def kept_share(synthetic: float, tpr: float, fpr: float) -> float:
    """Share l = s (1 - TPR) / (s (1 - TPR) + (1 - s)(1 - FPR)): the synthetic share of what a filter leaves.

    Args:
        synthetic: s, the share before.
        tpr: probability that a synthetic item is dropped.
        fpr: probability that a real item is dropped.

    Source: Bayes' rule (THEORY G14).

    >>> round(kept_share(0.9, 0.8, 0.05), 4)
    0.6545
    """
    left = synthetic * (1.0 - tpr)
    return left / (left + (1.0 - synthetic) * (1.0 - fpr))


def error(shares: Sequence[float], counts: Sequence[int]) -> Floats:
    """a_t = 1/n_t + (1 - 1/n_t) l_t^2 a_{t-1}, in units of s0^2; v_t = 1 - a_t.

    Args:
        shares: l_1 .. l_T, the synthetic share trained on; l_1 = 0.
        counts: n_1 .. n_T.

    Conditions: MLE, the origin of every item drawn independently, refill to n. Scale: mean. Source: derived (THEORY G14).

    >>> round(float(error([0.0] + [kept_share(0.9, 0.8, 0.05)] * 99, [50] * 100)[-1]), 5)
    0.03447
    """
    values = np.empty(len(shares))
    last = 0.0
    for t, (share, n) in enumerate(zip(shares, counts, strict=True)):
        values[t] = last = 1.0 / n + (1.0 - 1.0 / n) * share**2 * last
    return values


def fixed_point(share: float, n: int) -> float:
    """a* = 1 / (n (1 - l^2) + l^2); v* = 1 - a*.

    >>> round(fixed_point(0.9, 50), 5), round(fixed_point(kept_share(0.9, 0.8, 0.05), 50), 5)
    (0.09699, 0.03447)
    """
    return 1.0 / (n * (1.0 - share**2) + share**2)


class FilteredMix(Theory):
    """a_t and v_t of a web whose items are synthetic with probability s_t and pass an oracle filter.

    The oracle's rates may be schedules; without a curator l = s. Any dimension and real law. In collapse a rises to 1.

    >>> round(kept_share(0.5, 1.0, 0.0), 4)
    0.0
    """

    row: ClassVar[str] = "G14"
    source: ClassVar[str] = "derived"
    statement: ClassVar[str] = "l = s(1-TPR)/(s(1-TPR)+(1-s)(1-FPR)); a* = 1/(n(1-l^2)+l^2)"

    def refuses(self, world: World) -> str:
        """Needs the MLE, random origins, and at most one oracle that judges all items, with refill."""
        return given.first(
            world,
            given.model("gaussian"),
            given.estimator("mle"),
            given.clean_source,
            given.known_moments,
            given.plain_sampling,
            given.real_start,
            given.only_newest_batch,
            given.whole_sets,
            given.equal_weights,
            given.newest_or_real,
            _random_origins,
            _one_oracle,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance, sum and ratio."""
        assert isinstance(world.law, Law)
        scale = float(world.law.cov.trace())
        a = error(_shares(world), given.counts(world).tolist())
        return moment_rows(world, self.name(), scale * a, scale * (1.0 - a))


def _random_origins(world: World) -> str:
    for recipe in given.recipes(world):
        if len({part.origin for part in recipe.arrivals if part.count}) > 1 and not recipe.mixed:
            return "the number of items of each origin is fixed, not drawn"
    return ""


def _one_oracle(world: World) -> str:
    if not world.curators:
        return ""
    if [curator.name() for curator in world.curators] != ["oracle"]:
        return "there is a curator other than one oracle"
    if not world.refill:
        return "curation without refill leaves a random number of items"
    if world.curators[0].on != "all":
        return f"the oracle judges only {world.curators[0].on} items"
    for t, recipe in enumerate(given.recipes(world), start=1):
        real = given.real_count(recipe) / recipe.count
        tpr, fpr = _rates(world, t)
        if real * (1.0 - fpr) + (1.0 - real) * (1.0 - tpr) <= 0:
            return f"the oracle keeps nothing in generation {t}"
    return ""


def _rates(world: World, t: int) -> tuple[float, float]:
    if not world.curators:
        return 0.0, 0.0
    oracle = world.curators[0]
    return value_at(getattr(oracle, "tpr"), t), value_at(getattr(oracle, "fpr"), t)  # noqa: B009


def _shares(world: World) -> list[float]:
    return [
        kept_share(
            1.0 - sum(part.count for part in recipe.arrivals if part.origin == REAL) / recipe.count, *_rates(world, t)
        )
        for t, recipe in enumerate(given.recipes(world), start=1)
    ]
