"""Strata are kept on evidence, not on luck; and where they are kept, what is left is held by its interval."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from benchmarks.curation_coverage import World, once
from scipy.special import ndtr, ndtri

from remission.calibration.ratio import density_ratio
from remission.clinic.curation import capping
from remission.clinic.curation._evidence import ENOUGH, RAREST, Tilt, after_selection, errors, slope_error, truncated
from remission.clinic.curation._mixture import mixture
from remission.clinic.curation.capping import cap
from remission.clinic.curation.cells import kinds
from remission.clinic.curation.residual import residual
from remission.clinic.curation.rules import Rules
from remission.scored import Sample

HARD = World(0.5, 0.75, 500, 200, clustered=True)  # 10 % can hardly be reached
FEASIBLE = World(0.5, 0.95, 500, 200, clustered=True)  # 10 % can be reached


def first_counted(counted: Any, surely: Any) -> tuple[int | None, float]:
    """The rule as it was: the largest cut that keeps to the cap as counted."""
    return (int(counted[0]) if counted.size else None), math.inf


def capped(world: World, runs: int, seed: int) -> tuple[Any, Any, Any]:
    """Of corpora with something kept: held, expected share left; of all, the part kept."""
    rng = np.random.default_rng(seed)
    found = np.array([once(world, "cap", rng) for _ in range(runs)])
    there = np.isfinite(found[:, 0])
    return found[there, 0], found[there, 5], 1 - found[:, 7]


def test_luck_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cap can hardly be reached: the rule as it was kept the lucky ones and was wrong about them."""
    held, _, _ = capped(HARD, 120, 1)
    assert held.size <= 4
    monkeypatch.setattr(capping, "_taken", first_counted)
    held_before, left_before, _ = capped(HARD, 120, 1)
    assert held_before.size >= 8
    assert held_before.mean() < 0.9
    assert left_before.mean() > 0.13


def test_what_can_be_reached_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    held, left, kept = capped(FEASIBLE, 60, 2)
    assert held.size >= 58
    assert held.mean() >= 0.9
    assert left.mean() < 0.1
    monkeypatch.setattr(capping, "_taken", first_counted)
    _, _, kept_before = capped(FEASIBLE, 60, 2)
    assert kept.mean() > 0.92 * kept_before.mean()


def test_strata_kept_on_little_evidence_keep_to_the_cap_and_are_held() -> None:
    """Between the two: kept sometimes, at most the cap is left on average, and the interval knows of the selection."""
    world = World(0.5, 0.75, 5000, 1000)
    rng = np.random.default_rng(3)
    held, left, wider = [], [], []
    for _ in range(100):
        drawn = world.draw(rng)
        rules = cap([drawn.cell])
        (rule,) = rules
        if rule.drops_all:
            assert rules.facts["excess"] == {}
            continue
        truth = world.truth(rule)[0]
        forgetful = Rules("cap", (rule,), {"cap": 0.1})
        ends = [residual([drawn.cell], one).whole.after for one in (rules, forgetful)]
        assert ends[0].high >= ends[1].high - 1e-12
        assert ends[0].low == ends[1].low
        held.append(ends[0].low <= truth <= ends[0].high)
        wider.append(ends[0].high > ends[1].high)
        left.append(truth)
    assert 10 <= len(held) <= 60
    assert np.mean(left) <= 0.1
    assert np.mean(held) >= 0.93
    assert np.mean(wider) > 0.9


def test_an_interval_that_forgets_why_a_stratum_was_kept_misses() -> None:
    """Few documents and little evidence: what was kept looks cleaner than it is."""
    world, rng = World(0.5, 0.75, 500, 1000, clustered=True), np.random.default_rng(77)
    held = []
    for _ in range(120):
        drawn = world.draw(rng)
        rules = cap([drawn.cell])
        if not rules.rules[0].drops_all:
            ends = [residual([drawn.cell], one).whole.after for one in (rules, Rules("cap", rules.rules, {"cap": 0.1}))]
            held.append([one.low <= world.truth(rules.rules[0])[0] <= one.high for one in ends])
    assert len(held) >= 10
    knowing, forgetful = np.mean(held, axis=0)
    assert forgetful < 0.93 < knowing


def test_errors_are_those_of_repeated_corpora() -> None:
    """At the cut where exactly the cap is left, the statistic is standard normal over new corpora and calibrations."""
    world = World(0.5, 0.9, 3000, 600)
    values, human, synthetic = world.law
    below = [np.cumsum(one) for one in (human, synthetic)]
    left = below[1] / (below[0] + below[1])
    limit = values[int(np.searchsorted(left, 0.1))]
    rng, found = np.random.default_rng(4), []
    for _ in range(300):
        cell = world.draw(rng).cell
        kind = kinds([cell])["kind"]
        found.append(float(errors([(cell, mixture(cell, kind), Tilt.of(kind), np.array([limit]))], 0.1)[0]))
    assert abs(np.mean(found)) < 0.3
    assert 0.8 < np.std(found) < 1.15
    assert np.mean(np.array(found) > ENOUGH) < 0.16


def test_kinds_of_a_stratum_are_put_together() -> None:
    """Two kinds that are alike are as sure as their errors, which are independent, make them: by the square root of 2."""
    world, rng = World(0.3, 0.9, 3000, 600), np.random.default_rng(5)
    cell = world.draw(rng).cell
    limits = np.array([0.2, 0.5, 0.8])
    known = kinds([cell])["kind"]
    part = (cell, mixture(cell, known), Tilt.of(known), limits)
    np.testing.assert_allclose(errors([part, part], 0.1), math.sqrt(2) * errors([part], 0.1))


@pytest.mark.parametrize("clustered", [False, True])
def test_the_error_of_the_slope_is_its_spread(clustered: bool) -> None:
    world = World(0.5, 0.85, 10, 400, clustered)
    rng, runs = np.random.default_rng(6), 1500
    slopes, claimed = [], []
    for _ in range(runs):
        known = world.known(False, rng), world.known(True, rng)
        ratio = density_ratio(*known)
        slopes.append(ratio.slope)
        claimed.append(slope_error(ratio, *known))
    noise = 4 / math.sqrt(2 * runs)
    assert np.mean(claimed) == pytest.approx(np.std(slopes), rel=noise)
    assert 1.1 * np.mean(claimed) != pytest.approx(np.std(slopes), rel=noise / 2)


def test_scores_that_say_nothing_tell_no_slope() -> None:
    same = Sample.of(np.zeros(50))
    assert slope_error(density_ratio(same, same), same, same) == 1e9


def test_truncated_quantiles() -> None:
    for excess in (0.05, 0.5, 1.0, 3.0):
        z = truncated(0.025, excess)
        assert ndtr(-z) / ndtr(excess - z) == pytest.approx(0.025, rel=1e-6) or z == 12.0
    assert truncated(0.5, 8.0) == pytest.approx(0.0, abs=1e-6)
    assert after_selection(0.025, math.inf) == 0.025
    assert after_selection(0.025, 0.0) == pytest.approx(0.025 * RAREST)
    tails = [after_selection(0.025, excess) for excess in np.linspace(0, 6, 25)]
    assert (np.diff(tails) >= 0).all()


@pytest.mark.parametrize("often", [0.03, 0.2, 0.8])
def test_ends_hold_of_what_was_selected(often: float) -> None:
    """Estimates N(0, 1) that are looked at only below a bound: the high end misses 0 in at most twice 2.5 % of those."""
    rng = np.random.default_rng(7)
    found = rng.standard_normal(400_000)
    found = found[found <= ndtri(often)]
    excess = np.round(ndtri(often) - found, 2)
    ends = np.array([-ndtri(after_selection(0.025, float(one))) for one in excess.tolist()])
    assert np.mean(found + ends < 0) <= 0.05
    plain = float(np.mean(found + 1.96 < 0))
    assert plain == pytest.approx(0.025 / often, rel=0.15)
    assert plain > 0.05 or often > 0.5


def test_reasons_of_strata_that_are_dropped() -> None:
    """That it cannot be reached is another reason than that it is not sure enough; rules of files without evidence still work."""
    drawn = HARD.draw(np.random.default_rng(8))
    rules = cap([drawn.cell])
    assert rules.rules[0].drops_all
    assert "cannot be reached" in rules.notes[0]
    kept = cap([FEASIBLE.draw(np.random.default_rng(9)).cell])
    (excess,) = kept.facts["excess"].values()
    assert excess > 0
    old = dataclasses.replace(kept, facts={"cap": 0.1, "dropped_whole": []})
    assert Rules.of(old.table()).facts == old.facts


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("n", [500, 5000])
@pytest.mark.parametrize("calibration", [200, 1000])
def test_where_the_cap_can_hardly_be_reached(calibration: int, n: int, clustered: bool) -> None:
    held, left, _ = capped(World(0.5, 0.75, n, calibration, clustered), 600, 10)
    if calibration == 200:
        assert held.size <= 0.03 * 600
    else:
        assert held.mean() >= 0.93
        assert left.mean() <= (0.11 if n == 500 and clustered else 0.1)
