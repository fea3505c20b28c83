"""``remission dynamics``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out


@click.command("dynamics", short_help="Where it ends: healthy, degraded, lost, incoherent, periodic; with theory.")
@click.argument("path", metavar="FILE|RUN", type=click.Path(path_type=Path))
@click.option("--metric", "rows", multiple=True, metavar="ROW", help="Only this row. Repeatable. Default: all.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a value, as in regime.share=0.2.")
@click.option("--generations", type=click.IntRange(1), help="The most generations. Default: 8 times those of FILE.")
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Worker processes.")
@click.option("--margin", type=click.FloatRange(0, 1, True, True), default=0.05, show_default=True,
              help="Within this share of the real level a row is healthy.")  # fmt: skip
@click.option("--real", type=float, help="The level of real data. Default: 1 for ratios, else generation 1.")
@click.option("--level", type=click.FloatRange(0, 1, True, True), help="Of intervals. Default: that of the experiment.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page with all curves.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    path: Path,
    rows: tuple[str, ...],
    changes: tuple[str, ...],
    generations: int | None,
    workers: int,
    margin: float,
    real: float | None,
    level: float | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Say where the loop of an experiment FILE or of a stored RUN ends in the long run.

    A FILE is run with twice as many generations, again and again, until every row has settled or the most generations are
    reached. A RUN is read as it is.
    """
    from remission.errors import UsageError
    from remission.lab.dynamics import of_run, to_the_end

    if path.is_dir():
        from remission.store import Run

        if changes or generations is not None:
            raise UsageError(f"'{path}' is a stored run: --set and --generations are for an experiment file.")
        result = of_run(Run(path), rows, margin, level, real)
    else:
        from remission.spec import Experiment

        experiment = Experiment.from_file(path, changes)
        tell = None if as_json else lambda text: click.echo(f"running {text}", err=True)
        with out.progress(path.stem, quiet=as_json) as progress:
            result = to_the_end(experiment, rows, generations, workers, margin, level, real, progress, tell)
    content = result.document()
    if html is not None:
        from remission.report.dynamics import write_page

        write_page(html, content | {"curves": result.curves()}, path.name)
        content["html"] = str(html)
    if as_json:
        out.as_json("dynamics", content)
        return
    show(content)
    if html is not None:
        click.echo(f"page: {html}")


def show(content: dict[str, Any]) -> None:
    """A table per grid point, the sentences, and theory beside it."""
    for index, point in enumerate(content["points"]):
        fates = [fate for fate in content["fates"] if fate["point"] == index]
        title = f"{point['name'] or 'where it ends'} · {point['generations']} generations"
        columns = ["metric", "verdict", "fixed point", "per generation", "half-life", "perturbation", "why"]
        rows = [
            [
                fate["row"], fate["verdict"], interval(fate["limit"]), speed(fate), out.number(fate["half_life"]["value"], 3),
                fate["stability"], " ".join(part for part in (fate["sentence"], fate["advice"]) if part),
            ]
            for fate in fates
        ]  # fmt: skip
        out.table(title, columns, rows)
        beside = agreeing(fates)
        if beside:
            out.table("beside theory", ["metric", "what", "ours", "theory", "law", "within 4 standard errors"], beside)
    for warning in content["warnings"]:
        out.warn(warning)


def agreeing(fates: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of the table beside theory; laws that say the same, to six digits, share a line."""
    laws: dict[tuple[str, str, str, str, str], list[str]] = {}
    for fate in fates:
        for one in fate["beside"]:
            agrees = "yes" if one["agrees"] else "no"
            key = fate["row"], one["quantity"], interval(one["ours"]), out.number(one["theory"], 6), agrees
            laws.setdefault(key, []).append(one["law"])
    return [
        [row, what, ours, theory, names[0] + (f" (+{len(names) - 1})" if len(names) > 1 else ""), agrees]
        for (row, what, ours, theory, agrees), names in laws.items()
    ]


def interval(estimate: dict[str, Any]) -> str:
    """``value [low, high]``, a dash when there is none."""
    if estimate["value"] != estimate["value"]:
        return "-"
    return f"{out.number(estimate['value'])} [{out.number(estimate['low'], 3)}, {out.number(estimate['high'], 3)}]"


def speed(fate: dict[str, Any]) -> str:
    """Change per generation of what moves; in per cent on the logarithmic scale."""
    value = fate["rate"]["value"]
    if value != value or not (fate["rate"]["low"] > 0 or fate["rate"]["high"] < 0):
        return "-"
    return f"{100 * value:.3g} %" if fate["scale"] == "log" else out.number(value, 3)
