"""Statistics of pictures: grey levels, sharpness, and the power spectrum averaged over directions.

Pictures are rows (n, height * width * channels) in the order (height, width, channel), with a shape (height, width,
channels).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from remission.errors import DataError
from remission.numerics.arrays import Array, Floats

Shape = tuple[int, int, int]

_CHUNK = 1024  # pictures worked on together
LEVELS = 16  # classes of grey levels


class PixelStatistics(NamedTuple):
    """What a set of pictures looks like without asking what they show.

    Attributes:
        mean: grey level.
        spread: mean over the pixels of the standard deviation (over n) across pictures: how different pictures are.
        contrast: mean over pictures of the standard deviation across the pixels of a picture.
        empty, full, outside: shares of values within ``edge`` of 0, of 1, and beyond 0 .. 1 by more than ``edge``.
        sharpness: mean squared difference of neighbouring pixels, of rows and columns together.
        levels: shares (LEVELS,) of equal classes of grey levels; what lies beyond 0 .. 1 is in the outer ones.
    """

    mean: float
    spread: float
    contrast: float
    empty: float
    full: float
    outside: float
    sharpness: float
    levels: Floats


def pixel_statistics(pictures: Array, shape: Shape, edge: float = 1 / 64) -> PixelStatistics:
    """Statistics of pictures (n, h * w * c) with n of 1 or more.

    >>> import numpy as np
    >>> found = pixel_statistics(np.array([[0.0, 1.0, 0.0, 1.0]]), (2, 2, 1))
    >>> found.mean, found.spread, found.contrast, found.full, found.sharpness
    (0.5, 0.0, 0.5, 0.5, 0.5)
    """
    points = np.asarray(pictures, np.float64)
    if not len(points):
        raise DataError("Statistics of pixels need at least one picture.")
    mean = points.mean(axis=0)
    spread = np.sqrt(((points - mean) ** 2).mean(axis=0)).mean()
    grey = np.clip((points * LEVELS).astype(np.int64), 0, LEVELS - 1)
    levels = np.bincount(grey.ravel(), minlength=LEVELS) / grey.size
    return PixelStatistics(
        mean=float(mean.mean()),
        spread=float(spread),
        contrast=float(points.std(axis=1).mean()),
        empty=float((np.abs(points) <= edge).mean()),
        full=float((np.abs(points - 1.0) <= edge).mean()),
        outside=float(((points < -edge) | (points > 1.0 + edge)).mean()),
        sharpness=_sharpness(points, shape),
        levels=levels,
    )


def _sharpness(points: Floats, shape: Shape) -> float:
    total, count = 0.0, 0
    for start in range(0, len(points), _CHUNK):
        part = points[start : start + _CHUNK].reshape(-1, *shape)
        for gaps in (np.diff(part, axis=1), np.diff(part, axis=2)):
            total += float((gaps * gaps).sum())
            count += gaps.size
    return total / count if count else math.nan


class Rings(NamedTuple):
    """Frequencies of a picture by their distance from zero, in cycles per pixel.

    Attributes:
        ring: which ring each coefficient (h, w) lies in; -1 for zero frequency and beyond 0.5.
        number: how many rings.
        radius: distance of each coefficient from zero (h, w).
    """

    ring: Array
    number: int
    radius: Floats


def rings(shape: Shape) -> Rings:
    """Rings as wide as one cycle per longer side, around 1, 2, ... cycles, up to 0.5 cycles per pixel."""
    height, width, _ = shape
    longer = max(height, width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    ring = np.rint(radius * longer).astype(np.int64) - 1
    ring[(radius == 0) | (radius > 0.5 + 1e-12)] = -1
    return Rings(ring, int(ring.max()) + 1, radius)


def power(pictures: Array, shape: Shape) -> Floats:
    """Mean power (h, w) of each frequency: |FFT|^2 / (h w) over pictures and channels; 0 at frequency zero.

    Without the zero frequency its mean over all coefficients is the mean variance within a picture (Parseval).

    >>> import numpy as np
    >>> stripes = np.tile([0.0, 1.0], 8)
    >>> power(stripes[None], (4, 4, 1)).round(12).tolist()[0]
    [0.0, 0.0, 4.0, 0.0]
    """
    height, width, _ = shape
    total = np.zeros((height, width))
    for start in range(0, len(pictures), _CHUNK):
        part = np.asarray(pictures[start : start + _CHUNK], np.float64).reshape(-1, *shape)
        part = part - part.mean(axis=(1, 2), keepdims=True)
        found = np.fft.fft2(part, axes=(1, 2))
        total += (found.real**2 + found.imag**2).mean(axis=3).sum(axis=0)
    total /= max(1, len(pictures)) * height * width
    total[0, 0] = 0.0
    return total


def profile(power: Floats, rings: Rings) -> Floats:
    """Mean power of each ring (number,): the azimuthally averaged spectrum; NaN for a ring without a frequency.

    Source: Durall, Keuper & Keuper, "Watch your up-convolution" (CVPR 2020), section 2.
    """
    inside = rings.ring >= 0
    sums = np.bincount(rings.ring[inside], power[inside], rings.number)
    counts = np.bincount(rings.ring[inside], minlength=rings.number)
    with np.errstate(invalid="ignore"):
        return sums / counts


def spectral_distance(one: Floats, other: Floats) -> float:
    """Root mean square over rings of 10 log10 (one / other), in decibels.

    Infinite when one has power where the other has none; rings where neither has any do not count (NaN without a ring).
    """
    counted = ~np.isnan(one) & ((one > 0) | (other > 0))
    if not counted.any():
        return math.nan
    with np.errstate(divide="ignore"):
        gaps = 10 * (np.log10(one[counted]) - np.log10(other[counted]))
    return float(np.sqrt((gaps * gaps).mean()))


def high_share(power: Floats, rings: Rings, above: float = 0.25) -> float:
    """Share of the power at frequencies beyond ``above`` cycles per pixel; NaN without any power."""
    whole = float(power.sum())
    return float(power[rings.radius > above].sum()) / whole if whole > 0 else math.nan
