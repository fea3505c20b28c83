"""Draw fresh human data: the same batch for everybody who asks with the same numbers, and no item in two batches."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.clinic.archive._aside import written_aside
from remission.errors import DataError, SpecError, did_you_mean
from remission.gold.archive import Archive
from remission.gold.canonical import canonical
from remission.gold.votes import population, texts

KINDS = (".parquet", ".jsonl")


@dataclass(frozen=True)
class Sample:
    """A batch.

    Attributes:
        items: ids, in the order they were drawn; texts: of each.
        batch: its number, from 0; seed: of the order; at: the size of the log it was drawn at.
        of: how many texts there were to draw from; left_out: how many items that are none; batches: how many batches of this size that makes.
        erased: items of the batch that were erased since, and are missing.
        origin: of the archive.
    """

    items: tuple[str, ...]
    texts: tuple[str, ...]
    batch: int
    seed: int
    at: int
    of: int
    batches: int
    erased: tuple[str, ...]
    origin: str
    left_out: int = 0

    def document(self) -> dict[str, Any]:
        """As plain values, without the texts."""
        return {
            "items": list(self.items), "batch": self.batch, "seed": self.seed, "at": self.at, "of": self.of,
            "batches": self.batches, "erased": list(self.erased), "origin": self.origin, "left_out": self.left_out,
        }  # fmt: skip


def sample(
    archive: Archive, count: int, *, batch: int = 0, seed: int = 0, at: int | None = None, certified: bool = True,
    again: bool = False,
) -> Sample:  # fmt: skip
    """Batch number ``batch`` of texts, ``count`` in each.

    The order is that of the hashes of seed and id, so it depends on nothing else, and batches of one seed, count and ``at`` never
    share an item. Items of another modality are left out. Nothing is written: an archive that nobody can change can be drawn from.

    Args:
        archive: it.
        count: items of a batch.
        batch: which, from 0: the generation, say.
        seed: of the order; another seed draws anew from all items.
        at: only what was in the log at this size, so that batches stay what they are while the archive grows. Default: now.
        certified: only items that two reviewers certified as human (as of ``at``).
        again: start over with another order when all items were drawn, instead of refusing.

    Raises:
        SpecError: numbers that cannot be. DataError: nothing to draw from, all drawn, or no text.
    """
    at = archive.log.size if at is None else at
    if count < 1 or batch < 0:
        raise SpecError(f"A batch needs count >= 1 and batch >= 0. Got count {count}, batch {batch}.")
    everything = population(archive, at, certified)
    items = texts(archive, everything, at)
    left_out = len(everything) - len(items)
    if not items:
        raise DataError(f"None of the {left_out:,} items is a text. Export pictures with `remission archive export`.")
    first, last = batch * count, (batch + 1) * count
    if last > len(items) and not again:
        whole = len(items) // count
        some = (
            "no batch of this size can be drawn"
            if not whole
            else f"batches 0 to {whole - 1} can be drawn"
            if whole > 1
            else "batch 0 can be drawn"
        )
        raise DataError(
            f"Batch {batch} of {count} needs {last:,} texts, and there are {len(items):,}: {some}. Add items, draw fewer, or let items "
            "come again with --again."
        )
    drawn = []
    for turn in range(first // len(items), (last - 1) // len(items) + 1):
        order = sorted(items, key=lambda item: _place(seed, turn, item))
        drawn += order[max(0, first - turn * len(items)) : last - turn * len(items)]
    gone = tuple(item for item in drawn if item in archive.log.erased)
    kept = tuple(item for item in drawn if item not in archive.log.erased)
    found = tuple(_text(archive, item) for item in kept)
    return Sample(kept, found, batch, seed, at, len(items), len(items) // count, gone, archive.origin, left_out)


def write_sample(path: Path, found: Sample) -> None:
    """Write a batch as Parquet or JSON lines with ``id`` and ``text``: what ``[source] kind = "file"`` reads.

    Raises:
        SpecError: another suffix. StoreError: it cannot be written.
    """
    if path.suffix not in KINDS:
        raise SpecError(f"'{path.name}' has no suffix that a batch is written as. {did_you_mean(path.suffix, KINDS)}")
    with written_aside(path) as aside:
        if path.suffix == ".jsonl":
            lines = [canonical({"id": item, "text": text}) for item, text in zip(found.items, found.texts, strict=True)]
            aside.write_bytes(b"".join(line + b"\n" for line in lines))
            return
        import pyarrow as pa
        import pyarrow.parquet as parquet

        table = pa.table({"id": list(found.items), "text": list(found.texts)})
        facts = canonical({key: value for key, value in found.document().items() if key not in ("items", "erased")})
        table = table.replace_schema_metadata({b"remission": facts})
        parquet.write_table(table, aside, write_page_checksum=True)


def _place(seed: int, turn: int, item: str) -> bytes:
    return hashlib.sha256(f"remission/archive-sample/1\n{seed}\n{turn}\n{item}".encode()).digest()


def _text(archive: Archive, item: str) -> str:
    try:
        return archive.content(item).decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"'{item}' is said to be a text and is no UTF-8. Amend its modality (`remission archive amend`)."
        ) from None
