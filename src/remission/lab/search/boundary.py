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


def crossings(worlds: Callable[[float], World], line: Line, at: Callable[[float], float]) -> list[Boundary]:
    """Where the laws that predict the row of a line cross it within a range, in the last generation.

    Args:
        worlds: the world at a value of the parameter; may raise SpecError.
        line: the line.
        at: the value of the parameter at 0 .. 1 of the range.
    """
    try:
        middle = worlds(at(0.5))
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
        place = _root(functools.partial(_margin, theory, worlds, line, scale, at))
        if place is not None:
            value = at(place)
            told = f"the {scale} that {law} predicts is {line.value:g}"
            found.append(Boundary(law, "crossing", value, "any", scale, theory.source, told))
    return found


def _margin(
    theory: Theory, worlds: Callable[[float], World], line: Line, scale: str, at: Callable[[float], float], u: float
) -> float:
    try:
        world = worlds(at(u))
    except SpecError:
        return math.nan
    if theory.refuses(world):
        return math.nan
    for one in theory.predict(world):
        if one.metric == line.row and one.scale == scale:
            return float(line.margin(one.values[-1:])[0])
    return math.nan


def _root(function: Callable[[float], float]) -> float | None:
    """The first change of sign on 0 .. 1, by bisection: laws of counts jump, so nothing smoother would do.

    None also where a law says nothing between the two signs.
    """
    places = [(x, function(x)) for x in (k / (_LOOKS - 1) for k in range(_LOOKS))]
    places = [(x, value) for x, value in places if math.isfinite(value)]
    for (a, at_a), (b, at_b) in itertools.pairwise(places):
        if at_a * at_b <= 0 and at_a != at_b:
            for _ in range(_HALVINGS):
                x = (a + b) / 2
                value = function(x)
                if math.isnan(value):
                    return None
                a, b = (x, b) if value * at_a > 0 else (a, x)
            return b
    return None
