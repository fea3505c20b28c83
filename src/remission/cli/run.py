"""``remission run``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out


@click.command("run", short_help="Run an experiment or a sweep; the same command resumes.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a value, as in regime.share=0.2.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run folder. Default: runs/NAME-ID.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Blocks at a time. Default: 1; with ray, all processors.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Where blocks run."
)
@click.option("--address", help="Of the Ray cluster, as in 10.0.0.1:6379. Default: the one on this machine.")
@click.option("--dry-run", is_flag=True, help="Check everything, say what would run, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    file: Path,
    changes: tuple[str, ...],
    output: Path | None,
    workers: int | None,
    engine: str,
    address: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run the experiment in FILE (TOML), every point of its sweep.

    Results go into a run folder as they are made. Running the same command again goes on where it stopped; a
    finished run is only read. On a Ray cluster (--engine ray), the run folder must have the same path on all machines.
    """
    from remission.lab.execute import execute, resolved
    from remission.spec import Experiment

    if address is not None and engine != "ray":
        raise click.UsageError("--address is that of a Ray cluster: add --engine ray.")
    experiment = resolved(Experiment.from_file(file, changes))
    folder = output or Path("runs") / f"{file.stem}-{experiment.id[:8]}"
    if dry_run:
        _dry_run(experiment, folder, as_json)
        return
    with out.progress(file.stem, quiet=as_json) as progress:
        warned: list[str] = []
        typed, place = ["remission", *sys.argv[1:]], _cluster(address) if engine == "ray" else None
        run = execute(experiment, folder, workers, progress, typed, warned.append, place)
    from remission.lab.reading import Reading

    reading = Reading(run)
    if as_json:
        out.as_json("run", document(reading, folder))
    else:
        show(reading, folder)


def _cluster(address: str | None) -> Any:
    from remission.engines.ray import Cluster
    from remission.errors import need

    need("ray", "The engine 'ray'", "ray")  # before a folder is made
    return Cluster(address or "auto")


def _dry_run(experiment: Any, folder: Path, as_json: bool) -> None:
    from remission.checks import check_experiment, describe

    warnings = check_experiment(experiment)
    points = experiment.points
    work = sum(point.experiment.replicates * point.experiment.generations for point in points)
    if as_json:
        content = {"run": str(folder), "points": [point.settings for point in points], "replicate_generations": work}
        out.as_json("plan-run", content | {"warnings": warnings})
        return
    click.echo(f"{len(points)} point{'s' if len(points) > 1 else ''}, {work} replicate-generations, into {folder}")
    click.echo(f"items: {describe(points[0].experiment.source.space)}")
    for warning in warnings:
        out.warn(warning)


def document(reading: Any, folder: Path) -> dict[str, Any]:
    """The fields of ``run --json``."""
    return {
        "run": str(folder),
        "points": reading.points,
        "summary": reading.summary,
        "theory": reading.theory,
        "profile": reading.profile,
        "verdicts": reading.verdicts,
        "warnings": reading.warnings,
        "notes": reading.notes,
    }


def show(reading: Any, folder: Path) -> None:
    """The last generation of every point as a table, theory beside it."""
    last: dict[tuple[int, str], dict[str, Any]] = {}
    for row in reading.summary:
        last[row["point"], row["metric"]] = row
    theory = {(row["point"], row["metric"], row["generation"], row["scale"]): row for row in reading.theory}
    for point, name in enumerate(reading.point_names):
        rows = []
        for (index, metric), row in sorted(last.items()):
            if index != point:
                continue
            of = row["of"]
            shown = f"{out.number(row[of])} [{out.number(row['low'])}, {out.number(row['high'])}]"
            predicted = theory.get((point, metric, row["generation"], of)) or theory.get(
                (point, metric, row["generation"], "mean" if of == "mean" else "median")
            )
            rows.append(
                [
                    metric,
                    shown,
                    of,
                    out.number(predicted["value"]) if predicted else "-",
                    reading.directions.get(metric, ""),
                ]
            )
        generation = reading.run.facts["sizes"][point][1]
        count = reading.run.facts["sizes"][point][0]
        title = f"{name or 'result'} · generation {generation} · {count} replicates"
        out.table(
            title,
            [
                "metric",
                f"{100 * reading.experiment['experiment']['level']:g} % interval",
                "of",
                "theory",
                "in collapse",
            ],
            rows,
        )
    for warning in reading.warnings:
        out.warn(warning)
    for note in reading.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"run folder: {folder}\nreport:     remission report {folder}")
