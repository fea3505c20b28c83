"""What ``remission detect`` prints, and the options its commands share."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from typing import Any

import click

from remission.cli import _output as out
from remission.errors import SpecError

_FIELDS = (
    click.option("--text", default="text", show_default=True, help="The field that holds the document."),
    click.option("--id", "name", default="id", show_default=True, help="The field with its name."),
    click.option("--label", default="label", show_default=True, help="The field that says human or ai (0 or 1)."),
    click.option("--domain", default="domain", show_default=True, help="The field with the domain."),
    click.option("--domain-is", default="", metavar="NAME", help="The domain of all documents, whatever they say."),
    click.option("--unit", help="The field with the sampling unit: site, author, pair of original and paraphrase."),
    click.option("--keep", multiple=True, metavar="FIELD", help="Another field to keep, for --by."),
    click.option("--where", multiple=True, metavar="FIELD=VALUE", help="Only such rows; again for another value."),
    click.option("--paragraphs", is_flag=True, help="Each paragraph of a .txt or .md file is a document."),
)


def with_fields(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which fields of a row hold what."""
    for option in reversed(_FIELDS):
        command = option(command)
    return command


def fields_of(options: dict[str, Any]) -> tuple[Any, bool]:
    """The ``Fields`` of these options, taken out of them, and whether paragraphs are documents."""
    from remission.corpus.reading import Fields

    where: dict[str, set[str]] = {}
    for line in options.pop("where"):
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            raise SpecError(f"--where needs FIELD=VALUE, as in split=train. Got '{line}'.")
        where.setdefault(key.strip(), set()).add(value.strip())
    names = {key: options.pop(key) for key in ("text", "label", "domain", "domain_is", "unit")}
    fields = Fields(**names, id=options.pop("name"), columns=tuple(options.pop("keep")), where=where)
    return fields, options.pop("paragraphs")


def keeping(fields: Any, columns: Iterable[str]) -> Any:
    """The fields with those columns kept that are not kept anyway."""
    from dataclasses import replace

    from remission.corpus.reading import KEPT

    more = [name for name in columns if name not in ("length", *KEPT, *fields.columns)]
    return replace(fields, columns=(*fields.columns, *more))


def settings_of(changes: Iterable[str]) -> dict[str, Any]:
    """``key=value`` lines as a table; values as in TOML, else as text."""
    found: dict[str, Any] = {}
    for line in changes:
        key, sign, text = line.partition("=")
        if not sign or not key.strip():
            raise SpecError(f"--set needs KEY=VALUE, as in order=3. Got '{line}'.")
        try:
            found[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = text.strip()
    return found


def percent(value: float | None, digits: int = 3) -> str:
    """A rate in per cent; a dash when there is none."""
    return "-" if value is None or value != value else f"{100 * value:.{digits}g} %"


def interval(row: dict[str, Any]) -> str:
    """A rate with its interval."""
    if row.get("value") is None:
        return "-"
    return f"{percent(row['value'])}  [{percent(row['low'])}, {percent(row['high'])}]"


def show_account(name: str, account: Any) -> None:
    """What was read, in a line, and what was set aside, on stderr."""
    if not account.files:
        return
    parts = [f"{account.kept:,} documents"]
    parts += [f"{account.dropped:,} left out on request"] if account.dropped else []
    click.echo(f"{name}: {', '.join(parts)}, from {account.files} file{'s' if account.files > 1 else ''}")
    for reason, count in account.reasons.most_common(5):
        place = next((row for row in account.examples if row["reason"] == reason), None)
        where = "" if place is None else f", first in {place['file']}"
        where += f" line {place['line']}" if place is not None and place["line"] else ""
        out.warn(f"{count:,} set aside: {reason}{where}")


def show_audit(table: dict[str, Any], allowed: bool) -> None:
    """Leaks and suspects of an audit."""
    rows = [
        [
            row["feature"],
            row["domain"] or "all",
            row["view"],
            f"{row['auroc']:.3f}",
            f"{row['low']:.3f}",
            row["more"],
            what,
        ]
        for what, found in (("leak", table["leaks"]), ("may be chance", table["suspects"]))
        for row in found
    ]
    if not rows:
        if table["tested"]:
            click.echo(
                f"artefacts: none of {table['tested']} trivial features separates the classes by more than {table['limit']}"
            )
        return
    title = "Trivial features that separate the classes" + (" (allowed)" if allowed else "")
    out.table(title, ["feature", "domain", "of", "AUROC", "at least", "more in", ""], rows[:12], right={3, 4})
    if len(rows) > 12:
        click.echo(f"  and {len(rows) - 12} more: see --json")


def show_strata(facts: dict[str, Any]) -> None:
    """Strata of a calibration with thresholds and rates."""
    rows = [
        [
            row["stratum"], f"{row['units']:,}", row["status"], out.number(row["threshold"]), interval(row["fpr"]),
        ]
        for row in facts["strata"]
    ]  # fmt: skip
    nominal = percent(facts["strata"][0]["fpr"]["nominal"])
    title = f"False-positive rate, nominal {nominal}"
    out.table(title, ["stratum", "humans", "promise", "flagged above", "rate of new humans, 95 %"], rows, right={1, 3})
    for line in facts["merged"]:
        click.echo(f"note: {line}", err=True)


def show_tpr(rows: list[dict[str, Any]]) -> None:
    """How much of the synthetic items is found."""
    shown = [
        [
            row["by"], row["value"] or ("-" if row["by"] != "all" else ""), f"{row['n']:,}",
            f"{row['abstained'] + row['uncalibrated']:,}", interval(row["tpr"]),
        ]
        for row in rows
    ]  # fmt: skip
    out.table("Synthetic items found", ["by", "", "judged", "not judged", "found, 95 %"], shown, right={2, 3})


def show_judged(judged: Any, documents: Any) -> None:
    """A summary of judgements, and the documents that are most likely synthetic."""
    table = judged.table()
    rows = [[status, f"{count:,}", percent(count / max(1, table["n"]))] for status, count in table["status"].items()]
    out.table(f"{table['n']:,} documents", ["status", "n", "share"], rows, right={1, 2})
    for reason, count in table["reasons"].items():
        click.echo(f"  not judged: {count:,} {reason}")
    if table["decided"]:
        share = percent(table["flagged"] / table["decided"])
        click.echo(
            f"flagged: {table['flagged']:,} of {table['decided']:,} judged ({share}) at a false-positive rate of {percent(table['fpr'])}"
        )
        click.echo("The share flagged is no estimate of the share that is synthetic; `remission prevalence` gives one.")
    order = [
        place for place in (-judged.score).argsort(kind="stable").tolist() if judged.score[place] == judged.score[place]
    ]
    best = [
        [
            str(documents.column("id")[place]), out.number(float(judged.score[place])), out.number(float(judged.p[place]), 3),
            str(judged.stratum[place]) or "-", "synthetic" if judged.flagged[place] else str(judged.status[place]),
            " ".join(str(documents.items[place]).split())[:60],
        ]
        for place in order[:8]
    ]  # fmt: skip
    if best:
        out.table("Highest scores", ["id", "score", "p", "stratum", "called", "begins"], best, right={1, 2})


def show_evaluation(found: Any) -> None:
    """Rates on labelled documents beside what was promised."""
    rows = [
        [
            row["domain"] or "all", f"{row['n_human']:,}", f"{row['n_synthetic']:,}",
            f"{row['value']:.4f}  [{row['low']:.4f}, {row['high']:.4f}]",
        ]
        for row in found.auroc
    ]  # fmt: skip
    if rows:
        out.table("AUROC, 95 %", ["domain", "human", "synthetic", "AUROC"], rows, right={1, 2})
    rows = [
        [
            row["stratum"], row["status"], f"{row['n']:,}", f"{row['not_judged']:,}", f"{row['flagged']:,}", interval(row),
            percent(row["nominal"]), "kept" if row["kept"] else "BROKEN",
        ]
        for row in found.fpr
    ]  # fmt: skip
    if rows:
        columns = ["stratum", "promise", "humans", "not judged", "flagged", "false-positive rate, 95 %", "nominal", ""]
        out.table("Humans called synthetic", columns, rows, right={2, 3, 4, 6})
    if found.tpr:
        show_tpr(found.tpr)
    for reason, count in found.summary["reasons"].items():
        click.echo(f"  not judged: {count:,} {reason}")
    for line in found.warnings:
        out.warn(line)
    click.echo({
        "kept": "The promised false-positive rate is kept on these humans.",
        "broken": "The promised false-positive rate is BROKEN: these humans are not like those of the calibration.",
        "untested": "No human document was judged, so the promise is not tested.",
    }[found.promise])  # fmt: skip
