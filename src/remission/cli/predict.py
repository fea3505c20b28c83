"""``remission predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out


@click.command("predict", short_help="The closed forms that apply to an experiment, evaluated.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a value, as in regime.share=0.2.")
@click.option("--all", "every", is_flag=True, help="Print every generation, not only some.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(file: Path, changes: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Evaluate what theory says about the experiment in FILE, and say why other laws do not apply."""
    from remission.checks import check_experiment
    from remission.lab.execute import resolved
    from remission.lab.facts import theory_of
    from remission.loop import shown_generations
    from remission.report.narrative import fitting_first
    from remission.spec import Experiment

    experiment = resolved(Experiment.from_file(file, changes))
    warnings = check_experiment(experiment)
    theory, refused = theory_of(experiment)
    theory = fitting_first(theory, experiment.tables())
    points = experiment.points
    if as_json:
        content = {"points": [point.settings for point in points], "theory": theory, "refused": refused}
        out.as_json("predict", content | {"warnings": warnings})
        return
    for index, point in enumerate(points):
        shown = set(
            range(1, point.experiment.generations + 1) if every else shown_generations(point.experiment.generations)
        )
        rows = agreeing([row for row in theory if row["point"] == index and row["generation"] in shown])
        if rows:
            out.table(point.name or "closed forms", ["metric", "law", "scale", "generation", "value"], rows, {3, 4})
        else:
            click.echo(f"{point.name or 'This experiment'}: no closed form applies.")
    out.table(
        "laws that do not apply", ["law", "row", "because"], [[str(value) for value in row.values()] for row in refused]
    )
    for warning in warnings:
        out.warn(warning)


def agreeing(theory: list[dict[str, Any]]) -> list[list[str]]:
    """Table rows; laws that say the same of a row and generation, to nine digits, share a line."""
    laws: dict[tuple[str, str, int, str], list[str]] = {}
    for row in theory:
        laws.setdefault((row["metric"], row["scale"], row["generation"], f"{row['value']:.9g}"), []).append(row["law"])
    return [
        [
            metric,
            names[0] + (f" (+{len(names) - 1})" if len(names) > 1 else ""),
            scale,
            str(t),
            out.number(float(value), 6),
        ]
        for (metric, scale, t, value), names in laws.items()
    ]
