"""The cells of a census: histograms of the scores of documents that rules decide on, with what is known of their shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remission.calibration.calibrated import Calibrated
from remission.clinic.census.answering import KeptView, answer, by_stratum
from remission.clinic.census.asking import Finding
from remission.clinic.census.grouping import FIRST
from remission.clinic.census.kept import ARCHIVED, DECLARED, MARKED, OPEN, WHOLE, Marking, Source, read_part
from remission.clinic.census.receipts import bin_values, bins_of
from remission.clinic.census.running import source_of
from remission.clinic.census.scoring import Judge
from remission.clinic.curation.cells import Cell
from remission.clinic.prevalence import REFUSED, row_of
from remission.errors import DataError
from remission.estimate import Estimate
from remission.numerics.arrays import Booleans, Integers, Words

COPY_REASON = "copy of an earlier document"


@dataclass(frozen=True, eq=False)
class Counted:
    """Documents of a census by what can be decided of them, every content once but for ``copies``.

    Attributes:
        cells: judged documents of unknown origin; documents: how many.
        copies: documents with the content of an earlier one.
        declared, archived, marked: documents of known origin.
        unjudged: documents nothing is said of, by reason.
        shares: what the census says of the documents that rules decide on, by stratum and of the whole (``all``).
        source: where the documents are read from.
    """

    cells: tuple[Cell, ...]
    documents: int
    copies: int
    declared: int
    archived: int
    marked: int
    unjudged: Counter[str]
    shares: dict[str, Estimate]
    source: Source


def count(finding: Finding, calibrated: Calibrated, archive: Words) -> Counted:
    """Count a finished census part by part.

    Raises:
        DataError: nothing was judged, or the census refuses to say how much of a stratum is synthetic.
    """
    whole = finding.answer.whole
    if whole.verdict == REFUSED:
        raise DataError(
            f"The census refuses to say how much is synthetic, so nothing can be curated by it: {whole.reason}."
        )
    bins: dict[tuple[str, str], Counter[int]] = {}
    known: Counter[int] = Counter()
    copies, unjudged = 0, Counter[str]()
    source = source_of(finding.census.folder, finding.census.manifest, archive, finding.question.rate)
    for _, rows in read_part(source, finding.kept.marking):
        once = rows.copy == FIRST
        copies += int((~once).sum())
        origin = rows.known
        known += Counter(origin[once & (origin != OPEN)].tolist())
        score = np.asarray(rows.table.column("score").fill_null(np.nan).to_numpy(), float)
        judged = once & (origin == OPEN) & np.isfinite(score)
        why = np.asarray(rows.table.column("reason").fill_null("").to_pylist(), np.str_)
        unjudged += Counter(why[once & (origin == OPEN) & ~judged].tolist())
        for cell, here in cells_in(rows.table, judged):
            found, counts = np.unique(bins_of(score[here]), return_counts=True)
            bins.setdefault(cell, Counter()).update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    shares = shares_of(finding, calibrated)
    worth = _worth(finding)
    cells = tuple(
        _cell(stratum, kind, counts, shares, worth.get((stratum, kind), 1.0), calibrated)
        for (stratum, kind), counts in sorted(bins.items())
    )
    n = int(sum(cell.n for cell in cells))
    return Counted(cells, n, copies, known[DECLARED], known[ARCHIVED], known[MARKED], unjudged, shares, source)


def at_level(finding: Finding, level: float) -> Finding:
    """A census with its answer at another level of intervals."""
    if level == finding.question.wish.level:
        return finding
    question = replace(finding.question, wish=replace(finding.question.wish, level=level))
    judge = Judge.load(question.detector)
    said = answer(finding.kept, judge.calibrated, question.wish, finding.census.manifest.sampling)
    return replace(finding, question=question, answer=said)


def shares_of(finding: Finding, calibrated: Calibrated) -> dict[str, Estimate]:
    """The share among the documents that rules decide on, by stratum.

    In the census a stratum holds every content that it has; here it holds those that come first in it, for of copies in other
    strata one is kept. Where that differs, the share is that of the latter.
    """
    found = {row.stratum: getattr(row, "detected", None) or row.share for row in finding.answer.rows}
    for name, part in by_stratum(finding.kept):
        if part.first.all():
            continue
        view, chosen = KeptView(calibrated, part), part.first & (part.known == OPEN)
        if (chosen & view.usable).any():
            found[name] = row_of(view, finding.question.wish, name, chosen).share
    return found


def cells_in(table: Any, chosen: Booleans) -> Iterator[tuple[tuple[str, str], Integers]]:
    """The (stratum, kind) of the chosen rows of a part, in order, each with the places of its rows; one pass for any number."""
    coded = [table.column(name).combine_chunks().dictionary_encode() for name in ("stratum", "cell")]
    names = [one.dictionary.to_pylist() for one in coded]
    stratum, kind = (one.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64) for one in coded)
    places = np.flatnonzero(chosen)
    if not places.size:
        return
    code = (stratum * max(1, len(names[1])) + kind)[places]
    order = np.argsort(code, kind="stable")
    found, starts = np.unique(code[order], return_index=True)
    cells = [(names[0][one // len(names[1])], names[1][one % len(names[1])]) for one in found.tolist()]
    yield from sorted(zip(cells, np.split(places[order], starts[1:]), strict=True), key=lambda pair: pair[0])


def _cell(
    stratum: str, kind: str, counts: Counter[int], shares: dict[str, Estimate], worth: float, calibrated: Calibrated
) -> Cell:
    human = calibrated.human.take(calibrated.human_strata == kind)
    synthetic = None
    if calibrated.synthetic is not None and (calibrated.synthetic_strata == kind).any():
        synthetic = calibrated.synthetic.take(calibrated.synthetic_strata == kind)
    values = bin_values(sorted(counts))
    numbers = np.array([counts[place] for place in sorted(counts)], float)
    share = shares.get(stratum, shares[WHOLE])
    return Cell(stratum, kind, values, numbers, human, synthetic, share, worth * float(numbers.sum()))


def _worth(finding: Finding) -> dict[tuple[str, str], float]:
    """How many independent documents a document is worth, by cell: near-duplicates count as one.

    With clusters of m documents the variance of a mean is at most sum m^2 / sum m times that of independent ones (Kish, Survey
    Sampling, 1965, for clusters whose members are all alike).
    """
    kept = finding.kept
    chosen = kept.first & (kept.known == OPEN) & np.isfinite(kept.score)
    cells = (kept.stratum * len(kept.kinds) + kept.kind)[chosen]
    unit, units = kept.unit[chosen], int(kept.unit.max(initial=0)) + 1
    # documents of a unit in a cell, then sums of those numbers and of their squares over the units of a cell
    pairs, times = np.unique(cells * units + unit, return_counts=True)
    names, place = np.unique(pairs // units, return_inverse=True)
    worth = np.bincount(place, times) / np.bincount(place, times.astype(float) ** 2)
    return {
        (kept.strata[cell // len(kept.kinds)], kept.kinds[cell % len(kept.kinds)]): one
        for cell, one in zip(names.tolist(), worth.tolist(), strict=True)
    }


def table(counted: Counted) -> dict[str, Any]:
    """Counts as plain values."""
    return {
        "judged": counted.documents, "copies": counted.copies, "declared": counted.declared, "archived": counted.archived,
        "marked": counted.marked, "unjudged": dict(counted.unjudged.most_common()),
    }  # fmt: skip


def unjudged_told(counted: Counted, kept: bool, policy: str) -> str:
    """The warning of documents that nothing is said of, where there are some."""
    left = counted.unjudged.total()
    if kept:
        weight = ", each with weight 1" if policy == "weigh" else ""
        return (
            f"{left:,} documents that the detector does not judge are kept{weight}; the shares of judged documents say nothing of "
            "them. Drop them with --unjudged drop."
        )
    return (
        f"{left:,} documents that the detector does not judge are dropped. Nobody knows how many of them are human; they are not "
        "among the human documents lost."
    )


def warnings(counted: Counted, kept: int, unjudged: bool, policy: str, marking: Marking | None) -> Iterator[str]:
    """What a reader of the shares must know, of a training set of ``kept`` documents, those not judged among them or not."""
    if counted.unjudged:
        yield unjudged_told(counted, unjudged, policy)
    if counted.marked and marking is not None:
        yield (
            f"{counted.marked:,} documents are dropped because they are called watermarked. At most {marking.false:,.1f} of all "
            f"{marking.found:,} that are called so are expected to be human; they are not among the human documents lost."
        )
    if not kept:
        yield "Nothing is kept."
