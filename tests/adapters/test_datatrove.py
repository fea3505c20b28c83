"""The filter block in pipelines of datatrove."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission.adapters.datatrove import SyntheticFilter
from remission.calibration.calibrated import Calibrated
from remission.documents import Documents
from remission.errors import DataError, MissingExtra, SpecError, StoreError
from tests.adapters.detector import made, rows

ROOT = Path(__file__).resolve().parent.parent.parent
MISSING = importlib.util.find_spec("datatrove") is None
needs_datatrove = pytest.mark.skipif(MISSING, reason="datatrove is not installed")
NAMES = ("score", "p", "verdict", "reason", "stratum")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("datatrove") / "cal")


def documents(listed: list[dict[str, Any]] | None = None) -> list[Any]:
    from datatrove.data import Document

    listed = rows() if listed is None else listed
    return [Document(row["text"], row["id"], metadata={"domain": row["domain"], "url": "here"}) for row in listed]


class Kept:
    """A writer that keeps what it gets."""

    def __init__(self) -> None:
        self.documents: list[Any] = []

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, document: Any, rank: int = 0) -> None:
        self.documents.append(document)


@needs_datatrove
@pytest.mark.parametrize("size", [1, 7, 256])
def test_what_is_called_synthetic_goes_to_the_exclusion_writer(size: int, folder: Path) -> None:
    writer = Kept()
    block = SyntheticFilter(folder, exclusion_writer=writer, batch_size=size)
    given = documents()
    forwarded = list(block(iter(copy.deepcopy(given))))
    detector = Calibrated.load(folder)
    whole = {doc.id: doc for doc in [*forwarded, *writer.documents]}
    assert len(forwarded) + len(writer.documents) == len(whole) == 60
    assert [doc.id for doc in forwarded] == [doc.id for doc in given if doc.id in {one.id for one in forwarded}]
    for doc in given:
        said = {name: whole[doc.id].metadata[f"synthetic_{name}"] for name in NAMES}
        if not doc.text or not doc.text.strip():
            assert said["reason"] == ("no 'text'" if doc.text is None else "'text' is empty")
            assert math.isnan(said["score"])
            assert said["verdict"] == "undecided"
            continue
        one = detector.judge(Documents([doc.text], {"domain": np.array([doc.metadata["domain"]])}))
        verdict = "undecided" if not one.decided[0] else "synthetic" if one.flagged[0] else "not flagged"
        assert (said["score"], said["verdict"], said["reason"], said["stratum"]) == (
            one.score[0], verdict, one.reason[0], one.stratum[0],
        )  # fmt: skip
        assert said["p"] == one.p[0] or (math.isnan(said["p"]) and math.isnan(one.p[0]))
        assert [type(value) for value in said.values()] == [float, float, str, str, str]
    assert {doc.metadata["synthetic_verdict"] for doc in forwarded} == {"not flagged", "undecided"}
    assert {doc.metadata["filter_reason"] for doc in writer.documents} == {"synthetic"}
    assert whole["0"].metadata["url"] == "here"


@needs_datatrove
def test_every_document_is_counted_by_what_was_said_of_it(folder: Path) -> None:
    block = SyntheticFilter(folder, undecided="drop", exclusion_writer=(writer := Kept()))
    forwarded = list(block(iter(documents())))
    counts = {name: stat.total for name, stat in block.stats.stats.items()}
    said = [doc.metadata for doc in [*forwarded, *writer.documents]]
    for verdict in ("synthetic", "not flagged", "undecided"):
        assert counts[verdict] == sum(one["synthetic_verdict"] == verdict for one in said) > 0
    assert counts["total"] == 60 == counts["synthetic"] + counts["not flagged"] + counts["undecided"]
    assert (counts["dropped_synthetic"], counts["dropped_undecided"]) == (counts["synthetic"], counts["undecided"])
    assert counts["forwarded"] == counts["not flagged"]
    named = {name: value for name, value in counts.items() if name.startswith("undecided: ")}
    assert set(named) == {
        f"undecided: {reason}" for reason in ("no 'text'", "'text' is empty", "too short", "not calibrated")
    }
    assert sum(named.values()) == counts["undecided"]


@needs_datatrove
def test_annotate_drops_nothing(folder: Path) -> None:
    found = list(SyntheticFilter(folder, "annotate", prefix="ai_")(iter(documents())))
    assert [doc.id for doc in found] == [row["id"] for row in rows()]
    assert {doc.metadata["ai_verdict"] for doc in found} == {"synthetic", "not flagged", "undecided"}


@needs_datatrove
@pytest.mark.parametrize("workers", [1, 2])
def test_in_a_pipeline_of_several_tasks(workers: int, folder: Path, tmp_path: Path) -> None:
    """Pickled to workers, each with a shard; the counts of all tasks are added up."""
    from datatrove.executor import LocalPipelineExecutor

    block = SyntheticFilter(folder, batch_size=8)
    assert len(pickle.dumps(block)) < 10_000  # the detector does not travel
    steps = [Shard(), block, Write(str(tmp_path / "out"))]
    executor = LocalPipelineExecutor(steps, tasks=3, workers=workers, logging_dir=str(tmp_path / "logs"))
    stats = {name: stat.total for name, stat in executor.run().stats[0].stats.items()}
    kept = sorted(int(line) for file in (tmp_path / "out").iterdir() for line in file.read_text().split())
    alone = [int(doc.id) for doc in SyntheticFilter(folder)(iter(documents()))]
    assert kept == alone
    assert (stats["total"], stats["forwarded"]) == (60, len(alone))


class Shard:
    """Every third document of the corpus."""

    name = "shard"

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:
        yield from documents()[rank::world_size]


class Write:
    """The ids of what arrives, a file for each task."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:
        listed = [doc.id for doc in data]
        Path(self.folder).mkdir(exist_ok=True)
        (Path(self.folder) / f"{rank}").write_text("\n".join(listed))
        yield from ()


@needs_datatrove
def test_its_own_parquet_writer_takes_a_first_document_that_is_undecided(folder: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq
    from datatrove.pipeline.writers import ParquetWriter

    listed = rows(20)
    listed = [dict(listed[0], text="")] + [row for row in listed[1:] if row["text"]]
    writer = ParquetWriter(str(tmp_path), expand_metadata=True)
    list(writer(SyntheticFilter(folder, "annotate")(iter(documents(listed)))))
    table = pq.read_table(next(tmp_path.glob("*.parquet")))
    assert table["synthetic_reason"][0].as_py() == "'text' is empty"
    assert table["synthetic_p"].to_numpy()[1] > 0


@needs_datatrove
def test_the_pipeline_that_is_shown_runs(folder: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    page = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8").partition("## datatrove")[2]
    (tmp_path / "shown.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    (tmp_path / "calibrated").symlink_to(folder)
    (tmp_path / "data").mkdir()
    listed = [row for row in rows() if row["text"] and row["text"].strip()]
    for number in range(2):
        pq.write_table(pa.Table.from_pylist(listed[number::2]), tmp_path / "data" / f"{number}.parquet")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "shown.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {
        name: [row["id"] for file in (tmp_path / name).glob("*.parquet") for row in pq.read_table(file).to_pylist()]
        for name in ("kept", "dropped")
    }
    blocks = list(SyntheticFilter(folder)(iter(documents(listed))))
    assert sorted(found["kept"]) == sorted(doc.id for doc in blocks)
    assert sorted(found["kept"] + found["dropped"]) == sorted(row["id"] for row in listed)
    assert found["dropped"]


@needs_datatrove
def test_what_cannot_be_is_one_clear_message(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no folder of a detector"):
        SyntheticFilter(tmp_path / "none")
    with pytest.raises(SpecError, match="policy must be"):
        SyntheticFilter(folder, "drop")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="undecided must be"):
        SyntheticFilter(folder, undecided="lose")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="batch_size"):
        SyntheticFilter(folder, batch_size=0)
    with pytest.raises(SpecError, match="fpr"):
        SyntheticFilter(folder, fpr=3.0)
    (doc,) = documents(rows(1))
    doc.metadata["synthetic_verdict"] = "?"
    with pytest.raises(DataError, match="'synthetic_verdict' already"):
        SyntheticFilter(folder).filter(doc)
    assert json.loads(json.dumps(doc.metadata)) == doc.metadata  # nothing was half written


@pytest.mark.skipif(not MISSING, reason="datatrove is installed")
def test_without_datatrove_it_is_said_how_to_get_it(folder: Path) -> None:
    with pytest.raises(MissingExtra, match=r"remission\[datatrove\]"):
        SyntheticFilter(folder)
