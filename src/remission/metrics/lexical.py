"""Lexical diversity: type-token ratios, MSTTR, MATTR, HD-D and MTLD."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import TOKENS, Floats
from remission.interfaces import Direction, Metric
from remission.metrics._words import Unit, sizes, units
from remission.numerics import lexical
from remission.view import View


class Lexical(Metric):
    """Indices of vocabulary richness of the sample read as one running text, block after block.

    ``ttr`` = types / tokens, ``root-ttr`` = types / sqrt(tokens), ``log-ttr`` = log types / log tokens, ``maas`` =
    (log10 tokens - log10 types) / (log10 tokens)^2 (the only one that rises in collapse), ``msttr`` and ``mattr`` =
    mean ratio of consecutive segments and of all windows of ``window`` tokens, ``hdd`` = expected ratio of ``draws``
    tokens drawn without replacement, ``mtld`` = mean number of tokens that keep a ratio above ``threshold`` (McCarthy
    & Jarvis 2010, doi:10.3758/BRM.42.2.381). The first four move with the length: the sample is cut to the size of the
    reference. HD-D is nearly blind to collapse; MTLD and MATTR see it. Edge cases as in the package
    ``lexical-diversity``: HD-D of fewer than ``draws`` tokens and MTLD of a text without repeats are 0.

    Attributes:
        window: tokens per window of MSTTR and MATTR.
        draws: tokens drawn in HD-D.
        threshold, least: ratio that ends a factor of MTLD, and its smallest length in tokens.
        unit: ``tokens``, or ``words``, numbers and signs of the text they make (as in ``distinct``).

    >>> Lexical(window=100).label
    'lexical[window=100]'
    """

    accepts: ClassVar[frozenset[str]] = TOKENS
    columns: ClassVar[dict[str, Direction]] = {
        "ttr": "falls", "root-ttr": "falls", "log-ttr": "falls", "maas": "rises",
        "msttr": "falls", "mattr": "falls", "hdd": "falls", "mtld": "falls",
    }  # fmt: skip
    sized: ClassVar[bool] = True

    window: Annotated[int, Meta(ge=1)] = 50
    draws: Annotated[int, Meta(ge=1)] = 42
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.72
    least: Annotated[int, Meta(ge=1)] = 10
    unit: Unit = "tokens"

    def prepare(self, view: View) -> list[int] | None:
        """How many words the reference has."""
        return sizes(view, self.unit)

    def measure(self, view: View) -> dict[str, Floats]:
        """Eight columns (r,)."""
        rows = [found.flat for found in units(view, self.unit, view.prepared)]
        measures = {
            "ttr": lexical.ttr,
            "root-ttr": lexical.root_ttr,
            "log-ttr": lexical.log_ttr,
            "maas": lexical.maas_ttr,
            "msttr": lambda row: lexical.msttr(row, self.window),
            "mattr": lambda row: lexical.mattr(row, self.window),
            "hdd": lambda row: lexical.hdd(row, self.draws),
            "mtld": lambda row: lexical.mtld(row, self.threshold, self.least),
        }
        return {name: np.array([measure(row) for row in rows]) for name, measure in measures.items()}
