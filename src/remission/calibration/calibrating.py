"""From human documents of the target (and synthetic ones, where there are any) to a detector whose error rates hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from remission.calibration import conformal
from remission.calibration.audit import audit
from remission.calibration.calibrated import ABSTAINED, Calibrated, Judgements, Known, Rules, looks
from remission.calibration.fitted import FittedDetector, dated_of, facts_of
from remission.calibration.language import CODE, UNKNOWN
from remission.calibration.novelty import Novelty
from remission.calibration.rates import rate_of_units
from remission.calibration.strata import FEW, bands_of, strata_of
from remission.documents import Documents, Flags, Words
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.interfaces import Detector
from remission.numerics.arrays import Floats, Integers
from remission.scored import Sample

CONTAMINATED = "2022-01-01"  # humans dated from here on may have used a machine
SHORT, SHORTEST = 25, 5  # words below which nothing is judged, unless the calibration humans are as short


def fit_detector(
    detector: Detector, examples: Documents, seed: int = 0, allow_artefacts: bool = False
) -> FittedDetector:
    """Audit the examples, fit, and write down what was found.

    Args:
        detector: the kind and its parameters.
        examples: items with ``synthetic`` set, if the detector learns.
        seed: of everything random in the fit.
        allow_artefacts: fit although a trivial feature tells the classes apart; this is recorded.

    Raises:
        DataError: no examples, one class only, or artefacts. FitError: the fit failed.
    """
    if detector.learns and len(examples) == 0:
        raise DataError("There are no examples to fit to.")
    found = audit(examples, detector)
    found.refuse(allow_artefacts)
    fitted = FittedDetector.fit(detector, examples, seed)
    return replace(fitted, facts=fitted.facts | {"audit": found.table(), "allowed_artefacts": _allowed(found)})


def _allowed(found: Any) -> list[str]:
    return sorted({finding.feature for finding in found.leaks})


@dataclass(frozen=True)
class Plan:
    """How to calibrate.

    Attributes:
        by: what strata are made of: ``domain``, ``length``, ``language`` or other columns.
        max_fpr: nominal false-positive rate of decisions.
        shortest: fewest words of a text that is judged; None: 25, or the 1 % quantile of the humans where they are shorter.
        novelty: rate at which calibration-like items may be called novel, and so not judged; 0 turns it off.
        overlap: what to do with calibration items that the detector was fitted on: ``refuse``, or ``drop`` and count them.
        keep_items: store the texts as well, for estimators of prevalence that look at words.
        allow_artefacts: calibrate although a trivial feature tells human from synthetic items; this is recorded.
    """

    by: tuple[str, ...] = ("domain",)
    max_fpr: float = 0.01
    shortest: int | None = None
    novelty: float = 0.005
    overlap: Literal["refuse", "drop"] = "refuse"
    keep_items: bool = False
    allow_artefacts: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.max_fpr < 0.5:
            raise SpecError(f"max_fpr must lie between 0 and 0.5. Got {self.max_fpr:g}.")
        if not 0.0 <= self.novelty < 0.5:
            raise SpecError(f"novelty must lie between 0 and 0.5. Got {self.novelty:g}.")
        if self.shortest is not None and self.shortest < 0:
            raise SpecError(f"shortest must not be negative. Got {self.shortest}.")


def calibrate(
    fitted: FittedDetector,
    human: Documents,
    synthetic: Documents | None = None,
    by: Sequence[str] = ("domain",),
    max_fpr: float = 0.01,
    **more: Any,
) -> Calibrated:
    """Calibrate a detector on humans of the target, and measure what it finds of synthetic items of the target.

    Args:
        fitted: the detector; nothing below was among its training items (checked by content).
        human: human documents like those that will be judged, best dated before 2022.
        synthetic: synthetic documents of the same kind; ``generator`` and ``attack`` columns name the panel.
        by: what strata are made of: ``domain``, ``length``, ``language``, or other columns.
        max_fpr: nominal false-positive rate of decisions.
        **more: further fields of :class:`Plan`: ``shortest, novelty, overlap, keep_items,
            allow_artefacts``.

    Returns:
        The calibrated detector; ``facts`` hold thresholds, rates with intervals, the audit, hashes and warnings.

    Raises:
        DataError: no human, a human labelled synthetic, overlap with the training items, artefacts, no usable score, or
            fewer than 1 / max_fpr - 1 humans in every stratum.
        SpecError: a setting out of range.
    """
    plan = Plan(tuple(by), max_fpr, **more)
    return _Calibration(fitted, plan).run(human, synthetic)


class _Calibration:
    def __init__(self, fitted: FittedDetector, plan: Plan) -> None:
        self.fitted, self.plan = fitted, plan
        self.warnings: list[str] = []
        self.aside: dict[str, dict[str, int]] = {}

    def run(self, human: Documents, synthetic: Documents | None) -> Calibrated:
        _check_labels(human, synthetic)
        human, hashes = self._distinct("human", human, None)
        other: Documents | None = None
        if synthetic is not None and len(synthetic):
            other, other_hashes = self._distinct("synthetic", synthetic, hashes)
        self._check_dates(human)
        found = audit(
            human if other is None else Documents.join([_as(human, False), _as(other, True)]), self.fitted.detector
        )
        found.refuse(self.plan.allow_artefacts)
        rules, human, hashes, scores, words, language = self._scored("human", human, hashes, None)
        least = conformal.needed_marginal(self.plan.max_fpr)
        full = conformal.needed(self.plan.max_fpr)
        strata = strata_of(human, self.plan.by, least, words, language, full)
        if not strata.names:
            raise DataError(
                f"Too few calibration humans: {np.unique(human.sampling_units).size} usable, and a false-positive rate of "
                f"{self.plan.max_fpr:g} needs {least} for a promise on average and {full} for a certified one. "
                f"Give more humans, raise max_fpr, or tell fewer strata apart."
            )
        known = self._known(human, hashes, scores, strata.of(human, words, language))
        known_other: Known | None = None
        kinds: list[Sequence[Any]] = [human.items]
        if other is not None:
            _, other, other_hashes, scores, words, language = self._scored("synthetic", other, other_hashes, rules)
            known_other = self._known(other, other_hashes, scores, strata.of(other, words, language))
            kinds.append(other.items)
        novelty = Novelty.fit(kinds, self.plan.novelty)
        result = Calibrated(self.fitted, known, known_other, strata, rules, novelty, self.plan.max_fpr, {})
        return replace(result, facts=self._facts(result, human, other, found))

    def _known(self, documents: Documents, hashes: Words, scores: Floats, stratum: Words) -> Known:
        kept = documents if self.plan.keep_items and self.fitted.detector.takes == "text" else None
        sample = Sample.of(scores, documents.units, origin=origin_of(documents), documents=kept)
        return Known(sample, stratum, hashes)

    def _distinct(self, kind: str, documents: Documents, human: Words | None) -> tuple[Documents, Words]:
        """Each content once, without items that the detector was fitted on."""
        hashes = np.asarray(documents.hashes(), dtype="<U32")
        known = np.isin(hashes, self.fitted.hashes) if self.fitted.hashes.size else np.zeros(hashes.size, bool)
        if known.any() and self.plan.overlap == "refuse":
            raise DataError(
                f"{int(known.sum())} of {hashes.size} {kind} calibration items were among the training items of the detector, "
                f"whose scores of them say nothing. Leave them out (--where split=...), or let them be dropped and counted "
                f"with overlap='drop' (--drop-overlap)."
            )
        first = np.zeros(hashes.size, bool)
        first[np.unique(hashes, return_index=True)[1]] = True
        both = np.isin(hashes, human) if human is not None else np.zeros(hashes.size, bool)
        keep = first & ~known & ~both
        self.aside[kind] = {
            "duplicates": int((~first & ~known).sum()),
            "training items": int(known.sum()),
            "also among the humans": int((both & first & ~known).sum()),
        }
        if not keep.any():
            raise DataError(f"No {kind} calibration item is left: {self.aside[kind]} of {hashes.size} were set aside.")
        return documents.take(keep), hashes[keep]

    def _check_dates(self, human: Documents) -> None:
        dates = human.column("date")
        dated = dated_of(human)
        odd = int((~dated & (dates != "")).sum())
        if odd:
            self.warnings.append(
                f"{odd} dates of calibration humans are not written as in 2021-12-31 and count as unknown."
            )
        late = int((dated & (dates >= CONTAMINATED)).sum())
        if late:
            self.warnings.append(
                f"{late} of {len(human)} calibration humans are dated 2022 or later: some may be machine-written, and the "
                f"false-positive rate would then look too high. Older humans of the same source are better."
            )
        elif not dated.any():
            self.warnings.append("The calibration humans are not dated, so nothing shows that they are human.")

    def _scored(
        self, kind: str, documents: Documents, hashes: Words, rules: Rules | None
    ) -> tuple[Rules, Documents, Words, Floats, Integers, Words]:
        """Items that would be judged, with their scores; what is set aside is counted."""
        words, language = looks(self.fitted, documents)
        rules = rules or self._rules(words, language)
        scores = self.fitted.score(documents.items)
        short, code = words < rules.shortest, language == CODE
        lost = np.isnan(scores)
        self.aside[kind] |= {
            "too short": int(short.sum()),
            "code": int((code & ~short).sum()),
            "not scorable (NaN)": int((lost & ~short & ~code).sum()),
        }
        keep = ~(short | code | lost)
        if not keep.any():
            raise DataError(f"No {kind} calibration item could be used; set aside were: {self.aside[kind]}.")
        return rules, documents.take(keep), hashes[keep], scores[keep], words[keep], language[keep]

    def _rules(self, words: Integers, language: Words) -> Rules:
        shortest = self.plan.shortest
        if self.fitted.detector.takes != "text":
            return Rules(0, ())
        if shortest is None:
            shortest = int(max(SHORTEST, min(SHORT, np.quantile(words, 0.01, method="lower"))))
        names, counts = np.unique(language[words >= shortest], return_counts=True)
        few = min(FEW, max(1, words.size // 50))
        spoken = [
            str(name) for name, count in zip(names, counts, strict=True) if count >= few and name not in (CODE, UNKNOWN)
        ]
        return Rules(shortest, tuple(spoken))

    def _facts(self, result: Calibrated, human: Documents, other: Documents | None, found: Any) -> dict[str, Any]:
        self._check_merges(result)
        return {
            "detector": self.fitted.content,
            "by": list(self.plan.by),
            "human": facts_of(human, result.known_human.hashes),
            "synthetic": None
            if result.known_synthetic is None
            else facts_of(cast(Documents, other), result.known_synthetic.hashes),
            "set_aside": self.aside,
            "strata": [stratum_facts(result, name) for name in result.strata.names],
            "merged": list(result.strata.merged),
            "tpr": [] if other is None else detection(result, other),
            "audit": found.table(),
            "allowed_artefacts": _allowed(found),
            "novelty_rate": self.plan.novelty,
            "warnings": self.warnings,
        }

    def _check_merges(self, result: Calibrated) -> None:
        for name in result.strata.names:
            found = result.threshold(name)
            if found.kind == "marginal":
                self.warnings.append(
                    f"'{name}': {found.n} humans give a rate that holds on average only; "
                    f"{conformal.needed(self.plan.max_fpr)} certify {self.plan.max_fpr:g} with 95 % confidence."
                )


def _check_labels(human: Documents, synthetic: Documents | None) -> None:
    if len(human) == 0:
        raise DataError("There are no human documents to calibrate on.")
    if human.synthetic is not None and human.synthetic.any():
        raise DataError(f"{int(human.synthetic.sum())} of the {len(human)} human documents are labelled synthetic.")
    if synthetic is not None and synthetic.synthetic is not None and not synthetic.synthetic.all():
        raise DataError(
            f"{int((~synthetic.synthetic).sum())} of the {len(synthetic)} synthetic documents are labelled human."
        )


def _as(documents: Documents, synthetic: bool) -> Documents:
    return replace(documents, synthetic=np.full(len(documents), synthetic))


def origin_of(documents: Documents) -> Words:
    """Generator and attack of each item in one word (n,), such as ``gpt-4`` or ``gpt-4 / paraphrase``."""
    generator, attack = documents.column("generator"), documents.column("attack")
    parts = [
        " / ".join(part for part in (one, other) if part and part != "none")
        for one, other in zip(generator.tolist(), attack.tolist(), strict=True)
    ]
    return np.array(parts, dtype=np.str_) if parts else np.empty(0, "<U1")


def plain_estimate(found: Estimate) -> dict[str, Any]:
    """An estimate as plain values, without NaN."""
    return {key: None if value != value else value for key, value in found.table().items()}


def stratum_facts(result: Calibrated, name: str, fpr: float | None = None) -> dict[str, Any]:
    """Humans, threshold and false-positive rate of a stratum, as plain values."""
    found = result.threshold(name, fpr)
    return {
        "stratum": name,
        "humans": int((result.human_strata == name).sum()),
        "units": found.n,
        "synthetic": int((result.synthetic_strata == name).sum()),
        "status": found.kind,
        "threshold": found.score if np.isfinite(found.score) else None,
        "rank": found.rank,
        "fpr": plain_estimate(found.fpr) | {"nominal": result.max_fpr if fpr is None else fpr},
    }


def detection(result: Calibrated, synthetic: Documents) -> list[dict[str, Any]]:
    """The share of synthetic items found at the thresholds, in all and by generator, attack, length and stratum."""
    return found_rows(result, synthetic, result.judge(synthetic, own=True))


def found_rows(result: Calibrated, synthetic: Documents, judged: Judgements) -> list[dict[str, Any]]:
    """One row for all judged synthetic documents and for each generator, attack, domain, length band and stratum."""
    rows = [_found("all", "", np.ones(len(synthetic), bool), judged, synthetic.sampling_units)]
    columns: dict[str, Words] = {
        name: synthetic.column(name) for name in ("generator", "attack", "domain") if name in synthetic.columns
    }
    if result.fitted.detector.takes == "text":
        columns["words"] = bands_of(looks(result.fitted, synthetic)[0])
    if result.strata.by != ("domain",):
        columns["stratum"] = judged.stratum
    for name, column in columns.items():
        values = sorted(set(column.tolist()), key=_natural)
        rows += [_found(name, value, column == value, judged, synthetic.sampling_units) for value in values]
    return rows


def _natural(name: str) -> tuple[int, str]:
    """Length bands by their beginning, names by the alphabet."""
    start = name.split("-")[0].rstrip("+")
    return (int(start) if start.isdigit() else -1, name)


def _found(by: str, value: str, here: Flags, judged: Judgements, units: Integers) -> dict[str, Any]:
    use = here & judged.decided
    return {
        "by": by,
        "value": value,
        "n": int(use.sum()),
        "abstained": int((here & (judged.status == ABSTAINED)).sum()),
        "uncalibrated": int((here & ~use & (judged.status != ABSTAINED)).sum()),
        "tpr": plain_estimate(rate_of_units(judged.flagged[use].astype(float), units[use])),
    }
