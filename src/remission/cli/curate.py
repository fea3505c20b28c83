"""``remission curate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _census, _detect
from remission.cli import _output as out
from remission.errors import SpecError

SHOWN = 40  # strata on a terminal


@click.command("curate", short_help="A training set of a corpus that was counted: kept, weighed, dropped with reasons.")
@click.argument("census", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new folder.")
@click.option("--policy", metavar="exclude|weigh|cap", help="What becomes of suspicious documents.")
@click.option("--fdr", default=0.05, show_default=True, help="exclude: share of human documents among the dropped.")
@click.option("--cap", default=0.1, show_default=True, help="cap: synthetic share that may be left in a stratum.")
@click.option(
    "--unjudged", default="keep", show_default=True, metavar="keep|drop", help="Documents nothing is said of."
)
@click.option(
    "--columns", default="all", show_default=True, metavar="all|none|NAME,...", help="Of the corpus, to carry along."
)
@click.option("--generations", default=10, show_default=True, help="How far the lab looks ahead.")
@click.option("--temperature", default=1.0, show_default=True, help="At which the models of the lab sample.")
@click.option("--simulate", is_flag=True, help="Also run loops on a small model of the corpus itself, about a minute.")
@click.option("--level", type=float, help="Of intervals. Default: that of the census.")
@click.option("--name", default="curated corpus", show_default=True, help="Of the data set, for its card.")
@click.option("--licence", "licences", multiple=True, metavar="SPDX", help="Of the data set, for its card.")
@click.option("--creator", "creators", multiple=True, metavar="NAME", help="Of the data set, for its card.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes on this machine.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--address", default="auto", show_default=True, help="Of the Ray cluster.")
@click.option("--deadline", type=float, default=1800.0, show_default=True, help="Seconds a unit may take.")
@click.option("--memory", type=int, default=4096, show_default=True, help="MiB a worker may hold.")
@click.option("--seed", default=0, show_default=True, help="Of the sample that the lab looks at.")
@click.option(
    "--verify", "looked_at", type=click.Path(path_type=Path), metavar="FOLDER", help="Check a finished curation."
)
@click.option("--html", type=click.Path(path_type=Path), help="Also write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(census: Path | None, output: Path | None, as_json: bool, **options: Any) -> int:
    """Make a training set of the corpus that `remission census` counted into the folder CENSUS.

    kept/ holds the documents with a weight each, dropped/ the others with the reason, README.md and croissant.json the data
    card. Printed are the synthetic share before and after, with intervals, and what the lab predicts that the training set
    does to the next generations of models. Stopped at any moment, the same command goes on. `--verify FOLDER` checks a finished
    one instead: every file against SHA256SUMS and the card; the exit code is 1 when something was changed.
    """
    if options["looked_at"] is not None:
        if census is not None or output is not None or options["policy"] is not None:
            raise SpecError("--verify takes the folder of a finished curation, and no CENSUS, -o or --policy.")
        return verified(options["looked_at"], as_json)
    if census is None or output is None or options["policy"] is None:
        raise SpecError(
            "A curation needs the folder CENSUS of a finished census, -o and --policy (or --verify and the folder of a finished one)."
        )
    from remission.clinic.curation.curating import Wish, curate, read_record

    asked = ("policy", "fdr", "cap", "unjudged", "generations", "temperature", "simulate", "level", "name", "licences", "creators", "seed")  # fmt: skip
    wish = Wish(**{name: options[name] for name in asked}, columns=_columns(options["columns"]))
    quiet = as_json or not wish.simulate
    with out.progress("curate", quiet=as_json) as progress, out.progress("simulate", quiet=quiet) as looking:
        found = curate(census, output, wish, _census.engine_of(options), progress, looking)
    if options["html"] is not None:
        from remission.report.curation import write_page

        write_page(options["html"], read_record(found.folder))  # as `remission report` does
    if as_json:
        out.as_json("curate", found.document())
    else:
        show(found)
    return 0


def verified(folder: Path, as_json: bool) -> int:
    """Check a finished curation and say what is wrong with it; the exit code."""
    from remission.clinic.curation.card import check_card

    faults = check_card(folder)
    if as_json:
        out.as_json("curation-verification", {"folder": str(folder), "faults": faults})
        return 1 if faults else 0
    for line in faults:
        click.echo(line)
    told = (
        f"{len(faults):,} fault{'s' if len(faults) != 1 else ''}"
        if faults
        else "every file is what SHA256SUMS and the card say"
    )
    click.echo(f"{folder}: {told}")
    return 1 if faults else 0


def _columns(told: str) -> Any:
    """``all``, ``none``, or names."""
    return told if told in ("all", "none") else tuple(name for name in map(str.strip, told.split(",")) if name)


def show(found: Any) -> None:
    """Shares before and after, what became of documents, and what the lab predicts."""
    strata = found.residual.rows
    strata = strata[:1] if [row.stratum for row in strata[1:]] == [strata[0].stratum] else strata  # none were asked for
    rows = [
        [
            row.stratum, _share(row.before), _share(row.after), f"{row.documents:,.0f}", f"{row.weight:,.0f}",
            f"{row.human_lost.value:,.0f}" if row.human_lost.value == row.human_lost.value
            else f"{row.human_lost.low:,.0f} to {row.human_lost.high:,.0f}",
        ]
        for row in strata[: 1 + SHOWN]
    ]  # fmt: skip
    level = f"{100 * found.residual.level:g} %"
    columns = ["of", f"synthetic before ({level})", "after", "judged", "kept (weight)", "human lost"]
    out.table("Judged documents of unknown origin", columns, rows, right={3, 4, 5})
    if len(found.residual.rows) > 1 + SHOWN:
        click.echo(
            f"{len(found.residual.rows) - 1 - SHOWN:,} more strata are in {found.folder / 'curation.json'} and on the page of --html"
        )
    counts = found.counts
    click.echo(
        f"corpus: {counts['in']:,} in = {counts['kept']:,} kept + {counts['dropped']:,} dropped + {counts['quarantined']:,} set aside"
    )
    if found.left_out:
        click.echo(f"{found.left_out:,} rows were left out of the census on request and are in none of these numbers")
    for reason, count in found.reasons.items():
        click.echo(f"  dropped, {reason}: {count:,}")
    of = "the whole"
    if found.counted.unjudged:
        known = found.counted.declared + found.counted.archived + found.counted.marked
        of = f"documents that were judged{' or whose origin is known' if known else ''}"
    click.echo(f"synthetic share of {of}: {_share(found.before)} before, {_share(found.after)} after")
    if found.counted.unjudged:
        click.echo(
            f"of all documents, those not judged may be anything: {_share(found.all_before)} before, {_share(found.all_after)} after"
        )
    if found.wish.policy == "weigh":
        click.echo(f"weights: {found.weight:,.0f} in sum, worth {found.effective:,.0f} documents of weight 1")
    for line in found.rules.notes:
        out.warn(line)
    if found.outlook is not None:
        for sentence in found.outlook.sentences():
            click.echo(sentence)
    elif found.told:
        click.echo(found.told)
    if found.columns:
        names = ", ".join(column.name for column in found.columns[:10])
        more = f" and {len(found.columns) - 10} more" if len(found.columns) > 10 else ""
        click.echo(f"columns of the corpus carried along: {names}{more}")
    for line in found.warnings:
        out.warn(line)
    click.echo(f"training set: {found.folder} (kept/, dropped/, README.md, croissant.json)")


def _share(share: Any) -> str:
    if share.low != share.low:
        return "-"
    ends = f"{_detect.percent(share.low)} to {_detect.percent(share.high)}"
    return ends if share.value != share.value else f"{_detect.percent(share.value)} ({ends})"
