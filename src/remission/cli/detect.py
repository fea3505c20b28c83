"""``remission detect``: fit, calibrate, score and evaluate detectors on local files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _detect as show
from remission.cli import _output as out

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_ALLOW = click.option("--allow-artefacts", is_flag=True, help="Go on although a trivial feature separates the classes.")
_DETECTOR = click.argument("detector", type=click.Path(path_type=Path))


@click.group("detect", short_help="Detect synthetic documents, with error rates that hold.")
def command() -> None:
    """Detect synthetic documents, with error rates that hold.

    First fit a detector to labelled examples, then calibrate it on human documents like those you want to judge, then
    score. PATHs are files, folders or quoted patterns: JSONL, JSON, CSV, TSV (also .gz, .zst), Parquet, .txt, .md, pictures.
    """


@command.command("fit", short_help="Fit a detector to labelled examples.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the detector.")
@click.option("--kind", default="text", show_default=True, help="Which detector; see `remission list detectors`.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="A parameter of the detector.")
@click.option("--seed", default=0, show_default=True, help="Of everything random in the fit.")
@show.with_fields
@_ALLOW
@_JSON
def fit(
    paths: tuple[str, ...], output: Path, kind: str, changes: tuple[str, ...], seed: int, allow_artefacts: bool, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Fit a detector to labelled examples in PATHs (label: human or ai).

    A set that something trivial separates (newlines, long words, length...) is refused with the feature named.
    """
    from remission.clinic import detecting

    fields, paragraphs = show.fields_of(options)
    detecting.check_output(output)
    detector = detecting.make_detector(kind, show.settings_of(changes))
    if not paths and detector.learns:
        raise click.UsageError(f"'{kind}' learns from examples: give files with human and ai documents.")
    fitted, account = detecting.fit_from(
        detector, paths, fields, paragraphs=paragraphs, seed=seed, allow_artefacts=allow_artefacts
    )
    fitted.save(output)
    if as_json:
        content = {"detector": str(output), "kind": detector.table(), "content": fitted.content, "facts": fitted.facts}
        out.as_json("detect-fit", content | {"accounting": account.table()})
        return
    show.show_account("examples", account)
    if "audit" in fitted.facts:
        show.show_audit(fitted.facts["audit"], allow_artefacts)
    training = fitted.facts["training"]
    if "human" in training:
        click.echo(
            f"fitted {detector.label} to {training['human']:,} human and {training['synthetic']:,} synthetic documents"
        )
    click.echo(f"detector:  {output}\nnext:      remission detect calibrate {output} --human PATH -o FOLDER")


@command.command("calibrate", short_help="Calibrate a detector on human documents of the target.")
@_DETECTOR
@click.option("--human", multiple=True, required=True, metavar="PATH", help="Human documents; may be given again.")
@click.option("--synthetic", multiple=True, metavar="PATH", help="Synthetic documents; may be given again.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the calibrated detector."
)
@click.option(
    "--by", default="domain", show_default=True, help="What strata are made of: domain,length,language or fields."
)
@click.option("--max-fpr", default=0.01, show_default=True, help="Nominal false-positive rate.")
@click.option("--shortest", type=int, help="Fewest words that are judged. Default: 25, less if the humans are shorter.")
@click.option("--novelty", default=0.005, show_default=True, help="Rate at which usual items may be called unusual.")
@click.option("--keep-items", is_flag=True, help="Store the texts too, for `remission prevalence` by words.")
@click.option("--drop-overlap", is_flag=True, help="Drop, and count, items that the detector was fitted on.")
@show.with_fields
@_ALLOW
@_JSON
def calibrate(
    detector: Path, human: tuple[str, ...], synthetic: tuple[str, ...], output: Path, by: str, drop_overlap: bool, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Calibrate DETECTOR on human documents like those it will judge, best dated before 2022.

    With synthetic documents of the same kind, it is also measured how many are found, by generator and attack. In labelled
    files, --human takes the human rows and --synthetic the others, so the same file can be given to both.
    """
    from remission.clinic import detecting

    fields, paragraphs = show.fields_of(options)
    columns = tuple(part.strip() for part in by.split(",") if part.strip() and part.strip() != "none")
    fields = show.keeping(fields, columns)
    found = detecting.load(detector)
    fitted = found if isinstance(found, detecting.FittedDetector) else found.fitted
    settings = options | {"by": columns, "overlap": "drop" if drop_overlap else "refuse"}
    calibrated, accounts = detecting.calibrate_from(fitted, human, synthetic, fields, paragraphs=paragraphs, **settings)
    calibrated.save(output)
    if as_json:
        content = {"detector": str(output), "content": calibrated.content, "max_fpr": calibrated.max_fpr}
        content |= {"shortest": calibrated.rules.shortest, "languages": list(calibrated.rules.languages)}
        content |= {"facts": calibrated.facts, "accounting": {name: one.table() for name, one in accounts.items()}}
        out.as_json("detect-calibrate", content)
        return
    for name, account in accounts.items():
        show.show_account(name, account)
        aside = {reason: count for reason, count in calibrated.facts["set_aside"][name].items() if count}
        for reason, count in aside.items():
            out.warn(f"{name}: {count:,} set aside: {reason}")
    show.show_audit(calibrated.facts["audit"], bool(options["allow_artefacts"]))
    show.show_strata(calibrated.facts)
    if calibrated.facts["tpr"]:
        show.show_tpr(calibrated.facts["tpr"])
    for line in calibrated.facts["warnings"]:
        out.warn(line)
    click.echo(
        f"calibrated detector: {output}\nnext:                remission detect score {output} PATH -o scores.jsonl"
    )


@command.command("score", short_help="Score documents and say which are synthetic.")
@_DETECTOR
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A .jsonl, .csv, .tsv or .parquet file.")
@click.option("--fpr", type=float, help="Nominal false-positive rate. Default: that of the calibration.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many documents.")
@show.with_fields
@_JSON
def score(
    detector: Path, paths: tuple[str, ...], output: Path | None, fpr: float | None, limit: int | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Score the documents in PATHs: score, p-value, decision, and why nothing is decided where nothing is.

    A detector that is not calibrated only ranks.
    """
    from remission.clinic import _score_files as files
    from remission.clinic import detecting
    from remission.corpus.reading import read_documents

    if output is not None:
        files.check_kind(output)
    fields, paragraphs = show.fields_of(options)
    found = detecting.load(detector)
    fields = show.keeping(fields, () if isinstance(found, detecting.FittedDetector) else found.strata.by)
    fitted = found if isinstance(found, detecting.FittedDetector) else found.fitted
    documents, account = read_documents(paths, fields, fitted.detector.takes, paragraphs, limit)
    with out.progress("score", quiet=as_json) as progress:
        judged = detecting.judge(found, documents, fpr, progress)
    if output is not None:
        files.write(output, documents, judged)
    if as_json:
        content: dict[str, Any] = {"detector": str(detector), "summary": judged.table(), "accounting": account.table()}
        listed: dict[str, Any] = (
            {"path": str(output)} if output is not None else {"documents": list(files.rows(documents, judged))}
        )
        out.as_json("detect-score", content | listed)
        return
    show.show_account("read", account)
    show.show_judged(judged, documents)
    if output is not None:
        click.echo(f"scores: {output}")


@command.command("evaluate", short_help="Test a calibrated detector on labelled documents.")
@_DETECTOR
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--fpr", type=float, help="Nominal false-positive rate. Default: that of the calibration.")
@show.with_fields
@_JSON
def evaluate(detector: Path, paths: tuple[str, ...], fpr: float | None, as_json: bool, **options: Any) -> int:
    """Compare what the calibrated DETECTOR says of labelled documents in PATHs with their labels.

    The exit code is 1 when the humans given are flagged more often than was promised, beyond chance.
    """
    from remission.clinic import detecting

    fields, paragraphs = show.fields_of(options)
    calibrated = detecting.load_calibrated(detector)
    fields = show.keeping(fields, calibrated.strata.by)
    documents, account = detecting.read_labelled(paths, fields, calibrated.fitted.detector.takes, paragraphs)
    with out.progress("evaluate", quiet=as_json) as progress:
        found = detecting.evaluate(calibrated, documents, fpr, progress)
    if as_json:
        content: dict[str, Any] = {
            "detector": str(detector),
            "promise": found.promise,
            "auroc": found.auroc,
            "fpr": found.fpr,
        }
        content |= {"tpr": found.tpr, "audit": found.audit, "summary": found.summary, "warnings": found.warnings}
        out.as_json("detect-evaluate", content | {"accounting": account.table()})
        return int(found.promise == "broken")
    show.show_account("labelled", account)
    show.show_evaluation(found)
    return int(found.promise == "broken")
