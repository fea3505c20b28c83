"""Fit, calibrate, use and test detectors on local files: what ``remission detect`` calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from remission import spec
from remission.calibration import conformal
from remission.calibration.audit import audit
from remission.calibration.calibrated import MARGINAL, UNCALIBRATED, Calibrated, Judgements
from remission.calibration.calibrating import calibrate, fit_detector, found_rows, plain_estimate
from remission.calibration.fitted import FittedDetector
from remission.calibration.rates import auroc, rate_of_units
from remission.corpus.accounting import Accounting
from remission.corpus.reading import Fields, labels_of, read_documents
from remission.documents import Documents, Flags
from remission.errors import DataError, StoreError
from remission.identity import search_also
from remission.interfaces import Detector

BLOCK = 4096  # documents that are judged at once
PROMISE = 0.99  # level of the interval that must lie above the promised rate before it is called broken

Paths = Sequence[str | Path]
Progress = Callable[[float, float], None]


def make_detector(kind: str, settings: Mapping[str, Any] | None = None) -> Detector:
    """A detector by registered name or import path ``module:Class``. Raises SpecError."""
    search_also(None)
    found: Detector = spec.build(Detector, {"kind": kind, **(settings or {})}, "detector")
    return found


def check_output(folder: Path) -> None:
    """Raise StoreError when a detector cannot be written to this folder, before the work of fitting one."""
    if (folder / "calibrated.json").exists():
        raise StoreError(f"'{folder}' holds a calibrated detector, which a new one would not fit. Give another folder.")
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"'{folder}' is a file. Give a folder for the detector.")


def load(folder: Path) -> Calibrated | FittedDetector:
    """What ``detect calibrate`` or ``detect fit`` wrote. Raises StoreError."""
    search_also(None)
    if (folder / "calibrated.json").is_file():
        return Calibrated.load(folder)
    if not folder.is_dir():
        raise StoreError(f"'{folder}' is no folder of a detector. `remission detect fit` makes one.")
    return FittedDetector.load(folder)


def load_calibrated(folder: Path) -> Calibrated:
    """What ``detect calibrate`` wrote. Raises StoreError, also for a detector that is not calibrated."""
    found = load(folder)
    if isinstance(found, FittedDetector):
        raise StoreError(
            f"The detector in '{folder}' is not calibrated. Run `remission detect calibrate {folder} ...` first."
        )
    return found


def fit_from(
    detector: Detector,
    paths: Paths,
    fields: Fields | None = None,
    *,
    paragraphs: bool = False,
    seed: int = 0,
    allow_artefacts: bool = False,
) -> tuple[FittedDetector, Accounting]:
    """Read labelled examples, audit them and fit. Rows without a label are counted and set aside.

    Raises:
        DataError: no usable example, one class only, artefacts. FitError.
    """
    if not paths and not detector.learns:
        return FittedDetector.fit(detector, Documents([]), seed), Accounting()
    examples, account = read_labelled(paths, fields, detector.takes, paragraphs)
    return fit_detector(detector, examples, seed, allow_artefacts), account


def read_labelled(
    paths: Paths, fields: Fields | None, takes: Any, paragraphs: bool = False
) -> tuple[Documents, Accounting]:
    """The documents that have a label; those without are counted and set aside. Raises DataError when there is none."""
    documents, account = read_documents(paths, fields, takes, paragraphs)
    return _labelled(documents, account, fields or Fields()), account


def _labelled(documents: Documents, account: Accounting, fields: Fields) -> Documents:
    """The documents with a label; the others go to the account."""
    labels = labels_of(documents)
    known = ~np.isnan(labels)
    if not known.any():
        raise DataError(
            f"No document has a label. The column '{fields.label}' must say human or ai; name another one with --label, or put "
            f"plain files into folders 'human' and 'ai'."
        )
    _move(account, documents, ~known, "no label")
    return replace(documents.take(known), synthetic=labels[known] == 1.0)


def _move(account: Accounting, documents: Documents, which: Flags, reason: str) -> None:
    for name in documents.column("id")[which].tolist():
        account.kept -= 1
        account.set_aside(name, None, reason)


def read_kind(
    paths: Paths, kind: str, fields: Fields | None, takes: Any, paragraphs: bool = False
) -> tuple[Documents, Accounting]:
    """The ``human`` (or ``synthetic``) documents of files, labelled so or not labelled; others are counted as dropped."""
    documents, account = read_documents(paths, fields, takes, paragraphs)
    other = "synthetic" if kind == "human" else "human"
    keep = documents.column("label") != other
    account.kept, account.dropped = int(keep.sum()), account.dropped + int((~keep).sum())
    if not keep.any():
        raise DataError(f"All {len(documents)} documents given as {kind} are labelled {other}.")
    return replace(documents.take(keep), synthetic=np.full(int(keep.sum()), kind == "synthetic")), account


def calibrate_from(
    fitted: FittedDetector,
    human: Paths,
    synthetic: Paths = (),
    fields: Fields | None = None,
    *,
    paragraphs: bool = False,
    **settings: Any,
) -> tuple[Calibrated, dict[str, Accounting]]:
    """Read calibration documents and calibrate.

    Args:
        fitted: the detector.
        human: files of human documents; rows labelled synthetic are left out, and counted.
        synthetic: files of synthetic documents; rows labelled human are left out, and counted.
        fields: which fields hold what.
        paragraphs: plain files are one document for each paragraph.
        **settings: of :func:`remission.calibration.calibrating.calibrate`: ``by, max_fpr, shortest, novelty...``.
    """
    takes = fitted.detector.takes
    people, account = read_kind(human, "human", fields, takes, paragraphs)
    accounts, machines = {"human": account}, None
    if synthetic:
        machines, accounts["synthetic"] = read_kind(synthetic, "synthetic", fields, takes, paragraphs)
    return calibrate(fitted, people, machines, **settings), accounts


def judge(
    detector: Calibrated | FittedDetector,
    documents: Documents,
    fpr: float | None = None,
    progress: Progress | None = None,
) -> Judgements:
    """Judge documents block by block; a detector that is not calibrated only ranks."""
    size, n = BLOCK, len(documents)
    parts = []
    for start in range(0, max(n, 1), size):
        block = documents.take(np.arange(start, min(start + size, n)))
        parts.append(_ranked(detector, block) if isinstance(detector, FittedDetector) else detector.judge(block, fpr))
        if progress is not None:
            progress(min(start + size, n), n)
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("score", "p", "flagged", "status", "reason", "stratum")
    }
    return Judgements(**arrays, fpr=parts[0].fpr)


def _ranked(fitted: FittedDetector, documents: Documents) -> Judgements:
    n = len(documents)
    reason = np.full(n, "the detector is not calibrated: run `remission detect calibrate`")
    nothing = np.full(n, np.nan)
    score = fitted.score(documents.items) if n else np.empty(0)
    return Judgements(score, nothing, np.zeros(n, bool), np.full(n, UNCALIBRATED), reason, np.full(n, ""), np.nan)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A calibrated detector on labelled documents.

    Attributes:
        auroc: rows ``domain, value, low, high, n_human, n_synthetic`` over all scored documents; of the whole first.
        fpr: rows ``stratum, n, flagged, abstained, value, low, high, promised, kept`` over the humans judged.
        tpr: rows ``by, value, n, tpr`` of the synthetic documents judged.
        promise: ``broken`` when the false-positive rate of a stratum is above what was promised, ``untested`` without humans
            that were judged.
        audit: of these documents.
        summary: counts of what was decided.
        warnings: in sentences.
    """

    auroc: list[dict[str, Any]]
    fpr: list[dict[str, Any]]
    tpr: list[dict[str, Any]]
    promise: Literal["kept", "broken", "untested"]
    audit: dict[str, Any]
    summary: dict[str, Any]
    warnings: list[str]


def evaluate(
    calibrated: Calibrated, documents: Documents, fpr: float | None = None, progress: Progress | None = None
) -> Evaluation:
    """Compare what is said of labelled documents with the truth.

    The promise of a certified stratum is broken when the lower end of the 99 % Clopper-Pearson interval of the rate of its
    humans (over units, Bonferroni over strata) is above the nominal rate; that of a marginal one when it is above what
    the rate can be by the luck of the calibration sample.

    Args:
        calibrated: the detector.
        documents: items with ``synthetic`` set.
        fpr: nominal rate, by default that of the calibration.
        progress: called with documents done and all.
    """
    synthetic = documents.synthetic
    if synthetic is None:
        raise DataError("An evaluation needs labelled documents: human or ai.")
    judged = judge(calibrated, documents, fpr, progress)
    found = audit(documents, calibrated.fitted.detector)
    warnings = [
        f"'{leak.feature}' alone separates the classes in {leak.where} with AUROC {leak.auroc:.2f}: an artefact, or nearly so."
        for leak in found.leaks[:5]
    ]
    known = int(np.char.startswith(judged.reason, "known:").sum())
    if known:
        warnings.append(f"{known} documents are calibration or training items; they are left out of the rates.")
    rates = _false_positives(calibrated, judged, ~synthetic, documents)
    return Evaluation(
        _aurocs(judged, documents, synthetic),
        rates,
        found_rows(calibrated, documents.take(synthetic), _part(judged, synthetic)) if synthetic.any() else [],
        "untested" if not rates else "kept" if all(row["kept"] for row in rates) else "broken",
        found.table(),
        judged.table(),
        warnings,
    )


def _part(judged: Judgements, keep: Flags) -> Judgements:
    names = ("score", "p", "flagged", "status", "reason", "stratum")
    return Judgements(**{name: getattr(judged, name)[keep] for name in names}, fpr=judged.fpr)


def _aurocs(judged: Judgements, documents: Documents, synthetic: Flags) -> list[dict[str, Any]]:
    usable = ~np.isnan(judged.score) & ~np.char.startswith(judged.reason, "known:")
    units, domain = documents.sampling_units, documents.column("domain")
    rows = []
    for name in ["", *sorted(set(domain.tolist()) - {""})]:
        here = usable & ((domain == name) | (name == ""))
        human, machine = here & ~synthetic, here & synthetic
        if human.any() and machine.any():
            found = auroc(judged.score[machine], judged.score[human], units[machine], units[human])
            counts = {"n_human": int(human.sum()), "n_synthetic": int(machine.sum())}
            rows.append({"domain": name} | plain_estimate(found) | counts)
    return rows


def _false_positives(
    calibrated: Calibrated, judged: Judgements, human: Flags, documents: Documents
) -> list[dict[str, Any]]:
    names = sorted(set(judged.stratum[human & judged.decided].tolist()))
    level = 1.0 - (1.0 - PROMISE) / max(1, len(names))
    rows = []
    for name in names:
        inside = human & (judged.stratum == name)
        here = inside & judged.decided
        found = rate_of_units(judged.flagged[here].astype(float), documents.sampling_units[here])
        strict = rate_of_units(judged.flagged[here].astype(float), documents.sampling_units[here], level)
        limit = calibrated.threshold(name, judged.fpr)
        promised = judged.fpr
        if limit.kind == MARGINAL:
            promised = max(promised, conformal.realised(limit.n, limit.rank, level).high)
        rows.append(
            {"stratum": name, "status": limit.kind, "n": int(here.sum()), "flagged": int(judged.flagged[here].sum())}
            | {"not_judged": int(inside.sum() - here.sum())}
            | plain_estimate(found)
            | {"n": int(here.sum()), "nominal": judged.fpr, "bound": promised, "kept": bool(strict.low <= promised)}
        )
    return rows


__all__ = ["Calibrated", "Evaluation", "FittedDetector", "calibrate_from", "check_output", "evaluate", "fit_from", "judge", "load",
           "load_calibrated", "make_detector", "read_kind", "read_labelled"]  # fmt: skip
