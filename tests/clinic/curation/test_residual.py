"""What rules leave: intervals that hold, although the rule was chosen on the same data; and sums over strata and kinds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from benchmarks.curation_coverage import POLICIES, Several, World, once

from remission.clinic.curation.cells import Cell
from remission.clinic.curation.excluding import exclude
from remission.clinic.curation.residual import Residual, residual
from remission.clinic.curation.rules import Rule, Rules, keep_all
from remission.clinic.curation.weighing import weigh
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.registry import load
from remission.scored import Sample, Scored

WORLD = World(0.5, 0.95, 5000, 1000)


def coverage(world: World, policy: str, runs: int, seed: int) -> Any:
    """Held "expected", held when the truth is 10 % more or less, held loss: shares of the runs."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(runs):
        held, _, lost, _, value, truth, half, _ = once(world, policy, rng)
        found.append((held, abs(value - 1.1 * truth) <= half, abs(value - 0.9 * truth) <= half, lost))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("policy", [*POLICIES])
def test_intervals_hold_and_would_not_hold_anything_else(policy: str) -> None:
    """Corpora of known origin, the rule chosen on the same data; 10 % off is seen where the interval is narrow."""
    world = World(0.5, 0.95, 20_000, 3000)
    held, more, less, lost = coverage(world, policy, 100, 1)
    assert held >= 0.88  # 0.95 within 3.2 standard errors of 100 runs
    assert max(more, less) < held - 0.1
    assert lost >= 0.9


@pytest.mark.parametrize("policy", [*POLICIES])
def test_nothing_synthetic(policy: str) -> None:
    held, _, _, _ = coverage(World(0.0, 0.95, 1000, 300), policy, 100, 2)
    assert held >= 0.92


def test_units_count_once() -> None:
    """Near-copies in the corpus and units in the calibration: taken as independent, the interval would be too narrow."""
    world = World(0.3, 0.9, 2000, 1000, clustered=True)
    rng = np.random.default_rng(3)
    drawn = world.draw(rng)
    cell = drawn.cell
    rules = weigh([cell])
    whole = residual([cell], rules).whole
    alone = Cell(
        cell.stratum, cell.kind, cell.values, cell.counts, Sample.of(cell.human.scores), Sample.of(cell.synthetic.scores),  # type: ignore[union-attr]
        cell.share, cell.n,
    )  # fmt: skip
    narrow = residual([alone], rules).whole
    assert whole.after.high - whole.after.low > 1.15 * (narrow.after.high - narrow.after.low)
    assert whole.effective == pytest.approx(narrow.effective * cell.size / cell.n)


def test_before_is_the_share_that_matched_estimates() -> None:
    world = World(0.2, 0.9, 3000, 500)
    drawn = world.draw(np.random.default_rng(4))
    found = residual([drawn.cell], keep_all([drawn.cell])).whole
    scores = np.repeat(drawn.cell.values, drawn.cell.counts.astype(int))
    matched = load("prevalence", "matched")()
    expected = matched.estimate(Scored(Sample.of(scores), drawn.cell.human, drawn.cell.synthetic))
    for one in (found.before, found.after):
        assert one.value == pytest.approx(expected.value, abs=2e-3)
        assert (one.low, one.high) == pytest.approx((expected.low, expected.high), abs=3e-3)
    assert found.human_lost.high == 0
    assert (found.kept, found.dropped, found.weight) == (3000, 0, 3000)


def test_value_is_the_closed_form() -> None:
    drawn = WORLD.draw(np.random.default_rng(5))
    rules = exclude([drawn.cell])
    found = residual([drawn.cell], rules)
    row = found.whole
    eta, sigma = (float(rules.rules[0].weight(s.scores).mean()) for s in (drawn.cell.human, drawn.cell.synthetic))  # type: ignore[union-attr]
    share = row.before.value
    assert row.after.value == pytest.approx(share * sigma / (share * sigma + (1 - share) * eta))
    assert row.human_lost.value == pytest.approx(5000 * (1 - share) * (1 - eta))
    assert row.after.low < row.after.value < row.after.high < row.before.value
    assert row.scatter == pytest.approx(math.sqrt(row.after.value * (1 - row.after.value) / row.kept))
    assert json.loads(json.dumps(found.table()))["rows"][0]["stratum"] == "all"
    assert found.row("all") == found.rows[1]


def test_strata_add_up_and_share_the_error_of_their_calibration() -> None:
    """Ten strata of one kind: their calibration errs together, so the whole is not much surer than a stratum."""
    rng = np.random.default_rng(6)
    world = World(0.3, 0.9, 5000, 300)
    known = (world.known(False, rng), world.known(True, rng))
    cells = [world.draw(rng, f"{number}", known).cell for number in range(10)]
    common = residual(cells, exclude(cells))
    width = common.whole.before.high - common.whole.before.low
    each = np.mean([row.before.high - row.before.low for row in common.rows[1:]])
    assert width > 0.6 * each
    mean = sum(row.after.value * row.weight for row in common.rows[1:]) / common.whole.weight
    assert common.whole.after.value == pytest.approx(mean, rel=0.01)
    assert common.whole.documents == 50_000
    own = [
        Cell(
            cell.stratum,
            cell.stratum,
            cell.values,
            cell.counts,
            world.known(False, rng),
            world.known(True, rng),
            cell.share,
            cell.n,
        )
        for cell in cells
    ]
    apart = residual(own, exclude(own)).whole.before
    assert apart.high - apart.low < 0.5 * width


def test_intervals_of_several_strata_and_kinds_hold() -> None:
    """Of the whole corpus, whose parts share calibrations, many of them too small to be estimated by themselves."""
    rng = np.random.default_rng(7)
    several = Several(strata=6, n=200, calibration=500, auroc=0.9)
    found = np.array([several.once("weigh", rng) for _ in range(60)])
    assert 0.88 <= found[:, 0].mean() <= 1
    assert abs(found[:, 1].mean()) < 0.1 * found[:, 2].mean()  # cut at 0, small strata would add up to too much
    wrong = np.abs(found[:, 1] + 0.5 * found[:, 2]) <= found[:, 3]
    assert wrong.mean() < 0.6


def bounded(low: float, high: float, rng: Any, share: float = 0.3, n: int = 3000) -> tuple[Cell, Any, Any]:
    world = World(share, 0.97, n, 1000)
    made = rng.random(n) < share
    scores = world.score(made, rng)
    return (
        Cell.of("x", "kind", scores, world.known(False, rng), None, Estimate(math.nan, low, high, 0.95, "bounds", n)),
        made,
        scores,
    )


def test_bounds_hold_whatever_is_caught_and_are_reached() -> None:
    """The ends are those of the share carried through; a share outside the bounds would lie outside of them, too."""
    rng = np.random.default_rng(8)
    held, lows = [], []
    for _ in range(60):
        cell, made, scores = bounded(0.28, 0.4, rng)
        (rule,) = exclude([cell])
        row = residual([cell], Rules("exclude", (rule,), {})).whole
        left = float(made[rule.weight(scores) > 0].mean())
        assert math.isnan(row.after.value)
        held.append(row.after.low <= left <= row.after.high)
        lows.append(row.after.low)
        assert row.before.low == 0.28
    assert np.mean(held) >= 0.95
    assert np.median(lows) > 0
    kept = float(cell.counts @ rule.weight(cell.values)) / cell.n
    assert row.after.high == pytest.approx(1 - 0.6 / kept, abs=0.045)
    wrong, _, _ = bounded(0.05, 0.15, rng)
    assert residual([wrong], exclude([wrong])).whole.after.high < float(made[rule.weight(scores) > 0].mean()) + 0.1


def test_bounds_of_a_rule_that_does_nothing_are_those_of_the_share() -> None:
    cell, _, _ = bounded(0.1, 0.7, np.random.default_rng(9))
    row = residual([cell], keep_all([cell])).whole
    assert (row.after.low, row.after.high) == pytest.approx((0.1, 0.7))
    assert row.human_lost.high == 0
    open_ended, _, _ = bounded(0.0, 1.0, np.random.default_rng(9))
    row = residual([open_ended], exclude([open_ended])).whole
    assert (row.after.low, row.after.high) == (0.0, 1.0)


def test_one_bounded_kind_leaves_bounds_of_the_stratum() -> None:
    rng = np.random.default_rng(10)
    world = World(0.3, 0.9, 3000, 500)
    cells = [world.draw(rng, "x").cell, bounded(0.2, 0.5, rng)[0]]
    second = cells[1]
    cells[1] = Cell("x", "other", second.values, second.counts, second.human, None, second.share, second.n)
    row = residual(cells, exclude(cells)).row("x")
    assert math.isnan(row.after.value)
    assert row.after.method == "inverted+bounds"
    assert row.before.low == pytest.approx(
        (0.2 + residual(cells[:1], exclude(cells[:1])).whole.before.low) / 2, abs=1e-6
    )


def test_a_score_that_says_nothing_leaves_everything_open() -> None:
    same = Sample.of(np.linspace(0, 1, 300))
    share = Estimate(0.5, 0.0, 1.0, 0.95, "matched", 100)
    cell = Cell.of("x", "k", np.linspace(0, 1, 100), same, same, share)
    row = residual([cell], keep_all([cell])).whole
    assert (row.after.low, row.after.high) == (0.0, 1.0)


def test_everything_dropped() -> None:
    drawn = WORLD.draw(np.random.default_rng(11))
    rules = Rules("cap", (Rule("all", "kind", "cap", (), (0.0,), "cap"),), {})
    row = residual([drawn.cell], rules).whole
    assert math.isnan(row.after.value)
    assert math.isnan(row.after.high)
    assert (row.kept, row.dropped, row.effective) == (0, 5000, 0)
    assert row.human_lost.value == pytest.approx(5000 * (1 - row.before.value))
    assert row.human_lost.low < 2500 < row.human_lost.high


def test_bad_input() -> None:
    drawn = WORLD.draw(np.random.default_rng(12))
    with pytest.raises(SpecError, match="level"):
        residual([drawn.cell], keep_all([drawn.cell]), level=1.0)
    with pytest.raises(DataError, match="No rule"):
        residual([drawn.cell], Rules("cap", (), {}))
    found: Residual = residual([drawn.cell], keep_all([drawn.cell]), level=0.8)
    with pytest.raises(DataError, match="no stratum 'x'"):
        found.row("x")
    wide = residual([drawn.cell], keep_all([drawn.cell])).whole.after
    assert found.whole.after.high - found.whole.after.low < 0.8 * (wide.high - wide.low)


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("policy", [*POLICIES])
def test_intervals_hold_over_the_grid(policy: str, clustered: bool) -> None:
    kinds: Sequence[World] = [
        World(share, auroc, n, calibration, clustered)
        for share in (0.02, 0.1, 0.5)
        for auroc in (0.75, 0.95)
        for n in (500, 5000)
        for calibration in (200, 1000)
    ]
    held = np.concatenate([[once(world, policy, np.random.default_rng(s))[0] for s in range(60)] for world in kinds])
    assert 0.93 <= np.nanmean(held) <= 0.99


def test_what_is_possible_before_is_possible_after() -> None:
    """Three kinds, nearly all synthetic: where the interval before holds nothing but synthetic documents, so does the one after."""
    possible = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        told, cells = Estimate(0.98, 0.9, 1.0, 0.95, "told", 1000), []
        for kind in ("a", "b", "c"):
            human, synthetic = Sample.of(rng.normal(0, 1, 400)), Sample.of(rng.normal(3.3, 1, 300))
            scores = np.where(rng.random(344) < 0.98, rng.normal(3.3, 1, 344), rng.normal(0, 1, 344))
            cells.append(Cell.of("all", kind, scores, human, synthetic, told))
        whole = residual(cells, weigh(cells)).whole
        if whole.before.high == 1:
            assert whole.after.high == 1
            possible += 1
        if whole.before.low == 0:
            assert whole.after.low == 0
    assert possible >= 3
