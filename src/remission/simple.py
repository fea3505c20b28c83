"""One replicate at a time: the shortest way to write a part of your own.

A class from here sees one replicate (items ``(n, *item)``, a NumPy generator) and gets replicates, resume,
report and command line for free. Name it in an experiment by import path: ``kind = "my_module:MyModel"``.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from remission.data import Array, Blind, Dataset, Floats
from remission.interfaces import Curator, GenerativeSource, Judgement, Metric, Model, Sampling, State
from remission.rng import Streams
from remission.view import View


class SimpleModel(Model):
    """A model of one replicate. Define ``fit_one(items, rng)`` and ``sample_one(state, n, rng)``."""

    @abstractmethod
    def fit_one(self, items: Array, rng: np.random.Generator) -> Any:
        """Fit items ``(n, *item)`` and return anything that ``sample_one`` understands."""

    @abstractmethod
    def sample_one(self, state: Any, n: int, rng: np.random.Generator) -> Array:
        """Draw ``(n, *item)`` items."""

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> State:
        """Fit replicate by replicate (final)."""
        return [self.fit_one(items, rng) for items, rng in zip(data.items, streams.generators(), strict=True)]

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Sample replicate by replicate (final)."""
        return np.stack(
            [np.asarray(self.sample_one(one, n, rng)) for one, rng in zip(state, streams.generators(), strict=True)]
        )


class SimpleSource(GenerativeSource):
    """A source of one replicate. Define ``space`` and ``sample_one(n, rng)``."""

    @abstractmethod
    def sample_one(self, n: int, rng: np.random.Generator) -> Array:
        """Fresh items ``(n, *item)``."""

    def sample(self, n: int, streams: Streams) -> Array:
        """Sample replicate by replicate (final)."""
        return np.stack([np.asarray(self.sample_one(n, rng)) for rng in streams.generators()])


class SimpleMetric(Metric):
    """A number from one generated and one real sample. Define ``value(sample, reference)``."""

    @abstractmethod
    def value(self, sample: Array, reference: Array) -> float:
        """The metric of ``sample`` (m, item) against ``reference`` (m, item): equally many items."""

    def measure(self, view: View) -> dict[str, Floats]:
        """Measure replicate by replicate (final)."""
        pairs = zip(*view.pair(), strict=True)
        return {"": np.array([float(self.value(sample, reference)) for sample, reference in pairs])}


class SimpleCurator(Curator):
    """A filter of one replicate. Define ``keep(items, rng)``."""

    @abstractmethod
    def keep(self, items: Array, rng: np.random.Generator) -> Array:
        """Which of the items ``(n, *item)`` stay: booleans (n,)."""

    def judge(self, data: Blind, generation: int, streams: Streams) -> Judgement:
        """Judge replicate by replicate (final)."""
        rows = [self.keep(items, rng) for items, rng in zip(data.items, streams.generators(), strict=True)]
        return Judgement(np.stack([np.asarray(row, dtype=bool) for row in rows]))
