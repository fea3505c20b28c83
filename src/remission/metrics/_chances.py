"""What the metrics of likelihood share: log-probabilities of blocks, and how many tokens of a block are predicted."""

from __future__ import annotations

from typing import cast

import numpy as np

from remission.data import Array, Floats
from remission.interfaces import HasDensity, Model, State
from remission.view import View


def given_tokens(model: Model, given: int) -> int:
    """Tokens at the start of a block that are not predicted; -1: what the model itself takes as given.

    That is ``order`` - 1 tokens for a model with an order, and none for others.
    """
    return getattr(model, "order", 1) - 1 if given < 0 else given


def log_chances(view: View, state: State, items: Array) -> Floats:
    """Natural log-probability (r, m) of each block under a state of the model of this view."""
    found = cast(HasDensity, view.model).log_density(state, items)
    return np.ascontiguousarray(found, dtype=np.float64)


def block_perplexities(view: View, state: State, items: Array, given: int) -> Floats:
    """exp(- l / k) of each block (r, m), l its log-probability and k how many tokens are predicted; may be inf."""
    predicted = items.shape[2] - given_tokens(view.model, given)
    if predicted < 1:
        return np.full(items.shape[:2], np.nan)
    with np.errstate(over="ignore"):
        return np.exp(-log_chances(view, state, items) / predicted)
