"""What it costs to carry the columns of a corpus along: a curation with all of them against one with none.

Both sort the same corpus, of which a census was taken once, in this process: parts are read, decided on and written with the same settings. The corpus is
made here, of random words with the columns of a usual web corpus beside each document (address, crawl, path, language, score, count, a
structure), about 140 MB of text (14 MB with ``--quick``) in Parquet or in JSONL. Checks that both keep the same documents with the same weights.

    python -m benchmarks.curation_columns [--quick]
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks._peer import best_of, ceiling, quick
from remission.cli import _run as command_line
from remission.clinic.census.asking import Question, take_census
from remission.clinic.census.units import Config
from remission.clinic.curation.curating import Wish, curate

FILES, WORDS, GOAL = 4, 500, 1.3


def texts(count: int, synthetic: bool, seed: int) -> list[str]:
    """Documents of words drawn from one of two laws of frequencies."""
    dice = np.random.default_rng(seed)
    law = np.arange(1, 20_001) ** (-1.3 if synthetic else -1.0)
    drawn = dice.choice(law.size, (count, WORDS), p=law / law.sum())
    names = np.array([f"w{number:x}" for number in range(law.size)])
    return [" ".join(row) for row in names[drawn]]


def corpus(folder: Path, kind: str, count: int) -> None:
    """Write the corpus."""
    folder.mkdir()
    dice = np.random.default_rng(0)
    for number in range(FILES):
        each = count // FILES
        rows = [
            {
                "text": text, "id": f"{number}-{k}", "source": "ab"[k % 2], "dump": "CC-MAIN-2023-06", "language": "en", "language_score": float(score),
                "url": f"https://example{k % 997}.org/{int(key):x}/index.html", "file_path": f"s3://crawl/{k // 500}/warc.gz", "token_count": k,
                "meta": {"license": "cc0", "hits": [1, 2, k]},
            }
            for k, (text, score, key) in enumerate(zip(texts(each, False, 10 + number), dice.random(each), dice.integers(0, 1 << 60, each), strict=True))
        ]  # fmt: skip
        if kind == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{number}.parquet", row_group_size=5000)
        else:
            (folder / f"{number}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def detector(folder: Path) -> Path:
    """A calibrated detector of the two laws."""
    for part, seed in (("fit", 1), ("calibrate", 3)):
        for label, synthetic in (("human", False), ("ai", True)):
            rows = [{"text": text, "label": label} for text in texts(400, synthetic, seed + synthetic)]
            (folder / f"{part}-{label}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        given = [str(folder / f"fit-{label}.jsonl") for label in ("human", "ai")]
        assert command_line(["detect", "fit", *given, "-o", str(folder / "det"), "--kind", "ngrams", "--allow-artefacts"]) == 0  # fmt: skip
        known = ["--human", str(folder / "calibrate-human.jsonl"), "--synthetic", str(folder / "calibrate-ai.jsonl")]
        assert command_line(["detect", "calibrate", str(folder / "det"), *known, "-o", str(folder / "cal"), "--allow-artefacts"]) == 0  # fmt: skip
    return folder / "cal"


def inline(function: Any, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """An engine without processes: the time of one core is measured."""
    for task in tasks:
        yield task, function(task)


def kept(folder: Path) -> list[tuple[str, float]]:
    """Which documents are kept, and with which weights."""
    tables = [pq.read_table(path, columns=["id", "weight"]) for path in sorted((folder / "kept").glob("*.parquet"))]
    return [(row["id"], row["weight"]) for table in tables for row in table.to_pylist()]


def main() -> None:
    """Both kinds of files."""
    count = 6_000 if quick(__doc__) else 60_000
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        calibrated = detector(place)
        for kind in ("parquet", "jsonl"):
            corpus(place / kind, kind, count)
            take_census(
                [place / kind],
                Question(calibrated),
                place / f"{kind}-census",
                Config(by=("source",), copies="exact"),
                inline,
            )

            def made(columns: Any, kind: str = kind) -> list[tuple[str, float]]:
                shutil.rmtree(place / "out", ignore_errors=True)
                curate(place / f"{kind}-census", place / "out", Wish("exclude", generations=1, columns=columns), inline)
                return kept(place / "out")

            assert made("none")
            timed = best_of(lambda: made("all"), lambda: made("none"))
            assert timed.value == timed.peer_value
            ceiling(f"curate, all columns against none: {kind}", timed.ours, timed.peer, GOAL)


if __name__ == "__main__":
    main()
