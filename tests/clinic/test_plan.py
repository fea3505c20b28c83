"""Plans: the exact answer where a law has one, the same by simulation, costs, filters, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from remission.cli import _run as command_line
from remission.clinic._plan_file import read_question
from remission.clinic.plan import answer, plan
from remission.errors import DataError, SpecError
from remission.theory.filtered_mix import kept_share
from remission.theory.fresh_mix import error

GAUSSIAN = """
[plan]
generations = 60
items = {items}
keep = ["moments.error <= {limit}"]
confidence = "mean"
at = "last"
[corpus]
synthetic = {share}
[[filter]]
name = "detector"
tpr = {{ value = 0.8, low = 0.7, high = 0.9 }}
fpr = 0.05
[price]
fresh = 1.0
call = {call}
[source]
kind = "gaussian"
[model]
kind = "gaussian"
[[metric]]
kind = "moments"
"""


def written(folder: Path, text: str = GAUSSIAN, **values: object) -> Path:
    path = folder / "plan.toml"
    given = {"items": 100, "limit": 0.04, "share": 1.0, "call": 0.01} | values
    path.write_text(text.format(**given) if text is GAUSSIAN else text)
    return path


def test_the_exact_answer_is_the_smallest_number_of_fresh_items(tmp_path: Path) -> None:
    for items, limit in ((100, 0.04), (400, 0.008), (50, 0.1)):
        found = plan(written(tmp_path, items=items, limit=limit))
        assert found.found.method == "exact"
        fresh = next(option for option in found.options if option.name == "fresh only")
        least = next(n for n in range(items + 1) if error(n, items - n, 60)[-1] <= limit)
        assert fresh.buy == least
        wrong = next(n for n in range(items + 1) if error(n, items - n, 60)[-1] <= 0.9 * limit)
        assert fresh.buy != wrong


@pytest.mark.slow
def test_simulation_agrees_with_the_exact_answer_within_two_per_cent(tmp_path: Path) -> None:
    question = read_question(written(tmp_path, items=400, limit=0.008))
    exact, made = answer(question), answer(question, simulate=True, budget=60_000)
    need = {
        name: next(o for o in found.options if o.name == "fresh only") for name, found in (("e", exact), ("s", made))
    }
    assert need["s"].fresh.value == pytest.approx(need["e"].fresh.value, rel=0.02)


def test_simulation_covers_the_exact_answer(tmp_path: Path) -> None:
    question = read_question(written(tmp_path, items=100, limit=0.04))
    made = answer(question, simulate=True, budget=6000)
    fresh = next(option for option in made.options if option.name == "fresh only").fresh
    assert fresh.low - 0.5 <= 13 <= fresh.high + 1.0
    assert fresh.high - fresh.low < 6
    assert made.found.method == "simulated"
    assert made.checked is not None
    assert made.found.curve


def test_costs_and_filters(tmp_path: Path) -> None:
    found = plan(written(tmp_path, share=0.9, call=0.01))
    detector = next(option for option in found.options if option.name == "detector" and option.filtered == 1)
    assert detector.synthetic == pytest.approx(kept_share(0.9, 0.8, 0.05))
    assert detector.yields == pytest.approx(0.9 * 0.2 + 0.1 * 0.95)
    assert detector.calls == pytest.approx((100 - detector.buy) / detector.yields)
    assert detector.cost == pytest.approx(detector.buy + 0.01 * detector.calls)
    costs = [option.cost for option in found.options]
    assert costs == sorted(costs)
    assert found.recommended == found.options[0]
    cheap, dear = (plan(written(tmp_path, share=0.9, call=call)).recommended for call in (1e-6, 10.0))
    assert cheap.filtered > 0
    assert dear.name == "fresh only"
    names = {row.name for row in found.sensitivity}
    assert {"tpr 0.7", "tpr 0.9", "price of a fresh item 0.5", "price of a call 0.02"} <= names
    assert [option.filtered for option in found.cost_curve] == pytest.approx(np.arange(11) / 10)
    fresh = [option.fresh.value for option in found.cost_curve]
    assert fresh == sorted(fresh, reverse=True)  # the more is filtered, the less must be bought


def test_a_census_is_read_with_its_interval(tmp_path: Path) -> None:
    census = {"schema": "remission/prevalence/1", "strata": [
        {"stratum": "all", "value": 0.5, "low": 0.4, "high": 0.6},
        {"stratum": "site=b", "value": None, "low": 0.1, "high": 0.8},
        {"stratum": "site=c", "value": None, "low": None, "high": None, "reason": "too few"},
    ]}  # fmt: skip
    (tmp_path / "census.json").write_text(json.dumps(census))
    text = GAUSSIAN.replace("synthetic = {share}", 'census = "census.json"{stratum}')

    def asked(stratum: str = "") -> Path:
        path = tmp_path / "plan.toml"
        path.write_text(
            text.format(items=100, limit=0.02, call=0.01, stratum=f'\nstratum = "{stratum}"' if stratum else "")
        )
        return path

    found = plan(asked())
    assert (found.question.corpus.low, found.question.corpus.value, found.question.corpus.high) == (0.4, 0.5, 0.6)
    assert {"synthetic share 0.4", "synthetic share 0.6"} <= {row.name for row in found.sensitivity}
    bounds = read_question(asked("site=b"))
    assert bounds.corpus.value == 0.8
    assert "only bounds" in bounds.notes[0]
    with pytest.raises(DataError, match=r"says nothing of the stratum 'site=c' .too few"):
        read_question(asked("site=c"))
    with pytest.raises(DataError, match=r"has no stratum 'site=d'. Did you mean"):
        read_question(asked("site=d"))


def test_advice_over_budget_can_be_paid(tmp_path: Path) -> None:
    for budget in (3.0, 8.0, 12.0):
        found = plan(written(tmp_path, share=0.9, call=0.5), (f"price.budget={budget}",))
        if found.verdict == "plan":
            continue
        can = found.affordable
        option = next((one for one in found.options if one.name == can.get("option")), None)
        if option is not None:
            paid = can["fresh"] + (100 - can["fresh"]) * option.filtered * 0.5 / option.yields
            assert paid <= budget + 1e-9
    with pytest.raises(SpecError, match="names no value of the plan"):
        plan(written(tmp_path), ("filter.3.tpr=0.5",))
    changed = read_question(written(tmp_path), ("filter.0.fpr=0.2",))
    assert changed.filters[0].fpr.value == 0.2


def test_a_high_confidence_is_searched_with_enough_loops_or_says_that_it_was_not(tmp_path: Path) -> None:
    text = written(tmp_path, items=200).read_text()
    text = text.replace('confidence = "mean"\nat = "last"', "confidence = 0.98").replace(
        "moments.error <= 0.04", "moments.ratio >= 0.7"
    )
    text = text.replace("generations = 60", "generations = 10")
    path = written(tmp_path, text)
    narrow = plan(path)
    assert narrow.found.human.high < 0.7
    assert not any("known only" in note for note in narrow.question.notes)
    with pytest.raises(SpecError, match="too small"):
        plan(path, budget=2000)
    assert narrow.checked.high >= 0.95


def test_rates_come_from_an_evaluation_of_a_detector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    words = {
        "human": ["the", "sea", "was", "dark", "and", "we", "went", "on", "by", "night"],
        "ai": ["as", "a", "model", "the", "answer", "is", "sure", "and", "clear"],
    }
    for part in ("fit", "own", "test"):
        rows = [
            {"id": f"{part}{i}", "text": " ".join(rng.choice(words[kind], 12)) + f" {rng.integers(99)}", "label": kind}
            for i in range(150)
            for kind in ("human", "ai")
        ]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    detector, ready = str(tmp_path / "d"), str(tmp_path / "c")
    assert (
        command_line(
            ["detect", "fit", str(tmp_path / "fit.jsonl"), "-o", detector, "--kind", "ngrams", "--allow-artefacts"]
        )
        == 0
    )
    own = str(tmp_path / "own.jsonl")
    assert (
        command_line(
            ["detect", "calibrate", detector, "--human", own, "--synthetic", own, "-o", ready, "--max-fpr", "0.05"]
        )
        == 0
    )
    capsys.readouterr()
    assert command_line(["detect", "evaluate", ready, str(tmp_path / "test.jsonl"), "--json"]) == 0
    (tmp_path / "rates.json").write_text(capsys.readouterr().out)
    text = written(tmp_path, share=0.9).read_text()
    text = text.replace("tpr = { value = 0.8, low = 0.7, high = 0.9 }\nfpr = 0.05", 'rates = "rates.json"')
    found = read_question(written(tmp_path, text)).filters[0]
    assert found.tpr.value > 0.9
    assert 0 <= found.fpr.low <= found.fpr.value <= found.fpr.high < 0.15


def test_what_cannot_be_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, items=10, limit=0.001)
    assert command_line(["plan", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "remission/plan/1"
    assert found["verdict"] == "impossible"
    assert "not even 10 human items" in found["told"]
    path = written(tmp_path, share=1.0)
    assert command_line(["plan", str(path), "--set", "price.budget=5"]) == 1
    told = capsys.readouterr().out
    assert "No way fits the budget of 5" in told
    assert "The budget pays for 5 fresh items" in told
    assert command_line(["plan", str(path)]) == 0
    assert "Buy 13 fresh human items per generation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("synthetic = 1.0", 'synthetic = ["a", 0.5]', "a range"),
        ('keep = ["moments.error <= 0.04"]', "keep = 5", "list of lines"),
        ("fresh = 1.0", "fresh = nan", "at least 0"),
        ('at = "last"', 'at = "worst"', "expectation in the last generation"),
        ('keep = ["moments.error <= 0.04"]', "keep = []", "needs 'keep'"),
        ('keep = ["moments.error <= 0.04"]', 'keep = ["moments.ratio >= 0.9", "moments.ratio <= 0.5"]', "exclude each other"),
        ("generations = 60", "generation = 60", r"\[plan\] has no key 'generation'. Did you mean 'generations'"),
        ("synthetic = 1.0", "synthetic = 1.5", "must lie between 0 and 1"),
        ("synthetic = 1.0", "", "needs either 'synthetic'"),
        ("fresh = 1.0", "fresh = -1.0", "at least 0"),
        ('confidence = "mean"', "confidence = 95", "share of runs"),
        ("fpr = 0.05", "", "needs 'tpr' and 'fpr'"),
        ('[source]\nkind = "gaussian"', "", r"no \[source\]"),
        ('[model]\nkind = "gaussian"', '[model]\nkind = "gausian"', "Did you mean 'gaussian'"),
        ('[model]\nkind = "gaussian"', '[regime]\nkind = "replace"', r"makes its own \[regime\]"),
        ("moments.error <= 0.04", "moments.err <= 0.04", "Did you mean 'moments.error'"),
    ],
)  # fmt: skip
def test_bad_plans_get_one_message(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = written(tmp_path).read_text()
    assert old in text
    path = written(tmp_path, text.replace(old, new))
    with pytest.raises((SpecError, DataError), match=told):
        plan(path)


def test_your_own_data_becomes_a_law(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(-4, 1, (400, 2)), rng.normal(4, 0.5, (200, 2))])
    np.save(tmp_path / "mine.npy", rows)
    text = """
[plan]
generations = 5
items = 200
replicates = 30
keep = "moments.ratio >= 0.8"
confidence = 0.9
[corpus]
synthetic = [0.5, 0.7]
[source]
kind = "surrogate"
base = { kind = "file", path = "mine.npy" }
[model]
kind = "gaussian"
[[metric]]
kind = "moments"
"""
    question = read_question(written(tmp_path, text))
    law = question.experiment.source.law()
    assert law.weights.size == 2
    assert np.allclose(law.mean, rows.mean(axis=0), atol=0.02)
    assert np.allclose(law.cov, np.cov(rows.T, bias=True), rtol=0.02)
    found = answer(question, budget=2000)
    assert found.verdict == "plan"
    assert found.checked.high >= 0.9
