"""From a run folder to words, charts and galleries."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from report_fakes import FakeStore, fake_store, text_store

from remission.report.build import build
from remission.report.content import Chart, Report
from remission.report.gallery import galleries, spell
from remission.report.page import render
from remission.report.words import FAMILIES, ORDER, OTHER


def chart_of(report: Report, name: str) -> Chart:
    return next(chart for chart in report.charts if chart.name == name)


def row(value: float, t: int, point: int = 0, metric: str = "moments.ratio", **more: Any) -> dict[str, Any]:
    plain = {
        "point": point, "generation": t, "metric": metric, "n": 50, "mean": value, "median": value, "mean_log": 0.0,
        "low": value * 0.9, "high": value * 1.1, "level": 0.95, "of": "mean", "estimable": True,
    }  # fmt: skip
    return plain | more


def single(rows: list[dict[str, Any]], **changes: Any) -> FakeStore:
    store = fake_store(3, summary=rows, theory=[], verdicts=[], samples={}, warnings=[], citations=[], refused=[])
    store.points, store.point_names = [{}], ["replace"]
    for name, value in changes.items():
        setattr(store, name, value)
    return store


def finding(store: FakeStore) -> Any:
    return build(store).sections[0].findings[0]


def test_a_collapse_is_said_to_be_one() -> None:
    said = finding(single([row(0.99, 1), row(0.37, 50, low=0.33, high=0.41)]))
    assert said.sentence == (
        "The variance relative to the real data fell from 0.99 at generation 1 to 0.37 [0.33, 0.41] by generation 50."
    )
    assert said.tone == "bad"


def test_no_change_and_gain_are_not_said_to_be_collapse() -> None:
    same = finding(single([row(0.99, 1), row(0.97, 50)]))
    assert "shows no clear change" in same.sentence
    assert same.tone == "good"
    assert finding(single([row(0.5, 1), row(0.9, 50)])).tone == "good"


def test_the_direction_of_the_metric_decides() -> None:
    rows = [row(1.0, 1, metric="frechet"), row(90.0, 9, metric="frechet")]
    assert finding(single(rows)).tone == "bad"
    assert finding(single(rows, directions={"frechet": "either"})).tone == "neutral"


def test_medians_are_called_medians() -> None:
    rows = [row(0.9, 1), row(9.0, 2, median=0.5, of="median", low=0.4, high=0.6)]
    report = build(single(rows))
    assert "median over replicates" in report.sections[0].findings[0].sentence
    chart = chart_of(report, "moments.ratio")
    assert chart.series[0].y == (0.9, 0.5)
    assert "median over 50 replicates" in chart.caption
    assert math.isnan(chart.series[0].low[0])
    assert chart.series[0].low[1] == 0.4


def test_theory_is_compared_on_its_own_scale_only() -> None:
    law = {
        "point": 0,
        "generation": 2,
        "metric": "moments.ratio",
        "law": "gaussian-replace",
        "value": 0.5,
        "scale": "mean",
        "source": "s",
    }
    rows = [row(0.9, 1), row(0.51, 2)]
    assert "Theory (gaussian-replace) says 0.5, inside the interval." in finding(single(rows, theory=[law])).sentence
    assert "outside the interval" in finding(single(rows, theory=[law | {"value": 0.9}])).sentence
    assert "Theory" not in finding(single(rows, theory=[law | {"scale": "log-mean"}])).sentence


def test_the_mean_of_a_logarithm_is_drawn_as_a_typical_value() -> None:
    law = {
        "point": 0,
        "generation": 2,
        "metric": "moments.ratio",
        "law": "log",
        "value": math.log(0.5),
        "scale": "log-mean",
        "source": "s",
    }
    report = build(single([row(0.5, 2, of="median")], theory=[law]))
    theory = [series for series in chart_of(report, "moments.ratio").series if series.kind == "theory"]
    assert theory[0].y == (pytest.approx(0.5),)
    raw = law | {"metric": "moments.log-det", "value": -3.0}
    report = build(single([row(-3.0, 2, metric="moments.log-det", of="median")], theory=[raw]))
    assert [series.y for series in report.charts[0].series if series.kind == "theory"] == [(-3.0,)]


def test_laws_that_cannot_be_compared_give_way_to_those_that_can() -> None:
    base = {"point": 0, "generation": 1, "metric": "moments.ratio", "source": "s", "value": 0.5}
    laws = [base | {"law": "a", "scale": "mean"}, base | {"law": "b", "scale": "log-mean"}]
    drawn = {
        of: [
            s.name
            for s in chart_of(build(single([row(0.5, 1, of=of)], theory=laws)), "moments.ratio").series
            if s.kind == "theory"
        ]
        for of in ("mean", "median")
    }
    assert drawn == {"mean": ["theory a"], "median": ["theory b"]}


def test_one_line_per_point_with_theory_in_its_colour() -> None:
    chart = chart_of(build(fake_store(6)), "moments.error")
    assert [(s.name, s.kind, s.group) for s in chart.series] == [
        ("replace", "measured", 0), ("fresh 10 %", "measured", 1), ("accumulate", "measured", 2),
        ("replace, theory gaussian-replace", "theory", 0), ("fresh 10 %, theory gaussian-fresh", "theory", 1),
    ]  # fmt: skip
    assert chart.note == "Rises in collapse."


def test_families_open_with_words_and_every_metric_has_one_place() -> None:
    store = fake_store(4)
    report = build(store)
    drawn = [chart.name for chart in report.charts]
    assert sorted(drawn) == sorted({row["metric"] for row in store.summary})
    titles = [section.title for section in report.sections]
    assert [title for title in titles if title in ORDER] == [title for title in ORDER if title in titles]
    assert {family.title for family in (*FAMILIES, OTHER)} == set(ORDER)
    assert all(section.text for section in report.sections)


def test_wide_ranges_start_on_a_logarithmic_axis() -> None:
    assert chart_of(build(single([row(1.0, 1), row(1e-6, 2)])), "moments.ratio").log_y
    assert not chart_of(build(single([row(1.0, 1), row(0.5, 2)])), "moments.ratio").log_y
    assert not chart_of(build(single([row(1.0, 1), row(0.0, 2)])), "moments.ratio").log_y


def test_long_runs_are_thinned_and_say_so() -> None:
    chart = chart_of(build(single([row(0.999**t, t) for t in range(1, 1001)])), "moments.ratio")
    measured = chart.series[0]
    assert len(measured.x) <= 240
    assert (measured.x[0], measured.x[-1]) == (1, 1000)
    assert "of 1000 generations are drawn" in chart.caption


def test_large_sweeps_draw_eight_lines_and_the_dose() -> None:
    rows = [row(0.9 - 0.01 * p * t, t, p) for p in range(12) for t in (1, 2)]
    store = single(
        rows, points=[{"regime.share": p / 10} for p in range(12)], point_names=[f"share={p / 10}" for p in range(12)]
    )
    report = build(store)
    assert sum(series.kind == "measured" for series in chart_of(report, "moments.ratio").series) == 8
    assert "8 of 12 settings" in chart_of(report, "moments.ratio").caption
    dose = chart_of(report, "moments.ratio by regime.share")
    assert dose.series[0].x == tuple(p / 10 for p in range(12))
    assert dose.series[0].y[3] == pytest.approx(0.9 - 0.06)
    assert len(report.sections[0].findings) == 12


def test_laws_that_agree_are_one_line_named_after_what_was_run() -> None:
    base = {"point": 0, "metric": "moments.ratio", "scale": "mean", "source": "s"}
    values = {"biased-mix": 0.9, "gaussian-replace": 0.9 + 1e-14, "other": 0.8}
    laws = [base | {"law": law, "generation": t, "value": value**t} for law, value in values.items() for t in (1, 2)]
    store = single([row(0.9, 1), row(0.81, 2)], theory=laws)
    store.experiment = {"source": "gaussian", "model": "gaussian", "regime": {"kind": "replace"}}
    chart = chart_of(build(store), "moments.ratio")
    assert [s.name for s in chart.series if s.kind == "theory"] == ["theory gaussian-replace", "theory other"]
    assert "gaussian-replace (one more law agrees) and other" in chart.caption
    assert "Theory (gaussian-replace) says 0.81" in finding(store).sentence


def test_many_verdicts_become_one_sentence_and_a_table() -> None:
    answers = {"variance": "yes", "tails": "yes", "risk": "no", "scaling": "not measured"}
    verdicts = [{"point": 0, "definition": d, "verdict": v, "sentence": f"because of {d}"} for d, v in answers.items()]
    report = build(single([row(1.0, 1), row(0.3, 2)], verdicts=verdicts))
    assert (
        "Collapse by 2 of the 3 published definitions that could be decided: variance and tails."
        in report.sections[0].findings[0].sentence
    )
    section = next(section for section in report.sections if section.title == "Definitions")
    assert section.tables[0].rows == tuple(answers.items())
    assert ("replace", "risk", "no", "because of risk") in section.tables[1].rows
    calm = build(single([row(1.0, 1), row(0.99, 2)], verdicts=[v | {"verdict": "no"} for v in verdicts]))
    assert calm.sections[0].findings[0].tone == "good"
    assert "by none of the 4" in calm.sections[0].findings[0].sentence


@pytest.mark.parametrize("changes", [
    {"summary": []}, {"experiment": {}, "toml": ""}, {"provenance": {}}, {"directions": {}},
    {"summary": [row(math.nan, 1)]}, {"summary": [row(1.0, 1, low=None, high=None, n=1)]},
    {"summary": [row(1.0, 0), row(0.9, 1)]}, {"summary": [row(-5.0, 1, metric="strange metric/<x>")]},
])  # fmt: skip
def test_poor_stores_still_make_a_page(changes: dict[str, Any]) -> None:
    report = build(single([row(1.0, 1), row(0.5, 2)], **changes))
    assert "<h1>" in render(report)


def test_experiments_may_be_flat_or_nested() -> None:
    assert "ngram" in build(text_store()).lead
    assert "for 9 generations" in build(text_store()).lead
    assert "200 independent replicates" in build(fake_store(4)).lead


def test_content_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        build(fake_store(3)).title = "x"  # type: ignore[misc]


def test_images_are_shown_on_the_scale_of_the_real_ones() -> None:
    made = galleries(fake_store(50))
    assert [gallery.title for gallery in made] == ["replace", "fresh 10 %", "accumulate"]
    assert made[0].kind == "image"
    assert made[0].columns[0].label == "real"
    assert made[0].columns[-1].label == "generation 50"
    assert len(made[0].columns) <= 6
    assert made[0].bounds == (0.0, 16.0)
    assert made[0].columns[0].items.shape == (25, 8, 8)


def space(kind: str, shape: tuple[int, ...], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "shape": shape, "size": 0, "names": (), "picture": None, "joiner": " "} | more


RNG = np.random.default_rng(5)


@pytest.mark.parametrize(("own", "real", "kind"), [
    (space("vector", (1,)), RNG.normal(size=(90, 1)), "bars"),
    (space("vector", (1,)), RNG.normal(size=(16, 1)), "scatter"),
    (space("vector", (2,)), RNG.normal(size=(50, 2)), "scatter"),
    (space("vector", (7,)), RNG.normal(size=(50, 7)), "scatter"),
    (space("labelled", (3,), size=2), np.column_stack([RNG.normal(size=(50, 2)), RNG.integers(0, 2, 50)]), "scatter"),
    (space("labelled", (2,), size=2), np.column_stack([RNG.normal(size=50), RNG.integers(0, 2, 50)]), "scatter"),
    (space("regression", (2,)), RNG.normal(size=(50, 2)), "scatter"),
    (space("symbols", (), size=9), RNG.integers(0, 9, 50), "bars"),
    (space("tokens", (5,), size=9, names=tuple("abcdefghi")), RNG.integers(0, 9, (8, 5)), "text"),
    (space("image", (12,), picture=(2, 2)), RNG.random((9, 12)), "image"),
    (space("image", (784,), picture=(28, 28)), RNG.random((30, 784)), "image"),
])  # fmt: skip
def test_every_kind_of_item_can_be_shown(own: dict[str, Any], real: Any, kind: str) -> None:
    collapsed = np.repeat(real[:1], len(real), axis=0)
    store = single([row(1.0, 1)], space=own, samples={0: {0: real, 1: real[::-1], 9: collapsed}})
    (gallery,) = galleries(store)
    assert gallery.kind == kind
    assert gallery.caption
    assert "generation 9" in render(build(store))


def test_no_samples_no_gallery() -> None:
    assert galleries(single([], samples={0: {}, 1: {0: np.empty((0, 3))}})) == ()


def test_unknown_tokens_are_shown_as_numbers() -> None:
    assert spell(np.array([0, 5]), {"names": ("a",), "joiner": ""}) == "a⟨5⟩"
    assert len(spell(np.zeros(5000, int), {"names": ("word",), "joiner": " "})) == 280
