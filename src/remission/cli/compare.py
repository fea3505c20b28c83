"""``remission compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from remission.cli import _output as out


@click.command("compare", short_help="Runs against a base: differences with intervals, paired where they can be.")
@click.argument("runs", nargs=-1, required=True, metavar="RUN[:POINT] ...")
@click.option("--metric", "rows", multiple=True, metavar="ROW", help="Only this row. Repeatable. Default: all.")
@click.option("--generation", type=click.IntRange(1), help="Of the table. Default: the last that all runs have.")
@click.option("--level", type=click.FloatRange(0, 1, True, True), default=0.95, show_default=True, help="Of intervals.")
@click.option(
    "--scale",
    type=click.Choice(["auto", "difference", "ratio"]),
    default="auto",
    show_default=True,
    help="auto: ratios for positive rows that span more than a factor of 3.",
)
@click.option("--see", type=float, metavar="D", help="How many replicates would show a difference (or factor) of D.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page with all curves.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    runs: tuple[str, ...],
    rows: tuple[str, ...],
    generation: int | None,
    level: float,
    scale: Literal["auto", "difference", "ratio"],
    see: float | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Compare each RUN with the first one.

    A RUN is a run folder; RUN:POINT is one point of a sweep, by number or name. A single RUN compares the points of its
    sweep with the first; several sweeps are compared point by point. Runs with the same seed had the same random
    numbers and are compared replicate by replicate, which narrows the intervals.
    """
    from remission.lab.compare import compare, read_sides

    result = compare(read_sides(runs), rows, generation, level, scale, see)
    content = result.document()
    if html is not None:
        from remission.report.compare import write_page

        write_page(html, content | {"runs": result.own_curves()})
        content["html"] = str(html)
    if as_json:
        out.as_json("compare", content)
    else:
        show(content)
        if html is not None:
            click.echo(f"page: {html}")


def show(content: dict[str, Any]) -> None:
    """A table per pair, and what pairing did."""
    percent = f"{100 * content['level']:g} %"
    for pair in content["pairs"]:
        found = [row for row in content["differences"] if (row["base"], row["run"]) == (pair["base"], pair["run"])]
        table = [
            [
                row["row"], out.number(row["base_value"]), out.number(row["run_value"]), row["scale"],
                f"{short(row['value'])} [{short(row['low'])}, {short(row['high'])}]",
                f"[{short(row['all_low'])}, {short(row['all_high'])}]", row["of"], row["verdict"],
                out.number(row["detectable"], 3), count(row["needed"]),
            ]
            for row in found
        ]  # fmt: skip
        columns = [
            "metric", "base", "run", "scale", f"{percent} interval", "all at once", "of", "run is", "detectable", "needs",
        ]  # fmt: skip
        title = f"{pair['run']} against {pair['base']} · generation {content['generation']}"
        out.table(title, columns, table, {1, 2, 8, 9})
        n = found[0]["n"] if found else 0
        click.echo(f"{n} {'pairs' if pair['paired'] else 'replicates each'}; {pair['reason']}{gain(found)}")
        click.echo()
    click.echo(
        "all at once: wide enough that all intervals hold together; decides the verdict. detectable: the true difference (or "
        "factor)\nthat these replicates call clear four times out of five. needs: replicates to call the one found clear."
        if content["differences"]
        else "nothing to compare"
    )
    for warning in content["warnings"]:
        out.warn(warning)


def short(value: float) -> str:
    """Three digits: what a table of ten columns has room for."""
    return out.number(value, 3)


def count(value: float) -> str:
    """Replicates needed, in words for people."""
    if value != value:
        return "-"
    return f"{value:.0f}" if value < 1e6 else "> 10^6"


def gain(found: list[dict[str, Any]]) -> str:
    """What pairing did to the intervals, over the rows that vary."""
    ratios = sorted(row["variance_ratio"] for row in found if row["variance_ratio"] == row["variance_ratio"])
    if not ratios:
        return ""
    middle = ratios[len(ratios) // 2]
    if middle < 1:
        return f" It narrowed the intervals to {100 * middle**0.5:.0f} % of their unpaired width (median over rows)."
    return f" Pairing gained nothing here: the intervals are {100 * middle**0.5:.0f} % of their unpaired width."
