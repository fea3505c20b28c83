"""From real texts to a training set: the whole way, on documents whose origin is known and not looked at."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from remission.cli import _run as command_line
from remission.clinic.curation.curating import Wish, curate
from tests.clinic.curation.corpus import census, inline


def parts(source: Path) -> dict[str, list[dict[str, Any]]]:
    """Reviews and news, by people and by four models without attacks, split by pair of original and answer."""
    with gzip.open(source / "data.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    chosen = [
        row for row in rows
        if row["domain"] in ("yelp", "xsum") and (row["label"] == "human" or row["attack"] in ("direct_prompt", "prompt_few_shot"))
    ]  # fmt: skip
    pairs = sorted({row["pair"] for row in chosen})
    random.Random(1).shuffle(pairs)
    at = {pair: number / len(pairs) for number, pair in enumerate(pairs)}
    found: dict[str, list[dict[str, Any]]] = {"train": [], "calibrate": [], "corpus": []}
    for row in chosen:
        found["train" if at[row["pair"]] < 0.25 else "calibrate" if at[row["pair"]] < 0.6 else "corpus"].append(row)
    rng = random.Random(2)
    kept = [row for row in found["corpus"] if row["label"] == "human" or rng.random() > 0.4]
    found["corpus"] = [
        {"id": f"{row['label']}-{row['id']}", "text": row["text"], "domain": row["domain"], "source": row["domain"],
         "date": f"20{23 if row['label'] == 'ai' else rng.choice([19, 23])}-05-01"}
        for row in kept
    ]  # fmt: skip
    return found


def test_a_real_corpus_is_counted_and_curated_rightly(shared: Path, tmp_path: Path) -> None:
    found = parts(shared / "data" / "text-detection" / "detectrl")
    for name in ("train", "calibrate"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, found[name])))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "corpus.jsonl").write_text("\n".join(map(json.dumps, found["corpus"])))
    det, cal, known = str(tmp_path / "det"), tmp_path / "cal", str(tmp_path / "calibrate.jsonl")
    more = ["--unit", "pair", "--allow-artefacts"]
    assert command_line(["detect", "fit", str(tmp_path / "train.jsonl"), "-o", det, "--kind", "text", *more]) == 0
    asked = ["detect", "calibrate", det, "--human", known, "--synthetic", known, "-o", str(cal), *more]
    assert command_line(asked) == 0
    truth = np.array([row["id"].startswith("ai") for row in found["corpus"]])
    whole = census(cal, tmp_path / "in", tmp_path / "census", size=1 << 20).answer.whole
    assert whole.share.low < truth.mean() < whole.share.high < 0.3
    training = curate(tmp_path / "census", tmp_path / "out", Wish("exclude", generations=1, level=0.99), inline)
    kept = [
        row["id"].startswith("ai")
        for path in sorted((tmp_path / "out" / "kept").glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
        if row["score"] is not None
    ]
    assert training.after.low < np.mean(kept) < training.after.high < 0.05
    dropped = [row.split("-")[0] for path in (tmp_path / "out" / "dropped").glob("*.parquet") for row in pq.read_table(path).column("id").to_pylist()]  # fmt: skip
    assert len(dropped) > 250
    assert np.mean([kind == "human" for kind in dropped]) < 0.1  # promised: 5 % on average
