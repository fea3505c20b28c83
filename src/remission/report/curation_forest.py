"""Two intervals under each other for every name, before and after, as inline SVG in the manner of the census page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from remission.report import palette
from remission.report.axis import Axis
from remission.report.census_forest import FOOT, HEAD, Pixel, framed, share_axis, spoken, written
from remission.report.census_rows import Interval, cut

ROW = 40
_APART = 8.0  # pixels of either line from the middle of its row
NOTHING = "nothing kept"


@dataclass(frozen=True)
class Pair:
    """A row: a name, its share before and after, documents before and the sum of weights after.

    An interval that is not known is not drawn; a NaN value with ends is a range that is open.
    """

    name: str
    before: Interval
    after: Interval
    documents: float
    weight: float
    strong: bool = False

    @property
    def told(self) -> str:
        """What is kept, as :func:`~.census_forest.written` has it."""
        return written(self.after) if self.weight else NOTHING

    @property
    def words(self) -> str:
        """The row for those who do not see it."""
        after = f"after {spoken(self.after)}, {self.weight:,.0f} documents" if self.weight else NOTHING
        return f"{self.name}: before {spoken(self.before)}, {self.documents:,.0f} documents; {after}"


def pairs(rows: Sequence[Pair], title: str, identity: str) -> Markup:
    """Rows of a name, two intervals under each other and their numbers; drawn twice, for wide and for narrow screens.

    Args:
        rows: from top to bottom; names are shortened in the drawing, never in its tooltips.
        title: for those who do not see it.
        identity: prefix of element ids, unique in the page.
    """
    axis = share_axis([share for row in rows for share in (row.before, row.after)])
    wide = _drawing(rows, axis, title, f"{identity}-w", "wide", (760, 236, 150, 92, 28))
    return wide + _drawing(rows, axis, title, f"{identity}-n", "narrow", (400, 128, 136, 0, 15))


def _drawing(
    rows: Sequence[Pair], axis: Axis, title: str, identity: str, kind: str, layout: tuple[int, int, int, int, int]
) -> Markup:
    width, names, numbers, counts, letters = layout
    left, right = names + 10, width - numbers - counts - 14
    floor = HEAD + ROW * len(rows)

    def x(share: float) -> float:
        return left + (right - left) * min(max(share / axis.high, 0.0), 1.0)

    clip = f'<clipPath id="{identity}-c"><rect x="0" y="0" width="{names + 2}" height="{floor}"/></clipPath>'
    parts = [clip, f'<text x="4" y="16">of</text><text x="{right + 14}" y="16">share (interval)</text>']
    if counts:
        parts.append(f'<text x="{width - 4}" y="16" text-anchor="end">documents</text>')
    parts += [f'<rect class="stripe" x="0" y="{HEAD + ROW * k}" width="{width}" height="{ROW}" fill="#f6f7f8"/>' for k in range(0, len(rows), 2)]  # fmt: skip
    parts.append(_grid(axis, x, floor, 1 if counts else 2))
    for k, row in enumerate(rows):
        y = HEAD + ROW * k + ROW / 2
        strong = ' font-weight="650"' if row.strong else ""
        ink = f'class="ink" fill="{palette.INK}"{strong}'
        parts.append(
            f"<g><title>{escape(row.words)}</title>"
            f'<text {ink} x="4" y="{y + 4.5:.1f}" clip-path="url(#{identity}-c)">{escape(cut(row.name, letters))}</text>'
            f"{_mark(row.before, x, y - _APART, False)}{_mark(row.after, x, y + _APART, True)}"
            f'<text x="{right + 14}" y="{y - _APART + 4.5:.1f}">{escape(written(row.before))}</text>'
            f'<text {ink} x="{right + 14}" y="{y + _APART + 4.5:.1f}">{escape(row.told)}</text>'
            + (_counts(row, width - 4, y, ink) if counts else "")
            + "</g>"
        )
    words = " ".join(f"{row.words}." for row in rows)
    return framed("".join(parts), title, words, identity, kind, width, floor + FOOT)


def _counts(row: Pair, x: int, y: float, ink: str) -> str:
    return (
        f'<text x="{x}" y="{y - _APART + 4.5:.1f}" text-anchor="end">{row.documents:,.0f}</text>'
        f'<text {ink} x="{x}" y="{y + _APART + 4.5:.1f}" text-anchor="end">{row.weight:,.0f}</text>'
    )


def _grid(axis: Axis, x: Pixel, floor: float, every: int) -> str:
    lines = "".join(
        f'<path class="grid" d="M{x(value):.1f},{HEAD}V{floor}" stroke="{palette.GRID}"/>' for value, _ in axis.ticks
    )
    return lines + "".join(
        f'<text x="{x(value):.1f}" y="{floor + 17}" text-anchor="middle">{escape(label)}</text>'
        for value, label in axis.ticks[::every]
    )


def _mark(share: Interval, x: Pixel, y: float, after: bool) -> str:
    """A line with a dot, hollow and grey before, full after; a hollow bar where there are only ends."""
    if not share.known:
        return ""
    low, high = x(share.low), x(share.high)
    colour = palette.GROUPS[0] if after else palette.MUTED
    line, dot, fill = ("s g0", "f g0", colour) if after else ("axis", "hollow axis", palette.PAPER)
    if math.isnan(share.value):
        hollow = f"hollow {line}"
        return f'<rect class="{hollow}" x="{low:.1f}" y="{y - 4:.1f}" width="{max(high - low, 2):.1f}" height="8" rx="2" fill="{palette.PAPER}" stroke="{colour}" stroke-width="1.4"/>'  # fmt: skip
    ring = "" if after else f' stroke="{colour}" stroke-width="1.6"'
    return (
        f'<path class="{line}" d="M{low:.1f},{y:.1f}H{high:.1f}" stroke="{colour}" stroke-width="2.2" stroke-linecap="round"/>'
        f'<circle class="{dot}" cx="{x(share.value):.1f}" cy="{y:.1f}" r="4" fill="{fill}"{ring}/>'
    )
