"""Local means and deviations of a field: what a point differs from its neighbourhood by, and how much is usual there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remission.numerics.jit import jit

Field = npt.NDArray[np.float32]


@jit(fast=True)
def _means(field, radius, out):  # type: ignore[no-untyped-def]
    """Mean over the window of 2 radius + 1 points a side, cut off at the edges."""
    h, w = field.shape
    column, running = np.zeros(w), np.zeros(w + 1)
    for j in range(w):
        for i in range(min(radius, h)):
            column[j] += field[i, j]
    for i in range(h):
        if i + radius < h:
            for j in range(w):
                column[j] += field[i + radius, j]
        if i - radius - 1 >= 0:
            for j in range(w):
                column[j] -= field[i - radius - 1, j]
        total = 0.0
        for j in range(w):
            total += column[j]
            running[j + 1] = total
        rows = min(h - 1, i + radius) - max(0, i - radius) + 1
        inner = 1.0 / (rows * (2 * radius + 1))
        for j in range(min(radius, w)):
            high = min(w, j + radius + 1)
            out[i, j] = running[high] / (rows * high)
        for j in range(radius, w - radius):
            out[i, j] = (running[j + radius + 1] - running[j - radius]) * inner
        for j in range(max(radius, w - radius), w):
            low = j - radius
            out[i, j] = (running[w] - running[low]) / (rows * (w - low))


def local_contrast(field: Field, radius: int) -> tuple[Field, Field]:
    """What each point of a field (h, w) differs from the mean around it by, and the root mean square of that around it.

    Args:
        field: (h, w) float32.
        radius: windows are squares of 2 radius + 1 points a side, cut off at the edges of the field.

    Returns:
        Differences (h, w) and deviations (h, w), float32.

    >>> rest, deviation = local_contrast(np.full((9, 9), 7.0, np.float32), 2)
    >>> float(abs(rest).max()), float(deviation.max())
    (0.0, 0.0)
    """
    rest, square = np.empty_like(field), np.empty_like(field)
    _means(field, radius, rest)
    np.subtract(field, rest, out=rest)
    _means(rest * rest, radius, square)
    return rest, np.sqrt(np.maximum(square, 0.0, out=square), out=square)


@jit(fast=True)
def add_tiled(planes, strength, period, gain, out):  # type: ignore[no-untyped-def]
    """Add a pattern that repeats to bytes, rounded and cut off at 0 and 255; the mean squared change.

    Args:
        planes: (h, w, c) uint8.
        strength: (h, w) what the pattern is multiplied with at each point.
        period: (a, b) of the pattern.
        gain: what it is multiplied with everywhere.
        out: (h, w, c) uint8, filled.
    """
    h, w, channels = planes.shape
    a, b = period.shape
    total = 0.0
    for i in range(h):
        for j in range(w):
            change = np.rint(np.float32(gain) * strength[i, j] * period[i % a, j % b])
            for k in range(channels):
                before = np.int64(planes[i, j, k])
                after = min(np.int64(255), max(np.int64(0), before + np.int64(change)))
                out[i, j, k] = after
                total += float((after - before) * (after - before))
    return total / (h * w * channels)
