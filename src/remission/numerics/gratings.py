"""Which waves of a known pattern a field holds: its spectrum at the multiples of one frequency, at every scale.

A pattern that repeats every T points along both axes consists of waves k / T, l / T cycles per point. In a field that was
scaled by s they are k / (T s): multiples of a *pitch* 1 / (T s). Multiples run over k = -K .. K and l = 0 .. K, stored as
(2 K + 1, K + 1); the other half follows, for fields are real. Phases are those at the middle of the field, where a wrong
pitch does least harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from remission.numerics.arrays import Array, Floats, Integers
from remission.numerics.jit import jit
from remission.numerics.local import Field

Waves = npt.NDArray[np.complex64]

_ROUGH, _FINE = 64, 256  # points of a period at which shifts are tried


class Pattern(NamedTuple):
    """Waves whose signs are known.

    Attributes:
        most: K.
        rows, columns: (m,) k and l of each wave; l > 0, or k > 0 where l is 0.
        signs: (m,) float32, -1 or 1.
    """

    most: int
    rows: Integers
    columns: Integers
    signs: Field


class Place(NamedTuple):
    """Where a pattern fits best.

    Attributes:
        pitch: cycles per point of its longest wave.
        shift: (row, column) of the pattern at the middle of the field, in periods, 0 .. 1.
        fit: mean over the waves of the cosine between their phases and the expected ones; 1 is perfect, 0 is none.
    """

    pitch: float
    shift: tuple[float, float]
    fit: float


def harmonics(field: Field, pitch: float, most: int) -> Waves:
    """The spectrum of a field (h, w) at the multiples of a pitch, (2 most + 1, most + 1); 0 beyond 0.5 cycles per point."""
    h, w = field.shape
    along = 2 * np.pi * pitch * np.outer(np.arange(w) - w / 2, np.arange(most + 1))
    basis = np.concatenate([np.cos(along), -np.sin(along)], axis=1).astype(np.float32)
    rows = field @ basis
    down = 2 * np.pi * pitch * np.outer(np.arange(-most, most + 1), np.arange(h) - h / 2)
    found = np.exp(-1j * down).astype(np.complex64) @ (rows[:, : most + 1] + 1j * rows[:, most + 1 :])
    beyond = int(0.5 / pitch)
    if beyond < most:
        found[: most - beyond] = found[most + beyond + 1 :] = found[:, beyond + 1 :] = 0
    return found


@jit()
def _gather(spectrum, size, turns_y, turns_x, pitches, angle, rows, columns, signs, out):  # type: ignore[no-untyped-def]
    """The phases of the waves of a pattern at every pitch, taken from the nearest coefficients of a padded transform."""
    height, width = size
    points = out.shape[1]
    cosine, sine = np.cos(angle), np.sin(angle)
    for p in range(pitches.size):
        for m in range(rows.size):
            i = np.int64(np.rint((rows[m] * cosine - columns[m] * sine) * pitches[p] * height))
            j = np.int64(np.rint((rows[m] * sine + columns[m] * cosine) * pitches[p] * width))
            if 2 * abs(i) > height or 2 * abs(j) > width:
                continue
            if j >= 0:
                value = spectrum[i % height, j] * turns_y[i % height] * turns_x[j]
            else:
                value = np.conj(spectrum[-i % height, -j] * turns_y[-i % height] * turns_x[-j])
            length = np.sqrt(value.real * value.real + value.imag * value.imag)
            if length > 0.0:
                value *= signs[m] / length
                out[p, rows[m] % points, columns[m]] = value
                if columns[m] == 0:
                    out[p, -rows[m] % points, 0] = np.conj(value)


def search(
    field: Field, pattern: Pattern, lowest: float, highest: float, most: int, angles: Sequence[float] = (0.0,)
) -> list[tuple[float, float]]:
    """The pitches between two, and the angles of those given, at which a pattern fits a field (h, w) best at any shift.

    Args:
        field: (h, w) float32.
        pattern: what to look for.
        lowest: cycles per point.
        highest: likewise.
        most: how many; neighbours of a better one are left out.
        angles: by which the pattern may be turned, in radians, from the axis of rows towards that of columns.

    Returns:
        (pitch, angle), the best first.
    """
    import scipy.fft

    h, w = field.shape
    size = tuple(scipy.fft.next_fast_len(2 * side, real=True) for side in (h, w))
    spectrum = scipy.fft.rfft2(field, size)
    turns = [
        np.exp(2j * np.pi * np.fft.fftfreq(n) * side / 2).astype(np.complex64)
        for n, side in zip(size, (h, w), strict=True)
    ]
    step = 1 / (2 * pattern.most * max(h, w))  # the longest wave that is a quarter of a turn off at the edges
    pitches = np.arange(lowest, highest + step, step)
    waves = np.empty((pitches.size, _ROUGH, _ROUGH // 2 + 1), np.complex64)
    fits = np.empty((len(angles), pitches.size))
    for number, angle in enumerate(angles):
        waves[:] = 0
        _gather(spectrum, size, turns[0], turns[1], pitches, angle, pattern.rows, pattern.columns, pattern.signs, waves)
        fits[number] = scipy.fft.irfft2(waves, (_ROUGH, _ROUGH)).reshape(pitches.size, -1).max(axis=1)
    found: list[tuple[float, float]] = []
    for place in np.argsort(-fits, axis=None, kind="stable"):
        if len(found) == most:
            break
        pitch, angle = float(pitches[place % pitches.size]), float(angles[place // pitches.size])
        if all(abs(pitch - one) > 2.5 * step or abs(angle - other) > step / pitch for one, other in found):
            found.append((pitch, angle))
    return found


def fit(waves: Waves, pattern: Pattern, pitch: float) -> Place:
    """The shift at which a pattern fits the waves (2 K + 1, K + 1) of a field best."""
    import scipy.fft

    taken = waves[pattern.rows + pattern.most, pattern.columns]
    lengths = np.abs(taken)
    here = lengths > 0
    phases = np.where(here, taken * pattern.signs / np.where(here, lengths, 1), 0)
    grid = np.zeros((_FINE, _FINE // 2 + 1), np.complex64)
    grid[pattern.rows, pattern.columns] = phases
    flat = pattern.columns == 0
    grid[-pattern.rows[flat], 0] = np.conj(phases[flat])
    fits = scipy.fft.irfft2(grid, (_FINE, _FINE), overwrite_x=True)
    best = int(fits.argmax())
    shift = (-(best // _FINE) % _FINE / _FINE, -(best % _FINE) % _FINE / _FINE)
    return Place(pitch, shift, float(fits.flat[best]) * _FINE**2 / 2 / max(1, int(here.sum())))


def refined(field: Field, pattern: Pattern, pitch: float, step: float) -> tuple[Place, Waves]:
    """The best pitch within half a ``step`` of one, by halving; its place and the waves of the field there."""
    best: tuple[Place, Waves] | None = None
    for offset in (0.0, step / 2, step / 4, step / 8):
        middle = best[0].pitch if best else pitch
        for tried in {middle - offset, middle + offset}:
            waves = harmonics(field, tried, pattern.most)
            place = fit(waves, pattern, tried)
            if best is None or place.fit > best[0].fit:
                best = place, waves
    assert best is not None
    return best


def shifted(waves: Waves, shift: tuple[float, float]) -> Waves:
    """Waves (2 K + 1, K + 1) as they would be if the pattern began at the middle of the field."""
    most = waves.shape[1] - 1
    down = np.exp(-2j * np.pi * np.arange(-most, most + 1) * shift[0])
    along = np.exp(-2j * np.pi * np.arange(most + 1) * shift[1])
    return (waves * down[:, None] * along[None, :]).astype(np.complex64)


def whitened(waves: Waves) -> Array:
    """Waves (2 K + 1, K + 1) over their root mean square among waves of about the same length, rings one wave wide."""
    most = waves.shape[1] - 1
    radius = np.hypot(np.arange(-most, most + 1)[:, None], np.arange(most + 1)[None, :]).astype(np.int64)
    power = (waves.real**2 + waves.imag**2).astype(np.float64)
    there = power > 0
    total = np.bincount(radius[there], power[there], minlength=2 * most)
    mean: Floats = total / np.maximum(np.bincount(radius[there], minlength=2 * most), 1)
    return waves / np.sqrt(np.where(mean > 0, mean, 1.0))[radius]
