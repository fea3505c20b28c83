"""A report as one HTML file: no request to anywhere, readable without its script, printable.

What comes from a run (names, texts, labels) is untrusted and escaped; the page forbids every script but its own and every
outside address by a content security policy.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import importlib.metadata
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from remission.aside import written
from remission.errors import StoreError
from remission.report import palette, scatter, svg
from remission.report.axis import plain_number
from remission.report.content import Chart, Finding, Gallery, Report, Section, Table, chart_table
from remission.report.images import common_bounds, data_uri, sheet

DASH = "\N{EN DASH}"
TEMPLATES = Path(__file__).parent / "templates"
Drawn = dict[str, Any]


def render(report: Report) -> str:
    """The whole page as text.

    >>> page = render(Report("A <b>title", "Plain words.", (Section("Findings", "None."),)))
    >>> "<h1>A &lt;b&gt;title</h1>" in page, "http://www.w3.org" in page
    (True, True)
    """
    script = _read("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    draw = _Drawer()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=report.title,
            lead=report.lead,
            sections=[draw.section(section) for section in report.sections],
            style=Markup(palette.stylesheet() + "\n" + _read("style.css")),
            script=Markup(script),
            script_hash=f"sha256-{digest}",
            version=_version(),
        )
        .lstrip()
    )


def write(report: Report, path: Path | str) -> Path:
    """Write the page aside and rename it: a reader never sees half a page.

    Raises:
        StoreError: the folder cannot be written to.
    """
    return write_aside(path, render(report).encode())


def write_aside(path: Path | str, content: bytes) -> Path:
    """Write a file beside its place, then rename it."""
    path = Path(path)
    try:
        with written(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise StoreError(
            f"Cannot write {path}: {error.strerror}. Is the folder writable and the disk not full?"
        ) from None
    return path


def file_name(text: str) -> str:
    """A name that is safe for a file.

    >>> file_name("moments[of=training].ratio"), file_name("../../x")
    ('moments-of-training-.ratio', 'x')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:80] or "unnamed"


def csv_text(table: Table, digits: int = 17) -> str:
    r"""A table as CSV: empty for a missing value, NaN for one that could not be computed.

    >>> csv_text(Table("t", ("a", "b"), ((1, None), (0.5, float("nan")))))
    'a,b\n1,\n0.5,NaN\n'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_plain(value, digits) for value in row] for row in table.rows)
    return out.getvalue()


def _plain(value: Any, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if not np.isfinite(value):
            return "NaN" if np.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        text = repr(float(value)) if digits >= 17 else f"{value:.{digits}g}"
        return text.removesuffix(".0")
    return str(value)


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


@functools.cache
def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _version() -> str:
    try:
        return importlib.metadata.version("remission")
    except importlib.metadata.PackageNotFoundError:
        return "from source"


class _Drawer:
    """Turns content into what the template shows, with ids that are unique in the page."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}

    def unique(self, text: str) -> str:
        """An id or file name that no other element has."""
        name = file_name(text).lower()
        self.taken[name] = self.taken.get(name, 0) + 1
        return name if self.taken[name] == 1 else f"{name}-{self.taken[name]}"

    def section(self, section: Section) -> Drawn:
        """A section and those below it."""
        return {
            "id": self.unique("s-" + section.title),
            "title": section.title,
            "text": section.text,
            "facts": section.facts,
            "warnings": section.warnings,
            "findings": [_finding(finding) for finding in section.findings],
            "charts": [self.chart(chart) for chart in section.charts],
            "galleries": [_gallery(gallery) for gallery in section.galleries],
            "tables": [self.table(table) for table in section.tables],
            "blocks": section.blocks,
            "references": section.references,
            "sections": [self.section(below) for below in section.sections],
        }

    def chart(self, chart: Chart) -> Drawn:
        """A chart: its drawing, its legend and its numbers."""
        identity = self.unique("c-" + (chart.name or chart.title))
        return {
            "id": f"f-{identity}",
            "chart": chart,
            "file": identity.removeprefix("c-"),
            "svg": Markup(svg.draw(chart, identity)),
            "key": [
                {"name": name, "series": " ".join(map(str, indices)), "swatch": Markup(svg.swatch(kind, group))}
                for name, kind, group, indices in svg.key(chart)
            ],
            "columns": json.dumps(_columns(chart), separators=(",", ":")),
            "csv": csv_text(chart_table(chart), 7),
            "scales": svg.y_axes(chart)[1] is not None,
            "log": chart.log_y and svg.y_axes(chart)[1] is not None,
        }

    def table(self, table: Table) -> Drawn:
        """A table with numbers shortened for the eye; downloads get the exact ones."""
        return {
            "title": table.title,
            "file": self.unique("t-" + table.title).removeprefix("t-"),
            "caption": table.caption,
            "collapsed": table.collapsed,
            "columns": table.columns,
            "rows": [[_cell(value) for value in row] for row in table.rows],
        }


def _columns(chart: Chart) -> list[list[Any]]:
    """For each series: name, kind, colour, and which columns of the table hold y, low and high."""
    out, column = [], 1
    for series in chart.series:
        places: list[int | None] = []
        for part in (series.y, series.low, series.high):
            places.append(None if part is None else column)
            column += part is not None
        out.append([series.name, series.kind, palette.group_of(series.group), *places])
    return out


def _finding(finding: Finding) -> Drawn:
    mark = "" if finding.group is None else Markup(svg.swatch("measured", finding.group))
    return {"subject": finding.subject, "sentence": finding.sentence, "tone": finding.tone, "swatch": mark}


def _cell(value: Any) -> Drawn:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return {"text": DASH if value is None else str(value), "number": False, "exact": ""}
    if isinstance(value, int | np.integer):
        return {"text": str(value), "number": True, "exact": ""}
    text = DASH if np.isnan(value) else plain_number(float(value), 4)
    return {"text": text, "number": True, "exact": _plain(float(value), 17)}


def _gallery(gallery: Gallery) -> Drawn:
    draw = {"image": _image, "captioned": _captioned, "text": _text, "scatter": _scatter, "bars": _bars}[gallery.kind]
    columns = [{"label": column.label, **draw(gallery, column.items, column.label)} for column in gallery.columns]
    return {"title": gallery.title, "caption": gallery.caption, "kind": gallery.kind, "columns": columns}


def _image(gallery: Gallery, items: Any, label: str) -> Drawn:
    low, high = gallery.bounds[:2] if gallery.bounds else common_bounds([items])
    pixels = sheet(items, low, high)
    height, width = pixels.shape[:2]
    alt = f"{len(items)} images, {label}, {gallery.title}"
    return {"image": data_uri(pixels), "alt": alt, "width": width, "height": height}


def _captioned(gallery: Gallery, items: Any, label: str) -> Drawn:
    low, high = gallery.bounds[:2] if gallery.bounds else common_bounds([picture for picture, _ in items])
    pairs = [{"image": data_uri(sheet(picture[None], low, high)), "text": text} for picture, text in items]
    return {"image": "", "svg": "", "pairs": pairs}


def _text(gallery: Gallery, items: Any, label: str) -> Drawn:
    return {"image": "", "svg": "", "texts": [str(text) for text in items]}


def _scatter(gallery: Gallery, items: Any, label: str) -> Drawn:
    frame = gallery.bounds or scatter.bounds_of(items)
    return {"image": "", "svg": Markup(scatter.scatter(items, frame, label))}


def _bars(gallery: Gallery, items: Any, label: str) -> Drawn:
    frame = gallery.bounds or (0.0, 1.0, 0.0, float(max(items, default=1.0)))
    return {"image": "", "svg": Markup(scatter.bars(items, frame, label, gallery.labels))}
