"""``remission archive review``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from remission.cli import _archive as show
from remission.cli import _output as out
from remission.cli._archive import ARCHIVE, JSON, KEY, PATH, WAIT, opened, signer_of, told

if TYPE_CHECKING:  # the archive itself is loaded when it is asked for
    from remission.clinic.archive.queues import By


@click.group("review", short_help="Who looked, how far they agree, what is certified.")
def review() -> None:
    """Queue items for reviewers, record what they say, and see what share is human after all."""


@review.command("queue", short_help="Choose items for reviewers.")
@ARCHIVE
@click.option("-o", "--output", required=True, type=PATH, help="For reviewers; OUTPUT.key is for you alone.")
@click.option("--how", default="random", show_default=True, type=click.Choice(["random", "stratum", "disagreement"]))
@click.option("--count", default=100, show_default=True, type=click.IntRange(1), help="Items of the archive.")
@click.option("--stratum", default="language", show_default=True, help="The field that strata are named by.")
@click.option(
    "--plant",
    "planted",
    multiple=True,
    metavar="PATH",
    help="Of known truth: documents with labels, folders human and ai.",
)
@click.option("--modality", default="", metavar="WORD", help="Only items of this one, as in image. Default: all.")
@click.option("--seed", type=int, help="Of the choice of items. Default: a new one, which the log keeps.")
@KEY
@WAIT
@JSON
def queue(
    archive: Path, output: Path, how: By, count: int, stratum: str, planted: tuple[str, ...], modality: str, seed: int | None, key: Path,
    wait: float, as_json: bool,
) -> None:  # fmt: skip
    """Write a queue of texts or pictures. Planted ones look like the others and show how often reviewers are wrong.

    Pictures are copied into the folder OUTPUT.pictures, under names that say nothing. Reviewers must not see the archive: it tells
    which tasks are planted.
    """
    from remission.clinic.archive.queues import make_queue

    show.outside(archive, output)
    found = make_queue(
        archive, signer_of(key), output, by=how, count=count, stratum=stratum, planted=planted, modality=modality, seed=seed,
        wait=wait,
    )  # fmt: skip
    told("review-queue", found.document(), as_json, lambda: show.show_queue(found))
    if found.same_as:
        out.warn(
            f"the queue {found.same_as} had the same seed, and holds the same items: leave --seed out to choose others"
        )
    elif found.reviewed:
        out.warn(f"{found.reviewed:,} of the items were reviewed before, in other queues; each counts once")


@review.command("record", short_help="Write down what reviewers said.")
@ARCHIVE
@click.argument("answers", nargs=-1, required=True, type=PATH, metavar="ANSWERS...")
@click.option("--queue", "key_file", required=True, type=PATH, help="The .key file of the queue.")
@click.option("--reviewer", default="", help="Who, where the answers do not say.")
@click.option(
    "--partial", is_flag=True, help="Though tasks lack a second verdict: others go on who cannot see the archive."
)
@KEY
@WAIT
@JSON
def record(
    archive: Path, answers: tuple[Path, ...], key_file: Path, reviewer: str, partial: bool, key: Path, wait: float,
    as_json: bool,
) -> None:  # fmt: skip
    """Record ANSWERS: JSONL or CSV with `task`, `verdict` (human, machine, unsure) and, if known, `reviewer`, `seconds`.

    Of all reviewers at once: what is recorded tells, in the log, which tasks are planted and what others said.
    """
    from remission.clinic.archive.queues import read_answers
    from remission.clinic.archive.review import record_answers

    said = [one for path in answers for one in read_answers(path, reviewer)]
    found = record_answers(archive, signer_of(key), key_file, said, wait, partial=partial)
    content = {"new": found.new, "known": found.known, "planted": found.planted}
    words = f"{found.new} answers recorded ({found.planted} of planted items), {found.known} were there already"
    told("review-record", content, as_json, lambda: click.echo(words))


@review.command("status", short_help="Agreement, errors, human share, cost.")
@ARCHIVE
@click.option("--level", default=0.95, show_default=True, type=click.FloatRange(0.5, 0.999), help="Of the intervals.")
@click.option("--per-hour", default=0.0, type=click.FloatRange(0), help="Price of an hour of a reviewer.")
@click.option("--html", type=PATH, help="Write a page.")
@JSON
def status(archive: Path, level: float, per_hour: float, html: Path | None, as_json: bool) -> None:
    """Show how far reviewers agree, how often they are wrong about planted items, and what share is human after all."""
    from remission.clinic.archive.review import review_status

    show.outside(archive, html)
    found = review_status(opened(archive), level, per_hour)
    if html is not None:
        from remission.report.archive import write_page

        write_page(html, found.document())
    told("review-status", found.document(), as_json, lambda: show.show_status(found, html))
