"""A detector whose error rates hold: it judges, abstains, and says on which humans the promise rests."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission.calibration import _storage as storage
from remission.calibration import conformal
from remission.calibration.conformal import Threshold
from remission.calibration.fitted import FittedDetector
from remission.calibration.language import CODE, UNKNOWN
from remission.calibration.novelty import Novelty
from remission.calibration.strata import Strata, spoken, word_counts
from remission.documents import Documents, Flags, Words
from remission.errors import DataError, SpecError
from remission.numerics.arrays import Floats, Integers
from remission.scored import Sample

CERTIFIED, MARGINAL, ABSTAINED, UNCALIBRATED = "certified", "marginal", "abstained", "uncalibrated"


@dataclass(frozen=True, eq=False)
class Judgements:
    """What is said of n documents.

    Attributes:
        score: (n,) higher is more likely synthetic; NaN where it could not be scored.
        p: (n,) conformal p-value against the humans of the stratum; NaN where there is no stratum or it
            abstained.
        flagged: (n,) called synthetic; False where nothing is decided.
        status: (n,) ``certified`` or ``marginal`` where it was decided (see :class:`~.conformal.Threshold`), ``abstained``
            (too short, another language, code, unlike the calibration items, not scorable), ``uncalibrated`` (no promise
            can be made in its stratum: the score ranks and does no more).
        reason: (n,) why not decided; empty where decided.
        stratum: (n,) empty where there is none.
        fpr: the nominal false-positive rate of the decisions.
    """

    score: Floats
    p: Floats
    flagged: Flags
    status: Words
    reason: Words
    stratum: Words
    fpr: float

    def __len__(self) -> int:
        return self.score.size

    @property
    def decided(self) -> Flags:
        """Where something was decided, (n,)."""
        return np.isin(self.status, (CERTIFIED, MARGINAL))

    def table(self) -> dict[str, Any]:
        """Counts as plain values."""
        short = [reason.split(":")[0] for reason in self.reason.tolist() if reason]
        return {
            "n": len(self),
            "decided": int(self.decided.sum()),
            "flagged": int(self.flagged.sum()),
            "fpr": self.fpr,
            "status": dict(Counter(self.status.tolist()).most_common()),
            "reasons": dict(Counter(short).most_common()),
        }


@dataclass(frozen=True)
class Rules:
    """When to abstain.

    Attributes:
        shortest: texts with fewer words are not judged.
        languages: those with enough calibration humans; texts in other ones are not judged.
    """

    shortest: int
    languages: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """Scored calibration items of one kind.

    Attributes:
        sample: scores, units and origins (generator and attack).
        stratum: (n,) name, empty where there is none.
        hashes: (n,) content of each item, 32 hexadecimal digits.
    """

    sample: Sample
    stratum: Words
    hashes: Words


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A fitted detector with calibration humans, made by :func:`remission.calibration.calibrating.calibrate`.

    Attributes:
        fitted: the detector.
        known_human: scored humans that neither the detector nor anything else was fitted on.
        known_synthetic: scored synthetic items, or None.
        strata: whose error rates are promised one by one.
        rules: when to abstain.
        novelty: what is too unlike the calibration items.
        max_fpr: nominal false-positive rate of decisions.
        facts: counts, thresholds, rates with intervals, audit, hashes, dates, warnings; plain values.
    """

    fitted: FittedDetector
    known_human: Known
    known_synthetic: Known | None
    strata: Strata
    rules: Rules
    novelty: Novelty
    max_fpr: float
    facts: dict[str, Any]

    @property
    def human(self) -> Sample:
        """Calibration humans: scores, units."""
        return self.known_human.sample

    @property
    def synthetic(self) -> Sample | None:
        """Synthetic calibration items, ``origin`` naming generator and attack."""
        return None if self.known_synthetic is None else self.known_synthetic.sample

    @property
    def human_strata(self) -> Words:
        """The stratum of every calibration human, (n,)."""
        return self.known_human.stratum

    @property
    def synthetic_strata(self) -> Words:
        """The stratum of every synthetic calibration item, (m,)."""
        return np.empty(0, "<U1") if self.known_synthetic is None else self.known_synthetic.stratum

    @property
    def hashes(self) -> Words:
        """Content hashes of all calibration items, human first."""
        parts = [self.known_human.hashes] + ([] if self.known_synthetic is None else [self.known_synthetic.hashes])
        return np.concatenate(parts)

    def overlap(self, documents: Documents) -> Flags:
        """Which documents are calibration items or items that the detector was fitted on, (n,)."""
        return np.array([name in self._known_hashes for name in documents.hashes()], dtype=bool)

    @functools.cached_property
    def _known_hashes(self) -> frozenset[str]:
        return frozenset(self.hashes.tolist()) | frozenset(self.fitted.hashes.tolist())

    def stratum_of(self, documents: Documents) -> Words:
        """The stratum of each document, (n,); empty where its kind was not calibrated."""
        words, language = looks(self.fitted, documents)
        return self.strata.of(documents, words, language)

    def humans_of(self, stratum: str) -> Floats:
        """Highest score of each human unit of a stratum, ascending: what p-values are counted in."""
        here = self.human_strata == stratum
        return conformal.unit_maxima(self.human.scores[here], self.human.units[here])

    def threshold(self, stratum: str, fpr: float | None = None) -> Threshold:
        """Where the stratum is flagged at a nominal rate, by default ``max_fpr``."""
        return conformal.threshold(self.humans_of(stratum), self.max_fpr if fpr is None else fpr)

    def judge(self, documents: Documents, fpr: float | None = None, own: bool = False) -> Judgements:
        """Score documents and decide which are synthetic, or say why not.

        A human document that is exchangeable with the calibration humans of its stratum is flagged with probability at most
        ``fpr``, abstentions included.

        Args:
            documents: items as the detector takes them, with the columns that strata are made of.
            fpr: nominal false-positive rate, by default ``max_fpr``.
            own: judge calibration and training items like others; nothing is promised of them, so by default nothing is
                said.
        """
        rate = self.max_fpr if fpr is None else fpr
        if not 0.0 < rate < 0.5:
            raise SpecError(f"fpr must lie between 0 and 0.5. Got {rate:g}.")
        n = len(documents)
        words, language = looks(self.fitted, documents)
        stratum = self.strata.of(documents, words, language)
        status = np.full(n, UNCALIBRATED, dtype="<U12")
        reason = self._reasons(documents, words, language, stratum)
        if not own:
            reason = _put(reason, self.overlap(documents), "known: among the calibration or training items")
        status[reason != ""] = ABSTAINED
        score = np.full(n, np.nan)
        if n:
            score = self.fitted.score(documents.items)
        lost = np.isnan(score)
        status[lost], reason = ABSTAINED, _put(reason, lost, "not scorable: the detector gave no number")
        p, flagged = np.full(n, np.nan), np.zeros(n, bool)
        for name in self.strata.names:
            here = (stratum == name) & (reason == "")
            if not here.any():
                continue
            humans = self.humans_of(name)
            found = conformal.threshold(humans, rate)
            p[here] = conformal.p_values(humans, score[here])
            if found.kind == "none":
                few = f"too few humans: {found.n} in the stratum, {conformal.needed_marginal(rate)} are needed for {rate:g}"
                reason = _put(reason, here, few)
                continue
            status[here], flagged[here] = found.kind, score[here] > found.score
        unknown = (stratum == "") & (reason == "")
        return Judgements(score, p, flagged, status, _put(reason, unknown, self._unknown(documents)), stratum, rate)

    def _unknown(self, documents: Documents) -> str:
        missing = [name for name in self.strata.by if name not in ("length", "language", *documents.columns)]
        if missing:
            return f"not calibrated: the documents have no column '{missing[0]}', which their stratum depends on"
        return f"not calibrated: no calibration humans with this {' and '.join(self.strata.by) or 'kind'}"

    def _reasons(self, documents: Documents, words: Integers, language: Words, stratum: Words) -> Words:
        """Why each document is not judged, before its score is known; empty where it is."""
        n = len(documents)
        found: list[str] = [""] * n
        if n:
            far, which, value = self.novelty.look(documents.items)
            for place in np.flatnonzero((far > self.novelty.limit) & (stratum != "")).tolist():
                found[place] = self.novelty.reason(int(which[place]), float(value[place]))
        if self.fitted.detector.takes == "text":
            known = {*self.rules.languages, UNKNOWN}
            for place in range(n):
                tongue = str(language[place])
                if words[place] < self.rules.shortest:
                    found[place] = f"too short: {words[place]} words, {self.rules.shortest} are needed"
                elif tongue == CODE and CODE not in known:
                    found[place] = "code: no calibration humans are"
                elif tongue not in known:
                    found[place] = (
                        f"other language: {tongue}, calibrated for {', '.join(self.rules.languages) or 'none'}"
                    )
        return np.array(found, dtype=np.str_) if n else np.empty(0, "<U1")

    @property
    def content(self) -> str:
        """SHA-256 over the detector, the calibration items and all settings and facts."""
        return storage.content(self)

    def save(self, folder: Path) -> None:
        """Write ``detector/``, ``calibration.npz``, the items if they are kept, then ``calibrated.json``, which completes it.

        Raises:
            StoreError: the folder cannot be written.
        """
        storage.save(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Calibrated:
        """What ``save`` wrote. Raises StoreError when it is not complete or was changed."""
        return storage.load(folder)


def looks(fitted: FittedDetector, documents: Documents) -> tuple[Integers, Words]:
    """Words and language of each document; of pictures, zeros and no language."""
    if fitted.detector.takes != "text":
        return np.zeros(len(documents), np.int64), np.full(len(documents), "")
    wrong = next((item for item in documents.items if not isinstance(item, str)), None)
    if wrong is not None:
        raise DataError(f"'{fitted.detector.name()}' takes texts. Got a {type(wrong).__name__}.")
    return word_counts(documents.items), spoken(documents)


def _put(words: Words, where: Flags, text: str) -> Words:
    """``np.where`` that makes room for a longer text."""
    return np.where(where, np.asarray(text), words).astype(np.str_)
