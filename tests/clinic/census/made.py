"""Parts made of columns, without texts: what copies, clusters and shares are found from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remission.clinic.census.grouping import group
from remission.clinic.census.kept import Kept, Source, read_kept
from remission.clinic.census.parts import BAND_NAMES, PartWriter, part_path
from remission.clinic.census.receipts import Receipt
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.tally import KEPT, rows_of


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is flushed to disk: for simulations, which write many parts that nobody will miss."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


NAMES = [f"{number:02x}" * 20 for number in range(256)]


def write_part(folder: Path, name: str, contents: Any, strata: Any = "all", **more: Any) -> None:
    """A part of documents with such contents (n,), numbers that stand for hashes; ``bands`` (n, 14) with 0 for none."""
    contents = np.asarray(contents, np.uint64)
    n = contents.size
    halves = np.stack([contents * np.uint64(0x9E3779B97F4A7C15), contents], axis=1).astype(">u8")
    hashes = [row.tobytes() for row in halves]
    bands = np.asarray(more.pop("bands", np.zeros((n, len(BAND_NAMES)))), np.uint64)
    told: dict[str, Any] = {
        "file": "f", "place": list(range(n)), "rows": 1, "status": KEPT, "reason": "", "id": "", "cell": "", "flagged": False,
        "early": False, "declared": [False] * n, "score": [0.0] * n,
    } | {
        name: list(value) if isinstance(value, (list, tuple, np.ndarray)) else value for name, value in more.items()
    }  # fmt: skip
    told["stratum"] = strata if isinstance(strata, str) else list(strata)
    columns = {
        band: pa.array(bands[:, number], pa.uint64(), mask=bands[:, number] == 0)
        for number, band in enumerate(BAND_NAMES)
    }
    with PartWriter(part_path(folder, name)) as writer:
        writer.add(rows_of(n, content=pa.array(hashes, pa.binary(16)), **columns, **told))
        writer.flush()
        writer.finish(Receipt())


def kept_of_parts(
    folder: Path, parts: Sequence[dict[str, Any]], sampling: Sampling | None = None, copies: str = "near", **more: Any
) -> Kept:
    """The documents of parts with these columns, as a census keeps them."""
    names = NAMES[: len(parts)]
    counts: dict[str, int] = {}
    files: set[str] = set()
    for name, columns in zip(names, parts, strict=True):
        write_part(folder, name, **columns)
        strata = columns.get("strata", "all")
        n = len(columns["contents"])
        for stratum in [strata] * n if isinstance(strata, str) else strata:
            counts[str(stratum)] = counts.get(str(stratum), 0) + 1
        file = columns.get("file", "f")
        files |= {file} if isinstance(file, str) else set(file)
    sampling = sampling or Sampling()
    if copies != "none":
        group(folder, names, copies == "near", sampling.probability)
    most = more.pop("most", None)
    told = {"archive": np.empty(0, np.uint64), "files": len(files)} | more
    source = Source(folder, names, copies != "none", sampling, **told)
    return read_kept(source, counts) if most is None else read_kept(source, counts, most)
