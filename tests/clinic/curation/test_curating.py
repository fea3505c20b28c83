"""Curation: every document of the census is kept or dropped once, with its own text, for the right reason."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from remission import DataError, SpecError, StoreError
from remission.cli import _run as command_line
from remission.clinic.census import scoring
from remission.clinic.curation import sorting
from remission.clinic.curation.card import check_card
from remission.clinic.curation.curating import Curation, Wish, curate, local
from remission.clinic.curation.rules import Rules
from tests.clinic.curation.corpus import census, detector, documents, inline, written

TRUTH = {row["id"]: row for row in documents()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector in ``cal``, a corpus in ``in``, its census in ``census``."""
    folder = tmp_path_factory.mktemp("curation")
    detector(folder)
    written(folder / "in", documents())
    census(folder / "cal", folder / "in", folder / "census")
    return folder


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [row for path in sorted((folder / kind).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def by_id(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return tuple({row["id"]: row for row in rows(folder, kind)} for kind in ("kept", "dropped"))  # type: ignore[return-value]


def is_synthetic(name: str) -> bool:
    return name.startswith("ai")


def shares(found: Curation) -> tuple[float, float, float]:
    return found.after.low, found.after.value, found.after.high


@pytest.mark.parametrize("policy", ["exclude", "weigh", "cap"])
def test_every_document_is_kept_or_dropped_once_and_is_itself(place: Path, policy: Any, tmp_path: Path) -> None:
    found = curate(place / "census", tmp_path / "out", Wish(policy, generations=3), inline)
    kept, dropped = by_id(tmp_path / "out")
    assert not kept.keys() & dropped.keys()
    assert kept.keys() | dropped.keys() == TRUTH.keys()
    for row in (*kept.values(), *dropped.values()):
        assert row["text"] == TRUTH[row["id"]]["text"]
        assert row["stratum"] == f"source={TRUTH[row['id']]['source']}"
        assert row["date"] == TRUTH[row["id"]]["date"]
    assert all(row["weight"] > 0 for row in kept.values())
    assert all(row["weight"] == 0 and row["reason"] for row in dropped.values())
    counts = found.counts
    assert counts["in"] == len(TRUTH) + 2 == counts["kept"] + counts["dropped"] + counts["quarantined"]
    assert (len(kept), len(dropped)) == (counts["kept"], counts["dropped"])
    assert Counter(row["reason"] for row in dropped.values()) == found.reasons
    assert found.weight == pytest.approx(sum(row["weight"] for row in kept.values()))
    assert check_card(tmp_path / "out") == []
    seen = [hashlib.sha256(row["text"].encode()).digest() for row in kept.values()]
    assert len(set(seen)) == len(seen)
    declared = {name for name, row in dropped.items() if row["reason"] == sorting.DECLARED_REASON}
    copies = {name for name, row in dropped.items() if row["reason"] == "copy of an earlier document"}
    assert declared == {name for name, row in TRUTH.items() if row["generator"] and "copy" not in name}
    assert copies == {name for name in TRUTH if "copy" in name and "near" not in name} | {
        name for name in TRUTH if name.endswith("copy-near") and f"{name.removesuffix('-copy-near')}-near" in TRUTH
    }
    short = {name for name in TRUTH if "short" in name}
    assert {name for name in short if kept[name]["weight"] == 1.0} == short


@pytest.mark.parametrize("policy", ["exclude", "weigh", "cap"])
def test_what_is_said_of_the_share_is_so(place: Path, policy: Any, tmp_path: Path) -> None:
    """The truth of this corpus lies in the intervals, which are for the expected share: by chance the very one is some way off."""
    found = curate(place / "census", tmp_path / "out", Wish(policy, generations=1, level=0.99), inline)
    kept, dropped = by_id(tmp_path / "out")
    judged = {name: row for name, row in kept.items() if "short" not in name}
    weight = sum(row["weight"] for row in judged.values())
    truth = sum(row["weight"] for name, row in judged.items() if is_synthetic(name)) / weight
    low, _, high = shares(found)
    chance = 2.6 * found.residual.whole.scatter
    assert low - chance <= truth <= high + chance
    assert high + chance < found.before.low
    firsts = {
        n: r
        for n, r in (kept | dropped).items()
        if r.get("reason") != "copy of an earlier document" and "short" not in n
    }
    before = np.mean([is_synthetic(name) for name in firsts])
    assert found.before.low <= before <= found.before.high
    if policy == "exclude":
        human = [not is_synthetic(name) for name, row in dropped.items() if "likely synthetic" in row["reason"]]
        assert 0 < sum(human) <= 0.08 * len(human)
    if policy == "cap":
        kept_strata = [row for row in found.residual.rows[1:] if row.kept]
        assert kept_strata
        assert all(row.after.value <= 0.1 + 1e-9 for row in kept_strata)
        assert sum(row.kept == 0 for row in found.residual.rows[1:]) == len(found.rules.facts["dropped_whole"])


def test_any_cut_and_any_engine_give_the_same_training_set(place: Path, tmp_path: Path) -> None:
    census(place / "cal", place / "in", tmp_path / "whole", size=1 << 30)
    one = curate(tmp_path / "whole", tmp_path / "one", Wish("exclude", generations=1), inline)
    many = curate(place / "census", tmp_path / "many", Wish("exclude", generations=1), local(2))
    assert len(list((tmp_path / "one" / "kept").iterdir())) == 1 < len(list((tmp_path / "many" / "kept").iterdir()))
    assert rows(tmp_path / "one", "kept") == rows(tmp_path / "many", "kept")
    assert rows(tmp_path / "one", "dropped") == rows(tmp_path / "many", "dropped")
    assert (one.counts, one.reasons, one.after) == (many.counts, many.reasons, many.after)


def test_the_same_call_goes_on_where_it_stopped(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = curate(place / "census", tmp_path / "whole", Wish("cap", generations=1), inline)
    stopped = []

    def stops(function: Any, jobs: Any) -> Any:
        for number, job in enumerate(jobs):
            if number == 2:
                stopped.append(number)
                raise KeyboardInterrupt
            yield job, function(job)

    with pytest.raises(KeyboardInterrupt):
        curate(place / "census", tmp_path / "out", Wish("cap", generations=1), stops)
    assert stopped
    assert len(list((tmp_path / "out" / "kept").glob("*.parquet"))) == 2
    assert not (tmp_path / "out" / "croissant.json").exists()
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "kept").iterdir()}
    again = curate(place / "census", tmp_path / "out", Wish("cap", generations=1), inline)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert again.counts == whole.counts
    for path in sorted((tmp_path / "whole").rglob("*.parquet")):
        assert path.read_bytes() == (tmp_path / "out" / path.relative_to(tmp_path / "whole")).read_bytes()
    with pytest.raises(StoreError, match="another curation"):
        curate(place / "census", tmp_path / "out", Wish("cap", cap=0.2, generations=1), inline)


def test_documents_of_the_archive_are_kept_whatever_they_score(place: Path, tmp_path: Path) -> None:
    from remission.clinic.census.asking import reopen
    from remission.clinic.curation import curating

    plain = curate(place / "census", tmp_path / "plain", Wish("exclude", generations=1), inline)
    _, dropped = by_id(tmp_path / "plain")
    lost = [
        row
        for row in dropped.values()
        if "likely synthetic" in row["reason"] or row["reason"] == sorting.DECLARED_REASON
    ]
    digests = [int.from_bytes(hashlib.sha256(row["text"].encode()).digest()[:8]) for row in lost[:40]]
    words = np.array(sorted(digests), np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curating, "archived", lambda question: words)
        patch.setattr("remission.clinic.census.asking.archived", lambda question: words)
        finding = reopen(place / "census")
        found = curate(place / "census", tmp_path / "out", Wish("exclude", generations=1), inline)
    assert finding.answer.whole.n_archived == found.counted.archived == 40  # type: ignore[attr-defined]
    kept, _ = by_id(tmp_path / "out")
    assert {row["id"] for row in lost[:40]} <= kept.keys()
    assert plain.counted.archived == 0


def test_unjudged_documents_can_be_dropped(place: Path, tmp_path: Path) -> None:
    found = curate(place / "census", tmp_path / "out", Wish("weigh", unjudged="drop", generations=1), inline)
    _, dropped = by_id(tmp_path / "out")
    assert {row["reason"] for name, row in dropped.items() if "short" in name} == {"not judged: too short"}
    (told,) = found.warnings
    assert told.startswith(
        f"{sum(found.counted.unjudged.values())} documents that the detector does not judge are dropped"
    )


def test_a_census_that_cannot_be_curated_is_refused(place: Path, tmp_path: Path) -> None:
    from remission.clinic.census.sampling import Sampling

    census(place / "cal", place / "in", tmp_path / "sampled", sampling=Sampling(0.5))
    with pytest.raises(DataError, match="of a sample"):
        curate(tmp_path / "sampled", tmp_path / "out", Wish("exclude"), inline)
    with pytest.raises(StoreError, match="no finished census"):
        curate(place / "in", tmp_path / "out", Wish("exclude"), inline)
    assert not (tmp_path / "out").exists()
    for wrong, words in (
        ({"policy": "exclud"}, "exclude"), ({"policy": "cap", "cap": 1.5}, "cap"), ({"policy": "exclude", "fdr": 0.0}, "fdr"),
        ({"policy": "cap", "unjudged": "maybe"}, "unjudged"), ({"policy": "cap", "generations": 0}, "generation"),
    ):  # fmt: skip
        with pytest.raises(SpecError, match=words):
            Wish(**wrong)  # type: ignore[arg-type]


def test_a_census_whose_placebo_failed_is_refused(place: Path, tmp_path: Path) -> None:
    wrong = [{**row, "date": "2019-01-01"} for row in documents(120, 120)]
    census(place / "cal", written(tmp_path / "in", wrong), tmp_path / "census")
    with pytest.raises(DataError, match=r"refuses to say.*placebo failed"):
        curate(tmp_path / "census", tmp_path / "out", Wish("exclude"), inline)


@pytest.mark.parametrize("how", ["text", "size", "gone", "detector"])
def test_a_corpus_that_was_changed_after_its_census_is_refused(how: str, place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "in", tmp_path / "in")
    shutil.copytree(place / "cal", tmp_path / "cal")
    census(tmp_path / "cal", tmp_path / "in", tmp_path / "census")
    path = tmp_path / "in" / "b.jsonl"
    if how == "text":  # as long as before
        path.write_text(path.read_text().replace("the", "teh", 1))
    elif how == "size":
        path.write_text(path.read_text() + "\n{}")
    elif how == "gone":
        path.unlink()
    else:
        shutil.rmtree(tmp_path / "cal")
        scoring._loaded.cache_clear()  # as in another process
    with pytest.raises((DataError, StoreError), match=r"changed|cannot be read|no folder of a detector"):
        curate(tmp_path / "census", tmp_path / "out", Wish("exclude", generations=1), inline)
    assert not (tmp_path / "out" / "croissant.json").exists()


def test_the_record_holds_the_rules_that_were_used(place: Path, tmp_path: Path) -> None:
    found = curate(place / "census", tmp_path / "out", Wish("weigh", generations=1), inline)
    record = json.loads((tmp_path / "out" / "curation.json").read_text())
    rules = Rules.of({"policy": "weigh", "facts": record["facts"], "notes": [], "rules": record["rules"]})
    kept, _ = by_id(tmp_path / "out")
    for row in kept.values():
        if row["score"] is not None:
            assert rules.rule(row["stratum"], row["kind"]).weight([row["score"]])[0] == row["weight"]
    assert record["after"]["value"] == found.after.value
    assert record["schema"] == "remission/curation/1"


def test_the_command_prints_for_people_and_for_programs(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["curate", str(place / "census"), "-o", str(tmp_path / "out"), "--policy", "exclude", "--generations", "2"]
    assert command_line(call) == 0
    out = capsys.readouterr().out
    assert "in = " in out
    assert "dropped, copy of an earlier document" in out
    assert "Before curation" in out
    assert command_line([*call, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "remission/curate/1"
    assert {"before", "after", "strata", "accounting", "reasons", "outlook", "effective"} <= said.keys()
    assert command_line([*call[:-4], "--policy", "drop"]) == 2
    assert "no policy 'drop'" in capsys.readouterr().err


def test_the_training_set_loads_as_a_data_set(place: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    curate(place / "census", tmp_path / "out", Wish("exclude", generations=1), inline)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["train"]
    assert loaded["id"] == [row["id"] for row in rows(tmp_path / "out", "kept")]
