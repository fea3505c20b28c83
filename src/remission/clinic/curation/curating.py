"""From a finished census to a training set: kept documents with weights, dropped ones beside them with reasons, and a card."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from remission import __version__
from remission.clinic.artefacts import artefacts_told
from remission.clinic.census.asking import Finding, archived, reopen
from remission.clinic.census.kept import ARCHIVED, WHOLE, Source
from remission.clinic.census.parts import part_path, receipt_of, spans_in, write_whole
from remission.clinic.census.running import GUARD
from remission.clinic.census.scoring import Judge, hash_of
from remission.clinic.curation import counting
from remission.clinic.curation._ahead import Progress, ahead
from remission.clinic.curation._folder import check_free, writing
from remission.clinic.curation._telling import RECORD, Curation, facts_of, read_record, record, seal
from remission.clinic.curation._unchanged import check_sorted, check_unchanged
from remission.clinic.curation.capping import cap
from remission.clinic.curation.card import write_card
from remission.clinic.curation.counting import Counted
from remission.clinic.curation.excluding import exclude
from remission.clinic.curation.residual import Residual, residual
from remission.clinic.curation.rules import Rules
from remission.clinic.curation.sorting import Deciding, Hashing, Job, Sorted, forget, taken, tell, work
from remission.clinic.curation.weighing import weigh
from remission.clinic.curation.whole import as_counted, nothing_judged, of_all, share_of
from remission.clinic.curation.wishing import POLICIES, Policy, Wish
from remission.corpus.beside import Column, planned
from remission.engines.limits import Lost
from remission.engines.local import supervise
from remission.errors import DataError, StoreError
from remission.numerics.arrays import Words

Engine = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[tuple[Any, Any]]]

__all__ = ["POLICIES", "RECORD", "Curation", "Engine", "Policy", "Wish", "curate", "local", "read_record"]


def local(workers: int = 1) -> Engine:
    """Supervised worker processes on this machine."""
    return lambda function, tasks: supervise(function, tasks, workers, GUARD)


def curate(
    census: str | Path, folder: str | Path, wish: Wish, engine: Engine | None = None, progress: Progress | None = None,
    looking: Progress | None = None,
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
        looking: told how far the loops of ``simulate`` are.

    Raises:
        SpecError: a column is asked for that no file has.
        StoreError: no finished census, one of which a part was changed since, or a folder that holds something else.
        DataError: a census of a sample, one that refuses to say, or an input file that was changed.
    """
    folder = Path(folder)
    check_free(folder)  # before hours of counting
    check_unchanged(Path(census))
    finding = reopen(census)
    if not finding.config.sampling.everything:
        raise DataError(
            "This census is of a sample: most documents have no score. Run it without --sample and --files to curate."
        )
    _all_there(finding)
    columns = _carried(finding, wish)
    archive = archived(finding.question)
    calibrated = Judge.load(finding.question.detector).calibrated
    counted = counting.count(finding, calibrated, archive)
    level = finding.question.wish.level if wish.level is None else wish.level
    rules, left = _ruled(counted, wish, level)
    told = counting.at_level(finding, level)
    left = as_counted(left, counted.shares if told is finding else counting.shares_of(told, calibrated))
    identity = _identity(finding, rules, wish, archive, columns)
    deciding = Deciding(rules, finding.kept.marking, wish.unjudged == "keep", identity, columns)
    with writing(folder):
        _open(folder, deciding, wish)
        check_sorted(folder)
        tell(folder, deciding, counted.source)
        done = _sort(finding, counted.source, deciding.id, folder, engine or local(), progress)
        forget(folder)
        found = replace(_found(told, folder, wish, rules, counted, left, done, level, looking), columns=columns)
        write_whole(folder / "curation.json", record(found, finding, deciding))
        write_card(folder, facts_of(found, finding))
    return found


def _all_there(finding: Finding) -> None:
    """Before anything is done: the files of a census that was given relative paths are looked for here. Raises DataError."""
    gone = next((path for path in finding.census.manifest.inputs if not Path(path).exists()), None)
    if gone is None:
        return
    why = " The census was given paths relative to the folder it was started in: start this there."
    raise DataError(f"'{gone}' of the census cannot be read: it is not there.{'' if Path(gone).is_absolute() else why}")


def _carried(finding: Finding, wish: Wish) -> tuple[Column, ...]:
    """The columns of the corpus that are asked for, with one type each. Raises SpecError: no file has one of them."""
    if wish.columns == "none":
        return ()
    census, fields = finding.census, finding.config.reading
    spans = [span for name in census.manifest.order for span in spans_in(part_path(Path(census.folder), name))]
    paths = dict.fromkeys(span.path for span in spans if span.kind not in ("lost", "picture"))
    return planned(wish.columns, list(paths), fields, taken(fields))


def _ruled(counted: Counted, wish: Wish, level: float) -> tuple[Rules, Residual]:
    """The rules of the policy, and what they leave."""
    if not counted.cells:
        return nothing_judged(wish.policy, level)
    rules = {
        "exclude": lambda: exclude(counted.cells, wish.fdr),
        "weigh": lambda: weigh(counted.cells),
        "cap": lambda: cap(counted.cells, wish.cap),
    }[wish.policy]()  # fmt: skip
    return rules, residual(counted.cells, rules, level)


def _identity(finding: Finding, rules: Rules, wish: Wish, archive: Words, columns: Sequence[Column]) -> str:
    marking = finding.kept.marking
    manifest = finding.census.manifest
    return hash_of(
        {
            "version": __version__, "census": seal(manifest), "rules": rules.table(), "unjudged": wish.unjudged,
            "archive": hashlib.sha256(archive.astype("<u8").tobytes()).hexdigest(), "mark": None if marking is None else str(marking.cut),
            "columns": [wish.table()["columns"], *(column.said() for column in columns)],
        }
    )  # fmt: skip


def _open(folder: Path, deciding: Deciding, wish: Wish) -> None:
    """Make the folder that of this curation, or see that it is. Raises StoreError."""
    path = folder / "asked.json"
    if not path.is_file():
        write_whole(path, json.dumps({"id": deciding.id, **wish.table()}, indent=1, sort_keys=True))
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["id"]
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"'{path}' is damaged. Choose another folder with -o.") from None
    if before != deciding.id:
        raise StoreError(
            f"'{folder}' holds another curation (policy, census, columns or version). Choose another with -o."
        )


def _sort(
    finding: Finding, source: Source, identity: str, folder: Path, engine: Engine, progress: Progress | None
) -> list[Sorted]:
    """Sort all parts; in the order of the corpus."""
    jobs, total = _jobs(finding, source, identity, folder)
    jobs = [replace(job, hashed=stamps) for job, stamps in zip(jobs, _hashed(jobs, engine), strict=True)]
    done: dict[int, Sorted] = {}
    gone = 0
    for job, outcome in engine(work, jobs):
        if isinstance(outcome, Lost):
            raise DataError(
                f"Part {job.number} of the census could not be sorted: {outcome.said}. Finished parts are kept; the same "
                "command goes on. Give workers more memory (--memory), use fewer, or carry fewer columns along (--columns)."
            )
        done[job.number] = outcome
        gone += outcome.kept + sum(outcome.dropped.values())
        if progress is not None:
            progress(float(gone), float(total))
    return [done[number] for number in sorted(done)]


def _jobs(finding: Finding, source: Source, identity: str, folder: Path) -> tuple[list[Job], int]:
    """A job for every part, and how many documents they have."""
    census = finding.census
    none = np.empty(0, np.uint64)  # what is long lies in a file, see tell: jobs are many
    source = replace(source, folder=Path(census.folder).resolve(), archive=none, declared=none)
    takes = Judge.load(finding.question.detector).takes
    jobs, first = [], 0
    for number, name in enumerate(census.manifest.order):
        one = replace(source, order=(name,))
        jobs.append(Job(number, name, first, one, finding.config, takes, identity, str(folder.resolve())))
        first += receipt_of(part_path(source.folder, name)).kept
    return jobs, first


def _hashed(jobs: Sequence[Job], engine: Engine) -> list[dict[str, tuple[int, int]]]:
    """For every job, files of several parts that are those of the census: hashed once here, and not by each of many workers.

    Raises DataError: one is another file.
    """
    spans = [() if job.path("kept").exists() else spans_in(part_path(job.source.folder, job.name)) for job in jobs]
    parts = Counter(path for every in spans for path in {span.path for span in every})
    files = {span.path: Hashing(span.path, span.sha256, span.stamp) for every in spans for span in every}
    for file, same in engine(work, [file for path, file in files.items() if parts[path] > 1]):
        if isinstance(same, Lost):
            raise DataError(
                f"'{file.path}' could not be hashed: {same.said}. The same command tries again; give it more time (--deadline)."
            )
        if not same:
            raise DataError(f"'{file.path}' was changed after the census. Run the census again, then curate.")
    return [{span.path: span.stamp for span in every if parts[span.path] > 1} for every in spans]


def _found(
    finding: Finding, folder: Path, wish: Wish, rules: Rules, counted: Counted, left: Residual, done: Sequence[Sorted],
    level: float, looking: Progress | None,
) -> Curation:  # fmt: skip
    receipt = finding.census.receipt
    reasons: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    for one in done:
        reasons.update(one.dropped)
        unread.update(one.unread)
    kept, dropped = sum(one.kept for one in done), sum(reasons.values())
    account = receipt.accounting()
    if kept + dropped != receipt.kept:
        raise DataError(
            f"{receipt.kept - kept - dropped} documents of the census are unaccounted for. Run the census again."
        )
    counts = {  # what was left out of the census on request is no document of it
        "in": account["in"] - account["dropped"], "kept": kept, "dropped": dropped, "quarantined": account["quarantined"],
    }  # fmt: skip
    weight, squares = sum(one.weight for one in done), sum(one.squares for one in done)
    mute = counted.unjudged.total()
    unjudged = mute if wish.unjudged == "keep" else 0
    before = finding.answer.whole.share
    if math.isnan(before.low):  # nothing was judged
        before = share_of(left.whole.before, counted.documents, finding.kept, False, level)
    after = share_of(left.whole.after, left.whole.weight, finding.kept, True, level)
    whole = (
        of_all(before, counted.documents, finding.kept, False, mute),
        of_all(after, left.whole.weight, finding.kept, True, unjudged),
    )
    warnings = counting.warnings(counted, kept, wish.unjudged == "keep", wish.policy, finding.kept.marking)
    scored = left.whole.kept + finding.kept.tallies[WHOLE].known[ARCHIVED] > 0
    apart = unjudged if scored else 0  # where nothing else is kept, the lab looks at documents that were not judged
    worth = (weight - apart) / (kept - apart) if kept else 0.0
    shares, more = ((before, after), whole if mute else None) if scored or not mute else (whole, None)
    seen, told = ahead(
        folder, *shares, worth, wish.generations, wish.temperature, wish.simulate, wish.seed, looking, more
    )
    return Curation(
        folder, wish, rules, counted, left, before, after, *whole, unjudged, counts, dict(reasons.most_common()), weight,
        weight**2 / squares if squares else 0.0, seen, told, (*warnings, *artefacts_told(Judge.load(finding.question.detector).calibrated), *_missed(unread)), account["dropped"],
        unread=dict(unread.most_common()),
    )  # fmt: skip


def _missed(unread: Counter[str]) -> tuple[str, ...]:
    """What is said of values that could not be had."""
    if not unread:
        return ()
    most = "; ".join(f"{name}, {count:,} times" for name, count in unread.most_common(3))
    more = f"; and {len(unread) - 3} more" if len(unread) > 3 else ""
    return (
        f"{unread.total():,} values of columns that are carried along could not be had and are null: {most}{more}.",
    )
