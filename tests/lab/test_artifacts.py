"""Amplified, held or washed out: verdicts on planted artifacts, from numbers and from a whole run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from remission import Experiment
from remission.lab.artifacts import neutral_rows, verdict_on
from remission.lab.execute import execute
from remission.lab.reading import Reading
from remission.report.build import build

FLAT = np.full(3, 0.2)


def rates(last, spread=0.02, r=30):
    rng = np.random.default_rng(5)
    out = np.tile([0.2, 0.2, last], (r, 1)) + spread * rng.normal(size=(r, 3))
    return np.clip(out, 0.0, 1.0)


@pytest.mark.parametrize(
    ("last", "spread", "verdict", "side"),
    [
        (0.4, 0.02, "amplified", "above"),
        (0.2, 0.02, "held", "on"),
        (0.05, 0.02, "washed out", "below"),
        (0.2, 2.0, "undecided", "on"),
    ],
)
def test_verdicts(last, spread, verdict, side):
    found = verdict_on(rates(last, spread), FLAT)
    assert (found.verdict, found.side) == (verdict, side)
    assert found.ratio.value == pytest.approx(found.rate.value / 0.2)
    assert f"artifact is {verdict}: " in found.sentence


def test_washing_out_as_fast_as_clean_data_come_is_the_neutral_line():
    line = np.array([0.2, 0.1, 0.05])
    assert verdict_on(rates(0.05), line).side == "on"
    assert verdict_on(rates(0.05), line).verdict == "washed out"
    assert verdict_on(rates(0.15), line).side == "above"


def test_few_runs_decide_nothing_and_all_or_nothing_is_said():
    assert verdict_on(rates(0.9, r=1), FLAT).verdict == "undecided"
    ends = np.tile([0.2, 0.2, 0.0], (40, 1))
    ends[:8, 2] = 1.0
    found = verdict_on(ends, FLAT)
    assert (found.gone, found.everywhere) == (0.8, 0.2)
    assert "in no item in 80 % of the runs, and in every item in 20 %" in found.sentence


EXPERIMENT = """
[experiment]
generations = 4
samples = 60
replicates = 12
seed = 2
[source]
kind = "artifact"
base = { kind = "digits" }
rate = 0.3
[model]
kind = "kde"
bandwidth = 0.001
[regime]
kind = "replace"
[[metric]]
kind = "artifact-rate"
[sweep]
"model.bandwidth" = [0.001, 0.4]
"""


def test_a_run_tells_what_the_kernel_does(tmp_path: Path):
    reading = Reading(execute(Experiment.from_toml(EXPERIMENT), tmp_path / "run"))
    fates = [row for row in reading.verdicts if row["definition"] == "artifact-rate"]
    assert [row["verdict"] for row in fates] == ["held", "washed out"]
    assert [row["side"] for row in fates] == ["on", "below"]
    assert {row["value"] for row in reading.neutral} == {0.3}
    report = build(reading)
    said = report.sections[0].findings
    assert "The artifact is held" in said[0].sentence
    assert "The artifact is washed out" in said[1].sentence
    chart = next(chart for chart in report.charts if chart.name == "artifact-rate")
    names = {series.name: series.kind for series in chart.series}
    assert "model.bandwidth=0.4, frequencies kept" in names, "no law, but the neutral line"
    assert names["model.bandwidth=0.001, theory artifact-rate"] == "theory"
    assert not any(
        "artifact-rate" in str(row) for table in report.tables if "collapse" in table.title for row in table.rows
    )


def test_other_experiments_have_no_neutral_line():
    plain = Experiment.from_toml(EXPERIMENT.replace('kind = "artifact"\nbase = { kind = "digits" }\nrate = 0.3', 'kind = "digits"')
                                 .replace('kind = "artifact-rate"', 'kind = "moments"'))  # fmt: skip
    assert neutral_rows(plain) == []
    assert neutral_rows(dataclasses.replace(plain, sweep={})) == []
