"""Review: who looks at what, how far they agree, how often they are wrong, and what share is human after all."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission.clinic.archive._drawn import Drawn, newest, weighted
from remission.clinic.archive.adding import add
from remission.clinic.archive.agreement import cohens_kappa, krippendorffs_alpha
from remission.clinic.archive.changing import add_evidence, erase_items
from remission.clinic.archive.queues import VERDICTS, make_queue, read_answers
from remission.clinic.archive.record import about
from remission.clinic.archive.review import record_answers, review_status
from remission.clinic.archive.verifying import verify
from remission.clinic.archive.writing import create
from remission.errors import DataError, SpecError, StoreError
from remission.gold.archive import Archive
from remission.gold.signing import load_signer, new_signer
from remission.gold.votes import certified_items
from remission.numerics.proportions import clopper_pearson

# --- agreement ----------------------------------------------------------------------------------------------------

# Krippendorff (2011): four observers with gaps, nominal alpha 0.743; two observers and two words, 0.095.
FOUR = ["12332141 2...", "12332241 25.3", ".3332342 251.", "12332441 251."]
TWO = ["0100000010", "1110010000"]


def counted(rows: list[str]) -> Any:
    cleaned = [row.replace(" ", "") for row in rows]
    words = sorted({letter for row in cleaned for letter in row if letter != "."})
    return np.array([[sum(row[i] == word for row in cleaned) for word in words] for i in range(len(cleaned[0]))])


def test_alpha_of_the_published_examples() -> None:
    assert krippendorffs_alpha(counted(FOUR)).value == pytest.approx(0.743, abs=5e-4)
    assert krippendorffs_alpha(counted(TWO)).value == pytest.approx(0.095, abs=5e-4)
    assert krippendorffs_alpha(counted(["1111", "1121"])).value != pytest.approx(0.743, abs=0.1)


def test_kappa_equals_the_well_known_one() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = random.Random(1)
    for n in (2, 5, 40, 300):
        one = [rng.choice(VERDICTS) for _ in range(n)]
        other = [word if rng.random() < 0.6 else rng.choice(VERDICTS) for word in one]
        found = cohens_kappa(one, other)
        assert found.value == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
        assert found.low <= found.value <= found.high


def test_agreement_at_its_edges() -> None:
    assert np.isnan(cohens_kappa([], []).value)
    assert np.isnan(cohens_kappa(["a", "a"], ["a", "a"]).value)
    assert np.isnan(krippendorffs_alpha(np.zeros((0, 3), int)).value)
    assert np.isnan(krippendorffs_alpha(np.array([[2, 0], [3, 0]])).value)
    assert krippendorffs_alpha(np.array([[2, 0], [0, 2]])).value == 1
    assert np.isnan(krippendorffs_alpha(np.array([[1, 1]])).low)
    with pytest.raises(ValueError, match="the same items"):
        cohens_kappa(["a"], [])


def covered(level: float, turns: int, n: int, seed: int) -> float:
    """How often the interval of alpha holds the alpha of the whole population."""
    rng = np.random.default_rng(seed)

    def draw(size: int) -> Any:
        truth = rng.random(size) < 0.3
        votes = [np.where(rng.random(size) < 0.85, truth, ~truth) for _ in range(2)]
        yes = votes[0].astype(int) + votes[1]
        return np.stack([yes, 2 - yes], 1)

    true = krippendorffs_alpha(draw(400_000)).value
    hits = 0
    for turn in range(turns):
        found = krippendorffs_alpha(draw(n), level, turn)
        hits += found.low <= true <= found.high
    return hits / turns


def test_the_interval_of_alpha_covers() -> None:
    assert covered(0.95, 200, 150, 0) > 0.90
    assert covered(0.5, 200, 150, 0) < 0.65  # and it can miss


@pytest.mark.parametrize("n", [10, 20, 40])
def test_the_intervals_cover_where_hardly_anybody_disagrees(n: int) -> None:
    """Two words, as often, and 1 verdict in 20 that differs: kappa and alpha are 0.9."""
    rng = np.random.default_rng(n)
    seen: dict[Any, Any] = {}
    hits = np.zeros(2)
    for _ in range(500):
        one = rng.integers(0, 2, n)
        other = np.where(rng.random(n) < 0.05, 1 - one, one)
        cells = tuple(np.bincount(one * 2 + other, minlength=4).tolist())
        if cells not in seen:  # an interval follows from these four numbers
            kappa = cohens_kappa([str(word) for word in one], [str(word) for word in other])
            alpha = krippendorffs_alpha(np.stack([one + other, 2 - one - other], 1))
            assert kappa.low < kappa.high
            assert kappa.low <= kappa.value <= kappa.high
            seen[cells] = [found.low <= 0.9 <= found.high for found in (kappa, alpha)]
        hits += seen[cells]
    assert (hits / 500 >= 0.92).all(), hits / 500


# --- the workflow -------------------------------------------------------------------------------------------------

MACHINE = 10  # of the items in the archive are machine-written


@pytest.fixture
def place(tmp_path: Path) -> Path:
    create(tmp_path / "archive", "review", new_signer(tmp_path / "key"))
    rows = [
        {
            "id": f"item-{n}",
            "text": f"{'machine' if n < MACHINE else 'human'} text {n}",
            "language": "en" if n < 70 else "fr",
        }
        for n in range(80)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    planted = [
        {"text": f"{label} plant {n}", "label": {"human": "human", "machine": "ai"}[label]}
        for n in range(20)
        for label in ("human", "machine")
    ]
    (tmp_path / "planted.jsonl").write_text("".join(json.dumps(row) + "\n" for row in planted))
    told = about({
        "collection": {"title": "t", "issuer": "i", "method": "m", "licence": "MIT"}, "item": {"language": {"from": "language"}},
    })  # fmt: skip
    add(tmp_path / "archive", load_signer(tmp_path / "key"), [tmp_path / "a.jsonl"], told)
    return tmp_path


def answers(place: Path, queue: str, reviewer: str, right: float, seed: int) -> list[dict[str, Any]]:
    """A reviewer who is right that often."""
    rng = random.Random(seed)
    rows = []
    for line in (place / queue).read_text().splitlines():
        task = json.loads(line)
        truth = task["text"].split()[0]
        wrong = {"human": "machine", "machine": "human"}[truth]
        verdict = truth if rng.random() < right else wrong
        rows.append({"task": task["task"], "verdict": verdict, "reviewer": reviewer, "seconds": 30})
    path = place / f"{queue}-{reviewer}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_answers(path, "")


def test_from_queue_to_share(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    made = make_queue(folder, signer, place / "q", count=80, planted=[place / "planted.jsonl"], seed=1)
    assert (made.tasks, made.planted, made.strata) == (120, 40, {"all": (80, 80)})
    shown = [json.loads(line) for line in (place / "q").read_text().splitlines()]
    assert all(set(one) == {"task", "text"} for one in shown)  # nothing tells planted ones, or ids
    assert (place / "q.key").stat().st_mode & 0o077 == 0
    status = review_status(Archive(folder))
    assert status.items == {"certified": 0, "rejected": 0, "disputed": 0, "waiting": 0, "not_reviewed": 80}
    assert any("no share can be estimated" in note.lower() for note in status.notes)

    for number, who in enumerate(("ann", "bob")):
        said = answers(place, "q", who, 0.95, number)
        found = record_answers(folder, signer, place / "q.key", said, partial=True)
        assert (found.new, found.known, found.planted) == (120, 0, 40)
        assert record_answers(folder, signer, place / "q.key", said, partial=True).known == 120
        if number == 0:
            assert review_status(Archive(folder)).items["waiting"] == 80
            assert certified_items(Archive(folder)) == []
    status = review_status(Archive(folder), per_hour=60.0)
    assert status.items["not_reviewed"] == status.items["waiting"] == 0
    assert status.items["certified"] + status.items["rejected"] + status.items["disputed"] == 80
    assert 50 <= status.items["certified"] <= 72
    assert status.alpha.n == 120
    assert 0.5 < status.alpha.value < 1
    assert [(one, other) for one, other, _ in status.kappa] == [("ann", "bob")]
    assert status.seconds == 240 * 30
    assert status.cost_per_item == pytest.approx(120 / status.items["certified"])
    assert status.of_all.low <= 1 - MACHINE / 80 <= status.of_all.high
    true = sum(not int(item[5:]) < MACHINE for item in status.certified) / len(status.certified)
    assert status.among_certified.low <= true <= status.among_certified.high
    for row in status.reviewers:
        assert row["machine_called_human"]["low"] <= 0.05 <= row["machine_called_human"]["high"]
    assert certified_items(Archive(folder)) == list(status.certified)
    assert json.dumps(status.document())
    assert verify(folder).ok

    # a third reviewer settles disputes, and what is erased counts no longer
    record_answers(folder, signer, place / "q.key", answers(place, "q", "cai", 1.0, 9), partial=True)
    settled = review_status(Archive(folder))
    assert settled.items["disputed"] == 0
    erase_items(folder, signer, [settled.certified[0]], "on request", "us")
    assert certified_items(Archive(folder)) == list(settled.certified[1:])


def test_reviewers_who_guess_certify_little(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    make_queue(folder, signer, place / "q", count=80, planted=[place / "planted.jsonl"], seed=1)
    for number, who in enumerate(("ann", "bob")):
        record_answers(folder, signer, place / "q.key", answers(place, "q", who, 0.5, number), partial=True)
    status = review_status(Archive(folder))
    assert status.alpha.low < 0 < status.alpha.high
    assert status.among_certified.low < 0.5


def test_strata_are_weighted_by_their_size(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    made = make_queue(
        folder, signer, place / "q", by="stratum", count=20, stratum="language", planted=[place / "planted.jsonl"]
    )
    assert made.strata == {"fr": (10, 10), "en": (10, 70)}
    for number, who in enumerate(("ann", "bob")):
        record_answers(folder, signer, place / "q.key", answers(place, "q", who, 1.0, number), partial=True)
    status = review_status(Archive(folder))
    english = sum(int(item[5:]) < 70 for item in status.certified)
    weighted = (70 * english / 10 + 10) / 80
    assert status.of_all.value == pytest.approx(weighted)
    with pytest.raises(DataError, match="No record has a field"):
        make_queue(folder, signer, place / "q2", by="stratum", stratum="colour")
    with pytest.raises(DataError, match="fewer than the 2 strata"):
        make_queue(folder, signer, place / "q2", by="stratum", count=1)
    assert not (place / "q2").exists()


def grown(place: Path, **texts: int) -> None:
    rows = [
        {"id": f"{kind}-{n}", "text": f"{kind} text, a late one {n}"}
        for kind, count in texts.items()
        for n in range(count)
    ]
    (place / "late.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = about({"collection": {"title": "t", "issuer": "i", "method": "m", "licence": "MIT"}})
    add(place / "archive", load_signer(place / "key"), [place / "late.jsonl"], told)


def reviewed(place: Path, name: str, people: tuple[str, ...] = ("ann", "bob"), **how: Any) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    make_queue(folder, signer, place / name, planted=[place / "planted.jsonl"], **how)
    for who in people:
        record_answers(folder, signer, place / f"{name}.key", answers(place, name, who, 1.0, 0), partial=True)


def test_queues_of_different_populations_are_not_mixed(place: Path) -> None:
    """70 of 80 are human; then 400 machine-written ones come in: 0.146 are."""
    reviewed(place, "q1", count=60, seed=1)
    assert review_status(Archive(place / "archive")).notes == ()
    grown(place, machine=400)
    status = review_status(Archive(place / "archive"))
    assert status.of_all.low <= 70 / 80 <= status.of_all.high
    assert any("400 items came in since" in note for note in status.notes)
    reviewed(place, "q2", count=60, seed=2, people=("ann",))  # who was reviewed before is not done first
    assert review_status(Archive(place / "archive")).of_all == status.of_all
    record_answers(
        place / "archive",
        load_signer(place / "key"),
        place / "q2.key",
        answers(place, "q2", "bob", 1.0, 0),
        partial=True,
    )
    status = review_status(Archive(place / "archive"))
    assert status.of_all.low <= 70 / 480 <= status.of_all.high < 0.5
    assert any("480 items" in note for note in status.notes)
    assert any("1 reviewed queues are left out" in note for note in status.notes)
    before = status.among_certified.n
    reviewed(place, "q3", count=60, seed=3)  # of the same items: both count
    status = review_status(Archive(place / "archive"))
    assert before == 60 < status.among_certified.n <= 120
    assert status.of_all.low <= 70 / 480 <= status.of_all.high


def test_the_newest_queue_of_a_growing_archive_holds_the_truth() -> None:
    """Of 100 human items with a queue of 100 that grow by 4,900 machine-written ones with another of 100, 2 % are human."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        queues = []
        for size in (100, 5000):
            chosen = rng.choice(size, 100, replace=False)
            said = {(str(item), "all"): {"ann", "bob"} for item in chosen}
            queues.append(Drawn("", "random", {"all": size}, (size, 0), said))
        sampled, notes = newest(queues, 5000)
        assert sampled.sizes == {("", "all"): 5000}
        assert len(notes) == 2
        strata = [stratum for _, stratum in sampled.said]
        certified, n = weighted(strata, [int(item) < 100 for item, _ in sampled.said], sampled.sizes)
        low, high = clopper_pearson(certified, n)
        hits += low <= 0.02 <= high
    assert hits / 200 > 0.92


def test_modalities_weigh_what_they_hold() -> None:
    def drawn(modality: str, of: int) -> Drawn:
        said = {(f"{modality}{n}", "all"): {"ann", "bob"} for n in range(10)}
        return Drawn(modality, "random", {"all": of}, (100, 0), said)

    queues = [drawn("", 100), drawn("text", 90), drawn("image", 10)]
    sampled, notes = newest(queues, 100)
    strata = [stratum for _, stratum in sampled.said]
    certified, n = weighted(strata, [item.startswith("text") for item, _ in sampled.said], sampled.sizes)
    assert certified / n == pytest.approx(0.9)
    assert "image, text" in notes[0]
    assert newest(queues[::-1], 100)[0].sizes == {("", "all"): 100}


def test_disagreement_comes_first(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    with pytest.raises(DataError, match="No two detectors"):
        make_queue(folder, signer, place / "q", by="disagreement")
    one = [(f"item-{n}", {"kind": "detector", "name": "one", "version": "1", "score": 0.1}) for n in range(20)]
    two = [(f"item-{n}", {"kind": "detector", "name": "two", "version": "1", "score": 0.1 + n / 40}) for n in range(20)]
    add_evidence(folder, signer, one + two, "us")
    make_queue(folder, signer, place / "q", by="disagreement", count=3)
    key = json.loads((place / "q.key").read_text())
    assert {task["item"] for task in key["tasks"]} == {"item-19", "item-18", "item-17"}
    for who in ("ann", "bob"):
        record_answers(folder, signer, place / "q.key", answers(place, "q", who, 1.0, 1), partial=True)
    status = review_status(Archive(folder))
    assert status.items["certified"] == 3
    assert (status.of_all.low, status.of_all.high) == (0, 1)  # chosen, not drawn: they say nothing of the rest


def test_the_same_seed_chooses_the_same(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    chosen = []
    for number, seed in enumerate((1, 1, 2)):
        make_queue(folder, signer, place / f"q{number}", count=10, seed=seed)
        key = json.loads((place / f"q{number}.key").read_text())
        chosen.append({task["item"] for task in key["tasks"]})
    assert chosen[0] == chosen[1] != chosen[2]


def test_answers_are_checked_and_nothing_half_written(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key")
    make_queue(folder, signer, place / "q", count=5)
    said = answers(place, "q", "ann", 1.0, 0)
    record_answers(folder, signer, place / "q.key", said[:1], partial=True)
    head = Archive(folder).head
    other = {"human": "machine", "machine": "human"}[said[0]["verdict"]]
    for bad, message in (
        ([*said, {"task": "nothing", "reviewer": "ann", "verdict": "human"}], "no task"),
        ([*said[1:], said[0] | {"verdict": other}], "and now"),
        ([*said[1:], said[1] | {"verdict": "unsure"}], "and now"),
    ):
        with pytest.raises(DataError, match=message):
            record_answers(folder, signer, place / "q.key", bad, partial=True)
        assert Archive(folder).head == head
    key = json.loads((place / "q.key").read_text())
    (place / "q.key").write_text(json.dumps(key | {"tasks": key["tasks"][::-1]}, sort_keys=True, separators=(",", ":")))
    with pytest.raises(DataError, match="not the key that was committed"):
        record_answers(folder, signer, place / "q.key", said, partial=True)
    with pytest.raises(DataError, match="no key of a queue"):
        record_answers(folder, signer, place / "q", said, partial=True)
    with pytest.raises(StoreError, match="never written over"):
        make_queue(folder, signer, place / "q")
    with pytest.raises(SpecError, match="at least one"):
        make_queue(folder, signer, place / "q3", count=0)


def test_files_of_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("task,verdict,seconds\nt-1, Human ,12.5\nt-2,unsure,\n")
    assert read_answers(path, "ann") == [
        {"task": "t-1", "reviewer": "ann", "verdict": "human", "seconds": 12.5},
        {"task": "t-2", "reviewer": "ann", "verdict": "unsure"},
    ]
    for text, reviewer, message in (
        ("task,verdict\nt,human\n", "", "who reviewed it"),
        ("task,verdict\nt,humman\n", "ann", "Did you mean 'human'"),
        ("task,verdict,seconds\nt,human,-1\n", "ann", "no number of seconds"),
        ("task,verdict\n", "ann", "no answers"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_answers(path, reviewer)
    with pytest.raises(DataError, match="no file of answers"):
        read_answers(tmp_path / "nowhere", "ann")
