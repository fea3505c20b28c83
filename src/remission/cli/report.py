"""``remission report``."""

from __future__ import annotations

from pathlib import Path

import click

from remission.cli import _output as out


@click.command("report", short_help="The HTML report of a run.")
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
    """Write one self-contained HTML file about the run in FOLDER; it works offline."""
    from remission.lab.reading import Reading
    from remission.report.build import build
    from remission.report.export import export
    from remission.report.page import write
    from remission.store import Run

    reading = Reading(Run(folder))
    report = build(reading)
    target = output or folder / "report.html"
    write(report, target)
    written = [str(target)]
    if export_to is not None:
        written += [str(path) for path in export(report, export_to, tuple(figures), tuple(tables))]
    if as_json:
        out.as_json("report", {"run": str(folder), "files": written, "warnings": reading.warnings})
    else:
        click.echo("\n".join(written))
