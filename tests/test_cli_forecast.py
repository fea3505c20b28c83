"""``remission forecast`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remission.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main(["forecast", *(str(argument) for argument in arguments)])
    out, err = capsys.readouterr()
    return int(done.value.code or 0), out, err


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "line.csv"
    rows = [f"{t},{12 * 1.06**t * (1 + 0.01 * (-1) ** t):.4f}" for t in range(12)]
    file.write_text("generation,perplexity\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return file


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code, out, err = run(capsys, *arguments, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_json_and_page(capsys: pytest.CaptureFixture[str], path: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found = answer(capsys, path, "--metric", "perplexity", "--above", 30, "--html", page)
    assert next(iter(found)) == "schema"
    assert found["schema"] == "remission/forecast/1"
    assert found["verdict"] == "crosses"
    assert found["low"] <= found["generation"] <= (found["high"] or found["horizon"])
    assert found["generation"] in (15, 16, 17)
    assert found["backtest_n"] > 10
    assert 0 <= found["backtest_coverage"] <= 1
    assert {"level", "method", "never", "curve", "candidates", "n_observed"} <= found.keys()
    assert sum(one["weight"] for one in found["candidates"]) == pytest.approx(1)
    text = page.read_text(encoding="utf-8")
    assert "When perplexity is at or above 30" in text
    assert found["page"] == str(page)


def test_people_get_a_sentence(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    code, out, _ = run(capsys, path, "--metric", "perplexity", "--above", 30)
    assert code == 0
    assert out.startswith("perplexity is first at or above 30 in generation 1")
    assert "earlier forecasts in these data held" in out


def test_a_refusal_is_an_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    file.write_text('{"generation": 1, "kl": 0.1}\n{"generation": 2, "kl": 0.2}\n', encoding="utf-8")
    found = answer(capsys, file, "--metric", "kl", "--above", 1)
    assert found["verdict"] == "refused"
    assert found["generation"] is found["backtest_coverage"] is None
    assert "4 more would do" in found["reason"]
    code, out, _ = run(capsys, file, "--metric", "kl", "--above", 1)
    assert code == 0
    assert out.startswith("No forecast")


def test_lines_each_and_a_page_of_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "lines.tsv"
    rows = [f"{r}\t{t}\t{20 - t + 0.3 * ((r + t) % 3)}" for r in range(3) for t in range(10)]
    file.write_text("replicate\tgeneration\tm\n" + "\n".join(rows) + "\n", encoding="utf-8")
    page = tmp_path / "lines.html"
    found = answer(capsys, file, "--metric", "m", "--below", 4, "--of", "each", "--html", page)
    assert [one["name"] for one in found["lines"]] == ["replicate 0", "replicate 1", "replicate 2"]
    assert found["low"] <= 16 <= (found["high"] or found["horizon"])
    assert "replicate 2" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metric", "perplexity"], "Give one line to be crossed"),
        (["--metric", "perplexity", "--above", "3", "--below", "2"], "Give one line to be crossed"),
        (["--metric", "perplexty", "--above", "30"], "Did you mean 'perplexity'"),
        (["--metric", "perplexity", "--above", "30", "--until", "5"], "beyond the last generation observed, 11"),
        (["--metric", "perplexity", "--above", "30", "--level", "2"], "level"),
        (["--above", "30"], "--metric"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], path: Path, arguments: list[str], said: str) -> None:
    code, out, err = run(capsys, path, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_folder_that_is_no_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, tmp_path, "--metric", "m", "--below", 1)
    assert code == 2
    assert "not a run folder" in err
