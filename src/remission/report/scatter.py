"""Small plots of samples: points in the plane, and bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from remission.report import palette
from remission.report.axis import plain_number

SIDE = 150


def scatter(points: Any, bounds: Sequence[float], label: str) -> str:
    """Points ``(n, 2)``, or ``(n, 3)`` with a class in the last column, as an ``<svg>``.

    What lies outside the bounds (left, right, bottom, top) is drawn at the edge as a hollow ring.
    """
    points = np.asarray(points, np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    left, right, bottom, top = bounds
    across = 4 + (SIDE - 8) * (points[:, 0] - left) / ((right - left) or 1.0)
    up = SIDE - 4 - (SIDE - 8) * (points[:, 1] - bottom) / ((top - bottom) or 1.0)
    outside = (across < 3) | (across > SIDE - 3) | (up < 3) | (up > SIDE - 3)
    groups = points[:, 2].astype(int) if points.shape[1] > 2 else np.zeros(len(points), int)
    shapes = []
    few = " few" if len(points) <= 80 else ""
    for group in np.unique(groups):
        inside = (groups == group) & ~outside
        colour = palette.GROUPS[palette.group_of(int(group))]
        dots = "".join(f"M{x:.0f},{y:.0f}h0" for x, y in zip(across[inside], up[inside], strict=True))
        shapes.append(f'<path class="cloud{few} g{palette.group_of(int(group))}" stroke="{colour}" d="{dots}"/>')
    for x, y in zip(across[outside].clip(4, SIDE - 4), up[outside].clip(4, SIDE - 4), strict=True):
        shapes.append(f'<circle class="out" cx="{x:.0f}" cy="{y:.0f}" r="2"/>')
    text = f"{len(points)} points, {label}" + (
        f", {int(outside.sum())} of them outside the frame" if outside.any() else ""
    )
    return _framed("".join(shapes), text)


def bars(heights: Any, bounds: Sequence[float], label: str, labels: Sequence[str] = ()) -> str:
    """Bars of the given heights as an ``<svg>``; ``bounds`` is (left, right, bottom, top), only the top is used."""
    heights = np.nan_to_num(np.asarray(heights, np.float64))
    top = bounds[3] or 1.0
    width = (SIDE - 8) / max(len(heights), 1)
    shapes = []
    for index, height in enumerate(heights):
        size = (SIDE - 12) * min(max(height / top, 0.0), 1.0)
        gap = min(1.0, width * 0.2)
        shapes.append(
            f'<rect class="bar" x="{4 + index * width:.1f}" y="{SIDE - 4 - size:.1f}" width="{max(width - gap, 0.6):.1f}" '
            f'height="{size:.1f}" fill="{palette.GROUPS[0]}"/>'
        )
    best = int(np.argmax(heights)) if len(heights) else 0
    name = labels[best] if best < len(labels) else str(best)
    text = f"{len(heights)} bars, {label}; the highest is {name} with {plain_number(float(heights[best]) if len(heights) else 0.0)}"
    return _framed("".join(shapes), text)


def _framed(shapes: str, text: str) -> str:
    return (
        f'<svg class="mini" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(text)}">'
        f'<rect class="frame" x="0.5" y="0.5" width="{SIDE - 1}" height="{SIDE - 1}" fill="none"/>{shapes}</svg>'
    )


def bounds_of(points: Any, margin: float = 0.08) -> tuple[float, float, float, float]:
    """A frame around points ``(n, 2+)``: (left, right, bottom, top).

    >>> bounds_of(np.array([[0.0, 0.0], [1.0, 2.0]]), 0.0)
    (0.0, 1.0, 0.0, 2.0)
    """
    points = np.asarray(points, np.float64)[:, :2]
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return 0.0, 1.0, 0.0, 1.0
    edges: list[float] = []
    for column in points.T:
        low, high = float(column.min()), float(column.max())
        pad = margin * (high - low) if high > low else (abs(low) * margin or 1.0)
        edges += [low - pad, high + pad]
    return edges[0], edges[1], edges[2], edges[3]


def histogram(values: Any, low: float, high: float, count: int = 24) -> list[float]:
    """Shares of finite values in equal bins; what lies outside goes to the outermost bins.

    >>> histogram(np.array([0.0, 0.1, 0.9, 5.0]), 0.0, 1.0, 2)
    [0.5, 0.5]
    """
    values = np.asarray(values, np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size or not math.isfinite(high - low) or high <= low:
        return [0.0] * count
    counts, _ = np.histogram(values.clip(low, high), bins=count, range=(low, high))
    return [float(count) / values.size for count in counts]
