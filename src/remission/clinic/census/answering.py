"""What a finished census says: the share of synthetic documents by stratum, all evidence merged, copies counted once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remission.calibration.calibrated import Calibrated
from remission.clinic import prevalence as shares
from remission.clinic._views import CalibratedView
from remission.clinic.artefacts import artefacts_told
from remission.clinic.census.kept import ARCHIVED, DECLARED, MARKED, OPEN, WHOLE, Kept, Marking, Tallies
from remission.clinic.census.sampling import Sampling
from remission.clinic.prevalence import Answer, Row, Wish
from remission.documents import Documents
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.numerics.arrays import Booleans, Floats, Integers

UNCALIBRATED = ("not calibrated",)  # reasons of documents of a kind nothing was calibrated on


@dataclass(frozen=True)
class CensusRow(Row):
    """A stratum with what else is known of its documents.

    Attributes:
        n_copies: documents left out because their content came before.
        n_declared, n_archived, n_marked: documents that declare they are synthetic, lie in the archive of human documents, or
            are called watermarked; they are part of the share, and their scores are not asked. Where the detector cannot
            judge some documents of unknown origin, those of known origin that it cannot judge are left out like them (they
            count as abstained): else the share would be that of a choice which favours one side.
        detected: the share among the other documents, by their scores alone.
        documents: in a sample, how many documents (contents) of the stratum there are in the corpus.
    """

    n_copies: int = 0
    n_declared: int = 0
    n_archived: int = 0
    n_marked: int = 0
    detected: Estimate | None = None
    documents: Estimate | None = None

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        more = {
            "n_copies": self.n_copies, "n_declared": self.n_declared, "n_archived": self.n_archived,
            "n_marked": self.n_marked, "detected": None if self.detected is None else self.detected.table(),
            "documents": None if self.documents is None else self.documents.table(),
        }  # fmt: skip
        return super().table() | more


class KeptView(CalibratedView):
    """Documents of a census whose origin only the score can tell."""

    def __init__(self, calibrated: Calibrated, kept: Kept) -> None:
        self.calibrated, self.labels, self.documents = calibrated, None, None
        self.score, self.units, self.weight = kept.score, kept.unit, kept.weight
        self.stratum = np.array(kept.kinds, dtype=np.str_)[kept.kind]
        self.usable = np.isfinite(kept.score) & (kept.known == OPEN) & (self.stratum != "")
        self.abstained = ~self.usable


def check_wish(wish: Wish) -> None:
    """Raise SpecError for an estimator that must see the documents themselves."""
    if wish.estimator in ("words", "powered"):
        raise SpecError(
            f"The estimator '{wish.estimator}' needs the documents themselves, a census has their scores. Use "
            "`remission prevalence` on a sample, or another estimator."
        )


def answer(kept: Kept, calibrated: Calibrated, wish: Wish | None = None, sampling: Sampling | None = None) -> Answer:
    """Prevalence of a corpus from its census.

    The estimators, the placebo and the shift test are those of :func:`remission.clinic.prevalence.prevalence`, on documents whose
    origin only the score can tell. Those that are known otherwise join them: declared ones as synthetic, archived ones as
    human, watermarked ones as synthetic but for the expected number of false discoveries. Every content counts once, in
    the whole and in each stratum; near-duplicates are one sampling unit, in a sample of files all of a file.

    Args:
        kept: the documents, scored by ``calibrated``.
        calibrated: the detector.
        wish: what is asked; ``by`` is that of the census.
        sampling: how documents were drawn.

    Raises:
        DataError: no document was kept. SpecError: an estimator that must see the documents themselves.
    """
    wish = wish or Wish()
    check_wish(wish)
    whole = kept.tallies[WHOLE]
    if not whole.n:
        raise DataError("No usable document was found.")
    view = KeptView(calibrated, kept)
    early = Documents(range(kept.score.size), {"date": np.where(kept.early, "0001-01-01", "")})
    once = KeptView(calibrated, kept)
    once.usable = view.usable & kept.first
    placebo = shares.placebo_of(once, early, wish)
    rows = [_row(view, wish, kept, WHOLE, kept.first, placebo, sampling)]
    for name, part in by_stratum(kept):
        rows.append(
            _row(KeptView(calibrated, part), wish, part, name, np.ones(part.score.size, bool), placebo, sampling)
        )
    tested = [row for row in rows if row.shift is not None]
    failed = [row.stratum for row in tested if row.shift is not None and row.shift.failed]
    shift = {"verdict": "failed" if failed else "passed" if tested else "not possible", "failed": failed}
    if rows[0].shift is not None:
        shift |= shares.shift_table(rows[0].shift)
    known = whole.not_judged["known"]
    overlap = {"verdict": "dropped" if known else "passed", "n": known}
    checks = {"placebo": placebo, "shift": shift, "overlap": overlap}
    warnings = (*_warnings(rows[0], placebo, wish, whole, sampling), *artefacts_told(calibrated))
    return Answer(tuple(rows), checks, warnings)


def by_stratum(kept: Kept) -> Iterator[tuple[str, Kept]]:
    """The documents of each stratum, by name; put in order once, for there may be very many strata."""
    order = np.argsort(kept.stratum, kind="stable")
    ends = np.searchsorted(kept.stratum[order], np.arange(len(kept.strata) + 1))
    code = {name: number for number, name in enumerate(kept.strata)}
    columns: dict[str, Any] = {name: values for name, values in vars(kept).items() if isinstance(values, np.ndarray)}
    for name in sorted(set(kept.tallies) - {WHOLE}):
        number = code.get(name)
        here = order[:0] if number is None else order[ends[number] : ends[number + 1]]
        yield name, replace(kept, **{column: values[here] for column, values in columns.items()})


def _row(
    view: KeptView, wish: Wish, kept: Kept, name: str, chosen: Booleans, placebo: Mapping[str, Any],
    sampling: Sampling | None,
) -> CensusRow:  # fmt: skip
    tally = kept.tallies[name]
    row = shares.row_of(view, wish, name, chosen & (kept.known == OPEN))
    known = known_in(tally)
    rest = sum(tally.not_judged[reason] for reason in UNCALIBRATED)
    abstained = sum(tally.not_judged.values()) - rest + sum((tally.known + tally.unscored - known).values())
    found = CensusRow(
        row.stratum, row.share, row.verdict, row.reason, tally.judged + sum(known.values()), abstained, rest, row.fpr,
        row.tpr, row.shift, tally.copies, known[DECLARED], known[ARCHIVED], known[MARKED],
        documents=documents_in(tally, sampling, kept.files, wish.level),
    )  # fmt: skip
    if placebo["verdict"] == "failed":
        reason = (
            f"the placebo failed: documents dated before {wish.before} come out as at least {100 * placebo['low']:.1f} % "
            "synthetic, so calibration and corpus do not belong together"
        )
        nothing = Estimate(math.nan, math.nan, math.nan, wish.level, "none", found.n)
        return replace(found, share=nothing, verdict=shares.REFUSED, reason=reason)
    found = replace(found, share=replace(found.share, n=found.n))
    drawn = _drawn(sampling, name)
    if drawn and _draws(kept, _counting(kept, view, tally, chosen, OPEN)) == 1:
        found = replace(found, share=_anything(found.share))
    found = _with_known(found, kept, view, chosen, wish) if known else found
    return _with_composition(found, kept, view, chosen, wish) if drawn else found


def known_in(tally: Tallies) -> Counter[int]:
    """Documents of known origin that are part of the share: those that can be judged; all, where the others can be."""
    return tally.known if tally.not_judged else tally.known + tally.unscored


def _with_known(row: CensusRow, kept: Kept, view: KeptView, chosen: Booleans, wish: Wish) -> CensusRow:
    """The share among documents that only the score can tell, and the known ones, by weight."""
    level, tally = wish.level, kept.tallies[row.stratum]
    weights, parts = [], []
    for known in (OPEN, DECLARED, ARCHIVED, MARKED):
        here = _counting(kept, view, tally, chosen, known)
        if not here.any():
            continue
        n = int(here.sum())
        weights.append(float(kept.weight[here].sum()))
        if known == OPEN:
            parts.append(row.share)
        elif known == MARKED and kept.marking is not None:
            parts.append(genuine(kept.marking, tally, level))
        else:
            value = 1.0 if known == DECLARED else 0.0
            parts.append(Estimate(value, value, value, level, "known", n))
    share = shares.mixed([weight / sum(weights) for weight in weights], parts)
    methods = row.share.method if row.share.method != "none" else ""
    share = replace(share, method=f"{methods}+known" if methods else "known", n=row.n)
    verdict = row.verdict if row.verdict != shares.REFUSED else shares.ESTIMATE
    return replace(row, share=share, verdict=verdict, detected=row.share)


def _counting(kept: Kept, view: KeptView, tally: Tallies, chosen: Booleans, known: int) -> Booleans:
    """The chosen documents of which this is known, and which are part of the share."""
    fit = np.isfinite(kept.score) if tally.not_judged else np.ones(kept.score.size, bool)
    return chosen & (view.usable if known == OPEN else fit & (kept.known == known))


def _drawn(sampling: Sampling | None, name: str) -> bool:
    """Whether documents of a stratum were left out, by files or by its rate."""
    if sampling is None or sampling.everything:
        return False
    return name == WHOLE or sampling.files < 1 or sampling.probability(name) < 1


def _draws(kept: Kept, here: Booleans) -> int:
    """How many units such documents are of."""
    return int(np.unique(kept.unit[here]).size)


def _anything(share: Estimate) -> Estimate:
    """What one draw says of those that were not drawn: it may be anything."""
    return replace(share, low=0.0, high=1.0)


def _with_composition(row: CensusRow, kept: Kept, view: KeptView, chosen: Booleans, wish: Wish) -> CensusRow:
    """A wider interval, for in a sample it is not known either how many documents there are of each kind."""
    tally, said = kept.tallies[row.stratum], np.full(kept.score.size, np.nan)
    for known, value in ((DECLARED, 1.0), (MARKED, 1.0), (ARCHIVED, 0.0)):
        said[_counting(kept, view, tally, chosen, known)] = value
    open_ = _counting(kept, view, tally, chosen, OPEN)
    draws = _draws(kept, open_ | np.isfinite(said))
    if draws == 1:
        reason = "all that was drawn is one unit (a file, or near-duplicates), which says nothing of the others"
        return replace(row, share=_anything(row.share), reason="; ".join(filter(None, (row.reason, reason))))
    if not draws:
        return row
    for kind in np.unique(kept.kind[open_]).tolist():
        here = open_ & (kept.kind == kind)
        share = shares.row_of(view, wish, row.stratum, here, checked=False).share
        said[here] = (share.low + share.high) / 2 if math.isnan(share.value) else share.value
    here = np.isfinite(said)
    down, up = stray(said[here], kept.unit[here], kept.weight[here], wish.level)
    value, low, high = row.share.value, row.share.low, row.share.high
    if math.isnan(value):
        share = replace(row.share, low=max(0.0, low - down), high=min(1.0, high + up))
    else:
        down, up = math.hypot(value - low, down), math.hypot(high - value, up)
        share = replace(row.share, low=max(0.0, value - down), high=min(1.0, value + up))
    return replace(row, share=share)


def stray(values: Floats, units: Integers, weight: Floats, level: float) -> tuple[float, float]:
    """How far below and above the mean of values in 0 .. 1 that of all units may lie, two of which were drawn at least.

    Units that are all alike have no variance, and still others may differ. So two are added in thought, one of each kind
    (after Agresti and Coull, 1998), as heavy as units are on average, by weight.

    Args:
        values: (n,) of documents.
        units: (n,) what was drawn together.
        weight: (n,) how many documents each stands for.
        level: of the interval.
    """
    from scipy.special import stdtrit

    names, place = np.unique(units, return_inverse=True)
    masses = np.bincount(place, weight) / weight.sum()
    mean = float(weight @ values) / float(weight.sum())
    one = float((masses**2).sum())
    masses = np.append(masses, [one, one])
    totals = np.append(np.bincount(place, weight * values) / weight.sum(), [0.0, one])
    whole, n = 1 + 2 * one, names.size + 2
    centre = float(totals.sum()) / whole
    variance = float(((totals - masses * centre) ** 2).sum()) / whole**2 * n / (n - 1)
    half = float(stdtrit(names.size - 1, 0.5 + level / 2)) * math.sqrt(variance)
    return max(mean - centre + half, 0.0), max(centre + half - mean, 0.0)


def genuine(marking: Marking, tally: Tallies, level: float) -> Estimate:
    """The share of the documents called watermarked that are: false ones are Poisson, their mean at most tested x cut."""
    from scipy.stats import poisson

    n = tally.marked
    false = min(tally.tested * 10.0**marking.cut, float(n))
    most = float(poisson.ppf(0.5 + level / 2, false))
    return Estimate(1 - false / n, max(0.0, 1 - most / n), 1.0, level, "marked", n)


def documents_in(tally: Tallies, sampling: Sampling | None, files: int, level: float) -> Estimate | None:
    """How many contents the corpus has, from a sample (Horvitz and Thompson, 1952); None where all was looked at.

    In a sample of files, which count as drawn at random without replacement, a content that lies in several files counts up
    to once in each: how often it does in the others is not known.

    Args:
        tally: of the sample.
        sampling: with the probability that files really had.
        files: how many were read.
        level: of the interval.
    """
    from scipy.stats import norm, t

    if sampling is None or sampling.everything:
        return None
    variance, quantile = tally.spread, float(norm.ppf(0.5 + level / 2))
    if sampling.files < 1:
        if files < 2:
            return Estimate(tally.weight, float(tally.n), math.inf, level, "one file", tally.n)
        totals = np.zeros(files)
        totals[: len(tally.files)] = list(tally.files.values())  # already what they stand for
        quantile = float(t.ppf(0.5 + level / 2, files - 1))
        variance = variance / sampling.files + files * (1 - sampling.files) * float(np.var(totals, ddof=1))
    half = quantile * math.sqrt(variance)
    return Estimate(
        tally.weight, max(float(tally.n), tally.weight - half), tally.weight + half, level, "sampled", tally.n
    )


def _warnings(
    whole: Row, placebo: Mapping[str, Any], wish: Wish, tally: Tallies, sampling: Sampling | None
) -> list[str]:
    found = list(shares.warnings_of(whole, {"placebo": placebo}, wish))
    known = tally.not_judged["known"]
    if known:
        found.append(f"{known:,} documents that the detector was fitted or calibrated on are not part of the share.")
    if tally.conflicts:
        found.append(
            f"{tally.conflicts:,} documents lie in the archive of human documents and are declared synthetic or called watermarked. "
            "They count as human; look at them."
        )
    left = sum((tally.known + tally.unscored - known_in(tally)).values())
    if left:
        found.append(
            f"Documents of known origin that cannot be judged ({left:,}) are not part of the share, like the others that cannot "
            f"be ({sum(tally.not_judged.values()):,})."
        )
    if sampling is not None and sampling.files < 1:
        found.append(
            "Only some files were read: copies of a document that lie in different files cannot all be known, so documents that "
            "are copied often count more than once."
        )
    return found
