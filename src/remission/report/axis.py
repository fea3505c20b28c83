"""Axes: which range, which ticks, how a number is written. Linear and logarithmic."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Scale:
    """Maps values in [low, high] to pixels in [start, stop]."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; on a logarithmic scale the value must be positive."""
        low, high = self.low, self.high
        if self.log:
            share = (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low))
        else:
            # halves keep the difference of two huge numbers of opposite sign finite
            share = (value / 2 - low / 2) / (high / 2 - low / 2)
        pixel = self.start + share * (self.stop - self.start)
        return min(max(pixel, -2e3), 2e3)


@dataclass(frozen=True)
class Axis:
    """A range, its ticks with their labels, and a constant left out of the labels."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False
    base: str = ""


def plain_number(value: float, digits: int = 3) -> str:
    """A number for people.

    >>> [plain_number(value) for value in (0.0, 0.37214, 1500, 1e-7, 123456789, -2.5, 1000, float("nan"))]
    ['0', '0.372', '1500', '10⁻⁷', '1.23×10⁸', '−2.5', '1000', 'none']
    """
    if not math.isfinite(value):
        return "none" if math.isnan(value) else ("∞" if value > 0 else MINUS + "∞")
    if value == 0:
        return "0"
    size = abs(value)
    if 1e-3 <= size < 1e5:
        decimals = max(0, digits - 1 - math.floor(math.log10(size)))
        text = f"{size:.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
        text = power if mantissa == "1" else f"{mantissa}\N{MULTIPLICATION SIGN}{power}"
    return MINUS + text if value < 0 else text


def nice_step(span: float, count: int) -> float:
    """The step of 1, 2, 2.5 or 5 times a power of ten that cuts a span into about ``count`` pieces.

    >>> nice_step(1.0, 5), nice_step(97, 5), nice_step(0.3, 4)
    (0.2, 20.0, 0.1)
    """
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    return min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda step: abs(math.log(step / raw)))


def linear_axis(low: float, high: float, count: int = 4, whole: bool = False) -> Axis:
    """An axis over [low, high] with round ticks inside it.

    >>> linear_axis(0.0, 1.0).ticks
    ((0.0, '0'), (0.25, '0.25'), (0.5, '0.5'), (0.75, '0.75'), (1.0, '1'))
    >>> axis = linear_axis(1e8, 1e8 + 1)
    >>> axis.base, axis.ticks[1]
    ('100000000', (100000000.25, '0.25'))
    """
    low, high = max(low, -1e300), min(high, 1e300)
    span = high - low
    if not span > max(4e-16 * max(abs(low), abs(high)), 1e-290):
        pad = abs(low) * 0.5 if abs(low) > 1e-290 else 0.5
        low, high, span = low - pad, high + pad, 2 * pad
    step = nice_step(span, count)
    if whole:
        step = max(1.0, round(step))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [index * step for index in range(first, last + 1)]
    far = max(abs(low), abs(high)) > 2e4 * step and not whole
    offset = values[0] if far and values else 0.0
    ticks = tuple((value, _tick(value - offset, step)) for value in values)
    return Axis(low, high, ticks, base=f"{offset:.12g}" if offset else "")


def _tick(value: float, step: float) -> str:
    if abs(value) < step * 1e-6:
        return "0"
    if step >= 1e-4 and abs(value) < 1e5:
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        if not math.isclose(step * 10**decimals, round(step * 10**decimals), rel_tol=1e-6):
            decimals += 1
        text = f"{abs(value):.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return (MINUS if value < 0 else "") + text
    return plain_number(value)


def log_axis(low: float, high: float, count: int = 5) -> Axis:
    """A logarithmic axis over [low, high], both positive: whole decades, or 1-2-5 within few decades.

    >>> [label for _, label in log_axis(1e-12, 1.0).ticks]
    ['10⁻¹²', '10⁻⁹', '10⁻⁶', '0.001', '1']
    >>> [label for _, label in log_axis(0.2, 3.0).ticks]
    ['0.2', '0.5', '1', '2']
    """
    low, high = max(low, 1e-300), min(high, 1e300)
    if high < low * 1.02:
        low, high = low / 1.5, high * 1.5
    bottom, top = math.log10(low) - 1e-9, math.log10(high) + 1e-9
    decades = top - bottom
    if decades > 2.5:
        step = next(width for width in (1, 2, 3, 5, 10, 20, 50, 100, 200) if decades / width <= count)
        exponents = range(math.ceil(bottom / step) * step, math.floor(top) + 1, step)
        values = [10.0**exponent for exponent in exponents]
    else:
        exponents = range(math.floor(bottom), math.ceil(top) + 1)
        values = [10.0**exponent * factor for exponent in exponents for factor in (1, 2, 5)]
        values = [value for value in values if bottom <= math.log10(value) <= top]
    if len(values) < 2:
        return Axis(low, high, linear_axis(low, high).ticks, log=True)
    return Axis(low, high, tuple((value, plain_number(value)) for value in values), log=True)
