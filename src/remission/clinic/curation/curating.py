"""From a finished census to a training set: kept documents with weights, dropped ones beside them with reasons, and a card."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from remission import __version__
from remission.clinic.census.asking import Finding, archived, reopen
from remission.clinic.census.manifest import Manifest
from remission.clinic.census.parts import explained, part_path, receipt_of, write_whole
from remission.clinic.census.running import source_of
from remission.clinic.census.scoring import Judge, hash_of
from remission.clinic.curation import counting
from remission.clinic.curation.capping import cap
from remission.clinic.curation.card import CardFacts, write_card
from remission.clinic.curation.counting import Counted
from remission.clinic.curation.excluding import exclude
from remission.clinic.curation.outlook import Outlook, outlook
from remission.clinic.curation.residual import Residual, residual
from remission.clinic.curation.rules import Rules
from remission.clinic.curation.sorting import Deciding, Job, Sorted, archive_hash, sort
from remission.clinic.curation.weighing import weigh
from remission.clinic.prevalence import mixed
from remission.engines.limits import Lost
from remission.engines.local import supervise
from remission.errors import DataError, SpecError, StoreError, did_you_mean
from remission.estimate import Estimate

Policy = Literal["exclude", "weigh", "cap"]
Engine = Callable[[Callable[[Job], Sorted], Iterable[Job]], Iterator[tuple[Job, Sorted | Lost[Job]]]]
Progress = Callable[[float, float], None]

POLICIES = ("exclude", "weigh", "cap")
SAMPLED = 5 << 20  # bytes of kept texts the lab predicts from


@dataclass(frozen=True)
class Wish:
    """What is asked.

    Attributes:
        policy: ``exclude``: drop what is surely synthetic; ``weigh``: keep by the probability of human origin; ``cap``: drop
            the most suspicious of each stratum until so much is left.
        fdr: of ``exclude``: expected share of human documents among the dropped ones.
        cap: of ``cap``: expected synthetic share of each stratum that is left.
        unjudged: ``keep`` or ``drop`` documents nothing is said of.
        generations: the lab looks ahead; temperature: at which its models sample; simulate: also run loops on a surrogate of
            the corpus.
        level: of intervals; None: that of the census.
        name, licences, creators: for the card.
        seed: of the sample that the lab looks at.
    """

    policy: Policy
    fdr: float = 0.05
    cap: float = 0.1
    unjudged: Literal["keep", "drop"] = "keep"
    generations: int = 10
    temperature: float = 1.0
    simulate: bool = False
    level: float | None = None
    name: str = "curated corpus"
    licences: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise SpecError(f"There is no policy '{self.policy}'. {did_you_mean(self.policy, POLICIES)}")
        for name in ("fdr", "cap"):
            if not 0 < getattr(self, name) < 1:
                raise SpecError(f"{name} lies above 0 and below 1. Got {getattr(self, name):g}. Try 0.05.")
        if self.unjudged not in ("keep", "drop"):
            raise SpecError(f"unjudged is 'keep' or 'drop'. Got '{self.unjudged}'.")
        if self.generations < 1:
            raise SpecError(f"The lab looks at least 1 generation ahead. Got {self.generations}.")

    @property
    def said(self) -> str:
        """The policy in words."""
        more = {"exclude": f" (false discovery rate {self.fdr:g})", "cap": f" (at most {100 * self.cap:g} % synthetic)"}
        return self.policy + more.get(self.policy, "")

    def table(self) -> dict[str, Any]:
        """What the files depend on."""
        return {"policy": self.policy, "fdr": self.fdr, "cap": self.cap, "unjudged": self.unjudged}


@dataclass(frozen=True, eq=False)
class Curation:
    """A finished curation.

    Attributes:
        folder: ``kept/``, ``dropped/``, ``curation.json``, the card.
        wish: what was asked; rules: what was made of it.
        counted: the census by what could be decided.
        residual: synthetic share before and after among judged documents of unknown origin, by stratum.
        before, after: the same of the whole corpus with what is known of it; unjudged documents apart.
        counts: documents ``in, kept, dropped, quarantined``; reasons: of dropped ones.
        weight: sum of weights; effective: independent documents they are worth.
        outlook: what the lab predicts; None: there was too little to predict from.
        told: why not.
        warnings: for the reader.
    """

    folder: Path
    wish: Wish
    rules: Rules
    counted: Counted
    residual: Residual
    before: Estimate
    after: Estimate
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    weight: float
    effective: float
    outlook: Outlook | None
    told: str = ""
    warnings: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """The fields of ``curate --json``."""
        rules = self.rules.table()
        return {
            "folder": str(self.folder), **self.wish.table(), "before": self.before.table(), "after": self.after.table(),
            "strata": self.residual.table()["rows"], "accounting": dict(self.counts), "reasons": dict(self.reasons),
            "known": counting.table(self.counted), "weight": self.weight, "effective": self.effective,
            "facts": rules["facts"], "notes": [*self.rules.notes, *([self.told] if self.told else [])],
            "outlook": None if self.outlook is None else self.outlook.document(), "warnings": list(self.warnings),
        }  # fmt: skip


def local(workers: int = 1) -> Engine:
    """Supervised worker processes on this machine."""
    return lambda function, jobs: supervise(function, jobs, workers)


def curate(
    census: str | Path, folder: str | Path, wish: Wish, engine: Engine | None = None, progress: Progress | None = None,
    ahead: Progress | None = None,
) -> Curation:  # fmt: skip
    """Make a training set of the corpus of a finished census.

    Every document of the census is kept or dropped with a reason; copies are dropped, archived documents kept, declared and
    watermarked ones dropped; the rules decide on the others. The same call goes on where it was stopped.

    Args:
        census: its folder; the detector and the input files must be where they were.
        folder: a new one, or that of this very curation.
        wish: what is asked.
        engine: where parts are sorted; by default one worker process here.
        progress: told (documents sorted, documents).
        ahead: told how far the loops of ``simulate`` are.

    Raises:
        StoreError: no finished census, or a folder that holds something else.
        DataError: a census of a sample, one that refuses to say, or an input file that was changed.
    """
    finding = reopen(census)
    if not finding.config.sampling.everything:
        raise DataError(
            "This census is of a sample: most documents have no score. Run it without --sample and --files to curate."
        )
    archive = archived(finding.question)
    counted = counting.count(finding, Judge.load(finding.question.detector).calibrated, archive)
    rules = {
        "exclude": lambda: exclude(counted.cells, wish.fdr),
        "weigh": lambda: weigh(counted.cells),
        "cap": lambda: cap(counted.cells, wish.cap),
    }[wish.policy]()  # fmt: skip
    level = finding.question.wish.level if wish.level is None else wish.level
    left = residual(counted.cells, rules, level)
    deciding = Deciding(rules, finding.kept.marking, wish.unjudged == "keep", _identity(finding, rules, wish, archive))
    folder = Path(folder)
    _open(folder, deciding, wish)
    with _writing(folder):
        done = _sort(finding, deciding, folder, archive, engine or local(), progress)
        found = _found(finding, folder, wish, rules, counted, left, done, level, ahead)
        write_whole(folder / "curation.json", _record(found, finding, deciding))
        write_card(folder, _facts(found, finding))
    return found


def _identity(finding: Finding, rules: Rules, wish: Wish, archive: Any) -> str:
    marking = finding.kept.marking
    manifest = finding.census.manifest
    return hash_of(
        {
            "version": __version__, "census": _seal(manifest), "rules": rules.table(), "unjudged": wish.unjudged,
            "archive": archive_hash(archive), "mark": None if marking is None else str(marking.cut),
        }
    )  # fmt: skip


def _seal(manifest: Manifest) -> str:
    return hash_of(manifest.table())


def _open(folder: Path, deciding: Deciding, wish: Wish) -> None:
    """Make the folder, or see that it is that of this curation. Raises StoreError."""
    path = folder / "asked.json"
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"'{folder}' is a file. Choose another folder with -o.")
    if path.is_file():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["id"]
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(f"'{path}' is damaged. Choose another folder with -o.") from None
        if before != deciding.id:
            raise StoreError(f"'{folder}' holds another curation (policy, census or version). Choose another with -o.")
        return
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"'{folder}' is not empty and holds no curation. Choose another folder with -o.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"id": deciding.id, **wish.table()}, indent=1, sort_keys=True))


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Hold the folder; what a killed run left half-written goes."""
    with explained(folder):
        handle = open(folder / ".lock", "w", encoding="ascii")  # noqa: SIM115  (held until the end)
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"Another process is writing to '{folder}'. Wait for it, or choose another -o.") from None
        for path in folder.rglob(".*.aside"):
            path.unlink(missing_ok=True)
        yield


def _sort(
    finding: Finding, deciding: Deciding, folder: Path, archive: Any, engine: Engine, progress: Progress | None
) -> list[Sorted]:
    """Sort all parts; in the order of the corpus."""
    census = finding.census
    source = source_of(census.folder, census.manifest, archive, finding.question.rate)
    source = replace(source, folder=Path(census.folder).resolve())
    takes = Judge.load(finding.question.detector).takes
    jobs, first = [], 0
    for number, name in enumerate(census.manifest.order):
        one = replace(source, order=(name,))
        jobs.append(Job(number, name, first, one, finding.config, takes, deciding, str(folder.resolve())))
        first += receipt_of(part_path(source.folder, name)).kept
    done: dict[int, Sorted] = {}
    gone = 0
    for job, outcome in engine(sort, jobs):
        if isinstance(outcome, Lost):
            raise DataError(
                f"Part {job.number} of the census could not be sorted: {outcome.said}. Finished parts are kept; the same "
                "command goes on. Give workers more memory, or use fewer."
            )
        done[job.number] = outcome
        gone += outcome.kept + sum(outcome.dropped.values())
        if progress is not None:
            progress(float(gone), float(first))
    return [done[number] for number in sorted(done)]


def _found(
    finding: Finding, folder: Path, wish: Wish, rules: Rules, counted: Counted, left: Residual, done: Sequence[Sorted],
    level: float, ahead: Progress | None,
) -> Curation:  # fmt: skip
    receipt = finding.census.receipt
    reasons: Counter[str] = Counter()
    for one in done:
        reasons.update(one.dropped)
    kept, dropped = sum(one.kept for one in done), sum(reasons.values())
    account = receipt.accounting()
    if kept + dropped != receipt.kept:
        raise DataError(
            f"{receipt.kept - kept - dropped} documents of the census are unaccounted for. Run the census again."
        )
    reasons.update(receipt.dropped)
    counts = {
        "in": account["in"], "kept": kept, "dropped": dropped + account["dropped"], "quarantined": account["quarantined"],
    }  # fmt: skip
    weight, squares = sum(one.weight for one in done), sum(one.squares for one in done)
    before = _with_known(
        left.whole.before, counted.documents, counted.archived, counted.declared + counted.marked, level
    )
    after = _with_known(left.whole.after, left.whole.weight, counted.archived, 0, level)
    seen, told = _ahead(folder, wish, before, after, weight / kept if kept else 0.0, ahead)
    return Curation(
        folder, wish, rules, counted, left, before, after, counts, dict(reasons.most_common()), weight,
        weight**2 / squares if squares else 0.0, seen, told, tuple(_warnings(counted, counts, wish, weight)),
    )  # fmt: skip


def _with_known(share: Estimate, weight: float, human: float, synthetic: float, level: float) -> Estimate:
    """The share with documents of known origin beside those it is of; NaN and 0 .. 1 where nothing is left."""
    parts = [(weight, share)] if weight and not math.isnan(share.low) else []
    parts += [(human, Estimate(0.0, 0.0, 0.0, level, "known", int(human)))] if human else []
    parts += [(synthetic, Estimate(1.0, 1.0, 1.0, level, "known", int(synthetic)))] if synthetic else []
    if not parts:
        return Estimate(math.nan, 0.0, 1.0, level, "nothing left", 0)
    total = sum(size for size, _ in parts)
    return replace(mixed([size / total for size, _ in parts], [part for _, part in parts]), method=share.method)


def _ahead(
    folder: Path, wish: Wish, before: Estimate, after: Estimate, worth: float, progress: Progress | None
) -> tuple[Outlook | None, str]:
    """What the lab predicts, from some of the kept texts; ``worth`` is the mean weight."""
    texts = list(_texts(folder, wish.seed))
    if not texts:
        return None, "The lab predicts nothing: no text is kept."
    words = max(1, round(worth * _words(folder, texts)))
    try:
        found = outlook(
            texts,
            before,
            after,
            wish.generations,
            tokens=words,
            temperature=wish.temperature,
            simulate=wish.simulate,
            seed=wish.seed,
            progress=progress,
        )
    except DataError as error:
        return None, f"The lab predicts nothing: {error}"
    return found, ""


def _texts(folder: Path, seed: int) -> Iterator[str]:
    """Kept texts from files and rows drawn at random, about 5 MB."""
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    files = sorted((folder / "kept").glob("*.parquet"))
    each = max(1, SAMPLED // max(1, len(files)))
    for number in rng.permutation(len(files))[: max(1, SAMPLED // (1 << 16))]:
        with pq.ParquetFile(files[number]) as file:
            if "text" not in file.schema_arrow.names:
                return
            held = 0
            for group in rng.permutation(file.num_row_groups):
                texts = file.read_row_group(int(group), columns=["text"]).column(0)
                for row in rng.permutation(len(texts)):
                    text = texts[int(row)].as_py()
                    yield text
                    held += len(text)
                    if held >= each:
                        break
                if held >= each:
                    break


def _words(folder: Path, texts: Sequence[str]) -> int:
    """Words of all kept texts, by those of the sample and the bytes of all."""
    bytes_ = sum(_bytes(path) for path in (folder / "kept").glob("*.parquet"))
    size = sum(len(text.encode()) for text in texts)
    words = sum(len(text.split()) for text in texts)
    return max(1, round(words * max(1.0, bytes_ / max(1, size))))


def _bytes(path: Path) -> int:
    import pyarrow.parquet as pq

    from remission.clinic.curation.sorting import KEY

    return int(json.loads(pq.read_metadata(path).metadata[KEY])["bytes"])


def _warnings(counted: Counted, counts: Mapping[str, int], wish: Wish, weight: float) -> Iterator[str]:
    left = sum(counted.unjudged.values())
    if left and wish.unjudged == "keep":
        yield (
            f"{left:,} documents that the detector does not judge are kept; the shares say nothing of them. Drop them with "
            "--unjudged drop."
        )
    if not counts["kept"]:
        yield "Nothing is kept."


def _record(found: Curation, finding: Finding, deciding: Deciding) -> str:
    """All that was decided, to be read by programs."""
    manifest = finding.census.manifest
    content = {
        "schema": "remission/curation/1", "id": deciding.id, "version": __version__, "census": _seal(manifest),
        **found.document(), "rules": found.rules.table()["rules"],
    }  # fmt: skip
    return json.dumps(content, indent=1, sort_keys=True)


def _facts(found: Curation, finding: Finding) -> CardFacts:
    """For the card."""
    thresholds = {
        kind: value for kind, value in dict(found.rules.facts.get("thresholds", {})).items() if value is not None
    }
    detector = finding.question.detector
    return CardFacts(
        name=found.wish.name, policy=found.wish.said, counts=found.counts, residual=found.after, before=found.before,
        created=datetime.date.today().isoformat(), reasons=found.reasons, thresholds=thresholds,
        strata={row.stratum: row.after for row in found.residual.rows[1:]}, licences=found.wish.licences,
        detector=Path(detector).name, detector_hash=finding.detector_hash, census=_seal(finding.census.manifest),
        creators=found.wish.creators, outlook=tuple(found.outlook.sentences()) if found.outlook is not None else (),
    )  # fmt: skip
