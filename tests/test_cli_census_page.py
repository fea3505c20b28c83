"""``remission census --html`` and ``remission report`` of the folder of a census: the same page, or one clear message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remission.cli import _run as command_line
from tests.clinic.census.test_asking import resealed
from tests.test_cli_census import call, folder  # noqa: F401  (a fixture)
from tests.test_cli_detect import said


@pytest.fixture(scope="module")
def census(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811  (the fixture)
    out = tmp_path_factory.mktemp("page")
    more = ["--by", "source,month", "--html", str(out / "page.html")]
    assert command_line(call(folder, out / "census", *more)) == 0
    return out / "census"


def test_the_folder_gives_the_page_of_the_command(
    census: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert command_line(["report", str(census), "-o", str(tmp_path / "again.html"), "--json"]) == 0
    told = said(capsys)
    assert told["schema"] == "remission/report/1"
    assert (told["census"], told["files"]) == (str(census), [str(tmp_path / "again.html")])
    page = (tmp_path / "again.html").read_text()
    assert page == (census.parent / "page.html").read_text()
    answer = json.loads((census / "answer.json").read_text())
    for row in answer["strata"]:
        assert page.count(f"<td>{row['stratum']}</td>") >= 2, "in the tables of shares and of error rates"
    assert page.count('class="own panel"') == 2
    for example in answer["accounting"]["examples"]:
        assert f"<td>{example['file']}</td>" in page
    assert command_line(["report", str(census)]) == 0
    assert (census / "report.html").read_text() == page


def test_tables_are_exported(census: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    more = ["--export", str(tmp_path / "x"), "--tables", "csv"]
    assert command_line(["report", str(census), "-o", str(tmp_path / "p.html"), *more]) == 0
    assert str(tmp_path / "x" / "tables" / "All-strata.csv") in capsys.readouterr().out.splitlines()
    lines = (tmp_path / "x" / "tables" / "All-strata.csv").read_text().splitlines()
    assert len(lines) == 1 + len(json.loads((census / "answer.json").read_text())["strata"])
    drawing = (tmp_path / "x" / "figures" / "Strata-compared.svg").read_text()
    assert drawing.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg ')
    assert command_line(["report", str(census), "--export", str(tmp_path / "y"), "--figures", "pdf"]) == 2
    assert "drawn as SVG" in capsys.readouterr().err
    assert not (tmp_path / "y").exists()


def refusal(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:  # noqa: F811  (another folder)
    capsys.readouterr()
    before = sorted(folder.rglob("*"))
    assert command_line(["report", str(folder)]) == 2
    assert sorted(folder.rglob("*")) == before, "nothing is written"
    told = capsys.readouterr()
    assert told.out == ""
    assert "Traceback" not in told.err
    return told.err


@pytest.fixture
def copied(census: Path, tmp_path: Path) -> Path:
    for name in ("census.json", "manifest.json", "answer.json"):
        (tmp_path / name).write_bytes((census / name).read_bytes())
    return tmp_path


def test_other_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        told = refusal(place, capsys)
        assert "is not a run folder" in told
        assert "holds no census" in told


def test_unfinished_and_damaged_ones_are_refused(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads((copied / "answer.json").read_text())
    for content, words in (
        (resealed(answer | {"manifest": "0"}), "is not that of its manifest"),
        (json.dumps(answer | {"bytes": answer["bytes"] + 1}), "its seal does not fit"),
        (resealed({key: value for key, value in answer.items() if key != "checks"}), "checks"),
        (json.dumps(answer | {"schema": "remission/other/1"}), "is no answer of a census"),
        ("{", "is damaged"),
    ):
        (copied / "answer.json").write_text(content)
        assert words in refusal(copied, capsys)
    (copied / "answer.json").unlink()
    assert "holds no answer of a census" in refusal(copied, capsys)
    (copied / "manifest.json").unlink()
    assert "holds no finished census" in refusal(copied, capsys)
