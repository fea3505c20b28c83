"""Precision, recall, density and coverage of one pool of points under many labellings, for permutation tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Floats
from remission.numerics.jit import jit
from remission.numerics.neighbours import distances, points_of

Labels = npt.NDArray[np.int8]  # (b, n): 0 = reference, 1 = generated, -1 = left out


@jit()
def _relabelled(order, sorted_, labels, k, out):  # type: ignore[no-untyped-def]
    n = order.shape[0]
    radius = np.empty(n)
    hit = np.empty(n, np.bool_)
    for b in range(labels.shape[0]):
        label = labels[b]
        for i in range(n):
            hit[i], radius[i], seen = False, np.inf, 0
            if label[i] >= 0:
                for step in range(n - 1):
                    if label[order[i, step]] == label[i]:
                        seen += 1
                        if seen == k:
                            radius[i] = sorted_[i, step]
                            break
        real = made = held = inside = 0
        for i in range(n):
            if label[i] < 0:
                continue
            real += label[i] == 0
            made += label[i] == 1
            found = False
            for step in range(n - 1):
                if sorted_[i, step] >= radius[i]:
                    break
                j = order[i, step]
                if label[j] == 1 - label[i]:
                    hit[j] = found = True
                    inside += label[i] == 0
            held += found and label[i] == 0
        precise = recalled = 0
        for i in range(n):
            precise += hit[i] and label[i] == 1
            recalled += hit[i] and label[i] == 0
        out[b, 0], out[b, 1] = precise / made, recalled / real
        out[b, 2], out[b, 3] = inside / k / made, held / real


class Neighbourhood:
    """All points of a pool (n, d) with the others sorted by distance: memory 12 n^2 bytes, once."""

    def __init__(self, points: Floats) -> None:
        square = distances(points_of(points), points_of(points))
        np.fill_diagonal(square, np.inf)
        order = np.argsort(square, axis=1)[:, :-1]  # the order of equal distances decides nothing
        self._sorted = np.take_along_axis(square, order, axis=1)
        self._order = order.astype(np.int32)

    def prdc(self, labels: Labels, k: int) -> Floats:
        """Precision, recall, density, coverage (b, 4) of the points labelled 1 against those labelled 0.

        The same numbers as :func:`remission.numerics.neighbours.prdc` gives for each labelling, at a cost of about
        n k steps each.
        """
        out = np.empty((len(labels), 4))
        _relabelled(self._order, self._sorted, np.ascontiguousarray(labels, np.int8), k, out)
        return out
