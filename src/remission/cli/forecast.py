"""``remission forecast``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import click

from remission.cli import _output as out
from remission.errors import SpecError


@click.command("forecast", short_help="When a metric crosses a line, from the generations so far.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--metric", required=True, metavar="ROW", help="A row of the run, or a column of the table.")
@click.option("--below", type=float, metavar="X", help="The first generation at or below X.")
@click.option("--above", type=float, metavar="X", help="The first generation at or above X.")
@click.option("--point", type=click.IntRange(0), default=0, show_default=True, help="Grid point of a sweep.")
@click.option("--until", type=click.IntRange(1), metavar="N", help="Last generation of interest.")
@click.option("--generation", default="generation", show_default=True, help="Column of the generation in a table.")
@click.option(
    "--of", type=click.Choice(["median", "mean", "each"]), help="Of replicates. Default: what they can carry."
)
@click.option("--level", type=float, default=0.95, show_default=True, help="Of all intervals.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with the curve.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    path: Path, metric: str, below: float | None, above: float | None, point: int, until: int | None, generation: str,
    of: str | None, level: float, html: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Forecast when a metric crosses a line, with an interval.

    PATH is a run folder, or a table (CSV, TSV, JSONL, Parquet) of a model line of your own: a column with the
    generation, one with the metric; a column `replicate` or `line` tells lines apart, `se` or `low` and `high` are
    measurement errors. A law of the run is used where one applies and fits; else trends, chosen and widened by the
    forecasts they would have made earlier in these very data. Where the data cannot say, the answer is why not.
    """
    from remission.lab.forecast import Of, Question, forecast_run, forecast_table, summary_of
    from remission.store import Run

    if (below is None) == (above is None):
        raise SpecError("Give one line to be crossed: --below X for a falling metric, or --above X for a rising one.")
    question = Question(cast(float, above if below is None else below), below is not None, until, level)
    kind = cast("Of | None", of)
    with out.progress("forecast", quiet=as_json or of != "each") as progress:
        if path.is_dir():
            found = forecast_run(Run(path), metric, question, point, kind, progress)
        else:
            found = forecast_table(path, metric, question, generation, kind, progress)
    answer = summary_of(found)
    if html is not None:
        from remission.report.forecast import write_page

        write_page(html, answer)
    if as_json:
        out.as_json("forecast", answer | {"page": None if html is None else str(html)})
        return
    show(answer)
    if html is not None:
        click.echo(f"page: {html}")


def show(answer: dict[str, Any]) -> None:
    """The answer, what it rests on, and the curve."""
    click.echo(answer["sentence"])
    rows = [["method", answer["method"]]]
    if answer["backtest_n"]:
        share = (
            f"{100 * answer['backtest_coverage']:.0f} % of {answer['backtest_n']} earlier forecasts in these data held"
        )
        rows.append(["backtest", share])
    drift = answer["drift"]
    if drift:
        unit = " of the logarithm" if drift["scale"] == "log" else ""
        text = f"{out.number(drift['value'], 3)} [{out.number(drift['low'], 3)}, {out.number(drift['high'], 3)}]{unit}"
        rows.append(["change a generation", text])
    rows.append(["observed", f"{answer['n_observed']} generations"])
    if not math.isnan(answer["never"]):
        rows.append(
            ["not by the horizon", f"probability {out.number(answer['never'], 2)}, generation {answer['horizon']}"]
        )
    out.table("", ["what it rests on", ""], rows)
    if answer.get("lines"):
        _lines(answer["lines"])
    curve = answer["curve"]
    if curve:
        step = max(1, math.ceil(len(curve) / 12))
        out.table(
            "forecast",
            ["generation", answer["metric"], f"{100 * answer['level']:g} % interval"],
            [
                [
                    f"{row['generation']:g}",
                    out.number(row["value"]),
                    f"[{out.number(row['low'])}, {out.number(row['high'])}]",
                ]
                for row in curve[::step]
            ],
            {0, 1},
        )
    for note in answer["notes"]:
        click.echo(f"note: {note}", err=True)


def _lines(lines: list[dict[str, Any]]) -> None:
    shown = lines[:20]
    out.table(
        "each line" if len(shown) == len(lines) else f"each line ({len(shown)} of {len(lines)}; all with --json)",
        ["line", "verdict", "generation", "low", "high"],
        [
            [
                one["name"],
                one["verdict"],
                *("-" if one[key] is None else str(one[key]) for key in ("generation", "low", "high")),
            ]
            for one in shown
        ],
        {2, 3, 4},
    )
