"""Rules that can fail, files that are strict, runs that resume: what a published result must keep to."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission import SpecError
from remission.lab import reproduce as lab
from remission.lab.reproduction.judges import Measured, judge, point_number
from remission.lab.reproduction.rules import Check

RNG = np.random.default_rng(1)


def data(*columns: Any, key: str = "p", at: tuple[float, ...] = (), row: str = "x") -> Measured:
    """One grid point per column of replicate values (R,) or (R, T)."""
    arrays = [np.asarray(one, float).reshape(len(one), -1) for one in columns]
    at = at or tuple(range(len(columns)))
    return Measured(
        {(i, row): array for i, array in enumerate(arrays)},
        tuple(array.shape for array in arrays),
        tuple(f"{key}={value}" for value in at) if len(columns) > 1 else ("",),
        tuple({key: value} for value in at) if len(columns) > 1 else ({},),
    )


def check(rule: str, expected: float | None = None, **more: Any) -> Check:
    return Check(quantity="q", row="x", rule=rule, expected=expected, source="counted", **more)


def verdict(rule: str, expected: float | None, values: Measured, **more: Any) -> str:
    return judge(check(rule, expected, **more), values).verdict


def spread(mean: float, error: float, count: int = 400) -> np.ndarray:
    """Values whose mean and standard error are exactly these."""
    x = RNG.standard_normal(count)
    x = (x - x.mean()) / x.std(ddof=1)
    return mean + error * math.sqrt(count) * x


# --- the rules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "error", "expected"),
    [
        (1.0, 0.01, "reproduced"),
        (1.039, 0.01, "reproduced"),
        (1.041, 0.01, "differs"),
        (1.0, 0.0249, "reproduced"),
        (1.0, 0.0251, "no power"),
        (1.03, 0.0249, "no power"),
        (0.9, 0.01, "differs"),
        (math.nan, 0.01, "differs"),
    ],
)
def test_agrees_is_four_errors_and_ten_per_cent(mean: float, error: float, expected: str) -> None:
    assert verdict("agrees", 1.0, data(spread(mean, error))) == expected
    assert verdict("agrees", -1.0, data(-spread(mean, error))) == expected


def test_scales_shifts_sums_and_ratios() -> None:
    logs = RNG.normal(0.5, 0.2, 4000)
    assert verdict("agrees", 0.5, data(np.exp(logs)), scale="mean-log") == "reproduced"
    assert verdict("agrees", 0.04, data(logs), scale="variance") == "reproduced"
    assert verdict("agrees", 0.05, data(logs), scale="variance") == "differs"
    assert verdict("agrees", 5.0, data(logs), times=10.0) == "reproduced"
    assert verdict("agrees", 0.3, data(logs), minus=0.2) == "reproduced"
    two = np.stack([logs, 3 * logs + RNG.normal(0, 0.1, 4000)], axis=1)
    assert verdict("agrees", 2.0, data(two), generation="sum") == "reproduced"
    assert verdict("agrees", 3.0, data(two), over=_over(generation=1)) == "reproduced"
    assert judge(check("agrees", 1.0, generation=1), data(two)).measured == pytest.approx(logs.mean())
    apart = data(spread(2.0, 0.005), spread(1.0, 0.005))
    assert verdict("agrees", 2.0, apart, point="p=0", over=_over(point="p=1")) == "reproduced"


def _over(**fields: Any) -> Any:
    from remission.lab.reproduction.rules import Over

    return Over(**fields)


def test_the_error_of_a_ratio_knows_what_both_share() -> None:
    """Delta method against replicas: numerator and denominator of the same run move together."""
    ratios, errors = [], []
    for _ in range(300):
        under = RNG.normal(2, 0.5, 200)
        two = np.stack([under, 1.5 * under + RNG.normal(0, 0.1, 200)], axis=1)
        found = judge(check("agrees", 1.5, over=_over(generation=1)), data(two))
        ratios.append(found.measured)
        errors.append((found.high - found.low) / 8)
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.15)


@pytest.mark.parametrize(
    ("mean", "expected"), [(1.0, "reproduced"), (1.045, "no power"), (1.2, "differs"), (1.01, "reproduced")]
)
def test_near_keeps_the_whole_interval_within_the_tolerance(mean: float, expected: str) -> None:
    assert verdict("near", 1.0, data(spread(mean, 0.005)), tolerance=0.05) == expected


def test_published_means_and_single_runs() -> None:
    ours = data(spread(1.0, 0.01))
    assert verdict("published", 1.1, ours, error=0.05) == "reproduced"
    assert verdict("published", 1.11, ours, error=0.05) == "differs"
    runs = data(np.arange(100.0))
    assert [verdict("inside", value, runs) for value in (8.9, 9.0, 50.0, 89.0, 89.1)] == [
        "differs", "reproduced", "reproduced", "reproduced", "differs",
    ]  # fmt: skip
    assert verdict("inside", 5.0, data(np.arange(9.0))) == "no power"
    endless = np.where(np.arange(100) < 20, np.inf, np.arange(100.0))
    assert verdict("inside", 95.0, data(endless)) == "reproduced"


def test_below_and_above() -> None:
    ours = data(spread(1.0, 0.01))
    assert [verdict("below", bound, ours) for bound in (1.05, 1.03, 0.95)] == ["reproduced", "no power", "differs"]
    assert [verdict("above", bound, ours) for bound in (0.95, 0.97, 1.05)] == ["reproduced", "no power", "differs"]
    runs = data(np.arange(100.0))
    assert verdict("below", 99.5, runs, share=1.0) == "reproduced"
    assert verdict("below", 99.0, runs, share=1.0) == "differs"
    assert verdict("below", 90.0, runs, share=0.9) == "reproduced"
    assert verdict("below", 89.0, runs, share=0.9) == "differs"
    assert verdict("above", 9.5, runs, share=0.9) == "reproduced"
    assert verdict("above", 10.0, runs, share=0.9) == "differs"
    pairs = data(np.stack([np.arange(1.0, 101), 3 * np.arange(1.0, 101)], axis=1))
    assert verdict("below", 3.1, pairs, share=1.0, over=_over(generation=1)) == "reproduced"
    assert verdict("below", 2.9, pairs, share=1.0, over=_over(generation=1)) == "differs"


def test_order() -> None:
    rising = data(spread(1.0, 0.01), spread(1.1, 0.01), spread(1.14, 0.01))
    assert verdict("order", None, rising, points=("p=0", "p=1")) == "reproduced"
    assert verdict("order", None, rising, points=("p=1", "p=0")) == "differs"
    found = judge(check("order", points=("p=0", "p=1", "p=2")), rising)
    assert found.verdict == "no power"
    assert found.measured == pytest.approx(0.04)


def test_threshold_crossing_and_minimum() -> None:
    x = (0.1, 0.2, 0.3, 0.4)
    jump = data(*(spread(value, 0.01) for value in (0.9, 0.8, 0.2, 0.1)), at=x)
    found = judge(check("threshold", 0.25, tolerance=0.025, level=0.5), jump)
    assert (found.low, found.high, found.verdict) == (0.2, 0.3, "no power")
    near = data(*(spread(value, 0.01) for value in (0.9, 0.8, 0.2, 0.1)), at=(0.1, 0.24, 0.26, 0.4))
    assert verdict("threshold", 0.25, near, tolerance=0.025, level=0.5) == "reproduced"
    assert verdict("threshold", 0.35, near, tolerance=0.025, level=0.5) == "differs"
    assert verdict("threshold", 0.25, near, tolerance=0.025, level=0.95) == "differs"
    twice = data(*(spread(value, 0.01) for value in (0.9, 0.1, 0.9, 0.1)), at=x)
    assert verdict("threshold", 0.25, twice, tolerance=0.025, level=0.5) == "differs"
    unsure = data(*(spread(value, 0.01) for value in (0.9, 0.52, 0.1)), at=(0.1, 0.25, 0.4))
    assert verdict("threshold", 0.25, unsure, tolerance=0.02, level=0.5) == "no power"
    grid = np.linspace(0.4, 0.8, 9)
    bowl = data(*(spread(1 + (value - 0.62) ** 2, 0.0002) for value in grid), at=tuple(grid))
    assert verdict("threshold", 0.62, bowl, tolerance=0.04) == "reproduced"
    assert verdict("threshold", 0.7, bowl, tolerance=0.04) == "differs"
    slope = data(*(spread(value, 0.0002) for value in grid), at=tuple(grid))
    assert verdict("threshold", 0.4, slope, tolerance=0.04) == "differs"
    noisy = data(*(spread(1 + (value - 0.62) ** 2, 0.02) for value in grid), at=tuple(grid))
    assert verdict("threshold", 0.62, noisy, tolerance=0.04) in ("no power", "differs")


def test_the_interval_of_a_minimum_covers_it() -> None:
    grid, missed = np.linspace(0.4, 0.8, 9), 0
    for _ in range(60):
        curve = [1 + (value - 0.6) ** 2 + RNG.normal(0, 0.001) for value in grid]
        found = judge(check("threshold", 0.6, tolerance=0.06), data(*(spread(y, 0.001) for y in curve), at=tuple(grid)))
        missed += not found.low <= 0.6 <= found.high
    assert missed <= 1


def test_a_threshold_needs_one_swept_number() -> None:
    words = Measured(
        {(0, "x"): np.ones((3, 1)), (1, "x"): np.ones((3, 1))}, ((3, 1),) * 2, ("r=a", "r=b"), ({"r": "a"}, {"r": "b"})
    )
    with pytest.raises(SpecError, match="one swept number"):
        judge(check("threshold", 1.0, tolerance=0.1), words)


def test_points_by_either_name() -> None:
    names, settings = ("regime=replace", "regime=fresh(share=0.1)"), ({"regime": "replace"}, {"regime": {}})
    assert [point_number(name, names, settings) for name in ("replace", "regime=fresh(share=0.1)")] == [0, 1]
    with pytest.raises(SpecError, match="Did you mean 'replace'"):
        point_number("replac", names, settings)
    with pytest.raises(SpecError, match="no grid point ''"):
        point_number("", names, settings)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rule": "agrees"}, "needs 'expected'"),
        ({"rule": "agrees", "expected": 0.0}, "nothing is 10 % off 0"),
        ({"rule": "agrees", "expected": 1.0, "tolerance": 0.01}, "makes no use of 'tolerance'"),
        ({"rule": "near", "expected": 1.0, "tolerance": 0.2}, "proves nothing"),
        ({"rule": "order", "points": ("a",)}, "two points or more"),
        ({"rule": "published", "expected": 1.0}, "needs 'error'"),
        ({"rule": "agree", "expected": 1.0}, "Did you mean 'agrees'"),
    ],
)
def test_a_rule_gets_what_it_uses_and_nothing_else(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Check(quantity="q", row="x", source="s", **fields)


# --- the files --------------------------------------------------------------------------------------------------

FILE = """
[reproduction]
title = "A Gaussian"
paper = "Somebody (2020)"
claim = "It shrinks."
seconds = 1
[experiment]
generations = 5
replicates = 4000
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
[[check]]
quantity = "variance"
row = "moments.variance"
rule = "agrees"
expected = 0.77378
source = "closed form"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seconds = 1", "second = 1", "no key 'second'. Did you mean 'seconds'"),
        ("seconds = 1\n", "", r"\[reproduction\] needs seconds"),
        ('rule = "agrees"', 'rul = "agrees"', "no key 'rul'. Did you mean 'rule'"),
        ('source = "closed form"\n', "", r"\[\[check\]\] 'variance' needs source"),
        ("moments.variance", "moments.varance", "Did you mean 'moments.variance'"),
        ("expected = 0.77378", "expected = 0.77378\ngeneration = 6", "generation 6 of a run of 5"),
        ("expected = 0.77378", 'expected = 0.77378\npoint = "a"', "no grid point 'a'"),
        ("[experiment]", "[experimant]", "Unknown table"),
        ("[[check]]", "[[chek]]", r"no \[\[check\]\]"),
        ("seed = 1", "seed = ", "not valid TOML"),
    ],
)
def test_a_file_is_strict(old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as raised:
        lab.read(FILE.replace(old, new, 1), "mine")
    assert "Reproduction 'mine'" in str(raised.value)


@pytest.mark.parametrize("id", lab.known())
def test_shipped_files_load_and_say_where_their_numbers_come_from(id: str) -> None:
    one = lab.load(id)
    assert one.about.claim.endswith(".")
    assert one.checks
    assert all(len(check.source) > 8 for check in one.checks)
    assert one.experiment.seed != 0
    texts = [one.about.title, one.about.claim, *(check.source for check in one.checks)]
    assert not any("THEORY" in text for text in texts)


def test_there_are_enough_of_them() -> None:
    assert len([id for id in lab.known() if not lab.about(id).deep]) >= 28


@pytest.mark.parametrize("id", [id for id in lab.known() if not lab.about(id).needs])
def test_expected_numbers_are_those_of_the_registered_laws(id: str) -> None:
    """Where a law of the package applies to the row as it is, the file says what it says, to the digits it gives."""
    from remission.lab.facts import theory_of

    one = lab.load(id)
    rows, _ = theory_of(one.experiment)
    names, settings = zip(*((point.name, point.settings) for point in one.experiment.points), strict=True)
    for check in one.checks:
        if check.rule != "agrees" or not check.plain or check.scale != "mean":
            continue
        place = point_number(check.point, names, settings)
        t = one.experiment.points[place].experiment.generations if check.generation == "last" else check.generation
        for row in rows:
            if (row["point"], row["metric"], row["generation"]) != (place, check.row, t) or row["scale"] == "bound":
                continue
            if row["scale"] == "log-mean" and not check.row.endswith("log-det"):  # of the logarithm, not of the row
                continue
            if row["law"] == "first-order-risk" or not math.isfinite(row["value"]):
                continue
            assert check.expected == pytest.approx(row["value"], rel=1e-3), (check.quantity, row["law"])


# --- running ----------------------------------------------------------------------------------------------------


def mine(folder: Path, text: str = FILE) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_of_ones_own_runs_and_goes_on(tmp_path: Path) -> None:
    told: list[tuple[float, float]] = []
    [one] = lab.reproduce([mine(tmp_path)], tmp_path / "out", progress=lambda *done: told.append(done))
    assert (one.id, one.verdict, told[-1]) == ("mine", "reproduced", (1.0, 1.0))
    row = one.table()[0]
    assert row["low"] < 0.77378 < row["high"]
    assert (row["replicates"], row["generation"], row["paper"]) == (4000, "last", "Somebody (2020)")
    parts = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "mine" / "rows").iterdir()}
    [again] = lab.reproduce([mine(tmp_path)], tmp_path / "out")
    assert again.held == one.held
    assert parts == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "mine" / "rows").iterdir()}


def test_a_wrong_number_differs_and_too_few_runs_say_so(tmp_path: Path) -> None:
    wrong = FILE.replace("0.77378", "0.85")
    assert lab.reproduce([mine(tmp_path, wrong)], tmp_path / "a")[0].verdict == "differs"
    few = FILE.replace("replicates = 4000", "replicates = 40")
    assert lab.reproduce([mine(tmp_path, few)], tmp_path / "b")[0].verdict == "no power"


def test_workers_change_nothing(tmp_path: Path) -> None:
    ids = ["alemohammad-synthetic-bias", "wang-contaminated"]
    small = {}
    for id in ids:
        text = lab.load(id).text.replace("replicates  = 20000", "replicates  = 200")
        (tmp_path / f"{id}.toml").write_text(text, encoding="utf-8")
        small[id] = str(tmp_path / f"{id}.toml")
    one = lab.reproduce(small.values(), tmp_path / "one")
    two = lab.reproduce(small.values(), tmp_path / "two", workers=2)
    assert [result.id for result in two] == ids
    assert [result.held for result in one] == [result.held for result in two]
    assert one[0].held[0].replicates == 200


def test_data_that_is_not_there_is_not_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMISSION_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("REMISSION_MIRROR", str(tmp_path / "nothing"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    [one] = lab.reproduce(["suresh-bigram"], tmp_path / "out")
    assert (one.verdict, one.folder) == ("not run", None)
    assert "REMISSION_MIRROR" in one.why
    assert {row["verdict"] for row in one.table()} == {"not run"}
    assert math.isnan(one.table()[0]["measured"])


def test_deep_ones_are_listed_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def instead(unit: Any, workers: int) -> Any:
        ran.append(unit.id)
        return dataclasses.replace(lab._not_run(unit.id, ""), why="")

    monkeypatch.setattr(lab, "_run", instead)
    deep = [id for id in lab.known() if lab.about(id).deep]
    assert deep
    found = {one.id: one for one in lab.reproduce([], tmp_path, everything=True)}
    assert set(found) == set(lab.known())
    assert set(ran) == set(lab.known()) - set(deep)
    assert all("--deep" in found[id].why and found[id].verdict == "not run" for id in deep)
    ran.clear()
    lab.reproduce(deep[:1], tmp_path)
    lab.reproduce([], tmp_path, everything=True, deep=True)
    assert ran[0] == deep[0]
    assert set(ran[1:]) == set(lab.known())


def test_an_unknown_one_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="Did you mean 'shumailov-gaussian'"):
        lab.reproduce(["shumailov-gausian"], tmp_path / "out")
    with pytest.raises(SpecError, match=r"There is no file 'nothing\.toml'"):
        lab.reproduce(["nothing.toml"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
