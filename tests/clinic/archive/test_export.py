"""What goes out: layouts that others' validators accept, proofs that hold without the archive, batches that never overlap."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remission.clinic.archive._formats import rows
from remission.clinic.archive._layout import data_of
from remission.clinic.archive.adding import add
from remission.clinic.archive.changing import amend, erase_items, rotate
from remission.clinic.archive.exporting import FORMATS, check_export, export
from remission.clinic.archive.proving import Prover
from remission.clinic.archive.queues import make_queue, read_answers
from remission.clinic.archive.record import about
from remission.clinic.archive.review import record_answers
from remission.clinic.archive.sampling import sample, write_sample
from remission.clinic.archive.writing import create
from remission.errors import DataError, SpecError, StoreError, VerificationError
from remission.gold.archive import Archive
from remission.gold.canonical import canonical
from remission.gold.signing import load_signer, new_signer

from .archive_tools import standalone

COLLECTION = {"title": "Letters", "issuer": "The library", "method": "scanned", "licence": "CC0-1.0"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An archive of 12 texts and a picture; one is erased, one has another licence, the key changed, 10 are certified."""
    folder, signer = tmp_path / "archive", new_signer(tmp_path / "key")
    create(folder, "gold letters", signer)
    rows = [{"id": f"letter/{n}", "text": f"Dear reader {n}, \u20ac and \u0001.", "language": "en"} for n in range(12)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = about({"collection": COLLECTION, "item": {"language": "en", "collected": "2019", "dated_by": "publisher"}})
    add(folder, signer, [tmp_path / "a.jsonl"], told)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.png").write_bytes(b"\x89PNG\r\n\xff")
    add(folder, signer, [tmp_path / "pictures"], told, pictures=True)
    amend(folder, signer, ["letter/1"], {"licence": "MIT"}, "asked", "us")
    new = new_signer(tmp_path / "key-1")
    rotate(folder, signer, new)
    erase_items(folder, new, ["letter/0"], "request", "us")
    return tmp_path


def certify(place: Path, count: int = 20) -> None:
    folder, signer = place / "archive", load_signer(place / "key-1")
    erase_items(folder, signer, ["one.png"], "a picture cannot be queued", "us")
    make_queue(folder, signer, place / "q", count=count)
    for who in ("ann", "bob"):
        rows = [
            json.loads(line) | {"verdict": "human", "reviewer": who} for line in (place / "q").read_text().splitlines()
        ]
        (place / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        record_answers(folder, signer, place / "q.key", read_answers(place / "said.jsonl", ""), partial=True)


@pytest.mark.parametrize("to", FORMATS)
def test_exports_hold_what_the_archive_holds_with_proofs(to: Any, place: Path) -> None:
    archive, out = Archive(place / "archive"), place / "out"
    found = export(archive, out, to)
    assert (found.items, found.erased, found.licences) == (12, 1, ("CC0-1.0", "MIT"))
    assert check_export(out, archive.origin) == 12
    inner = out / "data" if to == "bagit" else out
    standalone().proof(inner / "proofs.jsonl", "", archive.origin)
    held = {row["id"]: row["content"] for row in rows(data_of(out))}
    assert held == {item: archive.content(item) for item in archive.log.items if item != "letter/0"}
    with pytest.raises(StoreError, match="exists"):
        export(archive, out, to)
    assert not list(place.glob(".out*"))
    with pytest.raises(VerificationError, match="is of the archive"):
        check_export(out, "0" * 64)


WRONG = {
    "id": "another", "text": "another", "sha256": "0" * 64, "licence": "0BSD", "language": "fr", "modality": "audio",
    "collected": "2018", "dated_by": "unknown", "certified": True, "entry": 3, "record": "{}",
}  # fmt: skip


@contextlib.contextmanager
def changed_column(inner: Path, name: str, value: Any) -> Iterator[None]:
    """An export in which one value of one row is another, and put back afterwards."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = next(
        path
        for path in (inner / "items.jsonl", inner / "data.parquet", inner / "data" / "train-00000-of-00001.parquet")
        if path.is_file()
    )
    path, before = data, data.read_bytes()
    if data.suffix == ".parquet":
        table = pq.read_table(data)
        found = table.to_pylist()
        found[2][name] = value
        pq.write_table(pa.Table.from_pylist(found, table.schema), data)
    else:
        listed = [json.loads(line) for line in before.splitlines()]
        if name == "text":
            path = inner / listed[2]["file"]
            before = path.read_bytes()
            path.write_text(value)
        else:
            listed[2][name] = value
            data.write_text("".join(json.dumps(one) + "\n" for one in listed))
    yield
    path.write_bytes(before)


@pytest.mark.parametrize("to", FORMATS)
def test_a_changed_export_is_found(to: Any, place: Path) -> None:
    archive = Archive(place / "archive")
    export(archive, place / "out", to)
    inner = place / "out" / "data" if to == "bagit" else place / "out"
    proofs = (inner / "proofs.jsonl").read_bytes()
    lines = proofs.splitlines(keepends=True)
    for changed in (
        proofs.replace(b"letter/2", b"letter/X", 1),
        b"".join([lines[0], *lines[2:]]),
        b"".join([*lines, lines[-1]]),
    ):
        (inner / "proofs.jsonl").write_bytes(changed)
        if changed.count(b"\n") <= len(lines):
            with pytest.raises(VerificationError):
                check_export(place / "out")
    (inner / "proofs.jsonl").write_bytes(proofs)
    for name, value in WRONG.items():
        with changed_column(inner, name, value), pytest.raises(VerificationError, match="is not what was signed"):
            check_export(place / "out")
    assert check_export(place / "out") == 12
    for folder in (place / "nowhere", place):
        with pytest.raises(DataError, match="no export"):
            check_export(folder)


def forged(table: Path, target: Path, **values: Any) -> None:
    """A copy of a Parquet file with other values in its third row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = pq.read_table(table)
    found = held.to_pylist()
    found[2] |= values
    pq.write_table(pa.Table.from_pylist(found, held.schema), target)


def test_data_that_no_proof_speaks_of_is_found(place: Path) -> None:
    archive, shard = Archive(place / "archive"), "data/train-00000-of-00001.parquet"
    export(archive, place / "parquet", "parquet")
    export(archive, place / "huggingface", "huggingface")
    export(archive, place / "bagit", "bagit")
    genuine = (place / "huggingface" / shard).read_bytes()
    card = (place / "huggingface" / "README.md").read_text()
    listed = (place / "bagit" / "data" / "items.jsonl").read_bytes()
    for to, name, content in (
        ("huggingface", "data/train-00001-of-00002.parquet", genuine),
        ("huggingface", "data.parquet", genuine),
        ("huggingface", "items.jsonl", listed),
        ("huggingface", "data/items.jsonl", listed),
        ("huggingface", "bagit.txt", b"BagIt-Version: 1.0"),
        ("huggingface", "other.py", b""),
        ("huggingface", "README.md", card.replace("data/train-*", ".hidden/*").encode()),
        ("huggingface", "README.md", card.replace("---", "---\ndata_files: .hidden/x.parquet", 1).encode()),
        ("parquet", "items.jsonl", listed),
        ("parquet", shard, genuine),
        ("bagit", f"data/items/{'0' * 64}.txt", b"forged"),
        ("bagit", "data/items/.hidden", b"forged"),
        ("bagit", "data.parquet", genuine),
        ("bagit", "data/more/x", b""),
    ):
        path = place / to / name
        before, new = path.read_bytes() if path.exists() else None, not path.parent.exists()
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        with pytest.raises(DataError if name == "bagit.txt" else VerificationError):
            check_export(place / to)
        path.unlink()
        if before is not None:
            path.write_bytes(before)
        if new:
            path.parent.rmdir()
        assert check_export(place / to) == 12, (to, name)
    table = place / "parquet" / "data.parquet"
    forged(table, table, content=b"FORGED")
    with pytest.raises(VerificationError, match="another content"):
        check_export(place / "parquet")


def test_proofs_that_say_nothing_are_refused(place: Path) -> None:
    archive, out = Archive(place / "archive"), place / "out"
    export(archive, out)
    whole = (out / "proofs.jsonl").read_bytes()
    number = next(number for number, entry in archive.log.entries() if entry["event"] == "key")
    for line, kind in (
        (canonical(Prover(archive).own(number)), VerificationError),
        (b"{}", DataError),
        (b"[]", DataError),
        (b"[" * 200_000, DataError),
    ):
        (out / "proofs.jsonl").write_bytes(whole + line + b"\n")
        with pytest.raises(kind, match=r"no row follows|no export with proofs"):
            check_export(out)


def test_bags_are_valid(place: Path) -> None:
    bagit = pytest.importorskip("bagit")
    export(Archive(place / "archive"), place / "bag", "bagit")
    bag = bagit.Bag(str(place / "bag"))
    assert bag.validate()
    assert bag.info["External-Identifier"] == Archive(place / "archive").origin
    (place / "bag" / "data" / "more").write_text("x")
    with pytest.raises(bagit.BagValidationError):
        bag.validate()


def test_croissant_has_what_the_specification_asks_for(place: Path) -> None:
    """The fields that Croissant 1.0 requires of a data set, its files and fields; the file is what it says."""
    import hashlib

    import pyarrow.parquet as pq

    export(Archive(place / "archive"), place / "out", "parquet")
    found = json.loads((place / "out" / "croissant.json").read_text())
    for name in (
        "@context",
        "@type",
        "conformsTo",
        "name",
        "description",
        "license",
        "url",
        "creator",
        "datePublished",
        "version",
        "distribution",
        "recordSet",
        "citeAs",
    ):
        assert found[name], name
    file = found["distribution"][0]
    content = (place / "out" / file["contentUrl"]).read_bytes()
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert file["contentSize"] == f"{len(content)} B"
    columns = set(pq.read_schema(place / "out" / file["contentUrl"]).names)
    for one in found["recordSet"][0]["field"]:
        assert one["@id"].startswith(found["recordSet"][0]["@id"] + "/")
        assert one["source"]["fileObject"]["@id"] == file["@id"]
        assert one["source"]["extract"]["column"] in columns


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what mlcroissant stands on
def test_croissant_is_what_mlcroissant_reads(place: Path) -> None:
    croissant = pytest.importorskip("mlcroissant")
    export(Archive(place / "archive"), place / "out", "parquet")
    data = croissant.Dataset(jsonld=str(place / "out" / "croissant.json"))
    assert not data.metadata.ctx.issues.errors
    records = list(data.records("items"))
    assert len(records) == 12
    assert {one["items/id"].decode() for one in records} >= {"letter/1", "one.png"}
    told = json.loads((place / "out" / "croissant.json").read_text())
    told["recordSet"][0]["field"][0]["source"]["fileObject"]["@id"] = "nowhere"
    (place / "out" / "croissant.json").write_text(json.dumps(told))
    with pytest.raises(croissant.ValidationError):
        croissant.Dataset(jsonld=str(place / "out" / "croissant.json"))


def test_hugging_face_reads_the_data_set(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    export(Archive(place / "archive"), place / "out", "huggingface")
    found = datasets.load_dataset(str(place / "out"), cache_dir=str(place / "cache"), split="train")
    assert len(found) == 12
    row = next(one for one in found if one["id"] == "letter/1")
    assert (row["text"], row["licence"]) == ("Dear reader 1, \u20ac and \u0001.", "MIT")
    card = (place / "out" / "README.md").read_text()
    assert 'license: "other"' in card
    assert "| CC0-1.0 | 11 |" in card


def test_sidecars_are_made_for_data_files(place: Path) -> None:
    pytest.importorskip("c2pa")
    from remission.clinic import credentials

    own = credentials.new_signer(place / "signer", "A. Library")
    signer = credentials.load_signer(own)

    def sidecar(path: Path) -> None:
        credentials.sign(path, signer=signer, source_type="digitalCreation", sidecar=True)

    export(Archive(place / "archive"), place / "out", "parquet", sidecar=sidecar)
    data = place / "out" / "data.parquet"
    assert credentials.check(data, trusted=[own / "root.pem"]).verdict == "valid"
    assert check_export(place / "out") == 12
    export(Archive(place / "archive"), place / "bag", "bagit", items=["letter/2", "letter/3"], sidecar=sidecar)
    assert check_export(place / "bag") == 2
    one, other = sorted((place / "bag" / "data" / "items").glob("*.c2pa"))
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    with pytest.raises(VerificationError):
        check_export(place / "bag")
    one.write_bytes(kept)
    (place / "out" / "data.parquet.c2pa").write_bytes(kept)  # signed by the right one, for something else
    with pytest.raises(VerificationError, match="not of the file beside them"):
        check_export(place / "out")
    data.write_bytes(data.read_bytes() + b"x")
    assert credentials.check(data, trusted=[own / "root.pem"]).verdict == "tampered"


def test_only_some_are_exported(place: Path) -> None:
    archive = Archive(place / "archive")
    assert export(archive, place / "some", "parquet", items=["letter/3", "letter/0"]).document()["items"] == 1
    with pytest.raises(DataError, match="nothing to export"):
        export(archive, place / "none", "parquet", certified=True)
    with pytest.raises(DataError, match="no item"):
        export(archive, place / "none", "parquet", items=["letter/99"])
    with pytest.raises(SpecError, match="Did you mean 'parquet'"):
        export(archive, place / "none", "parqet")
    assert not (place / "none").exists()
    certify(place)
    assert export(Archive(place / "archive"), place / "certified", certified=True).items == 11


# --- batches ------------------------------------------------------------------------------------------------------


def test_batches_never_share_an_item(place: Path) -> None:
    certify(place)
    archive = Archive(place / "archive")
    batches = [sample(archive, 3, batch=number, seed=5) for number in range(3)]
    drawn = [item for one in batches for item in one.items]
    assert len(set(drawn)) == len(drawn) == 9
    assert (batches[0].of, batches[0].batches) == (11, 3)
    assert sample(archive, 3, batch=1, seed=5) == batches[1]
    assert sample(archive, 3, batch=1, seed=6).items != batches[1].items
    assert batches[0].texts[0] == archive.content(batches[0].items[0]).decode()
    with pytest.raises(DataError, match="batches 0 to 2 can"):
        sample(archive, 3, batch=3, seed=5)
    again = sample(archive, 3, batch=3, seed=5, again=True)
    rest = set(archive.log.items) - set(archive.log.erased) - set(drawn)
    assert set(again.items[:2]) == rest  # the last two of the first turn, then the first of another order
    long = sample(archive, 30, seed=5, again=True)
    assert sorted(long.items.count(item) for item in set(long.items)) == [2] * 3 + [3] * 8


def test_batches_stay_what_they_are_while_the_archive_grows(place: Path) -> None:
    certify(place)
    folder, signer = place / "archive", load_signer(place / "key-1")
    before = sample(Archive(folder), 4, seed=1)
    (place / "b.jsonl").write_text("".join(json.dumps({"id": f"new-{n}", "text": f"t {n}"}) + "\n" for n in range(30)))
    add(folder, signer, [place / "b.jsonl"], about({"collection": COLLECTION}))
    assert sample(Archive(folder), 4, seed=1, at=before.at).items == before.items
    assert sample(Archive(folder), 4, seed=1, certified=False).of == 41
    erase_items(folder, signer, [before.items[1]], "request", "us")
    after = sample(Archive(folder), 4, seed=1, at=before.at)
    assert (after.items, after.erased) == ((before.items[0], *before.items[2:]), (before.items[1],))


def test_impossible_batches_are_refused(place: Path) -> None:
    archive = Archive(place / "archive")
    with pytest.raises(DataError, match=r"no certified items.*--all"):
        sample(archive, 1)
    for wrong in ({"count": 0}, {"count": 1, "batch": -1}, {"count": 1, "at": 0}, {"count": 1, "at": 10_000}):
        with pytest.raises(SpecError, match=r"A batch needs|a size that the log"):
            sample(archive, **wrong)
    with pytest.raises(DataError, match="needs 12 texts, and there are 11"):
        sample(archive, 12, certified=False)
    with pytest.raises(SpecError, match="no suffix"):
        write_sample(place / "x.csv", sample(archive, 1, certified=False, seed=4))
    for item in archive.log.items:
        if item != "letter/0":
            amend(place / "archive", load_signer(place / "key-1"), [item], {"modality": "image"}, "a test", "us")
    erase_items(place / "archive", load_signer(place / "key-1"), ["one.png"], "a test", "us")
    with pytest.raises(DataError, match="None of the 11 items is a text"):
        sample(Archive(place / "archive"), 1, certified=False)


def test_pictures_are_left_out_of_batches(place: Path) -> None:
    folder, signer = place / "archive", load_signer(place / "key-1")
    before = [sample(Archive(folder), 5, batch=batch, certified=False) for batch in range(2)]
    assert {(one.of, one.left_out, len(one.texts)) for one in before} == {(11, 1, 5)}
    assert "one.png" not in before[0].items + before[1].items
    at = before[0].at
    erase_items(folder, signer, ["one.png"], "request", "us")  # and nothing is known of it any more
    amend(folder, signer, ["letter/3"], {"modality": "other"}, "a drawing in letters", "us")
    for batch in range(2):
        assert sample(Archive(folder), 5, batch=batch, certified=False, at=at).items == before[batch].items
    now = sample(Archive(folder), 5, certified=False)
    assert (now.of, now.left_out) == (10, 1)


@pytest.mark.parametrize("name", ["fresh.parquet", "fresh.jsonl"])
def test_a_batch_is_what_experiments_read(place: Path, name: str) -> None:
    certify(place)
    found = sample(Archive(place / "archive"), 10, seed=2)
    write_sample(place / name, found)
    if name.endswith(".jsonl"):
        from remission.corpus.reading import read_documents

        assert list(read_documents([place / name])[0].items) == list(found.texts)
        return
    from remission import Experiment, run

    toml = f"""
[experiment]
generations = 2
samples = 20
replicates = 2
[source]
kind = "file"
path = "{place / name}"
text = "text"
length = 2
[model]
kind = "ngram"
order = 2
[regime]
kind = "fresh"
share = 0.5
[[metric]]
kind = "types"
"""
    generations = list(run(Experiment.from_toml(toml), range(2)))
    assert len(generations) == 2


def test_the_verifier_in_an_export_runs_alone(place: Path) -> None:
    archive = Archive(place / "archive")
    export(archive, place / "out")
    done = subprocess.run(
        [sys.executable, "-I", place / "out" / "verify.py", "--proof", place / "out" / "proofs.jsonl", "--origin", archive.origin],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"in the archive {archive.origin} of {archive.log.size} entries" in done.stdout
