"""``remission dynamics``: from a file and from a stored run, for people, scripts and as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remission.cli import _run as command_line
from tests.lab.test_dynamics import CASES


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("experiment") / "world.toml"
    path.write_text(CASES["fresh"]._replace(replicates=60, generations=20, samples=60).toml(3))
    return path


def test_a_file_is_run_to_the_end(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["dynamics", str(file), "--metric", "moments.ratio", "--set", "regime=replace", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "remission/dynamics/1"
    (fate,) = document["fates"]
    assert fate["verdict"] == "total-loss"
    assert fate["growth"] == "exponential"
    assert fate["rate"]["high"] < 0
    assert 32 <= document["points"][0]["generations"] <= 160


def test_tables_and_page(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert command_line(["dynamics", str(file), "--html", str(page)]) == 0
    told = capsys.readouterr()
    assert "stable-degraded" in told.out
    assert "biased-mix (+2)" in told.out
    assert "running the experiment: 32 generations" in told.err
    text = page.read_text()
    assert "Where world.toml ends" in text
    assert "Beside theory" in text
    assert "theory (" in text  # the law drawn over the trajectories
    assert text.count('<svg class="plot"') == 6


def test_absorption_is_drawn(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, case = tmp_path / "page.html", CASES["unigram"]
    (tmp_path / "text.toml").write_text(case._replace(replicates=40, generations=60, samples=10).toml(0))
    assert command_line(["dynamics", str(tmp_path / "text.toml"), "--html", str(page), "--json"]) == 0
    gone = json.loads(capsys.readouterr().out)["fates"][0]["absorption"]
    assert gone["boundary"] == 0
    assert gone["survival"][0] > gone["survival"][-1]
    assert "Not yet absorbed" in page.read_text()


def test_a_stored_run_is_read(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["run", str(file), "-o", str(tmp_path / "run"), "--json"]) == 0
    capsys.readouterr()
    assert command_line(["dynamics", str(tmp_path / "run"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["points"][0]["generations"] == 20
    assert {fate["row"] for fate in document["fates"]} >= {"moments.ratio", "moments.w2"}


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--metric", "moments.rato"], "Did you mean 'moments.ratio'"),
        (["--generations", "5"], "at least 16"),
        (["--set", "regime.shar=1"], "no key 'shar'"),
    ],
)
def test_wrong_input_ends_with_two(
    file: Path, extra: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(["dynamics", str(file), *extra]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err


def test_no_such_file_and_options_of_files_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["dynamics", str(tmp_path / "nothing.toml")]) == 2
    assert "There is no experiment file" in capsys.readouterr().err
    assert command_line(["dynamics", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err
    assert command_line(["dynamics", str(tmp_path), "--generations", "50"]) == 2
    assert "are for an experiment file" in capsys.readouterr().err
