"""A census from question to answer: what ``remission census`` does, and what is left in its folder to read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.census._answer_file import follows, read_answer, read_sealed, write_answer
from remission.clinic.census._under_way import Progress
from remission.clinic.census.answering import answer, check_wish
from remission.clinic.census.costs import Cost, full_scan
from remission.clinic.census.empty import never_met, nothing_kept, odd_dates, undeclared
from remission.clinic.census.kept import Kept
from remission.clinic.census.manifest import ANSWER, Manifest, read_manifest
from remission.clinic.census.marks import Marked
from remission.clinic.census.running import Census, Engine, census_of, kept_of, run_census
from remission.clinic.census.scoring import Judge, Scorer
from remission.clinic.census.units import Config
from remission.clinic.keys import load_keys
from remission.clinic.prevalence import Answer, Wish
from remission.errors import DataError, RemissionError, SpecError, StoreError
from remission.numerics.arrays import Words


@dataclass(frozen=True)
class Question:
    """What is asked besides how documents are read.

    Attributes:
        detector: folder of a calibrated one.
        wish: estimator, level, placebo.
        profiles: file of watermarks to look for; keys: files of keys, or ``public``.
        archive: a folder of human documents, see :mod:`remission.clinic.archive`; certified: only those that two reviewers
            certified count.
        rate: of false discoveries among watermarked documents.
        price: of an hour of one worker, for the cost of a full scan.
    """

    detector: Path
    wish: Wish = field(default_factory=Wish)
    profiles: Path | None = None
    keys: tuple[str, ...] = ()
    archive: Path | None = None
    certified: bool = True
    rate: float = 0.05
    price: float | None = None

    def __post_init__(self) -> None:
        check_wish(self.wish)
        if not 0 < self.rate < 1:
            raise SpecError(f"A rate of false discoveries lies above 0 and below 1. Got {self.rate:g}.")
        if (self.profiles is None) != (not self.keys):
            raise SpecError(
                "To look for watermarks, give both: profiles (what schemes) and keys. See docs/watermarks.md."
            )
        if self.price is not None and not self.price >= 0:
            raise SpecError(f"The price of an hour is at least 0. Got {self.price:g}.")

    def table(self) -> dict[str, Any]:
        """As plain values; never a key."""
        return {
            "detector": str(self.detector.resolve()), "estimator": self.wish.estimator, "level": self.wish.level,
            "archive": None if self.archive is None else str(self.archive.resolve()), "certified": self.certified,
            "rate": self.rate, "price": self.price,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Finding:
    """A census with its answer.

    Attributes:
        census: it; question, config: what was asked.
        kept: documents that count.
        answer: shares and checks.
        cost: of the full scan, for samples.
        archived: documents of the archive that were looked for.
        notes: on what was not looked for.
        detector_hash: of the detector with its calibration.
    """

    census: Census
    question: Question
    config: Config
    kept: Kept
    answer: Answer
    cost: Cost | None
    archived: int
    notes: tuple[str, ...]
    detector_hash: str

    def document(self) -> dict[str, Any]:
        """The fields of ``census --json``."""
        told, sampling = self.census.table(), self.config.sampling
        sample = None
        if not sampling.everything:
            sample = sampling.table() | {"cost": None if self.cost is None else self.cost.table()}
        return {
            "census": told["census"], "detector": str(self.question.detector), "detector_hash": self.detector_hash, "asked": self.question.table() | {"watermarks": self.census.manifest.marks},
            "by": list(self.config.by), "strata": [row.table() for row in self.answer.rows], "checks": self.answer.checks,
            "accounting": told["accounting"], "copies": told["copies"],
            "watermarks": None if self.kept.marking is None else self.kept.marking.table(),
            "archive": None if self.question.archive is None else {"documents": self.archived},
            "sample": sample, "files": told["files"], "unread": told["unread"], "parts": told["parts"],
            "dates": self.census.receipt.dates(), "found_done": self.census.found_done, "mended": self.census.mended, "bytes": told["bytes"], "ignored": told["ignored"],
            "warnings": list(self.answer.warnings), "notes": list(self.notes),
        }  # fmt: skip


def take_census(
    paths: Sequence[str | Path], question: Question, folder: Path, config: Config, engine: Engine,
    progress: Progress | None = None,
) -> Finding:  # fmt: skip
    """Score a corpus and answer. What is asked is checked before anything is read.

    Raises: see :func:`~.running.run_census` and :func:`~.answering.answer`; StoreError for archives and keys.
    """
    judge = Judge.load(question.detector)
    scorer: Scorer = judge
    notes: list[str] = []
    if question.profiles is not None:
        scorer, notes = Marked.load(judge, question.profiles, load_keys(question.keys))
    if question.archive is not None and config.copies == "none":
        raise SpecError("To find documents of an archive their contents must be known: not with copies = none.")
    if question.archive is not None and judge.takes == "picture":
        raise SpecError(
            "Documents of an archive are known by their bytes, and this detector takes pictures apart. Leave it out."
        )
    archive = archived(question)
    census = run_census(paths, scorer, folder, config, engine, progress)
    if not census.receipt.kept:
        raise nothing_kept(census)
    notes = [*notes, *undeclared(census, config)]
    finding = _finding(census, judge, question, config, archive, tuple(notes))
    write_answer(folder, finding.document(), census.manifest)
    return finding


def _finding(
    census: Census, judge: Judge, question: Question, config: Config, archive: Words, notes: tuple[str, ...]
) -> Finding:
    kept = kept_of(census.folder, census.manifest, archive, question.rate)
    found = answer(kept, judge.calibrated, question.wish, census.manifest.sampling)
    found = replace(found, warnings=(*found.warnings, *odd_dates(census), *never_met(census, config)))
    cost = None if config.sampling.everything else full_scan(census, question.price, question.wish.level)
    return Finding(census, question, config, kept, found, cost, archive.size, notes, judge.content)


def reopen(folder: str | Path) -> Finding:
    """A finished census with the answer that was given, from its folder; the detector must be where it was.

    Raises:
        StoreError: no finished census, or no answer beside it, or another detector.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    told = read_answer(folder, manifest)
    try:
        asked = told["asked"]
        config = Config.of(manifest.config)
        wish = Wish(config.by, asked["estimator"], asked["level"], 0, config.before)
        archive = None if asked["archive"] is None else Path(asked["archive"])
        question = Question(
            Path(asked["detector"]), wish, None, (), archive, asked["certified"], asked["rate"], asked["price"]
        )
        known, notes = told["detector_hash"], tuple(told["notes"])
    except (KeyError, TypeError) as error:
        raise StoreError(f"'{folder / ANSWER}' is damaged ({type(error).__name__}). Run the census again.") from None
    judge = Judge.load(question.detector)
    if judge.content != known:
        raise StoreError(f"The detector in '{question.detector}' is not the one of this census. Run the census again.")
    census = census_of(folder, manifest, len(manifest.parts))
    return _finding(census, judge, question, config, archived(question), notes)


def fault_of_answer(folder: Path, manifest: Manifest, notes: list[str]) -> str:
    """What is wrong with the answer of a census whose parts are as its manifest says, or nothing; nothing where there is none.

    It is computed anew from the parts. Where that cannot be done (the detector or the archive is not where it was), a note
    says so, and only its seal is known to fit.
    """
    if not (folder / ANSWER).is_file():
        return ""
    try:
        told = read_sealed(folder, manifest)
    except StoreError:
        return "answer changed"
    try:
        again = reopen(folder).document()
    except RemissionError as error:
        notes.append(f"The answer was not computed anew, only its seal was looked at: {error}")
        return ""
    return "" if follows(told, again) else "answer does not follow from the parts"


def archived(question: Question) -> Words:
    """The first 64 bits of the SHA-256 of every human document of the archive (k,), ascending. Raises DataError, StoreError."""
    if question.archive is None:
        return np.empty(0, np.uint64)
    from remission.gold.archive import Archive
    from remission.gold.votes import population

    archive = Archive(question.archive)
    try:
        items = set(population(archive, archive.log.size, question.certified))
    except DataError:
        more = ", or count all that is in it (--any-item; certified=False)" if question.certified else ""
        what = "documents that two reviewers certified" if question.certified else "documents"
        raise DataError(f"The archive '{question.archive}' holds no {what}. Add and review some{more}.") from None
    found = {
        int(entry["content"][:16], 16)
        for _, entry in archive.log.entries()
        if entry["event"] == "ingest" and entry["item"] in items
    }
    return np.array(sorted(found), np.uint64)
