"""``remission census``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _census as show
from remission.cli import _output as out
from remission.cli._watermark import no_key
from remission.errors import SpecError


@click.command("census", short_help="How much of a whole corpus is synthetic; nothing lost, nothing twice.")
@no_key
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("--detector", type=click.Path(path_type=Path), help="A calibrated detector.")
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
@click.option(
    "--sample", multiple=True, metavar="SHARE", help="Score 1% of the documents; source=forum:20% for a stratum."
)
@click.option("--files", metavar="SHARE", help="Read only this share of the files, spread over all of them.")
@click.option("--seed", default=0, show_default=True, help="Of the sample.")
@click.option("--price", type=float, help="Of an hour of one worker, for the cost of a full scan.")
@click.option("--copies", default="near", show_default=True, metavar="near|exact|none", help="What counts once.")
@click.option("--watermarks", "keys", multiple=True, metavar="KEYS", help="Look for marks of these keys, or 'public'.")
@click.option(
    "--profiles", type=click.Path(path_type=Path), help="Which schemes, in which tokens (docs/watermarks.md)."
)
@click.option("--rate", default=0.05, show_default=True, help="Of false discoveries among watermarked documents.")
@click.option(
    "--declared", default="", metavar="FIELD", help="Names the generator of a document, or says it is synthetic."
)
@click.option("--archive", type=click.Path(path_type=Path), help="A gold archive: what lies in it is human.")
@click.option("--any-item", is_flag=True, help="All of the archive, not only what two reviewers certified.")
@click.option("--text", default="text", show_default=True, help="The field that holds the document.")
@click.option("--id", "name", default="id", show_default=True, help="The field with its name.")
@click.option("--domain", default="domain", show_default=True, help="The field with the domain.")
@click.option("--domain-is", default="", metavar="NAME", help="The domain of all documents, whatever they say.")
@click.option("--where", multiple=True, metavar="FIELD=VALUE", help="Only such rows; again for another value.")
@click.option("--sign", type=click.Path(path_type=Path), metavar="KEY", help="Sign the manifest with a private key.")
@click.option(
    "--verify", "looked_at", type=click.Path(path_type=Path), metavar="CENSUS", help="Check a finished census."
)
@click.option("--signed-by", metavar="PUBLIC", help="With --verify: the public key that must have signed it.")
@click.option("--inputs", is_flag=True, help="With --verify: also read the files of the corpus again.")
@click.option("--html", type=click.Path(path_type=Path), help="Also write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(paths: tuple[str, ...], detector: Path | None, output: Path, as_json: bool, **options: Any) -> int:
    """How much of the documents in PATHs is synthetic, by a calibrated detector and all other evidence there is.

    Reads Parquet, JSONL, CSV, text, WARC and saved Hugging Face data sets of any size. Every row is scored, dropped on request or
    set aside by name, once; the folder holds a Parquet file of scores for each unit of work and, at the end, manifest.json.
    Stopped at any moment, the same command goes on. `--verify CENSUS` checks a finished one instead, down to its rows; the exit
    code is 1 when something is not as its manifest says. What the number means: docs/census.md.
    """
    from remission.cli.prevalence import exit_code

    if options["looked_at"] is not None:
        return show.verified(options["looked_at"], paths, options["signed_by"], options["inputs"], as_json)
    if not paths or detector is None:
        raise SpecError("A census needs PATHs and a --detector (or --verify and the folder of a finished one).")
    if options["signed_by"] is not None or options["inputs"]:
        raise SpecError("--signed-by and --inputs belong to --verify.")
    from remission.clinic.census.asking import Question, take_census
    from remission.clinic.census.manifest import NAME, SIGNATURE
    from remission.clinic.census.scoring import Judge
    from remission.clinic.census.signing import sign
    from remission.clinic.prevalence import Wish
    from remission.gold.signing import load_signer

    judge = Judge.load(detector)
    config = show.config_of(options, judge.columns)
    wish = Wish(config.by, options["estimator"], options["level"], 0, options["before"])
    question = Question(
        detector, wish, options["profiles"], options["keys"], options["archive"], not options["any_item"],
        options["rate"], options["price"],
    )  # fmt: skip
    engine = show.engine_of(options)
    if options["sign"] is not None:
        load_signer(options["sign"])  # before hours of work
    with out.progress("census", quiet=as_json) as progress:
        found = take_census(paths, question, output, config, engine, progress)
    if options["sign"] is not None:
        sign(output / NAME, output / SIGNATURE, options["sign"])
    if options["html"] is not None:
        from remission.report.census import write_page

        write_page(options["html"], found.document())
    if as_json:
        out.as_json("census", found.document())
        return exit_code(found.answer)
    show.show(found)
    count = len(found.census.manifest.parts)
    click.echo(f"census: {found.census.folder} ({count:,} part{'s' if count != 1 else ''}, manifest.json)")
    return exit_code(found.answer)
