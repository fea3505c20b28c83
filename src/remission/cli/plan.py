"""``remission plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out


@click.command("plan", short_help="Minimum fresh human data, and what it costs.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a value, as in corpus.synthetic=0.4."
)
@click.option("--simulate", is_flag=True, help="Simulate even where a law is exact.")
@click.option(
    "--budget", type=click.IntRange(100), help="Replicates in all. Default: 20 times those in FILE, at least 4000."
)
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Worker processes.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A folder to keep what was run: the same command goes on."
)
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with the cost curve.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    file: Path, changes: tuple[str, ...], simulate: bool, budget: int | None, workers: int, output: Path | None,
    html: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Say how many fresh human items per generation keep the lines of the plan in FILE, and the cheapest way to do it.

    The exit code is 1 when nothing does, or nothing within the budget.
    """
    from remission.clinic.plan import plan

    with out.counter("plan", quiet=as_json) as tell:
        found = plan(file, changes, simulate=simulate, workers=workers, folder=output, budget=budget, tell=tell)
    document = found.document()
    if html is not None:
        from remission.report.plan import write_page

        write_page(html, document)
    if as_json:
        out.as_json("plan", document)
    else:
        _show(document)
        if html is not None:
            click.echo(f"page: {html}")
    return 0 if found.verdict == "plan" else 1


def _show(found: dict[str, Any]) -> None:
    from remission.report.plan import sentences

    for line in sentences(found):
        click.echo(line)
    if found["options"]:
        rows = [
            [one["name"], f"{100 * one['filtered']:.0f} %", str(one["buy"]), _range(one["fresh"]), f"{100 * one['synthetic']:.1f} %", out.number(one["calls"]), out.number(one["cost"])]
            for one in found["options"]
        ]  # fmt: skip
        columns = ["way", "filtered", "buy fresh", "needed", "synthetic in the rest", "detector calls", "cost"]
        out.table("Ways to do it", columns, rows, right=(1, 2, 3, 4, 5, 6))
    if found["sensitivity"]:
        rows = [[one["name"], out.number(one["fresh"]), out.number(one["cost"])] for one in found["sensitivity"]]
        out.table("If instead", ["", "fresh items", "cost"], rows, right=(1, 2))
    for note in found["notes"]:
        out.warn(note)


def _range(one: dict[str, float]) -> str:
    if one["low"] == one["high"]:
        return f"{one['value']:g}"
    return f"{one['value']:.4g} [{one['low']:.4g}, {one['high']:.4g}]"
