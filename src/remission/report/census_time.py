"""A share over months or years as inline SVG: a line with a band, gaps where there are no documents, open ranges, refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from remission.report import palette
from remission.report.axis import Axis
from remission.report.census_forest import framed, spoken
from remission.report.census_rows import Interval, cut, time_text
from remission.report.census_sheet import Pixel

LEFT, RIGHT, TOP, BOTTOM = 48, 14, 30, 26
_STEPS = {True: (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200), False: (1, 2, 5, 10, 20, 50, 100)}


@dataclass(frozen=True)
class Moment:
    """A month (or year) of a line: its number, its share, its documents."""

    time: int
    share: Interval
    n: int


@dataclass(frozen=True)
class Frame:
    """What panels share, so that they can be compared: first and last time, the axis of shares, the share of all documents."""

    first: int
    last: int
    monthly: bool
    axis: Axis
    whole: Interval


def ticks(first: int, last: int, monthly: bool, most: int) -> list[int]:
    """Times with a label: whole years where months would be too many.

    >>> ticks(12 * 2023, 12 * 2023 + 11, True, 5)
    [24276, 24279, 24282, 24285]
    """
    found: list[int] = []
    for step in _STEPS[monthly]:
        found = [time for time in range(first, last + 1) if time % step == 0]
        if len(found) <= most:
            break
    return found or [first]


def panel(name: str, moments: Sequence[Moment], frame: Frame, identity: str, single: bool = False) -> Markup:
    """A line of a name over time.

    Args:
        name: what the line is of.
        moments: its months or years in order; those that are missing are gaps.
        frame: what all panels share.
        identity: prefix of element ids, unique in the page.
        single: there is no other, so it is drawn larger.
    """
    width, height = (680, 260) if single else (360, 190)
    reach = width - LEFT - RIGHT - 16

    def x(time: float) -> float:
        span = frame.last - frame.first
        return LEFT + 8 + (reach * (time - frame.first) / span if span else reach / 2)

    def y(share: float) -> float:
        return height - BOTTOM - (height - BOTTOM - TOP) * min(max(share / frame.axis.high, 0.0), 1.0)

    parts = [f'<text class="ink" x="2" y="16" font-weight="600" fill="{palette.INK}"><title>{escape(name)}</title>{escape(cut(name, 84 if single else 42))}</text>']  # fmt: skip
    parts += _axes(frame, x, y, width, height, 8 if single else 4)
    parts += _bands(moments, x, y)
    alone = {run[0].time for run in runs(moments) if len(run) == 1}
    step = reach / max(1, frame.last - frame.first)
    parts += [_moment(one, frame, x, y, one.time in alone, step) for one in moments]
    words = " ".join(f"{time_text(one.time, frame.monthly)}: {spoken(one.share)}." for one in moments)
    title = f"Share of synthetic documents over time: {name}"
    return framed(
        "".join(parts), title, words or "No documents.", identity, "panel single" if single else "panel", width, height
    )


def _axes(frame: Frame, x: Pixel, y: Pixel, width: int, height: int, most: int) -> Iterator[str]:
    for value, label in frame.axis.ticks:
        yield f'<path class="grid" d="M{LEFT},{y(value):.1f}H{width - RIGHT}" stroke="{palette.GRID}"/>'
        yield f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end" font-size="12">{escape(label)}</text>'
    floor = height - BOTTOM
    for time in ticks(frame.first, frame.last, frame.monthly, most):
        yearly = frame.monthly and all(one % 12 == 0 for one in ticks(frame.first, frame.last, frame.monthly, most))
        label = f"{time // 12}" if yearly else time_text(time, frame.monthly)
        yield f'<path class="axis" d="M{x(time):.1f},{floor + 2}v4" stroke="{palette.MUTED}"/>'
        yield f'<text x="{x(time):.1f}" y="{height - 6}" text-anchor="middle" font-size="12">{label}</text>'
    if math.isfinite(frame.whole.value):
        at = y(frame.whole.value)
        yield f'<path class="whole" d="M{LEFT},{at:.1f}H{width - RIGHT}" stroke="{palette.MUTED}" stroke-dasharray="3 3"/>'


def runs(moments: Sequence[Moment]) -> Iterator[list[Moment]]:
    """The pieces without a gap in which every month (or year) has a value."""
    run: list[Moment] = []
    for one in moments:
        if run and (one.time != run[-1].time + 1 or math.isnan(one.share.value)):
            yield run
            run = []
        if math.isfinite(one.share.value):
            run.append(one)
    if run:
        yield run


def _bands(moments: Sequence[Moment], x: Pixel, y: Pixel) -> Iterator[str]:
    colour = palette.GROUPS[0]
    for run in runs(moments):
        if len(run) == 1:
            continue
        upper = [f"{x(one.time):.1f},{y(one.share.high):.1f}" for one in run]
        lower = [f"{x(one.time):.1f},{y(one.share.low):.1f}" for one in reversed(run)]
        line = "L".join(f"{x(one.time):.1f},{y(one.share.value):.1f}" for one in run)
        yield f'<path class="f g0" d="M{"L".join([*upper, *lower])}Z" fill="{colour}" fill-opacity="0.16"/>'
        yield f'<path class="s g0" d="M{line}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-linejoin="round"/>'


def _moment(one: Moment, frame: Frame, x: Pixel, y: Pixel, alone: bool, step: float) -> str:
    half, dot = min(3.5, 0.35 * step), min(3.2, max(1.2, 0.3 * step))
    at, colour, share = x(one.time), palette.GROUPS[0], one.share
    said = f"{time_text(one.time, frame.monthly)}: {spoken(share)}, {one.n:,} documents"
    if not share.known:
        floor = y(0.0)
        shape = f'<path class="axis" d="M{at - half:.1f},{floor - half:.1f}l{2 * half:.1f},{2 * half:.1f}m0,{-2 * half:.1f}l{-2 * half:.1f},{2 * half:.1f}" stroke="{palette.MUTED}" stroke-width="1.6"/>'
    elif math.isnan(share.value):
        high, low = y(share.high), y(share.low)
        shape = f'<rect class="hollow s g0" x="{at - half:.1f}" y="{high:.1f}" width="{2 * half:.1f}" height="{max(low - high, 2):.1f}" rx="2" fill="{palette.PAPER}" stroke="{colour}" stroke-width="1.4"/>'  # fmt: skip
    else:
        whisker = f"M{at:.1f},{y(share.low):.1f}V{y(share.high):.1f}"
        shape = f'<path class="s g0" d="{whisker}" stroke="{colour}" stroke-width="2"/>' if alone else ""
        shape += f'<circle class="f g0" cx="{at:.1f}" cy="{y(share.value):.1f}" r="{dot:.1f}" fill="{colour}"/>'
    return f"<g><title>{escape(said)}</title>{shape}</g>"
