"""``remission census``: the answer of ``remission prevalence``, for corpora of any size, with every row accounted for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission.cli import _run as command_line
from remission.clinic.census.manifest import verify
from tests.calibration.own import texts
from tests.test_cli_detect import OWN, rows, said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, and a corpus of two sources and two years: 300 human, 200 synthetic, the latter all of source b."""
    folder = tmp_path_factory.mktemp("census")
    known = rows(400, 1, "human", "train") + rows(400, 2, "ai", "train", 0.1)
    known += rows(620, 3, "human", "calibrate") + rows(300, 4, "ai", "calibrate", 0.1)
    (folder / "known.jsonl").write_text("\n".join(map(json.dumps, known)))
    data = str(folder / "known.jsonl")
    fit = ["detect", "fit", data, "-o", str(folder / "det"), "--kind", OWN, "--where", "split=train"]
    assert command_line(fit) == 0
    calibrating = ["--human", data, "--synthetic", data, "--where", "split=calibrate"]
    assert command_line(["detect", "calibrate", str(folder / "det"), *calibrating, "-o", str(folder / "cal")]) == 0
    (folder / "in").mkdir()
    listed = [
        {"id": f"{marked}-{k}", "text": text, "domain": ("news", "web")[k % 2], "source": "b" if marked or k % 3 == 0 else "a",
         "date": f"{2019 + (marked > 0 or k % 2) * 4}-05-01"}
        for marked, n, seed in ((0.0, 300, 5), (0.1, 200, 6))
        for k, text in enumerate(texts(n, seed, marked))
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(listed[:250]), folder / "in" / "a.parquet", row_group_size=60)
    lines = [*map(json.dumps, listed[250:]), "{broken", '{"text": ""}']
    (folder / "in" / "b.jsonl").write_text("\n".join(lines))
    return folder


def call(folder: Path, output: Path, *more: str) -> list[str]:
    return ["census", str(folder / "in"), "--detector", str(folder / "cal"), "-o", str(output), *more]


def test_a_census_says_what_prevalence_says(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    by = ["--by", "source", "--json"]
    assert command_line(call(folder, tmp_path / "out", *by)) == 0
    census = said(capsys)
    assert census["schema"] == "remission/census/1"
    assert command_line(["prevalence", str(folder / "in"), "--detector", str(folder / "cal"), *by]) == 0
    local = said(capsys)
    assert [row["stratum"] for row in census["strata"]] == ["all", "source=a", "source=b"]
    for mine, other in zip(census["strata"], local["strata"], strict=True):
        for key in ("stratum", "n", "n_abstained", "n_uncalibrated", "verdict", "method", "level"):
            assert mine[key] == other[key], (mine["stratum"], key)
        for key in ("value", "low", "high"):
            assert mine[key] == pytest.approx(other[key], abs=0.01), (mine["stratum"], key)
    whole = census["strata"][0]
    assert whole["low"] < 0.4 < whole["high"]
    assert census["checks"]["placebo"] == pytest.approx(local["checks"]["placebo"], abs=0.01)
    assert census["checks"]["shift"]["verdict"] == local["checks"]["shift"]["verdict"]
    assert {key: census["accounting"][key] for key in ("in", "kept", "dropped", "quarantined")} == {
        "in": 502, "kept": 500, "dropped": 0, "quarantined": 2,
    }  # fmt: skip
    assert [(one["file"][-7:], one["reason"]) for one in census["accounting"]["examples"]] == [
        ("b.jsonl", "broken JSON"),
        ("b.jsonl", "'text' is empty"),
    ]
    assert verify(tmp_path / "out", inputs=True) == []


def test_the_same_command_goes_on(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert command_line(call(folder, tmp_path / "out", "--json", "--workers", "2")) == 0
    first = said(capsys)
    assert command_line(call(folder, tmp_path / "out", "--json")) == 0
    again = said(capsys)
    assert (first["found_done"], again["found_done"]) == (0, again["parts"])
    assert {**first, "found_done": 0} == {**again, "found_done": 0}
    assert command_line(call(folder, tmp_path / "out", "--by", "source")) == 2
    assert "holds a census with other settings" in capsys.readouterr().err


def test_people_get_tables_and_what_was_set_aside(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert command_line(call(folder, tmp_path / "out", "--by", "source,year", "--where", "domain=news")) == 0
    out, err = capsys.readouterr()
    assert "corpus: 502 rows, 250 documents, 251 left out on request, 1 set aside, from 2 files" in out
    assert "source=b | year=2023" in out
    assert "Share of synthetic documents" in out
    assert "1 set aside: broken JSON, first in" in err
    assert "placebo passed" in out


def test_files_that_are_not_the_published_ones(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    good = hashlib.sha256((folder / "in" / "a.parquet").read_bytes()).hexdigest()
    (tmp_path / "sums").write_text(f"{good}  a.parquet\n{'0' * 64} *b.jsonl\n")
    assert command_line(call(folder, tmp_path / "out", "--json", "--sums", str(tmp_path / "sums"))) == 0
    accounting = said(capsys)["accounting"]
    assert (accounting["kept"], accounting["reasons"]) == (250, {"the file's SHA-256 is not the expected one": 1})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--where", "nothing"], "FIELD=VALUE"),
        (["--estimator", "words"], "needs the documents themselves"),
        (["--estimator", "wrods"], "wrods"),
        (["--level", "2"], "level"),
        (["--memory", "3"], "128 MiB"),
        (["--deadline", "0"], "deadline"),
        (["--text", "body"], "No usable document"),
        (["--by", "source,source"], "named twice"),
    ],
)
def test_bad_input_is_one_clear_message(
    folder: Path, more: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(call(folder, tmp_path / "out", *more)) == 2
    assert words in capsys.readouterr().err
    if more[0] != "--text":
        assert not (tmp_path / "out").exists()


def test_bad_sums_are_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sums").write_text("abc  a.parquet\n")
    assert command_line(call(folder, tmp_path / "out", "--sums", str(tmp_path / "sums"))) == 2
    assert "line 1 is no line of sha256sum" in capsys.readouterr().err
