"""``remission rerun``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from remission.cli import _output as out


@click.command("rerun", short_help="Re-create one replicate of a run and compare it bit for bit.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--replicate", type=click.IntRange(0), default=0, show_default=True, help="Its number.")
@click.option("--point", type=click.IntRange(0), default=0, show_default=True, help="Grid point of a sweep.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(folder: Path, replicate: int, point: int, as_json: bool) -> int:
    """Run one replicate of the run in FOLDER again; exit code 1 if any stored number differs."""
    from remission.identity import search_also
    from remission.lab.rerun import rerun
    from remission.store import Run

    search_also(folder.resolve().parent)
    outcome = rerun(Run(folder), replicate, point)
    if as_json:
        out.as_json("rerun", {"run": str(folder), "replicate": replicate, "point": point} | dataclasses.asdict(outcome))
    elif outcome.same:
        click.echo(
            f"replicate {replicate} of point {point}: all {outcome.compared} stored numbers re-created bit for bit"
        )
    else:
        click.echo(
            f"replicate {replicate} of point {point} differs, first in {outcome.where} (by at most {outcome.worst:g})"
        )
    return 0 if outcome.same else 1
