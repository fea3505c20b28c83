"""What an export says of itself beside its data: all of it follows from what was signed, so that it can be checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.clinic.archive._layout import BESIDE, CONFIGS, SHARD, SIDECAR, sha256_of
from remission.errors import VerificationError
from remission.gold.signing import Checkpoint

COLUMNS = {
    "id": "the name of the item in the archive", "text": "the text, where the item is one", "content": "the bytes, where it is not",
    "sha256": "of the content", "licence": "SPDX expression", "language": "of the text", "modality": "text, image, audio...",
    "collected": "when, ISO 8601", "dated_by": "how that is known", "certified": "two reviewers called it human",
    "entry": "its number in the log of the archive", "record": "all that was known of it when it came in, as JSON",
}  # fmt: skip


VERSION, CARD, CROISSANT = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", "README.md", BESIDE[2]


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


def card(about: About, licences: Counter[str], languages: Counter[str]) -> str:
    """README.md of a Hugging Face data set."""
    licence = next(iter(licences)).lower() if len(licences) == 1 else "other"
    known = sorted(one for one in languages if one)
    lines = ["---", f"pretty_name: {json.dumps(about.name)}", f"license: {json.dumps(licence)}"]
    lines += ["language:", *(f"- {json.dumps(one)}" for one in known)] if known else []
    lines += [*CONFIGS, "---", ""]
    lines += [f"# {about.name}", "", about.description, "", "| column | what it is |", "| --- | --- |"]
    lines += [f"| {name} | {what} |" for name, what in COLUMNS.items()]
    lines += ["", "| licence | items |", "| --- | --- |"]
    lines += [*(f"| {one} | {count} |" for one, count in sorted(licences.items())), ""]
    return "\n".join(lines)


def croissant(about: About, licences: Counter[str], name: str, size: int, sha256: str) -> str:
    """Croissant 1.0 (MLCommons, 2024): what is in the data file, for tools and search engines."""
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
        "contentSize": f"{size} B", "sha256": sha256,
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
    return json.dumps(found, indent=1, ensure_ascii=False)


def tags(folder: Path, about: About, day: str) -> dict[str, str]:
    """The tag files of a bag (RFC 8493) over the files that lie in its folder ``data`` now."""
    sums: dict[str, str] = {}
    total = 0
    for path in (folder / "data").rglob("*"):
        if path.is_file():
            sums[path.relative_to(folder).as_posix()] = sha256_of(path)
            total += path.stat().st_size
    info = {
        "Source-Organization": ", ".join(about.issuers), "External-Identifier": about.origin,
        "External-Description": about.description, "Bagging-Date": day, "Payload-Oxum": f"{total}.{len(sums)}",
    }  # fmt: skip
    found = {
        "bag-info.txt": "".join(f"{name}: {' '.join(value.split())}\n" for name, value in info.items()),
        "bagit.txt": VERSION,
        "manifest-sha256.txt": "".join(f"{one}  {name}\n" for name, one in sorted(sums.items())),
    }
    over = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in found.items())
    return found | {"tagmanifest-sha256.txt": over}


def check_described(folder: Path, data: Path, about: About, licences: Counter[str], languages: Counter[str]) -> None:
    """Compare what an export says of itself with what follows from its rows and proofs.

    Raises:
        VerificationError: a file says something else. MissingExtra: there are content credentials, and nothing to check them with.
    """
    if data.suffix == ".jsonl":
        expected = tags(folder, about, _day(folder / "bag-info.txt"))
    else:
        name = data.relative_to(folder).as_posix()
        expected = {CROISSANT: croissant(about, licences, name, data.stat().st_size, sha256_of(data))}
        if name == SHARD:
            expected[CARD] = card(about, licences, languages)
    for name, text in expected.items():
        if (folder / name).read_bytes() != text.encode():
            raise VerificationError(
                f"'{name}' of '{folder}' says something else than what was signed, or than the files that are there. Keep notes of "
                "your own elsewhere, or export again."
            )
    for sidecar in sorted(folder.rglob(f"*{SIDECAR}")):
        _credentials(sidecar)


def _day(path: Path) -> str:
    """When a bag was made: the one thing that nothing else tells."""
    found = re.search(r"^Bagging-Date: (\d{4}-\d\d-\d\d)$", path.read_text(encoding="utf-8"), re.MULTILINE | re.ASCII)
    return found[1] if found else ""


def _credentials(sidecar: Path) -> None:
    from remission.clinic import credentials

    found = credentials.check(sidecar.with_name(sidecar.name.removesuffix(SIDECAR)), sidecar)
    if found.verdict in ("tampered", "none"):
        raise VerificationError(
            f"The content credentials '{sidecar.name}' are not of the file beside them: {found.reasons[0]}."
        )


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
