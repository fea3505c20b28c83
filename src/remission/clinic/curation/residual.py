"""What is left after curation: the synthetic share of what is kept, with an interval, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remission.clinic.curation._evidence import after_selection
from remission.clinic.curation._inversion import LOST, RESIDUAL, Part, Seen, combined, inverted
from remission.clinic.curation._mixture import Mixture, mixture
from remission.clinic.curation._moments import ENDS, lower_end
from remission.clinic.curation.cells import Cell, Kind, kinds
from remission.clinic.curation.rules import Rule, Rules
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.numerics.arrays import Floats
from remission.numerics.proportions import clopper_pearson

ALL = "all"
METHOD, BOUNDS = "inverted", "bounds"


@dataclass(frozen=True)
class Row:
    """A stratum before and after.

    Attributes:
        stratum: ``all`` for the whole corpus.
        before: synthetic share of its documents.
        after: synthetic share of what is kept, documents counted by weight; the value is NaN where only bounds are known,
            everything is NaN where nothing is kept.
        documents: judged documents.
        kept: those with a weight above 0.
        dropped: those with weight 0.
        weight: sum of the weights.
        human_lost: human documents lost, in documents: dropped ones, and of weighted ones what the weight takes.
        effective: independent documents that the weighted ones are worth: (sum w)^2 / sum w^2 (Kish, Survey Sampling, 1965),
            near-duplicates counted as in ``size``.
        scatter: standard deviation of the synthetic share of the very documents that are kept around the expected one, which
            ``after`` is about: sqrt(after (1 - after) / effective). It matters where few documents are kept.
    """

    stratum: str
    before: Estimate
    after: Estimate
    documents: float
    kept: float
    dropped: float
    weight: float
    human_lost: Estimate
    effective: float
    scatter: float

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {
            "stratum": self.stratum, "before": self.before.table(), "after": self.after.table(), "documents": self.documents,
            "kept": self.kept, "dropped": self.dropped, "weight": self.weight, "human_lost": self.human_lost.table(),
            "effective": self.effective, "scatter": self.scatter,
        }  # fmt: skip


@dataclass(frozen=True)
class Residual:
    """What rules leave: the whole first, then the strata in the order of the cells."""

    policy: str
    level: float
    rows: tuple[Row, ...]

    @property
    def whole(self) -> Row:
        """The corpus as one."""
        return self.rows[0]

    def row(self, stratum: str) -> Row:
        """A stratum. Raises DataError when there is none of the name."""
        for row in self.rows[1:]:
            if row.stratum == stratum:
                return row
        raise DataError(
            f"There is no stratum '{stratum}'. There are: {', '.join(row.stratum for row in self.rows[1:])}."
        )

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {"policy": self.policy, "level": self.level, "rows": [row.table() for row in self.rows]}


def residual(cells: Sequence[Cell], rules: Rules, level: float = 0.95) -> Residual:
    r"""The expected synthetic share of what rules keep, per stratum and for all, with intervals.

    **Estimated cells.** With pi the share, sigma and eta the mean weights that the rule gives synthetic items and humans,

        residual = pi sigma / (pi sigma + (1 - pi) eta) = pi E_synthetic[weight] / E_corpus[weight].

    pi is estimated anew from the histogram, as by `matched`; sigma and eta are means over calibration items. The interval is
    all residuals that a test does not reject; it counts the noise of the histogram (``size`` documents), of both calibration
    samples in units, that the same items make pi, sigma and eta err together, and the misfit of the corpus against any mix. Human
    documents lost, n (1 - pi) (1 - eta), likewise. Of a stratum that `cap` kept because the same data spoke for it, the high end is
    that of a test given as much (``excess`` of the rules). Otherwise rules are taken as given although they were chosen on the same
    data; ``python -m benchmarks.curation_coverage`` measures that intervals hold nevertheless.

    **Bounded cells** (no synthetic items, or a share without value, which lies in [low, high]). How many synthetic documents the
    rule catches is not known: sigma may be anything. But eta is, from human items alone, and so is the mean weight t of the
    corpus:

        t = (1 - pi) eta + pi sigma   with 0 <= sigma <= 1, so residual = 1 - (1 - pi) eta / t, which rises with pi:
        max(0, 1 - (1 - low) eta / t)  <=  residual  <=  min(1, high / t, 1 - (1 - high) eta / t).

    Every value between is had by some pi and sigma, so nothing narrower follows from the data. eta and t enter with exact ends;
    the interval covers where the share's does, less 0.5 %.

    Cells are put together by the weight they keep; errors of calibration are common to all cells of a kind, all
    other ones are independent. With one bounded cell in a stratum there are only bounds of the stratum.

    Args:
        cells: the corpus.
        rules: one for each cell.
        level: of the intervals.

    Raises:
        SpecError: ``level`` outside 0.5 .. 1. DataError: a cell without a rule.
    """
    if not 0.5 <= level < 1:
        raise SpecError(f"level must lie between 0.5 and 1. Got {level:g}.")
    known = kinds(cells)
    excess: dict[str, float] = rules.facts.get("excess", {})
    found = [
        _judged(cell, known[cell.kind], rules.rule(cell.stratum, cell.kind), level, excess.get(cell.stratum, math.inf))
        for cell in cells
    ]
    strata: dict[str, list[_Judged]] = {}
    for one in found:
        strata.setdefault(one.cell.stratum, []).append(one)
    rows = [_row(ALL, found, level), *(_row(name, own, level) for name, own in strata.items())]
    return Residual(rules.policy, level, tuple(rows))


@dataclass(frozen=True, eq=False)
class _Judged:
    """A cell under its rule: intervals of the share before and after, and of the share of all documents that is human and lost."""

    cell: Cell
    weights: Floats
    before: Part | tuple[float, float]
    after: Part | tuple[float, float] | None
    lost: Part | tuple[float, float]

    @property
    def kept(self) -> float:
        return float(self.cell.counts @ self.weights)


def _judged(cell: Cell, kind: Kind, rule: Rule, level: float, excess: float) -> _Judged:
    weights = rule.weight(cell.values)
    kept = bool(weights @ cell.counts > 0)
    if not cell.known:
        after = _bounded(cell, kind, rule, weights) if kept else None
        return _Judged(cell, weights, (cell.share.low, cell.share.high), after, _bounded_loss(cell, kind, rule))
    assert kind.synthetic is not None
    one: Mixture = mixture(cell, kind)
    ones = Seen.of(one, kind, (np.ones(len(kind.synthetic)), np.ones(len(kind.human))))
    seen = Seen.of(one, kind, (rule.weight(kind.synthetic.scores), rule.weight(kind.human.scores)))
    high = 1 - 2 * after_selection((1 - level) / 2, excess)
    return _Judged(
        cell, weights, inverted(ones, RESIDUAL, level), inverted(seen, RESIDUAL, level, high) if kept else None,
        inverted(seen, LOST, level),
    )  # fmt: skip


def _bounded(cell: Cell, kind: Kind, rule: Rule, weights: Floats) -> tuple[float, float]:
    own = rule.weight(kind.human.scores)
    t = float(cell.counts @ weights) / cell.n
    least_kept, most_kept = clopper_pearson(t * cell.size, cell.size, ENDS)
    least, most = lower_end(kind.human, own), 1 - lower_end(kind.human, 1 - own)
    if _constant(rule):
        least = most = least_kept = most_kept = t
    low = max(0.0, 1 - (1 - cell.share.low) * most / least_kept) if least_kept > 0 else 0.0
    high = min(1.0, 1 - (1 - cell.share.high) * least / most_kept)
    if least_kept > 0:
        high = min(high, cell.share.high / least_kept)
    return low, max(high, low)


def _bounded_loss(cell: Cell, kind: Kind, rule: Rule) -> tuple[float, float]:
    own = 1 - rule.weight(kind.human.scores)
    least, most = lower_end(kind.human, own), 1 - lower_end(kind.human, 1 - own)
    if _constant(rule):
        least = most = float(own.mean())
    return (1 - cell.share.high) * least, (1 - cell.share.low) * most


def _constant(rule: Rule) -> bool:
    return len(set(rule.weights)) == 1


def _row(stratum: str, found: Sequence[_Judged], level: float) -> Row:
    n = sum(one.cell.n for one in found)
    weight = sum(one.kept for one in found)
    kept = sum(float(one.cell.counts[one.weights > 0].sum()) for one in found)
    first, second = _sums(found)
    before = _share([(one.cell.n / n, one.cell, one.before) for one in found], level, n)
    parts = [(one.kept / weight, one.cell, one.after) for one in found if one.after is not None] if weight else []
    lost = _share([(one.cell.n / n, one.cell, one.lost) for one in found], level, n)
    scaled = Estimate(lost.value * n, lost.low * n, lost.high * n, level, lost.method, round(n))
    nothing = Estimate(math.nan, math.nan, math.nan, level, "none", 0)
    after = _joined(_share(parts, level, kept), before) if parts else nothing
    effective = first**2 / second if second > 0 else 0.0
    scatter = math.sqrt(after.value * (1 - after.value) / effective) if parts else math.nan
    return Row(stratum, before, after, n, kept, n - kept, weight, scaled, effective, scatter)


def _joined(after: Estimate, before: Estimate) -> Estimate:
    """Of nothing but human documents, and of nothing but synthetic ones, any rule leaves the same: what is possible before is after."""
    return replace(after, low=after.low if before.low > 0 else 0.0, high=after.high if before.high < 1 else 1.0)


def _sums(found: Sequence[_Judged]) -> tuple[float, float]:
    """Sums of weights and of their squares over independent documents."""
    pairs = [
        (float(counts @ one.weights), float(counts @ one.weights**2))
        for one in found
        for counts in [one.cell.counts * (one.cell.size / one.cell.n)]
    ]
    return sum(a for a, _ in pairs), sum(b for _, b in pairs)


_Piece = tuple[float, Cell, Part | tuple[float, float] | None]


def _share(pieces: Sequence[_Piece], level: float, n: float) -> Estimate:
    estimated = [(factor, cell.kind, part) for factor, cell, part in pieces if isinstance(part, Part)]
    bounded = [(factor, part) for factor, _, part in pieces if isinstance(part, tuple)]
    value, low, high = 0.0, 0.0, 0.0
    if len(estimated) == 1:  # an interval of its own needs no sum, which would lose that it is cut
        factor, _, part = estimated[0]
        value, low, high = factor * min(max(part.value, 0.0), 1.0), factor * part.low, factor * part.high
    elif estimated:
        value, low, high = combined(estimated)
    low += sum(factor * ends[0] for factor, ends in bounded)
    high += sum(factor * ends[1] for factor, ends in bounded)
    low, high = (min(max(end, 0.0), 1.0) for end in (low, high))
    value = math.nan if bounded else min(max(value, low), high)
    method = "+".join(_methods(estimated, bounded))
    return Estimate(value, low, high, level, method, round(n))


def _methods(estimated: Sequence[Any], bounded: Sequence[Any]) -> Iterator[str]:
    if estimated:
        yield METHOD
    if bounded:
        yield BOUNDS
