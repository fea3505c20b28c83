"""Where the pattern of ``spread-spectrum`` lies in a picture: scale, shift and tilt, from the guides alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from remission.numerics import gratings
from remission.numerics.local import Field, local_contrast
from remission.watermarks._picture_tile import PERIOD

SMALLEST, LARGEST = 0.4, 2.5  # scales that are searched
_WINDOW, _TILTED = 1024, 512  # pixels a side that searches look at, without and with tilts
_TRIED = 3  # places that are looked at closely
_RADIUS, _FLOOR = 3, 4.0  # of the local contrast; pixels and grey levels
_STEP = 2.4 / _TILTED  # radians: the shortest wave is a third of a turn off at the edge, halfway between two


def located(brightness: Field, guides: gratings.Pattern, tilt: float) -> tuple[gratings.Place, gratings.Waves, float]:
    """The place where the guides fit best, the waves of the whole picture there, and its tilt in degrees.

    Args:
        brightness: (h, w) of the picture.
        guides: of the key.
        tilt: largest, in degrees.
    """
    upright = functools.lru_cache(maxsize=2)(lambda angle: _flattened(_turned_back(brightness, angle)))
    middle, base = _middle(upright(0.0), _WINDOW), 1 / PERIOD
    bounds = base / LARGEST, base / SMALLEST
    tried = [(base, 0.0), *gratings.search(middle, guides, *bounds, _TRIED)]
    if tilt > 0:
        steps = np.arange(1, math.ceil(math.radians(tilt) / _STEP) + 1) * _STEP
        angles = np.concatenate([-steps[::-1], steps]).tolist()
        tried += gratings.search(_middle(upright(0.0), _TILTED), guides, *bounds, _TRIED, angles)

    def fit(pitch: float, angle: float) -> float:
        part = _middle(upright(angle), _TILTED if tilt > 0 else _WINDOW)
        return gratings.fit(gratings.harmonics(part, pitch, guides.most), guides, pitch).fit

    pitch, angle = max(tried, key=lambda one: fit(*one))
    if angle:
        pitch, angle = _straightened(upright, guides, pitch, angle)
    place, waves = _refined(upright(angle), guides, pitch)
    return place, waves, math.degrees(angle)


def _straightened(
    upright: Callable[[float], Field], guides: gratings.Pattern, pitch: float, angle: float
) -> tuple[float, float]:
    """The pitch and the angle near these at which the guides fit best, by halving."""
    best = (-math.inf, pitch, angle)
    for offset in (0.0, _STEP / 2, _STEP / 4, _STEP / 8):
        around = best[2]
        for one in {around - offset, around + offset}:
            part = _middle(upright(one), _TILTED)
            place, _ = gratings.refined(part, guides, best[1], _pitch_step(part, guides))
            best = max(best, (place.fit, place.pitch, one))
    return best[1:]


def _refined(field: Field, guides: gratings.Pattern, pitch: float) -> tuple[gratings.Place, gratings.Waves]:
    """The best place near a pitch, in ever larger parts of a picture: the larger, the finer pitches are told apart."""
    side = _WINDOW
    while True:
        part = _middle(field, side)
        place, waves = gratings.refined(part, guides, pitch, _pitch_step(part, guides))
        if part.shape == field.shape:
            return place, waves
        pitch, side = place.pitch, 2 * side


def _pitch_step(field: Field, guides: gratings.Pattern) -> float:
    return 1 / (2 * guides.most * max(field.shape))


def _turned_back(brightness: Field, angle: float) -> Field:
    """A picture that was turned by an angle as it was before, as far as it can be seen; the rest is its mirror image."""
    if not angle:
        return brightness
    import scipy.ndimage

    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array(brightness.shape) / 2
    return scipy.ndimage.affine_transform(
        brightness, matrix, centre - matrix @ centre, order=1, mode="mirror", output=np.float32
    )


def _flattened(brightness: Field) -> Field:
    """Differences from the local mean over the local variance: what to multiply with a wave, for content is the noise."""
    rest, deviation = local_contrast(brightness, _RADIUS)
    deviation += np.float32(_FLOOR)
    return np.divide(rest, np.square(deviation, out=deviation), out=rest)


def _middle(field: Field, side: int) -> Field:
    """The middle of a field (h, w), at most so many pixels a side; its middle stays where it was."""
    cuts = [max(0, (length - side + 1) // 2) for length in field.shape]
    return field[cuts[0] : field.shape[0] - cuts[0], cuts[1] : field.shape[1] - cuts[1]]
