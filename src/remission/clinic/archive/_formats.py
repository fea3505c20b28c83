"""The layouts of exports."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from remission.clinic.archive._described import _CONTEXT as _CONTEXT
from remission.clinic.archive._described import CARD, COLUMNS, CROISSANT, About, card, croissant, tags
from remission.clinic.archive._layout import SHARD, TABLE, Item, is_item, sha256_of, unlisted
from remission.errors import DataError, VerificationError
from remission.gold.canonical import canonical

Sidecar = Callable[[Path], None] | None
ROWS = 2000  # of a row group


def parquet(folder: Path, items: Iterator[Item], about: About, sidecar: Sidecar) -> tuple[str, ...]:
    """data.parquet and croissant.json."""
    licences, _ = _written(folder, TABLE, items, about, sidecar)
    return tuple(sorted(licences))


def huggingface(folder: Path, items: Iterator[Item], about: About, sidecar: Sidecar) -> tuple[str, ...]:
    """data/train-00000-of-00001.parquet, croissant.json and a card, README.md."""
    (folder / "data").mkdir()
    licences, languages = _written(folder, SHARD, items, about, sidecar)
    (folder / CARD).write_bytes(card(about, licences, languages).encode())
    return tuple(sorted(licences))


def bagit(folder: Path, items: Iterator[Item], about: About, sidecar: Sidecar) -> tuple[str, ...]:
    """A bag (RFC 8493): items as files under data/items, named by their hash, with data/items.jsonl to say which is which."""
    place = folder / "data" / "items"
    place.mkdir(parents=True)
    licences: Counter[str] = Counter()
    there: set[str] = set()
    with open(folder / "data" / "items.jsonl", "wb") as listed:
        for item in items:
            name = f"items/{item.sha256}{'.txt' if item.text is not None else '.bin'}"
            facts = {key: value for key, value in _row(item).items() if key not in ("text", "content")}
            listed.write(canonical(facts | {"file": name}) + b"\n")
            licences[item.record["licence"]] += 1
            if name not in there:  # the same content twice is one file
                (folder / "data" / name).write_bytes(item.content)
                there.add(name)
                if sidecar is not None:
                    sidecar(folder / "data" / name)
    for moved in ("proofs.jsonl", "verify.py"):
        (folder / moved).rename(folder / "data" / moved)
    for name, text in tags(folder, about, datetime.date.today().isoformat()).items():
        (folder / name).write_bytes(text.encode())
    return tuple(sorted(licences))


def _written(
    folder: Path, name: str, items: Iterator[Item], about: About, sidecar: Sidecar
) -> tuple[Counter[str], Counter[str]]:
    """Write a table and what describes it; how many items have each licence and language."""
    licences, languages = _table(folder / name, items)
    text = croissant(about, licences, name, (folder / name).stat().st_size, sha256_of(folder / name))
    (folder / CROISSANT).write_bytes(text.encode())
    if sidecar is not None:
        sidecar(folder / name)
    return licences, languages


def _table(path: Path, items: Iterator[Item]) -> tuple[Counter[str], Counter[str]]:
    """Write items as Parquet with checksums of its pages; how many have each licence, and each language."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"content": pa.binary(), "certified": pa.bool_(), "entry": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    licences: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for item in items:
            licences[item.record["licence"]] += 1
            languages[item.record.get("language", "")] += 1
            rows.append(_row(item))
            if len(rows) >= ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return licences, languages


PLAIN = ("licence", "language", "modality", "collected", "dated_by")


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record that have columns of their own."""
    return {name: record.get(name) for name in PLAIN}


def _row(item: Item) -> dict[str, Any]:
    text = item.text
    return plain(item.record) | {
        "id": item.id, "text": text, "content": None if text is not None else item.content, "sha256": item.sha256,
        "certified": item.certified, "entry": item.number, "record": item.line.decode(),
    }  # fmt: skip


def rows(data: Path) -> Iterator[dict[str, Any]]:
    """Rows of the data file of an export, with the ``content`` as bytes. Raises VerificationError, or what reading raises."""
    if data.suffix == ".jsonl":
        yield from _listed(data)
        return
    import pyarrow.parquet as pq

    with pq.ParquetFile(data, page_checksum_verification=True) as file:
        if sorted(file.schema_arrow.names) != sorted(COLUMNS):
            raise VerificationError(
                f"'{data}' has other columns than an export: {', '.join(file.schema_arrow.names)[:200]}."
            )
        for batch in file.iter_batches(256):
            for row in batch.to_pylist():
                if row["text"] is not None and row["content"] is not None:
                    raise VerificationError(f"The item '{row['id']}' has a text and another content beside it.")
                yield row | {"content": row["content"] if row["text"] is None else row["text"].encode("utf-8")}


def _listed(data: Path) -> Iterator[dict[str, Any]]:
    expected, names = {*COLUMNS, "file"} - {"text", "content"}, set()
    for line in data.read_bytes().splitlines():
        one = json.loads(line)
        name = str(one["file"])
        if not is_item(name):
            raise DataError(f"'{name}' is no item of the export.")
        if set(one) != expected:
            raise VerificationError(f"The item '{one['id']}' has other fields than an export: {', '.join(one)[:200]}.")
        names.add(name)
        yield one | {"content": (data.parent / name).read_bytes()}
    unlisted(data.parent, names)
