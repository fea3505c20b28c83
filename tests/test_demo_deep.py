"""The deep experiments that come with the package: both sizes load, and the short way from command to report works."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from remission import Experiment, SpecError
from remission.checks import check_experiment
from remission.cli import _run as command_line
from remission.demo import parts
from remission.demo.parts import DEEP, SHORT, deep_parts
from remission.lab.facts import directions_of


@pytest.fixture
def mirror(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))


@pytest.mark.parametrize("size", ["cpu", "gpu"])
@pytest.mark.parametrize("part", DEEP, ids=lambda part: part.name)
def test_they_load_and_measure_what_was_named(part: parts.Part, size: str, mirror: None) -> None:
    experiment = Experiment.from_toml(part.toml(size))
    assert all("real items will be used again" in warning for warning in check_experiment(experiment))
    assert [point.name for point in experiment.points] == [
        "regime=replace",
        "regime=accumulate",
        "regime=fresh(share=0.1)",
    ]
    assert experiment.replicates >= 3
    assert len(part.separates) >= 2
    rows = directions_of(experiment)
    assert {part.headline[0], *part.separates} <= rows.keys()


def test_every_file_belongs_to_a_part() -> None:
    folder = Path(parts.__file__).parent / "deep"
    for size in ("cpu", "gpu"):
        assert {path.stem for path in (folder / size).glob("*.toml")} == {part.name for part in DEEP}
    assert set(SHORT) <= {part.name for part in DEEP}


def test_parts_by_name() -> None:
    assert deep_parts(("all",)) == DEEP
    assert [part.name for part in deep_parts()] == list(SHORT)
    with pytest.raises(SpecError, match="Did you mean 'vae-mnist'"):
        deep_parts(("vae-mnst",))


def test_a_part_needs_deep(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["demo", "--part", "vae-mnist"]) == 2
    assert "Add --deep" in capsys.readouterr().err


SMALLER = {
    "flow-mnist": "generations=2,replicates=2,samples=60,reference=40,model.steps=6,model.warm_steps=4,model.warmup=2,"
    "model.batch=8,model.width=8,model.sampling_steps=2",
    "shakespeare-drift": "generations=2,replicates=2,samples=80,reference=40,model.steps=6,model.warmup=2,model.batch=8,"
    "model.width=16",
    "shakespeare-narrow": "generations=2,replicates=2,samples=80,reference=40,model.steps=6,model.warm_steps=4,"
    "model.warmup=2,model.batch=8,model.width=24",
}


def test_the_deep_demo_in_small(
    mirror: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shipped files, made small, from the command to the report."""
    from remission.networks import classifier

    whole = parts.Part.toml

    def small(part: parts.Part, size: str = "cpu") -> str:
        return Experiment.from_toml(whole(part, size), SMALLER[part.name].split(",")).to_toml()

    monkeypatch.setattr(parts.Part, "toml", small)
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(classifier, "PLAN", dataclasses.replace(classifier.PLAN, steps=60))
    assert command_line(["demo", "--deep", "-o", str(tmp_path / "deep"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["runs"]) == set(SHORT)
    page = (tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    for part in deep_parts():
        assert part.title in page
        assert (tmp_path / "deep" / f"{part.name}.toml").is_file()
        assert list((tmp_path / "deep" / part.name / "models").glob("*.safetensors"))
    log = (tmp_path / "deep" / "flow-mnist" / "log.jsonl").read_text(encoding="utf-8")
    assert "networks run on the" in log
