"""How much of a corpus is synthetic: an interval that covers, or bounds, or a refusal with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remission import registry
from remission.calibration.calibrated import Calibrated
from remission.calibration.misfit import Misfit, misfit
from remission.clinic._views import CalibratedView, CrossfittedView, Progress, View
from remission.clinic.artefacts import artefacts_told
from remission.clinic.crossfit import Crossfitted
from remission.clinic.dates import check_day, dated_before, told_undated, undated
from remission.clinic.naming import named, visible
from remission.documents import Documents, Flags
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.numerics.arrays import Floats
from remission.scored import Sample, Scored

BEFORE = "2022-01-01"  # what is dated earlier counts as human
PLACEBO_LEAST, PLACEBO_LEVEL, PLACEBO_MATTERS = 50, 0.99, 0.005
SYNTHETIC_LEAST = 50  # units with which the mix of the corpus's own kind is estimated rather than bounded
ESTIMATE, BOUNDS, REFUSED = "estimate", "bounds", "refused"


@dataclass(frozen=True)
class Row:
    """The share of synthetic documents in a stratum.

    Attributes:
        stratum: ``all``, or ``column=value``.
        share: value (NaN when only bounds can be given) with the interval; all NaN when refused.
        verdict: ``estimate``, ``bounds`` or ``refused``.
        reason: why not an estimate.
        n: documents that were judged.
        n_abstained: documents that nothing is said of.
        n_uncalibrated: documents of a kind without calibration humans; not in the share either.
        fpr: false-positive rate of the detector at its threshold.
        tpr: detection rate there, of the calibration's synthetic items.
        shift: the test whether the stratum is a mix of the calibration samples.
    """

    stratum: str
    share: Estimate
    verdict: str
    reason: str
    n: int
    n_abstained: int
    n_uncalibrated: int
    fpr: Estimate | None = None
    tpr: Estimate | None = None
    shift: Misfit | None = None

    def table(self) -> dict[str, Any]:
        """As plain values for JSON."""
        share = {name: value for name, value in self.share.table().items() if name != "n"}
        return {
            "stratum": self.stratum,
            **share,
            "n": self.n,
            "n_abstained": self.n_abstained,
            "n_uncalibrated": self.n_uncalibrated,
            "verdict": self.verdict,
            "reason": self.reason,
            "fpr": None if self.fpr is None else self.fpr.table(),
            "tpr": None if self.tpr is None else self.tpr.table(),
            "shift": None if self.shift is None else shift_table(self.shift),
        }


@dataclass(frozen=True)
class Answer:
    """Prevalence of a corpus: the whole first, then its strata; and the checks that decide what may be said.

    Attributes:
        rows: one for each stratum.
        checks: ``placebo``, ``shift`` and ``overlap``, each with a ``verdict`` and what was found.
        warnings: for the reader.
    """

    rows: tuple[Row, ...]
    checks: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def whole(self) -> Row:
        """The corpus as one."""
        return self.rows[0]


@dataclass(frozen=True)
class Wish:
    """What is asked.

    Attributes:
        by: columns whose values are strata.
        estimator: a name; ``auto``: ``matched`` where there are synthetic items of the kind, else ``bounds``.
        level: of the intervals.
        seed: of estimators that resample.
        before: documents dated earlier are the placebo slice; an ISO date, as theirs (other values count as no date).
    """

    by: tuple[str, ...] = ()
    estimator: str = "auto"
    level: float = 0.95
    seed: int = 0
    before: str = BEFORE

    def __post_init__(self) -> None:
        check_day(self.before)
        if not 0.5 <= self.level < 1:
            raise SpecError(f"level must lie between 0.5 and 1. Got {self.level:g}.")
        if self.estimator != "auto":
            registry.load("prevalence", self.estimator)


def prevalence(
    documents: Documents,
    calibrated: Calibrated,
    by: Sequence[str] = (),
    labels: Floats | None = None,
    drop_overlap: bool = False,
    progress: Progress | None = None,
    **more: Any,
) -> Answer:
    """The share of a corpus that is synthetic, by a calibrated detector.

    The corpus is judged in the strata of the calibration, each against its own calibration items, and put together by the
    number of documents. Documents that the detector abstains from are counted, and are not part of the share.

    Args:
        documents: the corpus; a ``date`` column makes the placebo check possible.
        calibrated: the detector.
        by: columns whose values get a row of their own.
        labels: (n,) 1 synthetic, 0 human, NaN unknown: hand labels of a random part, for ``estimator="powered"``.
        drop_overlap: leave out, and count, documents that the detector was fitted or calibrated on.
        progress: told (documents judged, documents).
        **more: further fields of :class:`Wish`: ``estimator, level, seed, before``.

    Raises:
        DataError: an empty corpus, overlap, a missing column, or an estimator that lacks what it needs.
    """
    wish = Wish(tuple(by), **more)
    if len(documents) == 0:
        raise DataError("The corpus holds no document.")
    known = calibrated.overlap(documents)
    if known.any() and not drop_overlap:
        raise DataError(
            f"{int(known.sum())} of {len(documents)} documents of the corpus are among the items that the detector was fitted or "
            "calibrated on; its error rates do not hold for them. Take them out, or let them be dropped and counted "
            "(--drop-overlap)."
        )
    if known.any():
        documents, labels = documents.take(~known), None if labels is None else labels[~known]
    if len(documents) == 0:
        raise DataError("Every document of the corpus is among the items of the calibration.")
    view = CalibratedView(documents, calibrated, wish.estimator == "words", labels, progress)
    found = _answer(view, documents, wish, {"verdict": "dropped" if known.any() else "passed", "n": int(known.sum())})
    return replace(found, warnings=(*found.warnings, *artefacts_told(calibrated)))


def prevalence_by_examples(
    documents: Documents, crossfitted: Crossfitted, by: Sequence[str] = (), labels: Floats | None = None, **more: Any
) -> Answer:
    """The share of a corpus that is synthetic, by detectors that were cross-fitted to labelled examples of its kind.

    Args:
        documents: the corpus.
        crossfitted: made by :func:`remission.clinic.crossfit.crossfit` of the same corpus.
        by: columns whose values get a row of their own.
        labels: (n,) hand labels, see :func:`prevalence`.
        **more: further fields of :class:`Wish`.
    """
    wish = Wish(tuple(by), **more)
    view = CrossfittedView(crossfitted, labels)
    return _answer(view, documents, wish, {"verdict": "passed", "n": 0})


def _answer(view: View, documents: Documents, wish: Wish, overlap: dict[str, Any]) -> Answer:
    placebo = placebo_of(view, documents, wish)
    rows = []
    for name, chosen in _groups(documents, wish.by):
        row = row_of(view, wish, name, chosen)
        if placebo["verdict"] == "failed" and not _by_labels(wish):  # hand labels need no calibration
            reason = (
                f"the placebo failed: documents dated before {wish.before} come out as at least "
                f"{100 * placebo['low']:.1f} % synthetic, so calibration and corpus do not belong together"
            )
            row = replace(row, share=_nothing(wish.level, row.n), verdict=REFUSED, reason=reason)
        rows.append(row)
    tested = [row for row in rows if row.shift is not None]
    failed = [row.stratum for row in tested if row.shift is not None and row.shift.failed]
    shift = {"verdict": "failed" if failed else "passed" if tested else "not possible", "failed": failed}
    if rows[0].shift is not None:
        shift |= shift_table(rows[0].shift)
    checks = {"placebo": placebo, "shift": shift, "overlap": overlap}
    return Answer(tuple(rows), checks, (*warnings_of(rows[0], checks, wish), *_undated(documents)))


def _undated(documents: Documents) -> Iterator[str]:
    dates = documents.column("date").tolist()
    odd = undated(dates)
    if odd.size:
        yield told_undated(odd.size, f"'{visible(dates[odd[0]][:40])}', document {odd[0] + 1:,}")


def warnings_of(whole: Row, checks: dict[str, Any], wish: Wish) -> Iterator[str]:
    """What a reader of the shares must know."""
    total = whole.n + whole.n_abstained + whole.n_uncalibrated
    if whole.n_abstained + whole.n_uncalibrated > 0.05 * total:
        yield (
            f"{whole.n_abstained + whole.n_uncalibrated:,} of {total:,} documents are not part of the share: "
            f"{whole.n_abstained:,} abstained, {whole.n_uncalibrated:,} of a kind that was not calibrated."
        )
    if checks["placebo"]["verdict"] == "not possible":
        yield (
            f"No placebo: fewer than {PLACEBO_LEAST} documents are dated before {wish.before}. A slice of the same source "
            "from before would show whether the calibration fits."
        )


def _groups(documents: Documents, by: Sequence[str]) -> Iterator[tuple[str, Flags]]:
    yield "all", np.ones(len(documents), bool)
    for name in by:
        if name not in documents.columns:
            there = ", ".join(sorted(documents.columns)) or "none"
            raise DataError(f"by: the documents have no column '{name}'. There are: {there}.")
    if by:
        names = named(by, [documents.column(name).tolist() for name in by])
        for name in np.unique(names).tolist():
            yield name, names == name


def placebo_of(view: View, documents: Documents, wish: Wish) -> dict[str, Any]:
    """The share among documents from before there were generators, which should be none."""
    early = dated_before(documents.column("date").tolist(), wish.before)
    n = int((early & view.usable).sum())
    if n < PLACEBO_LEAST:
        return {"verdict": "not possible", "n": n, "before": wish.before}
    # what is tested is the calibration, so by the estimator it allows, whichever was asked for
    row = row_of(view, replace(wish, estimator="auto", level=PLACEBO_LEVEL), "placebo", early, checked=False)
    failed = row.share.low > PLACEBO_MATTERS
    return {"verdict": "failed" if failed else "passed", "n": n, "before": wish.before, **_plain(row.share)}


def _plain(share: Estimate) -> dict[str, Any]:
    return {name: value for name, value in share.table().items() if name in ("value", "low", "high", "level", "method")}


def row_of(view: View, wish: Wish, name: str, chosen: Flags, checked: bool = True) -> Row:
    """A stratum: its cells, put together by their number of documents."""
    n = int((chosen & view.usable).sum())
    abstained = int((chosen & view.abstained).sum())
    rest = int(chosen.sum()) - n - abstained
    if n == 0:
        why = "no document could be judged"
        return Row(name, _nothing(wish.level, 0), REFUSED, why, 0, abstained, rest)
    sizes, shares, fprs, tprs = [], [], [], []
    reasons: list[str] = []
    shifts: list[Misfit] = []
    for size, scored, fpr, tpr in view.cells(chosen):
        share, shift, reason = _cell(scored, wish, view.panel, checked)
        sizes.append(size)
        shares.append(share)
        fprs.append(fpr)
        tprs.append(tpr)
        shifts += [shift] if shift is not None else []
        reasons += [reason] if reason and reason not in reasons else []
    weights = [size / sum(sizes) for size in sizes]
    share = mixed(weights, shares)
    worst = max(shifts, key=lambda one: (one.failed, one.effect)) if shifts else None
    verdict = BOUNDS if math.isnan(share.value) else ESTIMATE
    return Row(
        name,
        share,
        verdict,
        "; ".join(reasons),
        n,
        abstained,
        rest,
        _rates(weights, fprs),
        _rates(weights, tprs),
        worst,
    )


def _cell(scored: Scored, wish: Wish, panel: Sample | None, checked: bool) -> tuple[Estimate, Misfit | None, str]:
    """One cell: the estimator that its calibration allows, and why it was not a better one."""
    few = scored.synthetic is None or np.unique(scored.synthetic.units).size < SYNTHETIC_LEAST
    name, why = _chosen(scored, wish, few)
    estimator: Prevalence = registry.load("prevalence", name)()
    shift = None if few else misfit(scored, _guess(scored))
    if checked and shift is not None and shift.failed and not estimator.bounds and "labels" not in estimator.needs:
        estimator = registry.load("prevalence", "bounds")()
        why = f"shift: the scores are no mix of the calibration's (p = {shift.p:.1g}, effect {shift.effect:.2f})"
    if estimator.bounds and few:
        scored = replace(scored, synthetic=panel)
    return estimator.estimate(scored, wish.level, wish.seed), shift, why


def _chosen(scored: Scored, wish: Wish, few: bool) -> tuple[str, str]:
    """The name of the estimator, and why it is not a better one."""
    if wish.estimator != "auto":
        unlabelled = scored.labels is not None and not np.isfinite(scored.labels).any()
        if not (unlabelled and _by_labels(wish)):
            return wish.estimator, ""
    if few:
        return "bounds", "there are no synthetic items of its kind, so how many are found is not known"
    return "matched", ""


def _by_labels(wish: Wish) -> bool:
    return wish.estimator != "auto" and "labels" in registry.load("prevalence", wish.estimator).needs


def _guess(scored: Scored) -> float:
    found: Prevalence = registry.load("prevalence", "matched")(shift=False)
    return found.estimate(scored).value


def mixed(weights: Sequence[float], shares: Sequence[Estimate]) -> Estimate:
    """The mean of independent estimates; where one has bounds only, bounds.

    Distances to the ends add as roots of sums of squares, bounds add as they are.
    """
    if len(shares) == 1:
        return shares[0]
    w = np.asarray(weights)
    value, low, high = (np.array([getattr(share, name) for share in shares]) for name in ("value", "low", "high"))
    n, level = sum(share.n for share in shares), shares[0].level
    methods = "+".join(sorted({share.method for share in shares}))
    if np.isnan(value).any():
        return Estimate(math.nan, float(w @ low), float(w @ high), level, methods, n)
    centre = float(w @ value)
    down, up = (math.sqrt(float(((w * gap) ** 2).sum())) for gap in (value - low, high - value))
    return Estimate(centre, max(centre - down, 0.0), min(centre + up, 1.0), level, methods, n)


def _rates(weights: Sequence[float], rates: Sequence[Estimate | None]) -> Estimate | None:
    known = [rate for rate in rates if rate is not None]
    return mixed(weights, known) if known and len(known) == len(rates) else None


def _nothing(level: float, n: int) -> Estimate:
    return Estimate(math.nan, math.nan, math.nan, level, "none", n)


def shift_table(found: Misfit) -> dict[str, Any]:
    """The shift test as plain values."""
    return {
        "p": found.p,
        "effect": found.effect,
        "factor": found.factor,
        "statistic": found.statistic,
        "freedom": found.freedom,
    }
