"""Scores that rank items: a value per symbol, coefficients of a linear score, or a function of the user's."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable

import numpy as np

from remission.data import DISCRETE, Array, Floats, Space
from remission.errors import SpecError, did_you_mean

Score = tuple[float, ...] | str


@functools.cache
def _function(path: str) -> Callable[[Array], Array]:
    module_name, _, attribute = path.partition(":")
    if not attribute:
        raise SpecError(f"A score by name is an import path 'module:function'. Got '{path}'.")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise SpecError(f"Cannot import '{module_name}' of score '{path}': {error}.") from None
    found = getattr(module, attribute, None)
    if not callable(found):
        own = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise SpecError(f"Module '{module_name}' has no function '{attribute}'. {did_you_mean(attribute, own)}")
    if isinstance(found, type):
        raise SpecError(
            f"'{path}' is a class. A score is a function of items (n, *item) that returns (n,) numbers, such as one that "
            f"calls score_samples of an estimator you fitted."
        )
    return found


def check_score(owner: str, score: Score) -> None:
    """Raise SpecError for a score that can rank nothing."""
    if isinstance(score, str):
        _function(score)
    elif not score:
        raise SpecError(f"{owner}: the score needs a number per symbol or coordinate, or an import path. Got none.")


def misfit(score: Score, space: Space) -> str:
    """Why a score does not fit items of this space; empty when it does."""
    if isinstance(score, str):
        return ""
    wanted = space.size if space.kind in DISCRETE else space.features
    if len(score) == wanted:
        return ""
    what = "symbols" if space.kind in DISCRETE else "coordinates"
    return f"the score has {len(score)} numbers, the items have {wanted} {what}. Give one for each."


def scores(owner: str, score: Score, space: Space, items: Array) -> Floats:
    """The score of each item (r, n). Tokens are scored by the sum over the block, rows by their features.

    A function gets the items of one replicate ``(n, *item)`` and returns ``(n,)`` numbers.
    """
    if isinstance(score, str):
        function = _function(score)
        out = np.stack([np.asarray(function(one), dtype=np.float64) for one in items])
        if out.shape != items.shape[:2]:
            raise SpecError(
                f"{owner}: '{score}' must return one number per item, {items.shape[1]}. Got {out.shape[1:]}."
            )
        if np.isnan(out).any():
            raise SpecError(f"{owner}: '{score}' returned NaN. Every item needs a score.")
        return out
    if reason := misfit(score, space):
        raise SpecError(f"{owner}: {reason}")
    values = np.asarray(score, dtype=np.float64)
    if space.kind in DISCRETE:
        picked = values[items]
        return picked if picked.ndim == 2 else picked.sum(axis=-1)
    total = np.zeros(items.shape[:2])
    for coordinate, value in enumerate(values):  # one by one: bit-identical for any block
        total += items[..., coordinate] * value
    return total
