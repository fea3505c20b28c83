"""Scores of items, reading by reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from remission.detectors._reading import lengths, readings
from remission.numerics.arrays import Array, Floats, Words
from remission.numerics.reading import Reading, spelled
from remission.numerics.vocabulary import split


def judged(items: Sequence[Any], vocabulary: Words, score: Callable[[Reading], Floats]) -> Floats:
    """The scores (n,) that ``score`` gives readings with joined words taken apart; NaN for items without a word."""
    out = [np.empty(0)]
    for reading in readings(items):
        whole = split(reading, vocabulary)
        out.append(np.where(lengths(whole) > 0, score(whole), np.nan))
    return np.concatenate(out)


def left(items: Sequence[Any]) -> list[str]:
    """What reading leaves of texts: lower case, one kind of quotes and dashes, blanks before words only, digits as 0.

    Joined words are still joined: which ones come apart is learned in the fit.
    """
    out = []
    for reading in readings(items):
        whole, starts = spelled(reading)
        texts = [whole[low:high].astype("<u4").tobytes().decode("utf-32-le") for low, high in pairwise(starts)]
        out += [text.removeprefix(" ") for text in texts]
    return out


def part(state: dict[str, Array], name: str) -> dict[str, Array]:
    """The arrays whose names begin with ``name.``, without that."""
    return {key.removeprefix(f"{name}."): array for key, array in state.items() if key.startswith(f"{name}.")}


def named(name: str, state: dict[str, Array]) -> dict[str, Array]:
    """The arrays under names that begin with ``name.``."""
    return {f"{name}.{key}": array for key, array in state.items()}
