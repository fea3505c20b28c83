"""Rules of curation: what they promise, on corpora whose documents are of known origin."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from benchmarks.curation_coverage import World

from remission.calibration.conformal import p_values
from remission.calibration.ratio import density_ratio
from remission.clinic.census.receipts import bin_values, bins_of
from remission.clinic.curation import weighing
from remission.clinic.curation._mixture import mixture
from remission.clinic.curation.capping import cap
from remission.clinic.curation.cells import Cell, kinds, rounded
from remission.clinic.curation.excluding import exclude
from remission.clinic.curation.residual import residual
from remission.clinic.curation.rules import Rule, Rules, keep_all
from remission.clinic.curation.weighing import weigh
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.scored import Sample
from tests.battery import assert_agrees, distance

NOTHING = Estimate(math.nan, 0.0, 1.0, 0.95, "bounds", 1)


def spread_out(z: Any) -> Any:
    """Ascending scores that hardly ever share a bin."""
    return np.exp(4 * np.asarray(z))


def false_share(
    rng: np.random.Generator, kinds: int, m: int = 20, n: int = 199, fdr: float = 0.3, choose: Any = exclude
) -> float:
    """Human part of what is dropped from a corpus of m documents, a fifth of them far off, n calibration humans a kind."""
    cells, human = [], []
    for kind in range(kinds):
        known = Sample.of(spread_out(rng.standard_normal(n)))
        made = np.arange(m // kinds) < m // kinds // 5
        human.append((spread_out(rng.standard_normal(made.size) + 2.5 * made), made))
        cells.append(Cell.of("all", f"{kind}", human[-1][0], known, None, NOTHING))
    rules = choose(cells, fdr)
    gone = np.concatenate([rule.weight(scores) == 0 for rule, (scores, _) in zip(rules, human, strict=True)])
    made = np.concatenate([one for _, one in human])
    return float((gone & ~made).sum() / max(gone.sum(), 1))


def naive(cells: list[Cell], fdr: float) -> Rules:
    """Benjamini and Hochberg with p = #{human >= score} / n, which can be 0."""
    rules = []
    for cell in cells:
        humans = np.sort(rounded(cell.human.scores))
        p = (humans.size - np.searchsorted(humans, cell.values, "left")) / humans.size
        reached = np.array([cell.counts[p <= level].sum() for level in p])
        passing = cell.values[p <= fdr * reached / cell.n]
        edge = (float(np.nextafter(passing.min(), 0)),) if passing.size else ()
        rules.append(Rule("all", cell.kind, "exclude", edge, (1.0, 0.0) if edge else (1.0,)))
    return Rules("exclude", tuple(rules), {})


@pytest.mark.parametrize("kinds", [1, 2])
def test_false_share_is_as_promised(kinds: int) -> None:
    """Where fdr (n + 1) / m is whole, the promise is met exactly: fdr times the human share. 10 % more is rejected."""
    rng = np.random.default_rng(kinds)
    found = np.array([false_share(rng, kinds) for _ in range(5000)])
    assert_agrees(found, 0.3 * 0.8)


def test_false_share_of_a_broken_rule_is_seen() -> None:
    rng = np.random.default_rng(3)
    found = np.array([false_share(rng, 1, n=29, choose=naive) for _ in range(400)])
    assert found.mean() > 0.3 * 0.8
    assert distance(found, 0.3 * 0.8) > 4
    right = np.array([false_share(rng, 1, n=29) for _ in range(400)])
    assert right.mean() < 0.3 * 0.8 + 4 * right.std() / 20


def test_excludes_what_benjamini_and_hochberg_would() -> None:
    """Document by document, over several strata and kinds, with units in the calibration."""
    rng = np.random.default_rng(4)
    cells, scores, p = [], [], []
    for kind, n in (("a", 400), ("b", 150)):
        humans = Sample.of(rng.normal(0, 1, n), np.arange(n) // 2)
        maxima = np.sort(rounded(humans.scores).reshape(-1, 2).max(axis=1))
        for stratum, shift in (("x", 4.0), ("y", 0.5)):
            drawn = np.concatenate([rng.normal(0, 1, 300), rng.normal(shift, 1, 200)])
            cells.append(Cell.of(stratum, kind, drawn, humans, None, NOTHING))
            scores.append(drawn)
            p.append(p_values(maxima, rounded(drawn)))
    rules = exclude(cells, 0.1)
    every = np.sort(np.concatenate(p))
    passing = np.flatnonzero(every <= 0.1 * np.arange(1, every.size + 1) / every.size)
    cut = every[passing[-1]]
    assert 0 < rules.facts["dropped"] < 1000
    assert rules.facts["dropped"] == passing[-1] + 1
    for rule, drawn, own in zip(rules, scores, p, strict=True):
        assert ((rule.weight(drawn) == 0) == (own <= cut)).all()


def test_power_where_something_is_synthetic() -> None:
    world = World(0.5, 0.99, 2000, 1000)
    drawn = world.draw(np.random.default_rng(5))
    gone = exclude([drawn.cell]).rules[0].weight(drawn.scores) == 0
    assert gone[drawn.synthetic].mean() > 0.75
    assert gone[~drawn.synthetic].mean() < 0.05


def test_too_few_humans_are_named() -> None:
    rng = np.random.default_rng(6)
    humans = Sample.of(rng.normal(0, 1, 50))
    few = Cell.of("all", "kind", np.concatenate([rng.normal(0, 1, 970), np.full(30, 9.0)]), humans, None, NOTHING)
    rules = exclude([few])
    assert rules.rules[0].weights == (1.0,)
    outside = int((few.counts * (few.values > rounded(humans.scores).max())).sum())
    needed = math.ceil(1000 / (0.05 * outside)) - 1
    assert f"at least {needed:,} calibration humans" in rules.notes[0]
    enough = Sample.of(np.concatenate([humans.scores, rng.uniform(-3, humans.scores.max(), needed - 50)]))
    again = exclude([Cell.of("all", "kind", np.repeat(few.values, few.counts.astype(int)), enough, None, NOTHING)])
    assert again.facts["dropped"] == outside
    none = exclude([Cell.of("all", "kind", rng.uniform(-1, 0, 100), humans, None, NOTHING)])
    assert "no document scores above" in none.notes[0]


def test_weights_give_back_the_human_mean() -> None:
    """E[w f] / E[w] over the mix is the mean of f over humans, and less is left than by a share 10 % off, in the closed form."""
    world = World(0.3, 0.9, 4000, 20_000)
    rng = np.random.default_rng(7)
    known = (world.known(False, rng), world.known(True, rng))
    share = Estimate(0.3, 0.25, 0.35, 0.95, "told", 1)
    scores = world.score(rng.random(1000) < 0.3, rng)
    (rule,) = weigh([Cell.of("all", "kind", scores, *known, share)])
    assert len(rule.edges) < 25
    values, human, synthetic = world.law
    weights, mix = rule.weight(values), 0.7 * human + 0.3 * synthetic
    for f in (values, np.tanh(values), (values > 1).astype(float)):
        spread = math.sqrt(float(human @ f**2) - float(human @ f) ** 2)
        bias = float((mix * weights) @ f / (mix @ weights) - human @ f)
        before = float(mix @ f - human @ f)
        assert abs(bias) < 0.02 * spread
        assert before > 5 * 0.02 * spread
    ratio = np.exp(world.gap * values - world.gap**2 / 2)
    closed = float(human @ (0.3 * ratio / (0.7 + 0.3 * ratio)))
    left = 0.3 * float(synthetic @ weights) / float(mix @ weights)
    assert left == pytest.approx(closed, rel=0.03)
    assert left != pytest.approx(1.1 * closed, rel=0.03)


def test_weights_where_the_log_ratio_is_no_line() -> None:
    """A part of the synthetic items scores like humans: logistic calibration is biased, the steps hardly are."""
    rng = np.random.default_rng(8)

    def made(n: int) -> Any:
        return np.where(rng.random(n) < 0.3, rng.normal(0, 1, n), rng.normal(4, 1, n))

    known = (Sample.of(rng.normal(0, 1, 3000)), Sample.of(made(3000)))
    share = Estimate(0.1, 0.05, 0.15, 0.95, "told", 1)
    (rule,) = weigh([Cell.of("all", "kind", np.zeros(10), *known, share)])
    human, synthetic = rng.normal(0, 1, 200_000), made(200_000)
    means = []
    logistic = density_ratio(*known)
    steps: tuple[Callable[[Any], Any], ...] = (rule.weight, lambda x: 1 - logistic.posterior(x, 0.1))
    for weight in steps:
        parts = [
            (1 - s) * np.array([(weight(x) * x).mean(), weight(x).mean()]) for x, s in ((human, 0.1), (synthetic, 0.9))
        ]
        both = parts[0] + parts[1]
        means.append(both[0] / both[1])
    assert abs(means[0]) < 0.015
    assert abs(means[1]) > 0.03


@functools.cache
def bounded(high: float = 1.0, n: int = 4000) -> Cell:
    rng = np.random.default_rng(9)
    made = rng.random(n) < 0.3
    humans = Sample.of(rng.normal(0, 1, 2000))
    share = Estimate(math.nan, 0.2, high, 0.95, "bounds", n)
    return Cell.of("all", "kind", rng.normal(0, 1, n) + 4 * made, humans, None, share)


def test_weights_without_synthetic_items() -> None:
    """Learned from humans and corpus, at the low end of the share."""
    rules = weigh([bounded()])
    (rule,) = rules
    assert "low end, 20.0 %" in rules.notes[0]
    weights = np.array(rule.weights)
    assert (np.diff(weights) <= 0).all()
    assert rule.weight([6.0])[0] < 0.05
    assert rule.weight([-2.0])[0] > 0.9
    kept = float(bounded().counts @ rule.weight(bounded().values)) / bounded().n
    assert kept == pytest.approx(0.72, abs=0.03)  # 0.8 would be all of the share's rest; weights are cut at 1


def test_cap_is_kept_to_and_no_more_is_dropped_than_it_takes() -> None:
    world = World(0.3, 0.9, 50_000, 5000)
    drawn = world.draw(np.random.default_rng(10))
    (rule,) = cap([drawn.cell], 0.1)
    left, kept, _ = world.truth(rule)
    assert left == pytest.approx(0.1, abs=0.01)
    assert 0.5 < kept < 0.75
    looser = Rule("all", "kind", "cap", (rule.edges[0] * 1.1,), (1.0, 0.0))
    assert world.truth(looser)[0] > left
    (nothing,) = cap([drawn.cell], 0.5)
    assert nothing.weights == (1.0,)


def test_cap_over_kinds_takes_the_most_suspicious_first() -> None:
    rng = np.random.default_rng(11)
    easy, hard = World(0.3, 0.99, 4000, 2000), World(0.3, 0.7, 4000, 2000)
    one, other = easy.draw(rng, "x"), hard.draw(rng, "x")
    second = Cell(
        "x",
        "hard",
        other.cell.values,
        other.cell.counts,
        other.cell.human,
        other.cell.synthetic,
        other.cell.share,
        4000,
    )
    rules = cap([one.cell, second], 0.2)
    gone = [1 - world.truth(rule)[1] for world, rule in zip((easy, hard), rules, strict=True)]
    assert gone[0] > 0.25 > 0.1 > gone[1]


def test_cap_that_cannot_be_reached_drops_the_stratum() -> None:
    world = World(0.8, 0.6, 3000, 500)
    drawn = world.draw(np.random.default_rng(12), "bad")
    clean = World(0.0, 0.9, 3000, 500).draw(np.random.default_rng(13), "good", (drawn.cell.human, drawn.cell.synthetic))  # type: ignore[arg-type]
    rules = cap([drawn.cell, clean.cell], 0.1)
    assert rules.rule("bad", "kind").drops_all
    assert not rules.rule("good", "kind").drops_all
    assert rules.facts["dropped_whole"] == ["bad"]
    assert "cannot be reached" in rules.notes[0]
    assert (rules.rule("bad", "kind").weight(drawn.scores) == 0).all()


def test_cap_of_bounds_holds_at_their_worst() -> None:
    (rule,) = cap([bounded()], 0.1)
    assert rule.drops_all
    assert "up to 100 %" in rule.reason
    cell = bounded(0.35)
    (rule,) = cap([cell], 0.2)
    assert not rule.drops_all
    weights = rule.weight(cell.values)
    kept, eta = float(cell.counts @ weights) / cell.n, float(rule.weight(cell.human.scores).mean())
    assert 1 - 0.65 * eta / kept <= 0.2
    assert kept > 0.65


def test_rules_are_written_down_and_read_back() -> None:
    drawn = World(0.3, 0.95, 2000, 500).draw(np.random.default_rng(14))
    scores = np.concatenate([drawn.scores, drawn.scores.max() * np.array([1, 2, -2])])
    for rules in (exclude([drawn.cell]), weigh([drawn.cell]), cap([drawn.cell], 0.05), keep_all([drawn.cell])):
        back = Rules.of(json.loads(json.dumps(rules.table())))
        assert back.rules == rules.rules
        assert back.table() == rules.table()
        assert (back.rule("all", "kind").weight(scores) == rules.rules[0].weight(scores)).all()


def test_a_rule_takes_whole_bins() -> None:
    edge = float(bin_values(bins_of(np.array([2.0])))[0])
    rule = Rule("all", "k", "exclude", (edge,), (1.0, 0.0))
    near = edge * (1 + np.linspace(-0.01, 0.01, 41))
    assert (rule.weight(near) == (rounded(near) <= edge)).all()
    assert 0 < rule.weight(near).mean() < 1


def test_bad_input() -> None:
    human = Sample.of(np.arange(10.0))
    share = Estimate(0.1, 0.0, 0.2, 0.95, "told", 3)
    good = Cell.of("all", "k", [1.0, 2.0, 2.0], human, human, share)
    assert good.n == 3
    assert good.counts.tolist() == [1, 2]
    with pytest.raises(DataError, match="bin_values"):
        Cell("all", "k", np.array([1.0001]), np.ones(1), human, None, share, 1)
    with pytest.raises(DataError, match="not judged"):
        Cell.of("all", "k", [1.0, math.nan], human, None, share)
    with pytest.raises(DataError, match="size"):
        Cell.of("all", "k", [1.0, 2.0], human, None, share, size=3)
    with pytest.raises(DataError, match="refuses"):
        Cell.of("all", "k", [1.0], human, None, Estimate(math.nan, math.nan, math.nan, 0.95, "none", 1))
    with pytest.raises(DataError, match="different calibration"):
        exclude([good, Cell.of("other", "k", [1.0], Sample.of(np.arange(9.0)), None, share)])
    with pytest.raises(DataError, match="two cells"):
        exclude([good, good])
    with pytest.raises(DataError, match="nothing to curate"):
        weigh([])
    with pytest.raises(SpecError, match="fdr"):
        exclude([good], 0.0)
    with pytest.raises(SpecError, match="cap"):
        cap([good], 1.0)
    with pytest.raises(DataError, match="without one"):
        keep_all([good]).rules[0].weight([math.nan])
    with pytest.raises(DataError, match="policy"):
        Rule("all", "k", "drop")
    with pytest.raises(DataError, match="ascend"):
        Rule("all", "k", "cap", (2.0, 1.0), (1.0, 0.5, 0.0))
    with pytest.raises(DataError, match="No rule"):
        keep_all([good]).rule("other", "k")


def test_cap_that_is_already_kept_to_drops_nothing() -> None:
    """Also where calibration items score above every document, so that a cut at the top would look like a drop."""
    drawn = World(0.3, 0.9, 3000, 500).draw(np.random.default_rng(15))
    cut = drawn.cell.share.value + 1e-3
    low = drawn.scores[drawn.scores < 3.0]
    share = Estimate(0.1, 0.0, 0.2, 0.95, "told", low.size)
    cell = Cell.of("all", "kind", low, drawn.cell.human, drawn.cell.synthetic, share)
    for one, limit in ((drawn.cell, cut + 0.02), (cell, residual([cell], keep_all([cell])).whole.before.value + 0.01)):
        (rule,) = cap([one], limit)
        assert rule.weights == (1.0,)
    (rule,) = cap([cell], residual([cell], keep_all([cell])).whole.before.value * 0.8)
    assert 0.0 in rule.weights
    (rule,) = cap([bounded(0.35)], 0.36)
    assert rule.weights == (1.0,)


def test_weights_of_kinds_that_differ_within_a_stratum() -> None:
    """The mean weight is the human share, of each kind, although only the share of their stratum is told."""
    rng = np.random.default_rng(16)
    worlds = {"less": World(0.05, 0.95, 4000, 2000), "more": World(0.5, 0.95, 4000, 2000)}
    told_share = Estimate(0.275, 0.25, 0.3, 0.95, "told", 8000)
    cells = []
    for name, world in worlds.items():
        cell = world.draw(rng, "x").cell
        cells.append(dataclasses.replace(cell, kind=name, share=told_share))
    for rule, world in zip(weigh(cells), worlds.values(), strict=True):
        assert world.truth(rule)[1] == pytest.approx(1 - world.share, abs=0.03)
    (alone,) = weigh(cells[:1])
    assert worlds["less"].truth(alone)[1] < 0.9


def many(seed: int, shares: Any, each: int) -> tuple[list[Cell], list[Any], list[Any]]:
    """Strata of a few documents with these shares: cells, scores, and which documents are synthetic."""
    rng = np.random.default_rng(seed)
    human, synthetic = (Sample.of(rng.normal(mean, 1, 500)) for mean in (0.0, 2.33))
    cells, scores, truth = [], [], []
    for number, share in enumerate(shares):
        of = rng.random(each) < share
        x = np.where(of, rng.normal(2.33, 1, each), rng.normal(0, 1, each))
        cell = Cell.of(f"s{number}", "kind", x, human, synthetic, NOTHING)
        found = mixture(cell, kinds([cell])["kind"], tested=False).clipped
        cells.append(dataclasses.replace(cell, share=Estimate(found, 0.0, 1.0, 0.95, "told", each)))
        scores.append(x)
        truth.append(of)
    return cells, scores, truth


def weighed(rules: Rules, scores: list[Any], truth: list[Any]) -> tuple[float, float]:
    """The synthetic share of the weight, and the part of the humans that the weights take."""
    weights = [rules.rule(f"s{number}", "kind").weight(x) for number, x in enumerate(scores)]
    w, of = np.concatenate(weights), np.concatenate(truth)
    return float(w[of].sum() / w.sum()), 1 - float(w[~of].mean())


def test_weights_of_many_small_strata_do_not_fit_their_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 strata of 5 documents, a tenth synthetic: weights are those of all as one stratum, and fewer humans are lost."""
    cells, scores, truth = many(20, [0.1] * 300, 5)
    one = Cell.of("all", "kind", np.concatenate(scores), cells[0].human, cells[0].synthetic, NOTHING)
    (best,) = weigh([dataclasses.replace(one, share=Estimate(0.1, 0.05, 0.15, 0.95, "told", 1500))])

    def distance_and_loss() -> tuple[float, float]:
        rules = weigh(cells)
        off = [
            abs(rules.rule(f"s{number}", "kind").weight(x) - best.weight(x)).mean() for number, x in enumerate(scores)
        ]
        return float(np.mean(off)), weighed(rules, scores, truth)[1]

    off, lost = distance_and_loss()
    assert off < 0.02
    monkeypatch.setattr(weighing, "_FEWEST", math.inf)
    alone, more = distance_and_loss()
    assert alone > 0.05
    assert lost < 0.9 * more


def test_small_strata_that_differ_keep_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where strata are half synthetic or hardly at all and say so, weights go by their own shares."""
    shares = [0.6, 0.02, 0.02, 0.02] * 5
    cells, scores, truth = many(18, shares, 150)
    found = weigh(cells)
    monkeypatch.setattr(weighing, "_FEWEST", math.inf)
    own = weigh(cells)
    for number, x in enumerate(scores):
        here, there = (rules.rule(f"s{number}", "kind").weight(x) for rules in (found, own))
        np.testing.assert_allclose(here, there, atol=0.15)
        assert here.mean() == pytest.approx(1 - shares[number], abs=0.15)
    assert weighed(found, scores, truth)[0] <= weighed(own, scores, truth)[0] + 0.005


@pytest.mark.slow
def test_what_many_small_strata_leave_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share that is said to be left is what is left in the mean; with weights by each stratum's own share half of it is told."""
    worlds = [many(seed, [0.1] * 400, 5) for seed in range(20, 30)]

    def told_and_left() -> Any:
        found = []
        for cells, scores, truth in worlds:
            rules = weigh(cells)
            found.append((residual(cells, rules).whole.after.value, weighed(rules, scores, truth)[0]))
        return np.mean(found, axis=0).tolist()

    told, left = told_and_left()
    assert told == pytest.approx(left, rel=0.2)
    monkeypatch.setattr(weighing, "_FEWEST", math.inf)
    told, left = told_and_left()
    assert told < 0.6 * left
