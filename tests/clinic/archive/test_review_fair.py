"""What would make reviews say more than they can: planted documents that come again, tasks that give themselves away, one person
under two names, the same items twice; and names of people where nothing takes them out again."""

from __future__ import annotations

import json
import math
from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from remission.clinic.archive import review
from remission.clinic.archive._drawn import Drawn
from remission.clinic.archive._profile import Seen, among, deviance, of_all
from remission.clinic.archive.adding import add
from remission.clinic.archive.certified import WIDER, Counts, human_shares
from remission.clinic.archive.changing import erase_items
from remission.clinic.archive.exporting import check_export, export
from remission.clinic.archive.queues import make_queue, read_answers
from remission.clinic.archive.record import about
from remission.clinic.archive.review import _Gathered, record_answers, review_status
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create, writing
from remission.errors import DataError
from remission.estimate import Estimate
from remission.gold.archive import Archive
from remission.gold.signing import load_signer, new_signer
from remission.gold.votes import certified_items, person, rule

HUMAN, RIGHT, WRONG, ITEMS, PLANTED = 0.8, 0.9, 0.2, 300, 20  # shares of items; of items certified; how many


def told(rng: np.random.Generator, queues: int, spread: float, known: bool) -> list[dict[str, Any]]:
    """Events of items reviewed once, and of the same 20 + 20 planted documents in every queue.

    Documents fool reviewers with a probability of their own: ``spread`` 1: always or never; 0: all alike. ``known``: the log tells
    which document is which.
    """
    events: list[dict[str, Any]] = [{"event": "ingest"}] * ITEMS
    strata = {"event": "queue", "by": "random", "strata": {"all": ITEMS}}
    events += [strata | {"queue": f"q{at}"} for at in range(queues)]
    certified = rng.random(ITEMS) < np.where(rng.random(ITEMS) < HUMAN, RIGHT, WRONG)
    for at, hit in enumerate(certified):
        said = {"event": "review", "queue": "q0", "item": str(at), "stratum": "all", "task": f"i{at}"}
        events += [said | {"verdict": "human" if hit else "machine", "reviewer": who} for who in ("ann", "bob")]
    for truth, rate in (("human", RIGHT), ("machine", WRONG)):
        fools = rng.random(PLANTED) < rate
        own = spread * fools + (1 - spread) * rate
        for queue in range(queues):
            for at, hit in enumerate(rng.random(PLANTED) < own):
                said = {"event": "control", "queue": f"q{queue}", "task": f"{truth}{queue}-{at}", "truth": truth}
                said |= {"document": f"{truth}{at}"} if known else {}
                events += [said | {"verdict": "human" if hit else "machine", "reviewer": who} for who in ("ann", "bob")]
    return events


def covered(queues: int, turns: int, spread: float = 1.0, known: bool = True, seed: int = 4) -> tuple[float, float]:
    """How often the intervals of the certified, and of all, hold the true share."""
    rng = np.random.default_rng(seed)
    found: list[Counts] = []

    def note(counts: Counts, level: float) -> tuple[Estimate, Estimate]:
        found.append(counts)
        return human_shares(Counts(0, 0, 0, 0, 0, 0), level)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(review, "human_shares", note)
        for _ in range(turns):
            gathered = gathered_of(told(rng, queues, spread, known))
            gathered.shares({item: rule(votes) for item, votes in gathered.votes.items()}, 0.95)
    seen = Seen(*(np.array(one, float) for one in zip(*(astuple(counts) for counts in found), strict=True)))
    certified = HUMAN * RIGHT / (HUMAN * RIGHT + (1 - HUMAN) * WRONG)
    most = WIDER * 3.841459  # of the deviance, at 95 %
    apart = deviance(seen, np.full(turns, certified), among), deviance(seen, np.full(turns, HUMAN), of_all)
    return float((apart[0] <= most).mean()), float((apart[1] <= most).mean())


def gathered_of(events: list[dict[str, Any]]) -> _Gathered:
    archive: Any = SimpleNamespace(log=SimpleNamespace(erased={}, entries=lambda: enumerate(events)))
    return _Gathered(archive)


@pytest.mark.parametrize("queues", [1, 3, 5])
def test_intervals_hold_where_the_same_documents_are_planted_again(queues: int) -> None:
    """400 experiments: within what chance allows of 94 %; the long test below asks for 93 % of 4000."""
    assert min(covered(queues, 400)) > 0.94 - 3 * math.sqrt(0.94 * 0.06 / 400)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("queues", [1, 3, 5])
def test_intervals_hold_whatever_documents_have_of_their_own(queues: int, spread: float) -> None:
    found = covered(queues, 4000, spread)
    print(queues, spread, found)
    assert min(found) >= 0.93


def test_documents_that_nothing_tells_apart_make_intervals_that_do_not_hold() -> None:
    assert max(covered(5, 200, known=False)) < 0.85


def test_a_document_counts_once_and_as_what_was_said_on_average() -> None:
    events = told(np.random.default_rng(0), 3, 0.5, True)
    gathered = gathered_of(events)
    _, _, planted, notes = gathered.shares({item: rule(votes) for item, votes in gathered.votes.items()}, 0.95)
    said = [one for one in events if one.get("truth") == "machine" and one["reviewer"] == "ann"]
    assert planted["machine_certified"]["n"] == PLANTED
    assert planted["machine_certified"]["value"] == pytest.approx(np.mean([one["verdict"] == "human" for one in said]))
    assert [row["machine_called_human"]["n"] for row in gathered.reviewers(0.95)] == [PLANTED, PLANTED]
    assert len(gathered.documents()) == 2 * PLANTED  # agreement, too, counts them once
    assert any("40 documents were planted in several queues" in note for note in notes)


# --- with an archive ----------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    create(tmp_path / "archive", "fair", new_signer(tmp_path / "key"))
    people = ["Jane Q. Doe", "John Roe"]
    rows = [
        {"id": f"item-{n}", "text": f"text {n}", "who": people[n % 2], "language": ["en", "fr"][n < 40]}
        for n in range(80)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    planted = [{"text": f"{label} plant {n}", "label": label} for n in range(20) for label in ("human", "ai")]
    (tmp_path / "planted.jsonl").write_text("".join(json.dumps(row) + "\n" for row in planted))
    item = {"collector": {"from": "who"}, "language": {"from": "language"}}
    described = about({"collection": {"title": "t", "issuer": "i", "method": "m", "licence": "MIT"}, "item": item})
    add(tmp_path / "archive", load_signer(tmp_path / "key"), [tmp_path / "a.jsonl"], described)
    return tmp_path


def said(place: Path, queue: str, *people: str) -> list[dict[str, Any]]:
    tasks = [json.loads(line)["task"] for line in (place / queue).read_text().splitlines()]
    return [{"task": task, "verdict": "human", "reviewer": who} for who in people for task in tasks]


def test_the_log_does_not_tell_which_tasks_are_planted(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    make_queue(folder, signer, place / "q", count=80, planted=[place / "planted.jsonl"])
    (event,) = [one for _, one in Archive(folder).log.entries() if one["event"] == "queue"]
    rng = np.random.Generator(np.random.PCG64(event["seed"]))
    rng.choice(event["of"], event["items"], replace=False)
    order = rng.permutation(event["items"] + event["planted"])
    guessed = {place for place, at in enumerate(order) if at >= event["items"]}
    tasks = json.loads((place / "q.key").read_text())["tasks"]
    planted = {at for at, one in enumerate(tasks) if "truth" in one}
    assert len(planted) == 40
    assert len(guessed & planted) < 30  # 13 by chance


def test_answers_are_recorded_when_all_reviewers_are_done(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    make_queue(folder, signer, place / "q", count=10, planted=[place / "planted.jsonl"])
    head = Archive(folder).head
    few = [*said(place, "q", "ann"), *said(place, "q", "bob")[1:]]
    for some in (said(place, "q", "ann"), few):
        with pytest.raises(DataError, match="--partial"):
            record_answers(folder, signer, place / "q.key", some)
        assert Archive(folder).head == head
    assert record_answers(folder, signer, place / "q.key", said(place, "q", "ann", "bob")).new == 100
    assert record_answers(folder, signer, place / "q.key", said(place, "q", "cai")[:3]).new == 3  # settles disputes
    make_queue(folder, signer, place / "q2", count=80, planted=[place / "planted.jsonl"])
    erase_items(folder, signer, ["item-3"], "on request", "us")
    task = next(
        one["task"] for one in json.loads((place / "q2.key").read_text())["tasks"] if one.get("item") == "item-3"
    )
    some = [one for one in said(place, "q2", "ann", "bob") if one["task"] != task]
    assert record_answers(folder, signer, place / "q2.key", some[:60], partial=True).new == 60
    assert record_answers(folder, signer, place / "q2.key", some).new == len(some) - 60
    assert verify(folder).ok


def test_documents_are_planted_once(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    (place / "more.jsonl").write_text(json.dumps({"text": "human  plant 3\n", "label": "ai"}) + "\n")
    with pytest.raises(DataError, match="planted 2 times"):
        make_queue(folder, signer, place / "q", planted=[place / "planted.jsonl", place / "more.jsonl"])
    assert not (place / "q").exists()
    for name in ("q", "q2"):
        make_queue(folder, signer, place / name, count=10, planted=[place / "planted.jsonl"])
        record_answers(folder, signer, place / f"{name}.key", said(place, name, "ann", "bob"))
    planted = review_status(Archive(folder)).planted
    assert (planted["human_certified"]["n"], planted["machine_certified"]["n"]) == (20, 20)


def test_another_queue_holds_other_items(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    made = [make_queue(folder, signer, place / f"q{n}", count=40) for n in range(3)]
    chosen = [{one["item"] for one in json.loads((place / f"q{n}.key").read_text())["tasks"]} for n in range(3)]
    assert chosen[0] != chosen[1] != chosen[2]
    assert [one.same_as for one in made] == ["", "", ""]
    record_answers(folder, signer, place / "q0.key", said(place, "q0", "ann", "bob"))
    again = make_queue(folder, signer, place / "again", count=40, seed=made[0].seed)
    assert (again.same_as, again.reviewed) == (made[0].name, 40)
    assert make_queue(folder, signer, place / "fewer", count=20, seed=made[0].seed).same_as == ""
    erase_items(folder, signer, ["item-3"], "on request", "us")
    assert make_queue(folder, signer, place / "later", count=40, seed=made[0].seed).same_as == ""


@pytest.mark.parametrize("name", ["Ann", "ann\u200b", "\uff41nn", "a\ufe0fnn", " ann\u2060", "\u3164ann"])
def test_one_person_under_two_names_certifies_nothing(place: Path, name: str) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    make_queue(folder, signer, place / "q", count=5)
    with pytest.raises(DataError, match="another spelling of 'ann'"):
        record_answers(folder, signer, place / "q.key", said(place, "q", "ann", name))
    record_answers(folder, signer, place / "q.key", said(place, "q", "ann"), partial=True)
    with pytest.raises(DataError, match="another spelling of 'ann'"):
        record_answers(folder, signer, place / "q.key", said(place, "q", name))
    with writing(folder, signer) as writer:  # as older versions recorded it
        for _, entry in list(writer.log.entries()):
            if entry["event"] == "review":
                writer.event(entry | {"reviewer": name})
        writer.commit()
    assert certified_items(Archive(folder)) == []
    export(Archive(folder), place / "out")
    assert check_export(place / "out") == 80  # no row says certified, and its proofs do not say so either
    status = review_status(Archive(folder))
    assert (status.items["waiting"], [one["reviewer"] for one in status.reviewers]) == (5, ["ann"])
    record_answers(folder, signer, place / "q.key", said(place, "q", "bob"))
    assert len(certified_items(Archive(folder))) == 5


def test_names_of_people() -> None:
    assert person("Stra\u00dfe  x") == person("STRASSE x")
    assert person("Ann") != person("Anna")
    assert person("Jos\u00e9") == person("Jose\u0301") != person("Jose")


def test_a_name_that_nobody_can_see_is_none(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    make_queue(folder, signer, place / "q", count=5)
    with pytest.raises(DataError, match="names no reviewer"):
        record_answers(folder, signer, place / "q.key", said(place, "q", "\u200b"), partial=True)


def test_strata_named_by_people_are_erased_with_the_items(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    made = make_queue(folder, signer, place / "q", by="stratum", stratum="collector", count=80)
    assert made.strata == {"Jane Q. Doe": (40, 40), "John Roe": (40, 40)}
    record_answers(folder, signer, place / "q.key", said(place, "q", "ann", "bob"))
    held = [file for file in folder.rglob("*") if file.is_file() and b"Jane Q. Doe" in file.read_bytes()]
    assert [file.parent.name for file in held] == ["records"], "it is in the records, or nothing is tested"
    erase_items(folder, signer, [f"item-{n}" for n in range(0, 80, 2)], "on request", "us")
    assert not [file for file in folder.rglob("*") if file.is_file() and b"Jane Q. Doe" in file.read_bytes()]
    names = json.loads((place / "q.key").read_text())["names"]
    assert names == {"1": "Jane Q. Doe", "2": "John Roe"}


def test_numbers_of_strata_of_two_fields_are_not_taken_for_the_same(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    for field in ("collector", "language"):
        make_queue(folder, signer, place / field, by="stratum", stratum=field, count=20)
        record_answers(folder, signer, place / f"{field}.key", said(place, field, "ann", "bob"))
    status = review_status(Archive(folder))
    assert status.among_certified.n == 20
    assert any("1 reviewed queues are left out" in note for note in status.notes)
    one, other = (Drawn("", "stratum", {"1": 5}, (5, 0), named_by=field) for field in ("collector", "language"))
    assert one.goes_with(one)
    assert not one.goes_with(other)


def test_files_of_answers_by_one_person(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    make_queue(folder, signer, place / "q", count=5)
    tasks = [one["task"] for one in said(place, "q", "x")]
    (place / "a.csv").write_text(
        "task,verdict,reviewer\n" + "".join(f"{task},human,{who}\n" for task in tasks for who in ("Bo", "bo"))
    )
    with pytest.raises(DataError, match="another spelling of 'Bo'"):
        record_answers(folder, signer, place / "q.key", read_answers(place / "a.csv", ""))
