"""Copies for others: Parquet with a Croissant description, BagIt, or a Hugging Face data set; each with its proofs."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from remission.clinic.archive import _formats as formats
from remission.clinic.archive._aside import written_aside
from remission.clinic.archive._described import About, check_described
from remission.clinic.archive._layout import Item, data_of, sha256_of
from remission.clinic.archive._proofs import SHOWN, Proofs, understood
from remission.clinic.archive.changing import as_it_is, current
from remission.clinic.archive.proving import Prover
from remission.clinic.archive.readme import verifier
from remission.errors import DataError, SpecError, VerificationError, did_you_mean
from remission.gold import disk
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
        (aside / "verify.py").write_bytes(_verifier(archive))
        collections = _collections(archive, chosen)
        _write_proofs(aside / "proofs.jsonl", archive, set(chosen), collections)
        found = _items(archive, chosen, tell)
        about = About(archive.log.name, archive.origin, archive.head, tuple(collections.values()))
        licences = {"parquet": formats.parquet, "bagit": formats.bagit, "huggingface": formats.huggingface}[to](
            aside, found, about, sidecar
        )
    return Exported(output, to, len(chosen), erased, licences)


def check_export(folder: Path, origin: str = "") -> int:
    """Check every row of an export against its proofs, and what it says of itself, without the archive; how many rows there are.

    Content and record must be those that were signed; the other columns must follow from the record and from later events that were
    signed as well; the files beside the data must say what follows from these. Files that the layout does not have, and links, are
    refused, for whoever loads the folder would take them for data. That no later event was left out cannot be seen without the archive.

    Raises:
        DataError: no export. SpecError: an origin that is none. VerificationError: an item, its proof, or a file beside the data
            is not what was signed.
    """
    with understood(DataError, f"'{folder}' is no export with proofs"):
        data = data_of(folder)
        inner = folder / "data" if data.suffix == ".jsonl" else folder
        proofs = Proofs(inner / "proofs.jsonl", origin)
    if sha256_of(inner / "verify.py") != proofs.opening.get("verifier"):
        raise VerificationError(
            f"The 'verify.py' of '{folder}' is not the one that came with the archive. Do not run it."
        )
    count, licences, languages = len(proofs.ingests), Counter[str](), Counter[str]()
    with understood(VerificationError, f"The data of '{folder}' cannot be read"):
        for row in formats.rows(data):
            trouble = _trouble(row, proofs)
            if trouble:
                raise VerificationError(f"{trouble} of the item '{row['id']}' is not what was signed.")
            licences[row["licence"]] += 1
            languages[row["language"] or ""] += 1
        if proofs.ingests:
            first = next(iter(proofs.ingests))
            raise VerificationError(f"{len(proofs.ingests)} items have a proof and are not there, first '{first}'.")
        check_described(folder, data, proofs.about(), licences, languages)
    return count


def _trouble(row: dict[str, Any], proofs: Proofs) -> str:
    """What of a row does not follow from what was signed; empty when all does."""
    number, entry = proofs.ingests.pop(row["id"], (-1, {}))
    if hashlib.sha256(row["content"]).hexdigest() != entry.get("content"):
        return "The content"
    if hashlib.sha256(row["record"].encode()).hexdigest() != entry.get("record"):
        return "The record"
    record = json.loads(row["record"])
    if record.get("collection") and record["collection"] not in proofs.collections:
        return "The collection"
    certified = rule(proofs.votes.get(row["id"], {})) == "certified"
    expected = formats.plain(as_it_is(record, proofs.later.get(row["id"])))
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


def _verifier(archive: Archive) -> bytes:
    """The verifier that the opening names, so that who checks an export knows that it is the one that came with the archive."""
    named = archive.log.entry(0).get("verifier")
    for code in (_own(archive.folder / "verify.py"), verifier()):
        if hashlib.sha256(code).hexdigest() == named:
            return code
    raise VerificationError(
        f"The 'verify.py' of '{archive.folder}' is not the one that came with it. Run `remission archive verify`."
    )


def _own(path: Path) -> bytes:
    try:
        return disk.read(path, most=1 << 20)
    except OSError:
        return b""


def _collections(archive: Archive, chosen: list[str]) -> dict[str, dict[str, Any]]:
    """The collections that items were taken from, by the hash of their record."""
    found = archive.collections
    if len(found) > 1:
        used = {archive.record(item).get("collection") for item in chosen}
        found = {name: one for name, one in found.items() if name in used}
    return found


def _write_proofs(path: Path, archive: Archive, items: set[str], collections: dict[str, dict[str, Any]]) -> None:
    prover = Prover(archive)
    with open(path, "wb") as file:
        file.write(canonical(prover.shared) + b"\n")
        for number, entry in archive.log.entries():
            if entry["event"] == "collection" and entry["record"] in collections:
                record = canonical(collections[entry["record"]]).decode()
                file.write(canonical(prover.own(number) | {"record": record}) + b"\n")
            elif entry.get("item") in items and entry["event"] in SHOWN:
                file.write(canonical(prover.own(number)) + b"\n")
