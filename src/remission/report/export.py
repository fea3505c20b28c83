"""Figures and tables of a report as files: SVG, PDF, CSV and Parquet."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from remission.errors import MissingExtra, UsageError, did_you_mean
from remission.report import palette, svg
from remission.report.content import Chart, Report, Series, Table, chart_table, is_number
from remission.report.page import csv_text, file_name, write_aside

Figure = Literal["svg", "pdf"]
Sheet = Literal["csv", "parquet"]
COLUMN = 3.35  # inches: one column of a two-column paper


def export(
    report: Report, folder: Path | str, figures: Sequence[str] = ("svg",), tables: Sequence[str] = ("csv", "parquet")
) -> list[Path]:
    """Write every figure to ``folder/figures`` and every table to ``folder/tables``.

    Args:
        report: what to take them from.
        folder: made when absent; files of the same name are replaced.
        figures: of ``svg``, ``pdf`` (needs the extra ``figures``).
        tables: of ``csv``, ``parquet``; numbers are exact, and those behind the charts are among them.

    Returns:
        the files written.

    Raises:
        UsageError: an unknown format.
        MissingExtra: PDF without matplotlib.
    """
    drawers = {"svg": lambda chart: svg.draw(chart, "figure", alone=True).encode(), "pdf": pdf}
    writers = {"csv": lambda table: csv_text(table).encode(), "parquet": parquet}
    for given, allowed in ((figures, drawers), (tables, writers)):
        for name in given:
            if name not in allowed:
                raise UsageError(f"Unknown format '{name}'. {did_you_mean(name, allowed)}")
    folder = Path(folder)
    written = []
    for name, chart in _named(report.charts):
        written += [write_aside(folder / "figures" / f"{name}.{end}", drawers[end](chart)) for end in figures]
        written += [
            write_aside(folder / "tables" / f"{name}.{end}", writers[end](chart_table(chart))) for end in tables
        ]
    for name, table in _named(report.tables):
        written += [write_aside(folder / "tables" / f"{name}.{end}", writers[end](table)) for end in tables]
    return written


def _named(things: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each with a file name of its own."""
    taken: dict[str, int] = {}
    for thing in things:
        name = file_name(getattr(thing, "name", "") or thing.title)
        taken[name] = taken.get(name, 0) + 1
        yield (name if taken[name] == 1 else f"{name}-{taken[name]}"), thing


def parquet(table: Table) -> bytes:
    """A table as a Parquet file; a column of mixed types becomes text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {}
    for index, column in enumerate(table.columns):
        values = [row[index] for row in table.rows]
        numeric = all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values
        )
        whole = numeric and all(value is None or isinstance(value, int) for value in values)
        kind = pa.int64() if whole else pa.float64() if numeric else pa.string()
        known = [
            value if value is None else int(value) if whole else float(value) if numeric else str(value)
            for value in values
        ]
        arrays[column if column not in arrays else f"{column} {index}"] = pa.array(known, kind)
    out = io.BytesIO()
    pq.write_table(pa.table(arrays), out, compression="zstd")
    return out.getvalue()


def pdf(chart: Chart, width: float = COLUMN) -> bytes:
    """A chart as a PDF at column width, with text as text.

    Raises:
        MissingExtra: without matplotlib.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_pdf import FigureCanvasPdf
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise MissingExtra("matplotlib", "figures", "A PDF of a figure") from None
    with rc_context({"font.size": 7.5, "pdf.fonttype": 42, "axes.linewidth": 0.6}):
        canvas = Canvas(figsize=(width, 0.68 * width + 0.15 * len(chart.series)), layout="constrained")
        axes = canvas.add_subplot()
        for series in chart.series:
            _plot(axes, series)
        linear, log = svg.y_axes(chart)
        range_ = log if chart.log_y and log is not None else linear
        axes.set_yscale("log" if range_.log else "linear")
        axes.set_ylim(range_.low, range_.high)
        axes.set_xlabel(_literal(chart.x_label))
        axes.set_ylabel(_literal(svg.plain_short(chart.y_label, 40)))
        axes.set_title(_literal(svg.plain_short(chart.title, 60)), loc="left", fontsize=8.5)
        axes.spines[["top", "right"]].set_visible(False)
        if chart.series:
            canvas.legend(loc="outside lower left", frameon=False, fontsize=7)
        out = io.BytesIO()
        FigureCanvasPdf(canvas).print_pdf(out, metadata={"CreationDate": None, "Title": chart.title})
    return out.getvalue()


def _plot(axes: Any, series: Series) -> None:
    group = palette.group_of(series.group)
    y = [value if is_number(value) else math.nan for value in series.y]
    name = _literal(svg.plain_short(series.name, 60))
    if series.kind == "theory":
        axes.plot(series.x, y, color=palette.THEORY[group], linestyle=(0, (4, 3)), linewidth=0.9, zorder=3, label=name)
        return
    if series.kind == "reference":
        axes.plot(series.x, y, color="#7b858e", linestyle=(0, (1, 2)), linewidth=0.9, zorder=1, label=name)
        return
    colour = palette.GROUPS[group]
    markers = ("o", "s", "^", "D", "v", "_", "d", "<")
    every = max(1, len(series.x) // 5)
    axes.plot(
        series.x,
        y,
        color=colour,
        linewidth=1.3,
        marker=markers[group],
        markersize=3,
        markevery=every,
        zorder=2,
        label=name,
    )
    if series.low is not None and series.high is not None:
        axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.16, linewidth=0, zorder=1)


def _literal(text: str) -> str:
    """Text in which matplotlib sees no mathematics."""
    return text.replace("$", r"\$")
