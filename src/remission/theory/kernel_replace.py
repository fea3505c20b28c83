"""Kernel density estimates refitted on their own samples blur without end.

Every generation adds the kernel's variance: the second moment grows linearly, while the sample's own variance settles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def second_moment(bandwidth: float, generations: int) -> Floats:
    """E|x - mu0|^2 of the training set, in one dimension with s0 = 1: 1 + (t - 1) h^2. The model's own has h^2 more.

    Args:
        bandwidth: h, standard deviation of the Gaussian kernel.
        generations: T; the result has shape (T,).

    Conditions: fixed h, replace. Scale: mean. Source: derived (THEORY K1; the setting of Kazdan et al., arXiv 2410.16713).

    >>> round(float(second_moment(0.5, 40)[-1]), 4)
    10.75
    """
    return np.asarray(1.0 + np.arange(generations) * bandwidth**2, np.float64)


def variance(counts: Sequence[int], bandwidth: float) -> Floats:
    """E variance of the training set (divided by n), s0 = 1: V_1 = 1 - 1/n, V_{t+1} = (1 - 1/n)(V_t + h^2) -> (n - 1) h^2.

    Args:
        counts: n_1 .. n_T.
        bandwidth: h.

    Conditions, scale and source as in :func:`second_moment`.

    >>> round(float(variance([20] * 2000, 0.5)[-1]), 4)
    4.75
    """
    values = np.empty(len(counts))
    values[0] = 1.0 - 1.0 / counts[0]
    for t in range(1, len(counts)):
        values[t] = (1.0 - 1.0 / counts[t]) * (values[t - 1] + bandwidth**2)
    return values


class KernelReplace(Theory):
    """E variance and E|x - mu0|^2 of a KDE in *replace*, in d dimensions (traces: h^2 becomes d h^2).

    Collapse here is blur: the second moment rises. See :func:`second_moment` and :func:`variance`.

    >>> float(second_moment(1.0, 3)[-1])
    3.0
    """

    row: ClassVar[str] = "K1"
    source: ClassVar[str] = "derived; setting of Kazdan et al., arXiv 2410.16713"
    statement: ClassVar[str] = "E var_{t+1} = (1 - 1/n)(var_t + h^2); E|x - mu0|^2 = 1 + (t - 1) h^2"

    def refuses(self, world: World) -> str:
        """Needs a fixed bandwidth, replace and nothing biased or selected."""
        return given.first(world, given.kernel, given.plain_sampling, given.real_start, given.replace)

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance and second moment of model and training set."""
        assert isinstance(world.law, Law)
        scale = float(world.law.cov.trace())
        if scale == 0.0:
            return []
        blur = float(world.model.table()["bandwidth"]) ** 2 * world.space.features
        h = float(np.sqrt(blur / scale))
        within = scale * variance(given.counts(world).tolist(), h)
        error = scale * second_moment(h, world.generations) - within
        return moment_rows(world, self.name(), error, within + blur, within)
