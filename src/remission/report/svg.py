"""Charts as inline SVG: axes, bands, theory over the lines, and a title and key that show when the file stands alone.

Colours are written as attributes, so a file taken out of the page keeps them; the page's style sheet overrides
them for dark screens.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from html import escape

from remission.report import palette
from remission.report.axis import MINUS, Axis, Scale, linear_axis, log_axis, plain_number
from remission.report.content import Chart, Series, is_number

WIDTH, HEIGHT = 480, 280
TOP, RIGHT, BOTTOM = 30, 16, 44
FONT = "system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"
KEY_ROW = 19

Points = list[tuple[float, float]]


def draw(chart: Chart, identity: str = "chart", alone: bool = False) -> str:
    """The chart as an ``<svg>`` element.

    Args:
        chart: what to draw; gaps (NaN, or not positive on a logarithmic axis) stay gaps.
        identity: prefix of the element ids, unique in the page.
        alone: for a file: with XML declaration, title and key.

    >>> chart = Chart("Variance", "", "generation", "", (Series("replace", (1, 2, 3), (0.9, 0.8, 0.7)),))
    >>> draw(chart, "c1")[:62]
    '<svg class="plot" xmlns="http://www.w3.org/2000/svg" id="c1" v'
    """
    linear, log = y_axes(chart)
    axis = log if chart.log_y and log is not None else linear
    left = _left_margin((linear, log))
    across = _x_axis(chart)
    x = Scale(across.low, across.high, left + 8, WIDTH - RIGHT)
    y = Scale(axis.low, axis.high, HEIGHT - BOTTOM, TOP, axis.log)
    full = (-10, -38, WIDTH + 20, HEIGHT + 38 + 8 + KEY_ROW * len(key(chart)))
    data = {
        "box": [left, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM],
        "x": [x.low, x.high, x.start, x.stop],
        "linear": _axis_data(linear),
        "log": None if log is None else _axis_data(log),
        "now": "log" if axis.log else "linear",
    }
    view = full if alone else (0, 0, WIDTH, HEIGHT)
    head = (
        f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" id="{escape(identity)}" '
        f'viewBox="{" ".join(map(str, view))}" data-full="{" ".join(map(str, full))}" role="img" '
        f'aria-labelledby="{identity}-t {identity}-d" font-family="{FONT}" font-size="12.5"'
        + (f' width="{full[2]}" height="{full[3]}"' if alone else f" data-plot='{_attribute(data)}'")
        + f'><title id="{identity}-t">{escape(chart.title)}</title><desc id="{identity}-d">{escape(describe(chart))}</desc>'
    )
    clip = (
        f'<clipPath id="{identity}-clip"><rect x="{left}" y="{TOP - 4}" width="{WIDTH - RIGHT - left + 8}" '
        f'height="{HEIGHT - BOTTOM - TOP + 8}"/></clipPath>'
    )
    body = [
        _frame(chart, full),
        f'<g class="ax" fill="{palette.MUTED}">{_x_ticks(across, x, chart)}'
        f'<g class="yax">{_y_ticks(axis, y, left)}</g>{_y_label(chart, axis)}</g>',
        "" if _has_values(chart) else _nothing(left),
        f'<g class="marks" clip-path="url(#{identity}-clip)">{"".join(_marks(chart, x, y))}</g>',
    ]
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n' if alone else ""
    return f"{declaration}{head}{clip}{''.join(body)}</svg>"


def key(chart: Chart) -> list[tuple[str, str, int, list[int]]]:
    """The entries of the legend: (name, kind, group, which series).

    Theory lines whose group has a measured line are one entry when there are several: their colour says which.
    """
    entries: list[tuple[str, str, int, list[int]]] = []
    theory = [index for index, series in enumerate(chart.series) if series.kind == "theory"]
    for index, series in enumerate(chart.series):
        if series.kind == "measured":
            entries.append((series.name, "measured", series.group, [index]))
    if len(theory) > 1:
        entries.append(("theory", "theory", -1, theory))
    elif theory:
        entries.append((chart.series[theory[0]].name, "theory", chart.series[theory[0]].group, theory))
    return entries


def describe(chart: Chart) -> str:
    """The chart in words, for readers who do not see it.

    >>> chart = Chart("Variance", "", "generation", "", (Series("replace", (1, 2), (0.9, 0.35)),))
    >>> describe(chart)
    'Lines over generation. replace: from 0.9 at 1 to 0.35 at 2.'
    """
    words = []
    for series in chart.series:
        points = [(x, y) for x, y in zip(series.x, series.y, strict=True) if is_number(y)]
        if not points:
            words.append(f"{series.name}: no value that can be drawn.")
        elif len(points) == 1 or series.kind == "reference":
            words.append(f"{series.name}: {plain_number(points[-1][1])}.")
        else:
            (x0, y0), (x1, y1) = points[0], points[-1]
            words.append(
                f"{series.name}: from {plain_number(y0)} at {plain_number(x0)} to {plain_number(y1)} at {plain_number(x1)}."
            )
    return f"Lines over {chart.x_label}. " + " ".join(words) if words else "An empty chart."


def y_axes(chart: Chart) -> tuple[Axis, Axis | None]:
    """The linear and the logarithmic axis; the latter is None when nothing measured is positive.

    Measured values set the range, with their intervals on the linear axis. Theory (and intervals on the logarithmic
    axis, where they may reach down to zero) may widen it by half at either end, then they are cut off: a bound that
    explodes must not flatten what was measured.
    """
    core = [y for series in chart.series if series.kind != "theory" for y in series.y if is_number(y)]
    outer = [
        v for series in chart.series for part in (series.y, series.low, series.high) for v in part or () if is_number(v)
    ]
    if not core and not outer:
        return Axis(0.0, 1.0, ()), None
    core = core or outer
    bands = [v for series in chart.series for part in (series.low, series.high) for v in part or () if is_number(v)]
    low, high = _widened([*core, *bands], outer)
    if chart.y_zero and low > 0:
        low = 0.0
    linear = linear_axis(low, high)
    positive = [math.log10(value) for value in core if value > 0]
    if not positive:
        return linear, None
    low, high = _widened(positive, [math.log10(value) for value in outer if value > 0])
    return linear, log_axis(10.0 ** max(low, -300), 10.0 ** min(high, 300))


def _widened(core: Sequence[float], outer: Sequence[float]) -> tuple[float, float]:
    low, high = min(core), max(core)
    span = high / 2 - low / 2
    if span == 0:
        return min([low, *outer]), max([high, *outer])
    pad = 0.06 * span
    return max(min([low, *outer]), low - span) - pad, min(max([high, *outer]), high + span) + pad


def _x_axis(chart: Chart) -> Axis:
    xs = [x for series in chart.series for x in series.x if is_number(x)] or [0.0, 1.0]
    low, high = min(xs), max(xs)
    whole = all(float(x).is_integer() for x in xs)
    if low == high:
        return Axis(low - 1, high + 1, ((low, plain_number(low, 6)),))
    axis = linear_axis(low, high, 6, whole)
    return Axis(low, high, tuple((value, plain_number(value, 6)) for value, _ in axis.ticks))


def _left_margin(axes: Sequence[Axis | None]) -> int:
    longest = max(len(label) for axis in axes if axis is not None for _, label in axis.ticks or ((0, "0"),))
    return min(100, 14 + 7 * longest)


def _has_values(chart: Chart) -> bool:
    return any(is_number(value) for series in chart.series for value in series.y)


def _nothing(left: int) -> str:
    middle = ((left + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2)
    return f'<text x="{middle[0]}" y="{middle[1]}" text-anchor="middle" fill="{palette.MUTED}">no value to draw</text>'


def _axis_data(axis: Axis) -> dict[str, object]:
    return {"low": axis.low, "high": axis.high, "ticks": list(axis.ticks), "base": axis.base}


def _attribute(data: object) -> str:
    return escape(json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def _frame(chart: Chart, full: tuple[int, int, int, int]) -> str:
    """Paper, title and key: outside the view inside the page, visible in a file."""
    lines = [
        f'<rect class="paper" x="{full[0]}" y="{full[1]}" width="{full[2]}" height="{full[3]}" fill="{palette.PAPER}"/>',
        f'<text class="ink" x="0" y="-14" font-size="15" font-weight="600" fill="{palette.INK}">{short(chart.title, 56)}</text>',
    ]
    for row, (name, kind, group, _) in enumerate(key(chart)):
        height = HEIGHT + 6 + KEY_ROW * row
        lines.append(
            _swatch(kind, group, 8, height)
            + f'<text x="46" y="{height + 4}" fill="{palette.INK}">{short(name, 60)}</text>'
        )
    return f'<g class="frame" aria-hidden="true">{"".join(lines)}</g>'


def _swatch(kind: str, group: int, x: float, y: float) -> str:
    """A short piece of line, with the marker of its group."""
    if kind == "theory":
        colour = palette.INK if group < 0 else palette.THEORY[palette.group_of(group)]
        return f'<path d="M{x},{y}h28" stroke="{colour}" stroke-width="1.5" stroke-dasharray="5 3"/>'
    colour = palette.GROUPS[palette.group_of(group)]
    return f'<path d="M{x},{y}h28" stroke="{colour}" stroke-width="2.6"/><path d="{palette.marker(group, x + 14, y, 4)}" fill="{colour}"/>'


def swatch(kind: str, group: int) -> str:
    """A swatch for the legend of the page; its colours come from the style sheet."""
    if kind == "theory":
        shape = '<path class="line" d="M0,6h28" stroke-dasharray="5 3"/>'
    else:
        shape = f'<path class="line" d="M0,6h28"/><path class="dots" d="{palette.marker(group, 14, 6, 4)}"/>'
    name = "any" if group < 0 else f"g{palette.group_of(group)}"
    return (
        f'<svg class="swatch {kind} {name}" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">{shape}</svg>'
    )


def short(text: str, limit: int) -> str:
    """Escaped and cut to a length.

    >>> short("a < b and so on", 8)
    'a &lt; b a…'
    """
    return escape(plain_short(text, limit))


def plain_short(text: str, limit: int) -> str:
    """Cut to a length."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _x_ticks(axis: Axis, x: Scale, chart: Chart) -> str:
    floor = HEIGHT - BOTTOM
    out = [f'<path class="rule" d="M{x.start - 8:.1f},{floor + 4}H{x.stop}" stroke="#9aa3ab"/>']
    for value, label in axis.ticks:
        at = f"{x(value):.1f}"
        out.append(f'<path class="rule" d="M{at},{floor + 4}v4" stroke="#9aa3ab"/>')
        out.append(f'<text x="{at}" y="{floor + 21}" text-anchor="middle">{escape(label)}</text>')
    out.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{short(chart.x_label, 60)}</text>')
    return "".join(out)


def _y_ticks(axis: Axis, y: Scale, left: int) -> str:
    out = []
    for value, label in axis.ticks:
        at = y(value)
        if TOP - 3 <= at <= HEIGHT - BOTTOM + 3:
            out.append(f'<path class="grid" d="M{left},{at:.1f}H{WIDTH - RIGHT}" stroke="{palette.GRID}"/>')
            out.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(label)}</text>')
    return "".join(out)


def _y_label(chart: Chart, axis: Axis) -> str:
    base = f" {MINUS} {axis.base}" if axis.base else ""
    return (
        f'<text class="ylab" x="0" y="13">{short(chart.y_label, 66)}<tspan class="base">{escape(base)}</tspan></text>'
    )


def _marks(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    order = {"reference": 0, "measured": 1, "theory": 2}
    count = sum(series.kind == "measured" for series in chart.series)
    rows = {at: row for row, at in enumerate(sorted({at for series in chart.series for at in series.x}))}
    for index, series in sorted(enumerate(chart.series), key=lambda pair: order[pair[1].kind]):
        group = palette.group_of(series.group)
        inside = {"reference": _reference, "theory": _theory}.get(series.kind)
        shapes = inside(series, x, y) if inside else _measured(series, x, y, count, rows)
        yield f'<g class="series {series.kind} g{group}" data-i="{index}">{shapes}</g>'


def _measured(series: Series, x: Scale, y: Scale, count: int, rows: dict[float, int]) -> str:
    colour = palette.GROUPS[palette.group_of(series.group)]
    shapes = ""
    if series.low is not None and series.high is not None:
        shapes = f'<path class="band" fill="{colour}" fill-opacity="0.16" d="{_band(series, x, y)}"/>'
    points = _pixels(series.x, series.y, x, y)
    places = _sparse(points, series.group, count)
    dots = "".join(palette.marker(series.group, *point) for index in places if (point := points[index]) is not None)
    at = " ".join(str(rows[series.x[index]]) for index in places)
    return (
        f'{shapes}<path class="line" fill="none" stroke="{colour}" stroke-width="2.4" stroke-linejoin="round" '
        f'stroke-linecap="round" d="{_path(points)}"/><path class="dots" fill="{colour}" data-at="{at}" d="{dots}"/>'
    )


def _theory(series: Series, x: Scale, y: Scale) -> str:
    colour = palette.THEORY[palette.group_of(series.group)]
    return (
        f'<path class="line" fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{escape(series.dash or "5 4")}" '
        f'd="{_path(_pixels(series.x, series.y, x, y))}"/>'
    )


def _reference(series: Series, x: Scale, y: Scale) -> str:
    points = [point for point in _pixels(series.x, series.y, x, y) if point is not None]
    if not points:
        return ""
    at = points[-1][1]
    above = at - 5 if at > TOP + 10 else at + 13
    return (
        f'<path class="line" fill="none" stroke="#7b858e" stroke-dasharray="{escape(series.dash or "1 3")}" '
        f'stroke-linecap="round" stroke-width="1.4" d="M{points[0][0]:.1f},{at:.1f}H{points[-1][0]:.1f}"/>'
        f'<text class="reflab" x="{points[-1][0]:.1f}" y="{above:.1f}" text-anchor="end" fill="{palette.MUTED}" '
        f'font-size="11.5">{short(series.name, 44)}</text>'
    )


def _pixels(xs: Sequence[float], ys: Sequence[float], x: Scale, y: Scale) -> list[tuple[float, float] | None]:
    """Where each value lies; None is a gap."""
    return [
        (x(at), y(value)) if is_number(at) and is_number(value) and (value > 0 or not y.log) else None
        for at, value in zip(xs, ys, strict=True)
    ]


def _runs(points: Sequence[tuple[float, float] | None]) -> Iterator[Points]:
    """The pieces between gaps."""
    run: Points = []
    for point in [*points, None]:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """Path data; a lone point becomes a dot."""
    return "".join(
        "M" + "L".join(f"{px:.1f},{py:.1f}" for px, py in run) + ("h0" if len(run) == 1 else "")
        for run in _runs(points)
    )


def _band(series: Series, x: Scale, y: Scale) -> str:
    """Path data of the area between low and high; on a logarithmic axis what lies below it reaches the floor."""
    assert series.low is not None
    assert series.high is not None
    lows = [y.low if y.log and is_number(low) and low <= 0 else low for low in series.low]
    both: list[tuple[tuple[float, float], tuple[float, float]] | None] = [
        None if low is None or high is None else (low, high)
        for low, high in zip(_pixels(series.x, lows, x, y), _pixels(series.x, series.high, x, y), strict=True)
    ]
    out, run = [], []
    for pair in [*both, None]:
        if pair is not None:
            run.append(pair)
        elif run:
            if len(run) == 1:
                (px, low), (_, high) = run[0]
                run = [((px - 2, low), (px - 2, high)), ((px + 2, low), (px + 2, high))]
            ring = [high for _, high in run] + [low for low, _ in reversed(run)]
            out.append("M" + "L".join(f"{px:.1f},{py:.1f}" for px, py in ring) + "Z")
            run = []
    return "".join(out)


def _sparse(points: Sequence[tuple[float, float] | None], group: int, count: int) -> list[int]:
    """Which points get a marker: a few, those of different lines at different places, and always the last."""
    places = [index for index, point in enumerate(points) if point is not None]
    return places if len(places) <= 12 else sorted(set(_spread(places, group, count)))


def _spread(places: list[int], group: int, count: int) -> list[int]:
    gap = len(places) / 4
    first = gap * (0.3 + 0.6 * (group % max(count, 1)) / max(count, 1))
    return [places[min(int(first + gap * step), len(places) - 1)] for step in range(4)] + [places[-1]]
