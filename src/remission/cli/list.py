"""``remission list``."""

from __future__ import annotations

import click

from remission.cli import _output as out


@click.command("list", short_help="What there is.")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(kind: str | None, as_json: bool) -> None:
    """List the parts of KIND (sources, models, regimes, curators, metrics, theory, detectors, prevalence, watermarks), or all."""
    from remission import registry
    from remission.errors import SpecError, did_you_mean

    if kind is not None:
        kind = next((folder for folder in registry.FOLDERS if kind in (folder, folder.rstrip("s"))), kind)
        if kind not in registry.FOLDERS:
            raise SpecError(f"There is no kind '{kind}'. {did_you_mean(kind, registry.FOLDERS)}")
    found = {
        folder: {name: registry.summary(folder, name) for name in registry.names(folder)}
        for folder in registry.FOLDERS
        if kind in (None, folder)
    }
    if as_json:
        out.as_json("list", {"parts": found})
        return
    for folder, parts in found.items():
        out.table(folder, ["name", "what it is"], [[name, text] for name, text in parts.items()])
    click.echo("More: remission show KIND NAME")
