"""The collapse profile of a run is right on runs that collapse, and rarely alarmed by runs that do not."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from remission.lab.axes import axes_of

DIRECTIONS = {
    "prdc.precision": "either",
    "frechet": "rises",
    "prdc.recall": "falls",
    "vendi.q1-ratio": "falls",
    "tail-mass.ratio": "falls",
    "types[rare=0.1].rare-recall": "falls",
    "authenticity.authpct": "falls",
}


def steady(rng: np.random.Generator, replicates: int) -> dict[str, np.ndarray]:
    return {row: 1 + 0.1 * rng.standard_normal((replicates, 5)) for row in DIRECTIONS}


def test_every_axis_is_read_and_every_direction_understood() -> None:
    rng = np.random.default_rng(0)
    table = steady(rng, 20)
    slope = np.linspace(0, 1, 5)
    table["prdc.recall"] = table["prdc.recall"] - slope
    table["frechet"] = table["frechet"] + slope
    table["types[rare=0.1].rare-recall"] += slope
    table["prdc.precision"] += slope
    found = {reading.row: reading for reading in axes_of(table, DIRECTIONS)}
    assert found["prdc.recall"].verdict == "worse"
    assert found["frechet"].verdict == "worse"
    assert found["types[rare=0.1].rare-recall"].verdict == "better"
    assert found["prdc.precision"].verdict == "moved"
    assert found["authenticity.authpct"].verdict == "no clear change"
    assert {reading.axis for reading in found.values()} == {"fidelity", "diversity", "tails", "authenticity"}


def test_false_alarms_of_the_whole_profile() -> None:
    rng = np.random.default_rng(1)
    runs = 1000
    alarms = sum(
        any(reading.verdict not in ("no clear change",) for reading in axes_of(steady(rng, 12), DIRECTIONS))
        for _ in range(runs)
    )
    assert binomtest(alarms, runs, 0.05, alternative="greater").pvalue > 1e-3
    assert alarms > 0  # the intervals are not absurdly wide


def test_one_replicate_and_missing_values_are_undecided() -> None:
    one = axes_of({"prdc.recall": np.array([[1.0, 0.2]])}, DIRECTIONS)
    assert one[0].verdict == "undecided"
    none = axes_of({"prdc.recall": np.full((4, 3), np.nan)}, DIRECTIONS)
    assert none[0].verdict == "undecided"
    assert axes_of({}, DIRECTIONS) == []
