"""The pool: batches of earlier generations, as much of them as the regime still needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from remission.data import Array, Dataset
from remission.interfaces import AdditiveModel, Recipe, Statistics
from remission.rng import Streams
from remission.world import World


class Pool:
    """Batches by number. Accumulating costs O(T): statistics are merged, items grow in place.

    Attributes:
        additive: the model is fitted through additive statistics.
        grows: every generation trains on all batches so far, so nothing but the running total is kept.
        first: the items of batch 1, or None while there are none.
        holds_items: items are kept (for the model, a subsample, or a metric that looks at the training set).
    """

    def __init__(self, world: World, wants_items: bool) -> None:
        """``wants_items``: a metric looks at the training set."""
        recipes = [(t, world.recipe(t)) for t in range(1, world.generations + 1)]
        self.world = world
        self.additive = isinstance(world.model, AdditiveModel)
        self.grows = all(recipe.batches == ((1, t),) for t, recipe in recipes)
        takes = any(recipe.take is not None for _, recipe in recipes)
        self.holds_items = wants_items or takes or not self.additive
        self._summed = self.additive and not all(recipe.take is not None for _, recipe in recipes)
        self.first: Array | None = None
        self._data: dict[int, Dataset] = {}
        self._statistics: dict[int, Statistics] = {}
        self._grown = _Growing()

    def add(self, t: int, data: Dataset) -> None:
        """Put batch t in and forget what no later generation needs."""
        if t == 1:
            self.first = data.items
        if self._summed:
            self.add_statistics(t, self.world.model.statistics(data))  # type: ignore[attr-defined]
        if self.holds_items and self.grows:
            self._grown.append(data)
        else:
            self._data = {
                number: batch for number, batch in self._data.items() if self.holds_items and self._needed(number, t)
            }
            self._data[t] = data

    def add_statistics(self, t: int, statistics: Statistics) -> None:
        """Put in the statistics of batch t (all there is of it on the fast path)."""
        if self.grows:
            model: Any = self.world.model
            statistics = model.merge(self._statistics[t - 1], statistics) if t > 1 else statistics
            self._statistics = {t: statistics}
        else:
            self._statistics = {number: old for number, old in self._statistics.items() if self._needed(number, t)}
            self._statistics[t] = statistics

    def _needed(self, number: int, t: int) -> bool:
        regime = self.world.regime
        return number >= regime.first_batch(t) or (number == 1 and regime.pins_first)

    def statistics(self, t: int, recipe: Recipe) -> Statistics:
        """Merged statistics of the batches of a recipe."""
        if self.grows:
            return self._statistics[t]
        model: Any = self.world.model
        merged: Statistics = None
        for number in _numbers(recipe):
            part = self._statistics[number]
            merged = part if merged is None else model.merge(merged, part)
        return merged

    def dataset(self, t: int, recipe: Recipe, streams: Streams) -> Dataset | None:
        """The items of a recipe, subsampled if it says so; None when they were not kept."""
        if self.grows and self.holds_items:
            joined = self._grown.all()
        elif all(number in self._data for number in _numbers(recipe)):
            joined = Dataset.join([self._data[number] for number in _numbers(recipe)])
        else:
            return None
        if recipe.take is None:
            return joined
        named = streams.at(t, "subsample")
        if recipe.with_replacement:
            return joined.take(named.integers(joined.n, recipe.take))
        return joined.take(named.subsets(joined.n, min(recipe.take, joined.n)))


def _numbers(recipe: Recipe) -> list[int]:
    return [number for first, last in recipe.batches for number in range(first, last + 1)]


class _Growing:
    """All batches so far in one array that doubles when it is full, handed out as a view."""

    def __init__(self) -> None:
        self._space: Any = None
        self._arrays: dict[str, Array | None] = dict.fromkeys(("items", "origin", "weight", "truth"))
        self._size = 0

    def all(self) -> Dataset:
        """Everything appended."""
        fields: dict[str, Any] = {
            name: None if array is None else array[:, : self._size] for name, array in self._arrays.items()
        }
        return Dataset(self._space, **fields)

    def append(self, batch: Dataset) -> None:
        """Add a batch behind the others."""
        self._space = batch.space
        end = self._size + batch.n
        for name, old in self._arrays.items():
            new = getattr(batch, name)
            if new is None and old is None:
                continue
            if new is None:
                new = np.ones(batch.origin.shape) if name == "weight" else batch.items[..., -1]
            if old is None or old.shape[1] < end:
                bigger = np.empty((new.shape[0], max(2 * self._size, end), *new.shape[2:]), new.dtype)
                if self._size:
                    bigger[:, : self._size] = self._before(name) if old is None else old[:, : self._size]
                self._arrays[name] = old = bigger
            old[:, self._size : end] = new
        self._size = end

    def _before(self, name: str) -> Any:
        """What a field is worth for the batches that came without it."""
        items = self._arrays["items"]
        assert items is not None
        return 1.0 if name == "weight" else items[:, : self._size, -1]
