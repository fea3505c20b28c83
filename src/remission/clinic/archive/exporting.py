"""Copies for others: Parquet with a Croissant description, BagIt, or a Hugging Face data set; each with its proofs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from remission.clinic.archive import _formats as formats
from remission.clinic.archive._aside import written_aside
from remission.clinic.archive._layout import Item, data_of
from remission.clinic.archive.changing import as_it_is, current, note_later
from remission.clinic.archive.proving import Prover, check_proof
from remission.clinic.archive.readme import verifier
from remission.errors import DataError, SpecError, VerificationError, did_you_mean
from remission.gold.archive import Archive
from remission.gold.canonical import canonical
from remission.gold.votes import certified_items, rule

To = Literal["parquet", "bagit", "huggingface"]
FORMATS = ("parquet", "bagit", "huggingface")
Tell = Callable[[float, float], None]


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        folder: it.
        to: its format.
        items: how many; erased: how many were left out because they are.
        licences: of the items, in SPDX words.
    """

    folder: Path
    to: To
    items: int
    erased: int
    licences: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As plain values."""
        rest = {"folder": str(self.folder), "to": self.to, "items": self.items, "erased": self.erased}
        return rest | {"licences": list(self.licences)}


def export(
    archive: Archive, output: Path, to: To = "parquet", *, certified: bool = False, items: Sequence[str] = (),
    sidecar: Callable[[Path], None] | None = None, tell: Tell | None = None,
) -> Exported:  # fmt: skip
    """Write items into a new folder, which is there as a whole or not at all.

    Every export holds ``proofs.jsonl``: a line with what all proofs share, then one proof for each event that its rows follow from,
    which :func:`check_export` and the stand-alone verifier check without the archive.

    Args:
        archive: it.
        output: the folder; it must not be there.
        to: ``parquet`` (one file, with croissant.json beside it), ``bagit`` (every item a file) or ``huggingface`` (a data set
            that ``datasets.load_dataset`` reads).
        certified: only items that two reviewers certified.
        items: only these ids.
        sidecar: called with every data file that was written, to sign it.
        tell: told of progress.

    Raises:
        SpecError: an unknown format. DataError: nothing to export, or an id that is not there. StoreError: the folder is there, or
            cannot be written. VerificationError: an item is not what was signed.
    """
    if to not in FORMATS:
        raise SpecError(f"There is no format '{to}'. {did_you_mean(to, FORMATS)}")
    chosen, erased = _chosen(archive, certified, items)
    with written_aside(output, folder=True) as aside:
        (aside / "verify.py").write_bytes(verifier())
        prover = Prover(archive)
        with open(aside / "proofs.jsonl", "wb") as file:
            file.write(canonical(prover.shared) + b"\n")
            within = set(chosen)
            for number, entry in archive.log.entries():
                if entry.get("item") in within and entry["event"] in _SHOWN:
                    file.write(canonical(prover.own(number)) + b"\n")
        found = _items(archive, chosen, tell)
        about = formats.About(archive.log.name, archive.origin, archive.head, tuple(archive.collections.values()))
        licences = {"parquet": formats.parquet, "bagit": formats.bagit, "huggingface": formats.huggingface}[to](
            aside, found, about, sidecar
        )
    return Exported(output, to, len(chosen), erased, licences)


_SHOWN = ("ingest", "amend", "evidence", "review")
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RuntimeError)  # RecursionError is one of the last


def check_export(folder: Path, origin: str = "") -> int:
    """Check every row of an export against its proofs, without the archive; how many there are.

    Content and record must be those that were signed; the other columns must follow from the record and from later events that were
    signed as well. Files that the layout does not have are refused, for whoever loads the folder would take them for data. That no
    later event was left out cannot be seen without the archive.

    Raises:
        DataError: no export. VerificationError: an item, or its proof, is not what was signed.
    """
    try:
        data = data_of(folder)
        inner = folder / "data" if data.suffix == ".jsonl" else folder
        shared, *proofs = [json.loads(line) for line in (inner / "proofs.jsonl").read_bytes().splitlines()]
        proofs.sort(key=lambda one: int(one["index"]))
    except (OSError, *_UNREADABLE) as error:
        raise DataError(f"'{folder}' is no export with proofs: {type(error).__name__}.") from None
    ingests: dict[str, tuple[int, dict[str, Any]]] = {}
    later: dict[str, dict[str, Any]] = {}
    votes: dict[str, dict[str, str]] = {}
    for one in proofs:
        entry = check_proof(shared | one, None, origin).entry
        if entry.get("event") not in _SHOWN:
            raise VerificationError(f"Entry {one['index']} has a proof, and no row follows from it.")
        if entry["event"] == "ingest":
            ingests[entry["item"]] = (one["index"], entry)
        elif entry["event"] == "review":
            votes.setdefault(entry["item"], {})[entry["reviewer"]] = entry["verdict"]
        else:
            note_later(later, entry)
    count = len(ingests)
    try:
        for row in formats.rows(data):
            number, entry = ingests.pop(row["id"], (-1, {}))
            now = rule(votes.get(row["id"], {})) == "certified"
            trouble = _trouble(row, number, entry, later.get(row["id"]), now)
            if trouble:
                raise VerificationError(f"{trouble} of the item '{row['id']}' is not what was signed.")
    except (OSError, *_UNREADABLE) as error:
        raise VerificationError(
            f"The data of '{folder}' cannot be read: {' '.join(str(error).split())[:200]}"
        ) from None
    if ingests:
        raise VerificationError(f"{len(ingests)} items have a proof and are not there, first '{next(iter(ingests))}'.")
    return count


def _trouble(
    row: dict[str, Any], number: int, entry: dict[str, Any], later: dict[str, Any] | None, certified: bool
) -> str:
    """What of a row does not follow from what was signed; empty when all does."""
    if hashlib.sha256(row["content"]).hexdigest() != entry.get("content"):
        return "The content"
    if hashlib.sha256(row["record"].encode()).hexdigest() != entry.get("record"):
        return "The record"
    expected = formats.plain(as_it_is(json.loads(row["record"]), later))
    expected |= {"sha256": entry["content"], "entry": number, "certified": certified}
    return next((f"The column '{name}'" for name, value in expected.items() if row[name] != value), "")


def _chosen(archive: Archive, certified: bool, items: Sequence[str]) -> tuple[list[str], int]:
    for item in items:
        archive.number(item)
    within = set(items) or set(archive.log.items)
    if certified:
        within &= set(certified_items(archive))
    found = [item for item in archive.log.items if item in within and item not in archive.log.erased]
    if not found:
        raise DataError("There is nothing to export: no item is left of those asked for.")
    return found, sum(item in archive.log.erased for item in within)


def _items(archive: Archive, chosen: list[str], tell: Tell | None) -> Iterator[Item]:
    later, trusted = current(archive), set(certified_items(archive))
    for place, item in enumerate(chosen):
        number = archive.log.items[item]
        entry = archive.log.entry(number)
        record = archive.record_at(number, entry)
        if tell is not None and place % 1000 == 0:
            tell(place, len(chosen))
        now = as_it_is(record, later.get(item))
        yield Item(item, number, archive.content_at(entry), entry["content"], now, canonical(record), item in trusted)
