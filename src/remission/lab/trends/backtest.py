"""Forecasts made earlier in the same data, held against what came after: they pick the model and widen the interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from remission.data import Array, Floats, Integers
from remission.lab.trends.filter import Known, Row, known_at, simulate
from remission.lab.trends.models import Cell, back, candidates

FEWEST = 6  # observations: two numbers of the trend and a variance, and two origins to test them
ORIGINS = 8
PATHS = 120  # of every candidate at an origin
TEMPER = 0.5  # evidence counts at this power: no candidate is true
SHARP = 3.0  # a candidate whose backtest error is twice the best one's gets 2^-SHARP of its weight
WIDTHS = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)
FALLS, RISES = -1, 1


@dataclass(frozen=True, eq=False)
class Score:
    """How a candidate did.

    Attributes:
        error: mean continuous ranked probability score over origins and horizons, on the scale of comparison; lower is
            better.
        evidence: natural log of the probability of the row, one step ahead at a time.
        weight: in the forecast.
    """

    name: str
    error: float
    evidence: float
    weight: float


@dataclass(frozen=True, eq=False)
class Backtest:
    """What the rolling origins say.

    Attributes:
        scores: of the candidates, in their order.
        hits: whether the interval of each forecast of a crossing held the crossing, (forecasts, WIDTHS).
        origin: which origin each forecast was made at.
        level: of the intervals.
    """

    scores: tuple[Score, ...]
    hits: Array
    origin: Array
    level: float

    @property
    def width(self) -> float:
        """The factor on the spread of paths that the hits ask for: no fewer of them than the level lets expect."""
        return _width(self.hits, self.level)

    @property
    def coverage(self) -> float:
        """Share of the forecasts that held, each with the width that the other origins ask for; NaN without any."""
        if not len(self.hits):
            return math.nan
        kept = np.zeros(len(self.hits), dtype=bool)
        for one in np.unique(self.origin):
            here = self.origin == one
            kept[here] = self.hits[here, WIDTHS.index(_width(self.hits[~here], self.level))]
        return float(kept.mean())

    def joined(self, others: Sequence[Backtest]) -> Backtest:
        """The hits of several lines in one, under the scores of this one."""
        every = [self, *others]
        return Backtest(
            self.scores, np.concatenate([one.hits for one in every]), np.concatenate([one.origin for one in every]),
            self.level,
        )  # fmt: skip


class Trends:
    """The candidates on one row, filtered once."""

    def __init__(self, row: Row, first: float, rng: np.random.Generator) -> None:
        """Filter a row whose first observation is generation ``first`` in steps."""
        self.row, self.rng = row, rng
        values = row.values
        positive = bool((values > 0).all())
        self.logs = positive and float(values.max()) > 1.5 * float(values.min())
        self.candidates = candidates(
            int(row.steps[-1]), first, positive, positive and bool((values < 1).all())
        )  # fmt: skip
        self.cells: list[Cell] = [cell for one in self.candidates for cell in one.cells]
        self.owner = np.repeat(np.arange(len(self.candidates)), [len(one.cells) for one in self.candidates])
        m = row.steps.size
        early = max(4, math.ceil(m / 3))
        self.origins = sorted({*np.linspace(early, m - 1, ORIGINS).astype(int).tolist()}) if m > early else []
        self.known = known_at(row, self.cells, [*self.origins, m])

    def within(self, known: Known) -> Floats:
        """Weight of every cell among its candidate's, (C,)."""
        out = np.zeros(len(self.cells))
        for number in range(len(self.candidates)):
            here = self.owner == number
            weight = np.exp(known.evidence[here] - known.evidence[here].max())
            out[here] = weight / weight.sum()
        return out

    def evidences(self, known: Known) -> Floats:
        """Log evidence of every candidate, its cells weighed by their prior, (candidates,)."""
        out = []
        for number, one in enumerate(self.candidates):
            evidence = known.evidence[self.owner == number]
            top = evidence.max()
            mean = float(np.exp(evidence - top).sum()) / sum(cell.prior for cell in one.cells)
            out.append(top + math.log(mean))
        return np.array(out)

    @property
    def odds(self) -> Floats:
        """Log prior odds of the candidates."""
        return np.asarray(np.log([one.odds for one in self.candidates]))

    def paths(self, known: Known, count: Sequence[int], horizon: int) -> Floats:
        """Simulated values, ``count`` paths of every candidate, one after another, (sum of counts, horizon)."""
        within = self.within(known)
        chosen = np.concatenate(
            [
                self.rng.choice(np.flatnonzero(self.owner == number), size, p=within[self.owner == number])
                for number, size in enumerate(count)
            ]
        )
        z = simulate(known, self.cells, chosen, horizon, self.rng)
        scales = np.array([self.candidates[number].scale for number in self.owner[chosen]])
        for scale in np.unique(scales):
            z[scales == scale] = back(str(scale), z[scales == scale])
        return z

    def shown(self, values: Floats) -> Floats:
        """Values on the scale of comparison: logarithms of a positive row that spans factors."""
        if not self.logs:
            return values
        return np.log(np.maximum(values, 1e-300))

    def widened(self, paths: Floats, width: float) -> Floats:
        """Paths with their distance from the median path stretched, on the scale of comparison."""
        if width == 1.0:
            return paths
        z = self.shown(paths)
        centre = np.median(z, axis=0)
        z = centre + width * (z - centre)
        return np.exp(np.minimum(z, 700.0)) if self.logs else z


def crossing(paths: Floats, line: Floats | float, side: int) -> Floats:
    """First step at which each path is at or beyond the line, from 1; infinite when never. Shape (N,)."""
    beyond = paths <= line if side == FALLS else paths >= line
    first = beyond.argmax(axis=-1) + 1.0
    return np.where(beyond.any(axis=-1), first, math.inf)


def interval(times: Floats, level: float) -> tuple[float, float, float]:
    """Median and the central interval of crossing times, whole steps or infinite."""
    tail = (1 - level) / 2
    low, middle, high = np.quantile(times, [tail, 0.5, 1 - tail], method="inverted_cdf")
    return float(middle), float(low), float(high)


def _width(hits: Array, level: float) -> float:
    enough = np.flatnonzero(hits.sum(axis=0) >= math.floor(level * len(hits)))
    return WIDTHS[int(enough[0])] if enough.size else WIDTHS[-1]


def weights_of(evidence: Floats, odds: Floats, errors: Floats, pairs: int) -> Floats:
    """Weights of candidates from log evidence, log prior odds and mean backtest errors.

    ``pairs`` counts the pairs of origin and horizon that the errors are the mean of.
    """
    score = TEMPER * (evidence - evidence.max()) + odds
    if pairs:
        trust = pairs / (pairs + 4.0)
        score = score - SHARP * trust * np.log(np.maximum(errors, 1e-300) / max(errors.min(), 1e-300))
    weight = np.exp(score - score.max())
    weight[weight < 0.02 * weight.max()] = 0.0
    return np.asarray(weight / weight.sum())


def crps(paths: Floats, truth: Floats) -> Floats:
    """Continuous ranked probability score of samples (N, H) at values (H,), shape (H,)."""
    ordered = np.sort(paths, axis=0)
    n = len(ordered)
    rank = (2 * np.arange(1, n + 1) - n - 1)[:, None]
    return np.asarray(np.abs(paths - truth).mean(axis=0) - (rank * ordered).sum(axis=0) / n**2)


def backtest(trends: Trends, side: int, level: float) -> Backtest:
    """Roll the origin through the row.

    At every origin the candidates are weighed by what was known then: the evidence, and the errors of forecasts made
    before whose outcome lay before. Lines to be crossed are those the forecast itself gives even odds within a quarter,
    a half and all of what is left, so that nothing that came after has a say in what is asked.
    """
    row, count = trends.row, len(trends.candidates)
    made: list[tuple[int, Integers, Floats]] = []  # origin's number of observations, steps of the outcomes, errors
    hits: list[list[bool]] = []
    origin: list[int] = []
    for n, known in zip(trends.origins, trends.known, strict=False):
        ahead = row.steps[n:] - known.step
        truth = row.values[n:]
        paths = trends.paths(known, [PATHS] * count, int(ahead[-1]))
        z = trends.shown(paths[:, ahead - 1]).reshape(count, PATHS, -1)
        weight = weights_of(trends.evidences(known), trends.odds, *_errors(made, known.step, count))
        chosen = np.concatenate(
            [number * PATHS + np.arange(round(PATHS * share / weight.max())) for number, share in enumerate(weight)]
        )
        found = held([trends.widened(paths[chosen], width) for width in WIDTHS], ahead, truth, side, level)
        hits += found
        origin += [n] * len(found)
        errors = np.stack([crps(one, trends.shown(truth)) for one in z])  # (candidates, outcomes)
        made.append((n, row.steps[n:], errors))
    evidence = trends.evidences(trends.known[-1])
    errors, pairs = _errors(made, int(row.steps[-1]), count)
    weight = weights_of(evidence, trends.odds, errors, pairs)
    scores = tuple(
        Score(one.name, float(errors[i]) if pairs else math.nan, float(evidence[i]), float(weight[i]))
        for i, one in enumerate(trends.candidates)
    )
    return Backtest(scores, np.array(hits, dtype=bool).reshape(-1, len(WIDTHS)), np.array(origin), level)


def _errors(made: list[tuple[int, Integers, Floats]], now: int, count: int) -> tuple[Floats, int]:
    """Mean error of every candidate over the outcomes known now, and how many there are."""
    known = [errors[:, steps <= now] for _, steps, errors in made]
    together = np.concatenate(known, axis=1) if known else np.empty((count, 0))
    return (together.mean(axis=1), together.shape[1]) if together.shape[1] else (np.ones(count), 0)


def held(wide: Sequence[Floats], ahead: Array, truth: Floats, side: int, level: float) -> list[list[bool]]:
    """Whether intervals of crossings held, one row for each line, one column for each width.

    Args:
        wide: the same simulated paths at every width, the plain ones first, (N, H) each.
        ahead: steps from the origin to the outcomes.
        truth: these outcomes.
        side: which side of the line is asked for.
        level: of the intervals.
    """
    farthest = np.minimum.accumulate(-side * wide[0], axis=1) * -side
    ends = [max(1, round(share * int(ahead[-1]))) for share in (0.25, 0.5, 1.0)]
    lines = [float(np.median(farthest[:, end - 1])) for end in ends]
    out = []
    for line in dict.fromkeys(lines):
        beyond = truth <= line if side == FALLS else truth >= line
        row = []
        for one in wide:
            _, low, high = interval(crossing(one, line, side), level)
            if beyond.any():
                at = int(beyond.argmax())
                before = ahead[at - 1] if at else 0  # it crossed somewhere after the observation before
                row.append(bool(low <= ahead[at] and high > before))
            else:
                row.append(bool(high > ahead[-1]))
        out.append(row)
    return out
