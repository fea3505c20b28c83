"""Curation reads the documents of a census again, whatever kind of file they are in, and finds the same ones."""

from __future__ import annotations

import csv
import gzip
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission import DataError
from remission.cli import _run as command_line
from remission.clinic.curation import curating, sorting
from remission.clinic.curation.card import check_card
from remission.clinic.curation.curating import Wish, curate
from remission.corpus.reading import Fields
from tests.clinic.census.test_marks import KEYS, home  # noqa: F401  (a fixture)
from tests.clinic.curation.corpus import census, detector, documents, inline
from tests.corpus.test_streaming import record

DOCUMENTS = documents(150, 60)
WISH = Wish("exclude", generations=1)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    detector(folder, 400)
    return folder


def lines(rows: Rows) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def table(path: Path, rows: Rows) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]], delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)


def packed_zst(path: Path, rows: Rows) -> None:
    path.write_bytes(pytest.importorskip("zstandard").compress(lines(rows)))


def saved(path: Path, rows: Rows) -> None:
    pytest.importorskip("datasets").Dataset.from_list(rows).save_to_disk(str(path), num_shards=2)


def archived(path: Path, rows: Rows) -> None:
    pytest.importorskip("fastwarc")
    path.write_bytes(
        b"".join(
            record("conversion", f"http://{row['source']}.org/{k}", row["text"].encode()) for k, row in enumerate(rows)
        )
    )


def texts_in(path: Path, rows: Rows) -> None:
    path.mkdir()
    for k, row in enumerate(rows):
        (path / f"{k:04}.txt").write_text(row["text"])


WRITERS = {
    "a.jsonl": lambda path, rows: path.write_bytes(lines(rows)),
    "a.jsonl.gz": lambda path, rows: path.write_bytes(gzip.compress(lines(rows))),
    "a.jsonl.zst": packed_zst,
    "a.json": lambda path, rows: path.write_text(json.dumps(rows)),
    "a.csv": table,
    "a.tsv": table,
    "a.parquet": lambda path, rows: pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=40),
    "saved": saved,
    "a.wet": archived,
    "texts": texts_in,
}
NAMELESS = ("a.wet", "texts")  # such files hold no columns


def made(place: Path, source: Path, folder: Path, **more: Any) -> dict[str, list[Any]]:
    """Census and curation of files: text -> reason, weight, for every document of the training set and beside it."""
    census(place / "cal", source, folder / "census", size=more.pop("size", 20_000), **more)
    found = curate(folder / "census", folder / "out", WISH, inline)
    assert check_card(folder / "out") == []
    assert found.counts["kept"] + found.counts["dropped"] == found.counts["in"]
    seen: dict[str, list[Any]] = {}
    for kind in ("kept", "dropped"):
        for path in (folder / "out" / kind).glob("*.parquet"):
            for row in pq.read_table(path).to_pylist():
                assert row["weight"] == (1.0 if kind == "kept" else 0.0)
                seen.setdefault(row["text"], []).append(row.get("reason", ""))
    return {text: sorted(reasons) for text, reasons in sorted(seen.items())}


@pytest.fixture(scope="module")
def plain(place: Path) -> dict[str, list[Any]]:
    """What is decided of the documents in plain lines."""
    (place / "plain").mkdir()
    WRITERS["a.jsonl"](place / "plain" / "a.jsonl", DOCUMENTS)
    return made(place, place / "plain", place / "of-plain")


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "a.jsonl"])
def test_documents_are_found_again_in_every_kind_of_file(
    name: str, place: Path, plain: dict[str, list[Any]], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    WRITERS[name](tmp_path / "in" / name, DOCUMENTS)
    more: dict[str, Any] = {"by": (), "size": 60_000, "fields": Fields(domain_is="news")} if name in NAMELESS else {}
    seen = made(place, tmp_path / "in", tmp_path, **more)
    assert {text: len(reasons) for text, reasons in seen.items()} == {
        text: len(reasons) for text, reasons in plain.items()
    }
    if name not in NAMELESS:
        assert seen == plain, "the same decisions"
        assert len({reason for reasons in seen.values() for reason in reasons}) == 4


def test_files_of_many_kinds_make_one_training_set(place: Path, plain: dict[str, list[Any]], tmp_path: Path) -> None:
    """One layout, whatever the rows came from; a file without a single document is no part."""
    (tmp_path / "in").mkdir()
    names = ("a.jsonl", "b.jsonl.gz", "c.csv", "d.parquet", "e.json", "f.tsv")
    step = -(-len(DOCUMENTS) // len(names))
    for k, name in enumerate(names):
        WRITERS["a" + name[1:]](tmp_path / "in" / name, DOCUMENTS[step * k : step * (k + 1)])
    (tmp_path / "in" / "broken.jsonl").write_text("{broken\n{again")
    (tmp_path / "in" / "empty.csv").write_text("")
    census(place / "cal", tmp_path / "in", tmp_path / "census", size=4_000)
    found = curate(tmp_path / "census", tmp_path / "out", WISH, inline)
    assert check_card(tmp_path / "out") == []
    assert found.counts["quarantined"] == 3
    assert found.counts["kept"] + found.counts["dropped"] == len(DOCUMENTS)
    kept = {row["text"] for path in (tmp_path / "out" / "kept").iterdir() for row in pq.read_table(path).to_pylist()}
    assert kept == {text for text, reasons in plain.items() if "" in reasons}


def test_what_a_copy_declares_is_known_of_the_first(place: Path, tmp_path: Path) -> None:
    """The first copy of a text is kept, and its later copy says that it is synthetic: then all of them go."""
    plain = [row for row in DOCUMENTS if row["id"].startswith("human-") and row["id"][6:].isdigit()][:20]
    copies = [{**row, "id": f"{row['id']}-said", "generator": "gpt-x"} for row in plain]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(lines(DOCUMENTS))
    (tmp_path / "in" / "b.jsonl").write_bytes(lines(copies))
    counted = census(place / "cal", tmp_path / "in", tmp_path / "census", size=20_000).answer.whole
    found = curate(tmp_path / "census", tmp_path / "out", WISH, inline)
    assert counted.n_declared == found.counted.declared  # type: ignore[attr-defined]  # the census says so, too
    kept = {row["text"] for path in (tmp_path / "out" / "kept").iterdir() for row in pq.read_table(path).to_pylist()}
    assert not kept & {row["text"] for row in plain}
    assert found.reasons[sorting.DECLARED_COPY_REASON] == 20
    assert found.counted.declared == 20 + found.reasons[sorting.DECLARED_REASON]
    whole = found.residual.whole
    assert whole.documents == found.counted.documents == sum(cell.n for cell in found.counted.cells)


def test_documents_that_were_left_out_on_request_stay_out(place: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    WRITERS["a.jsonl.gz"](tmp_path / "in" / "a.jsonl.gz", DOCUMENTS)
    fields = Fields(where={"source": {"b"}})
    census(place / "cal", tmp_path / "in", tmp_path / "census", by=(), size=20_000, fields=fields)
    found = curate(tmp_path / "census", tmp_path / "out", WISH, inline)
    others = sum(row["source"] != "b" for row in DOCUMENTS)
    assert others
    assert found.left_out == found.document()["left_out"] == others
    assert found.counts["in"] == len(DOCUMENTS) - others == found.counts["kept"] + found.counts["dropped"]
    assert check_card(tmp_path / "out") == []
    seen = [
        row
        for kind in ("kept", "dropped")
        for path in (tmp_path / "out" / kind).iterdir()
        for row in pq.read_table(path).to_pylist()
    ]
    assert len(seen) == len(DOCUMENTS) - others


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two kinds in ``known`` and ``in``, and a detector of them in ``cal``."""
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("pictures")
    for part, n, seed in (("train", 40, 1), ("calibrate", 310, 2), ("in", 40, 3)):
        dice = np.random.default_rng(seed)
        for label in ("human", "ai"):
            (folder / part / label).mkdir(parents=True)
            for k in range(n if label == "human" else n // 2):
                coarse = dice.integers(0, 256, (16, 16), dtype=np.uint8)
                fine = dice.integers(0, 256, (32, 32), dtype=np.uint8)
                pixels = fine if label == "human" else coarse.repeat(2, 0).repeat(2, 1)
                image.fromarray(pixels).save(folder / part / label / f"{label}-{k}.png")
    more, known = ["--allow-artefacts"], str(folder / "calibrate")
    assert command_line(["detect", "fit", str(folder / "train"), "-o", str(folder / "det"), "--kind", "power-spectrum", *more]) == 0  # fmt: skip
    call = [
        "detect",
        "calibrate",
        str(folder / "det"),
        "--human",
        known,
        "--synthetic",
        known,
        "-o",
        str(folder / "cal"),
    ]
    assert command_line([*call, *more]) == 0
    return folder


def test_pictures_are_named_not_copied(pictures: Path, tmp_path: Path) -> None:
    shutil.copy(pictures / "in" / "human" / "human-1.png", pictures / "in" / "human" / "twice.png")
    census(pictures / "cal", pictures / "in", tmp_path / "census", by=(), size=20_000, declared="")
    found = curate(tmp_path / "census", tmp_path / "out", Wish("exclude", fdr=0.2, generations=1), inline)
    assert found.outlook is None
    assert "no text" in found.told
    assert check_card(tmp_path / "out") == []
    rows = {
        kind: [row for path in (tmp_path / "out" / kind).iterdir() for row in pq.read_table(path).to_pylist()]
        for kind in ("kept", "dropped")
    }
    paths = [row["path"] for row in (*rows["kept"], *rows["dropped"])]
    assert sorted(paths) == sorted(map(str, (pictures / "in").rglob("*.png")))
    assert [row["reason"] for row in rows["dropped"] if "twice" in row["path"]] == ["copy of an earlier document"]
    likely = [row for row in rows["dropped"] if "likely synthetic" in row["reason"]]
    assert sum("ai-" in row["path"] for row in likely) > 0.7 * len(likely) > 5


# --- what jobs are, and where files lie -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(place: Path) -> Path:
    """A corpus of one large Parquet file and one of lines, in several parts each, and its census."""
    source = place / "parts"
    source.mkdir()
    pq.write_table(pa.Table.from_pylist(DOCUMENTS[:120]), source / "a.parquet", row_group_size=30)
    (source / "b.jsonl").write_bytes(lines(DOCUMENTS[120:]))
    census(place / "cal", source, place / "of-parts", size=8_000)
    return place


def test_a_file_is_hashed_once_however_many_parts_it_has(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = sorting.sha256_of, []
    monkeypatch.setattr(sorting, "sha256_of", lambda path: (seen.append(Path(path).name), real(path))[1])

    def forgetful(function: Any, tasks: Any) -> Any:  # every task in another process
        for task in tasks:
            sorting._sha256.cache_clear()
            sorting._told.cache_clear()
            assert len(pickle.dumps(task)) < 5_000
            yield task, function(pickle.loads(pickle.dumps(task)))

    found = curate(parts / "of-parts", tmp_path / "out", WISH, forgetful)
    assert len(list((tmp_path / "out" / "kept").iterdir())) > 4
    assert sorted(seen) == ["a.parquet", "b.jsonl"]
    assert found.counts == curate(parts / "of-parts", tmp_path / "again", WISH, inline).counts
    seen.clear()
    curate(parts / "of-parts", tmp_path / "out", WISH, forgetful)
    assert seen == [], "what is sorted is not read again"
    assert not [
        path.name
        for path in (tmp_path / "out").iterdir()
        if path.name in (".deciding.json", ".archive.npy", ".declared.npy")
    ]


def test_jobs_stay_small_with_a_large_archive_and_many_rules(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = np.arange(1_000_000, dtype=np.uint64)
    monkeypatch.setattr(curating, "archived", lambda question: words)

    def watching(function: Any, tasks: Any) -> Any:
        for task in tasks:
            assert len(pickle.dumps(task)) < 5_000
            yield task, function(task)

    assert curate(parts / "of-parts", tmp_path / "out", WISH, watching).counted.archived == 0


@pytest.mark.parametrize("name", ["a.parquet", "b.jsonl"])
def test_a_change_of_a_file_of_several_parts_is_seen(name: str, parts: Path, tmp_path: Path) -> None:
    """As long as before, and in a column that no hash of a text covers."""
    shutil.copytree(parts / "parts", tmp_path / "in")
    census(parts / "cal", tmp_path / "in", tmp_path / "census", size=8_000)
    content = (tmp_path / "in" / name).read_bytes()
    (tmp_path / "in" / name).write_bytes(content.replace(b"2019", b"2018"))
    with pytest.raises(DataError, match="changed after the census"):
        curate(tmp_path / "census", tmp_path / "out", WISH, inline)


def test_a_census_may_move_and_relative_files_are_looked_for_where_it_was_started(
    place: Path, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(parts / "parts", tmp_path / "work" / "in")
    monkeypatch.chdir(tmp_path / "work")
    census(place / "cal", Path("in"), Path("census"), size=8_000)
    wanted = curate("census", "out", WISH, inline).counts
    shutil.move(tmp_path / "work" / "census", tmp_path / "moved")
    assert curate(tmp_path / "moved", tmp_path / "out", WISH, inline).counts == wanted
    os.chdir(tmp_path)
    with pytest.raises(DataError, match="relative to the folder it was started in"):
        curate(tmp_path / "moved", tmp_path / "other", WISH, inline)
    assert not (tmp_path / "other").exists()


# --- watermarks -----------------------------------------------------------------------------------------------------


def test_watermarked_documents_go_and_their_price_is_said(place: Path, home: Path, tmp_path: Path) -> None:  # noqa: F811
    """Those that the census calls marked, and no others; how many of them may be human is told."""
    found_in = [json.loads(line)["text"] for line in (home / "corpus.jsonl").read_text().splitlines()][:90]
    rows = [
        {**DOCUMENTS[0], "id": f"{'marked' if k >= 60 else 'letters'}-{k}", "text": text}
        for k, text in enumerate(found_in)
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_bytes(lines(DOCUMENTS + rows))
    keys = tmp_path / "keys.json"
    keys.write_text(
        json.dumps({"schema": "remission/watermark-keys/1", "keys": {key.name: list(key.values) for key in KEYS}})
    )
    keys.chmod(0o600)
    census(
        place / "cal",
        tmp_path / "in",
        tmp_path / "census",
        size=20_000,
        profiles=home / "profiles.json",
        keys=(str(keys),),
    )
    found = curate(tmp_path / "census", tmp_path / "out", WISH, inline)
    dropped = [row for path in (tmp_path / "out" / "dropped").iterdir() for row in pq.read_table(path).to_pylist()]
    called = [row["id"] for row in dropped if row["reason"] == sorting.MARKED_REASON]
    assert len(called) == found.counted.marked == found.reasons[sorting.MARKED_REASON]
    assert sum(name.startswith("marked-") for name in called) >= 28
    assert sum(not name.startswith("marked-") for name in called) <= 4
    told = next(line for line in found.warnings if "watermarked" in line)
    assert "expected to be human" in told
    assert found.before.high > found.after.high
