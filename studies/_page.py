"""What the scripts share: worlds, tables and figures of a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remission import Experiment
from remission.report import svg
from remission.report.content import Chart

HERE = Path(__file__).resolve().parent


def world(name: str, changes: Sequence[str] = ()) -> Experiment:
    """The experiment ``studies/worlds/NAME.toml``."""
    return Experiment.from_file(HERE / "worlds" / f"{name}.toml", changes)


def figure(name: str, chart: Chart) -> str:
    """Draw a chart into ``studies/figures``; the line of a page that shows it."""
    path = HERE / "figures" / f"{name}.svg"
    path.write_text(svg.draw(chart, name, alone=True), encoding="utf-8")
    return f"![{chart.title}](figures/{path.name})\n\n*{chart.caption}*"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """A number with its interval."""
    return f"{value:.{digits}g} [{low:.{digits}g}, {high:.{digits}g}]"


def write(name: str, *parts: str) -> Path:
    """Write the page ``studies/NAME.md``."""
    path = HERE / f"{name}.md"
    note = f"<!-- Written by studies/{name.replace('-', '_')}.py. Do not edit; run it again. -->"
    path.write_text("\n\n".join([note, *parts]) + "\n", encoding="utf-8")
    print(f"wrote {path}")
    return path
