"""Curation in trouble: crashes at every write, two at once, folders that cannot be written, and strata of which nothing is left."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import multiprocessing
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission import DataError, SpecError, StoreError
from remission.cli import _run as command_line
from remission.clinic.curation import _ahead, curating
from remission.clinic.curation.card import check_card
from remission.clinic.curation.curating import Wish, curate, read_record
from remission.estimate import Estimate
from tests.clinic.curation.corpus import census, detector, documents, inline, written

WISH = Wish("exclude", generations=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector in ``cal``, a small corpus in ``in``, its census in ``census``, its curation in ``whole``."""
    folder = tmp_path_factory.mktemp("trouble")
    detector(folder, 400)
    written(folder / "in", documents(150, 60))
    census(folder / "cal", folder / "in", folder / "census", size=25_000)
    curate(folder / "census", folder / "whole", WISH, inline)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def same(folder: Path, whole: Path) -> bool:
    """Whether two curations hold the same, but for the names of their folders."""
    if check_card(folder) or check_card(whole):
        return False
    one, other = files(folder), files(whole)
    told = "curation.json"
    records = [json.loads(found.pop(told)) | {"folder": ""} for found in (one, other)]
    for found in (one, other):  # the day of the card
        for name in ("README.md", "croissant.json"):
            found[name] = re.sub(rb"\d{4}-\d\d-\d\d", b"", found[name])
        lines = found["SHA256SUMS"].splitlines()  # those of what names a folder or a day fit, as checked above
        found["SHA256SUMS"] = b"".join(
            line for line in lines if not line.endswith((b".md", b"croissant.json", b"curation.json"))
        )
    return one == other and records[0] == records[1]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_crash_at_any_write_loses_nothing(
    place: Path, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file that is flushed or renamed, each once: the run ends with one message, and the same call goes on."""
    real, crashed = getattr(os, call), list[str]()

    def target(given: tuple[Any, ...]) -> str:
        path = str(given[1]) if call == "replace" else os.readlink(f"/proc/self/fd/{given[0]}")
        return re.sub(r"(-\d+(-[0-9a-f]{8})?|\.[0-9a-f]{8})\.aside$", "", path)

    def failing(*given: Any) -> Any:
        name = target(given)
        if name not in crashed and Path(name).is_relative_to(tmp_path):
            crashed.append(name)
            raise OSError(28, "No space left on device")
        return real(*given)

    for _ in range(60):
        before = len(crashed)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            with contextlib.suppress(StoreError):
                curate(place / "census", tmp_path / "out", WISH, inline)
        assert not list((tmp_path / "out").rglob("*.aside"))
        assert len(crashed) <= before + 1
        if len(crashed) == before:
            break
    names = {Path(name).name.strip(".") for name in crashed}
    wanted = [
        "asked.json",
        "deciding.json",
        "000000",
        "000002",
        "curation.json",
        "SHA256SUMS",
        "README.md",
        "croissant.json",
    ]
    assert all(any(name.startswith(one) for name in names) for one in wanted), names
    assert same(tmp_path / "out", place / "whole")


def _killed(folder: str, out: str, stop: int) -> None:
    """A process that is switched off at a rename."""
    real, calls = os.replace, 0

    def off(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == stop:
            os._exit(1)
        real(*given)

    os.replace = off  # type: ignore[assignment]
    curate(Path(folder) / "census", out, WISH, inline)


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_what_the_next_one_needs(place: Path, tmp_path: Path) -> None:
    for stop in range(1, 40):
        process = multiprocessing.get_context("spawn").Process(target=_killed, args=(str(place), str(tmp_path / "out"), stop))  # fmt: skip
        process.start()
        process.join()
        if process.exitcode == 0:
            break
    assert stop > 3
    assert same(tmp_path / "out", place / "whole")


def test_two_at_once(place: Path, tmp_path: Path) -> None:
    """The second is told to wait, whatever it asks for; the first is not disturbed by what it asked."""
    inside, go, told = threading.Event(), threading.Event(), []

    def slow(function: Any, tasks: Any) -> Any:
        inside.set()
        assert go.wait(60)
        yield from inline(function, tasks)

    first = threading.Thread(target=lambda: told.append(curate(place / "census", tmp_path / "out", WISH, slow)))
    first.start()
    assert inside.wait(60)
    for wish in (WISH, Wish("weigh", generations=1)):
        with pytest.raises(StoreError, match="Another process is writing"):
            curate(place / "census", tmp_path / "out", wish, inline)
    go.set()
    first.join()
    assert len(told) == 1
    assert same(tmp_path / "out", place / "whole")


def test_folders_that_cannot_be_written_are_refused_at_once(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curating, "reopen", None)  # nothing is counted before
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    for folder, words in (
        ("file", "is a file"),
        ("full", "not empty and holds no curation"),
        ("file/x", "cannot be written"),
    ):
        with pytest.raises(StoreError, match=words):
            curate(place / "census", tmp_path / folder, WISH, inline)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_a_folder_of_a_run_that_had_not_begun_is_taken(place: Path, tmp_path: Path) -> None:
    for name in (".lock", ".asked.json-17.aside"):
        (tmp_path / "out" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text("")
    curate(place / "census", tmp_path / "out", WISH, inline)
    assert same(tmp_path / "out", place / "whole")


def test_a_damaged_file_is_named(place: Path, tmp_path: Path) -> None:
    curate(place / "census", tmp_path / "out", WISH, inline)
    (tmp_path / "out" / "kept" / "000000.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"000000\.parquet' was changed.*Delete it"):
        curate(place / "census", tmp_path / "out", WISH, inline)
    (tmp_path / "out" / "kept" / "000000.parquet").unlink()
    curate(place / "census", tmp_path / "out", WISH, inline)
    assert same(tmp_path / "out", place / "whole")


def test_a_stratum_of_which_nothing_is_left_is_no_trouble(place: Path, tmp_path: Path) -> None:
    """All of it synthetic and of its own part: dropped whole, with a card and a page that say so."""
    rows = documents(120, 0) + [{**one, "source": "spam"} for one in documents(0, 90) if not one["generator"]]
    census(place / "cal", written(tmp_path / "in", rows), tmp_path / "census", size=8_000)
    found = curate(tmp_path / "census", tmp_path / "out", Wish("cap", cap=0.1, unjudged="drop", generations=1), inline)
    gone = [row for row in found.residual.rows if not row.weight]
    assert [row.stratum for row in gone] == ["source=spam"]
    assert math.isnan(gone[0].after.value)
    assert check_card(tmp_path / "out") == []
    empty = [path for path in (tmp_path / "out" / "kept").iterdir() if not pq.read_metadata(path).num_rows]
    assert empty, "a part with no kept document"
    text = (tmp_path / "out" / "curation.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["strata"][-1]["after"]["value"] is None
    assert command_line(["report", str(tmp_path / "out"), "-o", str(tmp_path / "page.html")]) == 0
    assert "Nothing kept of 1 stratum" in (tmp_path / "page.html").read_text()


def test_what_is_asked_is_checked_before_anything_is_read(place: Path) -> None:
    for wrong, words in (
        ({"temperature": 0.0}, "temperature"), ({"temperature": math.inf}, "temperature"), ({"level": 1.0}, "level"),
        ({"seed": -1}, "seed"), ({"name": " "}, "name"), ({"licences": ("whatever",)}, "SPDX"),
    ):  # fmt: skip
        with pytest.raises(SpecError, match=words):
            Wish("exclude", **wrong)  # type: ignore[arg-type]


def test_the_level_of_intervals_can_be_chosen(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["curate", str(place / "census"), "--policy", "exclude", "--generations", "1", "--json"]
    widths = []
    for level in ("0.5", "0.99"):
        assert command_line([*call, "-o", str(tmp_path / level), "--level", level]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["before"]["level"] == float(level)
        widths.append(found["before"]["high"] - found["before"]["low"])
    assert widths[1] > 2 * widths[0] > 0


def test_the_page_of_the_command_is_that_of_the_report(place: Path, tmp_path: Path) -> None:
    call = ["curate", str(place / "census"), "-o", str(tmp_path / "out"), "--policy", "weigh", "--generations", "2"]
    assert command_line([*call, "--html", str(tmp_path / "page.html")]) == 0
    assert command_line(["report", str(tmp_path / "out")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert (tmp_path / "out" / "report.html").read_text() == page
    for row in read_record(tmp_path / "out")["strata"][1:]:
        assert f"<td>{row['stratum']}</td>" in page
    assert command_line(["report", str(tmp_path / "out"), "--export", str(tmp_path / "x"), "--figures", "pdf"]) == 2
    (tmp_path / "out" / "curation.json").write_text("{")
    assert command_line(["report", str(tmp_path / "out")]) == 2
    (tmp_path / "out" / "curation.json").unlink()
    with pytest.raises(StoreError, match="no finished curation"):
        read_record(tmp_path / "out")


# --- what the lab looks at ------------------------------------------------------------------------------------------


def kept(folder: Path, count: int, rows: int = 20) -> None:
    """Files of a training set in which every other document has hardly any weight."""
    (folder / "kept").mkdir(parents=True)
    for k in range(count):
        texts = [f"{'light' if j % 2 else 'heavy'} " * 200 + f"{k} {j}" for j in range(rows)]
        weights = [0.01 if j % 2 else 1.0 for j in range(rows)]
        pq.write_table(pa.table({"text": texts, "weight": weights}), folder / "kept" / f"{k:06}.parquet")


def test_texts_are_drawn_by_weight_and_fill_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many files only some are opened; what these hold is enough all the same."""
    monkeypatch.setattr(_ahead, "SAMPLED", 80_000)
    kept(tmp_path, 200)
    texts = list(_ahead._texts(tmp_path, 0))
    assert 80_000 <= sum(map(len, texts)) < 2.5 * 80_000
    light = np.mean([text.startswith("light") for text in texts])
    assert light < 0.1, "half of them, without the weights"
    assert texts == list(_ahead._texts(tmp_path, 0))
    assert texts != list(_ahead._texts(tmp_path, 1))


def test_a_prediction_that_cannot_be_made_costs_no_training_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tmp_path, 1)
    share = Estimate(0.1, 0.05, 0.2, 0.95, "x", 9)
    monkeypatch.setattr(_ahead, "_words", lambda folder, texts: 100)

    def fails(*given: Any, **more: Any) -> Any:
        raise error

    monkeypatch.setattr(_ahead, "outlook", fails)
    for error in (DataError("too little text."), SpecError("no such share."), StoreError("no space.")):
        assert _ahead.ahead(tmp_path, share, share, 1.0, 2, 1.0, False, 0, None) == (None, f"The lab predicts nothing: {error}")  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_cluster_makes_the_same_training_set(place: Path, tmp_path: Path) -> None:
    from remission.engines import ray
    from tests.engines.ray_cluster import two_nodes

    with (
        tempfile.TemporaryDirectory(prefix="rr") as short,
        two_nodes(Path(short)) as cluster,
    ):  # sockets need short paths
        curate(place / "census", tmp_path / "out", WISH, lambda function, tasks: ray.supervise(function, tasks, cluster.address))  # fmt: skip
    assert same(tmp_path / "out", place / "whole")
