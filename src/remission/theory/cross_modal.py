"""Text and images that train on each other: rare captions lose the variety of their images first.

Each caption's images are refitted on as many samples as the caption happens to get.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.world import Prediction, Theory, World


def kept_per_fit(n: int, p: float) -> float:
    """F = P(N = 0) + sum_{j >= 1} Binom(j; n, p) (1 - 1/j): E of the factor on the variance of a caption's images.

    Args:
        n: pairs per generation.
        p: probability of the caption, fixed.

    Conditions: text frozen; images of a caption are one-dimensional Gaussians refitted by MLE; a caption without images keeps
    its Gaussian. Source: derived for the setting of Gao & Li, arXiv 2503.08117 (THEORY X1).

    >>> round(kept_per_fit(40, 0.4) ** 15, 4), round(kept_per_fit(40, 0.1) ** 15, 5)
    (0.3642, 0.00314)
    """
    from scipy.stats import binom

    j = np.arange(1, n + 1)
    return float((1.0 - p) ** n + (binom.pmf(j, n, p) * (1.0 - 1.0 / j)).sum())


def variance(n: int, p: float, generations: int) -> Floats:
    """E s_k^2(t) / s_k^2(0) = F^t, shape (generations,). Scale: mean. Arguments as in :func:`kept_per_fit`.

    >>> round(float(variance(40, 0.4, 15)[-1]), 4)
    0.3642
    """
    return np.asarray(kept_per_fit(n, p) ** np.arange(1, generations + 1), np.float64)


class CrossModal(Theory):
    """Variance of each caption's images in a text-image loop; see :func:`variance`. In collapse it falls to 0.

    >>> round(kept_per_fit(2, 1.0), 12)
    0.5
    """

    row: ClassVar[str] = "X1"
    source: ClassVar[str] = "derived; setting of Gao & Li, arXiv 2503.08117"
    statement: ClassVar[str] = "E s_k^2(t) = F_k^t, F_k = P(N=0) + sum_j Binom(j; n, p_k)(1 - 1/j)"

    def refuses(self, world: World) -> str:
        """Always: a loop has one model."""
        return "it needs a text and an image model"

    def predict(self, world: World) -> list[Prediction]:
        """Nothing."""
        return []
