"""The language-model log-likelihood ratio between classes as a scorer."""

from __future__ import annotations

import numpy as np

from remission.detectors._training import Training
from remission.numerics import likelihood
from remission.numerics.arrays import Array, Floats
from remission.numerics.reading import Reading

LEAST = 2  # units that hold an n-gram
DOUBT = 10.0  # known pieces at which a ratio counts half


def fit(training: Training, order: int, strength: float) -> dict[str, Array]:
    """The counts of both classes."""
    pair = likelihood.fit(
        training.reading, training.synthetic, training.weight, training.units, order, LEAST
    )  # fmt: skip
    return {**pair._asdict(), "law": np.array([order, strength])}


def scores(state: dict[str, Array], reading: Reading) -> Floats:
    """The mean log-ratio of the known pieces of each text (m,), drawn towards 0 where there are few."""
    out = np.empty((reading.texts, 2))
    order, strength = int(state["law"][0]), float(state["law"][1])
    likelihood.ratios(
        reading.hashes, reading.starts, order, strength, state["keys"], state["counts"], state["after"], out
    )
    return out[:, 0] * out[:, 1] / (out[:, 1] + DOUBT)
