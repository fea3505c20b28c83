"""Columns of the corpus come along with its documents, and decide nothing."""

from __future__ import annotations

import csv
import json
import os
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from remission import SpecError, StoreError
from remission.cli import _run as command_line
from remission.clinic.curation.card import check_card
from remission.clinic.curation.curating import Wish, curate, local
from tests.clinic.curation.corpus import census, detector, documents, inline
from tests.clinic.curation.test_curating_trouble import same

WISH = Wish("exclude", generations=1)
NONE = Wish("exclude", generations=1, columns="none")
OWN = {
    "url": pa.string(), "quality": pa.float64(), "lines": pa.int32(), "seen": pa.timestamp("us"), "raw": pa.binary(),
    "tags": pa.list_(pa.string()), "meta": pa.struct([("license", pa.string()), ("hits", pa.list_(pa.int64()))]), "weight": pa.int64(),
}  # fmt: skip


def more(k: int) -> dict[str, Any]:
    """What is beside document k."""
    return {
        "url": None if k % 5 == 0 else f"https://example.org/{k}?ü", "quality": k / 8, "lines": k,
        "seen": f"20{k % 20 + 10}-01-02T03:04:05", "tags": [f"t{n}" for n in range(k % 3)], "raw": bytes([k % 256]),
        "meta": None if k % 7 == 0 else {"license": "cc0", "hits": [k, None]}, "weight": 1000 + k,
    }  # fmt: skip


def arrow(rows: list[dict[str, Any]], first: int, names: tuple[str, ...] = tuple(OWN)) -> Any:
    """A table of documents and some of the columns."""
    import datetime

    found = pa.Table.from_pylist(rows)
    for name in names:
        values = [more(first + k)[name] for k in range(len(rows))]
        values = [datetime.datetime.fromisoformat(one) for one in values] if name == "seen" else values
        found = found.append_column(name, pa.array(values, OWN[name]))
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two Parquet files that differ, JSONL, CSV and text in ``in``; a detector, the census, the curation in ``whole``."""
    folder = tmp_path_factory.mktemp("columns")
    detector(folder, 400)
    rows, source = documents(150, 60), folder / "in"
    source.mkdir()
    step = len(rows) // 4
    pq.write_table(arrow(rows[:step], 0), source / "a.parquet", row_group_size=20)
    second = arrow(rows[step : 2 * step], step, ("url", "quality", "meta", "weight"))
    pq.write_table(
        second.set_column(second.schema.names.index("quality"), "quality", pa.array(["high"] * step)),
        source / "b.parquet",
    )
    lines = []
    for k, row in enumerate(rows[2 * step : 3 * step], 2 * step):
        beside = {name: value for name, value in more(k).items() if name != "raw"}
        lines.append(json.dumps({"url": beside["url"], **row, **beside}, ensure_ascii=k % 2 == 0))
    (source / "c.jsonl").write_text("\n".join(["{broken", *lines]), "utf-8")
    with open(source / "d.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "url", "rank"])
        writer.writeheader()
        writer.writerows(
            {**row, "url": more(k)["url"] or "", "rank": f"0{k}"} for k, row in enumerate(rows[3 * step :], 3 * step)
        )
    census(folder / "cal", source, folder / "census", size=8_000)
    curate(folder / "census", folder / "whole", WISH, inline)
    return folder


def rows_of(folder: Path, kind: str = "*") -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob(f"{kind}/*.parquet")) for row in pq.read_table(path).to_pylist()]


def source_rows(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """(file, place) -> what the row there holds besides, by other readers."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for name in ("a.parquet", "b.parquet"):
        found |= {(name, k): row for k, row in enumerate(pq.read_table(folder / name).to_pylist(), 1)}
    at = 0
    for line in (folder / "c.jsonl").read_bytes().splitlines(keepends=True):
        found["c.jsonl", at] = {"fields": line.decode().strip()}
        at += len(line)
    with open(folder / "d.csv", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        found.update((("d.csv", reader.line_num), row) for row in reader)
    return found


def test_every_row_has_the_values_of_its_own(place: Path) -> None:
    source, rows = source_rows(place / "in"), rows_of(place / "whole")
    assert len(rows) == len(documents(150, 60))
    files = Counter(Path(row["file"]).name for row in rows)
    assert len(files) == 4
    for row in rows:
        name = Path(row["file"]).name
        own = source[name, row["place"]]
        if name == "c.jsonl":
            given = json.loads(own["fields"])
            read = {"text", "id", "domain", "source", "generator", "date"}
            assert list(json.loads(row["fields"]).items()) == [
                (key, one) for key, one in given.items() if key not in read
            ]
            assert all(row[field] is None for field in ("url", "quality", "meta", "rank", "weight_"))
            continue
        for field in (*OWN, "rank"):
            value = own.get(field)
            value = str(value) if field == "quality" and value is not None else value
            assert row["weight_" if field == "weight" else field] == value, (name, field)
        assert row["fields"] is None
    assert {row["quality"] for row in rows if row["file"].endswith("b.parquet")} == {"high"}


def test_all_files_have_one_schema_that_is_told(place: Path, tmp_path: Path) -> None:
    out = place / "whole"
    kept = {str(pq.read_schema(path)) for path in (out / "kept").iterdir()}
    schema = pq.read_schema(next((out / "kept").iterdir()))
    assert len(kept) == 1
    assert all(pq.read_schema(path).remove(len(schema)).equals(schema) for path in (out / "dropped").iterdir())
    assert len(list((out / "kept").iterdir())) > 4
    told = {
        row["name"]: (row["field"], row["type"]) for row in json.loads((out / "curation.json").read_text())["carried"]
    }
    assert told["quality"] == ("quality", "large_string")
    assert told["weight_"] == ("weight", "int64")
    assert told["fields"] == (None, "large_string")
    assert told["tags"][1] == "list<item: string>"
    assert {name: schema.field(name).type for name in OWN if name not in ("quality", "weight")} == {
        name: kind for name, kind in OWN.items() if name not in ("quality", "weight")
    }
    assert pyarrow.dataset.dataset(out / "kept").count_rows() == len(rows_of(out, "kept"))
    assert check_card(out) == []
    loaded = pytest.importorskip("datasets").load_dataset(str(out), cache_dir=str(tmp_path))["train"]
    assert [loaded[k]["meta"] for k in range(5)] == [row["meta"] for row in rows_of(out, "kept")[:5]]


def test_the_card_describes_them(place: Path) -> None:
    out = place / "whole"
    card = json.loads((out / "croissant.json").read_text())
    fields = {one["name"]: one for one in card["recordSet"][0]["field"]}
    kinds = {
        name: fields[name]["dataType"] for name in ("url", "lines", "seen", "tags", "weight_", "quality", "fields")
    }
    assert kinds == {
        "url": "sc:Text", "lines": "sc:Integer", "seen": "sc:DateTime", "tags": "sc:Text", "weight_": "sc:Integer", "quality": "sc:Text",
        "fields": "sc:Text",
    }  # fmt: skip
    assert fields["tags"]["repeated"] is True
    assert "repeated" not in fields["url"]
    assert fields["weight_"]["description"] == "'weight' of the corpus"
    assert "meta, raw" in card["recordSet"][0]["description"].replace("raw, meta", "meta, raw")
    assert "'weight' of the corpus" in (out / "README.md").read_text()
    mlcroissant = pytest.importorskip("mlcroissant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(mlcroissant.Dataset(str(out / "croissant.json")).records("kept"))
    wanted = {row["id"]: row for row in rows_of(out, "kept")}
    assert len(found) == len(wanted)
    for row in found:
        own = wanted[row["kept/id"].decode()]
        assert row["kept/url"] == (None if own["url"] is None else own["url"].encode())
        assert row["kept/lines"] == own["lines"] or own["lines"] is None
        if own["tags"] is not None:
            assert [one.decode() for one in row["kept/tags"]] == own["tags"]


def test_they_decide_nothing(place: Path, tmp_path: Path) -> None:
    curate(place / "census", tmp_path / "none", NONE, inline)
    curate(place / "census", tmp_path / "some", Wish("exclude", generations=1, columns=("tags", "url", "date")), inline)
    ours = ("id", "text", "weight", "reason", "score", "stratum", "file", "place", "date", "domain")
    for kind in ("kept", "dropped"):
        plain, few, whole = (
            rows_of(folder, kind) for folder in (tmp_path / "none", tmp_path / "some", place / "whole")
        )
        assert not set(plain[0]) & {"url", "tags", "fields", "weight_"}
        assert set(few[0]) - set(plain[0]) == {"url", "tags"}
        for name in ours:
            assert (
                [row.get(name) for row in plain] == [row.get(name) for row in few] == [row.get(name) for row in whole]
            )
    one, other = (json.loads((folder / "curation.json").read_text()) for folder in (tmp_path / "none", place / "whole"))
    assert {**one, "folder": "", "id": "", "columns": "", "carried": []} == {
        **other,
        "folder": "",
        "id": "",
        "columns": "",
        "carried": [],
    }
    lines = [row for row in rows_of(tmp_path / "some") if row["file"].endswith("c.jsonl")]
    assert {row["tags"] for row in lines} >= {"[]", '["t0", "t1"]'}
    with pytest.raises(StoreError, match=r"another curation .*columns"):
        curate(place / "census", tmp_path / "none", WISH, inline)


def test_processes_make_the_same(place: Path, tmp_path: Path) -> None:
    curate(place / "census", tmp_path / "out", WISH, local(2))
    assert same(tmp_path / "out", place / "whole")


def test_a_crash_at_any_rename_loses_nothing(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, crashed = os.replace, list[str]()

    def failing(given: Any, target: Any) -> None:
        name = re.sub(r"-\d+\.aside$", "", str(target))
        if name not in crashed and Path(name).is_relative_to(tmp_path) and len(crashed) < 6:
            crashed.append(name)
            raise KeyboardInterrupt
        real(given, target)

    for _ in range(7):
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", failing)
            try:
                curate(place / "census", tmp_path / "out", WISH, inline)
            except KeyboardInterrupt:
                continue
            break
    assert len(crashed) == 6
    assert same(tmp_path / "out", place / "whole")


def test_what_cannot_be_had_is_said(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = documents(150, 60)
    (tmp_path / "in").mkdir()
    broken = pa.array([b"\xff" if k % 50 == 0 else b"fine" for k in range(len(rows))]).view(pa.string())
    pq.write_table(pa.Table.from_pylist(rows).append_column("url", broken), tmp_path / "in" / "a.parquet")
    census(place / "cal", tmp_path / "in", tmp_path / "census", size=20_000)
    call = [
        "curate",
        str(tmp_path / "census"),
        "-o",
        str(tmp_path / "out"),
        "--policy",
        "exclude",
        "--generations",
        "1",
    ]
    assert command_line(call) == 0
    seen = capsys.readouterr()
    bad = len(range(0, len(rows), 50))
    assert "columns of the corpus carried along: url" in seen.out
    said = f"{bad} values of columns that are carried along could not be had and are null: url: cannot be read, {bad} times"
    assert said in " ".join(seen.err.split())
    assert command_line([*call, "--json"]) == 0  # of finished parts
    told = json.loads(capsys.readouterr().out)
    assert told["unread"] == {"url: cannot be read": bad}
    assert told["carried"] == [{"name": "url", "field": "url", "type": "string"}]
    assert told["columns"] == "all"
    assert told["accounting"]["quarantined"] == 0
    assert Counter(row["url"] for row in rows_of(tmp_path / "out")) == {None: bad, "fine": len(rows) - bad}


def test_names_are_checked_before_anything_is_written(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["curate", str(place / "census"), "-o", str(tmp_path / "out"), "--policy", "exclude"]
    assert command_line([*call, "--columns", "url,licence,met"]) == 2
    assert "No file of the corpus has a column 'licence'" in capsys.readouterr().err
    assert command_line([*call, "--columns", "met"]) == 2
    assert "'meta'" in capsys.readouterr().err
    assert command_line([*call, "--columns", ","]) == 2
    assert not (tmp_path / "out").exists()
    wrong: Any
    for wrong in ("some", (), ("",), (1,)):
        with pytest.raises(SpecError, match=r"[Cc]olumns"):
            Wish("exclude", columns=wrong)
