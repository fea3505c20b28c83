"""How long the parts of a census and the pass over its copies took: what the cost of a full scan is estimated from."""

from __future__ import annotations

import contextlib
import functools
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.census.grouping import Groups, group
from remission.clinic.census.parts import BAND_NAMES, PartWriter, part_path, write_whole
from remission.clinic.census.receipts import Receipt
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.tally import KEPT, rows_of
from remission.errors import StoreError

NAME = "timings.json"
MADE_UP, MADE_PARTS = 1 << 16, 2

PartTimes = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Pass:
    """The pass over copies, in one process.

    Attributes:
        documents, parts: it went over, all with documents.
        seconds: it took.
        pace: seconds for each of many documents, measured on made-up ones: in a sample there are few in a part, so that its own
            time is rather that of opening parts.
        near: whether near-duplicates were looked for.
    """

    documents: int
    parts: int
    seconds: float
    pace: float
    near: bool

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Timings:
    """What is known of a folder.

    Attributes:
        parts: by name: bytes, seconds for them (to read and draw), seconds for documents (to score, hash, write).
        copies: of samples; None: not known.
        started: seconds that a worker took to begin (to load models and compiled code), of samples.
    """

    parts: PartTimes = field(default_factory=dict)
    copies: Pass | None = None
    started: float = 0.0


def timings_in(folder: Path) -> Timings:
    """Those of all runs so far; nothing where that is not known."""
    try:
        told = json.loads((folder / NAME).read_text(encoding="utf-8"))
        parts = {str(name): (float(a), float(b), float(c)) for name, (a, b, c) in told["parts"].items()}
        return Timings(parts, None if told["copies"] is None else Pass(**told["copies"]), float(told["started"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Timings()


def keep_timings(folder: Path, parts: PartTimes, copies: Pass | None = None, started: float = 0.0) -> Timings:
    """Add timings to those of runs before; all of them."""
    before = timings_in(folder)
    every = Timings({**before.parts, **parts}, copies or before.copies, started or before.started)
    if every != before:
        pass_ = None if every.copies is None else every.copies.table()
        told = {"parts": every.parts, "copies": pass_, "started": every.started}
        with contextlib.suppress(OSError, StoreError):  # a full disk has said so elsewhere
            write_whole(folder / NAME, json.dumps(told, sort_keys=True))
    return every


def grouped(folder: Path, names: Sequence[str], near: bool, sampling: Sampling) -> tuple[Groups, Pass | None]:
    """Find copies, see :func:`~.grouping.group`, and of a sample how long that took."""
    for_one = 0.0 if sampling.everything else pace(near)
    began = time.perf_counter()
    found = group(folder, names, near, sampling.probability)
    told = Pass(found.documents, len(names), time.perf_counter() - began, for_one, near)
    return found, None if sampling.everything else told


@functools.cache
def pace(near: bool) -> float:
    """Seconds that the pass over copies takes here for a document: of made-up ones, in pairs that share half of their keys."""
    import pyarrow as pa

    rng, each = np.random.default_rng(0), MADE_UP // MADE_PARTS
    names = [f"{number:02x}" * 20 for number in range(MADE_PARTS)]
    with tempfile.TemporaryDirectory(prefix="remission-") as place:
        for name in names:
            hashes = pa.array([rng.bytes(16) for _ in range(each)], pa.binary(16))
            keys = rng.integers(1, 2**64, (len(BAND_NAMES), each), dtype=np.uint64)
            keys[::2, 1::2] = keys[::2, ::2]
            rows = rows_of(
                each, file="", rows=1, status=KEPT, reason="", id="", stratum="all", cell="", content=hashes,
                **{band: pa.array(of) for band, of in zip(BAND_NAMES, keys, strict=True)},
            )  # fmt: skip
            with PartWriter(part_path(Path(place), name)) as writer:
                writer.add(rows)
                writer.flush()
                writer.finish(Receipt())
        group(Path(place), names, near)  # what is done once in a process, such as to load compiled code, does not count
        began = time.perf_counter()
        group(Path(place), names, near)
        return (time.perf_counter() - began) / MADE_UP
