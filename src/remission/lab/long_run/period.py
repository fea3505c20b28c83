"""Is there a period that is not noise? Two tests with a stated rate of false alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from remission.data import Floats

ALPHA = 0.001  # false alarms of both tests together, over all frequencies
CYCLES = 3  # a period must be seen at least so often
TALLER = 4.0  # a peak of single trajectories must stand so much above the spectrum of a first-order process


@dataclass(frozen=True)
class Period:
    """A period in generations.

    Attributes:
        length: generations per cycle.
        p: its p-value, corrected for all frequencies tried.
        shared: whether all replicates swing together (else each in its own phase).
        amplitude: half the range of the mean cycle, or of a typical single swing.
    """

    length: float
    p: float
    shared: bool
    amplitude: float


def period(series: Floats) -> Period | None:
    """The period of trajectories (R, W), R >= 4 and W >= 12, or None.

    Shared: Hotelling's T^2 of the Fourier coefficients over replicates, exact for normal values. Own phases: the mean
    periodogram over the spectrum of a first-order autoregression, a gamma variable for linear series. Both against
    Bonferroni over frequencies; a trend is taken out first, and only peaks that stand above their slower neighbour count.

    >>> t = np.arange(40)
    >>> noise = np.random.default_rng(0).standard_normal((20, 40))
    >>> period(noise) is None, period(noise + np.sin(2 * np.pi * t / 5)).length
    (True, 5.0)
    """
    replicates, length = series.shape
    if replicates < 4 or length < 4 * CYCLES or not np.isfinite(series).all():
        return None
    t = np.arange(length) - (length - 1) / 2
    rest = series - series.mean(axis=1, keepdims=True)
    rest = rest - (rest @ t / (t @ t))[:, None] * t
    if not (rest.std(axis=1) > 1e-12 * np.maximum(1e-300, np.abs(series).max())).any():
        return None
    return _shared(rest) or _own(rest)


def _shared(rest: Floats) -> Period | None:
    from scipy.special import fdtrc

    replicates, length = rest.shape
    coefficients = np.fft.rfft(rest, axis=1)[:, 1:]
    mean = coefficients.mean(axis=0)
    a, b = coefficients.real - mean.real, coefficients.imag - mean.imag
    aa, bb, ab = (a * a).sum(0), (b * b).sum(0), (a * b).sum(0)
    # the coefficient of the shortest period is real: one dimension less
    real = np.zeros(mean.size, bool)
    if length % 2 == 0:
        real[-1] = True
    det = aa * bb - ab * ab
    with np.errstate(divide="ignore", invalid="ignore"):
        form = (mean.real**2 * bb + mean.imag**2 * aa - 2 * mean.real * mean.imag * ab) / det
        t2 = replicates * (replicates - 1) * np.where(real, mean.real**2 / aa, form)
    df1 = np.where(real, 1, 2)
    with np.errstate(invalid="ignore"):
        p = fdtrc(df1, replicates - df1, np.where(real, t2, t2 * (replicates - 2) / (2 * (replicates - 1))))
    p = np.where(np.isnan(p), np.where(np.abs(mean) > 0, 0.0, 1.0), p)  # no spread at all: what is there is there
    power = np.abs(mean) ** 2
    floor = 1e-20 * float((np.abs(coefficients) ** 2).sum() / replicates)
    tried = np.arange(CYCLES - 1, mean.size)
    peaks = [k for k in tried if power[k] > 1.5 * power[k - 1] and power[k] > floor]
    if not peaks:
        return None
    best = min(float(p[k]) * tried.size for k in peaks)
    if best > ALPHA / 2:
        return None
    strong = [k for k in peaks if p[k] * tried.size <= ALPHA / 2]
    top = max(strong, key=lambda k: power[k])
    curve = rest.mean(axis=0)
    span = _fundamental(curve, length / (top + 1))
    cycle = np.array([curve[phase :: round(span)].mean() for phase in range(round(span))])
    return Period(span, min(1.0, best), True, float(np.ptp(cycle) / 2))


def _fundamental(curve: Floats, around: float) -> float:
    """The shortest whole period that explains the mean curve about as well as any; else the peak's own."""
    energy = float(curve @ curve)
    explained = {}
    for span in range(2, curve.size // CYCLES + 1):
        cycles = curve.size // span
        cut = curve[curve.size - cycles * span :].reshape(cycles, span)
        mean = cut.mean(axis=0)
        gain = cycles * float(mean @ mean) / energy - span / curve.size
        explained[span] = gain / (1 - span / curve.size)
    best = max(explained.values(), default=0.0)
    whole = [span for span, share in explained.items() if share >= 0.8 * best]
    return float(whole[0]) if whole and best > 0.3 else float(around)


def _own(rest: Floats) -> Period | None:
    from scipy.special import gammaincc

    replicates, length = rest.shape
    taper = np.hanning(length + 2)[1:-1]
    spread = rest.std(axis=1, keepdims=True)
    moving = spread[:, 0] > 1e-9 * spread.max()
    rest = rest[moving] / spread[moving]  # one trajectory with a leap must not speak for all
    replicates = len(rest)
    if replicates < 4:
        return None
    gamma0 = (rest * rest).sum()
    phi = float(np.clip((rest[:, 1:] * rest[:, :-1]).sum() / gamma0, -0.99, 0.99))
    power = (np.abs(np.fft.rfft(rest * taper, axis=1)) ** 2).mean(axis=0)[1:]
    angle = 2 * np.pi * np.arange(1, power.size + 1) / length
    model = 1 / (1 + phi * phi - 2 * phi * np.cos(angle))
    inner = slice(CYCLES - 1, power.size - 1)
    ratio = power / model
    ratio = ratio / np.median(ratio[inner]) * (1 - 1 / (9 * replicates)) ** 3  # the median of a gamma variable
    ratio = np.minimum(ratio, power / _around(power))  # noise of measurement lifts all fast frequencies: no peak
    tried = np.arange(power.size)[inner]
    peaks = [k for k in tried if ratio[k] > ratio[k - 1] and ratio[k] > TALLER]
    if not peaks:
        return None
    top = max(peaks, key=lambda k: ratio[k])
    p = float(gammaincc(replicates, replicates * ratio[top])) * tried.size
    if p > ALPHA / 2:
        return None
    near = slice(max(0, top - 1), top + 2)
    place = float((np.arange(1, power.size + 1)[near] * power[near]).sum() / power[near].sum())
    amplitude = 2 * math.sqrt(float(power[near].sum()) / (taper @ taper) / length) * float(np.median(spread[moving]))
    return Period(length / place, min(1.0, p), False, amplitude)


def _around(power: Floats) -> Floats:
    """The median power of the frequencies around each, its own three left out."""
    reach = max(4, power.size // 8)
    out = np.empty_like(power)
    for k in range(power.size):
        near = np.r_[power[max(0, k - reach) : max(0, k - 1)], power[k + 2 : k + reach + 1]]
        out[k] = np.median(near)
    return out
