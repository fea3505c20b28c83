"""``remission demo``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out

HEADLINES = (
    ("digits", "prdc.recall", "share of real digits still covered"),
    ("prose", "types.recall", "share of human words still in use"),
    ("gaussian", "moments.variance", "variance (1 at the start)"),
)


@click.command("demo", short_help="The main job on real images and text, with one HTML report.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default="remission-demo", show_default=True)
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Worker processes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(output: Path, workers: int, as_json: bool) -> None:
    """Watch models collapse, and the cure, on handwritten digits, English prose and a Gaussian world."""
    from remission.demo import PARTS, run_demo

    with contextlib.ExitStack() as bars:

        def on_part(name: str) -> Callable[[float, float], None] | None:
            bars.close()
            if not as_json:
                click.echo(f"{PARTS[name][0]} ...", err=True)
            return bars.enter_context(out.progress(name, quiet=as_json))

        demo = run_demo(output, workers, on_part)
    if as_json:
        runs = {name: {"summary": reading.summary, "theory": reading.theory} for name, reading in demo.runs.items()}
        out.as_json("demo", {"report": str(demo.report), "runs": runs})
        return
    rows = [row for name, metric, text in HEADLINES for row in _headline(demo.runs[name], metric, text)]
    out.table("", ["what is left after the last generation", "regime", "95 % interval", "theory"], rows)
    click.echo(f"Open the report:   {demo.report}")
    click.echo(f"Change a number:   edit {output}/gaussian.toml, then: remission run {output}/gaussian.toml")


def _headline(reading: Any, metric: str, text: str) -> list[list[str]]:
    rows = []
    for point, name in enumerate(reading.point_names):
        last = max(
            (row for row in reading.summary if row["point"] == point and row["metric"] == metric),
            key=lambda row: row["generation"],
        )
        theory = [
            row["value"]
            for row in reading.theory
            if (row["point"], row["metric"], row["generation"]) == (point, metric, last["generation"])
            and row["scale"] == last["of"]
        ]
        shown = f"{out.number(last[last['of']], 3)} [{out.number(last['low'], 3)}, {out.number(last['high'], 3)}]"
        rows.append(
            [
                text if point == 0 else "",
                name,
                shown,
                out.number(theory[0], 3) if theory else "-",
            ]
        )
    return rows
