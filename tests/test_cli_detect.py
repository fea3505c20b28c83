"""``remission detect``: fit, calibrate, score, evaluate; fields, exit codes and one clear message each."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from remission.cli import _run as command_line
from tests.calibration.own import texts

OWN = "tests.calibration.own:Bayes"


def said(capsys: pytest.CaptureFixture[str]) -> dict:
    found = json.loads(capsys.readouterr().out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert next(iter(found)) == "schema"
    return found


def rows(n: int, seed: int, label: str, split: str, marked: float = 0.0) -> list[dict]:
    return [
        {
            "id": f"{label}-{split}-{k}", "text": text, "label": label, "domain": ("news", "web")[k % 2], "split": split,
            "generator": "human" if label == "human" else ("one", "two")[k % 3 == 0],
        }
        for k, text in enumerate(texts(n, seed, marked))
    ]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    listed = rows(400, 1, "human", "train") + rows(400, 2, "ai", "train", 0.1)
    listed += rows(620, 3, "human", "calibrate") + rows(100, 4, "ai", "calibrate", 0.1)
    listed += rows(300, 5, "human", "test") + rows(200, 6, "ai", "test", 0.1)
    lines = [json.dumps(row) for row in listed]
    (folder / "data.jsonl").write_text("\n".join([*lines, "{broken", '{"text": ""}', '{"text": "no label at all"}']))
    return folder


@pytest.fixture(scope="module")
def detector(corpus: Path) -> Path:
    data = str(corpus / "data.jsonl")
    assert (
        command_line(["detect", "fit", data, "-o", str(corpus / "det"), "--kind", OWN, "--where", "split=train"]) == 0
    )
    calibrating = ["--human", data, "--synthetic", data, "--where", "split=calibrate"]
    assert command_line(["detect", "calibrate", str(corpus / "det"), *calibrating, "-o", str(corpus / "cal")]) == 0
    return corpus / "cal"


def test_fit_and_calibrate_tell_everything(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(corpus / "data.jsonl")
    fit = ["detect", "fit", data, "-o", str(tmp_path / "d"), "--kind", OWN, "--where", "split=train", "--json"]
    assert command_line(fit) == 0
    found = said(capsys)
    assert found["schema"] == "remission/detect-fit/1"
    assert found["facts"]["training"]["human"] == 400
    assert found["facts"]["audit"]["leaks"] == []
    account = found["accounting"]
    assert (account["in"], account["kept"], account["quarantined"]) == (2023, 800, 1)
    assert account["in"] == account["kept"] + account["dropped"] + account["quarantined"]
    calibrating = [
        "--human",
        data,
        "--synthetic",
        data,
        "--where",
        "split=calibrate",
        "--by",
        "domain,length",
        "--json",
    ]
    assert command_line(["detect", "calibrate", str(tmp_path / "d"), *calibrating, "-o", str(tmp_path / "c")]) == 0
    found = said(capsys)
    assert found["schema"] == "remission/detect-calibrate/1"
    assert found["facts"]["human"]["n"] == 620
    assert found["facts"]["synthetic"]["n"] == 100
    assert {row["stratum"] for row in found["facts"]["strata"]} == {"domain=news", "domain=web"}
    assert found["accounting"]["human"]["kept"] == 620
    for row in found["facts"]["strata"]:
        assert {"value", "low", "high", "level", "nominal"} <= set(row["fpr"])


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_scores_of_every_document_in_every_format(
    detector: Path, corpus: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"scores.{kind}"
    score = ["detect", "score", str(detector), str(corpus / "data.jsonl"), "--where", "split=test", "--json"]
    assert command_line([*score, "-o", str(path)]) == 0
    found = said(capsys)
    assert found["path"] == str(path)
    assert found["summary"]["n"] == 500
    if kind == "parquet":
        listed = pq.read_table(path).to_pylist()
    elif kind == "jsonl":
        listed = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        with path.open(newline="") as file:
            listed = list(csv.DictReader(file, delimiter="\t" if kind == "tsv" else ","))
    assert len(listed) == 500
    assert list(listed[0]) == ["id", "score", "p", "flagged", "status", "reason", "stratum"]
    assert {row["status"] for row in listed} == {"certified"}
    assert sum(str(row["flagged"]) == "True" for row in listed) == found["summary"]["flagged"]
    assert command_line(score) == 0
    again = said(capsys)["documents"]
    assert [row["id"] for row in again] == [row["id"] for row in listed]
    assert [float(row["score"]) for row in listed] == pytest.approx([row["score"] for row in again])


def test_items_without_decision_have_null_and_a_reason(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("text,domain\nToo short.,news\n" + texts(1, 8)[0] + ",blog\n")
    assert command_line(["detect", "score", str(detector), str(path), "--json"]) == 0
    short, strange = said(capsys)["documents"]
    assert (short["status"], short["flagged"], short["p"]) == ("abstained", None, None)
    assert short["reason"].startswith("too short")
    assert (strange["status"], strange["flagged"]) == ("uncalibrated", None)
    assert strange["score"] is not None


def test_plain_files_can_be_given_a_domain(detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.txt").write_text(texts(1, 9)[0])
    score = ["detect", "score", str(detector), str(tmp_path), "--json"]
    assert command_line(score) == 0
    assert said(capsys)["documents"][0]["reason"].startswith("not calibrated: the documents have no column 'domain'")
    assert command_line([*score, "--domain-is", "web"]) == 0
    assert said(capsys)["documents"][0]["status"] == "certified"


def test_evaluation_keeps_the_promise_and_exits_0(
    detector: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate = ["detect", "evaluate", str(detector), str(corpus / "data.jsonl"), "--where", "split=test"]
    assert command_line([*evaluate, "--json"]) == 0
    found = said(capsys)
    assert found["schema"] == "remission/detect-evaluate/1"
    assert found["promise"] == "kept"
    assert found["auroc"][0]["value"] > 0.9
    assert {row["domain"] for row in found["auroc"]} == {"", "news", "web"}
    assert sum(row["n"] for row in found["fpr"]) == 300
    assert {row["value"] for row in found["tpr"] if row["by"] == "generator"} == {"one", "two"}
    assert command_line(evaluate) == 0
    out = capsys.readouterr().out
    assert "The promised false-positive rate is kept" in out


def test_evaluation_of_other_humans_exits_1(detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Humans who write like the synthetic items: the promise does not hold for them, and that is said."""
    path = tmp_path / "other.jsonl"
    path.write_text(
        "\n".join(json.dumps(row) for row in rows(200, 9, "human", "x", 0.1) + rows(50, 10, "ai", "x", 0.1))
    )
    assert command_line(["detect", "evaluate", str(detector), str(path)]) == 1
    out = capsys.readouterr().out
    assert "BROKEN" in out


def test_calibration_items_are_left_out_of_an_evaluation(
    detector: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(["detect", "evaluate", str(detector), str(corpus / "data.jsonl"), "--json"]) == 0
    found = said(capsys)
    assert sum(row["n"] for row in found["fpr"]) == 300
    assert any("calibration or training items" in line for line in found["warnings"])
    assert found["accounting"]["reasons"]["no label"] == 1


def test_people_see_tables(corpus: Path, detector: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert command_line(["detect", "score", str(detector), str(corpus / "data.jsonl"), "--limit", "1700"]) == 0
    said_out = capsys.readouterr()
    assert "Highest scores" in said_out.out
    assert "no estimate of the share" in said_out.out
    assert "not judged: 1,520 known" in said_out.out
    assert command_line(["detect", "--help"]) == 0
    assert "calibrate" in capsys.readouterr().out


def test_a_detector_that_is_not_calibrated_only_ranks(
    corpus: Path, detector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(["detect", "score", str(corpus / "det"), str(corpus / "data.jsonl"), "--json"]) == 0
    found = said(capsys)
    assert found["summary"]["status"] == {"uncalibrated": 2021}
    assert found["summary"]["fpr"] is None
    assert found["accounting"]["reasons"] == {"broken JSON": 1, "'text' is empty": 1}
    assert command_line(["detect", "evaluate", str(corpus / "det"), str(corpus / "data.jsonl")]) == 2
    assert "detect calibrate" in capsys.readouterr().err


BAD = {
    ("fit", "DATA", "-o", "OUT", "--kind", "nonsense"): "Unknown detector 'nonsense'",
    ("fit", "DATA", "-o", "OUT", "--kind", OWN, "--set", "order=3"): "has no key 'order'",
    ("fit", "DATA", "-o", "OUT", "--kind", OWN, "--set", "order"): "--set needs KEY=VALUE",
    ("fit", "DATA", "-o", "OUT", "--kind", OWN, "--where", "split"): "--where needs FIELD=VALUE",
    ("fit", "DATA", "-o", "OUT", "--kind", OWN, "--where", "split=none"): "No usable document",
    ("fit", "DATA", "-o", "OUT", "--kind", OWN, "--label", "y"): "No row has a field 'y'",
    ("fit", "HUMAN", "-o", "OUT", "--kind", OWN): "one kind only",
    ("fit", "PLAIN", "-o", "OUT", "--kind", OWN): "No document has a label",
    ("fit", "LEAKY", "-o", "OUT", "--kind", OWN): "'newlines'",
    ("fit", "-o", "OUT", "--kind", OWN): "learns from examples",
    ("fit", "NOWHERE", "-o", "OUT", "--kind", OWN): "does not exist",
    ("fit", "DATA", "-o", "CAL", "--kind", OWN): "holds a calibrated detector",
    ("fit", "DATA", "-o", "HUMAN", "--kind", OWN): "is a file",
    ("calibrate", "DET", "--human", "DATA", "-o", "OUT"): "were among the training items",
    ("calibrate", "DET", "--human", "HUMAN", "-o", "OUT", "--max-fpr", "0.001"): "needs 999",
    ("calibrate", "DET", "--human", "HUMAN", "-o", "OUT", "--by", "site"): "No row has a field 'site'",
    (
        "calibrate",
        "DET",
        "--synthetic",
        "HUMAN",
        "--human",
        "HUMAN",
        "-o",
        "OUT",
    ): "All 40 documents given as synthetic",
    ("calibrate", "NOWHERE", "--human", "HUMAN", "-o", "OUT"): "no folder of a detector",
    ("score", "CAL", "DATA", "-o", "scores.xml"): "Rows are written as",
    ("score", "CAL", "DATA", "--fpr", "2"): "fpr must lie between",
    ("score", "CAL"): "Missing argument",
}


@pytest.mark.parametrize("given", BAD, ids=lambda given: " ".join(given)[:60])
def test_bad_input_has_one_clear_message_and_leaves_nothing(
    given: tuple[str, ...], corpus: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    human, plain, leaky = tmp_path / "human.jsonl", tmp_path / "plain.jsonl", tmp_path / "leaky.jsonl"
    human.write_text("\n".join(json.dumps(row) for row in rows(40, 20, "human", "x")))
    plain.write_text(json.dumps({"text": "A text without a label."}))
    leaky.write_text("\n".join(
        json.dumps(row | {"text": row["text"].replace(" ", "\n" if row["label"] == "ai" else " ", 9)})
        for row in rows(100, 21, "human", "x") + rows(100, 22, "ai", "x")
    ))  # fmt: skip
    places = {
        "DATA": corpus / "data.jsonl", "HUMAN": human, "PLAIN": plain, "LEAKY": leaky, "OUT": tmp_path / "out",
        "DET": corpus / "det", "CAL": detector, "NOWHERE": tmp_path / "nowhere",
    }  # fmt: skip
    assert command_line(["detect", *(str(places.get(word, word)) for word in given)]) == 2
    error = capsys.readouterr().err
    assert BAD[given] in error
    assert "Traceback" not in error
    assert len([line for line in error.splitlines() if line.startswith("error:")]) == 1
    assert not (tmp_path / "out").exists()


def test_overlap_can_be_dropped_and_is_counted(
    corpus: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    data = str(corpus / "data.jsonl")
    given = ["--human", data, "-o", str(tmp_path / "c"), "--drop-overlap", "--json", "--where", "label=human"]
    assert command_line(["detect", "calibrate", str(corpus / "det"), *given]) == 0
    found = said(capsys)
    assert found["facts"]["set_aside"]["human"]["training items"] == 400
    assert found["facts"]["human"]["n"] == 920


def test_scores_do_not_depend_on_blocks(detector: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from remission.clinic import detecting
    from remission.corpus.reading import read_documents

    documents, _ = read_documents([corpus / "data.jsonl"], limit=300)
    calibrated = detecting.load_calibrated(detector)
    whole = detecting.judge(calibrated, documents)
    monkeypatch.setattr(detecting, "BLOCK", 7)
    parts = detecting.judge(calibrated, documents)
    for name in ("score", "p", "flagged", "status", "reason", "stratum"):
        one, other = getattr(whole, name), getattr(parts, name)
        assert np.array_equal(one, other, equal_nan=name in ("score", "p")), name
