"""442 diabetes patients with the split of a published experiment: the data come with scikit-learn."""

from __future__ import annotations

import functools
from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Floats, Space
from remission.errors import DataError
from remission.interfaces import GenerativeSource
from remission.rng import Streams


class Diabetes(GenerativeSource):
    """Is the progression of diabetes after a year above ``threshold``? Ten measurements, then the class 0 or 1.

    The split is fixed, the design too: the reference (generation 0) is the test set of ``train_test_split(test_size =
    ``test``, random_state = ``split``)``, and every training sample the training set, both in their order. Replicates differ
    only in what models draw. So set ``samples`` to the size of the training set and ``reference`` to that of the test set,
    309 and 133 as it comes; fewer takes the first ones, more is an error, for there are no fresh patients.

    Attributes:
        threshold: of the measured progression.
        split: seed of the split.
        test: share of the test set.

    Raises:
        DataError: more patients are asked for than there are.

    Source: Efron et al., Annals of Statistics 32 (2004); the task and the split of Dey & Donoho, arXiv 2410.22812.

    >>> from remission.rng import Streams
    >>> streams = Streams.of(7, [0, 1])
    >>> reference = Diabetes().sample(133, streams)
    >>> training = Diabetes().sample(309, streams.at(1, "real"))
    >>> reference.shape, training.shape, bool((training[0] == training[1]).all())
    ((2, 133, 11), (2, 309, 11), True)
    """

    threshold: float = 100.0
    split: Annotated[int, Meta(ge=0, lt=2**32)] = 123456
    test: Annotated[float, Meta(gt=0, lt=1)] = 0.3

    @property
    def space(self) -> Space:
        """Ten measurements, then the class."""
        return Space("labelled", (11,), size=2, names=("at most", "above"))

    def sample(self, n: int, streams: Streams) -> Array:
        """The first n patients of the training set (r, n, 11); of the test set in generation 0."""
        training, test = _load(self)
        rows, name = (test, "test") if streams.generation == 0 else (training, "training")
        if n > len(rows):
            key = "reference and evaluation" if name == "test" else "samples"
            raise DataError(
                f"diabetes: the {name} set has {len(rows)} patients, and {n} are asked for. Set {key} to {len(rows)}."
            )
        return np.broadcast_to(rows[:n], (len(streams), n, rows.shape[1])).copy()


@functools.cache
def _load(source: Diabetes) -> tuple[Floats, Floats]:
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import train_test_split

    x, y = load_diabetes(return_X_y=True)
    rows = np.column_stack([x, y > source.threshold])
    training, test = train_test_split(rows, test_size=source.test, random_state=source.split)
    return training, test
