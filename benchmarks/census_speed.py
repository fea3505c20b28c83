"""A census against a datatrove pipeline: the same scorer, the same Parquet files, zstd, two worker processes, wall-clock time.

Documents are those of the shared detection sets, repeated with a number in front so that none are alike. The scorer is a linear
one over hashed 5-grams of bytes, in numpy. datatrove runs it in a block that gets a document at a time, and in one that
gathers batches of 1,024 (as its own batched blocks do); its reader is told not to read metadata, its writer writes id and score
and no page index. Both write Parquet with zstd; ours also hashes inputs, checks every row and writes receipts. Scores of
all three are compared, bit for bit. datatrove looks for no copies, so what is compared with it is ours without (``copies="none"``);
what looking for exact copies and for near-duplicates costs is shown beside. Documents that differ by a number alone are near-duplicates,
so these are many, in groups of a hundred or so. Peak memory is the sum of the workers' proportional set size (parent apart), sampled.

    python -m benchmarks.census_speed [--quick]

Needs datatrove and loguru; without them only ours is timed.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._peer import line
from remission.clinic.census.fingerprints import Copies
from remission.clinic.census.manifest import part_files
from remission.clinic.census.running import local_engine, run_census
from remission.clinic.census.scoring import FunctionScorer
from remission.clinic.census.units import Config

SHARED = Path(os.environ.get("REMISSION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
BITS, BATCH, WORKERS = 16, 1024, 2


@functools.lru_cache(maxsize=1)
def weights() -> Any:
    return np.random.default_rng(0).standard_normal(1 << BITS).astype(np.float32)


def scores_of(items: Any) -> Any:
    """Mean weight of the hashed 5-grams of bytes of each text (n,); a text's score does not depend on its neighbours."""
    texts = items.cast(pa.large_binary())
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    ends = offsets - offsets[0]
    wide = data.astype(np.uint32)
    count = max(0, data.size - 4)
    grams = np.zeros(count, np.uint32)
    for place in range(5):
        grams = grams * np.uint32(16777619) ^ wide[place : place + count]
    values = np.zeros(data.size, np.float32)
    values[:count] = weights()[(grams ^ grams >> np.uint32(16)) & np.uint32((1 << BITS) - 1)]
    for end in ends[1:]:
        values[max(0, end - 4) : end] = 0.0  # grams that reach into the next text
    return np.add.reduceat(values, ends[:-1], dtype=np.float64) / np.maximum(np.diff(ends) - 4, 1)


SCORER = FunctionScorer(scores_of, "hashed 5-grams")


def make(folder: Path, documents: int, files: int) -> int:
    """Write the corpus; bytes of text."""
    from remission.corpus.reading import read_documents

    texts = list(read_documents([SHARED / "data" / "text-detection" / "fastdetect-api"])[0].items)
    each, total = documents // files, 0
    for number in range(files):
        here = [f"{number * each + n} {texts[(number * each + n) % len(texts)]}" for n in range(each)]
        total += sum(map(len, here))
        ids = [f"d{number * each + n}" for n in range(each)]
        pq.write_table(
            pa.table({"id": ids, "text": here}),
            folder / f"{number:03d}.parquet",
            compression="zstd",
            row_group_size=2000,
        )
    return total


class Watch:
    """Peak of the children's proportional set size, in MiB, while the block lasts."""

    def __enter__(self) -> Watch:
        self.peak, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            self.peak = max(self.peak, sum(map(_held, _below(os.getpid()))) / 2**20)


def _below(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from _below(child)


def _held(pid: int) -> int:
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return 1024 * next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def ours(source: Path, target: Path, copies: Copies = "none") -> dict[str, float]:
    census = run_census([source], SCORER, target, Config(copies=copies), local_engine(WORKERS))
    found: dict[str, float] = {}
    for path in part_files(census.folder, census.manifest):
        rows = pq.read_table(path, columns=["id", "score"])
        found |= dict(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True))
    return found


def as_row(_writer: Any, document: Any) -> dict[str, Any]:
    return {"id": document.id, "score": document.metadata["score"]}


def one_by_one(data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
    for document in data:
        document.metadata["score"] = float(scores_of(pa.array([document.text]).cast(pa.large_string()))[0])
        yield document


def in_batches(data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
    held: list[Any] = []

    def scored() -> Iterator[Any]:
        values = scores_of(pa.array([document.text for document in held], pa.large_string())).tolist()
        for document, value in zip(held, values, strict=True):
            document.metadata["score"] = value
            yield document

    for document in data:
        held.append(document)
        if len(held) == BATCH:
            yield from scored()
            held = []
    if held:
        yield from scored()


def theirs(source: Path, target: Path, block: Callable[..., Any], files: int) -> dict[str, float]:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from loguru import logger

    logger.remove()
    reader = ParquetReader(str(source), read_metadata=False, batch_size=BATCH)
    writer = ParquetWriter(
        str(target / "out"),
        compression="zstd",
        adapter=as_row,
        write_page_index=False,
        use_content_defined_chunking=False,
    )
    LocalPipelineExecutor([reader, block, writer], tasks=files, workers=WORKERS, logging_dir=str(target / "log")).run()
    rows = pq.read_table(target / "out")
    return dict(zip(rows.column("id").to_pylist(), rows.column("score").to_pylist(), strict=True))


def timed(calls: dict[str, Callable[[Path], dict[str, float]]], rounds: int) -> dict[str, Any]:
    """Best wall-clock seconds, peak MiB and result of each; rounds take turns, for the machine may be shared."""
    found: dict[str, Any] = {name: (float("inf"), 0.0, {}) for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            with tempfile.TemporaryDirectory() as folder, Watch() as watch:
                began = time.perf_counter()
                result = call(Path(folder) / "out")
                seconds = time.perf_counter() - began
            found[name] = min(found[name][0], seconds), max(found[name][1], watch.peak), result
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the documents, one round")
    quick = parser.parse_args().quick
    documents, files, rounds = (40_000, 8, 1) if quick else (200_000, 32, 2)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        size = make(source, documents, files)
        print(f"{documents:,} documents, {size / 1e6:.0f} MB of text, {files} files, {WORKERS} workers")
        calls: dict[str, Any] = {"ours": lambda target: ours(source, target)}
        for copies in ("exact", "near"):
            calls[copies] = functools.partial(ours, source, copies=copies)
        if importlib.util.find_spec("datatrove") is not None:
            calls["batched"] = functools.partial(theirs, source, block=in_batches, files=files)
            calls["per document"] = functools.partial(theirs, source, block=one_by_one, files=files)
        found = timed(calls, rounds)
        seconds, peak, mine = found.pop("ours")
        near = found["near"][1]
        print(f"ours: {seconds:.2f} s, {documents / seconds:,.0f} documents/s, workers' peak {peak:.0f} MiB")
        for name, (other, held, scores) in found.items():
            assert scores == mine, "the scores differ"
            if name in ("exact", "near"):
                more = other / seconds - 1
                print(
                    f"copies={name}: {100 * more:+.0f} % time, {1e6 * (other - seconds) / documents:.0f} µs a document, workers' peak {held:.0f} MiB"
                )
                continue
            goal = 2.0 if name == "batched" else 2.5
            line(f"census, datatrove {name}", seconds, other, goal, f"workers' peak {peak:.0f} and {held:.0f} MiB")
        if not quick:
            for number in range(files):
                for copy in range(3):
                    shutil.copy(source / f"{number:03d}.parquet", source / f"{number:03d}-{copy}.parquet")
            for name, before in (("ours", peak), ("near", near)):
                again, four, _ = timed({name: calls[name]}, 1)[name]
                growth = 100 * (four / before - 1)
                print(f"four times the data, {name}: {again:.1f} s, workers' peak {four:.0f} MiB, {growth:+.0f} %")


if __name__ == "__main__":
    main()
