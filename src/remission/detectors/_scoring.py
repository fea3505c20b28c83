"""Scores of items, reading by reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from remission.detectors._reading import lengths, readings
from remission.numerics.arrays import Array, Floats, Words
from remission.numerics.reading import Reading
from remission.numerics.vocabulary import split


def judged(items: Sequence[Any], vocabulary: Words, score: Callable[[Reading], Floats]) -> Floats:
    """The scores (n,) that ``score`` gives readings with joined words taken apart; NaN for items without a word."""
    out = [np.empty(0)]
    for reading in readings(items):
        whole = split(reading, vocabulary)
        out.append(np.where(lengths(whole) > 0, score(whole), np.nan))
    return np.concatenate(out)


def part(state: dict[str, Array], name: str) -> dict[str, Array]:
    """The arrays whose names begin with ``name.``, without that."""
    return {key.removeprefix(f"{name}."): array for key, array in state.items() if key.startswith(f"{name}.")}


def named(name: str, state: dict[str, Array]) -> dict[str, Array]:
    """The arrays under names that begin with ``name.``."""
    return {f"{name}.{key}": array for key, array in state.items()}
