"""Where a linear recursion of moments stops to be stable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from remission.data import Floats
from remission.world import Threshold, World

Matrix = Callable[[float, float, float], Floats]  # (n_r, n_s, bias) -> linear part of the recursion


def stability(law: str, world: World, mix: tuple[int, int], matrix: Matrix, told: str) -> list[Threshold]:
    """Where the spectral radius of a moment recursion is 1, by the share of real data and by the sampling bias.

    Args:
        law: the name it is reported under.
        world: whose sampling is biased by ``bias * temperature`` at most, and whose regime has a ``share`` of real data.
        mix: (n_r, n_s), real items and items of the last model.
        matrix: of the recursion of (error, variance).
        told: what happens there.
    """
    from scipy.optimize import brentq

    real, synthetic = mix
    n = real + synthetic
    temperature = world.sampling.temperature
    bias = world.sampling.bias * temperature

    def beyond(real: float, synthetic: float, bias: float) -> float:
        return float(np.abs(np.linalg.eigvals(matrix(real, synthetic, bias))).max()) - 1.0

    found = []
    if real > 0 and synthetic > 0:
        most = 4.0 * n / synthetic + 4.0
        found.append(("sampling.bias", brentq(lambda b: beyond(real, synthetic, b), 0.0, most) / temperature))
    if n > 2 and beyond(1.0, n - 1.0, bias) > 0 > beyond(n - 1.0, 1.0, bias):
        found.append(("regime.share", brentq(lambda r: beyond(r * n, (1 - r) * n, bias), 1 / n, 1 - 1 / n)))
    return [Threshold(law, key, float(value), "any", told) for key, value in found]
