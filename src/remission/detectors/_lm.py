"""Statistics of a text under language models, from what its tokens add up to."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from remission.numerics.arrays import Floats

Statistic = Literal["likelihood", "rank", "log-rank", "lrr", "entropy", "fast-detectgpt", "binoculars"]
LONGEST = 200  # characters per token that are cut at most, so that a document of 10 MB costs no more than its beginning
PAIRED = frozenset({"fast-detectgpt", "binoculars"})  # statistics that can look through a second model

# columns of remission.networks.scoring.SUMS, which cannot be imported here without torch
COUNT, LIKELIHOOD, RANK, LOG_RANK, ENTROPY, EXPECTED, VARIANCE = range(7)


def statistic(name: Statistic, sums: Floats) -> Floats:
    """The statistic (n,) of texts whose tokens add up to ``sums`` (n, 7); higher is more likely synthetic.

    NaN for a text without a predicted token, and where the law leaves nothing to chance (a variance or cross-entropy of 0).

    >>> sums = np.array([[2.0, -3.0, 5.0, 1.5, 4.0, -4.0, 4.0]])
    >>> [float(statistic(name, sums)[0]) for name in ("likelihood", "lrr", "fast-detectgpt", "binoculars")]
    [-1.5, 2.0, 0.5, -0.75]
    """
    columns = np.where(sums[:, [COUNT]] > 0, sums, math.nan).T
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _formula(name, columns)
    return np.where(np.isfinite(found), found, math.nan)


def _formula(name: Statistic, columns: Any) -> Any:
    count, likelihood = columns[COUNT], columns[LIKELIHOOD]
    if name == "likelihood":
        return likelihood / count
    if name == "rank":
        return -columns[RANK] / count
    if name == "log-rank":
        return -columns[LOG_RANK] / count
    if name == "entropy":
        return columns[ENTROPY] / count
    if name == "lrr":
        # a text of first choices alone has no rank to divide by: it counts as if one token were the second choice
        return -likelihood / np.maximum(columns[LOG_RANK], math.log(2))
    if name == "fast-detectgpt":
        return (likelihood - columns[EXPECTED]) / np.sqrt(columns[VARIANCE])
    return -likelihood / columns[EXPECTED]
