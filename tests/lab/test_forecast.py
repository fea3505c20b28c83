"""Forecasts of crossings: they hold as often as they say, agree with exact laws, and refuse with a reason."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import digamma

from remission import Experiment
from remission.data import Floats
from remission.errors import DataError, SpecError
from remission.lab.execute import execute
from remission.lab.forecast import Forecast, Lines, Question, forecast_lines, forecast_run, forecast_table, summary_of
from remission.lab.trends.data import lines_of_run, lines_of_table
from remission.lab.trends.law import _tested, law_of_run
from remission.store import Run

GAUSSIAN = """
[experiment]
generations = {generations}
replicates = {replicates}
samples = 50
seed = 5
[source]
kind = "gaussian"
[model]
kind = "gaussian"
[regime]
kind = "replace"
[[metric]]
kind = "moments"
"""


def one(values: Floats, question: Question, first: int = 1) -> Forecast:
    times = np.arange(first, first + len(values))
    return forecast_lines(Lines("m", times, np.asarray(values, float)[None]), question, "median")[0]


# --- coverage -----------------------------------------------------------------------------------------------------


def walks(count: int, seed: int) -> Floats:
    """Gaussian replace with n = 40: the logarithm of the variance is a random walk with drift (THEORY G5)."""
    rng = np.random.default_rng(seed)
    return np.exp(np.cumsum(np.log(rng.chisquare(39, (count, 60)) / 40), axis=1))


def ageing(count: int, seed: int) -> Floats:
    """An exponential approach to a floor, measured with error."""
    rng = np.random.default_rng(seed)
    return 2 + 8 * np.exp(-np.arange(60) / 20) + 0.3 * rng.standard_normal((count, 60))


def held(curves: Floats, narrow: float = 1.0) -> float:
    """Share of intervals, made from the first 20 generations, that hold; ``narrow`` shrinks them about the middle."""
    line = float(np.median(curves[:, 40]))
    hits = []
    for curve in curves:
        if (curve[:20] <= line).any():
            continue
        beyond = curve <= line
        truth = float(beyond.argmax() + 1) if beyond.any() else math.inf
        found = one(curve[:20], Question(line, True, 60))
        times = np.where(np.isfinite(found.times), found.times, 200.0)
        low, middle, high = np.quantile(times, [0.025, 0.5, 0.975], method="inverted_cdf")
        low, high = middle - narrow * (middle - low), middle + narrow * (high - middle)
        hits.append(low <= truth <= high or (math.isinf(truth) and high > 60))
    return float(np.mean(hits))


@pytest.mark.parametrize("world", [walks, ageing])
def test_intervals_hold(world: object) -> None:
    curves = world(45, 1)
    assert held(curves) >= 0.88
    assert held(curves, narrow=0.15) < 0.8  # a forecast that is too sure is found out


@pytest.mark.slow
@pytest.mark.parametrize(("world", "most"), [(walks, 0.99), (ageing, 1.0)])  # noise that does not add up: too wide
def test_intervals_hold_as_often_as_they_say(world: object, most: float) -> None:
    assert 0.9 <= held(world(400, 2)) <= most


# --- laws ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Run:
    text = GAUSSIAN.format(generations=12, replicates=600)
    return execute(Experiment.from_toml(text), tmp_path_factory.mktemp("forecast") / "run")


def test_the_law_of_the_mean_is_exact(stored: Run) -> None:
    found = forecast_run(stored, "moments.variance", Question(0.5, below=True), of="mean")[0]
    exact = math.ceil(math.log(0.5) / math.log(1 - 1 / 50))
    assert found.law_generation == exact == 35
    assert found.low is not None
    assert found.high is not None
    assert found.low <= exact <= found.high
    assert found.high - found.low <= 10
    assert "G1" in found.method
    assert found.backtest_n > 0


def test_the_law_of_the_logarithm_is_exact(stored: Run) -> None:
    found = forecast_run(stored, "moments.variance", Question(0.2, below=True))[0]
    drift = digamma(49 / 2) + math.log(2 / 50)
    assert found.of == "median"
    assert found.law_generation == math.ceil(math.log(0.2) / drift)
    assert "G5" in found.method
    lines = lines_of_run(stored, "moments.variance", 0)
    some = replace(lines, values=lines.values[:50], names=lines.names[:50])
    each = forecast_lines(some, Question(0.2, below=True), "each", law_of_run(stored, lines, 0, "each"))
    assert len(each) == 50
    spread = summary_of(each)
    assert spread["low"] < found.low < found.high < spread["high"]  # one line is less sure than their median


def test_a_law_that_does_not_fit_is_not_used(stored: Run) -> None:
    lines = lines_of_run(stored, "moments.variance", 0)
    t = np.arange(1, 301)
    right, wrong = (1 - 1 / 50) ** t, (1 - 1.6 / 50) ** t
    assert _tested(lines, "gaussian-variance", right, "mean").used
    refused = _tested(lines, "gaussian-variance", wrong, "mean")
    assert not refused.used
    assert "does not fit" in refused.remark
    found = forecast_lines(lines, Question(0.5, below=True), "mean", refused)[0]
    assert found.method.startswith("trend")
    assert any("does not fit" in note for note in found.notes)


def test_trends_agree_with_the_law(stored: Run) -> None:
    lines = lines_of_run(stored, "moments.variance", 0)
    found = forecast_lines(lines, Question(0.5, below=True), "mean", None)[0]
    assert found.low is not None
    assert found.low <= 35 <= (found.high or found.horizon)


# --- what is asked of -----------------------------------------------------------------------------------------------


def test_a_clear_trend() -> None:
    rng = np.random.default_rng(0)
    values = 100 * 0.95 ** np.arange(1, 21) * np.exp(0.01 * rng.standard_normal(20))
    found = one(values, Question(20, below=True))
    exact = math.log(0.2) / math.log(0.95)
    assert found.verdict == "crosses"
    assert found.low is not None
    assert found.high is not None
    assert found.low <= math.ceil(exact) <= found.high <= found.low + 6
    assert found.generation is not None
    assert abs(found.generation - exact) < 2
    assert "log" in found.candidates[0]["name"]
    assert found.sentence.startswith("m is first at or below 20 in generation 3")


def test_the_unit_of_generations_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    values = 100 * 0.95 ** np.arange(1, 21) * np.exp(0.01 * rng.standard_normal(20))
    plain = one(values, Question(20, below=True))
    lines = Lines("m", 1000 * np.arange(1, 21), values[None])
    wide = forecast_lines(lines, Question(20, below=True), "median")[0]
    assert wide.generation == 1000 * (plain.generation or 0)


def test_rising_mirrors_falling() -> None:
    rng = np.random.default_rng(1)
    values = -np.arange(1, 21) + 0.3 * rng.standard_normal(20)
    down, up = one(values, Question(-40, below=True)), one(-values, Question(40, below=False))
    assert down.generation is not None
    assert up.generation is not None
    assert abs(down.generation - up.generation) <= 1


def test_a_line_out_of_reach_is_never_crossed() -> None:
    rng = np.random.default_rng(2)
    found = one(5 + rng.standard_normal(20), Question(-60, below=True))
    assert found.verdict == "never"
    assert (found.generation, found.low, found.high) == (None, None, None)
    assert "does not come to lie" in found.sentence


# --- refusals -------------------------------------------------------------------------------------------------------


def test_too_few_generations_say_how_many_more() -> None:
    found = one(np.array([4.0, 3.5, 3.1]), Question(1, below=True))
    assert found.verdict == "refused"
    assert "3 more would do" in found.reason
    assert one(np.array([4.0, 3.5, 3.1, 2.7, 2.3, 2.1]), Question(1, below=True)).verdict != "refused"


def test_noise_gives_the_interval_of_the_drift() -> None:
    rng = np.random.default_rng(3)
    found = one(5 + rng.standard_normal(20), Question(2.0, below=True))
    assert found.verdict == "refused"
    assert "no trend can be told from noise" in found.reason
    assert found.drift["low"] < 0 < found.drift["high"]


def test_a_far_line_is_refused_and_a_horizon_answers() -> None:
    rng = np.random.default_rng(4)
    values = 100 - np.arange(20) + 0.5 * rng.standard_normal(20)
    far = one(values, Question(-100, below=True))
    assert far.verdict in ("refused", "never")
    near = one(values, Question(50.0, below=True, until=30))
    assert near.verdict == "never"
    asked = one(np.log(np.arange(2.0, 22)) + 0.1 * rng.standard_normal(20), Question(3.4, below=False, until=40))
    assert asked.verdict in ("undecided", "crosses")


def test_a_constant_row_is_refused() -> None:
    assert "not moved" in one(np.full(9, 3.0), Question(1, below=True)).reason


def test_values_that_overflow_are_refused() -> None:
    assert "logarithm" in one(1e200 * np.arange(1.0, 10), Question(-1, below=True)).reason


ODD = {
    "tiny": 1e-300 * np.exp(np.sin(np.arange(12.0))),
    "negative": -np.exp(np.sin(np.arange(12.0))),
    "alternating": (-1.0) ** np.arange(12),
    "exact": 0.9 ** np.arange(12),
    "zeros": np.maximum(0.0, 5 - np.arange(12)),
    "one step": np.where(np.arange(12) < 6, 3.0, 2.0),
    "spike": np.r_[np.ones(11), 50.0],
    "cubic": np.arange(12.0) ** 3,
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("below", [True, False])
def test_odd_rows_are_answered(name: str, below: bool) -> None:
    values = ODD[name]
    line = float(values.min() - 0.3 * np.ptp(values)) if below else float(values.max() + 0.3 * np.ptp(values))
    found = one(values, Question(line, below))
    if found.verdict == "crosses":
        assert found.low is not None
        assert found.generation is not None
        assert found.low <= found.generation <= (found.high or found.horizon)
    assert found.sentence.endswith(".")


def test_already_crossed() -> None:
    found = one(np.array([5.0, 4, 2, 3, 3, 3, 3]), Question(2.5, below=True))
    assert (found.verdict, found.generation) == ("already", 3)
    assert "other side again" in found.sentence


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (lambda: Question(math.nan, True), "must be a number"),
        (lambda: Question(1, True, None, 1.0), "level"),
        (lambda: one(np.arange(9.0), Question(20, False, 9)), "beyond the last generation"),
    ],
)
def test_bad_questions(question: object, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        question()


# --- tables ---------------------------------------------------------------------------------------------------------


def table(path: Path, rows: list[str], head: str = "generation,m") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_order_gaps_and_repeats_of_a_table(tmp_path: Path) -> None:
    rows = [f"{t},{10 - t / 2 + 0.1 * (-1) ** t}" for t in range(1, 15)]
    plain = lines_of_table(table(tmp_path / "a.csv", rows), "m")
    mixed = [*reversed(rows), rows[3], "15,", "16,nan"]
    again = lines_of_table(table(tmp_path / "b.csv", mixed), "m")
    np.testing.assert_array_equal(plain.values, again.values)
    assert again.notes == (
        "2 rows without a value of 'm' were left out.", "1 repeated rows, the same as before, count once.",
    )  # fmt: skip
    gap = lines_of_table(table(tmp_path / "c.csv", [row for row in rows if not row.startswith(("4,", "5,"))]), "m")
    assert gap.generations.tolist() == [1, 2, 3, *range(6, 15)]
    ends = [forecast_lines(one, Question(1, below=True), "median")[0].generation or 0 for one in (plain, gap)]
    assert abs(ends[0] - ends[1]) <= 2


def test_lines_and_errors_of_a_table(tmp_path: Path) -> None:
    rows = [f"{line},{t},{20 - t + 0.2 * (t % 3)},0.2" for line in "ab" for t in range(1, 12)]
    path = table(tmp_path / "t.csv", rows, "line,generation,m,se")
    lines = lines_of_table(path, "m")
    assert lines.names == ("line a", "line b")
    assert lines.errors is not None
    found = forecast_table(path, "m", Question(5, below=True), of="each")
    assert [one.name for one in found] == ["line a", "line b"]
    assert found[0].generation == pytest.approx(15, abs=2)


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        (["1,2", "2,3", "2,4"], DataError, "row 4: generation 2 was 3 before and is 4 here"),
        (["1.5,2"], DataError, "whole number"),
        (["1,two"], DataError, "must be a number. Got 'two'"),
        (["1,", "2,nan"], DataError, "all 2 are missing"),
        (["1,2,3"], DataError, "fields"),
        ([], DataError, "no rows"),
    ],
)
def test_bad_tables(tmp_path: Path, rows: list[str], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        lines_of_table(table(tmp_path / "bad.csv", rows), "m")


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", ["1,2"])
    with pytest.raises(SpecError, match=r"no column 'n'\. .*generation, m"):
        lines_of_table(path, "n")
    with pytest.raises(SpecError, match="no column 'epoch'"):
        lines_of_table(path, "m", "epoch")
    with pytest.raises(SpecError, match="neither a run folder nor a table"):
        lines_of_table(tmp_path / "none.csv", "m")


def test_rows_and_points_of_a_run_are_checked(stored: Run) -> None:
    with pytest.raises(SpecError, match=r"Did you mean 'moments.variance'"):
        forecast_run(stored, "moments.varianc", Question(1, below=True))
    with pytest.raises(SpecError, match="has 1 points, numbered from 0"):
        forecast_run(stored, "moments.variance", Question(1, below=True), point=3)


def test_a_run_without_rows_says_so(tmp_path: Path) -> None:
    run = execute(Experiment.from_toml(GAUSSIAN.format(generations=7, replicates=4)), tmp_path / "run")
    for part in (run.folder / "rows").iterdir():
        part.unlink()
    with pytest.raises(DataError, match="Nothing was measured yet at point 0"):
        forecast_run(run, "moments.variance", Question(1, below=True))
