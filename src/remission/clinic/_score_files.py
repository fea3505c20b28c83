"""Judgements as files: JSONL, CSV, TSV or Parquet, one row for each document."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from remission.calibration.calibrated import Judgements
from remission.documents import Documents
from remission.errors import SpecError, StoreError

KINDS = (".jsonl", ".csv", ".tsv", ".parquet")
COLUMNS = ("id", "score", "p", "flagged", "status", "reason", "stratum")


def check_kind(path: Path) -> None:
    """Raise SpecError for a file of another kind."""
    if path.suffix.lower() not in KINDS:
        raise SpecError(f"Scores are written as {', '.join(KINDS)}. Got '{path}'.")


def rows(documents: Documents, judged: Judgements) -> Iterator[dict[str, Any]]:
    """One row for each document; None where there is no number or no decision."""
    decided = judged.decided.tolist()
    columns = zip(
        documents.column("id").tolist(), judged.score.tolist(), judged.p.tolist(), judged.flagged.tolist(), decided,
        judged.status.tolist(), judged.reason.tolist(), judged.stratum.tolist(), strict=True,
    )  # fmt: skip
    for name, score, p, flagged, sure, status, reason, stratum in columns:
        number = None if score != score else score
        level = None if p != p else p
        yield dict(zip(COLUMNS, (name, number, level, flagged if sure else None, status, reason, stratum), strict=True))


def write(path: Path, documents: Documents, judged: Judgements) -> None:
    """Write aside, then rename: a file is there whole or not at all. Raises StoreError, SpecError."""
    check_kind(path)
    aside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(aside, path.suffix.lower(), documents, judged)
        os.replace(aside, path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise StoreError(f"'{path}' cannot be written: {error.strerror or error}.") from None


def _write(aside: Path, kind: str, documents: Documents, judged: Judgements) -> None:
    if kind == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = [pa.string(), pa.float64(), pa.float64(), pa.bool_(), pa.string(), pa.string(), pa.string()]
        schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
        pq.write_table(pa.Table.from_pylist(list(rows(documents, judged)), schema=schema), aside)
        return
    with aside.open("w", encoding="utf-8", newline="") as file:
        if kind == ".jsonl":
            for row in rows(documents, judged):
                infinite = row["score"] is not None and abs(row["score"]) == float("inf")
                file.write(
                    json.dumps(row | ({"score": None} if infinite else {}), ensure_ascii=False, allow_nan=False) + "\n"
                )
            return
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t" if kind == ".tsv" else ",")
        writer.writeheader()
        for row in rows(documents, judged):
            writer.writerow({name: "" if value is None else value for name, value in row.items()})
