"""Drop what is likely synthetic: a promise about how many human documents are among the dropped ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from remission.clinic.curation.cells import Cell, Kind, kinds
from remission.clinic.curation.rules import Rule, Rules
from remission.errors import SpecError
from remission.numerics.arrays import Floats

_EVEN = 1e-12  # relative: p-values are ratios of whole numbers, and must not miss an equal limit by rounding


def exclude(cells: Sequence[Cell], fdr: float = 0.05) -> Rules:
    r"""Drop documents so that the expected share of human ones among the dropped is at most ``fdr``.

    Every document of every cell is tested against the calibration humans of its kind (one score a unit, ties against the
    document; :mod:`remission.calibration.conformal`), and Benjamini and Hochberg's rule (J. R. Stat. Soc. B 57, 289, 1995)
    is applied to all n p-values together: the cut is the largest p with p <= fdr k(p) / n, k(p) documents having
    a p-value of at most p. Marginal conformal p-values of one calibration sample are positively dependent in the way that the rule
    stands (Bates, Candes, Lei, Romano and Sesia, Annals of Statistics 51, 149, 2023), so that

        E[human documents dropped / documents dropped]  <=  fdr (1 - share)  <=  fdr,

    the expectation being over corpora and over calibration samples: of one given calibration the share may be higher. It
    takes that the humans of the corpus are drawn like those of the calibration and documents independently of each other.
    Nothing is assumed about the score, and no synthetic items are needed. One cut for all p-values is one threshold for
    each kind, a score of the calibration; the counts of a census are enough to find it exactly.

    The factor 1 - share is given away on purpose. Storey's correction (J. R. Stat. Soc. B 64, 479, 2002) estimates it and would
    drop more, hardly so at a share of 10 %, a third more at 50 %. But it leaves no room for documents that are not
    independent (near-copies of a human document that scores high), and what it estimates rests on the same few calibration humans.

    Args:
        cells: the corpus.
        fdr: expected share of human documents among the dropped, between 0 and 1.

    Returns:
        Rules with ``facts``: ``fdr``, ``cut`` (of p-values; 0 when nothing is dropped), ``tested``, ``dropped``,
        ``thresholds`` by kind (None where nothing is dropped). When nothing can be dropped because no p-value can be low enough, a
        note says how many calibration humans it takes at least.

    Raises:
        SpecError: ``fdr`` outside 0 .. 1.
    """
    if not 0 < fdr < 1:
        raise SpecError(f"fdr must lie between 0 and 1. Got {fdr:g}. Try 0.05.")
    known = kinds(cells)
    tested = sum(cell.n for cell in cells)
    levels, numbers = _histogram(cells, known)
    reached = np.cumsum(numbers)
    passing = np.flatnonzero(levels <= fdr * reached / tested * (1 + _EVEN))
    cut, dropped = (float(levels[passing[-1]]), float(reached[passing[-1]])) if passing.size else (0.0, 0.0)
    thresholds = {name: _threshold(kind.maxima, cut) for name, kind in known.items()}
    reason = f"likely synthetic: p <= {cut:.3g}, so that at most {100 * fdr:g} % of the dropped are human"
    rules = tuple(
        Rule(cell.stratum, cell.kind, "exclude")
        if (limit := thresholds[cell.kind]) is None
        else Rule(cell.stratum, cell.kind, "exclude", (limit,), (1.0, 0.0), reason)
        for cell in cells
    )
    facts = {"fdr": fdr, "cut": cut, "tested": tested, "dropped": dropped, "thresholds": thresholds}
    notes = () if dropped else (_too_few(cells, known, fdr, tested),)
    return Rules("exclude", rules, facts, notes)


def _histogram(cells: Sequence[Cell], known: dict[str, Kind]) -> tuple[Floats, Floats]:
    """Every p-value that occurs, ascending, and how many documents have it."""
    found: list[tuple[Floats, Floats]] = []
    for cell in cells:
        humans = known[cell.kind].maxima
        above = humans.size - np.searchsorted(humans, cell.values, "left")
        found.append((np.asarray((1.0 + above) / (humans.size + 1.0), dtype=float), cell.counts))
    every, counts = (np.concatenate(list(part)) for part in zip(*found, strict=True))
    levels, place = np.unique(every, return_inverse=True)
    return levels, np.bincount(place, counts, levels.size).astype(float)


def _threshold(humans: Floats, cut: float) -> float | None:
    """The human score above which p is at most the cut."""
    rank = math.floor(cut * (humans.size + 1) * (1 + _EVEN))
    return float(humans[humans.size - rank]) if rank >= 1 else None


def _too_few(cells: Sequence[Cell], known: dict[str, Kind], fdr: float, tested: float) -> str:
    outside = sum(float(cell.counts[cell.values > known[cell.kind].maxima[-1]].sum()) for cell in cells)
    least = min(1 / (kind.maxima.size + 1) for kind in known.values())
    if not outside:
        return "Nothing is dropped: no document scores above all calibration humans of its kind."
    needed = math.ceil(tested / (fdr * outside)) - 1
    return (
        f"Nothing is dropped: {outside:,.0f} of {tested:,.0f} documents score above all calibration humans of their kind, which "
        f"would have to show p <= {fdr * outside / tested:.2g} each; with the humans there are, p is at least {least:.2g}. "
        f"It takes at least {needed:,} calibration humans (units) of their kind, or a larger fdr."
    )
