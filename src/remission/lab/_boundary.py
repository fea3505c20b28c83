"""What theory says of the place where a loop tips: exact thresholds, and where a law crosses the line."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from remission import registry
from remission.errors import SpecError
from remission.lab.line import Line
from remission.lab.predictions import predictions
from remission.world import Theory, World

_LOOKS = 17
_HALVINGS = 30


@dataclass(frozen=True)
class Boundary:
    """A place on the axis of the parameter that theory knows.

    Attributes:
        law: its registered name; ``source`` where it stands.
        kind: ``threshold``: the behaviour changes there, many generations ahead; ``crossing``: the predicted row crosses
            the line in the generation that is read.
        value: where.
        start: the start it holds for: any, real or collapsed.
        scale: of a predicted row: mean, median or log-mean.
        statement: in words.
    """

    law: str
    kind: str
    value: float
    start: str
    scale: str
    source: str
    statement: str

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def thresholds(world: World, key: str) -> list[Boundary]:
    """Exact thresholds of a parameter, given the others of this world."""
    found = []
    for name in registry.names("theory"):
        theory: Theory = registry.load("theory", name)()
        found += [
            Boundary(one.law, "threshold", one.value, one.start, "", theory.source, one.statement)
            for one in theory.thresholds(world)
            if one.key == key
        ]
    return found


def crossings(worlds: Callable[[float], World], line: Line, low: float, high: float) -> list[Boundary]:
    """Where the laws that predict the row of a line cross it within a range, in the last generation.

    Args:
        worlds: the world at a value of the parameter; may raise SpecError.
        line: the line.
        low: one end of the range.
        high: the other.
    """
    try:
        middle = worlds((low + high) / 2)
    except SpecError:
        return []
    applying = {
        (one.law, one.scale)
        for one in predictions(middle)[0]
        if one.metric == line.row and one.scale in ("mean", "median") and math.isfinite(float(one.values[-1]))
    }
    found = []
    for law, scale in sorted(applying):
        theory: Theory = registry.load("theory", law)()
        value = _root(functools.partial(_margin, theory, worlds, line, scale), low, high)
        if value is not None:
            told = f"the {scale} that {law} predicts is {line.value:g}"
            found.append(Boundary(law, "crossing", value, "any", scale, theory.source, told))
    return found


def _margin(theory: Theory, worlds: Callable[[float], World], line: Line, scale: str, x: float) -> float:
    try:
        world = worlds(x)
    except SpecError:
        return math.nan
    if theory.refuses(world):
        return math.nan
    for one in theory.predict(world):
        if one.metric == line.row and one.scale == scale:
            return float(line.margin(one.values[-1:])[0])
    return math.nan


def _root(function: Callable[[float], float], low: float, high: float) -> float | None:
    """The first change of sign, by bisection: laws of counts jump, so nothing smoother would do."""
    step = (high - low) / (_LOOKS - 1)
    places = [(x, function(x)) for x in (low + k * step for k in range(_LOOKS))]
    places = [(x, value) for x, value in places if math.isfinite(value)]
    for (a, at_a), (b, at_b) in itertools.pairwise(places):
        if at_a * at_b <= 0 and at_a != at_b:
            for _ in range(_HALVINGS):
                x = (a + b) / 2
                value = function(x)
                a, b = (x, b) if value * at_a > 0 else (a, x)
            return (a + b) / 2
    return None
