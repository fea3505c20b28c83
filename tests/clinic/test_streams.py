"""Arrow batches in and out: every row once, in order, with the very numbers of the detector and of a census."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission.calibration.calibrated import Calibrated
from remission.clinic.streams import NAMES, RowJudge, judge_batches, judged_schema
from remission.corpus import held
from remission.corpus.reading import Fields
from remission.corpus.streaming import Limits
from remission.documents import Documents
from remission.errors import DataError, SpecError, StoreError
from tests.adapters.detector import made, rows

ADDED = [f"synthetic_{name}" for name in NAMES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("streams") / "cal")


@pytest.fixture(scope="module")
def detector(folder: Path) -> Calibrated:
    return Calibrated.load(folder)


def judged(batches: Any, detector: Any, **more: Any) -> pa.Table:
    return pa.Table.from_batches(judge_batches(batches, detector, **more))


def typed(values: list[Any], kind: Any) -> Any:
    """An Arrow array of texts in any layout."""
    if not pa.types.is_dictionary(kind):
        return pa.array(values, kind)
    inner = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(inner.indices, inner.dictionary.cast(kind.value_type))


def same(found: pa.Table, table: list[dict[str, Any]], detector: Calibrated) -> None:
    """The added columns are what the detector says of each usable row by itself, bit for bit."""
    for place, row in enumerate(table):
        got = {name: found[f"synthetic_{name}"][place].as_py() for name in NAMES}
        text = row["text"]
        if text is None or not text.strip():
            assert got == dict.fromkeys(NAMES) | {"reason": "no 'text'" if text is None else "'text' is empty"}
            continue
        one = detector.judge(Documents([text], {"domain": np.array([row["domain"]])}))
        assert got == {
            "score": one.score[0], "p": None if np.isnan(one.p[0]) else one.p[0],
            "called": bool(one.flagged[0]) if one.decided[0] else None, "reason": str(one.reason[0]) or None,
            "stratum": str(one.stratum[0]) or None,
        }  # fmt: skip


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int32(), pa.string_view())], ids=str)  # fmt: skip
def test_each_row_gets_what_the_detector_says_of_it(kind: Any, detector: Calibrated) -> None:
    table = rows()
    columns = {
        "text": typed([row["text"] for row in table], kind),
        "domain": typed([row["domain"] for row in table], kind),
    }
    batch = pa.RecordBatch.from_pydict(columns)
    found = judged(batch, detector, limits=Limits(batch_rows=7))
    same(found, table, detector)
    counts = {name: found[f"synthetic_{name}"].null_count for name in NAMES}
    assert 0 < counts["score"] < counts["p"] == counts["called"] == 60 - counts["reason"]
    assert set(found["synthetic_called"].to_pylist()) == {True, False, None}
    assert found.select(["text", "domain"]).to_batches()[0].equals(batch)


def test_a_wrong_score_would_be_noticed(detector: Calibrated) -> None:
    table = rows(10)
    found = judged(pa.Table.from_pylist(table), detector)
    column = [value if value is None else np.nextafter(value, 2) for value in found["synthetic_score"].to_pylist()]
    with pytest.raises(AssertionError):
        same(
            found.set_column(found.column_names.index("synthetic_score"), "synthetic_score", [column]), table, detector
        )
    with pytest.raises(AssertionError):
        same(found.take([1, 0, *range(2, 10)]), table, detector)


@pytest.mark.parametrize("cut", [1, 3, 59, 1000])
def test_the_cuts_of_a_stream_change_nothing(cut: int, folder: Path) -> None:
    table = pa.Table.from_pylist(rows()).replace_schema_metadata({"made": "by hand"})
    whole = judged(table, folder)
    batches = table.to_batches(max_chunksize=cut)
    pieces = list(judge_batches(iter(batches), folder, limits=Limits(batch_rows=5, batch_bytes=2000)))
    assert [piece.num_rows for piece in pieces] == [batch.num_rows for batch in batches]
    assert pa.Table.from_batches(pieces).equals(whole, check_metadata=True)
    assert pieces[0].schema.equals(judged_schema(table.schema), check_metadata=True)
    assert whole.schema.metadata == {b"made": b"by hand"}
    assert whole.column_names == [*table.column_names, *ADDED]


def test_the_numbers_are_those_of_a_census(folder: Path, detector: Calibrated, tmp_path: Path) -> None:
    from remission.clinic.census.parts import read_rows
    from remission.clinic.census.running import run_census
    from remission.clinic.census.scoring import Judge
    from remission.clinic.census.units import Config
    from tests.clinic.census.test_census import inline

    table = rows()
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, table)))
    run_census([tmp_path / "in.jsonl"], Judge.load(folder), tmp_path / "out", Config(), inline)
    (part,) = (tmp_path / "out" / "parts").rglob("*.parquet")
    theirs = {row["id"]: row for row in read_rows(part).to_pylist() if row["status"] == "kept"}
    ours = judged(pa.Table.from_pylist(table), folder).to_pylist()
    assert len(theirs) == sum(bool(row["text"] and row["text"].strip()) for row in table) > 50
    decided = 0
    for row in ours:
        other = theirs.get(row["id"])
        if other is None:
            assert row["synthetic_reason"] in ("no 'text'", "'text' is empty")
            continue
        assert (row["synthetic_reason"] or "").split(":")[0] == other["reason"]
        if not other["reason"]:
            decided += 1
            assert (row["synthetic_score"], row["synthetic_called"], row["synthetic_stratum"]) == (
                other["score"], other["flagged"], other["cell"],
            )  # fmt: skip
    assert decided > 30


def test_a_stream_is_taken_batch_by_batch(detector: Calibrated) -> None:
    taken = []

    def batches() -> Any:
        for batch in pa.Table.from_pylist(rows()).to_batches(max_chunksize=10):
            taken.append(batch)
            yield batch

    stream = judge_batches(batches(), detector)
    assert taken == []
    next(stream)
    assert len(taken) == 1
    next(stream)
    assert len(taken) == 2


@pytest.mark.parametrize("form", ["table", "reader", "batch", "list", "dataset", "capsule"])
def test_whatever_gives_batches(form: str, detector: Calibrated, tmp_path: Path) -> None:
    import pyarrow.dataset as ds

    table = pa.Table.from_pylist(rows(20))
    pq.write_table(table, tmp_path / "rows.parquet")

    class Capsule:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return table.__arrow_c_stream__(requested_schema)

    forms = {
        "table": table, "reader": table.to_reader(), "batch": table.to_batches()[0], "list": table.to_batches(),
        "dataset": ds.dataset(tmp_path / "rows.parquet"), "capsule": Capsule(),
    }  # fmt: skip
    assert judged(forms[form], detector).equals(judged(table, detector))


def test_a_mixed_stream_and_rows_that_are_no_text(detector: Calibrated) -> None:
    table = rows(12)
    texts, domains = [row["text"] for row in table], pa.array([row["domain"] for row in table])
    broken = pa.array([b"\xff\xfe bytes", *(text and text.encode() for text in texts[1:])], pa.binary()).view(
        pa.string()
    )
    empty = pa.RecordBatch.from_pydict({"text": pa.array([], pa.string()), "domain": pa.array([], pa.string())})
    columns = [
        pa.array(texts), typed(texts, pa.dictionary(pa.int8(), pa.large_string())), broken, pa.array([7] * 12),
        pa.nulls(12), pa.array([["a"]] * 12), pa.array([b"x"] * 12), typed([None] * 12, pa.dictionary(pa.int32(), pa.string())),
    ]  # fmt: skip
    batches = [pa.RecordBatch.from_arrays([column, domains], ["text", "domain"]) for column in columns]
    found = list(judge_batches([*batches, empty], detector))
    assert [one.num_rows for one in found] == [12] * 8 + [0]
    for one in found[:2]:
        same(pa.Table.from_batches([one]), table, detector)
    assert found[2]["synthetic_reason"][0].as_py() == "not UTF-8"
    same(pa.Table.from_batches([found[2].slice(1)]), table[1:], detector)
    reasons = [set(one["synthetic_reason"].to_pylist()) for one in found[3:8]]
    kinds = ["int64", "list<item: string>", "binary"]
    wrong = [{f"the column 'text' is no text: {kind}"} for kind in kinds]
    assert reasons == [wrong[0], {"no 'text'"}, wrong[1], wrong[2], {"no 'text'"}]
    for one in found[3:8]:
        assert all(one[f"synthetic_{name}"].null_count == 12 for name in ("score", "p", "called", "stratum"))


LAYOUTS = [
    pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.uint32(), pa.large_string()), pa.dictionary(pa.int64(), pa.string_view()),
]  # fmt: skip


def test_any_layout_slice_and_limit_says_what_plain_rows_get(detector: Calibrated) -> None:
    rng = random.Random(1)
    for case in range(60):
        chosen = rng.choices(rows(), k=rng.randrange(40))
        texts = [row["text"] for row in chosen]
        domains = [rng.choice([row["domain"], None]) for row in chosen]
        columns = [typed(domains, rng.choice(LAYOUTS)), typed(texts, rng.choice(LAYOUTS))]
        limits = Limits(rng.choice([2000, 10**6]), rng.randrange(1, 50), rng.choice([1, 500, 10**6]))
        first = rng.randrange(len(chosen) + 1)
        last = rng.randrange(first, len(chosen) + 1)
        batch = pa.RecordBatch.from_arrays(columns, ["domain", "text"]).slice(first, last - first)
        (found,) = judge_batches(batch, detector, limits=limits)
        said = RowJudge(detector, limits=limits).of_rows(texts[first:last], {"domain": domains[first:last]}).lists()
        assert {name: found[f"synthetic_{name}"].to_pylist() for name in NAMES} == said, case
        found.validate(full=True)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of the texts of every block, as they are laid out."""
    sizes = []
    plain = held._plain

    def watch(values: Any) -> Any:
        found = plain(values)
        sizes.append(found.nbytes)
        return found

    monkeypatch.setattr(held, "_plain", watch)
    return sizes


@pytest.mark.parametrize("pointed", [False, True])
def test_too_long_is_said_and_the_neighbours_are_judged(
    pointed: bool, detector: Calibrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = rows(9)
    long = [dict(row, text="word " * 20_000) if k in (0, 4, 5, 8) else row for k, row in enumerate(table)]
    texts = typed([row["text"] for row in long], pa.dictionary(pa.int32(), pa.string()) if pointed else pa.string())
    batch = pa.RecordBatch.from_pydict({"text": texts, "domain": [row["domain"] for row in table]})
    sizes = watched(monkeypatch)
    found = judged(batch, detector, limits=Limits(document=50_000))
    assert max(sizes) < 20_000  # the long ones are not even laid out
    for k in (0, 4, 5, 8):
        assert found["synthetic_reason"][k].as_py() == "'text' has more than 50,000 bytes"
        assert found["synthetic_score"][k].as_py() is None
    rest = [k for k in range(9) if k not in (0, 4, 5, 8)]
    same(found.take(rest), [table[k] for k in rest], detector)


def test_texts_are_unpacked_with_their_block_only(detector: Calibrated, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes that stand for many are never laid out at once."""
    texts = typed(["one " * 500] * 400, pa.dictionary(pa.int32(), pa.string()))
    batch = pa.RecordBatch.from_pydict({"text": texts, "domain": ["news"] * 400})
    held_at_once = watched(monkeypatch)
    found = judged(batch, detector, limits=Limits(batch_bytes=20_000))
    assert found["synthetic_score"].null_count == 0
    assert max(held_at_once) < 25_000 < batch.num_rows * 2000


def test_a_document_the_detector_fails_on_is_alone(detector: Calibrated) -> None:
    table = rows(12)

    class Fragile:
        fitted, strata = detector.fitted, detector.strata

        def judge(self, documents: Documents, fpr: float | None = None) -> Any:
            if any("boom" in item for item in documents.items):
                raise ZeroDivisionError("no words")
            return detector.judge(documents, fpr)

    bad = [dict(row, text="boom") if k == 5 else row for k, row in enumerate(table)]
    found = judged(pa.Table.from_pylist(bad), Fragile())
    assert found["synthetic_reason"][5].as_py() == "the detector failed (ZeroDivisionError: no words)"
    rest = [k for k in range(12) if k != 5]
    same(found.take(rest), [table[k] for k in rest], detector)
    with pytest.raises(ZeroDivisionError):  # it fails on everything: that is no matter of one row
        judged(pa.Table.from_pylist([dict(row, text="boom") for row in table]), Fragile())


def test_fields_fpr_and_prefix(detector: Calibrated) -> None:
    table = pa.Table.from_pylist(rows()).rename_columns(["id", "body", "kind"])
    fields = Fields(text="body", domain="kind")
    found = judged(table, detector, fields=fields, prefix="ai_")
    assert found["ai_score"].to_pylist() == judged(table.rename_columns(["id", "text", "domain"]), detector)["synthetic_score"].to_pylist()  # fmt: skip
    loose = judged(table, detector, fields=fields, fpr=0.3)
    assert loose["synthetic_called"].to_pylist().count(True) > found["ai_called"].to_pylist().count(True)
    one = judged(table, detector, fields=Fields(text="body", domain_is="news"))
    assert set(one["synthetic_stratum"].to_pylist()) == {"domain=news", None}
    some = judged(table, detector, fields=dataclasses.replace(fields, where={"kind": {"web"}}))
    here = [kind == "web" for kind in table["kind"].to_pylist()]
    assert [reason == "filtered" for reason in some["synthetic_reason"].to_pylist()] == [not yes for yes in here]
    without = judged(table.drop_columns(["kind"]), detector, fields=fields)
    assert "no column 'domain'" in without["synthetic_reason"][0].as_py()
    assert without["synthetic_called"].null_count == 60


def test_what_cannot_be_is_one_clear_message(detector: Calibrated, tmp_path: Path) -> None:
    table = pa.Table.from_pylist(rows(5))
    with pytest.raises(DataError, match=r"No column 'txt' for the text\. Did you mean 'text'\?"):
        judged(table, detector, fields=Fields(text="txt"))
    with pytest.raises(DataError, match="'synthetic_p' already"):
        judged(table.append_column("synthetic_p", pa.array([0.5] * 5)), detector)
    with pytest.raises(DataError, match="2 columns have the name 'text'"):
        judged(table.append_column("text", table["text"]), detector)
    with pytest.raises(DataError, match=r"takes Arrow record batches\. Got a dict"):
        list(judge_batches([{"text": ["a"]}], detector))
    with pytest.raises(DataError, match="Got a int"):
        judge_batches(3, detector)
    with pytest.raises(SpecError, match="fpr"):  # before anything is read
        judge_batches(table, detector, fpr=2.0)
    with pytest.raises(StoreError, match="no folder of a detector"):
        judge_batches(table, tmp_path / "none")


def test_what_has_no_rows_gives_a_batch_with_all_columns(detector: Calibrated, tmp_path: Path) -> None:
    import pyarrow.dataset as ds

    schema = pa.schema(
        [pa.field("text", pa.string(), nullable=False), ("label", pa.dictionary(pa.int8(), pa.string())), ("n", pa.int64())],
        metadata={"made": "here"},
    )  # fmt: skip
    table = schema.empty_table()
    pq.write_table(table, tmp_path / "empty.parquet")
    files = ds.dataset(tmp_path / "empty.parquet")
    for source in (
        pa.Table.from_batches([], schema), table, table.to_reader(), pa.RecordBatchReader.from_batches(schema, []),
        files, files.scanner(columns=["text", "n"]),
    ):  # fmt: skip
        found = judged(source, detector)
        names = ["text", "n"] if isinstance(source, ds.Scanner) else schema.names
        assert (found.num_rows, found.column_names) == (0, [*names, *ADDED]), source
    assert judged(table, detector).schema == judged_schema(schema)
    assert judged(table, detector).schema.metadata == schema.metadata
    assert list(judge_batches([], detector)) == []  # what has no schema has no columns
    with pytest.raises(DataError, match="text"):
        judged(pa.schema([("body", pa.string())]).empty_table(), detector)
