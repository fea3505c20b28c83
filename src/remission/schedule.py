"""Numbers that change from generation to generation."""

from __future__ import annotations

from typing import Annotated

import msgspec

from remission.errors import SpecError


class Ramp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A number that grows or shrinks with the generation t = 1, 2, ...

    Attributes:
        start: the value at t = 1.
        step: added every generation.
        factor: multiplied every generation (before ``step`` is added).
        low, high: the value never leaves this range.
    """

    start: float
    step: float = 0.0
    factor: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    low: float = float("-inf")
    high: float = float("inf")


Schedule = int | float | tuple[int | float, ...] | Ramp


def value_at(schedule: Schedule, t: int) -> float:
    """The value at generation t >= 1: a constant, the t-th of a list (its last value goes on), or a ramp.

    >>> [value_at((0.0, 0.5), t) for t in (1, 2, 3)]
    [0.0, 0.5, 0.5]
    >>> [value_at(Ramp(start=100, factor=2, high=300), t) for t in (1, 2, 3)]
    [100, 200.0, 300]
    """
    if isinstance(schedule, Ramp):
        steps = t - 1
        if schedule.factor == 1.0:
            value = schedule.start + schedule.step * steps if steps else schedule.start
        else:
            power = schedule.factor**steps
            value = (
                schedule.start * power + schedule.step * (power - 1) / (schedule.factor - 1)
                if steps
                else schedule.start
            )
        return min(max(value, schedule.low), schedule.high)
    if isinstance(schedule, tuple):
        if not schedule:
            raise SpecError("An empty list is no schedule. Give at least one value.")
        return schedule[min(t, len(schedule)) - 1]
    return schedule


def within(schedule: Schedule, low: float, high: float, generations: int) -> bool:
    """Whether the schedule stays in [low, high] over all generations."""
    return all(low <= value_at(schedule, t) <= high for t in range(1, generations + 1))
