"""The ground on which rows of intervals are drawn: stripes, an axis of shares, headings, names on the left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from remission.report import palette
from remission.report.axis import Axis
from remission.report.census_rows import cut

Pixel = Callable[[float], float]
HEAD, FOOT = 26, 26


@dataclass(frozen=True)
class Layout:
    """Pixels of columns, and letters of names.

    Attributes:
        width: of all; names, numbers, counts: of columns; counts may be 0, then they are not drawn.
        letters: after which a name is shortened.
    """

    width: int
    names: int
    numbers: int
    counts: int
    letters: int


@dataclass(frozen=True)
class Sheet:
    """Rows of the same height under a line of headings, over an axis.

    Attributes:
        identity: of the drawing, unique in the page.
        rows: how many; row: pixels of one.
    """

    identity: str
    layout: Layout
    axis: Axis
    rows: int
    row: int

    @property
    def right(self) -> int:
        """Where the axis ends."""
        return self.layout.width - self.layout.numbers - self.layout.counts - 14

    @property
    def numbers(self) -> int:
        """Where the column of numbers begins."""
        return self.right + 14

    @property
    def floor(self) -> int:
        """Where the rows end."""
        return HEAD + self.row * self.rows

    def x(self, share: float) -> float:
        """Where a share lies; beyond the axis, at its edge."""
        left = self.layout.names + 10
        return left + (self.right - left) * min(max(share / self.axis.high, 0.0), 1.0)

    def middle(self, row: int) -> float:
        """The height of the middle of a row, from the first, 0."""
        return HEAD + self.row * (row + 0.5)

    def ground(self) -> str:
        """Everything that lies below the rows."""
        width, counts, identity = self.layout.width, self.layout.counts, self.identity
        clip = f'<clipPath id="{identity}-c"><rect x="0" y="0" width="{self.layout.names + 2}" height="{self.floor}"/></clipPath>'
        head = f'<text x="4" y="16">of</text><text x="{self.numbers}" y="16">share (interval)</text>'
        head += f'<text x="{width - 4}" y="16" text-anchor="end">documents</text>' if counts else ""
        stripes = "".join(
            f'<rect class="stripe" x="0" y="{HEAD + self.row * k}" width="{width}" height="{self.row}" fill="#f6f7f8"/>'
            for k in range(0, self.rows, 2)
        )
        lines = "".join(
            f'<path class="grid" d="M{self.x(value):.1f},{HEAD}V{self.floor}" stroke="{palette.GRID}"/>'
            for value, _ in self.axis.ticks
        )
        labels = "".join(
            f'<text x="{self.x(value):.1f}" y="{self.floor + 17}" text-anchor="middle">{escape(label)}</text>'
            for value, label in self.axis.ticks[:: 1 if counts else 2]
        )
        return clip + head + stripes + lines + labels

    def name(self, text: str, y: float, ink: str) -> str:
        """A name on the left, shortened and clipped; ``ink``: attributes of its text."""
        shown = escape(cut(text, self.layout.letters))
        return f'<text {ink} x="4" y="{y + 4.5:.1f}" clip-path="url(#{self.identity}-c)">{shown}</text>'


def ink(strong: bool) -> str:
    """Attributes of text that stands out from the headings."""
    return f'class="ink" fill="{palette.INK}"' + (' font-weight="650"' if strong else "")
