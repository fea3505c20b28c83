"""The manifest of a finished census: what went in, what came out, and a check that it is still so."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.clinic.census.grouping import Groups, are_whole
from remission.clinic.census.parts import content_hash, part_path, read_rows, receipt_of, write_whole
from remission.clinic.census.receipts import Receipt, Sum
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.scoring import hash_of
from remission.clinic.census.signing import fault_of
from remission.clinic.census.units import Config
from remission.corpus.spans import sha256_of
from remission.errors import StoreError

NAME, SIGNATURE, ANSWER = "manifest.json", "manifest.sig", "answer.json"


@dataclass(frozen=True)
class Manifest:
    """What a census is made of. Equal for equal censuses: it holds no time and no machine.

    Attributes:
        version: of the package.
        config: how documents were read.
        scorer: hash of what scored them.
        inputs: SHA-256 and bytes of every file.
        refused: files that were not read, with the reason.
        ignored: files of folders that are no documents.
        parts: SHA-256 of every part file by name of its unit.
        receipt: what became of all rows.
        order: names of the parts with documents, in the order of the corpus.
        groups: copies and near-duplicates; None where they were not looked for.
        unread: files that were not drawn into a sample, with their bytes.
        marks: whether watermarks were looked for.
    """

    version: str
    config: dict[str, Any]
    scorer: str
    inputs: dict[str, tuple[str, int]]
    refused: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    parts: dict[str, str]
    receipt: Receipt
    order: tuple[str, ...] = ()
    groups: Groups | None = None
    unread: tuple[tuple[str, int], ...] = ()
    marks: bool = False

    @property
    def sampling(self) -> Sampling:
        """How documents were drawn, with the probability that each of these files had."""
        return Config.of(self.config).sampling.of(len(self.inputs) + len(self.unread))

    def table(self) -> dict[str, Any]:
        """As plain values, without the seal."""
        return {
            "version": self.version,
            "config": self.config,
            "scorer": self.scorer,
            "inputs": {path: {"sha256": sha, "bytes": size} for path, (sha, size) in sorted(self.inputs.items())},
            "refused": [{"file": path, "reason": reason} for path, reason in self.refused],
            "ignored": list(self.ignored),
            "parts": self.parts,
            "receipt": self.receipt.table(),
            "order": list(self.order),
            "groups": None if self.groups is None else self.groups.table(),
            "unread": [{"file": path, "bytes": size} for path, size in self.unread],
            "marks": self.marks,
        }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it with a seal: the SHA-256 of its content. Raises StoreError."""
    content = manifest.table()
    sealed = {"schema": "remission/census-manifest/1", **content, "seal": hash_of(content)}
    write_whole(folder / NAME, json.dumps(sealed, indent=1, sort_keys=True))


def read_manifest(folder: str | Path) -> Manifest:
    """The manifest of a finished census. Raises StoreError when there is none, or it was changed."""
    path = Path(folder) / NAME
    if not path.is_file():
        raise StoreError(f"'{folder}' holds no finished census: there is no {NAME}. Run the census again to finish it.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        seal = content.pop("seal")
        content.pop("schema")
        if hash_of(content) != seal:
            raise StoreError(f"'{path}' was changed: its seal does not fit. Run the census again to write it anew.")
        return Manifest(
            content["version"], content["config"], content["scorer"],
            {name: (row["sha256"], row["bytes"]) for name, row in content["inputs"].items()},
            tuple((row["file"], row["reason"]) for row in content["refused"]), tuple(content["ignored"]),
            content["parts"], Receipt.of(content["receipt"]), tuple(content["order"]),
            None if content["groups"] is None else Groups.of(content["groups"]),
            tuple((row["file"], row["bytes"]) for row in content["unread"]), content["marks"],
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"'{path}' is damaged ({type(error).__name__}). Run the census again to write it anew."
        ) from None


def part_files(folder: str | Path, manifest: Manifest) -> list[Path]:
    """The parts of a census in the order of their names."""
    return [part_path(Path(folder), name) for name in sorted(manifest.parts)]


def verify(
    folder: str | Path, inputs: bool = False, key: str | None = None, notes: list[str] | None = None
) -> list[dict[str, str]]:
    """Check a finished census down to its rows; the faults that were found, ``kind`` and ``what``, or none.

    Every part must have the hash that the manifest says, its rows the hash and the counts of its receipt, and all receipts
    together must be the manifest's. The answer beside it, where there is one, must be what comes of the parts anew.

    Args:
        folder: of the census.
        inputs: also read the input files again and compare their hashes.
        key: public key that the manifest must be signed with, 64 hexadecimal digits. Without one a signature, where
            there is one, must fit the key that it names itself.
        notes: gets what could not be looked at.

    Raises:
        StoreError: there is no manifest, or its seal does not fit.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    faults: list[dict[str, str]] = []
    signature = fault_of(folder / NAME, folder / SIGNATURE, key)
    if signature:
        faults.append({"kind": signature, "what": str(folder / SIGNATURE)})
    found, whole = Sum(), True
    found.add(Receipt(len(manifest.refused), 0, Counter(), Counter(reason for _, reason in manifest.refused)))
    for name, sha256 in sorted(manifest.parts.items()):
        path = part_path(folder, name)
        fault = _fault_of(path, sha256)
        if fault:
            faults.append({"kind": fault, "what": str(path)})
            whole = False
        elif whole:
            found.add(receipt_of(path))
    if whole:
        added, said = found.receipt().table(), manifest.receipt.table()
        if any(
            added[key] != said[key]
            for key in ("in", "kept", "dropped", "quarantined", "strata", "bytes", "early", "undated", "odd_dates")
        ):
            faults.append({"kind": "receipts do not add up", "what": str(folder)})
        faults += _fault_of_groups(folder, manifest)
        from remission.clinic.census.asking import fault_of_answer  # which imports this

        answer = fault_of_answer(folder, manifest, [] if notes is None else notes)
        faults += [{"kind": answer, "what": str(folder / ANSWER)}] if answer else []
    for path_, (sha256, _) in sorted(manifest.inputs.items() if inputs else ()):
        if not Path(path_).is_file():
            faults.append({"kind": "input missing", "what": path_})
        elif sha256_of(path_) != sha256:
            faults.append({"kind": "input changed", "what": path_})
    return faults


def _fault_of_groups(folder: Path, manifest: Manifest) -> list[dict[str, str]]:
    if manifest.groups is None or are_whole(folder, manifest.order, manifest.groups):
        return []
    return [{"kind": "groups missing or changed", "what": str(folder / "groups")}]


def _fault_of(path: Path, sha256: str) -> str:
    if not path.is_file():
        return "part missing"
    if sha256_of(path) != sha256:
        return "part changed"
    try:
        rows, receipt = read_rows(path), receipt_of(path)
    except StoreError:
        return "part damaged"
    counts: Counter[str] = Counter()
    for status, n in zip(rows.column("status").to_pylist(), rows.column("rows").to_pylist(), strict=True):
        counts[status] += n
    told = {
        "kept": receipt.kept,
        "dropped": sum(receipt.dropped.values()),
        "quarantined": sum(receipt.quarantined.values()),
    }
    if {name: counts[name] for name in told} != told or sum(told.values()) != receipt.seen:
        return "receipt does not fit the rows"
    digest = hashlib.sha256()
    for group in _groups(path):
        content_hash(group, digest)
    return "" if digest.hexdigest() == receipt.sha256 else "rows changed"


def _groups(path: Path) -> Any:
    """The row groups of a part, as they were hashed."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number)
