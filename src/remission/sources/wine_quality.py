"""4,898 white wines: eleven measurements and a score (UCI Wine Quality; 0.3 MB download)."""

from __future__ import annotations

import functools
import io
from typing import Literal

import numpy as np

from remission.data import Array, Space
from remission.interfaces import FiniteSource
from remission.sources._download import fetch
from remission.sources._files import categories
from remission.sources._text import Loaded

_COLUMNS = (
    "fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
    "total sulfur dioxide", "density", "pH", "sulphates", "alcohol",
)  # fmt: skip


class WineQuality(FiniteSource):
    """Portuguese Vinho Verde; scores from 3 to 9, of which 3 and 9 are rare.

    Licence CC BY 4.0; Cortez et al., Decision Support Systems 47(4):547 (2009).

    Attributes:
        score: ``none``: vectors (11,) of the measurements; ``class``: labelled items (12,), the score being one of 7
            classes; ``response``: a regression of the score on the measurements.
        standardised: every measurement gets mean 0 and variance 1 (the score stays as it is).

    Raises:
        DataError: the table is not here and cannot be fetched, or a copy is not the published one.

    >>> WineQuality(score="class").label
    'wine-quality[score=class]'
    """

    score: Literal["none", "class", "response"] = "none"
    standardised: bool = True

    @property
    def space(self) -> Space:
        """Measurements, then the score if asked for. Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All wines, (4898, 11 or 12)."""
        return _load(self).items


@functools.cache
def _load(source: WineQuality) -> Loaded:
    rows = np.loadtxt(
        io.StringIO(fetch("wine-quality", "winequality-white.csv").decode("utf-8")), delimiter=",", ndmin=2
    )
    items, score = rows[:, :-1], rows[:, -1]
    if source.standardised:
        items = (items - items.mean(axis=0)) / items.std(axis=0)
    space = Space("vector", (items.shape[1],), names=_COLUMNS)
    if source.score == "class":
        groups, codes = categories([f"{value:.0f}" for value in score], "wine-quality")
        items = np.column_stack([items, codes])
        space = Space("labelled", (items.shape[1],), size=len(groups), names=groups)
    elif source.score == "response":
        items = np.column_stack([items, score])
        space = Space("regression", (items.shape[1],), names=(*_COLUMNS, "quality"))
    items.flags.writeable = False
    return Loaded(space, items)
