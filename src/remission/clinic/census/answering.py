"""What a finished census says: the share of synthetic documents by stratum, from merged receipts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from remission.calibration.calibrated import Calibrated
from remission.clinic import prevalence as shares
from remission.clinic._views import CalibratedView
from remission.clinic.census.receipts import Receipt, Stratum, bin_values
from remission.clinic.prevalence import Answer, Row, Wish
from remission.documents import Documents, Words
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.numerics.arrays import Floats

MOST = 1_000_000  # judged documents of a stratum an estimate is made of; of more, evenly chosen ones, which widens intervals
UNCALIBRATED = ("not calibrated",)  # reasons of documents of a kind nothing was calibrated on
PLACEBO = "\0placebo"


class _CountedView(CalibratedView):
    """Documents that are known by their counts: scores to 0.2 %, kinds and strata. Each is its own sampling unit."""

    def __init__(self, calibrated: Calibrated, strata: dict[str, Stratum]) -> None:
        self.calibrated, self.labels, self.documents = calibrated, None, None
        scores: list[Floats] = []
        kinds: list[Words] = []
        names: list[Words] = []
        for name, stratum in strata.items():
            step = -(-stratum.judged // MOST) or 1
            for kind, counts in sorted(stratum.cells.items()):
                bins = sorted(counts)
                here = np.repeat(bin_values(bins), [counts[bin_] for bin_ in bins])[::step]
                scores.append(here)
                kinds.append(np.full(here.size, kind))
                names.append(np.full(here.size, name))
        self.score = np.concatenate([np.empty(0), *scores])
        self.stratum = np.concatenate([np.empty(0, "<U1"), *kinds])
        self.name = np.concatenate([np.empty(0, "<U1"), *names])
        self.usable = np.ones(self.score.size, bool)
        self.abstained = np.zeros(self.score.size, bool)
        self.units = np.arange(self.score.size)


def check_wish(wish: Wish) -> None:
    """Raise SpecError for an estimator that must see the documents themselves."""
    if wish.estimator in ("words", "powered"):
        raise SpecError(
            f"The estimator '{wish.estimator}' needs the documents themselves, a census has their scores. Use "
            "`remission prevalence` on a sample, or another estimator."
        )


def answer(receipt: Receipt, calibrated: Calibrated, wish: Wish | None = None) -> Answer:
    """Prevalence of a corpus from the receipt of its census.

    The estimators, the placebo and the shift test are those of :func:`remission.clinic.prevalence.prevalence`; they see scores to
    0.2 % instead of exact ones. Documents are taken as drawn one by one: near-duplicates make true intervals wider.

    Args:
        receipt: of the census, scored by ``calibrated``.
        calibrated: the detector.
        wish: what is asked; ``by`` is that of the census.

    Raises:
        DataError: no document was kept. SpecError: an estimator that must see the documents themselves.
    """
    wish = wish or Wish()
    check_wish(wish)
    if not receipt.kept:
        first = next(iter(receipt.examples), None)
        why = f" The first: {first['file']}: {first['reason']}." if first else ""
        raise DataError(f"No usable document was found: {receipt.accounting()['quarantined']} rows set aside.{why}")
    strata = {**receipt.strata, PLACEBO: receipt.early}
    view = _CountedView(calibrated, strata)
    placebo = _placebo(view, wish, receipt.early)
    inside = view.name != PLACEBO
    whole = _total(receipt.strata.values())
    rows = [_row(view, wish, "all", inside, whole, placebo)]
    if [*receipt.strata] != ["all"]:
        rows += [
            _row(view, wish, name, view.name == name, stratum, placebo)
            for name, stratum in sorted(receipt.strata.items())
        ]
    tested = [row for row in rows if row.shift is not None]
    failed = [row.stratum for row in tested if row.shift is not None and row.shift.failed]
    shift = {"verdict": "failed" if failed else "passed" if tested else "not possible", "failed": failed}
    if rows[0].shift is not None:
        shift |= shares.shift_table(rows[0].shift)
    known = whole.not_judged["known"]
    overlap = {"verdict": "dropped" if known else "passed", "n": known}
    checks = {"placebo": placebo, "shift": shift, "overlap": overlap}
    return Answer(tuple(rows), checks, tuple(_warnings(rows[0], placebo, wish, known)))


def _row(view: _CountedView, wish: Wish, name: str, chosen: Any, stratum: Stratum, placebo: dict[str, Any]) -> Row:
    row = shares.row_of(view, wish, name, chosen)
    rest = sum(stratum.not_judged[reason] for reason in UNCALIBRATED)
    row = replace(
        row, n=stratum.judged, n_abstained=sum(stratum.not_judged.values()) - rest, n_uncalibrated=rest,
        share=replace(row.share, n=stratum.judged),
    )  # fmt: skip
    if placebo["verdict"] != "failed":
        return row
    reason = (
        f"the placebo failed: documents dated before {wish.before} come out as at least {100 * placebo['low']:.1f} % synthetic, "
        "so calibration and corpus do not belong together"
    )
    nothing = Estimate(float("nan"), float("nan"), float("nan"), wish.level, "none", row.n)
    return replace(row, share=nothing, verdict=shares.REFUSED, reason=reason)


def _placebo(view: _CountedView, wish: Wish, early: Stratum) -> dict[str, Any]:
    """As in :mod:`remission.clinic.prevalence`: documents from before must come out as human."""
    here = view.name == PLACEBO
    dates = np.where(here, "0001-01-01", "")
    told = Documents(range(here.size), {"date": dates})
    return shares.placebo_of(view, told, wish) | {"n": early.judged}


def _total(strata: Iterable[Stratum]) -> Stratum:
    whole = Stratum(not_judged=Counter())
    for stratum in strata:
        whole += stratum
    return whole


def _warnings(whole: Row, placebo: dict[str, Any], wish: Wish, known: int) -> Sequence[str]:
    found = list(shares.warnings_of(whole, {"placebo": placebo}, wish))
    if known:
        found.append(f"{known:,} documents that the detector was fitted or calibrated on are not part of the share.")
    return found
