"""Class balance of the generated labels: smallest share, entropy, distance from the real shares."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import LABELLED, Floats
from remission.errors import DataError
from remission.interfaces import Direction, Metric
from remission.numerics import counts
from remission.view import View


class ClassBalance(Metric):
    """Shares of the classes among the labels of the sample, over all classes of the space.

    ``smallest`` = the least share of a class, in [0, 1 / classes], falls; ``entropy`` = - sum p ln p in nats, falls;
    ``tv`` = half the sum of |p - real shares|, in [0, 1], rises; real shares are those of the labels of equally many
    reference items. For a labeller the sample is the reference with the labels it would give.

    Raises:
        DataError: a label is not a class of the space.

    >>> list(ClassBalance.columns)
    ['smallest', 'entropy', 'tv']
    """

    accepts: ClassVar[frozenset[str]] = LABELLED
    columns: ClassVar[dict[str, Direction]] = {"smallest": "falls", "entropy": "falls", "tv": "rises"}
    sized: ClassVar[bool] = True

    def measure(self, view: View) -> dict[str, Floats]:
        """Three columns (r,)."""
        p, real = (_shares(items[..., -1], view.space.size) for items in view.pair())
        return {"smallest": p.min(axis=1), "entropy": counts.entropy(p), "tv": counts.total_variation(p, real)}


def _shares(labels: Floats, size: int) -> Floats:
    if not (labels == np.floor(labels)).all():
        raise DataError(f"class-balance: labels must be whole numbers 0 .. {size - 1}. Is the last column the class?")
    return counts.shares(counts.tally(labels.astype(np.int64), size))
