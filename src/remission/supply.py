"""What arrives in a generation: real items, outputs of earlier models, curated and refilled."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from remission.data import REAL, Array, Dataset, Floats, Space
from remission.errors import CurationError
from remission.interfaces import Curator, FastModel, Judgement, Labeller, Part, Recipe, State, Statistics
from remission.laws import AnyLaw
from remission.realdata import RealData, checked_items
from remission.rng import Streams
from remission.world import World

MOST_ROUNDS = 200  # of proposals, before a curator is said to keep nothing


@dataclass(frozen=True, eq=False)
class Arrivals:
    """A new batch and what it cost: items proposed to the curators, shape (r,), or None without curators."""

    data: Dataset
    draws: Floats | None = None


Draw = Callable[[int, Streams, Array | None], Dataset]  # (count, streams, active replicates) -> items


class Supply:
    """Draws the arrivals of a recipe."""

    def __init__(self, world: World, real: RealData, streams: Streams) -> None:
        """``streams`` are the root streams of the block."""
        self.world = world
        self.real = real
        self.streams = streams
        self._features: Array | None = None  # of generation 1, for labellers that use the same again

    def arrivals(self, t: int, recipe: Recipe, states: Mapping[int, State]) -> Arrivals:
        """The curated batch of generation t.

        With refill, curators that look only at real or only at synthetic items work on each part of the recipe, which
        is refilled to its own count; the others work on the mixture. Without refill all work on the mixture. A refill proposes whole rounds of a size that
        depends on nothing but the recipe, so a replicate's draws do not depend on its neighbours.
        """
        streams = self.streams.at(t, "arrivals")
        if t == 1 and self.world.initial.state != "real":
            return Arrivals(self._initial(recipe.count, streams))
        tally = np.zeros(len(streams))

        def draw_part(part: Part) -> Draw:
            side = "real" if part.origin == REAL else "synthetic"
            curators = [curator for curator in self.world.curators if curator.on == side and self.world.refill]

            def plain(count: int, named: Streams, active: Array | None) -> Dataset:
                return self._part(part, count, states, named, active)

            if not curators:
                return plain
            return lambda count, named, active: self._fill(t, plain, curators, count, named, active, tally)

        makers = [draw_part(part) for part in recipe.arrivals]
        curators = [curator for curator in self.world.curators if curator.on == "all" or not self.world.refill]

        def mixture(count: int, named: Streams, active: Array | None) -> Dataset:
            return self._mix(recipe, makers, count, named, active, shuffled=bool(curators))

        if curators:
            data = self._fill(t, mixture, curators, recipe.count, streams, None, tally)
        else:
            data = mixture(recipe.count, streams, None)
        return Arrivals(data, tally if self.world.curators else None)

    def _part(
        self, part: Part, count: int, states: Mapping[int, State], streams: Streams, active: Array | None
    ) -> Dataset:
        """``count`` items of one origin."""
        if part.origin == REAL:
            data = self.real.draw(count, streams, active)
            if isinstance(self.world.model, Labeller) and self._features is None:
                self._features = data.items if data.truth is None else _labelled(data.items, data.truth)
        else:
            data = self._generated(part.origin, states[part.origin], count, streams, active)
        return data if part.weight == 1.0 else dataclasses.replace(data, weight=np.full(data.origin.shape, part.weight))

    def _generated(self, origin: int, state: State, count: int, streams: Streams, active: Array | None) -> Dataset:
        model, truth = self.world.model, None
        if isinstance(model, Labeller):
            if model.covariates == "same" and self._features is not None:
                features = np.take(self._features, np.arange(count) % self._features.shape[1], axis=1)
            else:
                features = self.real.clean(count, streams.sub("features"), active)
            items, truth = model.relabel(state, features, streams), features[..., -1]
        else:
            items = model.sample(state, count, streams, self.world.sampling)
        items = checked_items(items, (len(streams), count, *self.world.space.shape), model.name(), "generated")
        origins = np.broadcast_to(np.int32(origin), (len(streams), count))
        return Dataset(self.world.space, items, origins, None, truth)

    def _mix(
        self, recipe: Recipe, makers: list[Draw], count: int, streams: Streams, active: Array | None, shuffled: bool
    ) -> Dataset:
        """``count`` items in the proportions of the recipe."""
        if len(makers) == 1:
            return makers[0](count, streams.sub("0"), active)
        if not recipe.mixed and count == recipe.count:
            counts = [round(part.count) for part in recipe.arrivals]
        elif recipe.mixed:
            counts = [count] * len(makers)
        else:
            counts = _apportion([part.count for part in recipe.arrivals], count)
        parts = [
            make(size, streams.sub(str(i)), active) for i, (make, size) in enumerate(zip(makers, counts, strict=True))
        ]
        joined = Dataset.join(parts)
        if recipe.mixed:  # pick the origin of every item on its own; the unused proposals are thrown away
            which = streams.sub("origins").categoricals(
                np.array([part.count for part in recipe.arrivals], float), count
            )
            return joined.take(which * count + np.arange(count))
        return joined.take(streams.sub("order").subsets(count, count)) if shuffled else joined

    def _fill(
        self,
        t: int,
        draw: Draw,
        curators: list[Curator],
        count: int,
        streams: Streams,
        active: Array | None,
        tally: Floats,
    ) -> Dataset:
        """Propose, judge, keep; with refill until every replicate has ``count`` items.

        ``tally`` (r,) counts the proposals that were looked at. Replicates that are not ``active`` stay empty.
        """
        size = count
        if self.world.refill:
            size = max(1, math.ceil(count / math.prod(curator.yields for curator in curators)))
        need = np.full(len(streams), count) if active is None else np.where(active, count, 0)
        tray = _Tray(len(streams), count)
        for number in range(MOST_ROUNDS if self.world.refill else 1):
            named = streams.sub(f"round-{number}")
            waiting = tray.have < need
            data, keep = judged(curators, draw(size, named, waiting), t, named)
            tally += np.where(waiting, tray.put(data, keep & waiting[:, None]), 0)
            if (tray.have >= need).all():
                break
        names = ", ".join(curator.label for curator in curators)
        if not self.world.refill:
            if not tray.have.all():
                raise CurationError(f"{names} kept nothing of {count} items. Loosen them or set refill = true.")
            return tray.all().cut(0, int(tray.have[0]))  # one replicate at a time: the loop sees to it
        if (tray.have < need).any():
            raise CurationError(
                f"After {MOST_ROUNDS * size} proposals only {tray.have.min()} of {count} items were kept by {names}. "
                f"Loosen the curator, lower samples, or set refill = false."
            )
        return tray.all()

    def _initial(self, count: int, streams: Streams) -> Dataset:
        """A collapsed or shifted first training set."""
        initial = self.world.initial
        if initial.state == "shifted":
            data = self.real.draw(count, streams)
            return dataclasses.replace(data, items=data.items * initial.scale + initial.shift)
        few = self.real.draw(initial.distinct, streams)
        index = np.broadcast_to(np.arange(count) % initial.distinct, (len(streams), count))
        data = few.take(index)
        return dataclasses.replace(data, origin=np.ones_like(data.origin))


class FastSupply:
    """Draws the statistics of the arrivals, never the items."""

    def __init__(self, world: World, real: RealData, streams: Streams) -> None:
        """``streams`` are the root streams of the block."""
        self.world, self.real, self.streams = world, real, streams
        self._law_state: State | None = None

    def arrivals(self, t: int, recipe: Recipe, states: Mapping[int, State]) -> Statistics:
        """The statistics of the batch of generation t."""
        model = self.world.model
        assert isinstance(model, FastModel)
        streams = self.streams.at(t, "arrivals")
        if t == 1 and self.world.initial.state == "collapsed":
            return self._collapsed(model, recipe.count, streams)
        total: Statistics | None = None
        for number, part in enumerate(recipe.arrivals):
            named = streams.sub(str(number))
            state = self._law(model, self.world.law) if part.origin == REAL else states[part.origin]
            if state is None:
                data = self.real.draw(round(part.count), named)
                if part.weight != 1.0:
                    data = dataclasses.replace(data, weight=np.full(data.origin.shape, part.weight))
                drawn = model.statistics(data)
            else:
                sampling = type(self.world.sampling)() if part.origin == REAL else self.world.sampling
                drawn = model.draw_statistics(state, round(part.count), part.weight, named, sampling)
            total = drawn if total is None else model.merge(total, drawn)
        return total

    def _collapsed(self, model: FastModel, count: int, streams: Streams) -> Statistics:
        """The statistics of ``count`` copies of a few real items, made by merging instead of copying."""
        copies, rest = divmod(count, self.world.initial.distinct)
        few = self.real.draw(self.world.initial.distinct, streams)
        total = model.statistics(few.cut(0, rest)) if rest else None
        power = model.statistics(few)
        while copies:
            if copies % 2:
                total = power if total is None else model.merge(total, power)
            copies //= 2
            power = model.merge(power, power) if copies else power
        return total

    def _law(self, model: FastModel, law: AnyLaw | None) -> State | None:
        if self._law_state is None and law is not None:
            self._law_state = model.state_of(law, len(self.streams))
        return self._law_state


def judged(curators: list[Curator], data: Dataset, t: int, streams: Streams) -> tuple[Dataset, Array]:
    """The data with the curators' weights, and which items all of them keep (r, n).

    Each curator judges what the ones before it kept no differently from what they dropped; an item stays if all keep it.
    """
    keep = np.ones(data.origin.shape, bool)
    for number, curator in enumerate(curators):
        answer = _on_its_side(curator, data, t, streams.sub(f"judge-{number}"))
        keep &= answer.keep
        if answer.weight is not None:
            weight = answer.weight if data.weight is None else data.weight * answer.weight
            data = dataclasses.replace(data, weight=weight)
    return data, keep


def _on_its_side(curator: Curator, data: Dataset, t: int, streams: Streams) -> Judgement:
    """The judgement of the items a curator looks at; it keeps the others as they are."""
    synthetic = data.origin > REAL
    mine = np.ones_like(synthetic) if curator.on == "all" else synthetic == (curator.on == "synthetic")
    if mine.all():
        return curator.judge(data if curator.oracle else data.blind(), t, streams)
    keep, weight = np.ones(mine.shape, bool), np.ones(mine.shape)
    for i in range(mine.shape[0]):  # each replicate has another number of them
        places = np.flatnonzero(mine[i])
        part = data.only(i).take(places[None, :])
        answer = curator.judge(part if curator.oracle else part.blind(), t, streams.only(i))
        keep[i, places] = answer.keep[0]
        if answer.weight is not None:
            weight[i, places] = answer.weight[0]
    return Judgement(keep, weight if curator.weighs else None)


def _apportion(shares: list[float], count: int) -> list[int]:
    """``count`` split in proportion, largest remainders first."""
    exact = np.array(shares) * count / sum(shares)
    whole = np.floor(exact).astype(int)
    for i in np.argsort(whole - exact, kind="stable")[: count - whole.sum()]:
        whole[i] += 1
    return [int(size) for size in whole]


def _labelled(items: Array, truth: Array) -> Array:
    return np.concatenate([items[..., :-1], truth[..., None]], axis=-1)


class _Tray:
    """Room for ``count`` items per replicate, filled in rounds."""

    def __init__(self, replicates: int, count: int) -> None:
        self.have = np.zeros(replicates, np.int64)
        self._count = count
        self._fields: dict[str, Array | None] = {}
        self._space: Space | None = None

    def put(self, data: Dataset, keep: Array) -> Array:
        """Put the first kept items of each replicate where there is room; return how many were looked at (r,)."""
        self._space = data.space
        rank = np.cumsum(keep, axis=1) - 1
        chosen = keep & (rank < (self._count - self.have)[:, None])
        rows, columns = np.nonzero(chosen)
        places = self.have[rows] + rank[rows, columns]
        for name in ("items", "origin", "weight", "truth"):
            new, old = getattr(data, name), self._fields.get(name)
            if new is None:
                self._fields[name] = old
                continue
            if old is None:
                old = np.zeros((len(self.have), self._count, *new.shape[2:]), new.dtype)
                self._fields[name] = old
            old[rows, places] = new[rows, columns]
        self.have = self.have + chosen.sum(axis=1)
        last = chosen.shape[1] - np.argmax(chosen[:, ::-1], axis=1)
        return np.where(self.have == self._count, last, chosen.shape[1])

    def all(self) -> Dataset:
        """Everything put in."""
        assert self._space is not None
        fields: dict[str, Any] = self._fields
        return Dataset(self._space, **fields)
