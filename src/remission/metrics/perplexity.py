"""Perplexity of held-out real text, or symbols, under the newest model."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import DISCRETE, Floats
from remission.interfaces import Direction, HasDensity, Metric
from remission.metrics._chances import given_tokens, log_chances
from remission.view import View


class Perplexity(Metric):
    """exp of the mean negative log-probability per token of the reference; every column rises in collapse.

    With l_j the log-probability of block j given its start and k tokens predicted in each of m blocks:
    ``""`` = exp(- sum_j l_j / (m k)), at least 1; ``nll`` its logarithm in nats per token; both are infinite, and
    reported so, as soon as one block is impossible for the model. ``impossible`` is the share of such blocks
    in [0, 1], and ``possible`` the perplexity of the other blocks alone (NaN without any): it can fall while more
    and more becomes impossible, so never read it alone.
    Always of the fitted model, before temperature or truncation.

    Attributes:
        given: tokens at the start of a block that are not predicted; -1: the ``order`` - 1 of an n-gram model, 0 for a
            model without an order.

    >>> Perplexity(given=1).label
    'perplexity[given=1]'
    """

    accepts: ClassVar[frozenset[str]] = DISCRETE
    columns: ClassVar[dict[str, Direction]] = {
        "": "rises", "nll": "rises", "impossible": "rises", "possible": "either",
    }  # fmt: skip
    needs: ClassVar[tuple[type, ...]] = (HasDensity,)
    samples: ClassVar[bool] = False

    given: Annotated[int, Meta(ge=-1)] = -1

    def measure(self, view: View) -> dict[str, Floats]:
        """Four columns (r,)."""
        length = view.space.shape[0] if view.space.shape else 1
        predicted = max(length - given_tokens(view.model, self.given), 0)
        blocks = log_chances(view, view.state, view.reference)
        dead = blocks == -np.inf
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            nll = -blocks.mean(axis=1) / predicted if predicted else np.full(len(blocks), np.nan)
            alive = np.where(dead, 0.0, blocks).sum(axis=1) / (~dead).sum(axis=1)
            return {
                "": np.exp(nll),
                "nll": nll,
                "impossible": dead.mean(axis=1),
                "possible": np.exp(-alive / predicted) if predicted else np.full(len(blocks), np.nan),
            }
