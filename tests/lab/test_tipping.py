"""Tipping points: intervals that hold, thresholds told from slopes, hysteresis, the long run, phase diagrams, clear refusals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tests.battery import measure

from remission import Experiment
from remission.errors import SpecError, StoreError
from remission.lab.line import parse_line
from remission.lab.phases import phases
from remission.lab.search.asking import extrapolated
from remission.lab.search.crossing import Axis, Crossing, NotBracketed, Rule, Search
from remission.lab.search.trials import Trials, read
from remission.lab.tipping import sentence, tipping
from remission.numerics.local_root import fit_root

TIPPING = """
[experiment]
generations = 300
replicates = 4
samples = 100000
seed = 7
fast = true
[source]
kind = "zipf"
types = 10
exponent = 0.0
[model]
kind = "unigram"
[sampling]
temperature = 0.8
[regime]
kind = "fresh"
share = 0.2
[[metric]]
kind = "max-share"
[[metric]]
kind = "entropy"
"""

BIASED = """
[experiment]
generations = 40
samples = 50
seed = {seed}
replicates = 100
fast = true
[source]
kind = "gaussian"
[model]
kind = "gaussian"
[regime]
kind = "{regime}"
share = 0.2
[sampling]
bias = {bias}
[[metric]]
kind = "moments"
"""


class Made:
    """Readings of a curve with noise, grown as they are asked for."""

    def __init__(self, curve, spread: float, seed: int) -> None:
        self.curve, self.spread, self.rng = curve, spread, np.random.default_rng(seed)
        self.known: dict[float, np.ndarray] = {}

    def __call__(self, wanted):
        out = []
        for value, count in wanted:
            old = self.known.get(value, np.empty(0))
            if count > old.size:
                new = self.curve(value) + self.spread * self.rng.standard_normal(count - old.size)
                old = self.known[value] = np.concatenate([old, new])
            out.append(old)
        return out


def test_the_interval_of_a_root_covers() -> None:
    hits = {"mean": 0, "share": 0, "wrong": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = np.repeat(0.1 + 0.4 * (np.arange(7) + 0.5) / 7, 60)
        y = np.exp(-4 * x) - np.exp(-1.2) + 0.2 * rng.standard_normal(x.size)
        mean = fit_root(x, y, None, -1, 0.95, (0.1, 0.5))
        share = fit_root(x, (y >= 0).astype(float), 0.5, -1, 0.95, (0.1, 0.5))
        hits["mean"] += mean.low <= 0.3 <= mean.high
        hits["share"] += share.low <= 0.3 <= share.high
        hits["wrong"] += mean.low <= 0.36 <= mean.high
    assert 180 <= hits["mean"] <= 199
    assert 180 <= hits["share"] <= 199
    assert hits["wrong"] < 120  # a root that is off is found out


@pytest.mark.parametrize(
    ("curve", "spread", "share", "exact"),
    [
        (lambda x: 0.4 - x, 0.3, 0.5, 0.4),
        (lambda x: np.exp(-4 * x) - np.exp(-1.2), 0.2, None, 0.3),
        (lambda x: 1.0 if x < 0.37 else -1.0, 0.01, 0.5, 0.37),
        (lambda x: np.tanh((0.37 - x) / 0.03), 0.5, None, 0.37),
    ],
    ids=["line, median", "curve, mean", "jump", "steep, mean"],
)
def test_the_interval_of_a_search_covers(curve, spread: float, share: float | None, exact: float) -> None:
    found = [Search(Made(curve, spread, seed), Rule(share), Axis(0.0, 1.0)).run() for seed in range(60)]
    assert sum(one.low <= exact <= one.high for one in found) >= 53  # 95 % of 60 are 57; below 53 is p < 0.01
    assert np.mean([one.high - one.low for one in found]) < 0.15
    assert not any(one.rising for one in found)


def test_searches_that_cannot_be_answered_say_what_would_help() -> None:
    with pytest.raises(NotBracketed, match=r"does not bracket a crossing.*Widen the range") as told:
        Search(Made(lambda x: 1.0, 0.1, 0), Rule(0.5), Axis(0.0, 1.0)).run()
    assert told.value.kept
    with pytest.raises(SpecError, match=r"cannot be told whether the line is kept.*allow about \d+ replicates"):
        Search(Made(lambda x: 0.01 * (0.5 - x), 1.0, 0), Rule(None), Axis(0.0, 1.0)).run()
    with pytest.raises(SpecError, match=r"crossed 3 times: within .*Choose one"):
        Search(Made(lambda x: np.cos(9 * x), 0.01, 0), Rule(0.5), Axis(0.0, 1.0)).run()


def test_a_whole_number_is_searched_among_whole_numbers() -> None:
    made = Made(lambda x: 1.0 if x >= 17 else -1.0, 0.01, 0)
    found = Search(made, Rule(0.5), Axis(2, 90, whole=True)).run()
    assert (found.low, found.high) == (16, 17)
    assert all(float(value).is_integer() for value in made.known)


def test_a_jump_is_a_threshold_with_hysteresis_and_the_law_beside_it() -> None:
    found = tipping(
        Experiment.from_toml(TIPPING), "regime.share", 0.05, 0.4, parse_line("max-share <= 0.3"), hysteresis=True,
        long_run=True,
    )  # fmt: skip
    assert [one.value for one in found.long_run.crossings] == sorted(one.value for one in found.long_run.crossings)
    assert "heading for" in sentence(found)
    assert found.verdict == "threshold"
    assert found.crossing.rising
    assert 0.195 < found.crossing.low < found.crossing.high < 0.225  # noise of 100,000 items tips it a little above 0.2
    assert found.collapsed is not None
    assert found.collapsed.low - 0.002 <= 0.2740 <= found.collapsed.high + 0.002
    assert found.gap[1] > 0.03
    known = {(one.start, round(one.value, 4)) for one in found.theory if one.kind == "threshold"}
    assert known == {("real", 0.2), ("collapsed", 0.274)}
    assert "Hysteresis" in sentence(found)
    assert found.document()["threshold"] == found.crossing.value


def test_a_slope_is_no_threshold_and_the_law_crosses_where_it_was_measured() -> None:
    text = BIASED.format(seed=3, regime="fresh", bias=0.8)
    found = tipping(
        Experiment.from_toml(text), "sampling.bias", 0.3, 1.0, parse_line("moments.variance >= 0.5"), of="mean"
    )
    assert found.verdict == "no-threshold"
    document = found.document()
    assert document["threshold"] is None
    assert document["low"] is None
    exact = {one.law: one.value for one in found.theory if one.kind == "crossing"}["biased-mix"]
    width = found.crossing.high - found.crossing.low
    assert found.crossing.low - width <= exact <= found.crossing.high + width
    assert found.sudden.high < 0.5
    assert "smooth slope" in sentence(found)


@pytest.mark.parametrize("regime", ["fresh", "fixed-real"])
def test_the_thresholds_of_stability_are_where_the_variance_starts_to_grow(regime: str) -> None:
    from remission import registry

    world = Experiment.from_toml(BIASED.format(seed=1, regime=regime, bias=1.3)).world()
    law = {"fresh": "biased-mix", "fixed-real": "fixed-real-mix"}[regime]
    found = {one.key: one.value for one in registry.load("theory", law)().thresholds(world)}
    assert set(found) == {"sampling.bias", "regime.share"}

    def growth(bias: float) -> float:
        text = BIASED.format(seed=1, regime=regime, bias=bias).replace("generations = 40", "generations = 300")
        variance = measure(text, 2000)["moments.variance"].mean(axis=0)
        return float(variance[-1] / variance[-100])

    assert growth(0.97 * found["sampling.bias"]) < 1.15
    assert growth(1.05 * found["sampling.bias"]) > 2.0


def _crossing(value: float) -> Crossing:
    return Crossing(value, value - 1e-4, value + 1e-4, 0.95, True, "fit", True, (0.0, 1.0))


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_long_run_is_extrapolated_exactly(power: float) -> None:
    horizons = (100, 200, 400)
    found = extrapolated(horizons, tuple(_crossing(0.2 - 0.02 * (t / 100) ** -power) for t in horizons))
    assert found.moves
    assert found.value == pytest.approx(0.2, abs=1e-6)
    assert found.low <= 0.2 <= found.high
    still = extrapolated(horizons, tuple(_crossing(0.2) for _ in horizons))
    assert not still.moves
    assert still.value == 0.2
    slow = extrapolated(horizons, tuple(_crossing(0.2 - 2e-2 / t) for t in horizons))  # within noise
    assert not slow.moves
    assert slow.low <= 0.2 <= slow.high
    away = extrapolated(horizons, tuple(_crossing(0.01 * t) for t in horizons))
    assert np.isnan(away.value)


def test_a_search_that_was_stopped_goes_on_with_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from remission.lab.search import trials as module

    text = TIPPING.replace("generations = 300", "generations = 40").replace("samples = 100000", "samples = 10000")
    experiment = Experiment.from_toml(text)
    ask = {"over": "regime.share", "line": parse_line("max-share <= 0.3")}
    first = tipping(experiment, ask["over"], 0.01, 0.6, ask["line"], folder=tmp_path / "kept")
    journal = tmp_path / "kept" / "trials.jsonl"
    whole = journal.read_text().splitlines()
    journal.write_text("\n".join(whole[:-2]) + "\n" + whole[-2][: len(whole[-2]) // 2])  # killed while it wrote
    made = []
    measured = module._measured
    monkeypatch.setattr(module, "_measured", lambda unit, **rest: made.append(unit) or measured(unit, **rest))
    again = tipping(experiment, ask["over"], 0.01, 0.6, ask["line"], folder=tmp_path / "kept")
    assert again == first
    assert 0 < len(made) <= 2
    with pytest.raises(StoreError, match="another experiment or row"):
        tipping(dataclasses.replace(experiment, seed=8), ask["over"], 0.01, 0.6, ask["line"], folder=tmp_path / "kept")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(StoreError, match="not empty"):
        Trials(experiment, ["max-share"], folder=tmp_path / "other")


def test_a_trial_is_the_replicate_that_a_sweep_would_have_run() -> None:
    experiment = Experiment.from_toml(TIPPING.replace("generations = 300", "generations = 12"))
    values = Trials(experiment, ["entropy"]).values({"regime.share": 0.3}, 3)
    point = dataclasses.replace(experiment, sweep={"regime.share": (0.3, 0.5)}).points[0]
    from remission import run

    last = [generation.rows["entropy"] for generation in run(point.experiment, range(3), point.name)][-1]
    assert (values == last).all()


def test_a_phase_diagram_follows_the_law() -> None:
    experiment = Experiment.from_toml(TIPPING.replace("generations = 300", "generations = 150"))
    found = phases(
        experiment,
        ("sampling.temperature", 0.6, 0.95),
        ("regime.share", 0.01, 0.5),
        parse_line("max-share <= 0.3"),
        depth=2,
    )
    assert {point.phase for point in found.points} >= {"kept", "lost"}
    assert all(abs(edge.y - (1 - edge.x)) < 0.08 for edge in found.boundary)
    assert len(found.boundary) >= 8
    assert {one.law for _, one in found.theory} >= {"tipping-point"}
    assert len(found.points) < 17 * 17 / 2  # refined only where phases differ
    drawn = found.drawn().splitlines()
    assert drawn[2].count("█") < drawn[-4].count("█")  # lost at the bottom, kept at the top
    with pytest.raises(SpecError, match="two different parameters"):
        phases(experiment, ("regime.share", 0, 1), ("regime.share", 0, 1), parse_line("max-share <= 0.3"))


def test_a_search_ends_however_weak_the_slope() -> None:
    for seed in range(150):
        search = Search(Made(lambda x: 0.12 - 0.1 * x, 1.0, seed), Rule(0.5), Axis(0.0, 1.0), budget=2000)
        try:
            found = search.run()
        except SpecError:
            continue
        assert 0.0 <= found.low <= found.value <= found.high <= 1.0
        assert sum(search.spent.values()) <= 2400
    with pytest.raises(SpecError, match="budget of 100 replicates is too small"):
        Search(Made(lambda x: x - 0.5, 1.0, 0), Rule(0.5), Axis(0.0, 1.0), budget=100).run()


def test_every_point_is_read_at_its_own_last_generation() -> None:
    experiment = Experiment.from_toml(BIASED.format(seed=1, regime="replace", bias=1.0).replace("share = 0.2\n", ""))
    values = Trials(experiment, ["moments.log-det"])
    early, late = (values.values({"generations": t}, 400).mean() for t in (4, 64))
    assert early == pytest.approx(-2 * 4 / 50, abs=0.1)
    assert late == pytest.approx(-2 * 64 / 50, abs=0.3)


def test_what_is_no_number_is_never_kept() -> None:
    path = np.array([[4.0, np.nan, 3.0, 5.0], [4.0, 4.0, 4.0, 4.0]])
    for at in ("worst", "settled"):
        assert np.isnan(read(path, [3], at, True)[0, 0]) or at == "settled"
        assert read(path, [4], at, True)[1, 0] == 4.0
    assert np.isnan(read(path, [2], "worst", True)[0, 0])
    there = np.array([True, False, True, True])  # not measured at all in generation 2
    assert read(path, [4], "worst", True, there)[0, 0] == 3.0


def test_counts_are_searched_among_whole_numbers_whatever_the_range() -> None:
    experiment = Experiment.from_toml(TIPPING, ["generations=2", "sampling.temperature=1.0", "regime.share=1.0"])
    for low, high in ((10, 100), (10, 400), (9, 90)):
        found = tipping(experiment, "samples", low, high, parse_line("entropy >= 2.1"), budget=1000)
        assert float(found.crossing.value).is_integer()
    few = tipping(experiment, "samples", 4, 16, parse_line("entropy >= 1.7"), budget=1000)
    assert few.verdict == "undecided"
    assert "too few whole numbers" in sentence(few)


def test_unequal_types_have_no_threshold_of_temperature() -> None:
    from remission import registry

    law = registry.load("theory", "tipping-point")()
    assert len(law.thresholds(Experiment.from_toml(TIPPING).world())) == 3
    assert law.thresholds(Experiment.from_toml(TIPPING, ["source.exponent=1.0"]).world()) == []
    assert law.thresholds(Experiment.from_toml(TIPPING, ["source.types=1"]).world()) == []


def test_a_law_that_says_nothing_between_two_signs_has_no_crossing() -> None:
    from remission.lab.search.boundary import _root

    assert _root(lambda u: 1.0 if u < 0.4 else float("nan") if u < 0.6 else -1.0) is None
    assert _root(lambda u: 0.31 - u) == pytest.approx(0.31, abs=1e-6)


def test_a_second_search_that_fails_leaves_the_first_answer() -> None:
    experiment = Experiment.from_toml(TIPPING, ["generations=40", "samples=300"])
    found = tipping(
        experiment, "regime.share", 0.01, 0.2744, parse_line("max-share <= 0.3"), hysteresis=True, budget=1500
    )
    assert found.collapsed is not None or "collapsed start" in found.collapsed_told
    assert found.crossing.high <= 0.2744


def test_bad_questions_get_one_message() -> None:
    experiment, line = Experiment.from_toml(TIPPING), parse_line("max-share <= 0.3")
    with pytest.raises(SpecError, match=r"No row 'max-shard' is measured. Did you mean 'max-share'"):
        tipping(experiment, "regime.share", 0.1, 0.3, parse_line("max-shard <= 0.3"))
    with pytest.raises(SpecError, match="must go up"):
        tipping(experiment, "regime.share", 0.3, 0.1, line)
    with pytest.raises(SpecError, match="has no key 'shares'"):
        tipping(experiment, "regime.shares", 0.1, 0.3, line)
    with pytest.raises(SpecError, match="also sweeps over samples"):
        tipping(dataclasses.replace(experiment, sweep={"samples": (10, 20)}), "regime.share", 0.1, 0.3, line)
    with pytest.raises(SpecError, match="between 0 and 1"):
        tipping(experiment, "regime.share", 0.1, 0.3, line, of=1.5)
    for text in ("max-share", "max-share > 0.3", ">= 3", "a >= b", "a >= nan"):
        with pytest.raises(SpecError, match="ROW>=NUMBER"):
            parse_line(text)


@pytest.mark.parametrize(
    ("model", "source", "row"),
    [
        ('kind = "unigram"', 'kind = "zipf"\ntypes = 10\nexponent = 0.5', "heterozygosity"),
        ('kind = "gaussian"\nestimator = "unbiased"', 'kind = "gaussian"', "moments.variance"),
    ],
    ids=["unigram", "gaussian"],
)
def test_a_collapsed_start_has_the_same_law_on_the_fast_path(model: str, source: str, row: str) -> None:
    def rows(fast: str):
        text = f"""
[experiment]
generations = 3
samples = 53
seed = 4
fast = {fast}
[source]
{source}
[model]
{model}
[regime]
kind = "fresh"
share = 0.2
[initial]
state = "collapsed"
distinct = 3
[[metric]]
kind = "{row.split(".")[0]}"
"""
        return measure(text, 6000)[row]

    fast, slow = rows("true"), rows("false")
    assert np.allclose(fast[:, 0], slow[:, 0])  # the same few items
    gap = fast[:, -1].mean() - slow[:, -1].mean()
    assert abs(gap) < 4 * np.hypot(fast[:, -1].std(), slow[:, -1].std()) / np.sqrt(len(fast))
