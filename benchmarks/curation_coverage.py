"""How often the intervals of curation hold what is left, and how many human documents exclusion drops.

No peer: nothing else gives an interval. Corpora are drawn whose documents are of known origin, with new calibration items every
time; a rule is chosen on them (``exclude`` at 5 %, ``weigh``, ``cap`` at 10 %) and asked on the same data what it leaves. Prints how
often the interval holds the synthetic share that the rule leaves in the law the corpus is drawn from ("expected") and in the very corpus
("drawn"), the same for the human documents lost, and the human part of what is excluded (the promise is the mean). The goal is 93 to 99 % where
something is synthetic and at least 94 % where nothing is.

``before``   the interval of the share itself (`matched`), before any rule, over the kinds of corpora of ``grid``.
``grid``     every kind of corpus as one stratum of one kind; of ``cap`` also what is left where something is kept at all.
``several``  strata of two kinds that share calibrations, as a whole.
``real``     texts of domains that the detector never saw (shared data).
``weights``  how far weighted means miss the human one.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import prevalence
from remission.calibration.ratio import density_ratio
from remission.clinic.curation.capping import cap
from remission.clinic.curation.cells import Cell, rounded
from remission.clinic.curation.excluding import exclude
from remission.clinic.curation.residual import Row, residual
from remission.clinic.curation.rules import Rule, Rules
from remission.clinic.curation.weighing import weigh
from remission.estimate import Estimate
from remission.registry import load
from remission.scored import Sample, Scored

SHARES, AUROCS, SIZES, CALIBRATIONS = (0.0, 0.02, 0.1, 0.5), (0.75, 0.95), (500, 5000), (200, 1000)
POLICIES: dict[str, Callable[[list[Cell]], Rules]] = {"exclude": exclude, "weigh": weigh, "cap": cap}
WITHIN = 0.7  # correlation of the scores of a unit's calibration items


@functools.cache
def _law(gap: float, spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.special import ndtr

    grid = np.linspace(-9, gap + 9 * spread, 40_001)
    values, place = np.unique(rounded((grid[1:] + grid[:-1]) / 2), return_inverse=True)
    human, synthetic = (np.bincount(place, np.diff(ndtr(z))) for z in (grid, (grid - gap) / spread))
    return values, human / human.sum(), synthetic / synthetic.sum()


@dataclass(frozen=True)
class World:
    """Normal scores: humans N(0, 1), synthetic N(gap, spread); ``clustered``: near-copies in the corpus, units in the calibration."""

    share: float
    auroc: float
    n: int
    calibration: int
    clustered: bool = False
    spread: float = 1.0

    @property
    def gap(self) -> float:
        """Between the means, for the AUROC."""
        from scipy.special import ndtri

        return float(ndtri(self.auroc)) * math.sqrt(1 + self.spread**2)

    def score(self, synthetic: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Of documents that are synthetic or not."""
        noise = rng.standard_normal(synthetic.size)
        return np.where(synthetic, self.gap + self.spread * noise, noise)

    def known(self, synthetic: bool, rng: np.random.Generator) -> Sample:
        """Calibration items: half of them alone, half in units of 4, when clustered."""
        n = self.calibration
        if not self.clustered:
            return Sample.of(self.score(np.full(n, synthetic), rng))
        units = np.concatenate([np.arange(n // 2), n // 2 + np.arange(n - n // 2) // 4])
        noise = math.sqrt(WITHIN) * rng.standard_normal(n)[units] + math.sqrt(1 - WITHIN) * rng.standard_normal(n)
        return Sample.of(self.gap + self.spread * noise if synthetic else noise, units)

    def draw(self, rng: np.random.Generator, name: str = "all", known: tuple[Sample, Sample] | None = None) -> Drawn:
        """A corpus beside its calibration; near-copies: half of the documents alone, half of them 4 times."""
        human, synthetic = known or (self.known(False, rng), self.known(True, rng))
        times = np.ones(self.n, int)
        if self.clustered:
            times = np.concatenate([np.ones(self.n // 2, int), np.full(self.n // 8, 4)])
        made = rng.random(times.size) < self.share
        scores, labels = np.repeat(self.score(made, rng), times), np.repeat(made, times)
        size = times.sum() ** 2 / (times**2).sum()
        sample = Sample.of(scores, np.repeat(np.arange(times.size), times))
        share = load("prevalence", "matched")().estimate(Scored(sample, human, synthetic))
        return Drawn(Cell.of(name, "kind", scores, human, synthetic, share, float(size)), scores, labels)

    @property
    def law(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores as a census rounds them with their probabilities among humans and synthetic documents."""
        return _law(self.gap, self.spread)

    def truth(self, rule: Rule) -> tuple[float, float, float]:
        """What a rule leaves in the law of the corpus: residual share, weight kept and human weight lost, of a document."""
        values, human, synthetic = self.law
        weights = rule.weight(values)
        eta, sigma = float(human @ weights), float(synthetic @ weights)
        kept = self.share * sigma + (1 - self.share) * eta
        return (self.share * sigma / kept if kept else math.nan), kept, (1 - self.share) * (1 - eta)


@dataclass(frozen=True)
class Drawn:
    """A cell whose documents' origin is known."""

    cell: Cell
    scores: np.ndarray
    synthetic: np.ndarray

    def truth(self, rule: Rule) -> tuple[float, float]:
        """Synthetic share of the very documents that are kept, and human ones lost."""
        weights = rule.weight(self.scores)
        total = float(weights.sum())
        left = float(weights[self.synthetic].sum())
        return (left / total if total else math.nan), float((1 - weights)[~self.synthetic].sum())


@dataclass(frozen=True)
class Several:
    """Strata of two kinds, shares from 0 to 20 %, each kind calibrated once for all of them."""

    strata: int
    n: int
    calibration: int
    auroc: float

    def once(self, policy: str, rng: np.random.Generator) -> tuple[float, ...]:
        """Of the whole corpus: expected held, value - truth, truth, half-width, the same held before curation."""
        shares = np.linspace(0, 0.2, self.strata)
        worlds = [World(share, self.auroc, self.n, self.calibration) for share in shares]
        known = [(worlds[0].known(False, rng), worlds[0].known(True, rng)) for _ in "ab"]
        cells = [
            dataclasses.replace(world.draw(rng, f"{number}", known[kind]).cell, kind="ab"[kind])
            for number, world in enumerate(worlds)
            for kind in (0, 1)
        ]
        rules = POLICIES[policy](cells)
        found = residual(cells, rules).whole
        truths = [world.truth(rule) for world, rule in zip(np.repeat(np.array(worlds), 2), rules, strict=True)]
        kept = sum(weight for _, weight, _ in truths)
        truth = sum(left * weight for left, weight, _ in truths if weight > 0) / kept
        after = found.after
        half = (after.high - after.low) / 2
        return holds(after, truth), after.value - truth, truth, half, holds(found.before, float(shares.mean()))


def holds(found: Estimate, truth: float) -> float:
    """Whether an interval holds a number, the last digit aside; NaN when there is none."""
    return math.nan if math.isnan(truth) else float(found.low - 1e-9 <= truth <= found.high + 1e-9)


def once(world: World, policy: str, rng: np.random.Generator) -> tuple[float, ...]:
    """expected, drawn, lost held; false share of the dropped; value and truth; half-width."""
    drawn = world.draw(rng)
    rules = POLICIES[policy]([drawn.cell])
    row: Row = residual([drawn.cell], rules).whole
    rule = rules.rules[0]
    expected, _, lost = world.truth(rule)
    here, gone = drawn.truth(rule)
    false = gone / row.dropped if row.dropped else 0.0
    return (
        holds(row.after, expected if row.weight else math.nan), holds(row.after, here), holds(row.human_lost, lost * world.n),
        false, row.after.value, expected, (row.after.high - row.after.low) / 2, row.dropped / row.documents,
    )  # fmt: skip


def shown(world: World, policy: str, runs: int) -> np.ndarray:
    """A line of the table; how often the intervals held."""
    rng = np.random.default_rng(
        [int(1000 * world.share), int(100 * world.auroc), world.n, world.calibration, world.clustered]
    )
    began = time.process_time()
    found = np.array([once(world, policy, rng) for _ in range(runs)])
    there = np.isfinite(found[:, 0])
    mean = (
        np.nanmean(np.where(there[:, None], found, np.nan), axis=0) if there.any() else np.full(found.shape[1], np.nan)
    )
    mean[3] = found[:, 3].mean()
    print(
        f"{policy:8s} {world.share:4.0%} {world.auroc:5.2f} {world.n:6d} {world.calibration:5d} {'units' if world.clustered else 'alone':6s}"
        f"{100 * mean[0]:6.1f} % {100 * mean[1]:6.1f} % {100 * np.nanmean(found[:, 2]):6.1f} %   {100 * mean[5]:6.2f} ({100 * (mean[4] - mean[5]):+5.2f})"
        f"  +-{100 * mean[6]:5.2f}   {100 * mean[7]:5.1f} %  {100 * mean[3]:5.1f} %   {there.sum():4d}  {1000 * (time.process_time() - began) / runs:5.1f} ms",
        flush=True,
    )
    return np.append(mean, there.sum())


def before(runs: int) -> None:
    """The interval of the share over every kind of corpus, and on which side it misses."""
    lines = []
    for share, auroc, n, calibration, clustered in itertools.product(
        SHARES, AUROCS, SIZES, CALIBRATIONS, (False, True)
    ):
        world = World(share, auroc, n, calibration, clustered)
        rng = np.random.default_rng([int(1000 * share), int(100 * auroc), n, calibration, clustered])
        told = [world.draw(rng).cell.share for _ in range(runs)]
        held = np.mean([holds(one, share) for one in told])
        low, high = np.mean([(one.low > share + 1e-9, one.high < share - 1e-9) for one in told], axis=0)
        half = float(np.median([(one.high - one.low) / 2 for one in told]))
        lines.append(held)
        print(
            f"{share:4.0%} {auroc:5.2f} {n:6d} {calibration:5d} {'units' if clustered else 'alone':6s} holds {100 * held:5.1f} %  low end "
            f"above {100 * low:4.1f} %, high end below {100 * high:4.1f} %  median half-width {100 * half:5.2f}",
            flush=True,
        )
    print(
        f"holds in {100 * np.mean(lines):.1f} %, {100 * min(lines):.1f} to {100 * max(lines):.1f} % by kind of corpus"
    )


def grid(policies: Sequence[str], runs: int, spread: float) -> None:
    """Every kind of corpus, as one stratum."""
    print(
        "policy  share AUROC documents calibr. items  holds: expected drawn  human lost  truth (bias)   half-width   dropped  human   "
        "corpora with something kept, time"
    )
    total: dict[tuple[str, bool], list[np.ndarray]] = {}
    for policy, share, auroc, n, calibration, clustered in itertools.product(
        policies, SHARES, AUROCS, SIZES, CALIBRATIONS, (False, True)
    ):
        world = World(share, auroc, n, calibration, clustered, spread)
        total.setdefault((policy, share > 0), []).append(shown(world, policy, runs))
    for (policy, some), lines in total.items():
        table = np.array(lines)
        held = table[:, 0]
        print(
            f"{policy:8s} {'share > 0' if some else 'share 0'}: holds in {100 * np.nanmean(held):.1f} % of corpora, "
            f"{100 * np.nanmin(held):.1f} to {100 * np.nanmax(held):.1f} % by kind of corpus; mean share left up to "
            f"{100 * np.nanmax(table[:, 5]):.2f} %, human part of the dropped {100 * table[:, 3].max():.2f} %"
        )
        rare = table[table[:, -1] < runs / 2]
        if policy == "cap" and rare[:, -1].sum():
            times = rare[:, -1] / rare[:, -1].sum()
            print(
                f"  kinds kept less than half the time ({len(rare)}): {int(rare[:, -1].sum())} of {len(rare) * runs} corpora kept, "
                f"left {100 * np.nansum(times * rare[:, 5]):.2f} % on average, the interval holds in {100 * np.nansum(times * rare[:, 0]):.1f} %"
            )


def several(policies: Sequence[str], runs: int) -> None:
    """Corpora of several strata and kinds, as a whole."""
    for policy, strata, n, auroc in itertools.product(policies, (2, 12), (100, 2000), AUROCS):
        corpus = Several(strata, n, 500, auroc)
        rng = np.random.default_rng([strata, n, int(100 * auroc)])
        found = np.array([corpus.once(policy, rng) for _ in range(runs)])
        held, off, truth, half, before = np.nanmean(found, axis=0)
        print(
            f"{policy:8s} {strata:3d} strata of 2 x {n:5d}, AUROC {auroc:.2f}: the whole is held in {100 * held:5.1f} % (before: "
            f"{100 * before:5.1f} %), truth {100 * truth:5.2f} ({100 * off:+5.2f}) +-{100 * half:5.2f}",
            flush=True,
        )


def real(policies: Sequence[str], runs: int) -> None:
    """Texts of domains the detector never saw: half of the items calibrate, corpora of 2,000 are drawn from the others."""
    for name, known, domain in prevalence.domains(False):
        shift = prevalence.Shift("text", known, domain)
        for policy, share in itertools.product(policies, SHARES):
            rng = np.random.default_rng([int(100 * share), len(known)])
            found = np.array([_of_texts(shift, policy, share, rng) for _ in range(runs)])
            held, before, after, left, human = np.nanmean(found, axis=0)
            print(
                f"{name:16s} {domain:8s} {policy:8s} {share:4.0%} holds {100 * held:5.1f} % (before {100 * before:5.1f} %)  left "
                f"{100 * left:5.2f} %, estimated {100 * after:5.2f} %  human part of the dropped {100 * human:5.1f} %",
                flush=True,
            )


def weights(policies: Sequence[str], runs: int) -> None:
    """How far weights miss the mean score of the humans, in their standard deviations; and by the logistic ratio alone."""
    if "weigh" not in policies:
        return
    for (name, human, synthetic), share, items in itertools.product(SHAPES, (0.1, 0.5), (200, 1000)):
        rng = np.random.default_rng([int(100 * share), items])
        large = human(rng, 100_000), synthetic(rng, 100_000)
        found = []
        for _ in range(max(runs // 10, 4)):
            known = Sample.of(human(rng, items)), Sample.of(synthetic(rng, items))
            told = Estimate(share, share, share, 0.95, "told", items)
            (rule,) = weigh([Cell.of("all", "kind", np.zeros(1), *known, told)])
            logistic = density_ratio(*known)
            ways = rule.weight, lambda scores, by=logistic, at=share: 1 - by.posterior(scores, at)
            found.append([_missed(large, share, way) for way in ways])
        steps, alone = np.array(found).T
        print(
            f"{name:20s} {share:4.0%} {items:5d} items: unweighted {_missed(large, share, np.ones_like):+.3f}, weights {steps.mean():+.3f} "
            f"(root mean square {np.sqrt((steps**2).mean()):.3f}), logistic ratio {alone.mean():+.3f} ({np.sqrt((alone**2).mean()):.3f})",
            flush=True,
        )


def _missed(large: tuple[np.ndarray, np.ndarray], share: float, weight: Callable[[np.ndarray], np.ndarray]) -> float:
    human, synthetic = large
    mine, other = weight(human), weight(synthetic)
    total = (1 - share) * mine.mean() + share * other.mean()
    mean = ((1 - share) * (mine * human).mean() + share * (other * synthetic).mean()) / total
    return float((mean - human.mean()) / human.std())


Draw = Callable[[np.random.Generator, int], np.ndarray]
SHAPES: tuple[tuple[str, Draw, Draw], ...] = (
    ("normal, AUROC 0.75", lambda rng, n: rng.normal(0, 1, n), lambda rng, n: rng.normal(0.95, 1, n)),
    ("normal, AUROC 0.95", lambda rng, n: rng.normal(0, 1, n), lambda rng, n: rng.normal(2.33, 1, n)),
    ("wider", lambda rng, n: rng.normal(0, 1, n), lambda rng, n: rng.normal(2, 1.5, n)),
    (
        "a part like humans",
        lambda rng, n: rng.standard_t(4, n),
        lambda rng, n: np.where(rng.random(n) < 0.3, rng.standard_t(4, n), rng.normal(4, 1, n)),
    ),
    ("beta", lambda rng, n: rng.beta(1, 4, n), lambda rng, n: rng.beta(4, 1, n)),
)


def _of_texts(shift: prevalence.Shift, policy: str, share: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Held after, held before, value, truth in the very corpus, human part of the dropped."""
    human, synthetic, target = shift.draw(share, rng)
    known = [Sample.of(shift.scores[places]) for places in (human, synthetic)]
    estimate = load("prevalence", "matched")().estimate(Scored(target, *known))
    # drawn with replacement, so some are the same document: as near-copies are counted
    times = np.bincount(target.units).astype(float)
    cell = Cell.of("all", "kind", target.scores, *known, estimate, float(times.sum() ** 2 / (times**2).sum()))
    rules = POLICIES[policy]([cell])
    row = residual([cell], rules).whole
    made = np.arange(2000) >= 2000 - round(share * 2000)
    left, gone = Drawn(cell, target.scores, made).truth(rules.rules[0])
    return (
        holds(row.after, left),
        holds(row.before, share),
        row.after.value,
        left,
        gone / row.dropped if row.dropped else 0.0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 corpora of each kind instead of 400")
    parser.add_argument("--runs", type=int, help="corpora of each kind")
    parser.add_argument("--policy", choices=[*POLICIES], action="append", default=[])
    parser.add_argument("--part", choices=["before", "grid", "several", "real", "weights"], action="append", default=[])
    parser.add_argument("--spread", type=float, default=1.0, help="of synthetic scores; not 1: log ratios are no line")
    options = parser.parse_args()
    runs, policies = options.runs or (40 if options.quick else 400), options.policy or [*POLICIES]
    parts = {
        "before": lambda: before(runs),
        "grid": lambda: grid(policies, runs, options.spread),
        "several": lambda: several(policies, runs),
        "real": lambda: real(policies, runs),
        "weights": lambda: weights(policies, runs),
    }
    for part in options.part or parts:
        print(f"--- {part}", flush=True)
        parts[part]()


if __name__ == "__main__":
    main()
