"""Power spectrum of pictures: distance to the real one, and whether fine detail is lost or noise is gained."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import Floats
from remission.interfaces import Direction, Metric
from remission.numerics.pictures import Shape, high_share, power, profile, rings, spectral_distance
from remission.view import View


class PowerSpectrum(Metric):
    """The mean power |FFT(x - mean of x)|^2 / pixels of pictures x, against that of equally many reference pictures.

    ``distance`` = root mean square over rings of frequency of 10 log10 (power of the sample / power of the reference),
    in decibels, where a ring holds the frequencies around 1, 2, ... cycles per longer side, up to half a cycle per
    pixel: 0 when equal, rises in collapse, infinite when a ring is empty on one side only. ``high`` = share of power
    beyond ``above`` over that share of the reference: 1 in health, falls for blur, rises for noise. ``total`` = all
    power over that of the reference: 1 in health, falls when contrast fades.

    Attributes:
        above: cycles per pixel from which on a frequency is high; half a cycle is the finest stripe along an axis.

    Source: Durall, Keuper & Keuper, "Watch your up-convolution" (CVPR 2020), for the average over directions; Dzanic,
    Shah & Witherden, "Fourier spectrum discrepancies in deep network generated images" (NeurIPS 2020).

    >>> PowerSpectrum(above=0.3).label
    'power-spectrum[above=0.3]'
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"image"})
    columns: ClassVar[dict[str, Direction]] = {"distance": "rises", "high": "either", "total": "either"}
    sized: ClassVar[bool] = True

    above: Annotated[float, Meta(gt=0, lt=0.7)] = 0.25

    def prepare(self, view: View) -> list[Floats]:
        """Mean power (h, w) of the reference at equal n."""
        m = min(view.evaluation, view.reference.shape[1])
        return [power(pictures[:m], _shape(view)) for pictures in view.reference]

    def measure(self, view: View) -> dict[str, Floats]:
        """Three columns (r,)."""
        shape = _shape(view)
        circles = rings(shape)
        out = np.empty((3, view.replicates))
        for i, (sample, real) in enumerate(zip(view.pair()[0], view.prepared, strict=True)):
            found = power(sample, shape)
            shares = [high_share(one, circles, self.above) for one in (found, real)]
            totals = [float(one.sum()) for one in (found, real)]
            gap = spectral_distance(profile(found, circles), profile(real, circles))
            out[:, i] = gap, _ratio(*shares), _ratio(*totals)
        return dict(zip(self.columns, out, strict=True))


def _shape(view: View) -> Shape:
    height, width = view.space.picture or (1, view.space.features)
    return height, width, view.space.channels


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0 else np.nan
