"""Kernel density estimates fitted to all data so far blur as slowly as the harmonic series, but without bound.

The same law holds for a random subset of all data so far.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def second_moment(bandwidth: float, generations: int) -> Floats:
    """E|x - mu0|^2 of the training set, in one dimension with s0 = 1: 1 + h^2 (H_t - 1), H_t = sum_{i <= t} 1/i.

    Args:
        bandwidth: h, standard deviation of the Gaussian kernel.
        generations: T; the result has shape (T,).

    Conditions: fixed h, all batches kept, constant n, all trained on or a random subset. The model's own second moment has
    h^2 more. Scale: mean. Source: derived (THEORY K2; the setting of Kazdan et al., arXiv 2410.16713).

    >>> round(float(second_moment(0.5, 40)[-1]), 4)
    1.8196
    """
    return 1.0 + bandwidth**2 * (np.cumsum(1.0 / np.arange(1, generations + 1)) - 1.0)


class KernelAccumulate(Theory):
    """E|x - mu0|^2 of a KDE in *accumulate* or *accumulate-subsample*, in d dimensions: tr Sigma_0 + d h^2 (H_t - 1).

    Collapse here is blur: it rises, logarithmically.

    >>> float(second_moment(1.0, 2)[-1])
    1.5
    """

    row: ClassVar[str] = "K2"
    source: ClassVar[str] = "derived; setting of Kazdan et al., arXiv 2410.16713"
    statement: ClassVar[str] = "E|x - mu0|^2 = 1 + h^2 (H_t - 1)"

    def refuses(self, world: World) -> str:
        """Needs a fixed bandwidth, all batches, constant n and nothing biased or selected."""
        return given.first(
            world,
            given.kernel,
            given.plain_sampling,
            given.real_start,
            given.all_batches,
            given.equal_weights,
            given.newest_model,
            given.constant_count,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The second moment of training set and model."""
        law = world.law
        assert isinstance(law, Law)
        blur = float(world.model.table()["bandwidth"]) ** 2 * world.space.features
        values = float(law.cov.trace()) + blur * (second_moment(1.0, world.generations) - 1.0)
        rows = {"moments[of=training].total": values} | {f"{label}.total": values + blur for label in _LABELS}
        return [Prediction(self.name(), row, "mean", row_values) for row, row_values in rows.items()]


_LABELS = ("moments", "moments[of=sample]")
