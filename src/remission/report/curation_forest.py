"""Two intervals under each other for every name, before and after, as inline SVG in the manner of the census page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from remission.report.axis import Axis
from remission.report.census_forest import framed, mark, share_axis, spoken, written
from remission.report.census_rows import Interval
from remission.report.census_sheet import FOOT, Layout, Sheet, ink

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
    wide = _drawing(rows, axis, title, f"{identity}-w", "wide", Layout(760, 236, 150, 92, 28))
    return wide + _drawing(rows, axis, title, f"{identity}-n", "narrow", Layout(400, 128, 136, 0, 15))


def _drawing(rows: Sequence[Pair], axis: Axis, title: str, identity: str, kind: str, layout: Layout) -> Markup:
    sheet = Sheet(identity, layout, axis, len(rows), ROW)
    parts = [sheet.ground()]
    for k, row in enumerate(rows):
        y, stands = sheet.middle(k), ink(row.strong)
        above, below = y - _APART, y + _APART
        parts.append(
            f"<g><title>{escape(row.words)}</title>{sheet.name(row.name, y, stands)}"
            f"{mark(row.before, sheet.x, above, faint=True)}{mark(row.after, sheet.x, below)}"
            f'<text x="{sheet.numbers}" y="{above + 4.5:.1f}">{escape(written(row.before))}</text>'
            f'<text {stands} x="{sheet.numbers}" y="{below + 4.5:.1f}">{escape(row.told)}</text>'
        )
        if layout.counts:
            parts += [
                f'<text x="{layout.width - 4}" y="{above + 4.5:.1f}" text-anchor="end">{row.documents:,.0f}</text>'
                f'<text {stands} x="{layout.width - 4}" y="{below + 4.5:.1f}" text-anchor="end">{row.weight:,.0f}</text>'
            ]
        parts.append("</g>")
    words = " ".join(f"{row.words}." for row in rows)
    return framed("".join(parts), title, words, identity, kind, layout.width, sheet.floor + FOOT)
