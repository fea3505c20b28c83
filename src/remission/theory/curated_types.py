"""Users pick the best of k samples: the shares of types follow their rewards.

With many candidates a generation multiplies probabilities by e^reward; with two it is Bradley-Terry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.theory._large_sample import Step, expand, multinomial, too_few
from remission.world import Prediction, Theory, World


def picked(p: Floats, reward: Sequence[float], k: int, beta: float = 1.0) -> Floats:
    """Probability that the item picked out of k independent ones is of each type.

    p'_i = k p_i e^{r_i} E[1 / (e^{r_i} + sum of k - 1 others)] = k p_i e^{r_i} int_0^inf e^{-u e^{r_i}} phi(u)^{k-1} du with
    phi(u) = sum_j p_j e^{-u e^{r_j}}, r = beta * reward; two candidates are Bradley-Terry, 2 p_i sum_j p_j sigma(r_i - r_j).

    Args:
        p: probabilities, shape (V,).
        reward: one per type.
        k: candidates.
        beta: how strictly the best is picked.

    Conditions: infinitely many items. Source: Ferbach et al., arXiv 2407.09499; THEORY C1.

    >>> p = np.full(5, 0.2)
    >>> for _ in range(3):
    ...     p = picked(p, (0.0, 0.5, 1.0, 1.5, 2.0), 2)
    >>> p.round(4)
    array([0.0246, 0.0644, 0.1459, 0.2846, 0.4805])
    """
    r = beta * np.asarray(reward, float)
    if k == 2:
        return np.asarray(2.0 * p * (_wins(r) @ p), np.float64)
    nodes, weights = _quadrature()
    force = np.exp(r - r.max())
    u = nodes / float(p @ force)
    decay = np.exp(-np.outer(u, force))
    chances = k * p * force * (((decay @ p) ** (k - 1) * weights * u) @ decay)
    return np.asarray(chances / chances.sum(), np.float64)


def picked_of_many(p: Floats, reward: Sequence[float], generations: int = 1) -> Floats:
    """The limit of many candidates: p_t = p_0 e^{t r} / Z.

    >>> picked_of_many(np.array([0.5, 0.5]), (0.0, np.log(3.0))).round(4)
    array([0.25, 0.75])
    """
    weights = p * np.exp(generations * (np.asarray(reward, float) - np.max(reward)))
    return np.asarray(weights / weights.sum(), np.float64)


def _wins(r: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(r[None, :] - r[:, None]))


def _quadrature() -> tuple[Floats, Floats]:
    """Nodes u and weights of int_0^inf f(u) du / u on a logarithmic scale (trapezium: exponentially exact)."""
    log = np.arange(-60.0, 12.0, 0.05)
    return np.exp(log), np.full(log.size, 0.05)


class CuratedTypes(Theory):
    """Heterozygosity and largest share of frequencies fitted to picked items, in *replace*, for many items.

    The map :func:`picked` with multinomial noise to first order in 1/n, for two candidates; refused below 10000 items.
    In collapse the best-rewarded type takes all: heterozygosity falls to 0.

    >>> picked(np.array([0.5, 0.5]), (0.0, 0.0), 7).round(9)
    array([0.5, 0.5])
    """

    row: ClassVar[str] = "C1"
    source: ClassVar[str] = "Ferbach et al., arXiv 2407.09499"
    statement: ClassVar[str] = "K -> inf: p_{t+1} ~ p_t e^r; K = 2: p' = 2 p_i sum_j p_j sigma(r_i - r_j)"

    def refuses(self, world: World) -> str:
        """Needs bare frequencies, replace, one preference with a reward per type, refill, and many items."""
        return given.first(
            world,
            given.model("unigram"),
            given.option("smoothing", 0.0),
            given.clean_source,
            given.categorical_law,
            _one_preference,
            given.plain_sampling,
            given.real_start,
            given.replace,
            given.constant_count,
            too_few,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The rows heterozygosity and max-share."""
        law, curator = world.law, world.curators[0]
        assert isinstance(law, CategoricalLaw)
        table = curator.table()
        r = float(table["beta"]) * np.asarray(table["reward"], float)
        n = int(given.counts(world)[0])
        k = int(table["k"])
        first = law.p.astype(float) if curator.on == "synthetic" else picked(law.p, r.tolist(), k)
        step = _plain(n) if curator.on == "real" else _pairs(r, n) if k == 2 else _many_candidates(r, k, n)
        found = expand(first, multinomial(first, n), [step] * (world.generations - 1), smooth=True)
        rows = [Prediction(self.name(), "heterozygosity", "mean", found.heterozygosity)]
        if not np.isnan(found.largest).all():
            rows.append(Prediction(self.name(), "max-share", "mean", found.largest))
        return rows


def _plain(n: int) -> Step:
    return Step(lambda p: p, lambda p: np.eye(p.size), lambda p, cov: np.zeros(p.size), lambda p: multinomial(p, n))


def _pairs(r: Floats, n: int) -> Step:
    """Two candidates: the map is quadratic."""
    wins = _wins(r)

    def value(p: Floats) -> Floats:
        return 2.0 * p * (wins @ p)

    return Step(
        value,
        lambda p: 2.0 * (np.diag(wins @ p) + p[:, None] * wins),
        lambda p, cov: 2.0 * (wins * cov).sum(axis=1),
        lambda p: multinomial(value(p), n),
    )


def _many_candidates(r: Floats, k: int, n: int) -> Step:
    """More candidates, by differences along the directions of the noise."""

    def value(p: Floats) -> Floats:
        return picked(p, r.tolist(), k)

    def slope(p: Floats) -> Floats:
        h = 1e-5
        columns = []
        for i in range(p.size):
            step = h * (np.eye(p.size)[i] - p)
            columns.append((value(p + step) - value(p - step)) / (2 * h))
        return np.array(columns).T

    def curve(p: Floats, cov: Floats) -> Floats:
        total = np.zeros(p.size)
        sizes, directions = np.linalg.eigh(cov)
        for size, direction in zip(sizes, directions.T, strict=True):
            if size > 1e-16:
                h = 1e-3
                bend = value(p + h * direction) - 2 * value(p) + value(p - h * direction)
                total += 0.5 * size * bend / h**2
        return total

    return Step(value, slope, curve, lambda p: multinomial(value(p), n))


def _one_preference(world: World) -> str:
    if [curator.name() for curator in world.curators] != ["preference"]:
        return "there is not exactly one preference curator"
    reward = world.curators[0].table()["reward"]
    assert isinstance(world.law, CategoricalLaw)
    if not isinstance(reward, list) or len(reward) != world.law.p.size:
        return "the reward is not one number per type"
    return "" if world.refill else "picking without refill shrinks the training set"
