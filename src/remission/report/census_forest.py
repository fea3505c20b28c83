"""Named intervals under one another as inline SVG: where a share is high, where it is low, where nobody can say.

Colours are written as attributes, so a drawing taken out of the page keeps them; :func:`styled` gives the rules by which they
follow the page into the dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from remission.report import palette
from remission.report.axis import Axis, linear_axis
from remission.report.census_rows import Interval, ends, percent
from remission.report.census_sheet import FOOT, HEAD, Layout, Pixel, Sheet, ink
from remission.report.content import Report
from remission.report.page import file_name
from remission.report.svg import FONT

_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ROW = 24
_STYLE = """p:has(> svg.own), p:has(> .panels) { max-width: none; }
p:has(> .panels), p:has(> svg.own) { color: var(--muted); }
svg.own { display: block; width: 100%; height: auto; margin: 14px 0 4px; }
svg.own.wide { max-width: 760px; } svg.own.narrow { display: none; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); gap: 12px 28px; margin-top: 14px; }
.panels:has(> .single) { display: block; } svg.own.panel { margin: 0; } svg.own.panel.single { max-width: 680px; }
svg.own text { fill: var(--muted); } svg.own text.ink { fill: var(--ink); } svg.own .grid { stroke: var(--grid); }
svg.own .axis, svg.own .whole { stroke: var(--muted); } svg.own .stripe { fill: var(--panel); } svg.own .hollow { fill: var(--paper); }
svg.own .s { stroke: var(--c); } svg.own .f { fill: var(--c); }
@media (max-width: 620px) { svg.own.wide { display: none; } svg.own.narrow { display: block; } }
@media print { svg.own.wide { display: block; } svg.own.narrow { display: none; } svg.own { break-inside: avoid; } }
#all { display: none; }
.table .scroll { width: fit-content; max-width: 100%; } .table table { width: auto; }
.table td:first-child { width: auto; min-width: 13em; white-space: normal; overflow-wrap: break-word; }
.table td:last-child:not(.n, :empty) { min-width: 24em; }"""


@dataclass(frozen=True)
class Bar:
    """A row: a name, an interval, how many documents.

    A NaN value with ends is a range that is open: somewhere in it, nobody knows where.
    """

    name: str
    share: Interval
    n: int
    strong: bool = False


def styled() -> Markup:
    """The rules for drawings of this page, once in it. The button for all numbers goes: it knows only the charts of runs."""
    return Markup('<svg width="0" height="0" aria-hidden="true" focusable="false"><style>{}</style></svg>').format(
        Markup(_STYLE)
    )


def drawings(report: Report) -> dict[str, bytes]:
    """The drawings in the sections of a page as SVG files, by name, those for narrow screens left out."""
    found: dict[str, bytes] = {}
    for section in report.walk():
        for number, drawing in enumerate(re.findall(r'<svg class="own (?!narrow).*?</svg>', section.text, re.DOTALL)):
            name = file_name(section.title) + (f"-{number + 1}" if number else "")
            found[f"{name}.svg"] = f'<?xml version="1.0" encoding="UTF-8"?>\n{_NOT_XML.sub("?", drawing)}'.encode()
    return found


def share_axis(shares: Sequence[Interval]) -> Axis:
    """An axis of shares from 0 up to what is there, in steps that are round in per cent; at most 100 %.

    >>> [label for _, label in share_axis([Interval(0.02, 0.01, 0.034)]).ticks]
    ['0 %', '1 %', '2 %', '3 %', '4 %']
    """
    most = max((share.high for share in shares if math.isfinite(share.high)), default=1.0)
    most = min(max(most, 1e-6), 1.0)
    rough = linear_axis(0.0, 100 * most, 4)
    step = rough.ticks[1][0] - rough.ticks[0][0]
    top = min(100.0, step * math.ceil(100 * most / step - 1e-9))
    ticks = linear_axis(0.0, top, 4).ticks
    return Axis(0.0, top / 100, tuple((value / 100, f"{label} %") for value, label in ticks))


def forest(
    bars: Sequence[Bar], title: str, identity: str, whole: Interval | None = None, axis: Axis | None = None
) -> Markup:  # fmt: skip
    """Rows of a name, an interval, its numbers and how many documents it rests on.

    Drawn twice, for wide and for narrow screens; the style sheet shows one of them.

    Args:
        bars: from top to bottom; their names are shortened in the drawing, never in its tooltips.
        title: for those who do not see it.
        identity: prefix of element ids, unique in the page.
        whole: drawn as a line from top to bottom, or as a stripe where it has only ends.
        axis: of shares; by default it holds all of them, else what lies beyond ends at its edge.
    """
    axis = axis or share_axis([*(bar.share for bar in bars), *([whole] if whole is not None else [])])
    wide = _drawing(bars, axis, title, f"{identity}-w", whole, "wide", Layout(760, 250, 150, 80, 32))
    return wide + _drawing(bars, axis, title, f"{identity}-n", whole, "narrow", Layout(400, 134, 134, 0, 18))


def _drawing(
    bars: Sequence[Bar], axis: Axis, title: str, identity: str, whole: Interval | None, kind: str,
    layout: Layout,
) -> Markup:  # fmt: skip
    sheet = Sheet(identity, layout, axis, len(bars), ROW)
    parts = [sheet.ground(), _whole(whole, sheet.x, sheet.floor)]
    for k, bar in enumerate(bars):
        y, stands = sheet.middle(k), ink(bar.strong)
        said = f"{bar.name}: {spoken(bar.share)}, {bar.n:,} documents"
        parts.append(
            f"<g><title>{escape(said)}</title>{sheet.name(bar.name, y, stands)}{mark(bar.share, sheet.x, y)}"
            f'<text {stands} x="{sheet.numbers}" y="{y + 4.5:.1f}">{escape(written(bar.share))}</text>'
            + (
                f'<text x="{layout.width - 4}" y="{y + 4.5:.1f}" text-anchor="end">{bar.n:,}</text>'
                if layout.counts
                else ""
            )
            + "</g>"
        )
    words = " ".join(f"{bar.name}: {spoken(bar.share)}." for bar in bars)
    return framed("".join(parts), title, words, identity, kind, layout.width, sheet.floor + FOOT)


def framed(shapes: str, title: str, words: str, identity: str, kind: str, width: int, height: int) -> Markup:
    """Shapes as an ``<svg>`` with its title and what it shows in words."""
    return Markup(
        f'<svg class="own {kind}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="{identity}-t {identity}-d" font-family="{FONT}" font-size="13" fill="{palette.MUTED}">'
        f'<title id="{identity}-t">{escape(title)}</title><desc id="{identity}-d">{escape(words)}</desc>{shapes}</svg>'
    )


def _whole(whole: Interval | None, x: Pixel, floor: float) -> str:
    if whole is None or not whole.known:
        return ""
    if math.isnan(whole.value):
        low, high = x(whole.low), x(whole.high)
        return f'<rect x="{low:.1f}" y="{HEAD}" width="{max(high - low, 1):.1f}" height="{floor - HEAD}" fill="{palette.MUTED}" fill-opacity="0.14"/>'
    return f'<path class="whole" d="M{x(whole.value):.1f},{HEAD}V{floor}" stroke="{palette.MUTED}" stroke-dasharray="3 3"/>'


def mark(share: Interval, x: Pixel, y: float, faint: bool = False) -> str:
    """A line with a dot, or a hollow bar where there are only ends, or nothing; faint: in grey, with a hollow dot."""
    if not share.known:
        return ""
    low, high = x(share.low), x(share.high)
    colour = palette.MUTED if faint else palette.GROUPS[0]
    line, dot, fill = ("axis", "hollow axis", palette.PAPER) if faint else ("s g0", "f g0", colour)
    if math.isnan(share.value):
        return f'<rect class="hollow {line}" x="{low:.1f}" y="{y - 4:.1f}" width="{max(high - low, 2):.1f}" height="8" rx="2" fill="{palette.PAPER}" stroke="{colour}" stroke-width="1.4"/>'
    ring = f' stroke="{colour}" stroke-width="1.6"' if faint else ""
    return (
        f'<path class="{line}" d="M{low:.1f},{y:.1f}H{high:.1f}" stroke="{colour}" stroke-width="2.2" stroke-linecap="round"/>'
        f'<circle class="{dot}" cx="{x(share.value):.1f}" cy="{y:.1f}" r="4" fill="{fill}"{ring}/>'
    )


def written(share: Interval) -> str:
    """A share with its interval in little space.

    >>> written(Interval(0.12, 0.1, 0.15)), written(Interval(float("nan"), 0.0, 0.3)), written(Interval())
    ('12.0 % (10.0–15.0)', '0.0 to 30.0 %', 'no share')
    """
    if not share.known:
        return "no share"
    if math.isnan(share.value):
        return ends(share)
    return f"{percent(share.value, share)} ({ends(share).removesuffix(' %').replace(' to ', chr(0x2013))})"


def spoken(share: Interval) -> str:
    """The same in words."""
    if not share.known:
        return "no share can be given"
    known = not math.isnan(share.value)
    return f"{percent(share.value, share)}, interval {ends(share)}" if known else f"somewhere in {ends(share)}"
