"""``remission predict``."""

from __future__ import annotations

from pathlib import Path

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
    from remission.spec import Experiment

    experiment = resolved(Experiment.from_file(file, changes))
    warnings = check_experiment(experiment)
    theory, refused = theory_of(experiment)
    points = experiment.points
    if as_json:
        content = {"points": [point.settings for point in points], "theory": theory, "refused": refused}
        out.as_json("predict", content | {"warnings": warnings})
        return
    for index, point in enumerate(points):
        shown = set(
            range(1, point.experiment.generations + 1) if every else shown_generations(point.experiment.generations)
        )
        rows = [
            [row["metric"], row["law"], row["scale"], str(row["generation"]), out.number(row["value"], 6)]
            for row in theory
            if row["point"] == index and row["generation"] in shown
        ]
        if rows:
            out.table(point.name or "closed forms", ["metric", "law", "scale", "generation", "value"], rows, {3, 4})
        else:
            click.echo(f"{point.name or 'This experiment'}: no closed form applies.")
    out.table(
        "laws that do not apply", ["law", "row", "because"], [[str(value) for value in row.values()] for row in refused]
    )
    for warning in warnings:
        out.warn(warning)
