"""``remission prevalence``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from remission.cli import _detect as show
from remission.cli import _output as out

SHOWN = 40  # strata in a table for people; scripts and pages get all


@click.command("prevalence", short_help="How much of a corpus is synthetic, with an interval or bounds.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--detector", type=click.Path(path_type=Path), help="A calibrated detector.")
@click.option("--examples", multiple=True, metavar="PATH", help="Labelled documents of the same kind, instead of that.")
@click.option("--kind", default="text", show_default=True, help="With --examples: which detector is cross-fitted.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="With --examples: a parameter of it.")
@click.option("--folds", type=click.IntRange(2, 50), default=5, show_default=True, help="With --examples.")
@click.option("--by", default="", metavar="FIELD,...", help="A row for every value of these fields.")
@click.option("--estimator", default="auto", show_default=True, help="See `remission list prevalence`.")
@click.option("--level", default=0.95, show_default=True, help="Of the intervals.")
@click.option("--before", default="2022-01-01", show_default=True, help="Documents dated earlier count as human.")
@click.option("--seed", default=0, show_default=True, help="Of what is resampled and cross-fitted.")
@click.option(
    "--drop-overlap", is_flag=True, help="Drop documents that the detector knows; with --examples, from these."
)
@show.with_fields
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    paths: tuple[str, ...], detector: Path | None, examples: tuple[str, ...], by: str, as_json: bool, **options: Any
) -> int:
    """How much of the documents in PATHs is synthetic.

    The detector must be calibrated on human documents of the same kind. With synthetic ones of the same kind, there is a
    value with an interval; without, bounds, because nobody knows how many of what is there are found. Documents dated
    before 2022 are a check: they must come out as human. What the number does not mean: docs/detection.md.
    """
    if (detector is None) == (not examples):
        raise click.UsageError(
            "Give either --detector (calibrated) or --examples (labelled documents of the same kind)."
        )
    columns = tuple(part.strip() for part in by.split(",") if part.strip())
    fields, paragraphs = show.fields_of(options)
    fields = show.keeping(fields, columns)
    settings = {key: options[key] for key in ("estimator", "level", "before", "seed")}
    if detector is not None:
        answer, account = _by_detector(
            detector, paths, fields, paragraphs, columns, options["drop_overlap"], settings, as_json
        )
    else:
        answer, account = _by_examples(examples, paths, fields, paragraphs, columns, options, settings, as_json)
    if as_json:
        content = {
            "detector": None if detector is None else str(detector),
            "strata": [row.table() for row in answer.rows],
        }
        content |= {"checks": answer.checks, "accounting": account.table(), "warnings": list(answer.warnings)}
        out.as_json("prevalence", content)
        return exit_code(answer)
    show.show_account("corpus", account)
    show_shares(answer)
    return exit_code(answer)


def exit_code(answer: Any) -> int:
    """1 where nothing at all is said of the whole."""
    return int(answer.whole.verdict == "refused")


def _by_detector(
    detector: Path, paths: tuple[str, ...], fields: Any, paragraphs: bool, columns: tuple[str, ...], drop: bool,
    settings: dict[str, Any], quiet: bool,
) -> tuple[Any, Any]:  # fmt: skip
    from remission.clinic import detecting
    from remission.clinic.prevalence import prevalence
    from remission.corpus.reading import labels_of, read_documents

    calibrated = detecting.load_calibrated(detector)
    fields = show.keeping(fields, calibrated.strata.by)
    documents, account = read_documents(paths, fields, calibrated.fitted.detector.takes, paragraphs)
    labels = labels_of(documents) if settings["estimator"] == "powered" else None
    with out.progress("prevalence", quiet=quiet) as progress:
        return prevalence(documents, calibrated, columns, labels, drop, progress, **settings), account


def _by_examples(
    examples: tuple[str, ...], paths: tuple[str, ...], fields: Any, paragraphs: bool, columns: tuple[str, ...],
    options: dict[str, Any], settings: dict[str, Any], quiet: bool,
) -> tuple[Any, Any]:  # fmt: skip
    from remission.clinic import detecting
    from remission.clinic.crossfit import crossfit
    from remission.clinic.prevalence import prevalence_by_examples
    from remission.corpus.reading import labels_of, read_documents

    kind = detecting.make_detector(options["kind"], show.settings_of(options["changes"]))
    documents, account = read_documents(paths, fields, kind.takes, paragraphs)
    known, _ = detecting.read_labelled(examples, replace(fields, where={}), kind.takes, paragraphs)
    labels = labels_of(documents) if settings["estimator"] == "powered" else None
    with out.progress("cross-fit", quiet=quiet) as progress:
        found = crossfit(
            kind,
            known,
            documents,
            options["folds"],
            options["seed"],
            progress=progress,
            drop_overlap=options["drop_overlap"],
        )
    return prevalence_by_examples(documents, found, columns, labels, **settings), account


def _largest(rows: Any) -> tuple[list[Any], list[Any]]:
    """The whole and the strata with most documents, in their order; and the others."""
    sizes = [-(row.n + row.n_abstained + row.n_uncalibrated) for row in rows]
    places = {0, *sorted(range(1, len(rows)), key=sizes.__getitem__)[:SHOWN]}
    return [rows[place] for place in sorted(places)], [row for place, row in enumerate(rows) if place not in places]


def _rate(rate: Any) -> str:
    return "-" if rate is None else show.percent(rate.value)


def _show_reasons(rows: Any) -> None:
    """Why there is no estimate, each reason once."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.reason:
            reasons.setdefault((row.verdict, row.reason), []).append(row.stratum)
    for (verdict, reason), names in reasons.items():
        strata = [name for name in names if name != "all"]
        more = f" and {len(strata) - 3:,} more" if len(strata) > 3 else ""
        where = f"{', '.join(strata[:3])}{more}"
        if len(strata) < len(names):  # the whole, which goes without saying where it is alone
            where = f"all, and {len(strata):,} of its strata" if strata else ""
        click.echo(f"{f'{where}: ' if where else ''}{'only bounds' if verdict == 'bounds' else verdict}: {reason}")


def show_shares(answer: Any) -> None:
    """The shares of strata as a table, of the largest where there are many, and what the checks say."""
    if all(row.verdict == "refused" for row in answer.rows):
        whole, strata = answer.whole, len(answer.rows) - 1
        left = whole.n_abstained + whole.n_uncalibrated
        of = f", nor of {'any of its ' if strata > 1 else ''}{_many(strata, 'stratum', 'strata')}" if strata else ""
        click.echo(
            f"No share of synthetic documents is known of {whole.n + left:,} documents ({left:,} not judged){of}."
        )
        _show_reasons(answer.rows)
    else:
        _show_table(answer)
    _show_checks(answer)


def _many(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"


def _show_table(answer: Any) -> None:
    from remission.report.census_rows import Interval, ends, percent

    largest, others = _largest(answer.rows)
    rates = [[_rate(row.fpr), _rate(row.tpr)] for row in largest]
    alike = all(one == rates[0] for one in rates)
    rows: list[list[str]] = []
    for row, both in zip(largest, rates, strict=True):
        share = Interval(row.share.value, row.share.low, row.share.high)
        value = "-" if share.value != share.value else percent(share.value, share)
        left = f"{row.n_abstained + row.n_uncalibrated:,}"
        between = ends(share).removesuffix(" %") if share.known else "-"
        rows.append([row.stratum, value, between, row.share.method, f"{row.n:,}", left, *([] if alike else both)])
    level = f"{100 * answer.whole.share.level:g} %"
    columns = ["of", "synthetic", f"{level} interval, %", "method", "judged", "not judged"]
    out.table("Share of synthetic documents", columns + ([] if alike else ["FPR", "TPR"]), rows, right={1, 4, 5, 6, 7})
    if alike and rates[0] != ["-", "-"]:
        click.echo(
            f"error rates of the detector: FPR {rates[0][0]}, TPR {rates[0][1]}{' everywhere' if len(rates) > 1 else ''}"
        )
    if others:
        unsure = sum(row.verdict != "estimate" for row in others)
        told = f" ({unsure:,} of them without an estimate)" if unsure else ""
        click.echo(f"Not shown: {len(others):,} more, none of them larger{told}; --json has all.")
    _show_reasons(largest)


def _show_checks(answer: Any) -> None:
    placebo, shift = answer.checks["placebo"], answer.checks["shift"]
    if placebo["verdict"] != "not possible":
        between = f"{show.percent(placebo['low'])} to {show.percent(placebo['high'])}"
        click.echo(
            f"placebo {placebo['verdict']}: {placebo['n']:,} documents from before {placebo['before']}: {between}"
        )
    if shift["verdict"] != "not possible":
        click.echo(
            f"shift test {shift['verdict']}"
            + (f": effect {shift['effect']:.2f}, p = {shift['p']:.2g}" if "p" in shift else "")
        )
    overlap = answer.checks["overlap"]
    if overlap["n"]:
        out.warn(f"{overlap['n']:,} documents that the detector knows were left out")
    for line in answer.warnings:
        out.warn(line)
