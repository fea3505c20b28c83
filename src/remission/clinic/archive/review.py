"""What reviewers said: recorded in the log, and what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.archive._drawn import Drawn, newest, weighted
from remission.clinic.archive.agreement import cohens_kappa, krippendorffs_alpha
from remission.clinic.archive.certified import Counts, human_shares
from remission.clinic.archive.queues import VERDICTS, read_key
from remission.clinic.archive.writing import writing
from remission.errors import DataError
from remission.estimate import Estimate
from remission.gold.archive import Archive, now
from remission.gold.log import Log
from remission.gold.signing import Signer
from remission.gold.votes import person, rule
from remission.numerics.proportions import clopper_pearson


@dataclass(frozen=True)
class Recorded:
    """How many answers were new, known already, and about planted items."""

    new: int
    known: int
    planted: int


def record_answers(
    folder: Path, signer: Signer, key_file: Path, answers: Sequence[dict[str, Any]], wait: float = 60.0, *,
    partial: bool = False,
) -> Recorded:  # fmt: skip
    """Write answers of reviewers into the log: all of them or none.

    What is recorded tells which tasks are planted and what others said, so reviewers must be done by then.

    Args:
        folder: of the archive.
        signer: its key.
        key_file: of the queue.
        answers: as :func:`remission.clinic.archive.queues.read_answers` reads them.
        wait: seconds to wait for other writers.
        partial: record them although some tasks have no two verdicts yet. Reviewers who go on must not see the archive.

    Raises:
        DataError: a task that the queue does not have, a second and different verdict of a reviewer, another spelling of a reviewer
            whom the log knows, a key file that is not the one the log speaks of, an item that was erased meanwhile, or tasks without
            two verdicts.
    """
    key, commitment = read_key(key_file)
    tasks = {one["task"]: one for one in key["tasks"]}
    with writing(folder, signer, wait) as writer:
        said, spelled = _so_far(writer.log)
        if (key["queue"], commitment) not in _committed(writer.log):
            raise DataError(f"'{key_file}' is not the key that was committed to in this archive. Was it changed?")
        new = known = planted = 0
        for answer in answers:
            task = tasks.get(answer["task"])
            if task is None:
                raise DataError(f"The queue has no task '{answer['task'][:60]}'.")
            name = _spelled(answer["reviewer"], spelled)
            place = answer["task"], person(name)
            if said.get(place, answer["verdict"]) != answer["verdict"]:
                raise DataError(f"{name} said '{said[place]}' of {place[0]}, and now '{answer['verdict']}'.")
            if place in said:
                known += 1
                continue
            said[place] = answer["verdict"]
            new += 1
            event = {"queue": key["queue"], "by": key["by"], "time": now()} | answer
            if "truth" in task:
                planted += 1
                facts = {name: task[name] for name in ("truth", "document") if name in task}
                writer.event({"event": "control"} | facts | event)
            else:
                if task["item"] in writer.log.erased:
                    raise DataError(
                        f"'{task['item']}' was erased after the queue was made; leave {answer['task']} out."
                    )
                writer.event({"event": "review", "item": task["item"], "stratum": task["stratum"]} | event)
        if new and not partial:
            _complete([name for name, one in tasks.items() if one.get("item") not in writer.log.erased], said)
        writer.commit()
    return Recorded(new, known, planted)


def _committed(log: Log) -> set[tuple[str, str]]:
    return {(entry["queue"], entry["commitment"]) for _, entry in log.entries() if entry["event"] == "queue"}


def _so_far(log: Log) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Verdicts by task and person, and how each person is spelled."""
    said: dict[tuple[str, str], str] = {}
    spelled: dict[str, str] = {}
    for _, entry in log.entries():
        if entry["event"] in ("review", "control"):
            who = person(entry["reviewer"])
            said[entry["task"], who] = entry["verdict"]
            spelled.setdefault(who, entry["reviewer"])
    return said, spelled


def _spelled(name: str, spelled: dict[str, str]) -> str:
    """The name, noted. Raises DataError where it is another spelling of one that is known: two must be two people."""
    who = person(name)
    if not who:
        raise DataError(f"{name!r} names no reviewer: nobody can see it.")
    known = spelled.setdefault(who, name)
    if known != name:
        raise DataError(
            f"{name!r} is another spelling of {known!r}, who reviewed already. Write it in the same way, or, if these are two people, "
            "give one of them another name."
        )
    return name


def _complete(tasks: Sequence[str], said: Mapping[tuple[str, str], str]) -> None:
    often = Counter(task for task, _ in said)
    open_ = sum(often[task] < 2 for task in tasks)
    if open_:
        raise DataError(
            f"{open_} of {len(tasks)} tasks would have fewer than two verdicts. What is recorded shows in the log which tasks are "
            "planted and what others said, so nothing was. Give the answers of all reviewers at once; or, where those who go on cannot "
            "see the archive, record what there is with --partial."
        )


@dataclass(frozen=True)
class ReviewStatus:
    """What reviews add up to.

    Attributes:
        items: how many of the archive are certified (two reviewers at least say human, and more than say machine), rejected (the
            same for machine), disputed (two at least, and neither), and waiting for a second reviewer.
        certified: ids of the certified ones.
        alpha: Krippendorff's alpha over all items and planted ones with two verdicts.
        kappa: (reviewer, reviewer, Cohen's kappa) of each pair with items in common.
        reviewers: of each: verdicts, seconds, and how often they were wrong about planted items, with exact intervals.
        planted: the same of the two-reviewer rule as a whole. A document that was planted in several queues counts once, with the
            mean of what was said.
        among_certified: the human share of the certified items; ``of_all``: of those the newest random queue was
            drawn from; older queues count as well when nothing came in since.
        seconds: spent in all, where they were given; ``cost_per_item``: per certified item of the archive.
        notes: what a reader of the numbers must know.
    """

    items: dict[str, int]
    certified: tuple[str, ...]
    alpha: Estimate
    kappa: tuple[tuple[str, str, Estimate], ...]
    reviewers: tuple[dict[str, Any], ...]
    planted: dict[str, Any]
    among_certified: Estimate
    of_all: Estimate
    seconds: float
    cost_per_item: float | None
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "items": self.items,
            "alpha": self.alpha.table(),
            "kappa": [{"reviewers": [one, other]} | found.table() for one, other, found in self.kappa],
            "reviewers": list(self.reviewers),
            "planted": self.planted,
            "human_share_of_certified": self.among_certified.table(),
            "human_share": self.of_all.table(),
            "seconds": self.seconds,
            "cost_per_item": self.cost_per_item,
            "certified": list(self.certified),
            "notes": list(self.notes),
        }


def review_status(archive: Archive, level: float = 0.95, per_hour: float = 0.0, seed: int = 0) -> ReviewStatus:
    """What all reviews so far add up to.

    Args:
        archive: it.
        level: of every interval.
        per_hour: price of an hour of a reviewer.
        seed: of the bootstrap.
    """
    gathered = _Gathered(archive)
    verdicts = {item: rule(votes) for item, votes in gathered.votes.items()}
    certified = tuple(sorted(item for item, verdict in verdicts.items() if verdict == "certified"))
    counted = Counter(verdicts.values())
    items = {name: counted.get(name, 0) for name in ("certified", "rejected", "disputed", "waiting")}
    items["not_reviewed"] = len(archive) - len(verdicts)
    tables = [*gathered.votes.values(), *gathered.documents().values()]
    counts = np.array([[list(votes.values()).count(word) for word in VERDICTS] for votes in tables], np.int64).reshape(
        -1, 3
    )
    among, of_all, planted, notes = gathered.shares(verdicts, level)
    seconds = sum(one["seconds"] for one in gathered.people.values())
    cost = seconds / 3600 * per_hour / len(certified) if certified and per_hour and seconds else None
    return ReviewStatus(
        items, certified, krippendorffs_alpha(counts, level, seed), _pairs(tables, level, seed), gathered.reviewers(level), planted,
        among, of_all, seconds, cost, tuple(notes),
    )  # fmt: skip


def _pairs(tables: Sequence[dict[str, str]], level: float, seed: int) -> tuple[tuple[str, str, Estimate], ...]:
    people = sorted({who for votes in tables for who in votes})
    found = []
    for place, one in enumerate(people):
        for other in people[place + 1 :]:
            both = [(votes[one], votes[other]) for votes in tables if one in votes and other in votes]
            if both:
                kappa = cohens_kappa([a for a, _ in both], [b for _, b in both], level, seed)
                found.append((one, other, kappa))
    return tuple(found)


class _Gathered:
    """Verdicts from the log."""

    def __init__(self, archive: Archive) -> None:
        self.votes: dict[str, dict[str, str]] = {}  # item -> reviewer -> verdict
        self.planted: dict[str, dict[str, str]] = {}  # task -> reviewer -> verdict
        self.truth: dict[str, str] = {}
        self.document: dict[str, str] = {}  # task -> what was planted
        self.names: dict[str, str] = {}  # person -> how the log spells it first
        self.queues: set[str] = set()  # whose planted documents the log does not tell apart
        self.people: dict[str, dict[str, Any]] = {}
        self.drawn: dict[str, Drawn] = {}  # queues that estimate something, in their order
        ingested = moved = amended = 0
        gone = archive.log.erased
        for _, entry in archive.log.entries():
            event = entry["event"]
            if event == "ingest":
                ingested += 1
            elif event == "amend":
                moved, amended = moved + ("modality" in entry["changes"]), amended + 1
            elif event == "queue" and entry["by"] != "disagreement":
                state = (ingested, amended if entry["by"] == "stratum" else moved)
                self.drawn[entry["queue"]] = Drawn(
                    entry.get("modality", ""), entry["by"], dict(entry.get("strata", {})), state,
                    named_by=entry.get("field", ""),
                )  # fmt: skip
            elif event in ("review", "control") and entry.get("item") not in gone:
                self._take(entry)
        self.ingested = ingested

    def _take(self, entry: dict[str, Any]) -> None:
        who = self.names.setdefault(person(entry["reviewer"]), entry["reviewer"])
        one = self.people.setdefault(who, {"verdicts": 0, "seconds": 0.0, "human": {}, "machine": {}})
        one["verdicts"] += 1
        one["seconds"] += entry.get("seconds", 0.0)
        if entry["event"] == "control":
            self.planted.setdefault(entry["task"], {})[who] = entry["verdict"]
            self.truth[entry["task"]] = entry["truth"]
            wrong = {"human": "machine", "machine": "human"}[entry["truth"]]
            if "document" not in entry:
                self.queues.add(entry["queue"])
            document = self.document[entry["task"]] = entry.get("document", entry["task"])
            one[entry["truth"]].setdefault(document, []).append(entry["verdict"] == wrong)
            return
        self.votes.setdefault(entry["item"], {})[who] = entry["verdict"]
        if entry["queue"] in self.drawn:
            self.drawn[entry["queue"]].said.setdefault((entry["item"], entry["stratum"]), set()).add(who)

    def reviewers(self, level: float) -> tuple[dict[str, Any], ...]:
        rows = []
        for who, one in sorted(self.people.items()):
            row = {"reviewer": who, "verdicts": one["verdicts"], "seconds": one["seconds"]}
            for truth, name in (("machine", "machine_called_human"), ("human", "human_called_machine")):
                row[name] = _proportion(*_once(one[truth]), level).table()
            rows.append(row)
        return tuple(rows)

    def documents(self) -> dict[str, dict[str, str]]:
        """Planted document -> reviewer -> verdict, the newest where there are several, as it is with items."""
        found: dict[str, dict[str, str]] = {}
        for task, votes in self.planted.items():
            found.setdefault(self.document[task], {}).update(votes)
        return found

    def _planted_again(self, sides: Mapping[str, Mapping[str, Sequence[bool]]]) -> list[str]:
        again = sum(len(said) > 1 for one in sides.values() for said in one.values())
        notes = (
            [f"{again} documents were planted in several queues; each counts once. Others would tell more."]
            if again
            else []
        )
        if len(self.queues) > 1:
            notes.append(
                f"Of {len(self.queues)} queues the log does not tell which documents were planted (they were made by an older version): "
                "if they were the same, the intervals are too narrow."
            )
        return notes

    def shares(self, verdicts: dict[str, str], level: float) -> tuple[Estimate, Estimate, dict[str, Any], list[str]]:
        """Human shares, how the rule did with planted items, and notes."""
        notes: list[str] = []
        judged = {task: rule(votes) for task, votes in self.planted.items() if len(votes) >= 2}
        sides: dict[str, dict[str, list[bool]]] = {"human": {}, "machine": {}}
        for task, verdict in judged.items():
            sides[self.truth[task]].setdefault(self.document[task], []).append(verdict == "certified")
        notes += self._planted_again(sides)
        sampled, told = newest(list(self.drawn.values()), self.ingested)
        notes += told
        done = sorted(one for one, who in sampled.said.items() if len(who) >= 2)
        waiting = len(sampled.said) - len(done)
        if waiting:
            notes.append(
                f"{waiting} items of random queues wait for a second reviewer; the shares are of those that do not."
            )
        if not done:
            notes.append("No item of a random or stratified queue has two verdicts: no share can be estimated.")
        if not sides["machine"] or not sides["human"]:
            notes.append(
                "How often reviewers are wrong is not known: plant items of known truth, human and machine-written, with --plant."
            )
        hits = [verdicts[item] == "certified" for item, _ in done]
        certified, reviewed = weighted([stratum for _, stratum in done], hits, sampled.sizes)
        counts = Counts(certified, reviewed, *_once(sides["machine"]), *_once(sides["human"]))
        planted = {
            "machine_certified": _proportion(counts.machine_certified, counts.machine, level).table(),
            "human_certified": _proportion(counts.human_certified, counts.human, level).table(),
        }
        return *human_shares(counts, level), planted, notes


def _once(said: Mapping[str, Sequence[bool]]) -> tuple[float, int]:
    """How many documents, and how many of them hit: each as often as the mean of what was said, so that its queues count as one."""
    return sum(sum(one) / len(one) for one in said.values()), len(said)


def _proportion(hits: float, n: int, level: float) -> Estimate:
    low, high = clopper_pearson(hits, n, level)
    return Estimate(hits / n if n else float("nan"), low, high, level, "Clopper-Pearson", n)
