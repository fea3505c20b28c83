"""Prevalence of a corpus by a calibrated detector: strata, checks, refusals; and the command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission.calibration.calibrated import Calibrated
from remission.calibration.calibrating import calibrate
from remission.calibration.fitted import FittedDetector
from remission.cli import main
from remission.clinic.crossfit import crossfit
from remission.clinic.prevalence import BOUNDS, ESTIMATE, REFUSED, mixed, prevalence, prevalence_by_examples
from remission.documents import Documents
from remission.errors import DataError, SpecError
from remission.estimate import Estimate
from tests.calibration.own import Bayes, Told, texts, told


def scored_texts(scores: Any, seed: int, **columns: str) -> Documents:
    found = told(scores, seed)
    for name, value in columns.items():
        found = found.with_column(name, [value] * len(found))
    return found


def corpus(share: float, n: int, seed: int, gap: float = 2.0, lift: float = 0.0, **columns: str) -> Documents:
    rng = np.random.default_rng(seed)
    synthetic = np.arange(n) < round(share * n)
    return scored_texts(rng.normal(lift, 1, n) + gap * synthetic, seed, **columns)


@pytest.fixture(scope="module")
def calibrated() -> Calibrated:
    rng = np.random.default_rng(0)
    humans = [scored_texts(rng.normal(0, 1, 400), 1 + k, domain=name) for k, name in enumerate(("news", "mail"))]
    machine = [scored_texts(rng.normal(2, 1, 300), 11 + k, domain=name) for k, name in enumerate(("news", "mail"))]
    return calibrate(FittedDetector(Told(), {}), Documents.join(humans), Documents.join(machine), allow_artefacts=True)


@pytest.fixture(scope="module")
def humans_only() -> Calibrated:
    scores = np.random.default_rng(3).normal(0, 1, 600)
    return calibrate(FittedDetector(Told(), {}), scored_texts(scores, 31, domain="news"), allow_artefacts=True)


def test_names_of_strata_are_made_visible(calibrated: Calibrated) -> None:
    """What would pass for another part of the name or break a line is replaced, as in a census."""
    values = ["a", "a | year=2020", "line\nbreak"]
    parts = [corpus(0.3, 100, 301 + k, domain="news", source=value, year="2021") for k, value in enumerate(values)]
    names = [row.stratum for row in prevalence(Documents.join(parts), calibrated, ["source", "year"]).rows]
    assert names == [
        "all", "source=a | year=2021", "source=a ¦ year=2020 | year=2021",
        "source=line\N{REPLACEMENT CHARACTER}break | year=2021",
    ]  # fmt: skip


def test_dates_that_are_none_are_told(calibrated: Calibrated) -> None:
    good = corpus(0.3, 100, 401, domain="news", date="2023-05-17T10:00")
    assert not [line for line in prevalence(good, calibrated).warnings if "ISO date" in line]
    odd = Documents.join(
        [good, *(corpus(0.3, 30, 402 + k, domain="news", date=d) for k, d in enumerate(("", "05/17/2021")))]
    )
    (line,) = (line for line in prevalence(odd, calibrated).warnings if "ISO date" in line)
    assert line.startswith(
        "30 documents have a date that is no ISO date and count as without one (first '05/17/2021', document 131)"
    )


def test_value_with_interval(calibrated: Calibrated) -> None:
    answer = prevalence(
        Documents.join([corpus(0.3, 800, 101, domain="news"), corpus(0.1, 400, 102, domain="mail")]),
        calibrated,
        ["domain"],
    )
    whole, mail, news = answer.rows
    assert [row.stratum for row in answer.rows] == ["all", "domain=mail", "domain=news"]
    assert {row.verdict for row in answer.rows} == {ESTIMATE}
    assert news.share.low < 0.3 < news.share.high
    assert mail.share.low < 0.1 < mail.share.high
    expected = (news.n * news.share.value + mail.n * mail.share.value) / (news.n + mail.n)
    assert whole.share.value == pytest.approx(expected)
    assert whole.share.high - whole.share.low < news.share.high - news.share.low + mail.share.high - mail.share.low
    assert (whole.n + whole.n_abstained + whole.n_uncalibrated) == 1200
    assert news.tpr is not None
    assert 0.03 < news.tpr.value < 0.6
    assert answer.checks["shift"]["verdict"] == "passed"
    assert answer.checks["placebo"]["verdict"] == "not possible"


def test_humans_alone_give_bounds(humans_only: Calibrated) -> None:
    answer = prevalence(corpus(0.4, 1000, 103, domain="news"), humans_only)
    assert answer.whole.verdict == BOUNDS
    assert math.isnan(answer.whole.share.value)
    assert answer.whole.table()["value"] != answer.whole.table()["value"]
    assert 0.05 < answer.whole.share.low < 0.4
    assert answer.whole.share.high == 1.0
    assert "no synthetic items" in answer.whole.reason


def test_shift_leaves_bounds(calibrated: Calibrated) -> None:
    """The corpus is far above and below both calibration samples, but not where a mix could put it."""
    answer = prevalence(corpus(0.0, 1500, 104, lift=0.9, domain="news"), calibrated)
    assert answer.checks["shift"]["verdict"] == "failed"
    assert answer.whole.verdict == BOUNDS
    assert "shift" in answer.whole.reason


def test_placebo(calibrated: Calibrated) -> None:
    new = corpus(0.5, 600, 105, domain="news", date="2024-05-01")
    old = corpus(0.0, 300, 106, domain="news", date="2019-02-03")
    fine = prevalence(Documents.join([new, old]), calibrated)
    assert fine.checks["placebo"]["verdict"] == "passed"
    assert fine.whole.verdict == ESTIMATE
    other = corpus(0.0, 300, 107, lift=0.7, domain="news", date="2019-02-03")
    wrong = prevalence(Documents.join([new, other]), calibrated, ["domain"])
    assert wrong.checks["placebo"]["verdict"] == "failed"
    assert {row.verdict for row in wrong.rows} == {REFUSED}
    assert all(math.isnan(row.share.low) for row in wrong.rows)
    assert "placebo failed" in wrong.whole.reason


def test_kinds_without_humans_are_counted(calibrated: Calibrated) -> None:
    both = Documents.join([corpus(0.2, 300, 108, domain="news"), corpus(0.2, 200, 109, domain="poems")])
    answer = prevalence(both, calibrated, ["domain"])
    assert answer.whole.n_uncalibrated == 200 - sum(row.n_abstained for row in answer.rows[2:])
    assert answer.rows[2].verdict == REFUSED
    assert any("not part of the share" in line for line in answer.warnings)


def test_overlap_is_refused_or_counted() -> None:
    human = scored_texts(np.random.default_rng(5).normal(0, 1, 300), 51, domain="news")
    own = calibrate(FittedDetector(Told(), {}), human, allow_artefacts=True)
    target = Documents.join([human.take(np.arange(20)), corpus(0.1, 200, 110, domain="news")])
    with pytest.raises(DataError, match="20 of 220 documents"):
        prevalence(target, own)
    answer = prevalence(target, own, drop_overlap=True)
    assert answer.checks["overlap"] == {"verdict": "dropped", "n": 20}
    assert answer.whole.n + answer.whole.n_abstained == 200


def test_copies_are_one_unit(calibrated: Calibrated) -> None:
    target = corpus(0.3, 150, 111, domain="news")
    once = prevalence(target, calibrated).whole.share
    many = Documents.join([target] * 8)
    copied = prevalence(Documents(many.items, many.columns), calibrated).whole.share
    assert copied.high - copied.low == pytest.approx(once.high - once.low, rel=0.03)


def test_bad_wishes(calibrated: Calibrated) -> None:
    target = corpus(0.1, 60, 112, domain="news")
    with pytest.raises(DataError, match="no column 'site'"):
        prevalence(target, calibrated, ["site"])
    with pytest.raises(SpecError, match="level"):
        prevalence(target, calibrated, level=2.0)
    with pytest.raises(SpecError, match="matched"):
        prevalence(target, calibrated, estimator="mached")
    with pytest.raises(DataError, match="hand-labelled"):
        prevalence(target, calibrated, estimator="powered")
    with pytest.raises(DataError, match="no document"):
        prevalence(Documents([]), calibrated)


def test_hand_labels(calibrated: Calibrated) -> None:
    target = corpus(0.3, 900, 113, lift=0.4, domain="news")
    labels = np.full(900, np.nan)
    known = np.random.default_rng(6).permutation(900)[:250]
    labels[known] = (np.arange(900) < 270)[known]
    found = prevalence(target, calibrated, labels=labels, estimator="powered").whole
    assert found.verdict == ESTIMATE
    assert found.share.low < 0.3 < found.share.high


def test_hand_labels_hold_where_the_calibration_does_not(calibrated: Calibrated) -> None:
    """The placebo tests the calibration, which hand labels do not need; months without labels are not a reason to stop."""
    new = corpus(0.3, 600, 116, lift=0.7, domain="news", date="2024-05-01", month="may")
    bare = corpus(0.3, 200, 117, lift=0.7, domain="news", date="2024-06-01", month="june")
    old = corpus(0.0, 300, 118, lift=0.7, domain="news", date="2019-02-03", month="old")
    target = Documents.join([new, bare, old])
    labels = np.full(1100, np.nan)
    known = np.random.default_rng(7).permutation(600)[:200]
    labels[known] = (np.arange(600) < 180)[known]
    answer = prevalence(target, calibrated, ["month"], labels, estimator="powered")
    assert answer.checks["placebo"]["verdict"] == "failed"
    may = next(row for row in answer.rows if row.stratum == "month=may")
    assert may.verdict == ESTIMATE
    assert may.share.low < 0.3 < may.share.high
    june = next(row for row in answer.rows if row.stratum == "month=june")
    assert june.share.method in ("matched", "bounds")


def test_placebo_does_not_depend_on_the_estimator(calibrated: Calibrated) -> None:
    """Counting alone flags some humans at any rate; that is no failure of the calibration."""
    old = corpus(0.0, 4000, 119, domain="news", date="2019-02-03")
    found = prevalence(old, calibrated, estimator="count")
    assert found.checks["placebo"]["verdict"] == "passed"


def test_mixed() -> None:
    one, other = Estimate(0.2, 0.1, 0.3, 0.95, "a", 10), Estimate(0.4, 0.3, 0.6, 0.95, "b", 30)
    both = mixed([0.25, 0.75], [one, other])
    assert both.value == pytest.approx(0.35)
    assert both.low == pytest.approx(0.35 - math.hypot(0.025, 0.075))
    assert both.method == "a+b"
    bounds = mixed([0.5, 0.5], [one, Estimate(math.nan, 0.0, 1.0, 0.95, "bounds", 5)])
    assert math.isnan(bounds.value)
    assert (bounds.low, bounds.high) == pytest.approx((0.05, 0.65))


def labelled(n: int, seed: int) -> Documents:
    items = texts(n, seed) + texts(n, seed + 1, marked=0.25)
    return Documents(items, {"generator": np.repeat(["", "m"], n)}, np.repeat([False, True], n))


def test_crossfit() -> None:
    examples, target = labelled(150, 201), Documents(texts(320, 211) + texts(80, 212, marked=0.25))
    found = crossfit(Bayes(), examples, target)
    answer = prevalence_by_examples(target, found)
    assert answer.whole.share.low < 0.2 < answer.whole.share.high
    assert answer.whole.share.high - answer.whole.share.low < 0.2
    assert found.scores.shape == (5, 400)
    scored = found.scored()
    assert scored.target.weight.sum() == pytest.approx(400)
    assert scored.target.units.max() == 399
    # fitted to all examples and scored on them: the placebo of a detector that has seen its calibration items
    naive = FittedDetector.fit(Bayes(), examples)
    assert naive.score(examples.items[:150]).mean() < found.human.scores.mean() - 0.01


def test_crossfit_refuses(tmp_path: Path) -> None:
    examples = labelled(40, 221)
    with pytest.raises(DataError, match="1 examples are in the corpus"):
        crossfit(Bayes(), examples, Documents([examples.items[0], "another text"]))
    crossfit(Bayes(), examples, Documents([examples.items[0], "another text"]), drop_overlap=True)
    with pytest.raises(DataError, match="both kinds"):
        crossfit(Bayes(), examples.take(np.arange(40)), Documents(["a text"]))
    with pytest.raises(DataError, match="too few"):
        crossfit(Bayes(), examples.take(np.array([0, 1, 60, 61])), Documents(["a text"]))


def _write(path: Path, documents: Documents, label: str = "") -> Path:
    rows = [
        {
            "text": item,
            **({"label": label} if label else {}),
            **{name: str(column[k]) for name, column in documents.columns.items()},
        }
        for k, item in enumerate(documents.items)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_command(tmp_path: Path, calibrated: Calibrated, capsys: pytest.CaptureFixture[str]) -> None:
    calibrated.save(tmp_path / "detector")
    path = _write(tmp_path / "corpus.jsonl", corpus(0.25, 400, 114, domain="news", month="2024-01"))
    with path.open("a") as file:
        file.write("not json\n")
    arguments = ["prevalence", str(path), "--detector", str(tmp_path / "detector"), "--by", "month"]
    code, printed, _ = _run([*arguments, "--json"], capsys)
    found = json.loads(printed)
    assert code == 0
    assert next(iter(found)) == "schema"
    assert found["schema"] == "remission/prevalence/1"
    whole = found["strata"][0]
    assert {"stratum", "value", "low", "high", "level", "method", "n", "n_abstained", "fpr", "tpr"} <= set(whole)
    assert whole["low"] < 0.25 < whole["high"]
    assert found["strata"][1]["stratum"] == "month=2024-01"
    assert found["accounting"]["quarantined"] == 1
    assert set(found["checks"]) == {"placebo", "shift", "overlap"}
    code, printed, warned = _run(arguments, capsys)
    assert code == 0
    assert "95 % interval" in printed
    assert "1 set aside" in warned


def test_command_with_bounds(tmp_path: Path, humans_only: Calibrated, capsys: pytest.CaptureFixture[str]) -> None:
    humans_only.save(tmp_path / "detector")
    path = _write(tmp_path / "corpus.jsonl", corpus(0.4, 300, 115, domain="news"))
    code, printed, _ = _run(["prevalence", str(path), "--detector", str(tmp_path / "detector"), "--json"], capsys)
    assert code == 0
    assert json.loads(printed)["strata"][0]["value"] is None
    assert json.loads(printed)["strata"][0]["verdict"] == "bounds"
    assert "only bounds" in _run(["prevalence", str(path), "--detector", str(tmp_path / "detector")], capsys)[1]


def test_command_with_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = labelled(60, 231)
    human = _write(tmp_path / "human.jsonl", Documents(examples.items[:60]), "human")
    machine = _write(tmp_path / "machine.jsonl", Documents(examples.items[60:]), "ai")
    path = _write(tmp_path / "corpus.jsonl", Documents(texts(90, 241) + texts(60, 242, marked=0.25)))
    arguments = ["prevalence", str(path), "--examples", str(human), "--examples", str(machine)]
    code, printed, _ = _run([*arguments, "--kind", "tests.calibration.own:Bayes", "--json"], capsys)
    assert code == 0
    whole = json.loads(printed)["strata"][0]
    assert whole["low"] < 0.4 < whole["high"]


def test_command_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = _run(["prevalence", str(tmp_path)], capsys)
    assert code == 2
    assert "--detector" in said
    code, _, said = _run(["prevalence", str(tmp_path / "none.jsonl"), "--detector", str(tmp_path / "nothing")], capsys)
    assert code == 2
    assert "nothing" in said
