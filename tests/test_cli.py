"""The outward contract: one JSON document with known fields, exit codes, one clear message."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from remission import registry
from remission.cli import COMMANDS
from remission.cli import _run as command_line

PLAIN = """
[experiment]
generations = 4
replicates = 10
samples = 30
[source]
kind = "gaussian"
[model]
kind = "gaussian"
[regime]
kind = "replace"
[sweep]
regime = ["replace", "accumulate"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plain.toml"
    path.write_text(PLAIN)
    return path


def said(capsys: pytest.CaptureFixture[str]) -> dict:
    out = capsys.readouterr().out
    found = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert next(iter(found)) == "schema"
    return found


def test_run_prints_the_fields_that_scripts_rely_on(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(["run", str(file), "-o", str(tmp_path / "run"), "--json"]) == 0
    found = said(capsys)
    assert found["schema"] == "remission/run/1"
    assert found["run"] == str(tmp_path / "run")
    assert found["points"] == [{"regime": "replace"}, {"regime": "accumulate"}]
    assert {"point", "generation", "metric", "n", "mean", "median", "mean_log", "low", "high", "level"} <= set(
        found["summary"][0]
    )
    assert {"point", "generation", "metric", "law", "value", "scale"} <= set(found["theory"][0])
    assert isinstance(found["warnings"], list)
    first = found["summary"]
    assert command_line(["run", str(file), "-o", str(tmp_path / "run"), "--json"]) == 0
    assert said(capsys)["summary"] == first


def test_every_command_in_turn(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(tmp_path / "run")
    assert command_line(["run", str(file), "-o", run]) == 0
    assert "moments.variance" in capsys.readouterr().out
    assert command_line(["predict", str(file), "--json"]) == 0
    found = said(capsys)
    assert {row["metric"] for row in found["theory"]} >= {"moments.variance", "moments.error", "moments.total"}
    assert all(row["reason"] for row in found["refused"])
    assert command_line(["predict", str(file)]) == 0
    assert "laws that do not apply" in capsys.readouterr().out
    assert command_line(["rerun", run, "--replicate", "3", "--point", "1", "--json"]) == 0
    assert said(capsys)["same"] is True
    assert command_line(["report", run, "--export", str(tmp_path / "paper"), "--json"]) == 0
    files = said(capsys)["files"]
    assert Path(files[0]).read_text().startswith("<!DOCTYPE html>")
    assert any(name.endswith(".svg") for name in files)
    assert any(name.endswith(".csv") for name in files)
    assert command_line(["list", "--json"]) == 0
    assert set(said(capsys)["parts"]) == set(registry.FOLDERS)
    assert command_line(["show", "model", "gmm", "--json"]) == 0
    assert "components" in {parameter["name"] for parameter in said(capsys)["parameters"]}
    assert command_line(["run", str(file), "--dry-run", "--json"]) == 0
    assert said(capsys)["replicate_generations"] == 80


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run"], "Missing argument"),
        (["runn"], "Did you mean 'run'?"),
        (["run", "none.toml"], "There is no experiment file"),
        (["run", "{file}", "--set", "regime.kind=replce"], "Did you mean 'replace'?"),
        (["run", "{file}", "--set", "nonsense"], "--set needs key=value"),
        (["run", "{file}", "--workers", "0"], "--workers"),
        (["run", "{file}", "-o", "{file}"], "is a file"),
        (["report", "{folder}"], "is not a run folder"),
        (["rerun", "{folder}"], "is not a run folder"),
        (["list", "modles"], "Did you mean 'models'?"),
        (["show", "model", "gausian"], "Did you mean 'gaussian'?"),
        (["demo", "-o", "{file}"], "is a file"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    arguments: list[str], told: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    filled = [argument.format(file=file, folder=tmp_path) for argument in arguments]
    assert command_line(filled) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    assert sorted(tmp_path.rglob("*")) == before


def test_failing_data_and_models_are_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\nnan,3\n4,5\n")
    (tmp_path / "bad.toml").write_text(
        PLAIN.replace('kind = "gaussian"', f'kind = "file"\npath = "{tmp_path / "bad.csv"}"', 1)
    )
    assert command_line(["run", str(tmp_path / "bad.toml"), "-o", str(tmp_path / "run")]) == 2
    assert not (tmp_path / "run").exists()
    assert "bad.csv" in capsys.readouterr().err
    (tmp_path / "broken_model.py").write_text(
        "from remission import SimpleModel\n"
        "class Broken(SimpleModel):\n"
        "    'x'\n"
        "    def fit_one(self, items, rng): return 1 / 0\n"
        "    def sample_one(self, state, n, rng): return None\n"
    )
    (tmp_path / "own.toml").write_text(
        PLAIN.replace('[model]\nkind = "gaussian"', '[model]\nkind = "broken_model:Broken"')
    )
    assert command_line(["run", str(tmp_path / "own.toml"), "-o", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert "Generation 1: broken_model:Broken failed: ZeroDivisionError" in told


def test_curators_that_keep_nothing_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "none.toml"
    file.write_text(PLAIN.replace("[sweep]", '[[curator]]\nkind = "oracle"\nfpr = 1.0\ntpr = 1.0\n[sweep]'))
    assert command_line(["run", str(file), "-o", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert "only 0 of 30 items were kept" in told
    assert "refill = false" in told


def test_help_lists_every_command_and_is_quick_to_load() -> None:
    code = (
        "import sys; from remission.cli import _run; _run(['--help']);"
        "heavy = {'numba', 'numpy', 'scipy', 'sklearn', 'pyarrow', 'rich', 'jinja2'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in COMMANDS)
    assert done.stdout.strip().endswith("[]")


def test_demo_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo's own files, made small, from end to end."""
    from remission import demo
    from remission.spec import Experiment

    sizes = ["generations=2", "replicates=6", "samples=80"]
    real = Experiment.from_toml
    monkeypatch.setattr(
        demo,
        "Experiment",
        type(
            "Small",
            (),
            {
                "from_toml": staticmethod(
                    lambda text: real(text, [*sizes, "model.components=3"] if "gmm" in text else sizes)
                )
            },
        ),
    )
    assert command_line(["demo", "-o", str(tmp_path / "demo")]) == 0
    assert "Open the report" in capsys.readouterr().out
    page = (tmp_path / "demo" / "report.html").read_text()
    assert "What happens when models learn from models" in page
    for name in ("digits", "prose", "gaussian"):
        assert (tmp_path / "demo" / f"{name}.toml").is_file()


@pytest.mark.parametrize("name", ["digits", "prose", "gaussian"])
def test_the_shipped_experiments_are_valid(name: str) -> None:
    from importlib import resources

    from remission.checks import check_experiment
    from remission.spec import Experiment

    text = resources.files("remission.demo").joinpath(f"{name}.toml").read_text()
    check_experiment(Experiment.from_toml(text))


def test_help_works_after_any_command_was_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    """Loading `remission list` puts a module named `list` into the package: help must not trip over it."""
    assert command_line(["list", "models"]) == 0
    assert command_line(["--help"]) == 0
    assert "rerun" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("samples=2.5", "a whole number, not 2.5"),
        ("initial.distinct=9", "'distinct' is for state = 'collapsed'"),
        ("initial={state='collapsed', distinct=99}", "99 distinct items do not fit"),
        ("sweep.regime=['replace', 'replace']", "names the same value twice"),
        ("sweep.samples=5", "must be a list of values"),
        ("foo=1", "[experiment] has no key 'foo'"),
        ("regime={kind='stages', regimes=[]}", "'regimes' is empty"),
        ("curator=[{kind='top', score='sklearn.ensemble:IsolationForest'}]", "is a class"),
        ("curator=[{kind='top', score='bad_score:nothing'}]", "has no function 'nothing'"),
        ("source.dimensions=3000000", "error: "),
    ],
)
def test_contradictions_are_refused(
    change: str,
    told: str,
    file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad_score.py").write_text("import numpy as np\ndef boom(items): raise ValueError('boom')\n")
    assert command_line(["run", str(file), "-o", str(tmp_path / "run"), "--set", change]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err


def test_trouble_in_own_code_is_one_message_and_does_not_stand_in_the_way(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_score.py").write_text("def boom(items):\n    raise ValueError('boom')\n")
    run = ["run", str(file), "-o", str(tmp_path / "run")]
    assert command_line([*run, "--set", "curator=[{kind='top', score='own_score:boom'}]"]) == 2
    assert "own_score.py, line 2, in boom: ValueError: boom" in capsys.readouterr().err
    assert command_line(run) == 0  # the corrected experiment may use the folder: nothing was finished in it
    assert command_line(["rerun", str(tmp_path / "run"), "--replicate", "4"]) == 0


def test_a_damaged_experiment_file_in_a_run_is_one_message(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(["run", str(file), "-o", str(tmp_path / "run")]) == 0
    (tmp_path / "run" / "experiment.toml").write_text("x")
    assert command_line(["report", str(tmp_path / "run")]) == 2
    assert "The run folder is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("share", [1.0, 0.99])
def test_all_real_for_ever(share: float, file: Path, tmp_path: Path) -> None:
    change = f"sweep.regime=[{{kind='fixed-real', share={share}}}]"
    assert command_line(["run", str(file), "-o", str(tmp_path / "run"), "--set", change]) == 0


def test_constant_real_data_is_no_trouble(file: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    assert command_line(["run", str(file), "-o", str(tmp_path / "run"), "--set", "source.std=0.0"]) == 0
    assert not [warning for warning in recwarn if warning.category is RuntimeWarning]
