"""What a finished curation says of itself: to programs in ``curation.json``, and to the card."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remission import __version__
from remission.clinic.census.asking import Finding
from remission.clinic.census.manifest import Manifest
from remission.clinic.census.scoring import hash_of
from remission.clinic.curation import counting
from remission.clinic.curation._card_files import Hashed, listed
from remission.clinic.curation._folder import finite
from remission.clinic.curation.card import CardFacts
from remission.clinic.curation.counting import Counted
from remission.clinic.curation.outlook import Outlook
from remission.clinic.curation.residual import Residual
from remission.clinic.curation.rules import Rules
from remission.clinic.curation.sorting import Deciding, named
from remission.clinic.curation.wishing import Wish
from remission.corpus.beside import Column, names_of
from remission.corpus.reading import Fields
from remission.errors import DataError, StoreError
from remission.estimate import Estimate

RECORD = "remission/curation/1"


@dataclass(frozen=True, eq=False)
class Curation:
    """A finished curation.

    Attributes:
        folder: ``kept/``, ``dropped/``, ``curation.json``, the card.
        wish: what was asked; rules: what was made of it.
        counted: the census by what could be decided.
        residual: synthetic share before and after among judged documents of unknown origin, by stratum.
        before, after: the same of the whole corpus with what is known of it; documents that nothing is said of apart.
        all_before, all_after: with these, which may be human or synthetic: bounds where there are any.
        unjudged: kept documents that nothing is said of.
        counts: documents ``in, kept, dropped, quarantined``; reasons: of dropped ones.
        weight: sum of weights; effective: documents of equal weight they are worth (Kish), near-duplicates as any other.
        outlook: what the lab predicts; None: there was too little to predict from.
        told: why not.
        warnings: for the reader.
        left_out: rows that the census was asked to leave out; they are in none of the counts.
        columns: of the corpus, that are carried along.
        unread: values of these that are null because they could not be had, by column and reason.
    """

    folder: Path
    wish: Wish
    rules: Rules
    counted: Counted
    residual: Residual
    before: Estimate
    after: Estimate
    all_before: Estimate
    all_after: Estimate
    unjudged: int
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    weight: float
    effective: float
    outlook: Outlook | None
    told: str = ""
    warnings: tuple[str, ...] = field(default=())
    left_out: int = 0
    columns: tuple[Column, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The fields of ``curate --json``."""
        rules = self.rules.table()
        return {
            "folder": str(self.folder), **self.wish.table(), "before": self.before.table(), "after": self.after.table(),
            "whole": {"before": self.all_before.table(), "after": self.all_after.table(), "unjudged": self.unjudged},
            "strata": self.residual.table()["rows"], "accounting": dict(self.counts), "left_out": self.left_out, "reasons": dict(self.reasons),
            "known": counting.table(self.counted), "weight": self.weight, "effective": self.effective,
            "facts": rules["facts"], "rules": rules["rules"], "notes": [*self.rules.notes, *([self.told] if self.told else [])],
            "outlook": None if self.outlook is None else self.outlook.document(), "warnings": list(self.warnings),
            "carried": [column.said() for column in self.columns], "unread": dict(self.unread),
        }  # fmt: skip


def read_record(folder: Path) -> dict[str, Any]:
    """What a finished curation says of itself, ``curation.json`` as plain values. Raises StoreError: none, or changed since."""
    path = folder / "curation.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(
            f"'{folder}' holds no finished curation. Run the same `remission curate` again to finish it."
        ) from None
    except (OSError, ValueError) as error:
        raise StoreError(
            f"'{path}' is damaged ({type(error).__name__}). Run the same `remission curate` again."
        ) from None
    if not isinstance(found, dict) or found.get("schema") != RECORD:
        raise StoreError(f"'{path}' is no record of a curation. Run the same `remission curate` again.")
    try:
        same = listed(folder).get(path.name) == Hashed.of(folder, path).sha256
    except DataError as error:
        raise StoreError(f"{error} Run the same `remission curate` again to finish it.") from None
    if not same:
        raise StoreError(
            f"'{path}' is not what the curation wrote, or that was not finished: its hash is not the one in SHA256SUMS. Run the same "
            "`remission curate` again."
        )
    return found


def seal(manifest: Manifest) -> str:
    """The SHA-256 of what a census is made of."""
    return hash_of(manifest.table())


def record(found: Curation, finding: Finding, deciding: Deciding) -> str:
    """All that was decided, to be read by programs."""
    manifest = finding.census.manifest
    content = {
        "schema": RECORD, "id": deciding.id, "version": __version__, "census": seal(manifest),
        **found.document(),
    }  # fmt: skip
    return json.dumps(finite(content), indent=1, sort_keys=True, allow_nan=False)


def _described(columns: Sequence[Column], fields: Fields) -> dict[str, str]:
    """What the columns of the corpus are, by name: those that the census read, and those carried along."""
    read = {named(name): source for name, source in names_of(fields).items() if name != "id"}
    rest = "the other fields of the row, as the text of a JSON object"
    return {name: "as in the corpus" if name == source else f"'{source}' of the corpus" for name, source in read.items()} | {
        one.name: rest if one.field is None else f"'{one.field}' of the corpus" if one.field != one.name else "as in the corpus"
        for one in columns
    }  # fmt: skip


def facts_of(found: Curation, finding: Finding) -> CardFacts:
    """For the card."""
    thresholds = {
        kind: value for kind, value in dict(found.rules.facts.get("thresholds", {})).items() if value is not None
    }
    detector = finding.question.detector
    mute = found.counted.unjudged.total()
    told = counting.unjudged_told(
        found.counted, found.wish.unjudged == "keep", found.wish.policy
    )  # said by the card itself
    return CardFacts(
        unjudged={"kept": found.unjudged, "dropped": mute - found.unjudged}, residual_of_all=found.all_after, before_of_all=found.all_before,
        warnings=tuple(line for line in (*found.rules.notes, *found.warnings) if line != told),
        name=found.wish.name, policy=found.wish.said, counts=found.counts, residual=found.after, before=found.before,
        created=datetime.date.today().isoformat(), reasons=found.reasons, thresholds=thresholds,
        strata={row.stratum: row.after for row in found.residual.rows[1:] if row.weight}, licences=found.wish.licences,
        detector=Path(detector).name, detector_hash=finding.detector_hash, census=seal(finding.census.manifest),
        creators=found.wish.creators, columns=_described(found.columns, finding.config.reading), weighted=found.weight != found.counts["kept"], outlook=tuple(found.outlook.sentences()) if found.outlook is not None else (),
    )  # fmt: skip
