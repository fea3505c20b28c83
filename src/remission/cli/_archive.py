"""What ``remission archive`` prints, and how its options are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from remission.cli import _output as out
from remission.cli._detect import interval, percent
from remission.errors import DataError, SpecError, did_you_mean

PATH = click.Path(path_type=Path)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
WAIT = click.option("--wait", default=60.0, show_default=True, help="Seconds to wait for another writer.")
ORIGIN = click.option("--origin", default="", metavar="HEX", help="The archive it must be, as somebody else told you.")
BY = click.option("--by", default="", metavar="NAME", help="Who decided it.")
ARCHIVE = click.argument("archive", type=PATH)
Command = TypeVar("Command", bound=Callable[..., Any])


def _ahead(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    if given:
        from remission.clinic.archive._clock import signing_ahead

        context.with_resource(signing_ahead())


def _signs(command: Command) -> Command:
    told = "Sign though the last checkpoint is dated in the future of this clock, with its time."
    ahead = click.option("--clock-ahead", is_flag=True, expose_value=False, callback=_ahead, help=told)
    return click.option("--key", required=True, type=PATH, help="The file with the archive's private key.")(
        ahead(command)
    )


KEY = _signs


def opened(folder: Path) -> Any:
    """The archive, its log checked, held so that nobody changes it until the command is done."""
    from remission.gold.archive import reading

    return click.get_current_context().with_resource(reading(folder))


def outside(archive: Path, *paths: Path | None) -> None:
    """Refuse to write into an archive: whatever its log does not speak of is a fault. Raises click.UsageError."""
    for path in paths:
        if path is not None and archive.resolve() in (path.resolve(), *path.resolve().parents):
            raise click.UsageError(f"'{path}' lies in the archive, where nothing else belongs. Choose another place.")


def signer_of(path: Path) -> Any:
    """The private key in a file."""
    from remission.gold.signing import load_signer

    return load_signer(path)


def told(name: str, content: dict[str, Any], as_json: bool, show_it: Callable[[], None]) -> None:
    """Print one JSON document, or what is for people."""
    if as_json:
        out.as_json(f"archive-{name}", content)
    else:
        show_it()


def pairs(lines: Iterable[str], option: str) -> dict[str, str]:
    """``FIELD=VALUE`` lines as a table."""
    found: dict[str, str] = {}
    for line in lines:
        name, sign, value = line.partition("=")
        if not sign or not name.strip():
            raise SpecError(f"{option} needs FIELD=VALUE, as in licence=CC-BY-4.0. Got '{line}'.")
        found[name.strip()] = value.strip()
    return found


def evidence_rows(file: Path, kind: str, fixed: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """An item and its evidence for each row of a file. Raises DataError with the line of what cannot be taken."""
    from remission.clinic.archive.record import EVIDENCE, checked_evidence
    from remission.corpus._rows import rows

    if not file.is_file():
        raise DataError(f"There is no file '{file}'.")
    if kind not in EVIDENCE:
        raise SpecError(f"There is no evidence of the kind '{kind}'. {did_you_mean(kind, EVIDENCE)}")
    found = []
    for line, row in rows(file, "text", False):
        where = f"'{file}', line {line}"
        if isinstance(row, str) or row.get("id") in (None, ""):
            raise DataError(f"{where}: {row if isinstance(row, str) else 'no id'}. Nothing was added.")
        item = row.pop("id")
        if isinstance(item, bool) or not isinstance(item, (str, int)):
            raise DataError(
                f"{where}: an id is a text or a whole number, not {json.dumps(item, default=str)[:60]}. Nothing was added."
            )
        where = f"{where} ('{item}')"
        unknown = next((name for name in row if name not in EVIDENCE[kind]), None)
        if unknown is not None:
            hint = did_you_mean(unknown, EVIDENCE[kind])
            raise DataError(f"{where}: evidence of the kind {kind} has no '{unknown}'. {hint} Nothing was added.")
        one = _sayable(
            {"kind": kind} | fixed | {name: value for name, value in row.items() if value not in (None, "")}, where
        )
        try:
            found.append((str(item), checked_evidence(one)))
        except (SpecError, DataError) as error:
            raise DataError(f"{where}: {error} Nothing was added.") from None
    return found


def _sayable(one: dict[str, Any], where: str) -> dict[str, Any]:
    """Evidence that can be signed: JSON has no spelling for whole numbers beyond 2^53 that all readers understand alike."""
    from remission.gold.canonical import canonical

    try:
        canonical(one)
    except DataError as error:
        raise DataError(f"{where}: {error} Write it as a text, in quotation marks. Nothing was added.") from None
    return one


def sidecar_of(folder: Path) -> Callable[[Path], None]:
    """What writes a C2PA sidecar beside a data file."""
    from remission.clinic import credentials

    signer = credentials.load_signer(folder)

    def write(path: Path) -> None:
        credentials.sign(path, signer=signer, source_type="digitalCreation", sidecar=True)

    return write


def proof_written(
    archive: Any, item: str | None, since: Path | None, output: Path, content: Path | None
) -> dict[str, Any]:
    """Write a proof, and what it shows."""
    from remission.clinic.archive._aside import written_aside
    from remission.clinic.archive.proving import prove, prove_consistency
    from remission.clinic.archive.witness import read_witness
    from remission.gold.canonical import canonical

    if since is not None:
        kept = read_witness(since)[-1]
        proof = prove_consistency(archive, kept)
        shows = f"{archive.head.size} entries go on from {kept.size}"
    else:
        proof = prove(archive, item or "")
        shows = f"entry {proof['index']} of {archive.head.size}"
    data = archive.content(item) if content is not None else b""
    if content is not None:
        with written_aside(content) as aside:
            aside.write_bytes(data)
    with written_aside(output) as aside:
        aside.write_bytes(canonical(proof) + b"\n")
    return {"proof": str(output), "item": item, "shows": shows, "size": archive.head.size, "steps": len(proof["path"])}


def checked(path: Path, file: Path | None, witness: Path | None, origin: str) -> dict[str, Any]:
    """What a proof, or an export, shows. Raises VerificationError when it does not hold."""
    from remission.clinic.archive.exporting import check_export
    from remission.clinic.archive.proving import CONSISTENCY, check_consistency, check_proof
    from remission.clinic.archive.witness import read_witness
    from remission.gold import disk

    if path.is_dir():
        if file is not None or witness is not None:
            raise click.UsageError("--file and --witness are for a proof; PATH is a folder.")
        return {"ok": True, "items": check_export(path, origin), "origin_given": bool(origin)}
    try:
        proof = json.loads(disk.read_given(path, 1 << 28))
        content = None if file is None else disk.read_given(file, 1 << 32)
    except OSError as error:
        raise DataError(f"'{error.filename or path}' cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError):
        raise DataError(f"'{path}' is no proof. `remission archive prove` writes one.") from None
    proof = proof if isinstance(proof, dict) else {}
    if proof.get("schema") == CONSISTENCY:
        if witness is None or file is not None:
            raise click.UsageError(
                "This proof says that a log goes on. Give the --witness whose last checkpoint it goes on from."
            )
        kept = read_witness(witness)[-1]
        head = check_consistency(proof, kept, origin)
        return {
            "ok": True,
            "since": kept.size,
            "size": head.size,
            "time": head.time,
            "origin": head.origin,
            "origin_given": True,
        }
    if witness is not None:
        raise click.UsageError("--witness is for a proof that was made with --since.")
    found = check_proof(proof, content, origin)
    head = found.checkpoint
    return {
        "ok": True, "entry": found.entry, "origin": found.origin, "size": head.size, "time": head.time,
        "content_checked": content is not None, "origin_given": bool(origin),
    }  # fmt: skip


def checkpoint(found: Any) -> dict[str, Any]:
    """A checkpoint as plain values."""
    return {"checkpoint": {"size": found.size, "time": found.time, "root": found.root}}


def show_checkpoint(what: str, found: Any) -> None:
    """What was done, and the checkpoint that holds it."""
    click.echo(f"{what}; checkpoint of {found.size:,} entries, {found.time}")


def show_added(found: Any) -> None:
    """How many items are new, and what was set aside."""
    click.echo(
        f"{found.new:,} items added, {found.known:,} were there already, from {_count(found.account.files, 'file')}"
    )
    for reason, count in found.account.reasons.most_common(5):
        out.warn(f"{count:,} left out: {reason}")
    if found.checkpoint is not None:
        click.echo(f"checkpoint of {found.checkpoint.size:,} entries, {found.checkpoint.time}")


def show_verification(found: Any) -> None:
    """The verdict, faults as a table, notes."""
    rows = [[one.kind, one.what, one.where, _since(one)] for one in found.faults[:50]]
    if rows:
        out.table("Not as it was signed", ["kind", "what", "where", "since the checkpoint of"], rows)
    if len(found.faults) > 50:
        click.echo(f"and {len(found.faults) - 50} more: see --json")
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    head = found.checkpoint
    where = "" if head is None else f"; {head.size:,} entries, last checkpoint {head.time}"
    click.echo(f"{found.items:,} items, {found.erased:,} erased{where}")
    click.echo(f"origin: {found.origin}")
    if found.witnessed:
        click.echo(f"agrees with {_count(found.witnessed, 'checkpoint')} kept elsewhere")
    click.echo(
        "Everything is as it was signed."
        if found.ok
        else f"NOT as it was signed: {_count(len(found.faults), 'fault')}."
    )


def _since(fault: Any) -> str:
    """The first checkpoint that says otherwise, or the last that does not speak of it."""
    if fault.since is not None:
        return f"{fault.since.size:,} entries, {fault.since.time}"
    return "-" if fault.after is None else f"none up to {fault.after.size:,} entries, {fault.after.time}"


def show_checked(found: dict[str, Any], path: Path) -> None:
    """What a proof shows, in words."""
    if "items" in found:
        click.echo(f"{path}: all {found['items']:,} items are what was signed")
    elif "since" in found:
        click.echo(
            f"{found['size']:,} entries ({found['time']}) go on from the {found['since']:,} that the witness saw"
        )
    else:
        what = found["entry"].get("item", found["entry"]["event"])
        click.echo(f"'{what}' is in the archive {found['origin']}: {found['size']:,} entries, {found['time']}")
        if not found["content_checked"]:
            click.echo("note: the content was not looked at; give it with --file", err=True)
    if not found["origin_given"]:
        click.echo("note: no --origin was given; it may be of anybody's archive", err=True)


def show_log(found: list[dict[str, Any]], last: int) -> None:
    """The last events as a table."""
    hidden = {
        "number",
        "signed",
        "event",
        "item",
        "record",
        "content",
        "bytes",
        "size",
        "as",
        "time",
        "stratum",
        "by",
        "proof",
    }
    rows = []
    for event in found[-last:]:
        more = {name: value for name, value in event.items() if name not in hidden}
        said = ", ".join(
            f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in more.items()
        )
        rows.append(
            [str(event["number"]), str(event["signed"] or "-"), event["event"], event.get("item", ""), said[:300]]
        )
    out.table(f"{len(found):,} events", ["entry", "signed", "event", "item", ""], rows, right={0})


def show_record(content: dict[str, Any]) -> None:
    """A record as a table."""
    rows = [
        [name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]
        for name, value in content["record"].items()
    ]
    rows += [[f"collection {name}", str(value)] for name, value in (content["collection"] or {}).items()]
    out.table(content["record"]["id"], ["field", ""], rows)


def show_exported(found: Any) -> None:
    """What was written."""
    left = f", {found.erased:,} erased ones left out" if found.erased else ""
    click.echo(f"{found.items:,} items{left}, licences {', '.join(found.licences)}: {found.folder}")
    click.echo(f"check:  remission archive check {found.folder}")


def show_sample(found: Any, path: Path) -> None:
    """What was drawn."""
    click.echo(
        f"batch {found.batch} (seed {found.seed}) of {found.of:,} items, {found.batches} batches of this size: {path}"
    )
    click.echo(f"the same again, however the archive grows: --at {found.at}")
    if found.left_out:
        click.echo(f"{found.left_out:,} items are no texts and were left out")
    if found.erased:
        out.warn(f"{len(found.erased)} items of this batch were erased since and are missing")


def show_queue(found: Any) -> None:
    """The queue and its strata."""
    click.echo(f"{found.tasks:,} tasks, {found.planted:,} of them planted, for reviewers: {found.file}")
    if found.pictures is not None:
        click.echo(f"with their pictures: {found.pictures}")
    click.echo(f"for you alone, and needed to record answers: {found.key_file}")
    if len(found.strata) > 1:
        rows = [[name or "-", f"{chosen:,}", f"{of:,}"] for name, (chosen, of) in found.strata.items()]
        out.table("Strata", ["stratum", "chosen", "items"], rows, right={1, 2})


def show_status(found: Any, html: Path | None) -> None:
    """Counts, agreement, errors and shares."""
    out.table("Items", ["", "n"], [[name.replace("_", " "), f"{n:,}"] for name, n in found.items.items()], right={1})
    agreement = [["all, Krippendorff's alpha", _estimate(found.alpha), f"{found.alpha.n:,}"]]
    agreement += [
        [f"{one} and {other}, Cohen's kappa", _estimate(kappa), f"{kappa.n:,}"] for one, other, kappa in found.kappa
    ]
    out.table(f"Agreement, {percent(found.alpha.level)}", ["who", "beyond chance", "items"], agreement, right={2})
    rows = [
        [
            one["reviewer"], f"{one['verdicts']:,}", interval(one["machine_called_human"]), interval(one["human_called_machine"]),
        ]
        for one in found.reviewers
    ]  # fmt: skip
    if rows:
        out.table(
            "Reviewers and planted items",
            ["who", "verdicts", "machine called human", "human called machine"],
            rows,
            right={1},
        )
    shares = [["of the certified", found.among_certified], ["of all they were drawn from", found.of_all]]
    out.table("Human share", ["", "share"], [[name, interval(one.table())] for name, one in shares])
    if found.cost_per_item is not None:
        click.echo(f"cost: {out.number(found.cost_per_item)} per certified item ({found.seconds / 3600:.1f} hours)")
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    if html is not None:
        click.echo(f"page: {html}")


def _estimate(one: Any) -> str:
    return "-" if one.value != one.value else f"{one.value:.3f}  [{out.number(one.low, 3)}, {out.number(one.high, 3)}]"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
