"""What theory and checks see of an experiment: its parts and its numbers, and nothing that runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.component import Component
from remission.data import Floats, Space
from remission.errors import SpecError
from remission.interfaces import Curator, Metric, Model, Recipe, Regime, Sampling, Source
from remission.laws import AnyLaw


class Initial(Component):
    """What fit 1 is trained on.

    Attributes:
        state: ``real``; ``collapsed``: n copies of only ``distinct`` real items, as if the world had already collapsed
            (for hysteresis); ``shifted``: real items times ``scale`` plus ``shift`` (a biased first model).
        distinct: how many different items a collapsed start has.
        shift, scale: for vectors only.
    """

    state: Literal["real", "collapsed", "shifted"] = "real"
    distinct: Annotated[int, Meta(ge=1)] = 2
    shift: float = 0.0
    scale: Annotated[float, Meta(ge=0)] = 1.0

    def check(self) -> None:
        """A value that the chosen state does not use is a mistake."""
        for name, state in (("distinct", "collapsed"), ("shift", "shifted"), ("scale", "shifted")):
            if self.state != state and getattr(self, name) != getattr(type(self), name):
                raise SpecError(f"[initial]: '{name}' is for state = '{state}'; the state is '{self.state}'.")


@dataclass(frozen=True, eq=False)
class World:
    """One grid point of an experiment.

    Attributes:
        generations: T; t runs from 1 to T.
        budgets: n_t, the number of items that arrive in generation t, shape (T,).
        law: the exact real distribution, or None for real files.
        refill: whether a curated training set is drawn up to its size again.
        start: where every fit starts: the initial weights, the state of fit 1, or the previous state.
    """

    source: Source
    law: AnyLaw | None
    space: Space
    model: Model
    regime: Regime
    curators: tuple[Curator, ...]
    metrics: tuple[Metric, ...]
    sampling: Sampling
    initial: Initial
    generations: int
    budgets: tuple[int, ...]
    refill: bool
    start: Literal["scratch", "base", "previous"]
    _recipes: dict[int, Recipe] = field(default_factory=dict, init=False, repr=False)  # laws ask for each many times

    def budget(self, t: int) -> int:
        """n_t for t >= 1."""
        return self.budgets[t - 1]

    def recipe(self, t: int) -> Recipe:
        """What generation t is trained on."""
        if t not in self._recipes:
            self._recipes[t] = self.regime.recipe(t, self.budget(t))
        return self._recipes[t]


Scale = Literal["mean", "log-mean", "median", "bound"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """A closed form for one measured quantity.

    Attributes:
        law: the registered name of the law.
        metric: the row it predicts, such as ``moments.variance``.
        scale: how replicates must be summarised to compare: ``mean``; ``log-mean`` (mean of the logarithm; the values
            are logarithms unless the row itself already is one); ``median``; ``bound`` (a lower or upper bound on the mean).
        values: for t = 1 .. T, shape (T,); NaN where the law says nothing.
    """

    law: str
    metric: str
    scale: Scale
    values: Floats


@dataclass(frozen=True)
class Threshold:
    """A value of one parameter at which the behaviour of a world changes for good, many items and generations ahead.

    Attributes:
        law: the registered name of the law.
        key: the dotted parameter, such as ``regime.share``.
        value: where.
        start: the start it holds for: from ``real`` data, from a ``collapsed`` state, or ``any``.
        statement: what changes, in one line.
    """

    law: str
    key: str
    value: float
    start: Literal["any", "real", "collapsed"]
    statement: str


class Theory(Component, ABC):
    """A closed form with its source and its conditions."""

    folder: ClassVar[str] = "theory"
    row: ClassVar[str] = ""  # the row of the anchor table, such as "G1"
    source: ClassVar[str] = ""  # paper and equation, or "derived"
    statement: ClassVar[str] = ""  # the formula in one line

    @abstractmethod
    def refuses(self, world: World) -> str:
        """Why the law does not apply to this world, in one clause; the empty string when it applies."""

    @abstractmethod
    def predict(self, world: World) -> list[Prediction]:
        """The predictions for a world that is not refused."""

    def thresholds(self, world: World) -> list[Threshold]:
        """Exact thresholds of single parameters of this world, all others as they are; empty where none is known."""
        return []


def nothing(generations: int) -> Floats:
    """An array of T NaN to be filled."""
    return np.full(generations, np.nan)
