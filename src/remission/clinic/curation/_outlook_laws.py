"""What closed forms say of word frequencies that are learned again and again, a share of them from the model before."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from remission import registry
from remission.clinic.curation import _outlook_sharp as sharp
from remission.data import Floats
from remission.lab.predictions import predictions
from remission.spec import Experiment
from remission.theory.fresh_heterozygosity import fixed_point
from remission.theory.type_survival_fresh import TypeSurvivalFresh, alive, limit, lost, rare, weights
from remission.world import World

_LARGEST = 2**31  # items that an experiment file may ask for; laws know no limit


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
        return rare(self.p)

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
        return found | {(row, TypeSurvivalFresh.name(), "bound"): values for row, values in self.types(weight).items()}

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
