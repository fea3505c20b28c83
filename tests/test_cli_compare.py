"""``remission compare``: one JSON document, tables for people, a page, clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remission import Experiment
from remission.cli import _run as command_line
from remission.lab.execute import execute
from tests.lab.test_compare import TOML


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("runs")
    execute(Experiment.from_toml(TOML), root / "one")
    execute(Experiment.from_toml(TOML, ["regime=accumulate"]), root / "two")
    return str(root / "one"), str(root / "two")


def test_json_is_one_document(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["compare", *folders, "--metric", "moments.ratio", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert next(iter(document)) == "schema"
    assert document["schema"] == "remission/compare/1"
    (found,) = document["differences"]
    assert found["row"] == "moments.ratio"
    assert found["verdict"] == "better"
    assert found["all_low"] <= found["low"] <= found["value"] <= found["high"] <= found["all_high"]
    assert document["pairs"][0]["paired"] is True
    assert len(document["curves"][0]["band_low"]) == 8


def test_tables_say_how_it_was_compared(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["compare", *folders, "--generation", "2", "--see", "0.1"]) == 0
    text = capsys.readouterr().out
    assert "30 pairs; paired: same seed" in text
    assert "narrowed the intervals to" in text
    assert "better" in text


def test_page_is_written_whole(folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert command_line(["compare", *folders, "--html", str(page), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["html"] == str(page)
    text = page.read_text()
    assert "Differences from the base" in text
    assert text.count('<svg class="plot"') == 2 * 6  # an overlay and a difference for each row of moments


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["nothing"], "'nothing' is not a run folder"),
        (["--metric", "moments.rato"], "Did you mean 'moments.ratio'"),
        (["--generation", "99"], "1 to 8 in common"),
        (["--scale", "ratio"], "moments.log-det"),
    ],
)
def test_wrong_input_ends_with_two(
    folders: tuple[str, str], extra: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(["compare", *folders, *extra]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert "Traceback" not in told.err
