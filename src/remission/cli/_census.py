"""What ``remission census`` is told and what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from remission.cli import _detect
from remission.cli import _output as out
from remission.errors import DataError, SpecError


def config_of(options: dict[str, Any], columns: tuple[str, ...]) -> Any:
    """How documents are read and drawn. Raises SpecError, DataError."""
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
        columns=columns, where=where,
    )  # fmt: skip
    return Config(
        fields, by, sums=sums_of(options["sums"]), before=options["before"], copies=options["copies"],
        sampling=sampling_of(options["sample"], options["files"], options["seed"]), declared=options["declared"],
    )  # fmt: skip


def sampling_of(lines: tuple[str, ...], files: str | None, seed: int) -> Any:
    """``--sample 1%`` and ``--sample source=forum:20%``, ``--files 10%``. Raises SpecError."""
    from remission.clinic.census.sampling import Sampling

    rate, strata = 1.0, []
    for line in lines:
        name, _, share = line.rpartition(":")
        if name:
            strata.append((name.strip(), _share(share, "--sample", line)))
        else:
            rate = _share(share, "--sample", line)
    return Sampling(rate, tuple(strata), 1.0 if files is None else _share(files, "--files", files), seed)


def _share(text: str, option: str, given: str) -> float:
    """``1%`` or ``0.01``."""
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        more = " or STRATUM:SHARE as in source=forum:20%" if option == "--sample" else ""
        raise SpecError(f"{option} needs a share such as 1% or 0.01{more}. Got '{given}'.") from None
    return number / 100 if text.strip().endswith("%") else number


def sums_of(path: Path | None) -> tuple[tuple[str, str], ...]:
    """Lines of ``sha256sum``: the hash, two characters, the file. Raises DataError."""
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


def engine_of(options: dict[str, Any]) -> Any:
    """Where the work is done. Raises SpecError."""
    from remission.clinic.census.running import local_engine
    from remission.engines.limits import Limits

    limits = Limits(options["deadline"], options["memory"] << 20)
    if options["engine"] == "local":
        return local_engine(options["workers"], limits)
    from remission.engines import ray

    return lambda function, tasks: ray.supervise(function, tasks, options["address"], limits)


def show(found: Any) -> None:
    """What became of rows, copies, shares, watermarks, and what a full scan would take."""
    from remission.cli.prevalence import show_shares

    show_account(found.census)
    show_copies(found)
    show_shares(found.answer)
    show_known(found)
    show_cost(found)
    for line in found.notes:
        click.echo(line)


def show_account(census: Any) -> None:
    """Rows and files, and what was set aside with the first place of each reason."""
    from remission.clinic.census.empty import place_in
    from remission.clinic.census.receipts import kind_of

    account, unread = census.receipt.accounting(), len(census.manifest.unread)
    parts = [f"{account['in']:,} rows", f"{account['kept']:,} documents"]
    parts += [f"{account['dropped']:,} {_left_out(account)}"] if account["dropped"] else []
    parts += [f"{account['quarantined']:,} set aside"] if account["quarantined"] else []
    files = len(census.manifest.inputs)
    more = f" (of {files + unread:,}; the others are not drawn)" if unread else ""
    click.echo(f"corpus: {', '.join(parts)}, from {files:,} file{'s' if files != 1 else ''}{more}")
    for reason, count in account["reasons"].items():
        place = next((one for one in account["examples"] if kind_of(one["reason"]) == reason), None)
        where = "" if place is None else f", first in {place['file']}{place_in(place)}"
        out.warn(f"{count:,} set aside: {reason}{where}")
    if census.mended:
        many = census.mended != 1
        out.warn(
            f"{census.mended:,} part{'s were' if many else ' was'} damaged and {'were' if many else 'was'} scored anew"
        )


def _left_out(account: dict[str, Any]) -> str:
    from remission.clinic.census.sampling import NOT_DRAWN

    return "not drawn" if set(account["dropped_for"]) == {NOT_DRAWN} else "left out on request"


def show_copies(found: Any) -> None:
    """Exact copies and near-duplicates."""
    groups = found.census.manifest.groups
    if groups is None:
        return
    line = f"copies: {groups.copies:,} of {groups.documents:,} documents have the content of an earlier one and do not count"
    if groups.clusters:
        line += (
            f"; {groups.clustered:,} others are near-duplicates in {groups.clusters:,} groups of up to {groups.largest:,}, which "
            "intervals count as drawn together"
        )
    click.echo(line)


def show_known(found: Any) -> None:
    """Documents whose origin something besides the score tells."""
    row, marking = found.answer.whole, found.kept.marking
    if marking is not None:
        by = ", ".join(f"{name}: {count:,}" for name, count in marking.by_mark.items())
        click.echo(
            f"watermarks: {marking.found:,} of {marking.tested:,} documents called marked (at most {100 * marking.rate:g} % of "
            f"them falsely){f'; {by}' if by else ''}"
        )
    if row.n_declared:
        click.echo(f"provenance: {row.n_declared:,} documents declare that they are synthetic")
    if found.question.archive is not None:
        click.echo(
            f"archive: {row.n_archived:,} documents are among the {found.archived:,} human ones of {found.question.archive}"
        )
    if row.detected is not None:
        share = row.detected
        shown = "-" if share.value != share.value else _detect.percent(share.value)
        click.echo(
            f"by scores alone, among the others: {shown} ({_detect.percent(share.low)} to {_detect.percent(share.high)})"
        )


def show_cost(found: Any) -> None:
    """Of the full scan, for samples."""
    if found.config.sampling.everything:
        return
    documents = found.answer.whole.documents
    if documents is not None:
        click.echo(
            f"the corpus has about {documents.value:,.0f} different documents ({documents.low:,.0f} to {documents.high:,.0f})"
        )
    if found.cost is None:
        click.echo("full scan: not estimated, for that takes two parts (of a MiB or more)")
        return
    cost, count = found.cost, f"{found.cost.parts:,} parts and {found.cost.scored:,} documents"
    if cost.is_known:
        click.echo(f"full scan: about {_time(cost.hours, 'worker-')} on workers like these; by {count}")
    else:
        click.echo(f"full scan: at most {_most(cost.hours, 'worker-')} on workers like these; by {count} alone")
    if cost.memory is not None:
        time = "a time not known from this run" if cost.copies is None else f"about {_time(cost.copies)}"
        click.echo(
            f"then the pass over copies: {time} of one process, which holds about {_amount(cost.memory.value / 1e6)} MB for that"
        )
    if cost.money is not None:
        value, low, high = (_amount(cost.money[name]) for name in ("value", "low", "high"))
        of = "both" if cost.copies is not None else "this" if cost.memory is None else "the scan without that pass"
        said = f"{value} ({low} to {high})" if cost.is_known else f"at most {high}"
        click.echo(f"{of} would cost {said} at {cost.price:g} an hour")


def _unit(hours: float) -> tuple[str, float]:
    """A unit that fits, and how many of it an hour has."""
    return ("hours", 1.0) if hours >= 1 else ("minutes", 60.0) if hours >= 1 / 60 else ("seconds", 3600.0)


def _most(hours: Any, of: str) -> str:
    """The upper end."""
    unit, factor = _unit(hours.high)
    return f"{_amount(factor * hours.high)} {of}{unit}"


def _time(hours: Any, of: str = "") -> str:
    """With the interval."""
    unit, factor = _unit(hours.value)
    value, low, high = (_amount(factor * number) for number in (hours.value, hours.low, hours.high))
    return f"{value} {of}{unit} ({low} to {high})"


def _amount(number: float) -> str:
    """Three digits, or the whole number."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def verified(folder: Path, paths: tuple[str, ...], key: str | None, inputs: bool, as_json: bool) -> int:
    """Check a finished census and say what is wrong with it; the exit code."""
    from remission.clinic.census.manifest import NAME, SIGNATURE, verify
    from remission.clinic.census.signing import public_key, signer_of
    from remission.errors import StoreError

    if paths:
        raise SpecError("--verify takes the folder of a finished census and no PATHs. Give one or the other.")
    wanted = None if key is None else public_key(key)
    notes: list[str] = []
    try:
        faults = verify(folder, inputs, wanted, notes)
    except StoreError as error:
        if not (folder / NAME).is_file():
            raise
        faults = [{"kind": "manifest changed", "what": str(error)}]
    signer = signer_of(folder / SIGNATURE)
    if as_json:
        out.as_json(
            "census-verification", {"census": str(folder), "faults": faults, "signed_by": signer, "notes": notes}
        )
        return 1 if faults else 0
    for fault in faults:
        click.echo(f"{fault['kind']}: {fault['what']}")
    for note in notes:
        click.echo(note)
    told = f"{len(faults):,} fault{'s' if len(faults) != 1 else ''}" if faults else "as its manifest says"
    signed = "not signed" if signer is None else f"signed by {signer}"
    asked = "" if signer is None or wanted is not None else " (whose that is, only --signed-by can check)"
    click.echo(f"{folder}: {told}; {signed}{asked}")
    return 1 if faults else 0
