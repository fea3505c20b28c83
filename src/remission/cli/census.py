"""``remission census``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _output as out
from remission.cli.prevalence import show_shares
from remission.errors import DataError, SpecError


@click.command("census", short_help="How much of a whole corpus is synthetic; nothing lost, nothing twice.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--detector", type=click.Path(path_type=Path), required=True, help="A calibrated detector.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("census"), show_default=True)
@click.option(
    "--by", default="", metavar="FIELD,...", help="A row for every value; month and year are those of 'date'."
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes on this machine.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--address", default="auto", show_default=True, help="Of the Ray cluster.")
@click.option("--deadline", type=float, default=1800.0, show_default=True, help="Seconds a unit may take.")
@click.option("--memory", type=int, default=4096, show_default=True, help="MiB a worker may hold.")
@click.option("--sums", type=click.Path(path_type=Path), help="A file of `sha256sum`: other files are set aside.")
@click.option("--estimator", default="auto", show_default=True, help="See `remission list prevalence`.")
@click.option("--level", default=0.95, show_default=True, help="Of the intervals.")
@click.option("--before", default="2022-01-01", show_default=True, help="Documents dated earlier count as human.")
@click.option("--text", default="text", show_default=True, help="The field that holds the document.")
@click.option("--id", "name", default="id", show_default=True, help="The field with its name.")
@click.option("--domain", default="domain", show_default=True, help="The field with the domain.")
@click.option("--domain-is", default="", metavar="NAME", help="The domain of all documents, whatever they say.")
@click.option("--where", multiple=True, metavar="FIELD=VALUE", help="Only such rows; again for another value.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(paths: tuple[str, ...], detector: Path, output: Path, as_json: bool, **options: Any) -> None:
    """How much of the documents in PATHs is synthetic, by a calibrated detector.

    Reads Parquet, JSONL, CSV, text, WARC and saved Hugging Face data sets of any size. Every row is scored, dropped on request or
    set aside by name, once; the folder holds a Parquet file of scores for each unit of work and, at the end, manifest.json.
    Stopped at any moment, the same command goes on. What the number means: docs/census.md.
    """
    from remission.clinic.census.answering import answer, check_wish
    from remission.clinic.census.running import run_census
    from remission.clinic.census.scoring import Judge
    from remission.clinic.prevalence import Wish

    judge = Judge.load(detector)
    config = _config(judge, options)
    wish = Wish(config.by, options["estimator"], options["level"], 0, options["before"])
    check_wish(wish)
    with out.progress("census", quiet=as_json) as progress:
        census = run_census(paths, judge, output, config, _engine(options), progress)
    found = answer(census.receipt, judge.calibrated, wish)
    if as_json:
        told = census.table()
        content = {
            "census": told["census"], "detector": str(detector), "strata": [row.table() for row in found.rows],
            "checks": found.checks, "accounting": told["accounting"], "files": told["files"], "parts": told["parts"],
            "found_done": census.found_done, "bytes": told["bytes"], "ignored": told["ignored"],
            "warnings": list(found.warnings),
        }  # fmt: skip
        out.as_json("census", content)
        return
    _show_account(census)
    show_shares(found)
    count = len(census.manifest.parts)
    click.echo(f"census: {census.folder} ({count:,} part{'s' if count != 1 else ''}, manifest.json)")


def _config(judge: Any, options: dict[str, Any]) -> Any:
    from remission.clinic.census.units import Config
    from remission.corpus.reading import Fields

    where: dict[str, set[str]] = {}
    for line in options["where"]:
        key, sign, value = line.partition("=")
        if not sign or not key.strip():
            raise SpecError(f"--where needs FIELD=VALUE, as in split=train. Got '{line}'.")
        where.setdefault(key.strip(), set()).add(value.strip())
    by = tuple(part.strip() for part in options["by"].split(",") if part.strip())
    fields = Fields(
        text=options["text"], id=options["name"], domain=options["domain"], domain_is=options["domain_is"],
        columns=judge.columns, where=where,
    )  # fmt: skip
    return Config(fields, by, sums=_sums(options["sums"]), before=options["before"])


def _sums(path: Path | None) -> tuple[tuple[str, str], ...]:
    """Lines of ``sha256sum``: the hash, two characters, the file."""
    if path is None:
        return ()
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' cannot be read: {error}.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        sha256, file = line[:64].lower(), line[66:].strip()
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef") or not file:
            raise DataError(f"'{path}', line {number} is no line of sha256sum: '{line[:80]}'.")
        found.append((file, sha256))
    return tuple(sorted(found))


def _engine(options: dict[str, Any]) -> Any:
    from remission.clinic.census.running import local_engine
    from remission.engines.limits import Limits

    limits = Limits(options["deadline"], options["memory"] << 20)
    if options["engine"] == "local":
        return local_engine(options["workers"], limits)
    from remission.engines import ray

    return lambda function, tasks: ray.supervise(function, tasks, options["address"], limits)


def _show_account(census: Any) -> None:
    from remission.clinic.census.receipts import kind_of
    from remission.corpus._files import suffix
    from remission.corpus.spans import LINES

    account = census.receipt.accounting()
    parts = [f"{account['in']:,} rows", f"{account['kept']:,} documents"]
    parts += [f"{account['dropped']:,} left out on request"] if account["dropped"] else []
    parts += [f"{account['quarantined']:,} set aside"] if account["quarantined"] else []
    files = len(census.manifest.inputs)
    click.echo(f"corpus: {', '.join(parts)}, from {files:,} file{'s' if files != 1 else ''}")
    for reason, count in account["reasons"].items():
        place = next((one for one in account["examples"] if kind_of(one["reason"]) == reason), None)
        where = "" if place is None else f", first in {place['file']}"
        if place is not None and place["place"] is not None:
            where += f" at {'byte' if suffix(Path(place['file'])) in LINES else 'row'} {place['place']:,}"
        out.warn(f"{count:,} set aside: {reason}{where}")
