"""``remission census``: the answer of ``remission prevalence``, for corpora of any size, with every row accounted for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission.cli import _census as show
from remission.cli import _run as command_line
from remission.clinic.census.manifest import verify
from remission.estimate import Estimate
from tests.calibration.own import texts
from tests.test_cli_detect import OWN, rows, said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector, and a corpus of two sources and two years: 300 human, 200 synthetic, the latter all of source b."""
    folder = tmp_path_factory.mktemp("census")
    known = rows(400, 1, "human", "train") + rows(400, 2, "ai", "train", 0.1)
    known += rows(620, 3, "human", "calibrate") + rows(300, 4, "ai", "calibrate", 0.1)
    (folder / "known.jsonl").write_text("\n".join(map(json.dumps, known)))
    data = str(folder / "known.jsonl")
    fit = ["detect", "fit", data, "-o", str(folder / "det"), "--kind", OWN, "--where", "split=train"]
    assert command_line(fit) == 0
    calibrating = ["--human", data, "--synthetic", data, "--where", "split=calibrate"]
    assert command_line(["detect", "calibrate", str(folder / "det"), *calibrating, "-o", str(folder / "cal")]) == 0
    (folder / "in").mkdir()
    listed = [
        {"id": f"{marked}-{k}", "text": text, "domain": ("news", "web")[k % 2], "source": "b" if marked or k % 3 == 0 else "a",
         "date": f"{2019 + (marked > 0 or k % 2) * 4}-05-01"}
        for marked, n, seed in ((0.0, 300, 5), (0.1, 200, 6))
        for k, text in enumerate(texts(n, seed, marked))
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(listed[:250]), folder / "in" / "a.parquet", row_group_size=60)
    lines = [*map(json.dumps, listed[250:]), "{broken", '{"text": ""}']
    (folder / "in" / "b.jsonl").write_text("\n".join(lines))
    return folder


def call(folder: Path, output: Path, *more: str) -> list[str]:
    return ["census", str(folder / "in"), "--detector", str(folder / "cal"), "-o", str(output), *more]


def test_a_census_says_what_prevalence_says(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    by = ["--by", "source", "--json"]
    assert command_line(call(folder, tmp_path / "out", *by)) == 0
    census = said(capsys)
    assert census["schema"] == "remission/census/1"
    assert command_line(["prevalence", str(folder / "in"), "--detector", str(folder / "cal"), *by]) == 0
    local = said(capsys)
    assert [row["stratum"] for row in census["strata"]] == ["all", "source=a", "source=b"]
    for mine, other in zip(census["strata"], local["strata"], strict=True):
        for key in ("stratum", "n", "n_abstained", "n_uncalibrated", "verdict", "method", "level"):
            assert mine[key] == other[key], (mine["stratum"], key)
        for key in ("value", "low", "high"):
            assert mine[key] == pytest.approx(other[key], abs=0.01), (mine["stratum"], key)
    whole = census["strata"][0]
    assert whole["low"] < 0.4 < whole["high"]
    assert census["checks"]["placebo"] == pytest.approx(local["checks"]["placebo"], abs=0.01)
    assert census["checks"]["shift"]["verdict"] == local["checks"]["shift"]["verdict"]
    assert {key: census["accounting"][key] for key in ("in", "kept", "dropped", "quarantined")} == {
        "in": 502, "kept": 500, "dropped": 0, "quarantined": 2,
    }  # fmt: skip
    assert [(one["file"][-7:], one["reason"]) for one in census["accounting"]["examples"]] == [
        ("b.jsonl", "broken JSON"),
        ("b.jsonl", "'text' is empty"),
    ]
    assert verify(tmp_path / "out", inputs=True) == []


def test_the_same_command_goes_on(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert command_line(call(folder, tmp_path / "out", "--json", "--workers", "2")) == 0
    first = said(capsys)
    assert command_line(call(folder, tmp_path / "out", "--json")) == 0
    again = said(capsys)
    assert (first["found_done"], again["found_done"]) == (0, again["parts"])
    assert {**first, "found_done": 0} == {**again, "found_done": 0}
    assert command_line(call(folder, tmp_path / "out", "--by", "source")) == 2
    assert "holds a census with other settings" in capsys.readouterr().err


def test_people_get_tables_and_what_was_set_aside(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert command_line(call(folder, tmp_path / "out", "--by", "source,year", "--where", "domain=news")) == 0
    out, err = capsys.readouterr()
    assert "corpus: 502 rows, 250 documents, 251 left out on request, 1 set aside, from 2 files" in out
    assert "source=b | year=2023" in out
    assert "Share of synthetic documents" in out
    assert "1 set aside: broken JSON, first in" in err
    assert "placebo passed" in out


def test_files_that_are_not_the_published_ones(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    good = hashlib.sha256((folder / "in" / "a.parquet").read_bytes()).hexdigest()
    (tmp_path / "sums").write_text(f"{good}  a.parquet\n{'0' * 64} *b.jsonl\n")
    assert command_line(call(folder, tmp_path / "out", "--json", "--sums", str(tmp_path / "sums"))) == 0
    accounting = said(capsys)["accounting"]
    assert (accounting["kept"], accounting["reasons"]) == (250, {"the file's SHA-256 is not the expected one": 1})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--where", "nothing"], "FIELD=VALUE"),
        (["--estimator", "words"], "needs the documents themselves"),
        (["--estimator", "wrods"], "wrods"),
        (["--level", "2"], "level"),
        (["--memory", "3"], "128 MiB"),
        (["--deadline", "0"], "deadline"),
        (["--text", "body"], "No usable document"),
        (["--by", "source,source"], "named twice"),
        (["--sample", "0"], "above 0 and at most at 1"),
        (["--sample", "some"], "1% or 0.01"),
        (["--sample", "source=b:20%"], "strata are made of nothing"),
        (["--files", "200%"], "above 0 and at most at 1"),
        (["--copies", "all"], "'near', 'exact' or 'none'"),
        (["--watermarks", "public"], "give both"),
        (["--price", "-1"], "at least 0"),
        (["--rate", "0"], "false discoveries"),
        (["--archive", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_clear_message(
    folder: Path, more: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(call(folder, tmp_path / "out", *more)) == 2
    assert words in capsys.readouterr().err
    if more[0] != "--text":
        assert not (tmp_path / "out").exists()


def test_bad_sums_are_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sums").write_text("abc  a.parquet\n")
    assert command_line(call(folder, tmp_path / "out", "--sums", str(tmp_path / "sums"))) == 2
    assert "line 1 is no line of sha256sum" in capsys.readouterr().err


def estimate(told: dict[str, Any]) -> Estimate:
    return Estimate(told["value"], told["low"], told["high"], 0.95, "parts", 2)


def test_a_sample_says_what_it_costs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remission.clinic.census.running.size_of_units", lambda _: 20_000)
    capsys.readouterr()
    sample = ["--by", "source", "--sample", "50%", "--sample", "source=b:0.9", "--price", "3"]
    assert command_line(call(folder, tmp_path / "out", *sample, "--json")) == 0
    found = said(capsys)
    account = found["accounting"]
    assert account["in"] == account["kept"] + account["dropped"] + account["quarantined"] == 502
    assert account["dropped_for"] == {"not drawn into the sample": account["dropped"]}
    for row, n in zip(found["strata"], (500, 200, 300), strict=True):
        assert row["documents"]["low"] <= n <= row["documents"]["high"], row["stratum"]
        assert row["documents"]["value"] == pytest.approx(n, rel=0.15)
    whole = found["strata"][0]
    assert whole["low"] < 0.4 < whole["high"]
    sampled = found["sample"]
    assert (sampled["rate"], sampled["strata"], sampled["files"]) == (0.5, [["source=b", 0.9]], 1.0)
    cost = sampled["cost"]
    for end in ("value", "low", "high"):
        assert cost["money"][end] == pytest.approx(3 * (cost["hours"][end] + cost["copies"][end]))
    assert cost["documents"]["low"] <= 500 <= cost["documents"]["high"]
    assert cost["memory"]["value"] == pytest.approx(25e6 + 25 * cost["documents"]["value"])
    assert command_line(call(folder, tmp_path / "out", *sample)) == 0
    out = capsys.readouterr().out
    assert f"{account['dropped']} not drawn" in out
    assert "the corpus has about" in out
    assert "then the pass over copies: about " in out
    assert "of one process, which holds about 25" in out
    assert "both would cost " in out
    assert " at 3 an hour" in out
    assert cost["scored"] == account["kept"] > 300
    assert f"full scan: about {show._time(estimate(cost['hours']), 'worker-')}" in out
    assert f"by {cost['parts']} parts and {cost['scored']} documents\n" in out
    few = ["--sample", "20%", "--price", "3"]
    assert command_line(call(folder, tmp_path / "few", *few, "--json")) == 0
    cost = said(capsys)["sample"]["cost"]
    assert command_line(call(folder, tmp_path / "few", *few)) == 0
    out = capsys.readouterr().out
    told = f"full scan: at most {show._most(estimate(cost['hours']), 'worker-')} on workers like these; by "
    assert f"{told}{cost['parts']} parts and {cost['scored']} documents alone\n" in out
    assert f"both would cost at most {show._amount(cost['money']['high'])} at 3 an hour\n" in out
    assert command_line(call(folder, tmp_path / "files", "--files", "50%")) == 0
    out, err = capsys.readouterr()
    assert "from 1 file (of 2; the others are not drawn)" in out
    assert "copies of a document that lie in different files" in " ".join((out + err).split())


def test_copies_and_declarations(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every document is there a second time, those that say they are synthetic five times more."""
    capsys.readouterr()
    rows = [*pq.read_table(folder / "in" / "a.parquet").to_pylist()]
    rows += [json.loads(line) for line in (folder / "in" / "b.jsonl").read_text().splitlines()[:250]]
    for row in rows:
        row["maker"] = "a model" if row["id"].startswith("0.1-") and int(row["id"][4:]) < 50 else ""
    edited = [row | {"text": row["text"].replace("the", "that", 1), "id": "edited"} for row in rows[:30]]
    (tmp_path / "in").mkdir()
    pq.write_table(pa.Table.from_pylist(rows + rows + [row for row in rows if row["maker"]] * 5 + edited), tmp_path / "in" / "a.parquet")  # fmt: skip
    asked = ["census", str(tmp_path / "in"), "--detector", str(folder / "cal"), "--declared", "maker"]
    assert command_line([*asked, "-o", str(tmp_path / "out"), "--json"]) == 0
    found = said(capsys)
    changed = sum(row["text"] != rows[k]["text"] for k, row in enumerate(edited))
    whole = found["strata"][0]
    assert whole["n"] + whole["n_abstained"] == 500 + changed
    assert (whole["n_copies"], whole["n_declared"]) == (500 + 250 + 30 - changed, 50)
    assert found["copies"]["copies"] == whole["n_copies"]
    assert 0 < found["copies"]["clusters"] <= changed
    assert whole["low"] < 200 / (500 + changed) < whole["high"]
    assert command_line([*asked, "-o", str(tmp_path / "out")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"copies: {whole['n_copies']} of 1,280 documents have the content of an earlier one" in out
    assert "are near-duplicates" in out
    assert "provenance: 50 documents declare that they are synthetic" in out
    assert "by scores alone, among the others:" in out


@pytest.mark.parametrize("command", ["census", "prevalence"])
def test_a_whole_of_which_nothing_can_be_said_exits_with_1(
    command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.dumps({"text": f"short {n}", "source": f"s{n % 60}", "domain": "news"}) for n in range(120)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    asked = [command, str(tmp_path / "in.jsonl"), "--detector", str(folder / "cal"), "--by", "source"]
    asked += ["-o", str(tmp_path / "out")] if command == "census" else []
    capsys.readouterr()
    assert command_line(asked) == 1
    out = capsys.readouterr().out
    assert (
        "No share of synthetic documents is known of 120 documents (120 not judged), nor of any of its 60 strata."
        in out
    )
    assert "Share of synthetic documents" not in out
    assert out.count("refused:") == 1
    assert command_line([*asked, "--json"]) == 1
    told = said(capsys)
    assert {row["verdict"] for row in told["strata"]} == {"refused"}
    if command == "census":
        assert verify(tmp_path / "out") == []


def test_a_damaged_part_is_scored_anew_and_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(call(folder, tmp_path / "out")) == 0
    answer = (tmp_path / "out" / "answer.json").read_bytes()
    part = next((tmp_path / "out" / "parts").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])
    capsys.readouterr()
    assert command_line(call(folder, tmp_path / "out")) == 0
    assert "warning: 1 part was damaged and was scored anew" in capsys.readouterr().err
    assert (tmp_path / "out" / "answer.json").read_bytes() == answer
    part.write_bytes(b"")
    assert command_line(call(folder, tmp_path / "out", "--json")) == 0
    assert said(capsys)["mended"] == 1


def test_a_signed_census_is_verified(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from remission.gold.signing import new_signer

    key = new_signer(tmp_path / "key.pem").key
    assert command_line(call(folder, tmp_path / "out", "--sign", str(tmp_path / "key.pem"))) == 0
    capsys.readouterr()
    verify_ = ["census", "--verify", str(tmp_path / "out")]
    assert command_line([*verify_, "--signed-by", key, "--inputs", "--json"]) == 0
    assert said(capsys) == {
        "schema": "remission/census-verification/1", "census": str(tmp_path / "out"), "faults": [], "signed_by": key,
        "notes": [],
    }  # fmt: skip
    assert command_line(verify_) == 0
    assert f"as its manifest says; signed by {key} (whose that is" in " ".join(capsys.readouterr().out.split())
    assert command_line([*verify_, "--signed-by", "0" * 64]) == 1
    assert "signed by another key" in capsys.readouterr().out
    part = next((tmp_path / "out" / "parts").rglob("*.parquet"))
    content = part.read_bytes()
    part.write_bytes(content[:-9])
    assert command_line([*verify_, "--json"]) == 1
    assert said(capsys)["faults"] == [{"kind": "part changed", "what": str(part)}]
    part.write_bytes(content)
    manifest = tmp_path / "out" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"kept": 500', '"kept": 499'))
    assert command_line([*verify_, "--json"]) == 1
    assert said(capsys)["faults"][0]["kind"] == "manifest changed"
    manifest.unlink()
    for wrong, words in (
        (verify_, "holds no finished census"),
        ([*verify_, "--signed-by", "abc"], "64 hexadecimal digits"),
        ([*verify_, str(tmp_path)], "no PATHs"),
        (call(folder, tmp_path / "new", "--signed-by", key), "belong to --verify"),
        (call(folder, tmp_path / "new", "--sign", str(tmp_path / "no.pem")), "cannot be read"),
        (["census", "--detector", str(folder / "cal")], "needs PATHs and a --detector"),
        (["census", str(folder / "in")], "needs PATHs and a --detector"),
    ):
        capsys.readouterr()
        assert command_line(wrong) == 2, wrong
        assert words in " ".join(capsys.readouterr().err.split()), wrong
    assert not (tmp_path / "new").exists()
