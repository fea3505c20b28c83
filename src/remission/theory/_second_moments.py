"""Exact second moments of any loop whose recipes are linear.

Nodes are random points: the truth mu0, the mean of every group of items that arrived together from the same
origin, and the mean of every model. For any two of them D[x, y] = E|x - y|^2 is carried along. Only three facts
are needed, and none of them asks for a normal law:

1. c items drawn from a model with mean m and variance V around it, independently of everything else given the model:
   their mean g has D[g, y] = D[m, y] + V / c, and the variance within the group (divided by c) is (1 - 1/c) V in the mean.
2. A weighted average z of nodes: D[z, y] = sum_g w_g D[g, y] - (1/2) sum_gh w_g w_h D[g, h]; the last sum, halved, is the
   variance between the groups (the parallel-axis theorem). A batch whose every item draws its own origin is such an
   average of its origins (law of total variance).
3. The mean of a random subset of s out of N points whose variance is V adds V (N - s) / (s (N - 1)) to D (V / s with
   replacement), and takes the same amount away from the variance within the subset.

Distances, not second moments about mu0, are carried because they stay exact (no cancellation) when the
variance has shrunk by hundreds of orders of magnitude. One-hot vectors turn the same recursion into that of the
heterozygosity 1 - sum p^2 of a model of symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from remission.data import REAL, Floats
from remission.interfaces import Recipe

TRUTH = 0
FIRST = 1


@dataclass(frozen=True)
class Smoothing:
    """Add-constant smoothing of symbol counts: a pull towards the uniform distribution.

    Attributes:
        mass: the counts added in all.
        distance: |u - p|^2 between the uniform and the real distribution.
        variance: 1 - |u|^2.
    """

    mass: float
    distance: float
    variance: float


@dataclass(frozen=True)
class Laws:
    """The numbers that a loop of one kind of model needs.

    Attributes:
        real: variance (trace of the covariance) of a real item.
        first: the same for the items of fit 1, when the start is shifted.
        offset: squared distance between their mean and mu0.
        distinct: how many different items the first batch has, each copied in turn; None when all differ.
        spread: the model's variance from the mean variance of its training set and the effective number of points k.
        bias: what is drawn from a model has its variance times this.
        keep: the probability that a curator keeps an item of this origin in generation t.
        smoothing: of a model of symbols, or None.
    """

    real: float
    first: float
    offset: float
    spread: Callable[[float, float], float]
    distinct: int | None = None
    bias: float = 1.0
    keep: Callable[[int, int], float] | None = None
    smoothing: Smoothing | None = None


@dataclass(frozen=True, eq=False)
class Trajectory:
    """E|mu_t - mu0|^2, E tr Sigma_t of the model and of its training set, each of shape (T,)."""

    error: Floats
    variance: Floats
    training: Floats


@dataclass(frozen=True)
class _Group:
    node: int
    count: int
    weight: float
    within: float


class _Ledger:
    """Nodes and their mean squared distances, in slots that are used again."""

    def __init__(self) -> None:
        self.distance = np.zeros((8, 8))
        self.free = list(range(7, -1, -1))

    def add(self, row: Floats) -> int:
        """A node whose distances to the slots are ``row``."""
        if not self.free:
            old = len(self.distance)
            self.distance = np.pad(self.distance, (0, old))
            self.free = list(range(2 * old - 1, old - 1, -1))
        node = self.free.pop()
        padded = np.zeros(len(self.distance))
        padded[: row.size] = row
        padded[node] = 0.0
        self.distance[node] = padded
        self.distance[:, node] = padded
        return node

    def average(self, nodes: Sequence[int], weights: Floats) -> tuple[Floats, float]:
        """Distances of the weighted average of nodes, and the variance between them."""
        index = np.asarray(nodes)
        size = len(self.distance)
        if 4 * index.size > size:  # one product with the whole matrix is cheaper than copying its rows
            rows = np.bincount(index, weights, size) @ self.distance
        else:
            rows = weights @ self.distance[index]
        between = 0.5 * float(rows[index] @ weights) if index.size > 1 else 0.0
        return np.maximum(rows - between, 0.0), between


class _Loop:
    """The state of the recursion."""

    def __init__(self, laws: Laws, recipes: Sequence[Recipe]) -> None:
        self.laws = laws
        self.recipes = recipes
        self.ledger = _Ledger()
        self.ledger.add(np.zeros(1))
        self.ledger.add(np.array([laws.offset]))
        self.models: dict[int, tuple[int, float]] = {}
        self.batches: dict[int, list[_Group]] = {}
        self.uniform = self._uniform()
        self.last_batch, self.last_model = _last_uses(recipes)

    def _uniform(self) -> int:
        if self.laws.smoothing is None:
            return TRUTH
        row = np.array([self.laws.smoothing.distance, self.laws.smoothing.distance])
        return self.ledger.add(row)

    def origin(self, t: int, origin: int) -> tuple[int, float]:
        """The node that items of this origin are drawn around, and their variance around it."""
        if origin == REAL:
            return (FIRST, self.laws.first) if t == 1 else (TRUTH, self.laws.real)
        node, variance = self.models[origin]
        return node, self.laws.bias * variance

    def arrive(self, t: int) -> None:
        """Batch t enters the pool."""
        recipe = self.recipes[t - 1]
        parts = [part for part in recipe.arrivals if part.count]
        if t == 1 and self.laws.distinct is not None:
            different = _effective(round(recipe.count), self.laws.distinct)
            self.batches[t] = [
                self._add(self.ledger.distance[FIRST], self.laws.first, round(recipe.count), 1.0, different)
            ]
            return
        if not (recipe.mixed and len(parts) > 1):
            self.batches[t] = [self._group(t, part.origin, round(part.count), part.weight) for part in parts]
            return
        keep = self.laws.keep or (lambda t, origin: 1.0)
        shares = np.array([part.count * keep(t, part.origin) for part in parts])
        shares = shares / shares.sum()
        sources = [self.origin(t, part.origin) for part in parts]
        row, between = self.ledger.average([node for node, _ in sources], shares)
        variance = between + float(shares @ np.array([spread for _, spread in sources]))
        self.batches[t] = [self._add(row, variance, round(recipe.count), parts[0].weight)]

    def _group(self, t: int, origin: int, count: int, weight: float) -> _Group:
        node, variance = self.origin(t, origin)
        return self._add(self.ledger.distance[node], variance, count, weight)

    def _add(self, row: Floats, variance: float, count: int, weight: float, different: float | None = None) -> _Group:
        """A group of ``count`` items whose mean is as exact as that of ``different`` independent ones."""
        noise = 1.0 / (different or count)
        return _Group(self.ledger.add(row + variance * noise), count, weight, (1.0 - noise) * variance)

    def fit(self, t: int) -> tuple[float, float, float]:
        """Fit t: error of its mean, variance of the model, variance of its training set."""
        recipe = self.recipes[t - 1]
        chosen = sorted({batch for low, high in recipe.batches for batch in range(low, high + 1)})
        groups = [group for batch in chosen for group in self.batches[batch]]
        count = np.array([group.count for group in groups], float)
        weight = np.array([group.weight for group in groups])
        mass = count * weight
        total = float(mass.sum())
        effective = total * total / float(count @ weight**2)
        row, between = self.ledger.average([group.node for group in groups], mass / total)
        variance = between + float(mass @ np.array([group.within for group in groups])) / total
        if recipe.take is not None:
            size = float(count.sum())
            effective = float(recipe.take if recipe.with_replacement else min(recipe.take, size))
            total = effective * groups[0].weight
            lost = _subset(variance, size, effective, recipe.with_replacement)
            row, variance = row + lost, variance - lost
        node = self.ledger.add(row)
        spread = self.laws.spread(variance, effective)
        if self.laws.smoothing is not None:
            node, spread = self._smooth(node, spread, total)
        self.models[t] = node, spread
        return float(self.ledger.distance[node, TRUTH]), spread, variance

    def _smooth(self, node: int, variance: float, total: float) -> tuple[int, float]:
        smoothing = self.laws.smoothing
        assert smoothing is not None
        kept = total / (total + smoothing.mass)
        row, between = self.ledger.average([node, self.uniform], np.array([kept, 1.0 - kept]))
        self.ledger.free.append(node)
        return self.ledger.add(row), kept * variance + (1.0 - kept) * smoothing.variance + between

    def forget(self, t: int) -> None:
        """Free what no later generation needs."""
        for batch in [batch for batch in self.batches if self.last_batch.get(batch, 0) <= t]:
            self.ledger.free.extend(group.node for group in self.batches.pop(batch))
        for fit in [fit for fit in self.models if self.last_model.get(fit, 0) <= t]:
            self.ledger.free.append(self.models.pop(fit)[0])


def _effective(count: int, distinct: int) -> float:
    """n^2 / sum c_j^2 of ``count`` items that are copies, in turn, of ``distinct`` ones."""
    whole, extra = divmod(count, distinct)
    return count**2 / (extra * (whole + 1) ** 2 + (distinct - extra) * whole**2)


def _subset(variance: float, size: float, take: float, with_replacement: bool) -> float:
    if with_replacement:
        return variance / take
    return variance * (size - take) / (take * (size - 1.0)) if size > 1 else 0.0


def _last_uses(recipes: Sequence[Recipe]) -> tuple[dict[int, int], dict[int, int]]:
    """The last generation that trains on each batch, and that samples each model."""
    batch: dict[int, int] = {}
    model: dict[int, int] = {}
    for t, recipe in enumerate(recipes, start=1):
        for low, high in recipe.batches:
            batch.update(dict.fromkeys(range(low, high + 1), t))
        model.update({part.origin: t for part in recipe.arrivals if part.count and part.origin != REAL})
    return batch, model


def propagate(recipes: Sequence[Recipe], laws: Laws) -> Trajectory:
    """The exact second moments of every fit.

    >>> from remission.interfaces import Part
    >>> replace = [Recipe((Part(t, 50),), ((t + 1, t + 1),)) for t in range(20)]
    >>> found = propagate(replace, Laws(1.0, 1.0, 0.0, lambda variance, k: variance))
    >>> [round(float(values[-1]), 4) for values in (found.variance, found.error)]
    [0.6676, 0.3324]
    """
    loop = _Loop(laws, recipes)
    rows = np.empty((len(recipes), 3))
    for t in range(1, len(recipes) + 1):
        loop.arrive(t)
        rows[t - 1] = loop.fit(t)
        loop.forget(t)
    return Trajectory(rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2].copy())
