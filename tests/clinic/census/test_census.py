"""A census: every row accounted for, the same result however it is cut, stopped or damaged."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission import DataError, RemissionError, SpecError, StoreError
from remission.clinic.census.manifest import part_files, read_manifest, verify
from remission.clinic.census.parts import KEY, explained, read_rows, receipt_of, spans_in
from remission.clinic.census.process import process
from remission.clinic.census.receipts import Receipt, Stratum, bin_values, bins_of, merge
from remission.clinic.census.running import Census, local_engine, run_census
from remission.clinic.census.units import Config, Unit
from remission.corpus import _files
from remission.corpus.reading import Fields
from remission.corpus.spans import spans_of
from remission.corpus.streaming import Limits as Reading
from remission.engines.limits import Limits
from tests.clinic.census.scorers import BRIGHTNESS, BROKEN, LENGTHS, POISONED, SHORT
from tests.corpus.damaged import dictionary_bomb, every_case, jsonl, parquet, rows, text

BY = Config(by=("source", "month"), size=4000)


def inline(function: Any, tasks: Any) -> Any:
    """An engine without processes."""
    for task in tasks:
        yield task, function(task)


def corpus(folder: Path, documents: int = 300) -> Path:
    """Files of three kinds; ids are unique."""
    folder.mkdir()
    third = documents // 3
    parquet(folder / "a.parquet", rows(third), group=25)
    jsonl(folder / "b.jsonl", rows(third, third))
    for number in range(5):
        size = third // 5
        jsonl(folder / f"c{number}.jsonl", rows(size, 2 * third + number * size))
    return folder


def table_of(census: Census) -> list[tuple[Any, ...]]:
    """All rows of all parts in the order of files."""
    found = []
    for path in part_files(census.folder, census.manifest):
        found += [tuple(row.values()) for row in read_rows(path).to_pylist()]
    return sorted(found, key=lambda row: (row[0], -1 if row[1] is None else row[1]))


def test_every_document_is_scored_once_and_counted_by_stratum(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    census = run_census([folder], LENGTHS, tmp_path / "out", BY, inline)
    assert census.receipt.accounting()["in"] == census.receipt.kept == 300
    assert len(census.manifest.parts) > 10
    found = table_of(census)
    assert sorted(row[5] for row in found) == sorted(f"d{n}" for n in range(300))
    assert {row[5]: row[8] for row in found} == {f"d{n}": len(text(n)) for n in range(300)}
    expected = Counter(f"source={'abc'[n % 3]} | month=2023-0{1 + n % 4}" for n in range(300))
    assert {name: stratum.n for name, stratum in census.receipt.strata.items()} == expected
    for name, stratum in census.receipt.strata.items():
        lengths = [len(text(n)) for n in range(300) if f"source={'abc'[n % 3]} | month=2023-0{1 + n % 4}" == name]
        assert sorted(bin_values([*stratum.cells[""].elements()])) == pytest.approx(sorted(lengths), rel=0.002)
    assert verify(census.folder, inputs=True) == []


def test_any_cut_and_any_engine_give_the_same_rows_and_counts(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    whole = run_census([folder], LENGTHS, tmp_path / "whole", Config(by=("source", "month")), inline)
    parts = run_census([folder], LENGTHS, tmp_path / "parts", BY, inline)
    run_census([folder], LENGTHS, tmp_path / "two", BY, local_engine(2))
    assert len(whole.manifest.parts) == 1
    assert table_of(whole) == table_of(parts)
    assert whole.receipt.table() == parts.receipt.table()
    assert whole.receipt.bytes == sum(len(text(n)) for n in range(300))
    assert (tmp_path / "parts" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()


def test_a_second_run_does_nothing_and_a_changed_file_is_done_again(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    first = run_census([folder], LENGTHS, tmp_path / "out", BY, inline)
    times = {path: path.stat().st_mtime_ns for path in part_files(first.folder, first.manifest)}
    again = run_census([folder], LENGTHS, tmp_path / "out", BY, inline)
    assert again.found_done == len(times)
    assert {path: path.stat().st_mtime_ns for path in part_files(first.folder, again.manifest)} == times
    assert run_census([folder], LENGTHS, tmp_path / "out", Config(by=BY.by), inline).found_done == len(times)
    jsonl(folder / "b.jsonl", rows(90, 500))
    changed = run_census([folder], LENGTHS, tmp_path / "out", BY, inline)
    assert changed.receipt.kept == 290
    assert 0 < changed.found_done < len(changed.manifest.parts)
    assert verify(tmp_path / "out") == []
    for wrong, words in (
        (Config(by=("source",), size=4000), "other settings"),
        (Config(by=BY.by, size=5000), "other settings"),
    ):
        with pytest.raises(StoreError, match=words):
            run_census([folder], LENGTHS, tmp_path / "out", wrong, inline)
    with pytest.raises(StoreError, match="another detector"):
        run_census([folder], POISONED, tmp_path / "out", BY, inline)


def test_the_damage_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every damaged file is named and counted with its reason, the rest is scored, and the sums are right."""
    monkeypatch.setattr(_files, "FREE", 1 << 20)
    monkeypatch.setattr(_files, "PIECE", 1 << 16)
    cases = every_case(tmp_path / "in", 4 << 20)
    dictionary_bomb(tmp_path / "in" / "bomb.parquet", 2 << 20, 60, good=30)
    cases["bomb.parquet"] = 30, 60, "more than"
    (tmp_path / "out of it.jsonl").write_text("{}")
    (tmp_path / "in" / "link.jsonl").symlink_to(tmp_path / "out of it.jsonl")
    config = Config(by=("source",), limits=Reading(document=1 << 20))
    census = run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", config, inline)
    found = table_of(census)
    for name, (good, aside, reason) in cases.items():
        here = [row for row in found if Path(row[0]).name == name]
        kept = sum(row[2] for row in here if row[3] == "kept")
        gone = [row for row in here if row[3] == "quarantined"]
        assert kept == good or good < 0, name
        assert sum(row[2] for row in gone) == aside, name
        assert not reason or any(reason in row[4] for row in gone), name
    assert census.receipt.quarantined["a link that leads out of the folder"] == 1
    whole = sum(aside for _, aside, _ in cases.values()) + 1
    assert census.receipt.accounting()["quarantined"] == whole
    assert verify(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("what", "why", "limits"),
    [
        ("KILL", "its worker process died", Limits()),
        ("HANG", "not done after", Limits(seconds=1.5)),
        ("SWELL", "out of memory", Limits(memory=512 << 20)),
    ],
)
def test_a_document_that_ends_its_worker_costs_its_row_group_and_no_more(
    what: str, why: str, limits: Limits, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    content = rows(200)
    content[120]["text"] = f"{what} ME"
    parquet(tmp_path / "in" / "a.parquet", content, group=50)
    jsonl(tmp_path / "in" / "b.jsonl", rows(20, 200))
    config = Config(size=1500, copies="exact")  # sketches are slow to load, and the deadline is short
    census = run_census([tmp_path / "in"], POISONED, tmp_path / "out", config, local_engine(1, limits))
    assert census.receipt.kept == 170
    (lost,) = [row for row in table_of(census) if row[3] == "quarantined"]
    assert (lost[1], lost[2]) == (101, 50)
    assert why in lost[4]
    assert verify(tmp_path / "out") == []
    again = run_census([tmp_path / "in"], POISONED, tmp_path / "out", config, local_engine(1))
    assert (again.receipt, again.manifest) == (census.receipt, census.manifest)  # and it is not tried again


def test_a_unit_that_ends_its_worker_is_cut_until_one_row_group_is_left(tmp_path: Path) -> None:
    content = rows(200)
    content[120]["text"] = "KILL ME"
    parquet(tmp_path / "a.parquet", content, group=50)
    jsonl(tmp_path / "b.jsonl", rows(20, 200))
    files = [tmp_path / "a.parquet", tmp_path / "b.jsonl"]
    census = run_census(files, POISONED, tmp_path / "out", Config(copies="exact"), local_engine(1))
    assert (census.receipt.kept, len(census.manifest.parts)) == (170, 7)  # 4 that hold rows, 3 that were cut
    (lost,) = [row for row in table_of(census) if row[3] == "quarantined"]
    assert (lost[1], lost[2]) == (101, 50)
    part = next(path for path in part_files(tmp_path / "out", census.manifest) if read_rows(path).num_rows == 100)
    part.unlink()  # as if it had been stopped before the half that can be done was done
    again = run_census(files, POISONED, tmp_path / "out", Config(copies="exact"), local_engine(1))
    assert again.manifest == census.manifest
    assert verify(tmp_path / "out") == []


def test_a_document_the_scorer_fails_on_is_set_aside_alone(tmp_path: Path) -> None:
    content = rows(60)
    content[7]["text"] = "RAISE ME"
    jsonl(tmp_path / "a.jsonl", content)
    census = run_census([tmp_path / "a.jsonl"], POISONED, tmp_path / "out", Config(by=("source",)), inline)
    (lost,) = [row for row in table_of(census) if row[3] == "quarantined"]
    assert lost[4] == "the scorer failed (ZeroDivisionError: as asked)"
    assert census.receipt.kept == 59
    for scorer, error in ((BROKEN, KeyError), (SHORT, ValueError)):
        with pytest.raises(error):
            run_census([tmp_path / "a.jsonl"], scorer, tmp_path / f"out-{error.__name__}", None, inline)


def test_files_that_are_not_the_published_ones_are_set_aside(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    sums = {name: spans_of(str(folder / name))[0].sha256 for name in ("a.parquet", "b.jsonl")} | {"c0.jsonl": "0" * 64}
    census = run_census([folder], LENGTHS, tmp_path / "out", Config(sums=tuple(sums.items())), inline)
    assert census.receipt.quarantined == {"the file's SHA-256 is not the expected one": 1}
    assert census.receipt.kept == 280


def test_filters_are_dropped_and_not_set_aside(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    config = Config(fields=Fields(where={"source": {"a"}}), by=("year",))
    census = run_census([folder], LENGTHS, tmp_path / "out", config, inline)
    assert census.receipt.accounting() | {"examples": 0} == {
        "in": 300, "kept": 100, "dropped": 200, "quarantined": 0, "dropped_for": {"filtered": 200}, "reasons": {},
        "examples": 0,
    }  # fmt: skip
    assert set(census.receipt.strata) == {"year=2023"}


def tampered(folder: Path, how: str) -> None:
    path = sorted((folder / ("groups" if how == "group" else "parts")).rglob("*.parquet"))[0]
    if how in ("bit", "group"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "gone":
        path.unlink()
    elif how == "swapped":
        path.write_bytes(sorted((folder / "parts").rglob("*.parquet"))[1].read_bytes())
    elif how == "manifest":
        manifest = folder / "manifest.json"
        content = json.loads(manifest.read_text())
        content["receipt"]["kept"] += 1
        manifest.write_text(json.dumps(content))
    elif how == "resealed":
        from remission.clinic.census.scoring import hash_of

        manifest = folder / "manifest.json"
        content = json.loads(manifest.read_text())
        content["receipt"]["kept"] += 1
        del content["seal"], content["schema"]
        manifest.write_text(json.dumps({"schema": "x", **content, "seal": hash_of(content)}))
    elif how == "rows":
        _with_other_rows(folder, path)


def _with_other_rows(folder: Path, path: Path) -> None:
    """A score is changed and every hash of files is made to fit: the hash of the rows is left."""
    from remission.clinic.census.scoring import hash_of
    from remission.corpus.spans import sha256_of

    rows_, footer = pq.read_table(path), pq.read_metadata(path).metadata
    scores = rows_.column("score").to_pylist()
    scores[0] += 1
    changed = rows_.set_column(8, rows_.schema.field("score"), [scores])
    pq.write_table(changed.replace_schema_metadata({KEY: footer[KEY]}), path)
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text())
    content["parts"][path.stem] = sha256_of(path)
    del content["seal"], content["schema"]
    manifest.write_text(json.dumps({"schema": "x", **content, "seal": hash_of(content)}))


@pytest.mark.parametrize(
    ("how", "fault"),
    [("bit", "part changed"), ("group", "groups missing or changed"), ("gone", "part missing"), ("swapped", "part changed"), ("rows", "rows changed"),
     ("resealed", "receipts do not add up")],
)  # fmt: skip
def test_verification_finds_what_was_changed(how: str, fault: str, tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    run_census([folder], LENGTHS, tmp_path / "out", BY, inline)
    tampered(tmp_path / "out", how)
    assert {one["kind"] for one in verify(tmp_path / "out")} == {fault}


def test_a_manifest_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    run_census([folder], LENGTHS, tmp_path / "out", BY, inline)
    tampered(tmp_path / "out", "manifest")
    with pytest.raises(StoreError, match="seal does not fit"):
        verify(tmp_path / "out")
    with pytest.raises(StoreError, match="no finished census"):
        read_manifest(tmp_path / "in")
    jsonl(folder / "c0.jsonl", rows(2))
    run_census([folder], LENGTHS, tmp_path / "two", BY, inline)
    jsonl(folder / "c0.jsonl", rows(3))
    assert [one["kind"] for one in verify(tmp_path / "two", inputs=True)] == ["input changed"]


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "in")
    census = run_census([folder], LENGTHS, tmp_path / "out", BY, inline)
    path = part_files(census.folder, census.manifest)[0]
    path.write_bytes(path.read_bytes()[:-30])
    for reading in (receipt_of, read_rows, spans_in):
        with pytest.raises(
            StoreError, match=r"is damaged.*Run the same `remission census` again, which scores damaged parts anew"
        ):
            reading(path)


@pytest.mark.parametrize("how", ["cut", "bit", "empty", "rows", "gone"])
@pytest.mark.parametrize("finished", [True, False])
def test_damaged_parts_are_scored_anew(how: str, finished: bool, tmp_path: Path) -> None:
    """What a finished census must be is known by its hashes; of one that was stopped, checksums of pages tell."""
    folder, out = corpus(tmp_path / "in"), tmp_path / "out"
    census = run_census([folder], LENGTHS, out, BY, inline)
    before = {path: path.read_bytes() for path in part_files(out, census.manifest)}
    path = max(before, key=lambda one: len(before[one]))
    if how == "rows":
        rows_ = pq.read_table(path)
        scores = pa.array([1.0] * rows_.num_rows)
        footer = pq.read_metadata(path).metadata
        changed = rows_.set_column(8, rows_.schema.field("score"), scores)
        pq.write_table(changed.replace_schema_metadata(footer), path, write_page_checksum=True)
    elif how == "gone":
        path.unlink()
    else:
        content = bytearray(before[path])
        content[100] ^= 1
        path.write_bytes({"cut": before[path][:-30], "bit": content, "empty": b""}[how])
    if not finished:
        (out / "manifest.json").unlink()
    again = run_census([folder], LENGTHS, out, BY, inline)
    if how == "rows" and not finished:  # a whole part as any other: what it must hold is known nowhere
        assert again.manifest != census.manifest
        return
    assert (again.manifest, again.mended) == (census.manifest, int(how != "gone"))
    assert again.found_done == len(before) - 1
    assert {one: one.read_bytes() for one in before} == before
    assert verify(out) == []


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"config": {"size": null}}', None])
def test_settings_that_are_damaged_or_gone_are_written_anew(damage: str | None, tmp_path: Path) -> None:
    folder, out = corpus(tmp_path / "in"), tmp_path / "out"
    census = run_census([folder], LENGTHS, out, BY, inline)
    settings = (out / "census.json").read_bytes()
    (out / "census.json").unlink() if damage is None else (out / "census.json").write_text(damage)
    again = run_census([folder], LENGTHS, out, BY, inline)
    assert (again.manifest, again.found_done) == (census.manifest, len(census.manifest.parts))
    assert (out / "census.json").read_bytes() == settings


def test_a_run_that_was_stopped_before_its_first_part_blocks_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".census.json-123.aside").write_text("{")
    assert run_census([corpus(tmp_path / "in")], LENGTHS, tmp_path / "out", BY, inline).receipt.kept == 300
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(StoreError, match="is not empty and holds no census"):
        run_census([tmp_path / "in"], LENGTHS, tmp_path / "mine", BY, inline)


counts = st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(1, 9)).map(Counter)


@st.composite
def receipts(draw: Any) -> Receipt:
    strata = {}
    for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
        cells = {c: Counter(draw(st.dictionaries(st.integers(0, 5), st.integers(1, 9)))) for c in draw(st.sets(st.sampled_from("uv")))}  # fmt: skip
        why = draw(counts)
        n = sum(sum(cell.values()) for cell in cells.values()) + sum(why.values())
        strata[name] = Stratum(n, draw(st.integers(0, 3)), why, cells)
    kept = sum(stratum.n for stratum in strata.values())
    dropped, aside = draw(counts), draw(counts)
    seen = kept + sum(dropped.values()) + sum(aside.values())
    examples = tuple({"file": f, "place": draw(st.integers(0, 99)), "rows": 1, "reason": "r"} for f in draw(st.lists(st.sampled_from("fg"), max_size=15)))  # fmt: skip
    early = next(iter(strata.values()), Stratum())
    return merge([Receipt(seen, kept, dropped, aside, seen, strata, examples, early=early)])


@given(receipts(), receipts(), receipts())
def test_receipts_merge_in_any_order_and_grouping(a: Receipt, b: Receipt, c: Receipt) -> None:
    assert ((a + b) + c).table() == (a + (b + c)).table()
    assert (a + b).table() == (b + a).table()
    assert (a + Receipt()).table() == a.table()
    assert merge([a, b, c]).check("the merge").seen == a.seen + b.seen + c.seen
    assert Receipt.of(json.loads(json.dumps(a.table()))).table() == a.table()


def test_a_row_that_is_unaccounted_for_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RemissionError, match="unaccounted for: 3 were read, 2 kept"):
        Receipt(3, 2, strata={"all": Stratum(2, 0, Counter({"short": 2}))}).check("unit x")
    with pytest.raises(RemissionError, match="documents of the stratum 'all'"):
        Receipt(2, 2, strata={"all": Stratum(2)}).check("unit x")
    from remission.clinic.census import tally as processing

    path = jsonl(tmp_path / "a.jsonl", [*rows(5), {"text": None}])
    monkeypatch.setattr(processing.Tally, "aside", lambda self, span, aside: processing.rows_of(
        0, file="", place=[], rows=[], status=[], reason=[], id="", stratum="", cell="", score=[], flagged=[]))  # fmt: skip
    with pytest.raises(RemissionError, match="unaccounted for"):
        run_census([path], LENGTHS, tmp_path / "out", None, inline)
    assert not list((tmp_path / "out").rglob("*.parquet"))
    assert not list((tmp_path / "out").rglob("*.aside"))


@given(st.lists(st.floats(-1e30, 1e30, allow_subnormal=False), min_size=1, max_size=20))
def test_bins_keep_scores_to_a_part_in_500(scores: list[float]) -> None:
    given_ = np.array(scores)
    near = bin_values(bins_of(given_))
    assert (np.abs(near - given_) <= 0.002 * np.abs(given_) + 1e-37).all()


def test_parts_have_checksums_and_their_receipt(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows(30))
    unit = Unit(tuple(spans_of(str(path))), BY, LENGTHS, str(tmp_path))
    made = process(unit)
    assert unit.part.parent.name == unit.name[:2]
    assert receipt_of(unit.part) == made.receipt
    assert process(unit) == made
    content = bytearray(unit.part.read_bytes())
    told = pq.read_metadata(unit.part).row_group(0).column(8)
    content[told.data_page_offset + told.total_compressed_size // 2] ^= 4
    unit.part.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        read_rows(unit.part)


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "No space left"), (errno.EDQUOT, "No space left"), (errno.EROFS, "Choose another folder"), (errno.EFBIG, "look at disk and limits"),
     (errno.EIO, "look at disk and limits"), (errno.ESTALE, "look at disk and limits"), (errno.EMFILE, "look at disk and limits"), (None, "no number")],
)  # fmt: skip
def test_every_trouble_of_writing_is_one_message(number: int | None, words: str) -> None:
    error = OSError("no number") if number is None else OSError(number, os.strerror(number))
    with pytest.raises(StoreError, match=f"'here/it'.*{words}|{words} to write 'here/it'"), explained(Path("here/it")):
        raise error


def test_a_limit_on_the_size_of_files_is_one_message(tmp_path: Path) -> None:
    """In a process of its own, for limits of one cannot be raised again by everyone."""
    jsonl(tmp_path / "a.jsonl", rows(2000))
    code = (
        "import resource, sys\n"
        "from tests.clinic.census.scorers import LENGTHS\n"
        "from tests.clinic.census.test_census import inline\n"
        "from remission.clinic.census.running import run_census\n"
        "from remission import StoreError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n"
        "    run_census([sys.argv[1] + '/a.jsonl'], LENGTHS, sys.argv[1] + '/out', None, inline)\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "cannot be written (" in done.stdout
    assert "look at disk and limits" in done.stdout
    assert not [*(tmp_path / "out").rglob("*.parquet"), *(tmp_path / "out").rglob("*.aside")]


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows(3))
    with pytest.raises(SpecError, match="named twice"):
        Config(by=("a", "a"))
    with pytest.raises(SpecError, match="at least 1 byte"):
        Config(size=0)
    with pytest.raises(DataError, match="does not exist"):
        run_census([tmp_path / "none"], LENGTHS, tmp_path / "out", None, inline)
    assert not (tmp_path / "out").exists()
    with pytest.raises(StoreError, match="is a file"):
        run_census([path], LENGTHS, path, None, inline)
    with pytest.raises(StoreError, match="not empty"):
        run_census([path], LENGTHS, tmp_path, None, inline)


def test_what_was_made_of_a_corpus_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = corpus(tmp_path / "in", 30)
    (folder / "census.json").write_text('{"id": "no census", "text": "of this package"}\n')
    monkeypatch.chdir(folder)
    first = run_census(["."], LENGTHS, "made/census", BY, inline)
    told = (folder / "made" / "census" / "manifest.json").read_bytes()
    assert first.receipt.kept == 31  # with the document in a census.json that is none of ours
    assert first.manifest.ignored == ("made/census",)
    again = run_census(["."], LENGTHS, "made/census", BY, inline)
    assert (again.found_done, (folder / "made" / "census" / "manifest.json").read_bytes()) == (
        len(again.manifest.parts),
        told,
    )
    curated = folder / "curated"
    (curated / "kept").mkdir(parents=True)
    (curated / "asked.json").write_text('{"id": "1"}')
    jsonl(curated / "kept" / "a.jsonl", rows(5))
    other = run_census([folder], LENGTHS, tmp_path / "other", BY, inline)
    assert other.receipt.kept == 31
    assert other.manifest.ignored == (str(curated), str(folder / "made" / "census"))
    by_pattern = run_census(["**/*.parquet", "**/*.jsonl", *Path().glob("made/*")], LENGTHS, "made/more", BY, inline)
    assert by_pattern.receipt.kept == 30
    assert run_census([curated / "kept"], LENGTHS, tmp_path / "kept", BY, inline).receipt.kept == 5
    with pytest.raises(DataError, match="no corpus"):
        run_census(["made/census"], LENGTHS, "third", BY, inline)


@pytest.mark.slow
def test_the_damage_matrix_at_full_size(tmp_path: Path) -> None:
    """A document of 1 GB, bombs of 1 and 2 GB, and workers that may hold 1 GiB: the run ends, the rest is scored."""
    cases = every_case(tmp_path / "in", 1 << 30)
    dictionary_bomb(tmp_path / "in" / "bomb.parquet", 1 << 20, 2000, good=30)
    cases["bomb.parquet"] = 30, 2000, "more than"
    content = rows(40)
    content[15]["text"] = "word " * ((1 << 30) // 5)
    parquet(tmp_path / "in" / "giant.parquet", content, group=10)
    engine = local_engine(1, Limits(seconds=120, memory=1 << 30))
    config = Config(by=("source",), limits=Reading(document=1 << 19))
    census = run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", config, engine)
    found = table_of(census)
    for name, (good, aside, reason) in cases.items():
        here = [row for row in found if Path(row[0]).name == name]
        gone = [row for row in here if row[3] == "quarantined"]
        assert sum(row[2] for row in here if row[3] == "kept") == good or good < 0, name
        assert sum(row[2] for row in gone) == aside, name
        assert not reason or any(reason in row[4] for row in gone), name
    giant = [row for row in found if Path(row[0]).name == "giant.parquet"]
    gone = sum(row[2] for row in giant if row[3] == "quarantined")
    assert gone in (1, 10)  # alone, or with the row group it cannot be unpacked from
    assert sum(row[2] for row in giant if row[3] == "kept") == 40 - gone
    assert verify(tmp_path / "out") == []


def test_pictures_are_counted_too(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, level in (("a/one.png", 10), ("a/two.jpg", 250), ("b/three.png", 90)):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        image.new("RGB", (6, 4), (level, level, level)).save(tmp_path / "in" / name)
    image.new("RGB", (200, 200)).save(tmp_path / "in" / "b" / "large.png")
    (tmp_path / "in" / "b" / "broken.png").write_bytes(b"\x89PNG nothing")
    config = Config(limits=Reading(pixels=1000))
    census = run_census([tmp_path / "in"], BRIGHTNESS, tmp_path / "out", config, local_engine(1))
    scores = {row[5]: row[8] for row in table_of(census) if row[3] == "kept"}
    assert scores == pytest.approx({"one.png": 10, "two.jpg": 250, "three.png": 90}, abs=1)
    assert census.receipt.accounting()["quarantined"] == 2
    assert verify(tmp_path / "out", inputs=True) == []
