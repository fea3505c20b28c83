"""A corpus whose truth is known, a detector for it, and its census."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from remission.calibration.calibrated import Calibrated
from remission.clinic import detecting
from remission.clinic.census.asking import Finding, Question, take_census
from remission.clinic.census.units import Config
from remission.corpus.reading import Fields
from tests.calibration.own import texts
from tests.test_cli_detect import OWN, rows


def detector(folder: Path, humans: int = 1000) -> Path:
    """A calibrated detector in ``folder/cal``."""
    from remission.cli import _run as command_line

    folder.mkdir(parents=True, exist_ok=True)
    known = rows(300, 1, "human", "train") + rows(300, 2, "ai", "train", 0.1)
    known += rows(humans, 3, "human", "calibrate") + rows(300, 4, "ai", "calibrate", 0.1)
    (folder / "known.jsonl").write_text("\n".join(map(json.dumps, known)))
    data = str(folder / "known.jsonl")
    fit = ["detect", "fit", data, "-o", str(folder / "det"), "--kind", OWN, "--where", "split=train"]
    assert command_line(fit) == 0
    chosen = ["--human", data, "--synthetic", data, "--where", "split=calibrate"]
    assert command_line(["detect", "calibrate", str(folder / "det"), *chosen, "-o", str(folder / "cal")]) == 0
    return folder / "cal"


def documents(human: int = 900, synthetic: int = 300, seed: int = 5) -> list[dict[str, Any]]:
    """Rows: ids begin with what they are; a tenth of the synthetic ones say so; copies, near-duplicates and short ones."""
    found = []
    for kind, marked, n in (("human", 0.0, human), ("ai", 0.1, synthetic)):
        for k, text in enumerate(texts(n, seed + (marked > 0), marked)):
            found.append(
                {"id": f"{kind}-{k}", "text": text, "domain": ("news", "web")[k % 2], "source": "abb"[k % 3] if marked else "ab"[k % 2],
                 "generator": "gpt-x" if marked and k % 10 == 0 else "", "date": f"20{23 if marked else 19 + 4 * (k % 2)}-0{1 + k % 9}-01"}
            )  # fmt: skip
    found += [{**one, "id": f"{one['id']}-copy"} for one in found[::30]]
    found += [{**one, "id": f"{one['id']}-near", "text": one["text"] + " Indeed."} for one in found[::50]]
    found += [{**found[0], "id": f"human-short-{k}", "text": f"Too short {k}."} for k in range(5)]
    return found


def written(folder: Path, rows_: Sequence[dict[str, Any]]) -> Path:
    """Parquet and JSONL with broken rows between."""
    folder.mkdir(parents=True, exist_ok=True)
    half = len(rows_) // 2
    pq.write_table(pa.Table.from_pylist(list(rows_[:half])), folder / "a.parquet", row_group_size=100)
    lines = [json.dumps(row) for row in rows_[half:]]
    lines[10:10] = ["{broken", '{"text": ""}']
    (folder / "b.jsonl").write_text("\n".join(lines))
    return folder


def inline(function: Any, tasks: Any) -> Any:
    """An engine without processes."""
    for task in tasks:
        yield task, function(task)


def census(detector_: Path, source: Path, folder: Path, by: tuple[str, ...] = ("source",), **more: Any) -> Finding:
    """The census of a corpus, in small units."""
    judge = detecting.load_calibrated(detector_)
    columns = tuple(name for name in judge.strata.by if name not in ("length", "domain"))
    fields = more.pop("fields", Fields(columns=columns))
    asked = {name: more.pop(name) for name in ("archive", "certified", "profiles", "keys") if name in more}
    config = Config(fields, by, size=more.pop("size", 60_000), declared=more.pop("declared", "generator"), **more)
    return take_census([source], Question(detector_, **asked), folder, config, inline)


def calibrated(folder: Path) -> Calibrated:
    """The detector."""
    return detecting.load_calibrated(folder)
