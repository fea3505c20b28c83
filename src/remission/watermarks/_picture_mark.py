"""Adding a periodic pattern to the brightness of a picture, as strongly as its contrast hides."""

from __future__ import annotations

import math

import numpy as np

from remission.numerics.arrays import Array
from remission.numerics.local import Field, add_tiled, local_contrast
from remission.watermarks._picture import luminance

_RADIUS = 4
_LEAST, _SLOPE, _MOST = 1.0, 0.1, 8.0  # grey levels: least strength, its growth with the local deviation, most
_TRIES = 8


def add(picture: Array, period: Field, psnr: float) -> Array:
    """The picture with a pattern of variance 1 added to all its channels, at a PSNR of at least ``psnr`` decibels."""
    _, deviation = local_contrast(luminance(picture), _RADIUS)
    strength = np.clip(np.multiply(deviation, _SLOPE, out=deviation) + np.float32(_LEAST), 0, _MOST)
    most = 255.0**2 * 10 ** (-psnr / 10)  # mean squared change
    planes = np.ascontiguousarray(picture).reshape(*picture.shape[:2], -1)
    out = np.empty_like(planes)
    repeats = [-(-side // length) for side, length in zip(picture.shape[:2], period.shape, strict=True)]
    change = strength * np.tile(period, repeats)[: strength.shape[0], : strength.shape[1]]
    power = float(np.square(change, out=change).mean(dtype=np.float64))
    gain = min(1.0, math.sqrt(max(most - 1 / 12, 0.0) / power))
    for _ in range(_TRIES):
        if add_tiled(planes, strength, period, gain, out) <= most:
            break
        gain *= 0.97  # rounding costs more than a twelfth where the pattern is weak
    return out.reshape(picture.shape)
