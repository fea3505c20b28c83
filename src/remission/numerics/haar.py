"""One level of the Haar wavelet transform of a plane, in the order of operations that PyWavelets uses: equal to the last bit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from remission.numerics.arrays import Array, Floats

_S = np.float64(0.7071067811865476)


class Haar(NamedTuple):
    """Bands (h / 2, w / 2) of a plane (h, w): means, and differences along rows, columns and both.

    Attributes:
        mean: ``cA`` of PyWavelets.
        rows: ``cH``, differences of neighbouring rows.
        columns: ``cV``.
        both: ``cD``.
    """

    mean: Floats
    rows: Floats
    columns: Floats
    both: Floats


def haar(plane: Array) -> Haar:
    """The bands of a plane (h, w) with h and w even.

    >>> [float(band[0, 0].round(9)) for band in haar(np.array([[4, 2], [0, 0]]))]
    [3.0, 3.0, 1.0, 1.0]
    """
    x = np.asarray(plane, np.float64)
    low, high = _S * x[1::2] + _S * x[::2], -_S * x[1::2] + _S * x[::2]
    mean, columns = _S * low[:, 1::2] + _S * low[:, ::2], -_S * low[:, 1::2] + _S * low[:, ::2]
    rows, both = _S * high[:, 1::2] + _S * high[:, ::2], -_S * high[:, 1::2] + _S * high[:, ::2]
    return Haar(mean, rows, columns, both)


def unhaar(bands: Haar) -> Floats:
    """The plane (h, w) that has these bands.

    >>> unhaar(haar(np.array([[4, 2], [0, 1]]))).round(9).tolist()
    [[4.0, 2.0], [0.0, 1.0]]
    """
    low, high = _woven(bands.mean.T, bands.columns.T).T, _woven(bands.rows.T, bands.both.T).T
    return _woven(low, high)


def _woven(mean: Floats, difference: Floats) -> Floats:
    out = np.empty((2 * mean.shape[0], *mean.shape[1:]))
    out[::2] = _S * mean + _S * difference
    out[1::2] = _S * mean + -_S * difference
    return out
