"""Long-term answers: right on known worlds, silent on noise, and in agreement with the laws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.battery import measure

from remission import Experiment, SpecError
from remission.data import Floats
from remission.lab.dynamics import classify, of_run, real_levels, to_the_end
from remission.lab.execute import execute
from remission.lab.long_run.absorption import absorption
from remission.lab.long_run.period import period
from remission.lab.long_run.theory import beside, end_of, ends
from remission.lab.long_run.trend import trend, windows
from remission.theory.fixation_time import fixation_time

GAUSSIAN = 'kind = "gaussian"'
UNBIASED = f'{GAUSSIAN}\nestimator = "unbiased"'
KDE = 'kind = "kde"\nbandwidth = 0.5'
UNIGRAM = 'kind = "unigram"'
TEN = 'kind = "zipf"\ntypes = 10\nexponent = 0'
COOL = "[sampling]\ntemperature = 0.8"


class Case(NamedTuple):
    """A known world at a stated size, and how it must end."""

    source: str
    model: str
    regime: str
    row: str
    verdict: str
    growth: tuple[str, ...] = ("",)
    replicates: int = 50
    generations: int = 100
    samples: int = 25
    rest: str = ""
    direction: str = "falls"
    fast: bool = True

    def toml(self, seed: int) -> str:
        metric = self.row.partition(".")[0]
        return f"""
[experiment]
generations = {self.generations}
replicates = {self.replicates}
samples = {self.samples}
seed = {seed}
fast = {str(self.fast).lower()}
reference = 100
evaluation = 100
[source]
{self.source}
[model]
{self.model}
[regime]
{self.regime}
{self.rest}
[[metric]]
kind = "{metric}"
"""

    def values(self, seed: int) -> Floats:
        return measure(self.toml(seed), self.replicates)[self.row]

    def right(self, seed: int) -> bool:
        known = real_levels(Experiment.from_toml(self.toml(seed))).get(self.row)
        fate = classify(self.values(seed), self.direction, known, self.row)
        return fate.verdict == self.verdict and (self.growth == ("",) or fate.growth in self.growth)


RATIO, TOTAL = "moments.ratio", "moments.total"
REPLACE, ACCUMULATE = 'kind = "replace"', 'kind = "accumulate"'
CASES = {
    "replace": Case(GAUSSIAN, GAUSSIAN, REPLACE, RATIO, "total-loss"),
    "replace, unbiased": Case(GAUSSIAN, UNBIASED, REPLACE, RATIO, "total-loss", generations=160),
    "log-variance": Case(GAUSSIAN, GAUSSIAN, REPLACE, "moments.log-det", "total-loss"),
    "accumulate": Case(GAUSSIAN, GAUSSIAN, ACCUMULATE, RATIO, "stable-degraded", (""), 500, 128, 10),
    "accumulate-subsample": Case(
        GAUSSIAN, GAUSSIAN, 'kind = "accumulate-subsample"', RATIO, "stable-degraded", (""), 200, 128, 10, fast=False
    ),
    "fresh": Case(GAUSSIAN, GAUSSIAN, 'kind = "fresh"\nshare = 0.1', RATIO, "stable-degraded", (""), 300, 128, 20),
    "fresh, many items": Case(GAUSSIAN, GAUSSIAN, 'kind = "fresh"\nshare = 0.5', RATIO, "healthy", (""), 100, 64, 1000),
    "bias above 1": Case(
        GAUSSIAN, GAUSSIAN, REPLACE, RATIO, "incoherent", ("exponential",), samples=100, rest="[sampling]\nbias = 1.2"
    ),
    "bias below 1, fresh": Case(
        GAUSSIAN, GAUSSIAN, 'kind = "fresh"\nshare = 0.1', RATIO, "stable-degraded", (""), 100, 128, 50,
        "[sampling]\nbias = 0.8",
    ),
    "kernel, replace": Case(
        GAUSSIAN, KDE, REPLACE, TOTAL, "incoherent", ("linear", "power"), 300, 128, 20, direction="either", fast=False
    ),
    "kernel, accumulate": Case(
        GAUSSIAN, KDE, ACCUMULATE, TOTAL, "incoherent", ("logarithmic",), 200, 128, 20, direction="either", fast=False
    ),
    "unigram": Case(
        'kind = "zipf"\ntypes = 10', UNIGRAM, REPLACE, "heterozygosity", "total-loss", (""), 100, 150, 25, fast=False
    ),
    "temperature, enough fresh": Case(
        TEN, UNIGRAM, 'kind = "fresh"\nshare = 0.35', "heterozygosity", "healthy", (""), 20, 64, 5000, COOL, fast=False
    ),
    "temperature, too little fresh": Case(
        TEN, UNIGRAM, 'kind = "fresh"\nshare = 0.1', "heterozygosity", "stable-degraded", (""), 20, 128, 5000, COOL, fast=False
    ),
    "temperature, cured too late": Case(
        TEN, UNIGRAM, 'kind = "fresh"\nshare = 0.24', "heterozygosity", "stable-degraded", (""), 20, 64, 5000,
        f'{COOL}\n[initial]\nstate = "collapsed"\ndistinct = 1', fast=False,
    ),
    "temperature, prevented in time": Case(
        TEN, UNIGRAM, 'kind = "fresh"\nshare = 0.24', "heterozygosity", "healthy", (""), 20, 64, 5000, COOL, fast=False
    ),
    "periodic": Case(GAUSSIAN, GAUSSIAN, 'kind = "periodic"\nevery = 5', RATIO, "periodic", (""), 50, 80, 20),
    "periodic in part": Case(
        GAUSSIAN, GAUSSIAN, 'kind = "periodic"\nevery = 7\nshare = 0.5', RATIO, "periodic", (""), 50, 120, 50
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_known_worlds_are_told_apart(name: str) -> None:
    assert sum(CASES[name].right(seed) for seed in range(4)) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_known_worlds_are_told_apart_on_95_in_100_seeds(name: str) -> None:
    assert sum(CASES[name].right(seed) for seed in range(100, 200)) >= 95


@pytest.mark.slow
def test_intervals_of_fixed_points_cover() -> None:
    """At a stated size, and where the number of generations is chosen by the data itself."""
    case = CASES["fresh"]
    law = next(end for end in ends(Experiment.from_toml(case.toml(0)), {RATIO}) if end.law == "fresh-mix")
    limits = [classify(case.values(seed), "falls", 1.0, RATIO).limit for seed in range(100)]
    assert sum(one.low <= law.limit <= one.high for one in limits) >= 88
    hits = 0
    for seed in range(60):
        slow = Experiment.from_toml(case._replace(generations=20, samples=100).toml(seed), ["regime.share=0.01"])
        found = to_the_end(slow, [RATIO], 2048)
        limit, truth = found.fates[0][1].limit, next(end for _, end in found.laws if end.law == "fresh-mix").limit
        hits += limit.low <= truth <= limit.high
    assert hits >= 54


def test_the_check_can_fail() -> None:
    wrong = CASES["replace"]._replace(verdict="stable-degraded")
    assert not any(wrong.right(seed) for seed in range(3))
    short = CASES["fresh"]._replace(generations=16, samples=1000, replicates=20)  # stops long before it settles
    assert not any(short.right(seed) for seed in range(3))


# --- noise --------------------------------------------------------------------------------------------------------


def ar(phi: float, replicates: int, length: int, seed: int, kind: str = "normal") -> Floats:
    rng = np.random.default_rng(seed)
    size = (replicates, length + 100)
    noise = rng.standard_normal(size) if kind == "normal" else rng.standard_t(4, size)
    out = np.zeros(size)
    for t in range(1, size[1]):
        out[:, t] = phi * out[:, t - 1] + noise[:, t]
    return out[:, 100:]


@pytest.mark.parametrize("phi", [0.0, 0.6, 0.95])
def test_noise_around_a_level_neither_drifts_nor_swings(phi: float) -> None:
    found = Counter(
        classify(100 + ar(phi, 30, 64, seed, "normal" if seed % 2 else "t"), real=100.0).verdict for seed in range(200)
    )
    assert found["healthy"] >= 195, found  # step at 99 %, then material: far fewer than 2 of 200 alarms


@pytest.mark.parametrize(("phi", "replicates"), [(0.0, 5), (0.6, 20), (1.0, 20)])
def test_false_alarms_of_the_test_of_periods(phi: float, replicates: int) -> None:
    alarms = sum(period(ar(phi, replicates, 60, seed)) is not None for seed in range(500))
    assert alarms <= 4  # stated: one in a thousand


@pytest.mark.parametrize("length", [3, 5, 8.5])
def test_a_period_is_found_shared_or_in_own_phases(length: float) -> None:
    t, rng = np.arange(80), np.random.default_rng(1)
    together = period(ar(0.3, 20, 80, 2) + np.sin(2 * np.pi * t / length))
    assert together is not None
    assert together.shared
    assert together.length == pytest.approx(length, rel=0.05) or length % 1
    phases = rng.uniform(0, 2 * np.pi, (30, 1))
    apart = period(ar(0.3, 30, 80, 3) + 2 * np.sin(2 * np.pi * t / length + phases))
    assert apart is not None
    assert apart.length == pytest.approx(length, rel=0.05)


def test_false_alarms_of_drift() -> None:
    moved = sum(trend(5 + ar(0.8, 25, 64, seed), "linear").moves for seed in range(600))
    assert 1 <= moved <= 15  # at 99 %: 6 expected, standard deviation 2.4; never would be no test
    assert trend(5 + ar(0.8, 25, 64, 0) + np.arange(64) / 10, "linear").moves


# --- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "shape"), [(1.0, lambda t: t), (0.5, np.sqrt), (0.0, np.log), (-1.0, lambda t: -1 / t)])
def test_exponent_of_growth(p: float, shape: object) -> None:
    t = np.arange(1, 257)
    curve = shape(t)
    values = 3 + curve + 0.01 * np.ptp(curve) * ar(0.5, 40, 256, 5)
    found = trend(values, "linear").exponent
    assert found.low <= p + 0.06
    assert found.high >= p - 0.06
    assert found.high - found.low < 1.5
    assert np.diff(windows(t[None].astype(float))[0]).tolist() == [48.0, 96.0]


def test_interval_of_the_exponent_covers() -> None:
    t = np.arange(1, 129)
    hits = 0
    for seed in range(200):
        found = trend(2 + 0.05 * t + 0.5 * ar(0.5, 40, 128, seed), "linear").exponent
        hits += found.low <= 1 <= found.high
    assert hits >= 180  # 95 % nominal


def test_limit_of_a_slow_approach_is_extrapolated() -> None:
    t = np.arange(1, 65)
    values = 1 + 2 / t + 0.02 * ar(0.0, 100, 64, 1)
    fate = classify(values, "falls", 1.0, margin=0.02)
    assert values[:, -1].mean() > 1.025
    assert fate.verdict == "healthy"
    assert abs(fate.limit.value - 1) < 0.01


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_return_rate_in_spite_of_noise_of_the_measurement(noise: float) -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(100):
        values = 50 + ar(0.8, 60, 64, seed) + noise * rng.standard_normal((60, 64))
        found = classify(values, real=50.0).relaxation
        hits += found.low <= 0.2 <= found.high
        assert not found.low <= 0.8 <= found.high  # what the noise would make of an ordinary regression, and more
    assert hits >= 88


def test_perturbations_decay_stay_or_grow() -> None:
    walk = np.cumsum(np.random.default_rng(0).standard_normal((60, 64)), axis=1)
    assert classify(100 + ar(0.5, 60, 64, 1)).stability == "decays"
    assert classify(1000 + walk).stability == "stays"
    assert classify(1e6 + ar(1.05, 60, 64, 1)).stability == "grows"


def test_absorption_time_agrees_with_the_chain() -> None:
    """Seen to the end and with half of the replicates censored; the interval covers, and 30 % off is rejected."""
    expected = fixation_time(20, 0.5)
    hits, off = 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        paths = np.empty((150, 400))
        share = np.full(150, 0.5)
        for t in range(400):
            share = rng.binomial(20, share) / 20
            paths[:, t] = 2 * share * (1 - share)
        for length in (400, 30):
            found = absorption(paths[:, :length], "falls")
            assert found is not None
            assert found.sure
            hits += found.time.low <= expected <= found.time.high
            off += found.time.low <= 1.3 * expected <= found.time.high
    assert hits >= 72  # of 80
    assert off <= 40


def test_a_boundary_that_is_left_does_not_absorb() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, (20, 60)).astype(float)
    assert absorption(values, "falls") is None
    assert absorption(np.ones((5, 20)), "falls") is None
    assert absorption(np.minimum(values, 0), "either") is None


def test_edges() -> None:
    rng = np.random.default_rng(0)
    few = classify(rng.normal(size=(3, 40)))
    assert (few.verdict, few.settled) == ("undecided", False)
    assert "at least 4 complete replicates" in few.advice
    assert classify(rng.normal(size=(30, 10))).verdict == "undecided"
    gap = 5 + 0.01 * rng.normal(size=(20, 40))
    gap[:3, 7] = np.nan
    assert classify(gap).replicates == 17
    constant = classify(np.full((10, 40), 0.1 + 0.2), real=0.3)
    assert constant.verdict == "healthy"
    assert classify(np.full((10, 40), 1e8) + 1e-6 * rng.normal(size=(10, 40))).verdict == "healthy"
    lost = np.where(np.arange(40) > 20, -np.inf, -1.0) * np.ones((10, 1))
    assert classify(lost, "falls").verdict == "total-loss"
    assert classify(-lost, "rises").verdict in ("total-loss", "incoherent")
    wide = classify(1 + 3 * rng.standard_normal((5, 32)), real=1.0)
    assert wide.verdict == "undecided"
    assert "replicates" in wide.advice
    for wrong in (np.zeros(5), np.zeros((0, 5))):
        with pytest.raises(SpecError, match="replicates, generations"):
            classify(wrong)
    with pytest.raises(SpecError, match="falls, rises or either"):
        classify(gap, "down")


def test_better_than_the_first_generation_is_no_damage() -> None:
    noise = 0.01 * np.random.default_rng(0).standard_normal((30, 64))
    drop = np.where(np.arange(64) < 2, 1.0, 0.5)
    assert classify(drop + noise, "rises", row="frechet").verdict == "healthy"
    assert classify(drop + noise, "falls", row="prdc.recall").verdict == "stable-degraded"
    assert classify(2 - drop + noise, "falls", row="moments.variance").verdict == "stable-degraded"  # two-sided


# --- theory -------------------------------------------------------------------------------------------------------


def test_ends_of_curves() -> None:
    t = np.arange(1, 2049)
    fresh = end_of(0.9 + 0.1 * 0.8**t)
    assert fresh.limit == pytest.approx(0.9)
    assert fresh.rate == pytest.approx(0.2)
    assert end_of(np.log(t)).exponent == pytest.approx(0.0, abs=1e-9)
    assert end_of(np.log(t)).limit == np.inf
    assert end_of(1 - 1 / t).limit == pytest.approx(1.0, abs=1e-6)
    assert np.isnan(end_of(np.full(100, np.nan)).limit)


@pytest.mark.parametrize(
    ("name", "what"),
    [("fresh", "fixed point"), ("accumulate", "fixed point"), ("log-variance", "change per generation")],
)
def test_theory_beside_ours(name: str, what: str) -> None:
    case = CASES[name]
    laws = ends(Experiment.from_toml(case.toml(0)), {case.row})
    assert laws
    known = real_levels(Experiment.from_toml(case.toml(0))).get(case.row)
    values = case.values(0)
    fate = classify(values, case.direction, known, case.row)
    found = [one for law in laws for one in beside(fate, law) if one.quantity == what]
    assert found
    assert all(one.agrees for one in found)
    bent = classify(
        values + 0.5 * (np.arange(case.generations) if what != "fixed point" else 1), case.direction, known, case.row
    )
    assert not all(one.agrees for law in laws for one in beside(bent, law))  # another world is not in agreement


def test_an_experiment_is_run_until_it_settles() -> None:
    case = CASES["fresh"]._replace(generations=4, replicates=200, samples=100)
    told: list[str] = []
    experiment = Experiment.from_toml(f'{case.toml(1)}\n[sweep]\n"regime.share" = [0.5, 0.02]\n')
    result = to_the_end(experiment, ["moments.ratio"], 512, margin=0.05, tell=told.append)
    assert [fate.verdict for _, fate in result.fates] == ["healthy", "stable-degraded"]
    assert result.generations[0] == 32
    assert result.generations[1] > 32
    assert told[0] == "regime.share=0.5: 32 generations"
    assert not result.warnings
    short = to_the_end(experiment.points[1].experiment, ["moments.log-det"], 16)
    assert short.generations == (16,)
    assert short.fates[0][1].settled or "16 generations" in short.warnings[0]
    with pytest.raises(SpecError, match=r"Did you mean 'moments\.ratio'"):
        to_the_end(experiment, ["moments.rtio"], 32)
    with pytest.raises(SpecError, match="at least 16"):
        to_the_end(experiment, (), 3)


def test_growth_that_bends_is_not_taken_for_endless() -> None:
    """The error of the mean in *replace* ends at the real variance; a short run looks like growth."""
    case = CASES["replace"]._replace(row="moments.error", generations=20, replicates=200, samples=20)
    result = to_the_end(Experiment.from_toml(case.toml(0)), ["moments.error"], 640)
    (fate,) = [fate for _, fate in result.fates]
    assert fate.verdict == "stable-degraded"
    assert fate.limit.low <= 1 <= fate.limit.high
    assert all(one.agrees for _, _, one in result.besides)


def test_one_leap_is_no_period() -> None:
    values = ar(0.9, 200, 256, 3)
    values[7, 200] += 1e4
    assert period(values) is None


def test_a_run_under_way_is_read_as_far_as_it_has_come() -> None:
    values = 5 + 0.1 * ar(0.2, 20, 64, 1)
    values[:, 40:] = np.nan
    values[0, 30:] = np.nan
    fate = classify(values)
    assert (fate.replicates, fate.generations, fate.verdict) == (19, 40, "healthy")


def test_a_stored_run_is_read_as_it_is(tmp_path: Path) -> None:
    case = CASES["fresh"]._replace(replicates=40, generations=40)
    run = execute(Experiment.from_toml(case.toml(2)), tmp_path / "run")
    result = of_run(run)
    assert {fate.row for _, fate in result.fates} >= {"moments.ratio", "moments.error"}
    assert {law.law for _, law in result.laws} >= {"fresh-mix", "moment-recursion"}
    document = result.document()
    assert document["points"] == [{"name": "", "generations": 40}]
    assert document["fates"][0]["limit"].keys() == {"value", "low", "high", "level", "method", "n"}
    assert len(result.curves()[0]["value"]) == 40
