"""Results as files: JSONL, CSV, TSV or Parquet, one row for each document."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from remission.aside import written
from remission.errors import SpecError, StoreError

KINDS = (".jsonl", ".csv", ".tsv", ".parquet")
Columns = Mapping[str, type]  # str, float, int or bool


def check_kind(path: Path) -> None:
    """Raise SpecError for a file of another kind."""
    if path.suffix.lower() not in KINDS:
        raise SpecError(f"Rows are written as {', '.join(KINDS)}. Got '{path}'.")


def write(path: Path, columns: Columns, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write aside, then rename: a file is there whole or not at all. None stands for what is not known.

    Raises StoreError, SpecError.
    """
    check_kind(path)
    try:
        with written(path) as beside:
            _write(beside, path.suffix.lower(), columns, rows)
    except OSError as error:
        raise StoreError(f"'{path}' cannot be written: {error.strerror or error}.") from None


def _write(aside: Path, kind: str, columns: Columns, rows: Iterable[Mapping[str, Any]]) -> None:
    if kind == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
        schema = pa.schema([(name, types[type_]) for name, type_ in columns.items()])
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), aside)
        return
    with aside.open("w", encoding="utf-8", newline="") as file:
        if kind == ".jsonl":
            for row in rows:
                file.write(
                    json.dumps({k: _finite(v) for k, v in row.items()}, ensure_ascii=False, allow_nan=False) + "\n"
                )
            return
        writer = csv.DictWriter(file, [*columns], delimiter="\t" if kind == ".tsv" else ",")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: "" if value is None else value for name, value in row.items()})


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
