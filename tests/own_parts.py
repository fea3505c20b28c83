"""Parts as a user would write them, named in experiments by import path."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission import Metric, Part, Recipe, Regime, SimpleCurator, SimpleMetric, SimpleModel, SimpleSource, Space


class Frequencies(Metric):
    """Probability of each of the first five symbols under the model."""

    columns: ClassVar = {f"p{i}": "either" for i in range(5)}

    def measure(self, view):
        p = view.model.probabilities(view.state)
        return {f"p{i}": p[:, i] for i in range(5)}


class Laplace(SimpleModel):
    """Double exponential: median and mean absolute deviation."""

    accepts: ClassVar = frozenset({"vector"})
    shrink: float = 1.0

    def fit_one(self, items, rng):
        centre = np.median(items, axis=0)
        return centre, self.shrink * np.abs(items - centre).mean(axis=0)

    def sample_one(self, state, n, rng):
        centre, scale = state
        return rng.laplace(centre, scale, (n, centre.size))


class Uniform(SimpleSource):
    """Uniform on [0, width]."""

    width: float = 1.0

    @property
    def space(self):
        return Space("vector", (1,))

    def sample_one(self, n, rng):
        return self.width * rng.random((n, 1))


class Range(SimpleMetric):
    """Range of the sample, divided by that of the reference."""

    columns: ClassVar = {"": "falls"}

    def value(self, sample, reference):
        return float(np.ptp(sample) / np.ptp(reference))


class Positive(SimpleCurator):
    """Keeps items whose first coordinate is above a level."""

    level: float = 0.0

    def keep(self, items, rng):
        return items[:, 0] > self.level


class Alternate(Regime):
    """Real data in every odd generation."""

    def recipe(self, t: int, n: int) -> Recipe:
        return Recipe((Part(0 if t % 2 else t - 1, n),), ((t, t),))
