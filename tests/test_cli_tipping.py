"""``remission tipping``: the fields that scripts rely on, words for people, pages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remission.cli import _run as command_line

EXAMPLE = str(Path(__file__).resolve().parent.parent / "examples" / "temperature-tipping.toml")
ASKED = ["tipping", EXAMPLE, "--over", "regime.share", "--low", "0.05", "--high", "0.5", "--keep", "max-share<=0.3"]
SMALL = ["--set", "generations=60", "--set", "samples=20000"]


def test_json_has_what_scripts_rely_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "tipping.html"
    assert command_line([*ASKED, *SMALL, "--hysteresis", "--long-run", "--json", "--html", str(page)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert next(iter(found)) == "schema"
    assert found["schema"] == "remission/tipping/1"
    assert {"threshold", "low", "high", "level", "verdict", "curve"} <= set(found)
    assert found["verdict"] in ("threshold", "no-threshold", "undecided")
    assert {"value", "n", "typical", "low", "high", "kept"} <= set(found["curve"][0])
    assert found["hysteresis"]["collapsed"]["value"] > found["crossing"]["value"]
    assert "raise generations" in found["long_run_told"]  # after 15 generations nothing is lost yet
    text = page.read_text()
    assert "from a collapsed start" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_people_get_a_sentence_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line([*ASKED, *SMALL]) == 0
    told = capsys.readouterr().out
    assert "above regime.share =" in told
    assert "tipping-point" in told


def test_a_phase_diagram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--and", "sampling.temperature", "--and-low", "0.6", "--and-high", "0.95", "--depth", "1"]
    assert command_line([*ASKED, *SMALL, *both, "--html", str(tmp_path / "p.html")]) == 0
    assert "█" in capsys.readouterr().out
    assert "Phase diagram" in (tmp_path / "p.html").read_text()
    assert command_line([*ASKED, *SMALL, *both, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "remission/phases/1"
    assert {"points", "boundary", "theory"} <= set(found)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--low", "0.3", "--high", "0.4"], "does not bracket a crossing"),
        (["--keep", "max-share=0.3"], "ROW>=NUMBER"),
        (["--keep", "max-shar<=0.3"], "Did you mean 'max-share'"),
        (["--of", "some"], "median, mean, or a share"),
        (["--and-low", "0.3"], "Name it with --and"),
        (["--and", "sampling.temperature"], "needs the range of its second parameter"),
        (["--over", "regimes.share"], "also sweeps over regime.share"),
    ],
)
def test_wrong_usage_gets_one_message(more: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line([*ASKED, *SMALL, *more]) == 2
    complained = capsys.readouterr().err
    assert told in complained
    assert complained.count("error:") == 1
