"""What happens to items later: licences change, evidence is added, contents are erased by law, keys are renewed.

Nothing of it alters what is there: each is one more event. Only erasing overwrites bytes, and keeps the leaf.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.clinic.archive.record import ITEM, checked_evidence, checked_fields, checked_words
from remission.clinic.archive.writing import Writer, writing
from remission.errors import DataError, SpecError, VerificationError, did_you_mean
from remission.gold.archive import Archive, now
from remission.gold.canonical import canonical
from remission.gold.signing import Checkpoint, Signer

AMENDABLE = tuple(name for name in ITEM if name not in ("derived_from", "attributed_to", "generated_by"))


@dataclass(frozen=True)
class AddedEvidence:
    """Pieces of evidence that were new, and that were there already; and the checkpoint that covers them."""

    new: int
    known: int
    checkpoint: Checkpoint


def amend(
    folder: Path,
    signer: Signer,
    items: Sequence[str],
    changes: Mapping[str, str],
    reason: str,
    by: str,
    wait: float = 60.0,
) -> Checkpoint:
    """Change fields of items, such as the licence: the old ones stay in the log.

    Raises:
        SpecError: an unknown field, an impossible value, no reason. DataError: an item that is not there.
    """
    for name in changes:
        if name not in AMENDABLE:
            raise SpecError(f"'{name}' cannot be amended. {did_you_mean(name, AMENDABLE)}")
    if not changes:
        raise SpecError(f"Nothing is to be changed. Name a field: {', '.join(AMENDABLE)}.")
    _said(reason, "reason")
    checked_words(by, "by")
    for name in ("licence", "modality", "dated_by"):
        if name in changes and not changes[name]:
            raise SpecError(f"'{name}' cannot be empty: every item has one.")
    changed = checked_fields(dict(changes))
    with writing(folder, signer, wait) as writer:
        for item in dict.fromkeys(items):
            _there(writer, item)
            writer.event(
                {"event": "amend", "item": item, "changes": changed, "reason": reason, "by": by, "time": now()}
            )
        return _committed(writer)


def add_evidence(
    folder: Path, signer: Signer, evidence: Sequence[tuple[str, dict[str, Any]]], by: str, wait: float = 60.0
) -> AddedEvidence:
    """Add evidence of human origin, or against it, to items: pairs of an item and its evidence. What is there already is left.

    Raises:
        SpecError: evidence that says nothing, an unknown field, an impossible value. DataError: an item that is not there, or erased.
    """
    checked_words(by, "by")
    checked = [(item, checked_evidence(dict(one))) for item, one in evidence]
    with writing(folder, signer, wait) as writer:
        for item in dict.fromkeys(item for item, _ in checked):
            _there(writer, item)
        there = _evidence_of(writer, {item for item, _ in checked})
        new = 0
        for item, one in checked:
            line = canonical(one)
            if line in there[item]:
                continue
            there[item].add(line)
            new += 1
            writer.event({"event": "evidence", "item": item, "evidence": one, "by": by, "time": now()})
        checkpoint = _committed(writer) if new or not checked else writer.log.head
        return AddedEvidence(new, len(checked) - new, checkpoint)


def erase_items(
    folder: Path, signer: Signer, items: Sequence[str], basis: str, by: str, *, keep_record: bool = False,
    all_copies: bool = False, wait: float = 60.0,
) -> Checkpoint:  # fmt: skip
    """Erase the bytes of items for good; the log keeps their leaves, with the reason.

    The content is overwritten on this disk, the record likewise unless ``keep_record``; a record that was kept can be erased
    later. What stays are the id, the modality, the hash and the size, and whatever later events say of the item in the log: amended fields,
    evidence, reasons, reviews. Copies of the archive, snapshots and backups are not reached: erase there as well.

    Args:
        folder: of the archive.
        signer: its key.
        items: their ids.
        basis: why, such as the request and the law.
        by: who decided it.
        keep_record: erase only the content.
        all_copies: erase other items of the same content as well; else they are an error.
        wait: seconds to wait for other writers.

    Raises:
        DataError: an item that is not there or erased already, or that shares its content with others.
    """
    _said(basis, "basis")
    checked_words(by, "by")
    with writing(folder, signer, wait) as writer:
        wanted = ("content",) if keep_record else ("content", "record")
        left = {item: _left(writer, item, wanted) for item in dict.fromkeys(items)}
        contents = {_entry(writer, item)["content"] for item, what in left.items() if "content" in what}
        sharing = [
            entry["item"]
            for _, entry in (writer.log.entries() if contents else ())
            if entry["event"] == "ingest" and entry["content"] in contents and entry["item"] not in writer.log.erased
        ]
        others = [item for item in sharing if item not in left]
        if others and not all_copies:
            raise DataError(
                f"{len(others)} other items have the same content, first '{others[0]}'. Erase all of them with --all-copies."
            )
        for item, what in (left | {one: list(wanted) for one in others}).items():
            content = _entry(writer, item)["content"]
            fields = {"event": "tombstone", "item": item, "content": content, "erased": what}
            fields |= (
                {"modality": _modality(writer, item)} if "record" in what else {}
            )  # batches of texts stay what they are
            writer.event(fields | {"basis": basis, "by": by, "time": now()})
        return _committed(writer)


def rotate(folder: Path, signer: Signer, new: Signer, wait: float = 60.0) -> Checkpoint:
    """Hand the archive over to a new key: the old one signs the event that names it, and nothing after. Raises StoreError."""
    with writing(folder, signer, wait) as writer:
        if new.key in writer.log.keys:
            raise SpecError("The new key has signed this archive before. Make another one.")
        writer.event({"event": "key", "time": now()} | new.introduce(writer.log.origin))
        return _committed(writer)


def history(archive: Archive, item: str = "") -> list[dict[str, Any]]:
    """Events of an item, or of the whole archive, in order: each with its number and the time of its checkpoint."""
    if item:
        archive.number(item)
    log, found = archive.log, []
    for number, entry in log.entries():
        if item and entry.get("item") != item:
            continue
        checkpoint = log.since(log.batch_of(number))
        shown = {name: value for name, value in entry.items() if name not in ("at", "long", "offset", "pack", "stored")}
        found.append({"number": number, "signed": None if checkpoint is None else checkpoint.time} | shown)
    return found


def current(archive: Archive) -> dict[str, dict[str, Any]]:
    """What later events say of each item: changed fields and more evidence."""
    found: dict[str, dict[str, Any]] = {}
    for _, entry in archive.log.entries():
        if entry["event"] in ("amend", "evidence"):
            note_later(found, entry)
    return found


def note_later(found: dict[str, dict[str, Any]], entry: dict[str, Any]) -> None:
    """Add what an event says of its item."""
    later = found.setdefault(entry["item"], {"changes": {}, "evidence": []})
    if entry["event"] == "amend":
        later["changes"] |= entry["changes"]
    else:
        later["evidence"].append(entry["evidence"])


def as_it_is(record: dict[str, Any], later: dict[str, Any] | None) -> dict[str, Any]:
    """A record with what happened later."""
    if later is None:
        return record
    return record | later["changes"] | {"evidence": [*record.get("evidence", []), *later["evidence"]]}


def _evidence_of(writer: Writer, items: set[str]) -> dict[str, set[bytes]]:
    """The evidence that each of these items has already."""
    assert writer.archive is not None
    found: dict[str, set[bytes]] = {}
    for item in items:
        with contextlib.suppress(VerificationError):  # what is damaged may get evidence, too
            found[item] = {canonical(one) for one in writer.archive.record(item).get("evidence", [])}
        found.setdefault(item, set())
    for _, entry in writer.log.entries():
        if entry["event"] == "evidence" and entry["item"] in found:
            found[entry["item"]].add(canonical(entry["evidence"]))
    return found


def _there(writer: Writer, item: str) -> None:
    _entry(writer, item)
    if item in writer.log.erased:
        raise DataError(f"'{item}' was erased already.")


def _entry(writer: Writer, item: str) -> dict[str, Any]:
    assert writer.archive is not None
    return writer.log.entry(writer.archive.number(item))


def _modality(writer: Writer, item: str) -> str:
    assert writer.archive is not None
    try:
        return str(writer.archive.record(item).get("modality", "text"))
    except VerificationError:  # what is damaged can be erased, too
        return "text"


def _left(writer: Writer, item: str, wanted: Sequence[str]) -> list[str]:
    """What of an item is still to be erased."""
    _entry(writer, item)
    left = [one for one in wanted if one not in writer.log.erased.get(item, ())]
    if not left:
        raise DataError(f"'{item}' was erased already.")
    return left


def _said(text: str, name: str) -> None:
    if not text.strip() or len(text) > 10_000:
        raise SpecError(f"A {name} is needed: a sentence that tells others, years later, why this was done.")
    canonical(checked_words(text, name))


def _committed(writer: Writer) -> Checkpoint:
    checkpoint = writer.commit()
    if checkpoint is None:
        raise DataError("No item was named, so nothing was written.")
    return checkpoint
