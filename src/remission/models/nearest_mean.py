"""A linear classifier by nearest class mean: the classifier of the verifier theory.

With symmetric classes N(+-mu, I) it is the averaging rule sign(x . mean(y x)) of Feng et al. (arXiv:2406.07515).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from remission.data import LABELLED, Array, Dataset, Floats
from remission.errors import FitError, SpecError
from remission.interfaces import AdditiveModel, Labeller, Sampling, State
from remission.rng import Streams


@dataclass(frozen=True, eq=False)
class Classes:
    """Total weight (r, C) and mean (r, C, d) of every class: the statistics and the state alike."""

    weight: Floats
    mean: Floats


class NearestMean(AdditiveModel, Labeller):
    """Gives each item the label of the class whose mean is nearest (Euclidean).

    A class that has died out is never predicted again. Ties go to the smaller label. In collapse accuracy falls.

    Attributes:
        covariates: ``new`` features every generation, or the ``same`` as in generation 1.

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> items = np.array([[[0.0, 0], [1.0, 0], [4.0, 1]]])
    >>> model = NearestMean()
    >>> state = model.fit(Dataset(Space("labelled", (2,), 2), items, np.zeros((1, 3), np.int32)), None)
    >>> model.predict(state, np.array([[[2.0, 0], [3.0, 0]]]))
    array([[0., 1.]])
    """

    accepts: ClassVar[frozenset[str]] = LABELLED
    weighted: ClassVar[bool] = True

    covariates: Literal["new", "same"] = "new"

    def statistics(self, data: Dataset) -> Classes:
        """Weight and mean of every class."""
        classes, features = data.space.size, data.space.features
        weight = np.ones(data.origin.shape) if data.weight is None else data.weight
        total = np.zeros((data.replicates, classes))
        mean = np.zeros((data.replicates, classes, features))
        for i in range(data.replicates):
            for c in range(classes):
                here = data.items[i, :, -1] == c
                total[i, c] = weight[i, here].sum()
                if total[i, c] > 0:
                    rows = np.ascontiguousarray(data.items[i, here, :-1].T)
                    mean[i, c] = (rows * weight[i, here]).sum(axis=1) / total[i, c]
        return Classes(total, mean)

    def merge(self, one: Classes, other: Classes) -> Classes:
        """Weighted average of the means."""
        weight = one.weight + other.weight
        share = np.divide(other.weight, weight, out=np.zeros_like(weight), where=weight > 0)
        return Classes(weight, one.mean + (other.mean - one.mean) * share[..., None])

    def solve(self, statistics: Classes, previous: State | None = None) -> Classes:
        """The means themselves. Raises FitError when there is no item at all."""
        if not (statistics.weight.sum(axis=1) > 0).all():
            raise FitError("A nearest-mean classifier needs at least one item. Raise samples or the kept share.")
        return statistics

    def predict(self, state: Classes, items: Array) -> Floats:
        """The label of the nearest mean (r, m)."""
        features = items[..., :-1]
        distance = np.empty((*features.shape[:2], state.weight.shape[1]))
        for c in range(distance.shape[2]):
            gap = features - state.mean[:, None, c]
            distance[..., c] = np.where(state.weight[:, None, c] > 0, (gap * gap).sum(axis=-1), np.inf)
        return distance.argmin(axis=2).astype(np.float64)

    def relabel(self, state: Classes, items: Array, streams: Streams) -> Array:
        """Items with the predicted label; no noise."""
        out = np.array(items)
        out[..., -1] = self.predict(state, items)
        return out

    def sample(self, state: Classes, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Refused: it labels given features."""
        raise SpecError("nearest-mean labels features; it does not generate them.")
