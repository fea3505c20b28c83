"""``remission reproduce`` as a user meets it: a table, one JSON document, a page, and exit codes that mean something."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from remission.cli import main
from remission.lab.reproduce import about, known

FILE = """
[reproduction]
title = "A <b>Gaussian</b>"
paper = "Somebody (2020)"
arxiv = "0000.00000"
claim = "It shrinks."
figure = "figure 1"
seconds = 1
[experiment]
generations = 5
replicates = 3000
samples = 20
seed = 1
fast = true
examples = 0
[source]
kind = "gaussian"
[model]
kind = "gaussian"
[regime]
kind = "replace"
[[metric]]
kind = "moments"
[sweep]
"sampling.bias" = [1.0, 0.8, 0.6]
[[check]]
quantity = "variance"
row = "moments.variance"
rule = "agrees"
expected = 0.77378
point = "sampling.bias=1"
source = "closed form"
[[check]]
quantity = "variance falls with the bias"
row = "moments.variance"
rule = "order"
points = ["sampling.bias=0.6", "sampling.bias=0.8", "sampling.bias=1"]
source = "the paper"
[[check]]
quantity = "bias at which a third is left"
row = "moments.variance"
rule = "threshold"
level = 0.3333
expected = 0.8
tolerance = 0.08
source = "closed form"
"""
FIELDS = ("id", "paper", "quantity", "expected", "measured", "low", "high", "verdict", "source", "rule", "seconds")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The exit code and what was printed."""
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(done.value.code or 0), out, err


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(FILE.replace("0.6]", "0.6, 0.78, 0.85]"), encoding="utf-8")
    return path


def test_one_json_document(capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path) -> None:
    code, out, err = run(capsys, "reproduce", file, "-o", tmp_path / "runs", "--json")
    found: dict[str, Any] = json.loads(out)
    assert next(iter(found.items())) == ("schema", "remission/reproduce/1")
    assert (code, err) == (0, "")
    assert [set(FIELDS) <= set(row) for row in found["results"]] == [True] * 3
    first, order, turn = found["results"]
    assert first["low"] <= first["expected"] <= first["high"]
    assert (order["expected"], order["expects"]) == (None, "0.6 < 0.8 < 1")
    assert 0.78 <= turn["measured"] <= 0.85
    assert found["counts"] == {"reproduced": 3, "differs": 0, "no power": 0, "not run": 0}
    assert (tmp_path / "runs" / "mine" / "experiment.toml").is_file()


def test_a_wrong_number_is_exit_code_1(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    file.write_text(file.read_text().replace("0.77378", "0.9"))
    code, out, _ = run(capsys, "reproduce", file)
    assert code == 1
    assert "differs" in out
    assert "0 of 1 results reproduced (2 of 3 numbers)" in out


def test_too_few_runs_is_exit_code_1(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    file.write_text(file.read_text().replace("replicates = 3000", "replicates = 20"))
    code, out, _ = run(capsys, "reproduce", file)
    assert code == 1
    assert "no power" in out


def without_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has no public data set and no network, whatever tests before have loaded."""
    from remission.sources import wikitext_2

    wikitext_2._load.cache_clear()
    monkeypatch.setenv("REMISSION_DATA", str(folder / "cache"))
    monkeypatch.setenv("REMISSION_MIRROR", str(folder / "nothing"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")


def test_what_cannot_be_run_is_counted_and_no_failure(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_data(tmp_path, monkeypatch)
    code, out, _ = run(capsys, "reproduce", file, "suresh-bigram")
    assert code == 0
    assert "not run: suresh-bigram: " in out
    assert "1 of 2 results reproduced (3 of 5 numbers): 0 differ, 0 without power, 1 not run" in out
    code, out, _ = run(capsys, "reproduce", "suresh-bigram", "--json")
    assert code == 0
    rows = json.loads(out)["results"]
    assert {(row["verdict"], row["measured"]) for row in rows} == {("not run", None)}


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "reproduce")
    assert code == 0
    assert f"{len(known())} results" in out
    assert "min, deep" in out
    code, out, _ = run(capsys, "reproduce", "--list", "--json")
    listed = json.loads(out)["reproductions"]
    assert [row["id"] for row in listed] == known()
    assert any(row["deep"] for row in listed)
    assert next(row for row in listed if row["id"] == "suresh-bigram")["needs"] == about("suresh-bigram").needs


def test_an_unknown_name_is_exit_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "reproduce", "shumailov-gausian", "--html", tmp_path / "page.html")
    assert (code, out) == (2, "")
    assert "Did you mean 'shumailov-gaussian'?" in err
    assert not (tmp_path / "page.html").exists()


def test_a_folder_of_another_run_is_exit_code_2(capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path) -> None:
    assert run(capsys, "reproduce", file, "-o", tmp_path / "runs")[0] == 0
    file.write_text(file.read_text().replace("seed = 1", "seed = 2"))
    code, _, err = run(capsys, "reproduce", file, "-o", tmp_path / "runs")
    assert code == 2
    assert "another experiment" in err


def test_the_page(capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run(capsys, "reproduce", file, "--html", page)[0] == 0
    text = page.read_text(encoding="utf-8")
    assert "Published results, reproduced" in text
    assert "A &lt;b&gt;Gaussian&lt;/b&gt;" in text
    assert "<b>Gaussian</b>" not in text
    assert re.findall(r'<figure class="chart"[^>]*data-name="([^"]*)"', text) == ["moments.variance-by-sampling.bias"]
    for said in (
        "Somebody (2020), arXiv:0000.00000",
        "It shrinks.",
        "figure 1",
        "0.77378",
        "closed form",
        "expected 0.8 ± 0.08",
    ):
        assert said in text, said
    assert "remission reproduce mine" in text


def test_a_figure_by_generation_has_a_line_where_the_number_is_expected(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path
) -> None:
    text = (
        FILE[: FILE.index("[sweep]")]
        + FILE[FILE.index("[[check]]") : FILE.index('point = "')]
        + 'source = "closed form"\n'
    )
    file.write_text(text, encoding="utf-8")
    page = tmp_path / "page.html"
    assert run(capsys, "reproduce", file, "--html", page)[0] == 0
    found = page.read_text(encoding="utf-8")
    assert re.findall(r'<figure class="chart"[^>]*data-name="([^"]*)"', found) == ["moments.variance"]
    assert ">expected 0.7738<" in found
    assert "theory " in found


def test_the_page_says_what_was_not_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_data(tmp_path, monkeypatch)
    page = tmp_path / "page.html"
    assert run(capsys, "reproduce", "suresh-bigram", "--html", page)[0] == 0
    text = page.read_text(encoding="utf-8")
    assert "Not run: " in text
    assert "0 of 1 published result" in text
    assert '<figure class="chart"' not in text
