"""The filter behind forecasts against plain linear algebra, and the pieces that choose and widen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from remission.data import Floats
from remission.lab.trends.backtest import RISES, WIDTHS, Backtest, Score, crossing, crps, held, interval, weights_of
from remission.lab.trends.filter import Row, known_at, quantum_of, simulate
from remission.lab.trends.models import LEVEL, LOG, LOGIT, Cell, back, candidates, onto, stretch

STEPS = np.array([0, 1, 2, 4, 5, 7, 8, 9, 10, 13])
CELLS = [
    Cell(LEVEL, "linear", r=1.0, stationary=True),
    Cell(LEVEL, "linear", f=0.8, q=0.18, r=0.5, stationary=True),
    Cell(LEVEL, "linear", f=1.0, q=1.0, r=0.5),
    Cell(LEVEL, "exponential", (6.0,), f=math.exp(-1 / 6), q=1.0, r=1.0),
    Cell(LEVEL, "power", (-0.5, 2.0), f=1.0, q=1.0, r=2.0),
    Cell(LEVEL, "damped", (0.9,), f=1.0, q=1.0, v=0.3, r=0.5, p=0.9),
]
ROW = Row(STEPS, np.array([5.0, 4.1, 4.4, 3.0, 3.3, 2.6, 2.2, 2.5, 1.9, 1.2]), np.ones(len(STEPS)))


def latent_shocks(cell: Cell, steps: int) -> Floats:
    """Latent levels at steps 0 .. as a matrix times independent unit shocks."""
    shocks = 2 * steps + 1
    level, slope, out = np.zeros(shocks), np.zeros(shocks), []
    if cell.stationary:
        level[-1] = math.sqrt(cell.q / max(1 - cell.f**2, 1e-12))
    for t in range(steps):
        out.append(level)
        level, slope = cell.f * level + slope, cell.p * slope
        level[2 * t] += math.sqrt(cell.q)
        slope[2 * t + 1] += math.sqrt(cell.v)
    return np.array(out)


def dense(cell: Cell, row: Row, ahead: int) -> tuple[Floats, float, float, Floats, Floats]:
    """Coefficients, residual sum of squares, log evidence; mean and covariance (over the variance) of what comes."""
    last = int(row.steps[-1])
    shocks = latent_shocks(cell, last + ahead + 1)
    whole = shocks @ shocks.T + cell.r * np.eye(last + ahead + 1)
    new = last + 1 + np.arange(ahead)
    v = whole[np.ix_(row.steps, row.steps)]
    x, x_new = cell.columns(row.steps.astype(float)), cell.columns(new.astype(float))
    y = row.values
    inverse = np.linalg.inv(v)
    xx = x.T @ inverse @ x
    b = np.linalg.solve(xx, x.T @ inverse @ y)
    rest = y - x @ b
    square = float(rest @ inverse @ rest)
    logs = [np.linalg.slogdet(one)[1] for one in (v, xx, x.T @ x)]
    evidence = -0.5 * (logs[0] + logs[1] - logs[2] + (len(y) - 2) * math.log(square))
    gain = whole[np.ix_(new, row.steps)] @ inverse
    mean = x_new @ b + gain @ rest
    tilt = x_new - gain @ x
    cov = whole[np.ix_(new, new)] - gain @ whole[np.ix_(row.steps, new)] + tilt @ np.linalg.inv(xx) @ tilt.T
    return b, square, evidence, mean, cov


@pytest.mark.parametrize("number", range(len(CELLS)))
def test_filter_is_generalised_least_squares(number: int) -> None:
    known = known_at(ROW, CELLS, [6, len(STEPS)])[-1]
    _, square, evidence, mean, cov = dense(CELLS[number], ROW, 5)
    assert known.square[number] == pytest.approx(square, rel=1e-6)
    assert known.evidence[number] == pytest.approx(evidence, rel=1e-6)
    rng = np.random.default_rng(1)
    paths = simulate(known, CELLS, np.full(40_000, number), 5, rng)
    variance = np.diag(cov) * square / (known.dof - 2)
    error = np.sqrt(variance / len(paths))
    assert (np.abs(paths.mean(axis=0) - mean) < 4 * error).all()
    assert paths.var(axis=0) == pytest.approx(variance, rel=0.1)
    other = dense(CELLS[(number + 1) % len(CELLS)], ROW, 5)
    assert abs(known.square[number] - other[1]) > 0.01 * square  # the comparison can fail


def test_an_earlier_origin_knows_nothing_of_what_came_after() -> None:
    other = Row(STEPS, np.concatenate([ROW.values[:6], ROW.values[6:] + 7]), ROW.error)
    one, two = (known_at(row, CELLS, [6, len(STEPS)])[0] for row in (ROW, other))
    np.testing.assert_array_equal(one.coefficients, two.coefficients)
    np.testing.assert_allclose(one.square, two.square, rtol=1e-12)


def test_an_offset_changes_nothing() -> None:
    shifted = Row(STEPS, ROW.values + 1e8, ROW.error)
    one, two = (known_at(row, CELLS, [len(STEPS)])[0] for row in (ROW, shifted))
    np.testing.assert_allclose(two.square, one.square, rtol=1e-5)


def test_evidence_finds_the_scale() -> None:
    rng = np.random.default_rng(3)
    logs = np.cumsum(0.1 + 0.05 * rng.standard_normal(30))
    cells = [Cell(scale, "linear", f=1.0, q=1.0) for scale in (LEVEL, LOG)]
    for values, best in ((np.exp(logs), 1), (50 + logs * 3, 0)):
        evidence = known_at(Row(np.arange(30), values, np.ones(30)), cells, [30])[0].evidence
        assert int(evidence.argmax()) == best


def test_replicates_inform_the_noise() -> None:
    rng = np.random.default_rng(4)
    walks = np.cumsum(rng.standard_normal((400, 8)), axis=1)
    row = Row(np.arange(8), walks.mean(axis=0), np.ones(8), walks, 1 / 400, mean=True)
    known = known_at(row, [Cell(LEVEL, "linear", f=1.0, q=1.0)], [8])[0]
    assert known.dof > 20
    assert known.square[0] / known.dof == pytest.approx(1 / 400, rel=0.3)


@pytest.mark.parametrize("scale", [LEVEL, LOG, LOGIT])
def test_scales(scale: str) -> None:
    values = np.array([0.01, 0.3, 0.77])
    np.testing.assert_allclose(back(scale, onto(scale, values)), values)
    slope = (onto(scale, values * (1 + 1e-6)) - onto(scale, values)) / (1e-6 * values)
    np.testing.assert_allclose(np.exp(stretch(scale, values)), slope, rtol=1e-4)


def test_every_asked_for_trend_is_there() -> None:
    names = {one.name for one in candidates(20, 1.0, True, True)}
    assert {
        "linear", "exponential to a floor", "power law", "logistic", "log-linear", "random walk with drift",
        "random walk with drift of the log", "damped trend",
    } <= names  # fmt: skip
    assert {one.scale for one in candidates(20, 1.0, False, False)} == {LEVEL}


def test_crossings_and_intervals() -> None:
    paths = np.array([[1.0, 2, 3], [3, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(crossing(paths, 2.0, RISES), [2, 1, math.inf])
    middle, low, high = interval(np.array([math.inf, 4, 5, 6]), 0.95)
    assert (low, middle, high) == (4, 5, math.inf)
    assert quantum_of(np.array([9.0, 7, 7, 4])) == 1.0


def test_crps_is_the_mean_absolute_error_of_a_point() -> None:
    assert crps(np.full((50, 1), 2.0), np.array([5.0]))[0] == pytest.approx(3)
    rng = np.random.default_rng(0)
    normal = crps(rng.standard_normal((20_000, 1)), np.array([0.0]))[0]
    assert normal == pytest.approx(2 / math.sqrt(2 * math.pi) - 1 / math.sqrt(math.pi), rel=0.03)


def test_weights_follow_errors_and_near_ties_share() -> None:
    even = weights_of(np.zeros(3), np.zeros(3), np.array([1.0, 1.02, 9.0]), 30)
    assert even[1] > 0.8 * even[0]
    assert even[2] == 0
    assert weights_of(np.array([0.0, -1e4]), np.zeros(2), np.ones(2), 0)[1] == 0


def test_width_answers_to_misses() -> None:
    hits = np.ones((40, len(WIDTHS)), dtype=bool)
    hits[:10, :3] = False
    made = Backtest((Score("linear", 1, 0, 1),), hits, np.arange(40) % 4, 0.95)
    assert made.width == WIDTHS[3]
    assert made.coverage == 1.0
    hits[::2] = False
    assert Backtest((), hits, np.arange(40) % 4, 0.95).coverage == 0.5


def test_counts_have_a_unit() -> None:
    assert quantum_of(np.array([0.5, 0.3, 0.3, 0.2])) == pytest.approx(0.1)
    assert quantum_of(np.array([0.5, 0.31, 0.31, 0.2])) == 0.0
    assert quantum_of(np.array([0.5, 0.5])) == 0.0


def test_lines_of_a_backtest_are_even_odds() -> None:
    """Narrow paths around the truth hold, the same paths beside it do not."""
    rng = np.random.default_rng(0)
    truth = np.arange(1.0, 11)
    near = truth + 0.3 * rng.standard_normal((500, 10))
    ahead = np.arange(1, 11)
    assert all(row[0] for row in held([near], ahead, truth, RISES, 0.95))
    assert not all(row[0] for row in held([near], ahead, truth - 4, RISES, 0.95))
