"""The data card of a curated training set: Croissant with its fields for responsible AI, a README, and the hash of every file."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from remission.clinic.curation import _card_croissant as croissant
from remission.clinic.curation import _card_files as files
from remission.clinic.curation import _card_readme as readme
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from remission.store import write_text

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COUNTS = ("in", "kept", "dropped", "quarantined")


@dataclass(frozen=True)
class CardFacts:
    """What a card says, apart from what it finds in the files.

    Attributes:
        name: of the data set.
        policy: ``exclude``, ``weigh`` or ``cap``, with its settings in words, as in ``exclude (false discovery rate 0.05)``.
        counts: documents ``in``, ``kept``, ``dropped``, ``quarantined``; the first is the sum of the others.
        residual: estimated synthetic share of what is kept (by weight) and judged; value NaN: only bounds are known.
        before: the same of the whole corpus.
        unjudged: documents ``kept`` and ``dropped`` that the detector could not judge and whose origin is not known: the shares
            ``residual`` and ``before`` are not of these.
        residual_of_all, before_of_all: the same shares of all documents, where those may be anything; needed where there are some.
        warnings: what a reader of the shares must know besides.
        reasons: dropped documents by reason; they add up to ``dropped`` when given.
        thresholds: what is dropped: stratum or kind -> score above which a document is dropped, or words.
        strata: residual synthetic share by stratum.
        licences: SPDX expressions; ``LicenseRef-...`` for others. None: not stated.
        detector: its name; detector_hash: sha256 of its file, hexadecimal, or empty.
        census: seal of the census, sha256, hexadecimal, or empty.
        created: ISO date.
        creators: names of organisations or people.
        languages: BCP 47 tags.
        url, version, citation: of the data set.
        collection: how the documents were collected, in words.
        columns: descriptions of columns beyond the usual ones; weighted: whether weights differ from each other.
        outlook: sentences on what the data set does to the next generations of models.
        biases, limitations, maintenance: what is known beyond what the card says by itself.
    """

    name: str
    policy: str
    counts: Mapping[str, int]
    residual: Estimate
    before: Estimate
    created: str
    unjudged: Mapping[str, int] = field(default_factory=dict)
    residual_of_all: Estimate | None = None
    before_of_all: Estimate | None = None
    warnings: tuple[str, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    thresholds: Mapping[str, float | str] = field(default_factory=dict)
    strata: Mapping[str, Estimate] = field(default_factory=dict)
    licences: tuple[str, ...] = ()
    detector: str = ""
    detector_hash: str = ""
    census: str = ""
    creators: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    url: str = ""
    version: str = "1.0.0"
    citation: str = ""
    collection: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    weighted: bool = True
    outlook: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    limitations: tuple[str, ...] = ()
    maintenance: str = ""


def write_card(folder: Path, facts: CardFacts) -> list[Path]:
    """Write the card of a folder with ``kept/*.parquet`` and, when documents were dropped, ``dropped/*.parquet``.

    ``README.md`` is the card in words, with the header by which ``datasets.load_dataset(folder)`` finds the kept documents (and
    those dropped as configuration ``dropped``), ``croissant.json`` is Croissant 1.0 with RAI 1.0: it names every file of documents
    with its hash, or, when there are more than 20, a set of files and the hash of all their hashes. ``SHA256SUMS``, written last,
    names these two and all other files with their hashes (``sha256sum -c`` checks it); whoever knows its hash knows all.

    Returns:
        The three paths.

    Raises:
        SpecError: facts that contradict each other or are none.
        DataError: no kept files, files that cannot be read, or that hold other columns or numbers of rows than they should.
        StoreError: the folder cannot be written.
    """
    facts = _checked(facts)
    found = files.found(folder)
    _counted(facts, found)
    sums, text, card = folder / "SHA256SUMS", folder / "README.md", folder / "croissant.json"
    lines = files.sums(found)
    write_text(text, readme.text(facts, found))
    tables = croissant.document(facts, found, files.digest(lines))
    write_text(card, json.dumps(tables, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    write_text(sums, lines + files.sums_beside(folder))
    return [card, text, sums]


def check_card(folder: Path) -> list[str]:
    """What of a folder is not as its card says, in sentences; empty when all is.

    Every file is read and hashed, those of the card and ``curation.json`` too: files that are missing, changed or not in the list, a
    changed list of hashes, columns that the files do not have. Raises DataError when there is no card that can be read.
    """
    return croissant.faults(folder)


def _checked(facts: CardFacts) -> CardFacts:
    """The facts, licences in their usual spelling. Raises SpecError."""
    if not facts.name.strip():
        raise SpecError("The data set needs a name.")
    counts, reasons = _whole(facts.counts), _whole(facts.reasons)
    facts = dataclasses.replace(facts, counts=counts, reasons=reasons)
    if set(counts) != set(_COUNTS):
        raise SpecError(f"'counts' holds the numbers {', '.join(_COUNTS)}. Got {dict(counts)}.")
    if counts["in"] != counts["kept"] + counts["dropped"] + counts["quarantined"]:
        raise SpecError(f"'counts' do not add up: in = kept + dropped + quarantined. Got {dict(counts)}.")
    if facts.reasons and sum(facts.reasons.values()) != counts["dropped"]:
        raise SpecError(
            f"The reasons add up to {sum(facts.reasons.values())} documents, but {counts['dropped']} were dropped."
        )
    facts = dataclasses.replace(facts, unjudged=_unjudged(facts, counts))
    shares = {"residual": facts.residual, "before": facts.before, **facts.strata}
    shares |= {name: getattr(facts, name) for name in ("residual_of_all", "before_of_all") if getattr(facts, name)}
    for name, share in shares.items():
        middle = share.low if math.isnan(share.value) else share.value
        if not 0 <= share.low <= middle <= share.high <= 1:
            raise SpecError(
                f"'{name}' is a share with an interval between 0 and 1. Got {share.value} [{share.low}, {share.high}]."
            )
    wrong = [name for name, one in facts.thresholds.items() if not isinstance(one, str) and not math.isfinite(one)]
    if wrong:
        raise SpecError(f"The threshold of '{wrong[0]}' is no number ({facts.thresholds[wrong[0]]}). Say it in words.")
    for name in ("detector_hash", "census"):
        if getattr(facts, name) and not _SHA256.fullmatch(getattr(facts, name)):
            raise SpecError(f"'{name}' is a sha256, 64 hexadecimal digits. Got '{getattr(facts, name)}'.")
    try:
        datetime.date.fromisoformat(facts.created[:10])
    except ValueError:
        raise SpecError(f"'created' is a date as in 2026-01-31. Got '{facts.created}'.") from None
    if not re.fullmatch(r"\d+\.\d+\.\d+", facts.version):
        raise SpecError(f"'version' is MAJOR.MINOR.PATCH, as in 1.0.0. Got '{facts.version}'.")
    if facts.licences:
        from remission.clinic.archive.record import licence

        facts = dataclasses.replace(facts, licences=tuple(dict.fromkeys(licence(one) for one in facts.licences)))
    return facts


def _unjudged(facts: CardFacts, counts: Mapping[str, int]) -> dict[str, int]:
    """Numbers of ``kept`` and ``dropped`` documents that were not judged. Raises SpecError."""
    found = {"kept": 0, "dropped": 0} | _whole(facts.unjudged)
    if set(found) != {"kept", "dropped"} or any(count > counts[name] for name, count in found.items()):
        raise SpecError(f"'unjudged' holds how many of the kept and dropped documents were not judged. Got {found}.")
    if any(found.values()) and (facts.residual_of_all is None or facts.before_of_all is None):
        raise SpecError("Where documents were not judged, 'residual_of_all' and 'before_of_all' say the shares of all.")
    return found


def _whole(counts: Mapping[str, int]) -> dict[str, int]:
    """Plain whole numbers, also of those that are of NumPy. Raises SpecError."""
    try:
        found = {name: operator.index(count) for name, count in counts.items()}
    except TypeError:
        raise SpecError(f"Documents are counted in whole numbers. Got {dict(counts)}.") from None
    if any(count < 0 for count in found.values()):
        raise SpecError(f"Numbers of documents cannot be negative. Got {found}.")
    return found


def _counted(facts: CardFacts, found: Mapping[str, files.Group]) -> None:
    for name, group in found.items():
        if group.rows != facts.counts[name]:
            raise DataError(
                f"{name}/ holds {group.rows} documents, but the facts say {facts.counts[name]}. The card is not written."
            )
    if "dropped" not in found and facts.counts["dropped"]:
        raise DataError(
            f"{facts.counts['dropped']} documents were dropped, but there is no dropped/*.parquet. The card is not written."
        )
