"""Drop the most suspicious documents of a stratum until little enough of the rest is expected to be synthetic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from remission.clinic.curation._evidence import ENOUGH, Tilt, errors, likeliest
from remission.clinic.curation._mixture import Mixture, mixture
from remission.clinic.curation._moments import lower_end, upper_end
from remission.clinic.curation.cells import Cell, Kind, kinds
from remission.clinic.curation.rules import Rule, Rules
from remission.errors import SpecError
from remission.numerics.arrays import Floats, Integers

_LEAST = 25  # calibration humans (units) in what is kept: in a tail with fewer, the cleanest cut is the luckiest one
_BEST = 0.5  # standard errors by which the best of many cuts, whose errors go together, looks surer than one
_CUTS = 200  # tried of a cell of which only bounds are known


def cap(cells: Sequence[Cell], cap: float = 0.1) -> Rules:
    r"""Drop from every stratum until the expected synthetic share of what is kept is at most ``cap``.

    Documents go in the order of their posterior P(synthetic | score) over all kinds of the stratum, which within a kind is the
    order of the score. After a drop that leaves the calibration shares eta of humans and sigma of synthetic items,
    pi sigma / (pi sigma + (1 - pi) eta) of the kept are expected to be synthetic, put together over kinds by kept documents; pi is
    estimated from the cell as ``residual`` does. A cut must keep to the cap

    - by the synthetic units that it keeps: K of k count as K + 1 + sqrt(K) of k + 1, as a conformal p-value counts and a standard error
      more, and at least 25 calibration humans (units) must be among what is kept;
    - by the density ratio, which is smooth where few items are left, within the errors of pi and of the ratio.

    Of ever smaller tails one looks clean by chance. So a stratum is kept only if some cut keeps to the cap by 1.28 standard errors of
    the second kind: where none does, chance shows that in one stratum of ten at most. The cut is then the one that keeps
    most and that keeps to the cap by maximum likelihood given that the stratum is kept, so evidence that is barely enough takes a
    cut far below the cap, and evidence in plenty one at it.

    A kind of which only bounds are known must keep to the cap by itself and at its worst: with the high end of the share,
    the lowest eta and the most kept that chance allows. Where the high end is 1, that cannot be reached.

    A stratum (or a kind with bounds) that cannot be brought below the cap while a document is left is dropped whole, with that reason.

    Args:
        cells: the corpus.
        cap: largest expected synthetic share, between 0 and 1.

    Returns:
        Rules with ``facts``: ``cap``, ``dropped_whole`` (names of strata), ``excess``: of each stratum that is kept on evidence,
        what that had above what is enough, in standard errors, less half a one, by which the best of many cuts looks surer than
        one; ``residual`` takes it into account.

    Raises:
        SpecError: ``cap`` outside 0 .. 1.
    """
    if not 0 < cap < 1:
        raise SpecError(f"cap must lie between 0 and 1. Got {cap:g}. Try 0.1.")
    known = kinds(cells)
    tilts = {name: Tilt.of(kind) for name, kind in known.items() if kind.synthetic is not None}
    own: dict[str, list[Cell]] = {}
    for cell in cells:
        own.setdefault(cell.stratum, []).append(cell)
    limits: dict[tuple[str, str], float] = {}
    excess: dict[str, float] = {}
    for stratum, those in own.items():
        estimated = [cell for cell in those if cell.known]
        if estimated:
            found, excess[stratum] = _of_stratum(estimated, known, tilts, cap)
            limits |= found
        limits |= {
            (cell.stratum, cell.kind): _of_bounds(cell, known[cell.kind], cap) for cell in those if not cell.known
        }
    rules = tuple(
        _rule(cell, limits[cell.stratum, cell.kind], cap, excess.get(cell.stratum, -math.inf)) for cell in cells
    )
    whole = sorted({rule.stratum for rule in rules} - {rule.stratum for rule in rules if not rule.drops_all})
    notes = tuple(f"{rule.stratum}, {rule.kind}: dropped whole. {rule.reason}." for rule in rules if rule.drops_all)
    kept = {stratum: one for stratum, one in excess.items() if one >= 0}
    return Rules("cap", rules, {"cap": cap, "dropped_whole": whole, "excess": kept}, notes)


def _rule(cell: Cell, limit: float, cap: float, excess: float) -> Rule:
    """Scores above the limit are dropped; all of them at minus infinity."""
    top = float(cell.values[-1])
    if limit >= top:
        return Rule(cell.stratum, cell.kind, "cap")
    if limit > -math.inf:
        reason = f"cap: among the most suspicious of its stratum, of which at most {100 * cap:g} % may be synthetic"
        return Rule(cell.stratum, cell.kind, "cap", (limit,), (1.0, 0.0), reason)
    why = "" if cell.known else f"; only bounds are known, and up to {100 * cell.share.high:.0f} % may be synthetic"
    if cell.known and -math.inf < excess < 0:
        why = f" surely enough (by {ENOUGH + excess:.1f} standard errors of the calibration where {ENOUGH:.1f} are needed)"
    reason = f"cap: {100 * cap:g} % synthetic or less cannot be reached in its stratum{why}"
    return Rule(cell.stratum, cell.kind, "cap", (), (0.0,), reason)


def _of_stratum(
    cells: Sequence[Cell], known: dict[str, Kind], tilts: dict[str, Tilt], cap: float
) -> tuple[dict[tuple[str, str], float], float]:
    """The limit of each kind at the common cut of the posterior that is taken, and the evidence above what is enough."""
    mixtures = [mixture(cell, known[cell.kind]) for cell in cells]
    order = [_posteriors(cell, known[cell.kind], one.clipped) for cell, one in zip(cells, mixtures, strict=True)]
    cuts = np.unique(np.concatenate(order))[::-1]  # kept: posterior at most the cut
    synthetic, kept, humans = (np.zeros(cuts.size) for _ in range(3))
    parts: list[tuple[Cell, Mixture, Tilt, Floats]] = []
    for cell, one, posterior in zip(cells, mixtures, order, strict=True):
        below = np.searchsorted(posterior, cuts, "right")  # bins kept at each cut
        number = np.concatenate([[0.0], np.cumsum(cell.counts)])[below]
        limits = np.concatenate([[-np.inf], cell.values[:-1], [np.inf]])[below]  # to keep all is to keep any score
        synthetic += number * _expected(one, known[cell.kind], limits)
        kept += number
        human = known[cell.kind].human
        humans += one.human.units * _below(human.scores, human.weight, limits)
        parts.append((cell, one, tilts[cell.kind], limits))
    seen = humans >= min(_LEAST, humans[0]) - 1e-9
    counted = np.flatnonzero((kept > 0) & seen & (synthetic <= cap * kept))
    taken, excess = _taken(counted, errors(parts, cap))
    out = {}
    for cell, posterior in zip(cells, order, strict=True):
        bins = int(np.searchsorted(posterior, cuts[taken], "right")) if taken is not None else 0
        out[cell.stratum, cell.kind] = float(cell.values[bins - 1]) if bins else -math.inf
    return out, excess


def _taken(counted: Integers, surely: Floats) -> tuple[int | None, float]:
    """Which of the cuts that keep to the cap as counted is taken, the largest being the first, and the excess of the evidence."""
    if not counted.size:
        return None, -math.inf
    most = float(surely[counted].max())
    if most < ENOUGH:
        return None, round(most - ENOUGH, 2)
    excess = max(round(most - ENOUGH - _BEST, 2), 0.0)
    enough = min(likeliest(excess), most)
    return int(counted[surely[counted] >= enough][0]), excess


def _posteriors(cell: Cell, kind: Kind, share: float) -> Floats:
    """Of each score of a cell (m,), strictly ascending with the score where it would be flat."""
    assert kind.ratio is not None
    found = kind.ratio.posterior(cell.values, share)
    return np.maximum.accumulate(found) + np.linspace(0, 1e-9, found.size)


def _expected(one: Mixture, kind: Kind, limits: Floats) -> Floats:
    """The synthetic share of what scores at most each limit."""
    assert kind.synthetic is not None
    units = one.synthetic_units
    sigma, eta = (_below(sample.scores, sample.weight, limits) for sample in (kind.synthetic, kind.human))
    sigma = np.minimum((units * sigma + 1 + np.sqrt(units * sigma)) / (units + 1), 1.0)
    sigma[limits == np.inf] = 1.0  # all is kept, which takes no counting
    part = one.clipped * sigma
    return part / np.maximum(part + (1 - one.clipped) * eta, 1e-300)


def _of_bounds(cell: Cell, kind: Kind, cap: float) -> float:
    """The limit of a cell of which only bounds are known."""
    if cell.share.high >= 1:
        return -math.inf
    if cell.share.high <= cap:
        return math.inf
    for bins in np.unique(np.linspace(1, max(cell.values.size - 1, 1), _CUTS).astype(int))[::-1].tolist():
        limit = cell.values[bins - 1]
        eta = lower_end(kind.human, (kind.human.scores <= limit).astype(float))
        kept = upper_end(float(cell.counts[:bins].sum()) / cell.n, cell.size)
        if 1 - (1 - cell.share.high) * eta / kept <= cap:
            return float(limit)
    return -math.inf


def _below(scores: Floats, weight: Floats, limits: Floats) -> Floats:
    order = np.argsort(scores)
    reached = np.concatenate([[0.0], np.cumsum(weight[order])])
    return reached[np.searchsorted(scores[order], limits, "right")] / reached[-1]
