"""``remission report``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out
from remission.errors import SpecError, StoreError


@click.command("report", short_help="The HTML report of a run, a census or a curation.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="HTML file. Default: FOLDER/report.html.")
@click.option("--export", "export_to", type=click.Path(path_type=Path), help="Also write figures and tables there.")
@click.option(
    "--figures",
    multiple=True,
    type=click.Choice(["svg", "pdf"]),
    default=["svg"],
    show_default=True,
    help="Repeatable.",
)
@click.option(
    "--tables",
    multiple=True,
    type=click.Choice(["csv", "parquet"]),
    default=["csv"],
    show_default=True,
    help="Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    folder: Path,
    output: Path | None,
    export_to: Path | None,
    figures: tuple[str, ...],
    tables: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write one self-contained HTML file about the run, the census or the curation in FOLDER; it works offline."""
    from remission.report.export import export
    from remission.report.page import write

    kind = _kind(folder)
    if kind != "run" and export_to is not None and "pdf" in figures:
        raise SpecError(f"The figures of a {kind} are drawn as SVG alone. Leave out --figures pdf.")
    report, warnings = {"run": _run, "census": _census, "curation": _curation}[kind](folder)
    target = output or folder / "report.html"
    write(report, target)
    written = [str(target)]
    if export_to is not None:
        written += _drawings(report, export_to) if kind != "run" else []
        written += [str(path) for path in export(report, export_to, tuple(figures), tuple(tables))]
    if as_json:
        out.as_json("report", {kind: str(folder), "files": written, "warnings": warnings})
    else:
        click.echo("\n".join(written))


def _drawings(report: Any, folder: Path) -> list[str]:
    from remission.report.census_forest import drawings
    from remission.report.page import write_aside

    return [str(write_aside(folder / "figures" / name, content)) for name, content in drawings(report).items()]


def _kind(folder: Path) -> str:
    """What a folder is of, by the files in it; what is neither a census nor a curation should be a run."""
    if any((folder / name).is_file() for name in ("asked.json", "curation.json")):
        return "curation"
    census = any((folder / name).is_file() for name in ("census.json", "manifest.json", "answer.json"))
    return "census" if census else "run"


def _census(folder: Path) -> tuple[Any, list[str]]:
    """The page of a finished census. Raises StoreError, also where its answer was changed or is older than its manifest."""
    from remission.clinic.census._answer_file import read_answer
    from remission.clinic.census.manifest import read_manifest
    from remission.report.census import build

    answer = read_answer(folder, read_manifest(folder))
    return build(answer), [str(line) for line in answer["warnings"]]


def _curation(folder: Path) -> tuple[Any, list[str]]:
    """The page of a finished curation. Raises StoreError."""
    from remission.clinic.curation.curating import read_record
    from remission.report.curation import build

    record = read_record(folder)
    return build(record), [str(line) for line in record["warnings"]]


def _run(folder: Path) -> tuple[Any, list[str]]:
    """The page of a run. Raises StoreError."""
    from remission.lab.reading import Reading
    from remission.report.build import build
    from remission.store import Run

    if not (folder / "experiment.toml").is_file():
        raise StoreError(
            f"'{folder}' is not a run folder (it has no experiment.toml) and holds no census (it has no manifest.json). "
            "Give a folder that `remission run`, `remission census` or `remission curate` wrote with -o."
        )
    reading = Reading(Run(folder))
    return build(reading), reading.warnings
