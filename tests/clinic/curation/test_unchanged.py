"""A curation rests on the census that it names, says its numbers, and can be checked down to what says them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from remission import SpecError, StoreError
from remission.cli import _run as command_line
from remission.clinic import detecting
from remission.clinic.artefacts import artefacts_told
from remission.clinic.census.asking import Finding, reopen
from remission.clinic.census.manifest import read_manifest
from remission.clinic.census.parts import part_path
from remission.clinic.curation.curating import Wish, curate, read_record
from remission.estimate import Estimate
from tests.clinic.curation.corpus import census, detector, documents, inline, written
from tests.test_cli_detect import OWN, rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector in ``cal``, a corpus in ``in``, its census in ``census``, its curation in ``whole``."""
    folder = tmp_path_factory.mktemp("unchanged")
    detector(folder, 400)
    written(folder / "in", documents(300, 100))
    census(folder / "cal", folder / "in", folder / "census", size=50_000)
    curate(folder / "census", folder / "whole", Wish("exclude", generations=1), inline)
    return folder


def innocent(path: Path) -> None:
    """All documents of a part score as no synthetic one does; its receipt stays."""
    rows = pq.read_table(path)
    scores = pa.array([None if one is None else -5.0 for one in rows.column("score").to_pylist()], pa.float64())
    changed = rows.set_column(rows.schema.get_field_index("score"), "score", scores)
    pq.write_table(changed.replace_schema_metadata(pq.read_metadata(path).metadata), path)


def test_a_part_that_was_changed_after_the_census_is_refused(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "census"
    shutil.copytree(place / "census", folder)
    path = part_path(folder, read_manifest(folder).order[0])
    whole = path.read_bytes()
    ways: tuple[Callable[[Path], object], ...] = (innocent, lambda path: path.write_bytes(whole[:-20]), Path.unlink)
    for spoil in ways:
        spoil(path)
        with pytest.raises(StoreError, match="Delete it and run the same `remission census` again") as caught:
            curate(folder, tmp_path / "out", Wish("exclude", generations=1), inline)
        assert str(path) in str(caught.value)
        path.write_bytes(whole)
    groups = next((folder / "groups").rglob("*.parquet"))
    rows = pq.read_table(groups)
    pq.write_table(rows.set_column(0, "copy", pa.array([0] * rows.num_rows, pa.int8())), groups)
    with pytest.raises(StoreError, match="copies"):
        curate(folder, tmp_path / "out", Wish("exclude", generations=1), inline)
    assert not (tmp_path / "out").exists()


def judged(finding: Finding) -> dict[str, Estimate]:
    """What the census says of judged documents of unknown origin."""
    return {row.stratum: getattr(row, "detected", None) or row.share for row in finding.answer.rows}


def ends(share: Any) -> tuple[float, float, float]:
    return share.value, share.low, share.high


@pytest.mark.parametrize("policy", ["exclude", "weigh"])
def test_census_and_curation_say_one_number_for_the_same_thing(place: Path, policy: Any, tmp_path: Path) -> None:
    finding = reopen(place / "census")
    found = curate(place / "census", tmp_path / "out", Wish(policy, fdr=1e-9, generations=1), inline)
    assert ends(found.before) == ends(finding.answer.whole.share)
    said = judged(finding)
    assert len(found.residual.rows) == 3
    for row in found.residual.rows:
        assert ends(row.before) == ends(said[row.stratum])
        assert (row.after == row.before) == (policy == "exclude"), "of a stratum of which nothing is dropped"
    wider = curate(place / "census", tmp_path / "wider", Wish(policy, fdr=1e-9, generations=1, level=0.99), inline)
    assert wider.before.level == wider.residual.rows[1].before.level == 0.99
    assert wider.before.low < found.before.low < found.before.value < found.before.high < wider.before.high
    assert wider.before.value == found.before.value


def test_a_finished_curation_is_checked_down_to_its_record(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(place / "whole", out)
    assert command_line(["curate", "--verify", str(out)]) == 0
    assert "every file is what" in capsys.readouterr().out
    for name in ("README.md", "croissant.json", "curation.json", "asked.json", "kept/000000.parquet"):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(whole[:-1] + b" ")
        assert subprocess.run(["sha256sum", "-c", "--status", "SHA256SUMS"], cwd=out, check=False).returncode == 1
        assert command_line(["curate", "--verify", str(out), "--json"]) == 1
        faults = json.loads(capsys.readouterr().out)["faults"]
        assert any(line.startswith(f"{name} was changed") for line in faults)
        (out / name).write_bytes(whole)
    text = (out / "curation.json").read_text()
    (out / "curation.json").write_text(text.replace('"kept": ', '"kept": 9', 1))
    with pytest.raises(StoreError, match="is not what the curation wrote"):
        read_record(out)
    assert command_line(["report", str(out)]) == 2
    (out / "curation.json").write_text(text)
    (out / "SHA256SUMS").unlink()
    with pytest.raises(StoreError, match="again to finish it"):
        read_record(out)
    curate(place / "census", out, Wish("exclude", generations=1), inline)
    assert read_record(out)["accounting"] == read_record(place / "whole")["accounting"]


def test_the_card_describes_every_column_of_both_files(place: Path) -> None:
    """Those of the corpus that the census read, and those of every curation; the outlook is told once."""
    text = (place / "whole" / "README.md").read_text()
    cells = [
        line.strip("|").split("|") for line in text.split("## Kept documents")[1].splitlines() if line.startswith("|")
    ]
    told = {name.strip(): what.strip() for name, what in cells}
    assert {"text", "id", "domain", "source", "date", "kind", "cluster", "weight", "reason"} <= told.keys()
    assert all(told.values()), [name for name, what in told.items() if not what]
    assert told["domain"] == "as in the corpus"
    assert "All of them have the weight 1." in text
    lead = read_record(place / "whole")["outlook"]["sentences"][0]
    assert text.count(lead) == 1
    card = json.loads((place / "whole" / "croissant.json").read_text())
    assert all(field.get("description") for records in card["recordSet"] for field in records["field"])


def test_artefacts_that_were_allowed_are_told_with_every_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Humans break lines, machines do not: refused with what to do next; allowed, everyone hears of it afterwards."""
    known = rows(300, 1, "human", "train") + rows(300, 2, "ai", "train", 0.1)
    known += rows(400, 3, "human", "calibrate") + rows(300, 4, "ai", "calibrate", 0.1)
    for row in known:
        if row["label"] == "human":
            row["text"] = row["text"].replace(" ", "\n", 9)
    (tmp_path / "known.jsonl").write_text("\n".join(map(json.dumps, known)))
    data = str(tmp_path / "known.jsonl")
    fit = ["detect", "fit", data, "-o", str(tmp_path / "det"), "--kind", OWN, "--where", "split=train"]
    assert command_line(fit) == 2
    assert "Next: prepare both kinds in the same way" in capsys.readouterr().err
    assert command_line([*fit, "--allow-artefacts"]) == 0
    chosen = ["--human", data, "--synthetic", data, "--where", "split=calibrate", "--allow-artefacts"]
    assert command_line(["detect", "calibrate", str(tmp_path / "det"), *chosen, "-o", str(tmp_path / "cal")]) == 0
    corpus = written(tmp_path / "in", documents(120, 40))
    capsys.readouterr()
    command_line(["prevalence", str(corpus), "--detector", str(tmp_path / "cal"), "--json"])
    words = ("was fitted to", "calibrated on examples that trivial features tell apart", "'newlines'")
    answer = json.loads(capsys.readouterr().out)
    assert all(any(word in line for line in answer["warnings"]) for word in words)
    finding = census(tmp_path / "cal", corpus, tmp_path / "census")
    assert all(any(word in line for line in finding.answer.warnings) for word in words)
    found = curate(tmp_path / "census", tmp_path / "out", Wish("exclude", generations=1), inline)
    assert all(any(word in line for line in found.warnings) for word in words)
    limits = (tmp_path / "out" / "README.md").read_text().split("## Limitations")[1]
    assert all(word in limits for word in words)


@pytest.mark.parametrize(
    ("fitted", "calibrated", "told"),
    [((), (), []), (("a",), (), ["was fitted to examples"]), ((), ("a",), ["was calibrated on examples"]),
     (("a",), ("a",), ["was fitted to and calibrated on"]), (("a",), ("b",), ["('a')", "('b')"]), (tuple("abcdefg"), (), ["'e' and 2 more"])],
)  # fmt: skip
def test_each_set_of_artefacts_is_told_once(fitted: Any, calibrated: Any, told: list[str]) -> None:
    facts: Any = [{"allowed_artefacts": list(one)} if one else {} for one in (fitted, calibrated)]
    detector: Any = SimpleNamespace(fitted=SimpleNamespace(facts=facts[0]), facts=facts[1])
    lines = artefacts_told(detector)
    assert len(lines) == len(told)
    assert all(word in line for word, line in zip(told, lines, strict=True))


def test_a_training_set_that_was_changed_is_not_given_a_new_list(place: Path, tmp_path: Path) -> None:
    """The same command again does not vouch for what others wrote."""
    out = tmp_path / "out"
    shutil.copytree(place / "whole", out)
    path = out / "kept" / "000001.parquet"
    table = pq.read_table(path)
    texts = pa.array(["forged"] * table.num_rows, pa.large_string())
    pq.write_table(table.set_column(0, "text", texts).replace_schema_metadata(pq.read_metadata(path).metadata), path)
    with pytest.raises(StoreError, match=r"000001.parquet' was changed .* Delete it"):
        curate(place / "census", out, Wish("exclude", generations=1), inline)
    path.unlink()
    curate(place / "census", out, Wish("exclude", generations=1), inline)
    assert path.read_bytes() == (place / "whole" / "kept" / "000001.parquet").read_bytes()


def test_without_artefacts_nobody_is_warned(place: Path) -> None:
    assert not artefacts_told(detecting.load_calibrated(place / "cal"))
    assert not any("trivial features" in line for line in read_record(place / "whole")["warnings"])


def test_what_verify_and_curation_need_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for call, word in (
        (["--verify", str(place / "whole"), "--policy", "cap"], "--verify takes the folder"),
        ([str(place / "census"), "-o", "x"], "needs the folder CENSUS"),
        (["--verify", str(place / "census")], "no card that can be read"),
    ):
        assert command_line(["curate", *call]) == 2
        assert word in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"cap": 5.0}, "5 % is 0.05: give --cap 0.05"), ({"fdr": 10.0}, "10 % is 0.1: give --fdr 0.1"),
        ({"level": 95.0}, "95 % is 0.95: give --level 0.95"), ({"cap": 1.0}, "1 % is 0.01"), ({"cap": 0.0}, "Got 0. Try 0.05"),
        ({"cap": -3.0}, "Got -3. Try"), ({"fdr": 500.0}, "Got 500. Try"),
    ],
)  # fmt: skip
def test_per_cent_is_told_from_a_share(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        Wish("cap", **asked)
    assert told in str(caught.value)
