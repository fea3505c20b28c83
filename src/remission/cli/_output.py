"""Printing: tables for people, one JSON document for scripts, progress on stderr."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import click


def as_json(name: str, content: dict[str, Any]) -> None:
    """Print one JSON document; NaN and infinity become null, because JSON has no word for them."""
    click.echo(json.dumps({"schema": f"remission/{name}/1"} | _finite(content), indent=1, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def table(title: str, columns: list[str], rows: list[list[str]], right: Collection[int] = ()) -> None:
    """Print a table that fits the terminal. Brackets in titles, columns and rows are what they are: no markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    head = Text(title, style="bold") if title else None
    shown = Table(title=head, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for number, column in enumerate(columns):
        shown.add_column(Text(column), justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(shown)


def number(value: float | None, digits: int = 4) -> str:
    """A number in at most ``digits`` significant digits; a dash when there is none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.{digits}g}"


def warn(text: str) -> None:
    """A warning on stderr."""
    click.echo(f"warning: {text}", err=True)


@contextlib.contextmanager
def progress(label: str, quiet: bool) -> Iterator[Callable[[float, float], None] | None]:
    """A progress bar with the time left on a terminal, a line every ten seconds elsewhere, nothing when quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        yield from _bar(label)
    else:
        yield _lines(label)


@contextlib.contextmanager
def counter(label: str, quiet: bool) -> Iterator[Callable[[str], None] | None]:
    """Tell how far a search of unknown length is: in place on a terminal, a line every ten seconds elsewhere."""
    if quiet:
        yield None
        return
    terminal, last = sys.stderr.isatty(), time.monotonic()

    def tell(text: str) -> None:
        nonlocal last
        if terminal:
            click.echo(f"\r\x1b[K{label}: {text}", err=True, nl=False)
        elif time.monotonic() - last >= 10:
            last = time.monotonic()
            click.echo(f"{label}: {text}", err=True)

    try:
        yield tell
    finally:
        if terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def _bar(label: str) -> Iterator[Callable[[float, float], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(label: str) -> Callable[[float, float], None]:
    began = last = time.monotonic()
    first: float | None = None

    def tell(done: float, total: float) -> None:
        nonlocal last, first
        first = done if first is None else first
        now = time.monotonic()
        if now - last >= 10 and done > first:
            last = now
            left = (total - done) * (now - began) / (done - first)
            click.echo(f"{label}: {100 * done / total:.0f} %, about {left:.0f} s left", err=True)

    return tell
