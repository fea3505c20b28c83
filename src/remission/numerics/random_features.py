"""Features of pictures from fixed random convolutions: no training, no download, no network library."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from remission.numerics.arrays import Array, Floats

FEATURES = 64
FILTERS = 16, 32  # of the two layers
_CHUNK = 256  # pictures worked on together


class RandomLayers(NamedTuple):
    """Weights of two 3 x 3 convolutions and of the projection; see :func:`random_layers`."""

    shape: tuple[int, int, int]  # height, width, channels
    first: Floats  # (9 channels, 16)
    second: Floats  # (144, 32)
    last: Floats  # (flat, 64)


def normals_needed(height: int, width: int, channels: int) -> int:
    """How many normals :func:`random_layers` uses for pictures of this shape."""
    one, two = FILTERS
    return 9 * channels * one + 9 * one * two + _flat(height, width) * FEATURES


def _flat(height: int, width: int) -> int:
    return FILTERS[1] * math.ceil(math.ceil(height / 2) / 2) * math.ceil(math.ceil(width / 2) / 2)


def random_layers(height: int, width: int, channels: int, normals: Floats) -> RandomLayers:
    """Layers from standard normals, scaled so that the mean square of a picture's numbers is about kept.

    Filters have variance 2 / (number of inputs), which keeps the mean square through a rectifier; the projection has
    variance 1 / (64 flat), so that features have the unit of grey levels whatever the size of the picture.
    """
    one, two = FILTERS
    inputs, inner, flat = 9 * channels, 9 * one, _flat(height, width)
    first, second, last = np.split(normals, [inputs * one, inputs * one + inner * two])
    return RandomLayers(
        (height, width, channels),
        first.reshape(inputs, one) * math.sqrt(2 / inputs),
        second.reshape(inner, two) * math.sqrt(2 / inner),
        last.reshape(flat, FEATURES) / math.sqrt(FEATURES * flat),
    )


def random_features(pictures: Array, layers: RandomLayers) -> Floats:
    """Features (n, 64) of pictures (n, height * width * channels).

    Two convolutions of stride 2 with rectifiers, then a random projection, which about keeps distances. Untrained
    features see texture, shape and place, and no meaning.

    Source: Saxe et al., "On random weights and unsupervised feature learning" (ICML 2011); Naeem et al. (ICML 2020)
    compare generated pictures by the features of an untrained network.
    """
    height, width, channels = layers.shape
    out = np.empty((len(pictures), FEATURES))
    for start in range(0, len(pictures), _CHUNK):
        part = np.asarray(pictures[start : start + _CHUNK], np.float64).reshape(-1, height, width, channels)
        part = _layer(_layer(part, layers.first), layers.second)
        out[start : start + _CHUNK] = part.reshape(len(part), -1) @ layers.last
    return out


def _layer(pictures: Floats, filters: Floats) -> Floats:
    """A 3 x 3 convolution of stride 2 with zeros around, then a rectifier; (n, h, w, c) -> (n, h', w', filters)."""
    n, height, width, channels = pictures.shape
    padded = np.zeros((n, height + 2, width + 2, channels))
    padded[:, 1:-1, 1:-1] = pictures
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    rows, columns = windows.shape[1:3]
    flat = windows.reshape(n * rows * columns, channels * 9)
    return np.maximum(flat @ filters, 0.0).reshape(n, rows, columns, -1)
