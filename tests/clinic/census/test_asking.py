"""From question to answer, read again, asked differently: documents are scored once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission import DataError, SpecError, StoreError
from remission.calibration.calibrating import calibrate
from remission.calibration.fitted import FittedDetector
from remission.clinic.archive.writing import create, writing
from remission.clinic.census._answer_file import _seal, read_answer
from remission.clinic.census.answering import CensusRow
from remission.clinic.census.asking import Finding, Question, archived, reopen, take_census
from remission.clinic.census.manifest import ANSWER, NAME, SIGNATURE, read_manifest, verify
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.signing import sign
from remission.clinic.census.units import Config
from remission.clinic.prevalence import Wish
from remission.corpus.reading import Fields
from remission.documents import Documents
from remission.gold.signing import new_signer
from tests.calibration.own import Told, told
from tests.clinic.archive.archive_tools import record_of
from tests.clinic.census.test_census import inline
from tests.corpus.damaged import jsonl

CONFIG = Config(by=("source",), size=20_000, copies="exact", declared="generator")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, a corpus of 400 documents of which 100 are synthetic and 40 of those say so, and an archive of 30 of them."""
    folder = tmp_path_factory.mktemp("asking")
    rng = np.random.default_rng(0)
    human = told(rng.normal(0, 1, 500), 1).with_column("domain", ["news"] * 500)
    machine = told(rng.normal(3, 1, 400), 2).with_column("domain", ["news"] * 400)
    made = calibrate(FittedDetector(Told(), {}), human, machine, allow_artefacts=True)
    made.save(folder / "cal")
    other = calibrate(FittedDetector(Told(), {}), human.take(np.arange(450)), machine, allow_artefacts=True)
    other.save(folder / "other")
    scores = rng.normal(0, 1, 400) + 3 * (np.arange(400) >= 300)
    texts = list(told(scores, 3).items)
    generator = ["" if k < 300 else "GPT-4" if k < 340 else ("human", "0", "")[k % 3] for k in range(400)]
    (folder / "in").mkdir()
    listed = [
        {"id": f"d{k}", "text": text, "domain": "news", "source": "ab"[k % 2], "generator": generator[k]}
        for k, text in enumerate(texts)
    ]
    jsonl(folder / "in" / "a.jsonl", listed[:250])
    jsonl(folder / "in" / "b.jsonl", [*listed[250:], *listed[:20]])
    signer = new_signer(folder / "key.pem")
    create(folder / "archive", "humans", signer)
    with writing(folder / "archive", signer) as writer:
        for k in range(270, 304):  # four of them say that they are synthetic
            writer.ingest(f"named by hand {k}", texts[k].encode(), record_of(f"named by hand {k}"))
        writer.commit()
    return folder


def ask(home: Path, folder: Path, question: Question | None = None, config: Config = CONFIG) -> Finding:
    return take_census([home / "in"], question or Question(home / "cal"), folder, config, inline)


def whole(finding: Finding) -> CensusRow:
    row = finding.answer.whole
    assert isinstance(row, CensusRow)
    return row


def test_a_question_is_answered_and_read_again(home: Path, tmp_path: Path) -> None:
    found = ask(home, tmp_path / "out", Question(home / "cal", price=2.0))
    row = whole(found)
    assert (row.n, row.n_copies, row.n_declared) == (400, 20, 40)
    assert row.share.low <= 0.25 <= row.share.high
    told_ = read_answer(tmp_path / "out", read_manifest(tmp_path / "out"))
    again = reopen(tmp_path / "out")
    for document in (found.document(), again.document()):
        plain = json.loads(json.dumps(document, default=list).replace("NaN", "null").replace("Infinity", "null"))
        assert plain | {"found_done": 0, "detector": ""} == {
            key: value for key, value in told_.items() if key not in ("schema", "manifest", "seal")
        } | {"detector": ""}
    assert told_["asked"]["price"] == 2.0
    assert (
        again.question.wish == found.question.wish == replace(Wish(), by=("source",)) or found.question.wish == Wish()
    )
    assert again.census.manifest == found.census.manifest
    json.loads((tmp_path / "out" / "answer.json").read_text(), parse_constant=lambda word: pytest.fail(word))


def test_the_same_question_again_gives_the_same_answer(home: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, sampling=Sampling(0.6))
    first = ask(home, tmp_path / "out", None, config)
    before = (tmp_path / "out" / "answer.json").read_bytes()
    again = ask(home, tmp_path / "out", None, config)
    assert (tmp_path / "out" / "answer.json").read_bytes() == before
    assert again.census.found_done == len(first.census.manifest.parts) > 1
    assert first.cost == again.cost
    assert first.cost is not None
    assert first.document()["sample"]["cost"]["parts"] == len(first.census.manifest.parts)


@pytest.mark.parametrize(
    "change",
    [
        {"wish": Wish(estimator="count")},
        {"wish": Wish(level=0.8)},
        {"archive": True, "certified": False},
        {"rate": 0.2},
        {"price": 9.0},
    ],
)
def test_another_question_needs_no_new_scores(change: dict[str, Any], home: Path, tmp_path: Path) -> None:
    first = ask(home, tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    if "archive" in change:
        change = change | {"archive": home / "archive"}
    again = ask(home, tmp_path / "out", Question(home / "cal", **change))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == times
    assert again.census.found_done == len(first.census.manifest.parts)
    assert read_answer(tmp_path / "out", read_manifest(tmp_path / "out"))["asked"] == json.loads(
        json.dumps(again.document()["asked"])
    )
    assert reopen(tmp_path / "out").answer.whole == again.answer.whole
    if "wish" in change or "archive" in change:
        assert again.answer.whole.share != first.answer.whole.share


def test_documents_of_an_archive_are_known_by_their_content(home: Path, tmp_path: Path) -> None:
    """Whatever they are called there; those that say they are synthetic as well are told."""
    question = Question(home / "cal", archive=home / "archive", certified=False)
    assert archived(question).size == 34
    found = ask(home, tmp_path / "out", question)
    row = whole(found)
    assert (found.archived, row.n_archived, row.n_declared) == (34, 34, 36)
    assert any(line.startswith("4 documents lie in the archive") for line in found.answer.warnings)
    with pytest.raises(DataError, match="--any-item"):
        archived(replace(question, certified=True))


def test_questions_that_cannot_be_asked(home: Path, tmp_path: Path) -> None:
    cal = home / "cal"
    for wrong, words in (
        ({"rate": 0.0}, "false discoveries lies above 0"),
        ({"keys": ("public",)}, "give both"),
        ({"profiles": home / "profiles.json"}, "give both"),
        ({"price": -1.0}, "at least 0"),
        ({"wish": Wish(estimator="powered")}, "needs the documents themselves"),
    ):
        with pytest.raises(SpecError, match=words):
            Question(cal, **wrong)  # type: ignore[arg-type]
    question = Question(cal, archive=home / "archive", certified=False)
    with pytest.raises(SpecError, match="not with copies = none"):
        ask(home, tmp_path / "out", question, replace(CONFIG, copies="none"))
    assert not (tmp_path / "out").exists()


def test_another_detector_needs_another_folder(home: Path, tmp_path: Path) -> None:
    ask(home, tmp_path / "out")
    with pytest.raises(StoreError, match="another detector or other watermarks"):
        ask(home, tmp_path / "out", Question(home / "other"))
    with pytest.raises(StoreError, match="other settings of reading, strata, copies or sampling"):
        ask(home, tmp_path / "out", None, replace(CONFIG, sampling=Sampling(0.5)))


def resealed(content: dict[str, Any]) -> str:
    return json.dumps(content | {"seal": _seal(content)})


def kinds(folder: Path) -> list[str]:
    return [fault["kind"] for fault in verify(folder)]


def test_an_answer_that_was_changed_is_found(home: Path, tmp_path: Path) -> None:
    """By accident, by its seal; on purpose, because it is computed anew; and by the signature, where nothing can be computed."""
    pytest.importorskip("cryptography")
    out = tmp_path / "out"
    ask(home, out)
    assert kinds(out) == []
    told_ = (out / ANSWER).read_text()
    forged = json.loads(told_)
    forged["strata"][0]["value"] /= 2
    (out / ANSWER).write_text(json.dumps(forged))
    assert kinds(out) == ["answer changed"]
    (out / ANSWER).write_text(resealed(forged))
    assert kinds(out) == ["answer does not follow from the parts"]
    for changed in ({"warnings": ["all is well"]}, {"asked": forged["asked"] | {"level": 0.5}}):
        (out / ANSWER).write_text(resealed(json.loads(told_) | changed))
        assert kinds(out) == ["answer does not follow from the parts"], changed
    (out / ANSWER).write_text(told_)
    sign(out / NAME, out / SIGNATURE, home / "key.pem")
    assert kinds(out) == []
    notes_only = resealed(json.loads(told_) | {"notes": ["what cannot be computed anew"]})
    (out / ANSWER).write_text(notes_only)
    assert kinds(out) == ["signature does not fit"]
    with pytest.raises(StoreError, match="not as it was signed"):
        reopen(out)
    (out / ANSWER).unlink()
    assert kinds(out) == ["signature does not fit"]


def test_an_answer_whose_detector_is_gone_is_told(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ask(home, out)
    content = json.loads((out / ANSWER).read_text())
    (out / ANSWER).write_text(resealed(content | {"asked": content["asked"] | {"detector": str(tmp_path / "gone")}}))
    notes: list[str] = []
    assert verify(out, notes=notes) == []
    assert [note.startswith("The answer was not computed anew") for note in notes] == [True]


def test_a_signature_stays_with_its_answer_and_goes_with_another(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    out = tmp_path / "out"
    ask(home, out)
    sign(out / NAME, out / SIGNATURE, home / "key.pem")
    (tmp_path / "a").mkdir()
    ask(home, tmp_path / "a" / ".." / "out")  # named otherwise
    assert (out / SIGNATURE).exists()
    assert kinds(out) == []
    ask(home, out, Question(home / "cal", Wish(level=0.9)))
    assert not (out / SIGNATURE).exists()
    assert kinds(out) == []


def test_answers_that_cannot_be_read(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ask(home, out)
    content = json.loads((out / "answer.json").read_text())
    for damage, words in (
        ("{", "is damaged"),
        ("[]", "is no answer"),
        (json.dumps(content | {"schema": "x"}), "is no answer"),
        (resealed({key: value for key, value in content.items() if key != "asked"}), "is damaged"),
        (resealed(content | {"detector_hash": "0"}), "is not the one of this census"),
        (resealed(content | {"manifest": "0"}), "not that of its manifest"),
        (json.dumps(content | {"asked": content["asked"] | {"level": 0.5}}), "its seal does not fit"),
    ):
        (out / "answer.json").write_text(damage)
        with pytest.raises(StoreError, match=words):
            reopen(out)
    (out / "answer.json").unlink()
    with pytest.raises(StoreError, match="holds no answer"):
        reopen(out)


def test_an_answer_of_before_goes_with_its_manifest(home: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for path in (home / "in").iterdir():
        (tmp_path / "in" / path.name).write_bytes(path.read_bytes())
    ask(tmp_path, tmp_path / "out", Question(home / "cal"))
    for path in (tmp_path / "in").iterdir():
        path.write_text('{"text": ""}\n')
    with pytest.raises(DataError, match="No usable document"):
        ask(tmp_path, tmp_path / "out", Question(home / "cal"))
    assert not (tmp_path / "out" / "answer.json").exists()


def test_pictures_declare_what_made_them_and_copies_are_found(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    png = pytest.importorskip("PIL.PngImagePlugin")
    from remission.clinic.census.manifest import part_files
    from remission.clinic.census.parts import read_rows
    from remission.clinic.census.running import run_census
    from tests.clinic.census.scorers import BRIGHTNESS

    (tmp_path / "in").mkdir()
    said = png.PngInfo()
    said.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Model: v1-5")
    made = image.new("RGB", (8, 8), (10, 20, 30))
    made.save(tmp_path / "in" / "a.png", pnginfo=said)
    made.save(tmp_path / "in" / "b.png")
    image.new("RGB", (8, 8), (90, 20, 30)).save(tmp_path / "in" / "c.png")
    image.new("RGB", (4, 16), (90, 20, 30)).save(tmp_path / "in" / "d.png")
    census = run_census([tmp_path / "in"], BRIGHTNESS, tmp_path / "out", Config(), inline)
    found: dict[str, Any] = {}
    for path in part_files(census.folder, census.manifest):
        for row in read_rows(path, ["id", "declared", "content", "band00"]).to_pylist():
            found[row["id"]] = (row["declared"], row["content"], row["band00"])
    assert [found[name][0] for name in ("a.png", "b.png", "c.png", "d.png")] == [True, False, False, False]
    assert found["a.png"][1] == found["b.png"][1]  # the same picture, whatever its file says besides
    assert found["c.png"][1] != found["d.png"][1]
    assert {band for _, _, band in found.values()} == {None}
    groups = census.manifest.groups
    assert groups is not None
    assert (groups.documents, groups.copies, groups.clusters) == (4, 1, 0)
    assert sum(stratum.declared for stratum in census.receipt.strata.values()) == 1


def test_what_a_column_declares() -> None:
    import pyarrow as pa

    from remission.clinic.census.tally import declared
    from remission.corpus._batches import Batch

    values = ["GPT-4", "human", "Human", "", "0", "false", "  ", "1", "true", "real"]
    batch = Batch(pa.array(["x"] * len(values)), np.arange(len(values)), {"g": pa.array(values)}, (), len(values))
    expected = [True, False, False, False, False, False, False, True, True, False]
    assert declared(batch, "g", None, "text").tolist() == expected  # type: ignore[arg-type]
    assert not declared(batch, "", None, "text").any()  # type: ignore[arg-type]
    assert Documents(["x"]).items


def test_watermarks_added_later_need_another_folder(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    from remission.networks import vocabulary

    vocabulary.train(["a text of some words, with a score of its own"] * 9, 270).save(str(tmp_path / "tokenizer.json"))
    told_ = [{"name": "t", "kind": "kgw", "tokenizer": "tokenizer.json", "vocabulary": 270}]
    (tmp_path / "p.json").write_text(json.dumps({"schema": "remission/watermark-profiles/1", "profiles": told_}))
    ask(home, tmp_path / "out")
    question = Question(home / "cal", profiles=tmp_path / "p.json", keys=("public",))
    with pytest.raises(StoreError, match=r"another detector or other watermarks.*scored again"):
        ask(home, tmp_path / "out", question)
    found = ask(home, tmp_path / "new", question)
    document = found.document()
    assert document["watermarks"]["tested"] == 400
    assert document["asked"]["watermarks"] is True
    again = reopen(tmp_path / "new").document()
    assert (again["watermarks"], again["asked"], again["notes"]) == (
        document["watermarks"], document["asked"], document["notes"],
    )  # fmt: skip
    assert b"15485863" not in (tmp_path / "new" / "answer.json").read_bytes()
    other = ask(home, tmp_path / "new", replace(question, rate=0.2))
    assert other.census.found_done == len(found.census.manifest.parts)
    assert other.document()["watermarks"]["rate"] == 0.2


def test_columns_and_strata_that_no_document_has_are_told(home: Path, tmp_path: Path) -> None:
    config = Config(by=("source", "nope", "month"), size=20_000, copies="exact", declared="generatr")
    config = replace(config, sampling=Sampling(1.0, (("source=a", 1.0), ("source=zzz", 0.5))))
    found = ask(home, tmp_path / "out", None, config)
    told = [line for line in found.answer.warnings if line.startswith("--")]
    assert [line.partition(":")[0] for line in told] == ["--by nope", "--sample source=zzz"]
    assert "There were: source=a, source=b." in told[1]
    assert [line.partition(":")[0] for line in found.notes] == ["--declared generatr"]
    again = reopen(tmp_path / "out")
    assert (again.answer.warnings, again.notes) == (found.answer.warnings, found.notes)
    right = ask(home, tmp_path / "right")
    assert not [line for line in (*right.answer.warnings, *right.notes) if line.startswith("--")]


def test_a_census_of_nothing_says_why_and_blocks_no_folder(home: Path, tmp_path: Path) -> None:
    wrong = replace(CONFIG, fields=Fields(text="txet"))
    with pytest.raises(DataError, match=r"among 420 rows\. 420 set aside: .*txet.* \(first in .*a\.jsonl\)"):
        ask(home, tmp_path / "out", None, wrong)
    dropping = replace(CONFIG, fields=Fields(where={"source": {"z"}}))
    with pytest.raises(DataError, match="420 left out: "):
        ask(home, tmp_path / "out", None, dropping)
    found = ask(home, tmp_path / "out")
    assert found.census.receipt.kept == 420
    fresh = ask(home, tmp_path / "fresh")
    names = [sorted(path.name for path in (tmp_path / name).rglob("*.parquet")) for name in ("out", "fresh")]
    assert names[0] == names[1]
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (tmp_path / "fresh" / "manifest.json").read_bytes()
    assert fresh.answer.whole.share == found.answer.whole.share
    with pytest.raises(StoreError, match="other settings"):  # this one kept documents
        ask(home, tmp_path / "out", None, wrong)


def test_a_corpus_without_rows_says_so(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n")
    with pytest.raises(DataError, match="No usable document"):
        take_census([tmp_path / "a.csv"], Question(home / "cal"), tmp_path / "out", CONFIG, inline)
