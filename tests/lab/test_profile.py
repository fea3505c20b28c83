"""The collapse profile: right on sets whose truth is known, silent on health."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from remission.data import Floats
from remission.errors import DataError
from remission.lab.profile import profile
from remission.numerics import frechet, neighbours, spectrum

REAL, MADE = 600, 560


def sets_of(world: str, seed: int) -> dict[str, Floats]:
    """Real, test, good, collapsed (half of the modes and of the spread lost) and copied sets of one world."""
    rng = np.random.default_rng([seed, 5])
    d = {"mixture": 24, "plane": 2, "eight": 8}[world]
    centres = 2.5 * rng.normal(size=(8, d)) if world == "mixture" else np.zeros((1, d))

    def draw(n: int, modes: int = len(centres), spread: float = 1.0) -> Floats:
        return centres[rng.integers(modes, size=n)] + spread * rng.normal(size=(n, d))

    real, test, good = draw(REAL), draw(REAL), draw(MADE)
    collapsed = draw(MADE, max(1, len(centres) // 2), 0.5)
    copied = real[rng.permutation(REAL)[:MADE]] + 1e-3 * rng.normal(size=(MADE, d))
    return {"real": real, "test": test, "good": good, "collapsed": collapsed, "copied": copied}


@pytest.mark.parametrize("world", ["mixture", "plane", "eight"])
def test_false_alarms_are_as_rare_as_promised(world: str) -> None:
    found = Counter()
    for seed in range(4):
        sets = sets_of(world, seed)
        found[profile(sets["real"], sets["test"], sets["good"], seed=seed).verdict] += 1
    assert found["healthy"] == 4, found


@pytest.mark.slow
@pytest.mark.parametrize("world", ["mixture", "plane", "eight"])
def test_right_on_fifty_seeds(world: str) -> None:
    found = {name: Counter() for name in ("good", "collapsed", "copied")}
    for seed in range(50):
        sets = sets_of(world, seed)
        for name, counter in found.items():
            counter[profile(sets["real"], sets["test"], sets[name], seed=seed).verdict] += 1
    assert found["good"]["healthy"] >= 48, found
    assert found["collapsed"]["collapsed"] == found["copied"]["memorised"] == 50, found


@pytest.mark.parametrize("world", ["mixture", "plane", "eight"])
@pytest.mark.parametrize("seed", range(2))
def test_collapsed_and_copied_sets_are_told_apart(world: str, seed: int) -> None:
    sets = sets_of(world, seed)
    collapsed = profile(sets["real"], sets["test"], sets["collapsed"], seed=seed)
    assert collapsed.verdict == "collapsed"
    assert collapsed.axis("diversity").verdict == "collapsed"
    assert (
        collapsed["precision"].estimate.value > collapsed["precision"].expected - 0.05
    )  # fidelity alone would praise it
    copied = profile(sets["real"], sets["test"], sets["copied"], seed=seed)
    assert copied.verdict == "memorised"
    assert copied["authpct"].estimate.value < 5
    assert not copied["variance-ratio"].alarm


def test_shifted_noisy_and_cut_sets() -> None:
    sets = sets_of("eight", 1)
    real, test, good = sets["real"], sets["test"], sets["good"]
    assert profile(real, test, good + 0.7).verdict == "degraded"
    assert profile(real, test, 1.5 * good).verdict == "degraded"
    inner = np.sort((good**2).sum(axis=1))[int(0.85 * MADE)]
    cut = profile(real, test, good[(good**2).sum(axis=1) < inner])
    assert cut.verdict == "collapsed"
    assert cut.axis("tails").verdict == "collapsed"


def test_numbers_are_those_of_the_metrics() -> None:
    sets = sets_of("eight", 2)
    real, test, good = sets["real"], sets["test"][:500], sets["good"][:500]
    found = profile(real, test, good)
    prdc = neighbours.prdc(test, good, 5)
    assert found["recall"].estimate.value == pytest.approx(prdc.recall, rel=1e-12)
    assert found["precision"].estimate.value == pytest.approx(prdc.precision, rel=1e-12)
    assert found["coverage"].estimate.value == pytest.approx(prdc.coverage, rel=1e-12)
    assert found["frechet"].estimate.value == pytest.approx(frechet.frechet_distance(good, test), rel=1e-9)
    assert found["authpct"].estimate.value == pytest.approx(neighbours.authpct(real, good), rel=1e-12)
    assert found["ct"].estimate.value == pytest.approx(neighbours.copying(test, good, real), rel=1e-12)
    centred = good - good.mean(axis=0)
    assert found["vendi-q1"].estimate.value == pytest.approx(spectrum.vendi(centred, (1.0,))[0], rel=1e-9)


def test_intervals_cover_the_value_at_large_n() -> None:
    """The delete-half interval of the variance ratio covers its truth, 1, in about 95 of 100 sets."""
    covered, shifted = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        real, test, good = rng.normal(size=(3, 80, 2))
        estimate = profile(real, test, good, seed=seed)["variance-ratio"].estimate
        covered += estimate.low <= 1 <= estimate.high
        shifted += estimate.low <= 2 <= estimate.high
    assert covered >= 16
    assert shifted < 16  # the same count rejects a wrong truth


def test_seeded_offset_free_and_equal_n() -> None:
    sets = sets_of("plane", 4)
    one = profile(sets["real"], sets["test"], sets["collapsed"], seed=3)
    assert one.table() == profile(sets["real"], sets["test"], sets["collapsed"], seed=3).table()
    assert one.n == MADE
    far = profile(*(sets[name] + 2.0**26 for name in ("real", "test", "collapsed")), seed=3)
    assert far.verdict == one.verdict
    assert far["recall"].estimate.value == pytest.approx(one["recall"].estimate.value, abs=0.01)
    table = one.table()
    assert {row["axis"] for row in table["metrics"]} == {"fidelity", "diversity", "authenticity", "tails"}
    assert all(isinstance(row["value"], float) for row in table["metrics"])


def test_constant_and_tiny_sets() -> None:
    rng = np.random.default_rng(0)
    real, test = rng.normal(size=(2, 100, 1))
    assert profile(real, test, np.zeros((100, 1))).verdict == "collapsed"
    with pytest.raises(DataError, match="at least 12"):
        profile(real, test, np.zeros((5, 1)))
    with pytest.raises(DataError, match="NaN"):
        profile(real, test, np.full((50, 1), np.nan))
    with pytest.raises(DataError, match="same width"):
        profile(real, test, np.zeros((50, 2)))
