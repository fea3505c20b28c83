"""``remission demo``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out


@click.command("demo", short_help="The main job on real images and text, with one HTML report.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, help="Folder.  [default: remission-demo]"
)
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Worker processes.")
@click.option("--deep", is_flag=True, help="Neural networks instead (needs PyTorch); minutes to hours.")
@click.option("--part", "names", multiple=True, metavar="NAME", help="With --deep: which experiment; 'all' for all.")
@click.option("--size", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True, help="With --deep.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(output: Path | None, workers: int, deep: bool, names: tuple[str, ...], size: str, as_json: bool) -> None:
    """Watch models collapse, and the cure, on handwritten digits, English prose and a Gaussian world.

    With --deep the models are neural networks: flow matching on MNIST and transformers on Shakespeare, or the
    experiments named by --part.
    """
    from remission.demo import run_demo
    from remission.demo.parts import BASIC, Part, deep_parts
    from remission.errors import SpecError, need

    if names and not deep:
        raise SpecError("--part names a deep experiment. Add --deep.")
    if deep:
        need("deep", "remission demo --deep", "torch", "safetensors")
    folder = output or Path("remission-demo-deep" if deep else "remission-demo")
    parts = deep_parts(names) if deep else BASIC
    with contextlib.ExitStack() as bars:

        def on_part(part: Part) -> Callable[[float, float], None] | None:
            bars.close()
            if not as_json:
                click.echo(f"{part.title} ...", err=True)
            return bars.enter_context(out.progress(part.name, quiet=as_json))

        demo = run_demo(folder, workers, on_part, parts, size)  # type: ignore[arg-type]
    if as_json:
        runs = {name: {"summary": reading.summary, "theory": reading.theory} for name, reading in demo.runs.items()}
        out.as_json("demo", {"report": str(demo.report), "runs": runs})
        return
    rows = [row for part in parts for row in _headline(demo.runs[part.name], *part.headline)]
    out.table("", ["what is left after the last generation", "regime", "95 % interval", "theory"], rows)
    click.echo(f"Open the report:   {demo.report}")
    last = f"{folder}/{parts[-1].name}.toml"
    click.echo(f"Change a number:   edit {last}, then: remission run {last}")


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
