"""Exchanging synthetic arrivals for real ones, exactly and without losing an item."""

from __future__ import annotations

import dataclasses

from remission.data import REAL
from remission.interfaces import Part, Recipe


def with_real_share(recipe: Recipe, share: float) -> Recipe:
    """The same recipe with ``share`` of its synthetic arrivals exchanged for fresh real ones.

    The number of real items is ``share`` times the synthetic count, rounded to the nearest whole number.
    """
    parts: list[Part] = []
    real: float = 0
    for part in recipe.arrivals:
        if part.origin == REAL:
            parts.append(part)
            continue
        moved = part.count * share if recipe.mixed else round(part.count * share)
        real += moved
        if part.count - moved > 0:
            parts.append(dataclasses.replace(part, count=part.count - moved))
    if real > 0:
        parts.insert(0, Part(REAL, real))
    return dataclasses.replace(recipe, arrivals=tuple(parts))


def newest(t: int, n: int, lag: int) -> tuple[Part, ...]:
    """The arrivals of generation t: n items of the model ``lag`` fits back, real ones in generation 1."""
    return (Part(REAL if t == 1 else max(1, t - lag), n),)
