"""``remission archive``: gold data with proof that nobody changed it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from remission.cli import _archive as show
from remission.cli import _archive_keys as keys
from remission.cli import _detect as fields_
from remission.cli import _output as out
from remission.cli._archive import ARCHIVE, BY, JSON, KEY, ORIGIN, PATH, WAIT, opened, signer_of, told
from remission.cli._archive_review import review

if TYPE_CHECKING:  # the archive itself is loaded when it is asked for
    from remission.clinic.archive.exporting import To


@click.group("archive", short_help="Gold data with proof that nobody changed it.")
def command() -> None:
    """Keep data that people made: content-addressed, append-only, signed, with its origin, licence and reviews.

    Anybody can check years later that nothing was added, altered or removed. See docs/archive.md.
    """


@command.command("init", short_help="Begin an archive.")
@ARCHIVE
@click.option("--key", required=True, type=PATH, help="The private key; made if it is not there. Keep it elsewhere.")
@click.option("--name", help="What people call it. Default: the name of the folder.")
@JSON
def init(archive: Path, key: Path, name: str | None, as_json: bool) -> None:
    """Begin an archive in the new folder ARCHIVE. Tell its origin to those who will check it."""
    from remission.clinic.archive.writing import create

    if archive.resolve() in key.resolve().parents:
        raise click.UsageError(
            "The key lies in the archive: who gets a copy could sign in your name. Keep it elsewhere."
        )
    keys.new_folder(archive)
    with keys.key_at(key, archive) as (signer, made):
        found = create(archive, name or archive.resolve().name, signer)
    content = {"archive": str(archive), "origin": found.origin, "key": signer.key, "key_file": str(key)}

    def show_it() -> None:
        click.echo(f"archive: {archive}\norigin:  {found.origin}\nkey:     {key}{' (new; back it up)' if made else ''}")

    told("init", content, as_json, show_it)


@command.command("add", short_help="Add documents or pictures.")
@ARCHIVE
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--about", required=True, type=PATH, help="What is known of them (TOML); see docs/archive.md.")
@KEY
@click.option("--pictures", is_flag=True, help="The files of pictures are the items, as they are.")
@click.option("--skip-bad", is_flag=True, help="Leave bad rows out instead of refusing everything.")
@fields_.with_fields
@WAIT
@JSON
def add(
    archive: Path, paths: tuple[str, ...], about: Path, key: Path, pictures: bool, skip_bad: bool, wait: float,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Add the documents of PATHs to ARCHIVE: all of them or, when one cannot be taken, none.

    The same command again adds nothing twice; one that was interrupted goes on.
    """
    from remission.clinic.archive.adding import add as add_them
    from remission.clinic.archive.record import read_about

    fields, paragraphs = fields_.fields_of(options)
    described = read_about(about)
    with out.progress("add", quiet=as_json) as progress:
        found = add_them(
            archive, signer_of(key), paths, described, fields, pictures=pictures, paragraphs=paragraphs, skip_bad=skip_bad,
            wait=wait, tell=progress,
        )  # fmt: skip
    told("add", found.document(), as_json, lambda: show.show_added(found))


@command.command("verify", short_help="Is everything as it was signed?")
@ARCHIVE
@ORIGIN
@click.option("--witness", "witnesses", multiple=True, type=PATH, help="Checkpoints kept elsewhere.")
@WAIT
@JSON
def verify(archive: Path, origin: str, witnesses: tuple[Path, ...], wait: float, as_json: bool) -> int:
    """Check ARCHIVE down to the last bit. The exit code is 1 when something is not as it was signed.

    A return to an older state, or another history signed with a stolen key, is found only with a --witness.
    """
    from remission.clinic.archive.verifying import verify as check

    with out.progress("verify", quiet=as_json) as progress:
        found = check(archive, origin, witnesses, wait, progress)
    told("verify", found.document(), as_json, lambda: show.show_verification(found))
    return 0 if found.ok else 1


@command.command("witness", short_help="Keep the newest checkpoint elsewhere.")
@ARCHIVE
@click.option("-o", "--output", required=True, type=PATH, help="The witness file; it grows.")
@JSON
def witness(archive: Path, output: Path, as_json: bool) -> None:
    """Add the newest checkpoint of ARCHIVE to a file that others keep. It must agree with those that are in it."""
    from remission.clinic.archive.witness import add_to_witness

    show.outside(archive, output)
    found = opened(archive)
    new = add_to_witness(output, found.log)
    content = {"witness": str(output), "new": new, "size": found.head.size, "root": found.head.root}
    words = "kept" if new else "was kept already"
    told("witness", content, as_json, lambda: click.echo(f"checkpoint of {found.head.size} entries {words}: {output}"))


@command.command("prove", short_help="The proof of one item, or that the log goes on.")
@ARCHIVE
@click.argument("item", required=False)
@click.option("--since", type=PATH, metavar="WITNESS", help="Prove that the log goes on from its last checkpoint.")
@click.option("-o", "--output", required=True, type=PATH, help="Where to write the proof (JSON).")
@click.option("--content", type=PATH, help="Write the content of the item there as well.")
@JSON
def prove(
    archive: Path, item: str | None, since: Path | None, output: Path, content: Path | None, as_json: bool
) -> None:
    """Write a proof for somebody who has nothing else.

    It shows that ITEM is in the log that was signed or, with --since, that nothing a witness saw was changed or taken away.
    """
    if (item is None) == (since is None):
        raise click.UsageError("Name an item, or a witness with --since: one of the two.")
    if content is not None and item is None:
        raise click.UsageError("--content is of an item.")
    show.outside(archive, output, content)
    facts = show.proof_written(opened(archive), item, since, output, content)
    told("prove", facts, as_json, lambda: click.echo(f"proof: {output} ({facts['shows']})"))


@command.command("check", short_help="Check a proof, or an export, without the archive.")
@click.argument("path", type=PATH)
@click.option("--file", type=PATH, help="The content that the proof is said to be of.")
@click.option("--witness", type=PATH, help="The checkpoints that a proof made with --since goes on from.")
@ORIGIN
@JSON
def check(path: Path, file: Path | None, witness: Path | None, origin: str, as_json: bool) -> None:
    """Check a proof that `archive prove` wrote, or the folder of an export. The exit code is 1 when it does not hold."""
    found = show.checked(path, file, witness, origin)
    told("check", found, as_json, lambda: show.show_checked(found, path))


@command.command("log", short_help="What happened, event by event.")
@ARCHIVE
@click.option("--item", default="", help="Only of this item.")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many events to show.")
@JSON
def log(archive: Path, item: str, last: int, as_json: bool) -> None:
    """Show the last events of ARCHIVE: ingests, reviews, changes of licences, tombstones, new keys. --json gives all."""
    from remission.clinic.archive.changing import history

    found = history(opened(archive), item)
    told("log", {"events": found}, as_json, lambda: show.show_log(found, last))


@command.command("show", short_help="What is known of an item.")
@ARCHIVE
@click.argument("item")
@JSON
def show_item(archive: Path, item: str, as_json: bool) -> None:
    """Show the record of ITEM as it is now, with later changes and evidence."""
    from remission.clinic.archive.changing import as_it_is, current

    found = opened(archive)
    record = as_it_is(found.record(item), current(found).get(item))
    collection = found.collections.get(record.get("collection", ""), {}).get("collection")
    content = {"record": record, "collection": collection}
    told("show", content, as_json, lambda: show.show_record(content))


@command.command("amend", short_help="Change a licence or another field.")
@ARCHIVE
@click.argument("items", nargs=-1, required=True, metavar="ITEM...")
@click.option("--set", "changes", multiple=True, required=True, metavar="FIELD=VALUE", help="As in licence=CC-BY-4.0.")
@click.option("--reason", required=True, help="Why; it is kept.")
@BY
@KEY
@WAIT
@JSON
def amend(
    archive: Path,
    items: tuple[str, ...],
    changes: tuple[str, ...],
    reason: str,
    by: str,
    key: Path,
    wait: float,
    as_json: bool,
) -> None:
    """Change what is known of ITEMs. The log keeps what was known before."""
    from remission.clinic.archive.changing import amend as change

    found = change(archive, signer_of(key), items, show.pairs(changes, "--set"), reason, by, wait)
    told("amend", show.checkpoint(found), as_json, lambda: show.show_checkpoint(f"{len(items)} changed", found))


@command.command("evidence", short_help="Add what detectors or others say of items.")
@ARCHIVE
@click.argument("file", type=PATH)
@click.option("--kind", default="detector", show_default=True, help="detector, watermark, signed-statement...")
@click.option("--set", "fixed", multiple=True, metavar="FIELD=VALUE", help="The same for all, as in name=words.")
@BY
@KEY
@WAIT
@JSON
def evidence(
    archive: Path, file: Path, kind: str, fixed: tuple[str, ...], by: str, key: Path, wait: float, as_json: bool
) -> None:
    """Add evidence from FILE (JSONL, CSV, Parquet) with a row for each item: `id` and fields such as `score`, `verdict`."""
    from remission.clinic.archive.changing import add_evidence

    rows = show.evidence_rows(file, kind, show.pairs(fixed, "--set"))
    found = add_evidence(archive, signer_of(key), rows, by, wait)
    content = {"new": found.new, "known": found.known} | show.checkpoint(found.checkpoint)
    words = f"evidence: {found.new:,} added, {found.known:,} there already"
    told("evidence", content, as_json, lambda: show.show_checkpoint(words, found.checkpoint))


@command.command("erase", short_help="Erase bytes for good, by law; the leaf stays.")
@ARCHIVE
@click.argument("items", nargs=-1, required=True, metavar="ITEM...")
@click.option("--basis", required=True, help="The request and the law; it is kept.")
@click.option("--keep-record", is_flag=True, help="Erase only the content.")
@click.option("--all-copies", is_flag=True, help="Erase other items of the same content as well.")
@click.option("--yes", is_flag=True, help="Needed: nothing brings the bytes back.")
@BY
@KEY
@WAIT
@JSON
def erase(
    archive: Path, items: tuple[str, ...], basis: str, keep_record: bool, all_copies: bool, yes: bool, by: str, key: Path,
    wait: float, as_json: bool,
) -> None:  # fmt: skip
    """Overwrite the content and the record of ITEMs, and write tombstones. Ids, hashes and sizes stay in the log.

    What `amend`, `evidence` and reviews said of an item later stays there, too, and so do their reasons and the basis given here:
    nothing takes an event out of the log. Keep personal data out of these.
    """
    from remission.clinic.archive.changing import erase_items

    if not yes:
        raise click.UsageError(f"This erases {', '.join(items)[:200]} for good. Say so with --yes.")
    found = erase_items(
        archive, signer_of(key), items, basis, by, keep_record=keep_record, all_copies=all_copies, wait=wait
    )
    told("erase", show.checkpoint(found), as_json, lambda: show.show_checkpoint("erased", found))


@command.command("rotate", short_help="Hand the archive over to a new key.")
@ARCHIVE
@KEY
@click.option("--new-key", required=True, type=PATH, help="The new private key; made if it is not there.")
@WAIT
@JSON
def rotate(archive: Path, key: Path, new_key: Path, wait: float, as_json: bool) -> None:
    """Let the old key name the new one. From then on only the new key signs."""
    from remission.clinic.archive.changing import rotate as hand_over

    show.outside(archive, new_key)
    old = signer_of(key)
    with keys.key_at(new_key, archive) as (new, _):
        found = hand_over(archive, old, new, wait)
    content = show.checkpoint(found) | {"key": new.key}
    told(
        "rotate", content, as_json, lambda: show.show_checkpoint(f"now signed by {new.key[:16]}... ({new_key})", found)
    )


@command.command("export", short_help="A copy for others, with proofs.")
@ARCHIVE
@click.option("-o", "--output", required=True, type=PATH, help="A new folder.")
@click.option("--to", default="parquet", show_default=True, help="parquet (with Croissant), bagit or huggingface.")
@click.option("--certified", is_flag=True, help="Only items that two reviewers certified.")
@click.option("--item", "items", multiple=True, help="Only this one; again for more.")
@click.option("--credentials", type=PATH, help="A signer of `watermark sign`: adds C2PA sidecars.")
@JSON
def export(
    archive: Path,
    output: Path,
    to: To,
    certified: bool,
    items: tuple[str, ...],
    credentials: Path | None,
    as_json: bool,
) -> None:
    """Write items of ARCHIVE into a folder, with a proof of every row that `archive check` and verify.py check."""
    from remission.clinic.archive.exporting import export as write

    show.outside(archive, output)
    sidecar = None if credentials is None else show.sidecar_of(credentials)
    with out.progress("export", quiet=as_json) as progress:
        found = write(
            opened(archive), output, to, certified=certified, items=items, sidecar=sidecar, tell=progress
        )  # fmt: skip
    told("export", found.document(), as_json, lambda: show.show_exported(found))


@command.command("sample", short_help="A batch of fresh data that nobody drew before.")
@ARCHIVE
@click.option("-o", "--output", required=True, type=PATH, help="A .parquet or .jsonl file with id and text.")
@click.option("--count", required=True, type=click.IntRange(1), help="Items of a batch.")
@click.option("--batch", default=0, show_default=True, type=click.IntRange(0), help="Which batch: the generation, say.")
@click.option("--seed", default=0, show_default=True, help="Of the order of all items.")
@click.option("--at", type=click.IntRange(1), help="Only what was in the log at this size. Default: all.")
@click.option("--all", "everything", is_flag=True, help="Not only certified items.")
@click.option("--again", is_flag=True, help="Start over when all items were drawn.")
@JSON
def sample(
    archive: Path,
    output: Path,
    count: int,
    batch: int,
    seed: int,
    at: int | None,
    everything: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Draw a batch. The same numbers give the same batch, and batches of one seed, count and --at share no item."""
    from remission.clinic.archive.sampling import sample as draw
    from remission.clinic.archive.sampling import write_sample

    show.outside(archive, output)
    found = draw(opened(archive), count, batch=batch, seed=seed, at=at, certified=not everything, again=again)
    write_sample(output, found)
    told("sample", found.document() | {"file": str(output)}, as_json, lambda: show.show_sample(found, output))


command.add_command(review)
