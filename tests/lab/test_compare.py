"""Comparisons of runs: intervals cover, pairing narrows, verdicts hold together, wrong input is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission import Experiment, SpecError, StoreError
from remission.estimate import mean_is_estimable, median_interval
from remission.lab.compare import Comparison, compare
from remission.lab.comparison.difference import band_factor, differences, estimable, replicates_needed
from remission.lab.comparison.sides import Side, pairing, read_sides, sides_of
from remission.lab.execute import execute

TOML = """
[experiment]
generations = 8
replicates = 30
samples = 40
seed = 3
[source]
kind = "gaussian"
[model]
kind = "gaussian"
[regime]
kind = "replace"
[[metric]]
kind = "moments"
"""


def side(label: str, rows: dict[str, Any], direction: str = "falls", **more: Any) -> Side:
    made = Side(label, label, 1, "", {"kind": "gaussian"}, "1", label, rows, dict.fromkeys(rows, direction))
    return dataclasses.replace(made, **more)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small runs: two regimes with the same seed, one with another, and a sweep."""
    root = tmp_path_factory.mktemp("runs")
    changes = {
        "replace": [],
        "accumulate": ["regime=accumulate"],
        "seed": ["seed=4"],
        "few": ["replicates=12", "generations=5"],
        "sweep": ['sweep.regime=["replace", "accumulate"]', "replicates=10"],
    }
    for name, lines in changes.items():
        execute(Experiment.from_toml(TOML, lines), root / name)
    return {name: root / name for name in changes}


def compared(folders: dict[str, Path], *names: str, **more: Any) -> Comparison:
    return compare(read_sides([str(folders[name]) for name in names]), **more)


# --- statistics ---------------------------------------------------------------------------------------------------


def draws(kind: str, cells: int, n: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Base and run with a common part, and a true difference (of means, medians or logarithms) of ``shift``."""
    rng = np.random.default_rng(seed)
    common, a, b = rng.standard_normal((3, cells, n))
    if kind == "normal":
        return common + a, shift + common + 0.5 * b
    if kind == "log-normal":  # compared as logarithms by the caller
        return 2 * common + a, shift + 2 * common + b
    return common + rng.standard_cauchy((cells, n)), shift + common + rng.standard_cauchy((cells, n))


def coverage(base: np.ndarray, run: np.ndarray, paired: bool, truth: float) -> float:
    low, high = differences(base, run, paired).interval(0.95)
    return float(((low <= truth) & (truth <= high)).mean())


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("kind", ["normal", "log-normal", "cauchy"])
@pytest.mark.parametrize("n", [10, 40])
def test_intervals_cover(kind: str, n: int, paired: bool) -> None:
    base, run = draws(kind, 3000, n, 0.7, n)
    if not paired:
        base = base[np.random.default_rng(1).permutation(len(base))]  # no common random numbers
    found = coverage(base, run, paired, 0.7)
    assert found >= 0.935, f"{kind}, n = {n}: {found}"
    assert coverage(base, run, paired, 0.7 + 3.0) < 0.9  # the check can fail


def test_unequal_shapes_cover_unpaired() -> None:
    """Medians of heavy tails with unequal spread: what a shift model would get wrong."""
    rng = np.random.default_rng(5)
    base, run = rng.standard_cauchy((3000, 15)), 0.5 + 6 * rng.standard_cauchy((3000, 40))
    assert coverage(base, run, False, 0.5) >= 0.935


def test_shared_numbers_compared_unpaired_would_be_wrong() -> None:
    """Why runs with the same seed are always paired: with a negative correlation the unpaired interval lies."""
    rng = np.random.default_rng(2)
    common = rng.standard_normal((3000, 20))
    base, run = common, -common + 0.1 * rng.standard_normal((3000, 20))
    assert coverage(base, run, True, 0.0) >= 0.935
    assert coverage(base, run, False, 0.0) < 0.9


def test_vectorised_rule_of_estimable_means_is_the_rule() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for case in range(600):
        values = np.exp(rng.uniform(0, 4) * rng.standard_normal(int(rng.integers(1, 40))))
        if case % 3 == 1:
            values = values * rng.choice([-1, 1], values.size)
        if case % 3 == 2:
            values = np.round(values, 1)  # ties and zeros
        expected = mean_is_estimable(values)
        seen.add(expected)
        assert bool(estimable(np.sort(values)[None])[0]) == expected
    assert seen == {True, False}


def test_a_single_cell_agrees_with_scipy() -> None:
    from scipy import stats

    base, run = draws("normal", 1, 12, 0.4, 7)
    paired = stats.ttest_rel(run[0], base[0]).confidence_interval(0.9)
    welch = stats.ttest_ind(run[0], base[0], equal_var=False).confidence_interval(0.9)
    for cells, expected in ((differences(base, run, True), paired), (differences(base, run, False), welch)):
        low, high = cells.interval(0.9)
        assert [low[0], high[0]] == pytest.approx([expected.low, expected.high], rel=1e-12)


def test_medians_of_pairs_are_the_order_statistics() -> None:
    rng = np.random.default_rng(3)
    base, run = rng.standard_cauchy((2, 1, 25)) ** 3
    cells = differences(base, run, True)
    assert not cells.mean[0]
    expected = median_interval((run - base)[0], 0.9)
    low, high = cells.interval(0.9)
    assert (cells.value[0], low[0], high[0]) == (expected.value, expected.low, expected.high)


def test_blanks_and_infinities() -> None:
    base = np.array([[1.0, 2, 3, 4, np.nan, 6], [0.0, 0, -np.inf, 0, 0, 0]])
    run = np.array([[2.0, 3, np.nan, 6, 9, 7], [1.0, 2, -np.inf, 3, 4, 5]])
    cells = differences(base, run, True)
    kept = differences(base[:1, [0, 1, 3, 5]], run[:1, [0, 1, 3, 5]], True)
    assert cells.value[0] == kept.value[0]
    assert cells.interval(0.9)[0][0] == kept.interval(0.9)[0][0]
    assert not cells.mean[1]
    assert cells.value[1] == 2.5  # two equal infinities differ by nothing
    nothing = differences(np.full((1, 3), np.nan), np.ones((1, 3)), True)
    assert np.isnan(nothing.value[0])


def test_rounding_is_no_difference_and_a_constant_is() -> None:
    base = np.full((1, 10), 0.1 + 0.2)
    for paired in (True, False):
        same, other = differences(base, np.full((1, 10), 0.3), paired), differences(base, base + 1, paired)
        assert same.interval(0.95)[0][0] == same.interval(0.95)[1][0] == 0
        assert other.interval(0.95)[0][0] > 0


def test_band_holds_the_whole_curve_and_single_intervals_do_not() -> None:
    rng = np.random.default_rng(4)
    whole, single = [], []
    for _ in range(400):
        gap = np.cumsum(rng.standard_normal((20, 12)), axis=0)  # (T, n): neighbouring generations go together
        base = rng.standard_normal((20, 12))
        cells = differences(base, base + gap, True)
        t = np.abs(cells.value) / cells.se
        single.append((t <= 2.201).all())
        whole.append((t <= band_factor(base, base + gap, cells, 0.95)).all())
    assert np.mean(whole) >= 0.92  # 400 curves: 2.75 standard errors below 0.95
    assert np.mean(single) < 0.9


def test_detectable_difference_has_the_power_it_says() -> None:
    rng = np.random.default_rng(6)
    delta = (2.093 + 0.861) / np.sqrt(20)  # of standard normal differences: t at 0.975 and 0.8, 19 degrees of freedom
    gap = rng.standard_normal((6000, 20))
    base = np.zeros((6000, 20)) + rng.standard_normal((6000, 1))
    cells = differences(base, base + gap, True)
    assert float(np.median(cells.detectable(0.95))) == pytest.approx(delta, rel=0.03)
    low, high = differences(base, base + gap + delta, True).interval(0.95)
    seen = float(((low > 0) | (high < 0)).mean())
    assert 0.78 <= seen <= 0.82
    needed = replicates_needed(cells, cells.detectable(0.95), 0.95)
    assert set(needed) <= {20.0, 21.0}
    assert np.isinf(replicates_needed(cells, np.zeros(6000), 0.95)).all()


# --- runs ---------------------------------------------------------------------------------------------------------


def test_same_seed_is_paired_and_narrower(folders: dict[str, Path]) -> None:
    found = {one.row: one for one in compared(folders, "replace", "accumulate", generation=2).differences}
    ratio = found["moments.ratio"]
    assert ratio.paired
    assert ratio.n == 30
    assert ratio.correlation > 0.5
    assert ratio.variance_ratio < 0.6
    base, run = (pair for pair in read_sides([str(folders["replace"]), str(folders["accumulate"])])[0])
    alone = compare([(base, dataclasses.replace(run, seed=99))], generation=2)
    wide = next(one for one in alone.differences if one.row == "moments.ratio")
    assert not wide.paired
    assert ratio.high - ratio.low < 0.8 * (wide.high - wide.low)


def test_other_seeds_and_sweep_points_are_not_paired(folders: dict[str, Path]) -> None:
    result = compared(folders, "replace", "seed")
    assert "seeds differ (3 and 4)" in result.pairs[0].pairing.reason
    assert not any(one.verdict in ("better", "worse") for one in result.differences)
    sweep = compared(folders, "sweep")
    assert "random numbers of its own" in sweep.pairs[0].pairing.reason
    assert [(pair.base.point, pair.run.point) for pair in sweep.pairs] == [("regime=replace", "regime=accumulate")]


def test_pairing_is_noted_when_sources_or_versions_differ() -> None:
    one = side("a", {"x": np.zeros((3, 2))})
    assert pairing(one, dataclasses.replace(one, source={"kind": "ring"}, id="b")).paired
    assert "sources differ" in pairing(one, dataclasses.replace(one, source={"kind": "ring"}, id="b")).note
    assert "versions" in pairing(one, dataclasses.replace(one, version="2", id="b")).note
    assert "same experiment" in pairing(one, one).note


def test_verdicts_follow_the_direction_of_collapse(folders: dict[str, Path]) -> None:
    verdicts = {one.row: one.verdict for one in compared(folders, "replace", "accumulate").differences}
    assert verdicts["moments.log-det"] == "better"
    verdicts = {one.row: one.verdict for one in compared(folders, "accumulate", "replace").differences}
    assert verdicts["moments.log-det"] == "worse"
    rng = np.random.default_rng(0)
    base = side("a", {"x": rng.standard_normal((20, 3))})
    higher = side("b", {"x": 9 + rng.standard_normal((20, 3))}, "either")
    assert compare([(base, higher)]).differences[0].verdict == "higher"
    few = compare([(side("a", {"x": base.rows["x"][:1]}), side("b", {"x": base.rows["x"][1:2]}))])
    assert few.differences[0].verdict == "undecided"


def test_table_holds_together() -> None:
    """No difference at all: some single interval of 60 often misses 0, a verdict rarely does."""
    rng = np.random.default_rng(8)
    wrong, single = 0, 0
    for _ in range(200):
        rows = [{f"r{i}": rng.standard_normal((15, 1)) for i in range(20)} for _ in range(4)]
        sides = [side(str(number), table) for number, table in enumerate(rows)]
        found = compare([(sides[0], other) for other in sides[1:]]).differences
        wrong += any(one.verdict != "no clear difference" for one in found)
        single += any(not one.low <= 0 <= one.high for one in found)
    assert wrong <= 20  # expected at most 10 of 200, standard deviation 3
    assert single > 150


def test_scale_is_a_ratio_where_values_span_factors() -> None:
    rng = np.random.default_rng(1)
    wide, narrow = np.exp(2 * rng.standard_normal((30, 2))), 1 + 0.1 * rng.uniform(size=(30, 2))
    sides = [side(str(k), {"wide": k * wide, "narrow": narrow + k, "sign": narrow - 1.05}) for k in (1, 2)]
    found = {one.row: one for one in compare([(sides[0], sides[1])]).differences}
    assert {row: one.scale for row, one in found.items()} == {
        "wide": "ratio",
        "narrow": "difference",
        "sign": "difference",
    }
    assert found["wide"].value == pytest.approx(2)
    assert found["narrow"].value == pytest.approx(1)
    asked = compare([(sides[0], sides[1])], ["narrow"], scale="ratio", see=1.1).differences[0]
    assert asked.value == pytest.approx(np.exp(np.log((narrow[:, 1] + 2) / (narrow[:, 1] + 1)).mean()))
    with pytest.raises(SpecError, match="sign"):
        compare([(sides[0], sides[1])], scale="ratio")


def test_curves_have_bands_around_intervals(folders: dict[str, Path]) -> None:
    result = compared(folders, "replace", "accumulate")
    (curve,) = result.curves(["moments.log-det"])
    assert curve["generation"] == list(range(1, 9))
    assert curve["band"] == "max-t"
    assert all(a <= b <= c for a, b, c in zip(curve["band_low"], curve["low"], curve["value"], strict=True))
    here = next(one for one in result.differences if one.row == "moments.log-det")
    assert (curve["value"][-1], curve["low"][-1]) == (here.value, here.low)
    own = [one for one in result.own_curves() if one["row"] == "moments.log-det"]
    assert [len(one["value"]) for one in own] == [8, 8]


def test_only_what_both_have_is_compared(folders: dict[str, Path]) -> None:
    result = compared(folders, "replace", "few")
    assert result.generation == 5
    assert result.differences[0].n == 12
    assert any("18 more are not used" in warning for warning in result.warnings)
    assert all(one.value in (0, 1) for one in result.differences)  # the same random numbers, the same trajectory
    with pytest.raises(SpecError, match="1 to 5 in common"):
        compared(folders, "replace", "few", generation=7)


def test_an_unfinished_run_is_compared_as_far_as_it_is(tmp_path: Path) -> None:
    experiment = Experiment.from_toml(TOML, ["replicates=12"])
    run = execute(experiment, tmp_path / "part", workers=1)
    done = sides_of(run)[0]
    rows = {name: values.copy() for name, values in done.rows.items()}
    for values in rows.values():
        values[5:] = np.nan
    part = dataclasses.replace(done, rows=rows, key="part", label="part", missing="7 of 12 replicates are missing")
    result = compare([(done, part)])
    assert result.differences[0].n == 5
    assert result.warnings[0] == "part is not finished: 7 of 12 replicates are missing."


def test_sweeps_are_compared_point_by_point(folders: dict[str, Path], tmp_path: Path) -> None:
    execute(Experiment.from_toml(TOML, ['sweep.regime=["accumulate", "replace"]', "samples=20"]), tmp_path / "other")
    pairs = read_sides([str(folders["sweep"]), str(tmp_path / "other")])
    assert [(base.point, run.point) for base, run in pairs] == [("regime=replace",) * 2, ("regime=accumulate",) * 2]
    one = read_sides([f"{folders['sweep']}:1", f"{folders['sweep']}:replace"])
    assert [(base.point, run.point) for base, run in one] == [("regime=accumulate", "regime=replace")]


def test_wrong_input_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    replace = str(folders["replace"])
    for arguments, error, words in (
        ([replace], SpecError, "single point"),
        ([], SpecError, "at least two"),
        ([replace, replace], StoreError, "given twice"),
        ([replace, str(tmp_path)], StoreError, "not a run folder"),
        ([replace, f"{folders['sweep']}:nope"], SpecError, "no point 'nope'"),
        ([replace, str(folders["sweep"])], SpecError, "no point of the same name"),
    ):
        with pytest.raises(error, match=words):
            read_sides(arguments)
    with pytest.raises(SpecError, match=r"Did you mean 'moments\.ratio'"):
        compared(folders, "replace", "seed", rows=["moments.rtio"])
    with pytest.raises(SpecError, match="no row in common"):
        compare([(side("a", {"x": np.zeros((3, 2))}), side("b", {"y": np.zeros((3, 2))}))])
    with pytest.raises(SpecError, match="no row 'x'"):
        compare([(side("a", {"x": np.ones((3, 2)), "z": np.ones((3, 2))}), side("b", {"z": np.ones((3, 2))}))], ["x"])
    with pytest.raises(SpecError, match="no generation in common"):
        compare([(side("a", {"x": np.full((3, 2), np.nan)}), side("b", {"x": np.zeros((3, 2))}))])
    left = compare([(side("a", {"x": np.ones((3, 2)), "z": np.ones((3, 2))}), side("b", {"z": np.ones((3, 2))}))])
    assert "not all runs have them: x" in left.warnings[0]
