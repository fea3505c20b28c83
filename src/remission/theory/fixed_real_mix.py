"""One real sample kept for ever plus the output of the last model: the error of that sample stays.

Compare fresh data of the same amount, whose error is several times smaller.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.theory._stability import stability
from remission.world import Prediction, Theory, Threshold, World


def excess(real: int, synthetic: int, generations: int) -> Floats:
    """f_t with a_t = 1/n_r + f_t and v_t = (1 - 1/n_r) - f_t, in units of s0^2.

    f_1 = 0, f_{t+1} = l^2 f_t + (l/n) [(1 - 1/n_r) - f_t].

    Args:
        real: n_r, real items, the same in every generation.
        synthetic: n_s, items of the last model; n = n_r + n_s and l = n_s / n.
        generations: T; the result has shape (T,).

    Conditions: MLE, fit 1 on the n_r real items, constant n_s. Scale: mean. Source: derived (THEORY G13; the regime of
    Bertrand et al., arXiv 2310.00429, and the augmentation loop of Alemohammad et al., arXiv 2307.01850).

    >>> round(0.1 + float(excess(10, 40, 100)[-1]), 4)
    0.1383
    """
    n = real + synthetic
    share = synthetic / n
    values = np.zeros(generations)
    for t in range(1, generations):
        values[t] = share**2 * values[t - 1] + share / n * (1.0 - 1.0 / real - values[t - 1])
    return values


def fixed_point(real: int, synthetic: int) -> tuple[float, float]:
    """(a*, v*): f* = (1 - 1/n_r) (l/n) / (1 - l^2 + l/n). Arguments as in :func:`excess`.

    >>> [round(value, 4) for value in fixed_point(10, 40)]
    [0.1383, 0.8617]
    """
    n = real + synthetic
    share = synthetic / n
    f = (1.0 - 1.0 / real) * (share / n) / (1.0 - share**2 + share / n)
    return 1.0 / real + f, 1.0 - 1.0 / real - f


class FixedRealMix(Theory):
    """a_t and v_t with one real sample kept for ever: :func:`excess` times tr Sigma_0. Any dimension and real law.

    In collapse v falls and a rises; both stop at :func:`fixed_point`.

    >>> round(sum(fixed_point(10, 40)), 12)
    1.0
    """

    row: ClassVar[str] = "G13"
    source: ClassVar[str] = "derived; regime of Bertrand et al., arXiv 2310.00429"
    statement: ClassVar[str] = "a* = 1/n_r + f, v* = 1 - a*, f = (1 - 1/n_r)(l/n)/(1 - l^2 + l/n)"

    def refuses(self, world: World) -> str:
        """Needs the MLE, batch 1 pinned and constantly many items of the last model."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mle"),
            given.plain_sampling,
            given.real_start,
            given.whole_sets,
            given.equal_weights,
            given.newest_model,
            _pinned,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance, sum and ratio."""
        assert isinstance(world.law, Law)
        counts = given.counts(world)
        scale = float(world.law.cov.trace())
        a = 1.0 / counts[0] + excess(int(counts[0]), int(counts[-1]), world.generations)
        return moment_rows(world, self.name(), scale * a, scale * (1.0 - a))

    def thresholds(self, world: World) -> list[Threshold]:
        """Stability of the augmentation loop: beyond which bias, and below which real share, the variance grows for ever."""
        conditions = (
            given.gaussian, given.estimator("mle"), given.only_spread, given.whole_sets, given.equal_weights,
            given.newest_model, _pinned,
        )  # fmt: skip
        if world.regime.name() != "fixed-real" or world.generations < 2 or given.first(world, *conditions):
            return []
        counts = given.counts(world)
        told = "the variance grows without bound where about l b passes 1 (l the synthetic share, b the bias)"
        return stability(self.name(), world, (int(counts[0]), int(counts[-1])), _recursion, told)


def _recursion(real: float, synthetic: float, bias: float) -> Floats:
    """Linear part of E (mu - mean of the real sample)^2 and v: (l^2, l^2 b / n_s; l (1 - l), l b (1 - 1/n))."""
    n = real + synthetic
    share = synthetic / n
    return np.array([[share**2, share**2 * bias / synthetic], [share * (1 - share), share * bias * (1 - 1 / n)]])


def _pinned(world: World) -> str:
    recipes = given.recipes(world)
    if any(given.trained(recipe) != sorted({1, t}) for t, recipe in enumerate(recipes, start=1)):
        return "the training set is not batch 1 and the newest"
    return "" if len(set(given.counts(world)[1:].tolist())) <= 1 else "the number of synthetic items changes"
