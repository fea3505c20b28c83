"""The layouts of exports."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.clinic.archive._layout import CONFIGS, SHARD, TABLE, Item, is_item, unlisted
from remission.errors import DataError, VerificationError
from remission.gold.canonical import canonical
from remission.gold.signing import Checkpoint

Sidecar = Callable[[Path], None] | None
ROWS = 2000  # of a row group
COLUMNS = {
    "id": "the name of the item in the archive", "text": "the text, where the item is one", "content": "the bytes, where it is not",
    "sha256": "of the content", "licence": "SPDX expression", "language": "of the text", "modality": "text, image, audio...",
    "collected": "when, ISO 8601", "dated_by": "how that is known", "certified": "two reviewers called it human",
    "entry": "its number in the log of the archive", "record": "all that was known of it when it came in, as JSON",
}  # fmt: skip


@dataclass(frozen=True)
class About:
    """The archive that an export is of."""

    name: str
    origin: str
    head: Checkpoint
    collections: tuple[dict[str, Any], ...]

    @property
    def description(self) -> str:
        """A paragraph."""
        titles = "; ".join(dict.fromkeys(one["collection"]["title"] for one in self.collections))
        return (
            f"Items of the gold archive '{self.name}': {titles}. Every item has a proof that it is in the log that was signed at "
            f"{self.head.time} ({self.head.size} entries, archive {self.origin}); check them with `remission archive check`, or with "
            "verify.py, which needs nothing else."
        )

    @property
    def issuers(self) -> list[str]:
        """Of the collections."""
        return list(dict.fromkeys(one["collection"]["issuer"] for one in self.collections))


def parquet(folder: Path, items: Iterator[Item], about: About, sidecar: Sidecar) -> tuple[str, ...]:
    """data.parquet and croissant.json."""
    counts = _table(folder / TABLE, items)
    _croissant(folder, TABLE, about, counts)
    if sidecar is not None:
        sidecar(folder / TABLE)
    return tuple(sorted(counts))


def huggingface(folder: Path, items: Iterator[Item], about: About, sidecar: Sidecar) -> tuple[str, ...]:
    """data/train-00000-of-00001.parquet and a card, README.md."""
    (folder / "data").mkdir()
    name = SHARD
    languages: Counter[str] = Counter()

    def watched() -> Iterator[Item]:
        for item in items:
            languages[item.record.get("language", "")] += 1
            yield item

    counts = _table(folder / name, watched())
    _croissant(folder, name, about, counts)
    licence = next(iter(counts)).lower() if len(counts) == 1 else "other"
    known = sorted(one for one in languages if one)
    card = ["---", f"pretty_name: {json.dumps(about.name)}", f"license: {json.dumps(licence)}"]
    card += ["language:", *(f"- {json.dumps(one)}" for one in known)] if known else []
    card += [*CONFIGS, "---", ""]
    card += [f"# {about.name}", "", about.description, "", "| column | what it is |", "| --- | --- |"]
    card += [f"| {name} | {what} |" for name, what in COLUMNS.items()]
    card += [
        "",
        "| licence | items |",
        "| --- | --- |",
        *(f"| {one} | {count} |" for one, count in sorted(counts.items())),
        "",
    ]
    (folder / "README.md").write_text("\n".join(card), encoding="utf-8")
    if sidecar is not None:
        sidecar(folder / name)
    return tuple(sorted(counts))


def bagit(folder: Path, items: Iterator[Item], about: About, sidecar: Sidecar) -> tuple[str, ...]:
    """A bag (RFC 8493): items as files under data/items, named by their hash, with data/items.jsonl to say which is which."""
    place = folder / "data" / "items"
    place.mkdir(parents=True)
    counts: Counter[str] = Counter()
    total = number = 0
    sums: dict[str, str] = {}
    with open(folder / "data" / "items.jsonl", "wb") as listed:
        for item in items:
            name = f"items/{item.sha256}{'.txt' if item.text is not None else '.bin'}"
            (folder / "data" / name).write_bytes(item.content)  # the same content twice is one file
            facts = {key: value for key, value in _row(item).items() if key not in ("text", "content")}
            listed.write(canonical(facts | {"file": name}) + b"\n")
            counts[item.record["licence"]] += 1
            if f"data/{name}" not in sums and sidecar is not None:
                sidecar(folder / "data" / name)
            sums[f"data/{name}"] = item.sha256
    for moved in ("proofs.jsonl", "verify.py"):
        (folder / moved).rename(folder / "data" / moved)
    for path in sorted((folder / "data").rglob("*")):
        if path.is_file():
            sums[path.relative_to(folder).as_posix()] = _sha256(path)
            total, number = total + path.stat().st_size, number + 1
    _tags(folder, sums, about, f"{total}.{number}")
    return tuple(sorted(counts))


def _tags(folder: Path, sums: dict[str, str], about: About, oxum: str) -> None:
    (folder / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    info = {
        "Source-Organization": ", ".join(about.issuers), "External-Identifier": about.origin,
        "External-Description": about.description, "Bagging-Date": datetime.date.today().isoformat(), "Payload-Oxum": oxum,
    }  # fmt: skip
    lines = [f"{name}: {' '.join(value.split())}\n" for name, value in info.items()]
    (folder / "bag-info.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "manifest-sha256.txt").write_text("".join(f"{one}  {name}\n" for name, one in sorted(sums.items())))
    tags = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt")
    (folder / "tagmanifest-sha256.txt").write_text("".join(f"{_sha256(folder / one)}  {one}\n" for one in sorted(tags)))


def _table(path: Path, items: Iterator[Item]) -> Counter[str]:
    """Write items as Parquet with checksums of its pages; how many have each licence."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"content": pa.binary(), "certified": pa.bool_(), "entry": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for item in items:
            counts[item.record["licence"]] += 1
            rows.append(_row(item))
            if len(rows) >= ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows = []
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return counts


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


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _croissant(folder: Path, name: str, about: About, licences: Counter[str]) -> None:
    """Croissant 1.0 (MLCommons, 2024): what is in the file, for tools and search engines."""
    types = {"certified": "sc:Boolean", "entry": "sc:Integer"}
    fields = [
        {
            "@type": "cr:Field", "@id": f"items/{column}", "name": column, "description": what,
            "dataType": types.get(column, "sc:Text"),
            "source": {"fileObject": {"@id": "data"}, "extract": {"column": column}},
        }
        for column, what in COLUMNS.items()
        if column != "content"
    ]  # fmt: skip
    file = {
        "@type": "cr:FileObject", "@id": "data", "name": "data", "contentUrl": name, "encodingFormat": "application/x-parquet",
        "contentSize": f"{(folder / name).stat().st_size} B", "sha256": _sha256(folder / name),
    }  # fmt: skip
    found = {
        "@context": _CONTEXT, "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0", "name": about.name,
        "description": about.description, "identifier": about.origin, "version": f"{about.head.size}.0.0",
        "datePublished": about.head.time[:10], "url": f"urn:sha256:{about.origin}",
        "license": [f"https://spdx.org/licenses/{one}.html" if " " not in one and not one.startswith("LicenseRef") else one for one in sorted(licences)],
        "creator": [{"@type": "sc:Organization", "name": one} for one in about.issuers],
        "citeAs": f"{', '.join(about.issuers)}: {about.name}, archive {about.origin}, {about.head.size} entries, {about.head.time}.",
        "distribution": [file],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "items", "name": "items", "key": {"@id": "items/id"}, "field": fields}],
    }  # fmt: skip
    (folder / "croissant.json").write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")


_CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "samplingRate": "cr:samplingRate",
    "equivalentProperty": "cr:equivalentProperty", "repeated": "cr:repeated", "replace": "cr:replace", "sc": "https://schema.org/",
    "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
