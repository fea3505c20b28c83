"""``map`` and ``filter`` of Hugging Face data sets: processes, caches and streams included."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from remission.adapters.datasets import judge, keep
from remission.clinic.streams import NAMES, judge_batches
from remission.errors import DataError, SpecError, StoreError
from tests.adapters.detector import made, rows

hf = pytest.importorskip("datasets")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads, which is its doing

ADDED = [f"synthetic_{name}" for name in NAMES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("datasets") / "cal")


@pytest.fixture(autouse=True)
def quiet() -> Any:
    hf.disable_progress_bars()
    yield
    hf.enable_progress_bars()


@pytest.fixture(scope="module")
def told(folder: Path) -> list[dict[str, Any]]:
    """What the stream of Arrow batches says of each row."""
    return pa.Table.from_batches(judge_batches(pa.Table.from_pylist(rows()), folder)).to_pylist()


def stored(tmp_path: Path, listed: list[dict[str, Any]]) -> Any:
    """A data set on disk, so that results are cached beside it."""
    hf.Dataset.from_list(listed).save_to_disk(tmp_path / "set")
    return hf.load_from_disk(tmp_path / "set")


@pytest.mark.parametrize("processes", [None, 2])
def test_map_adds_what_the_detector_says(
    processes: int | None, folder: Path, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    found = stored(tmp_path, rows()).map(judge(folder), batched=True, batch_size=13, num_proc=processes)
    assert found.to_list() == told
    kinds = {name: found.features[name].dtype for name in ADDED}
    assert kinds == dict(zip(ADDED, ["float64", "float64", "bool", "string", "string"], strict=True))


def test_a_first_batch_without_numbers_does_not_spoil_the_types(folder: Path) -> None:
    listed = [{"text": None, "domain": "news"}] * 6 + rows(20)
    listed = [{"text": row["text"], "domain": row["domain"]} for row in listed]
    found = hf.Dataset.from_list(listed).map(judge(folder), batched=True, batch_size=3)
    assert found["synthetic_p"][:6] == [None] * 6
    assert sum(value is not None for value in found["synthetic_p"]) > 8
    assert found.features["synthetic_called"].dtype == "bool"


def test_arrow_format_and_streams(folder: Path, told: list[dict[str, Any]]) -> None:
    given = hf.Dataset.from_list(rows())
    arrow = given.with_format("arrow").map(judge(folder), batched=True, batch_size=13).with_format(None)
    assert arrow.to_list() == told
    for other in ("pandas", "numpy"):
        assert given.with_format(other).map(judge(folder), batched=True).with_format(None).to_list() == told
    kept = given.with_format("arrow").filter(keep(folder), batched=True).with_format(None)
    assert kept["id"][:] == [row["id"] for row in told if row["synthetic_called"] is not True]
    empty = judge(folder)(pa.Table.from_pylist(rows()).slice(0, 0))
    assert (empty.num_rows, empty.column_names[-5:]) == (0, ADDED)
    streamed = given.to_iterable_dataset(num_shards=3).map(judge(folder), batched=True, batch_size=13)
    assert list(streamed) == told
    assert [row["id"] for row in given.to_iterable_dataset().filter(keep(folder), batched=True)] == [
        row["id"] for row in told if row["synthetic_called"] is not True
    ]


@pytest.mark.parametrize("undecided", ["keep", "drop"])
def test_filter_drops_what_is_called_synthetic(undecided: Any, folder: Path, told: list[dict[str, Any]]) -> None:
    found = hf.Dataset.from_list(rows()).filter(keep(folder, undecided=undecided), batched=True, batch_size=9)
    wanted = (False, None) if undecided == "keep" else (False,)
    assert found["id"][:] == [row["id"] for row in told if row["synthetic_called"] in wanted]
    assert 0 < len(found) < 60


def test_fingerprints_follow_the_content_of_the_detector(tmp_path: Path) -> None:
    """Found again in the cache, and not after another calibration in the same folder."""
    from datasets.fingerprint import Hasher

    folder = made(tmp_path / "cal")
    given = stored(tmp_path, rows(20))
    first = given.map(judge(folder), batched=True)
    text = "".join(["te", "xt"])  # equal and not the same string
    for again in (judge(folder), judge(str(folder), text), pickle.loads(pickle.dumps(judge(folder)))):
        again(rows_as_columns(5))  # a function that was used already
        assert Hasher.hash(again) == Hasher.hash(judge(folder))
        assert given.map(again, batched=True)._fingerprint == first._fingerprint
    assert given.map(judge(folder, fpr=0.2), batched=True)._fingerprint != first._fingerprint
    old = judge(folder)
    old(rows_as_columns(3))
    shutil.rmtree(folder)
    made(folder, seed=33)
    second = given.map(judge(folder), batched=True)
    assert second._fingerprint != first._fingerprint
    assert second["synthetic_p"][:] != first["synthetic_p"][:]
    with pytest.raises(StoreError, match="another one than when this began"):
        pickle.loads(pickle.dumps(judge_with(old, fpr=0.21)))(rows_as_columns(3))


def rows_as_columns(n: int) -> dict[str, list[Any]]:
    listed = rows(n)
    return {name: [row[name] for row in listed] for name in listed[0]}


def judge_with(one: Any, **more: Any) -> Any:
    """The same detector with another setting, so that it is not the one that is loaded already."""
    import dataclasses

    return dataclasses.replace(one, detector=dataclasses.replace(one.detector, **more))


def test_the_detector_is_loaded_once_a_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from remission.adapters import _detector

    _detector._loaded.cache_clear()
    function = judge(folder)
    loads = []
    load = _detector.loaded
    monkeypatch.setattr(_detector, "loaded", lambda folder: loads.append(folder) or load(folder))
    for _ in range(3):
        pickle.loads(pickle.dumps(function))(rows_as_columns(5))
    assert len(loads) == 1
    assert len(pickle.dumps(function)) < 1000


def test_lone_surrogates_and_numbers_are_rows_with_a_reason(folder: Path) -> None:
    found = judge(folder)({"text": ["half \ud800 of it", 3, float("nan"), rows(1)[0]["text"]], "domain": ["news"] * 4})
    assert found["synthetic_reason"] == [
        "'text' has half characters (lone surrogates)", "'text' is no text", "no 'text'", None,
    ]  # fmt: skip
    assert found["synthetic_called"][3] is not None
    json.dumps(found)


def test_what_cannot_be_is_one_clear_message(folder: Path, tmp_path: Path) -> None:
    given = hf.Dataset.from_list(rows(4))
    with pytest.raises(DataError, match="No column 'body'"):
        given.map(judge(folder, "body"), batched=True)
    with pytest.raises(DataError, match="batched=True"):
        given.map(judge(folder))
    with pytest.raises(DataError, match="'synthetic_score' already"):
        given.map(judge(folder), batched=True).map(judge(folder), batched=True)
    with pytest.raises(StoreError, match="no folder of a detector"):
        judge(tmp_path / "none")
    with pytest.raises(SpecError, match="undecided must be"):
        keep(folder, undecided="lose")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="named by its folder"):
        judge(3)  # type: ignore[arg-type]
