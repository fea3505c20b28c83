"""What closed forms say of word frequencies that are learned again and again, a share of them from the model before."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from remission import registry
from remission.clinic.curation import _outlook_sharp as sharp
from remission.data import Floats
from remission.lab.predictions import predictions
from remission.spec import Experiment
from remission.world import World

_LARGEST = 2**31  # items that an experiment file may ask for; laws know no limit
_ROUNDS = 200_000  # generations after which a limit that is not reached is not given
RARE = 0.5  # as the metric `types` has it: the rarer half of the types


def weights(share: float, generations: int) -> Floats:
    """c_t, so that a type of probability p is absent from fit t with probability exp(-n p c_t), t = 1 .. T.

    With l = ``share`` of the n items from the model before and (1 - l) n fresh ones, the copies of a type are a branching
    process with immigration: X_1 ~ Poisson(n p), X_{t+1} ~ Poisson(l X_t + (1 - l) n p). Its generating function at 0 gives
    c_t = g_t + (1 - l) (g_1 + ... + g_{t-1}) with g_1 = 1, g_{k+1} = 1 - exp(-l g_k). For l = 1 this is the bound D3 of
    Suresh et al. (arXiv 2412.17646); for 0 < l < 1 derived in the same way. The true counts are binomial and
    (1 - x/n)^m <= exp(-m x/n), so exp(-n p c_t) is an upper bound on the chance of absence, off by O(1/n).

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


@dataclasses.dataclass(frozen=True, eq=False)
class Frequencies:
    """The unigram law of a sample and the training sets that are drawn from it.

    Attributes:
        p: probability of every type, shape (V,).
        n: items of a training set.
        generations: T.
        source: the table of the finite source that the law is of.
        temperature: of the sampling; at any but 1 training sets are taken to be without limit.
    """

    p: Floats
    n: int
    generations: int
    source: dict[str, Any]
    temperature: float = 1.0

    @property
    def rare(self) -> np.typing.NDArray[np.bool_]:
        """Which types are the rarer half, shape (V,)."""
        return np.asarray(self.p <= np.quantile(self.p, RARE, method="lower"))

    def human(self, share: float) -> int:
        """Fresh human items among n, rounded as the regime rounds."""
        return round(self.n * (1.0 - share))

    def world(self, share: float, temperature: float = 1.0, source: dict[str, Any] | None = None) -> World:
        """The loop: unigram, fresh human items in every generation, the rest from the model before."""
        experiment = Experiment.from_tables({
            "experiment": {"generations": self.generations, "samples": min(self.n, _LARGEST), "fast": True},
            "source": source or {"kind": "surrogate", "base": self.source},
            "model": {"kind": "unigram"}, "regime": {"kind": "fresh", "share": 1.0 - share},
            "sampling": {"temperature": temperature}, "metric": [{"kind": "heterozygosity"}, {"kind": "types"}],
        })  # fmt: skip
        return dataclasses.replace(experiment.world(), budgets=(self.n,) * self.generations)

    def rows(self, share: float) -> dict[tuple[str, str, str], Floats]:
        """(row, law, scale) -> values (T,), of the laws of the lab that are exact in the mean and of the types alive."""
        if self.temperature != 1.0:
            found = sharp.rows(self.p, self.rare, share, self.generations, self.temperature)
            return {(row, sharp.LAW, sharp.SCALE): values for row, values in found.items()}
        return self._unbiased(share)

    def _unbiased(self, share: float) -> dict[tuple[str, str, str], Floats]:
        found = {
            (one.metric, one.law, one.scale): one.values
            for one in predictions(self.world(share))[0]
            if one.scale == "mean" and np.isfinite(one.values).all() and not one.metric.startswith("types")
        }
        weight = weights(1.0 - self.human(share) / self.n, self.generations)
        return found | {(row, "types-with-fresh-data", "bound"): values for row, values in self.types(weight).items()}

    def types(self, weight: Floats) -> dict[str, Floats]:
        """What is alive at every weight: rows as the metric ``types`` names them, and the chance of a type expected once."""
        rare = self.rare
        living = alive(self.p, self.n, weight)
        return {
            "types.alive": living, "types.recall": living / self.p.size,
            "types.rare-recall": alive(self.p[rare], self.n, weight) / int(rare.sum()),
            "types.lost": lost(self.p, self.n, weight),
            "types.once": -np.expm1(-weight),
        }  # fmt: skip

    def long_run(self, share: float) -> dict[str, float]:
        """Where the loop settles: the rows of :meth:`types` and the kept part of the heterozygosity; sharper, those of the map."""
        if self.temperature != 1.0:
            return sharp.settled(self.p, self.rare, share, self.temperature)
        from remission.theory.fresh_heterozygosity import fixed_point

        human = self.human(share)
        weight = np.array([limit(1.0 - human / self.n)])
        found = {row: float(values[0]) for row, values in self.types(weight).items()}
        if human == 0:
            once = {"types.alive": 1.0, "types.recall": 1.0 / self.p.size, "types.lost": 1.0 - float(self.p @ self.p)}
            found |= once  # one type is left in the end, each with its own probability
        return found | {"heterozygosity.kept": fixed_point(human, self.n - human)}

    def tips(self, share: float) -> float | None:
        """The temperature of sampling below which diversity runs away, by the laws that know one; of equally frequent types.

        None where no law knows one (no synthetic items, or nothing but).
        """
        if not 0.0 < share < 1.0:
            return None
        world = self.world(share, 0.5, {"kind": "zipf", "types": max(2, min(self.p.size, 1000)), "exponent": 0.0})
        found = [
            one.value
            for name in registry.names("theory")
            for one in registry.load("theory", name)().thresholds(world)
            if one.key == "sampling.temperature" and one.start == "real"
        ]
        return found[0] if found else None
