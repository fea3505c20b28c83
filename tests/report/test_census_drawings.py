"""Drawings of a census: marks lie where the document says, months are evenly wide, gaps stay gaps, ranges stay open."""

from __future__ import annotations

import html
import math
import re
from xml.etree import ElementTree

import pytest
from census_fakes import answer, bounded, refused, row
from census_pages import at, check_strata, dots, drawn, monthly, of_sources, page_of, tables, wide

from remission.report.census import build
from remission.report.census_forest import Bar, drawings, forest, share_axis
from remission.report.census_rows import Interval, time_of
from remission.report.census_time import Moment, runs, ticks


def test_drawings_are_files_of_their_own() -> None:
    strata = [row("all"), *monthly({"2023-01": 0.1, "2023-02": 0.2}, "a\x08<&"), *monthly({"2023-02": 0.2}, "b")]
    found = drawings(build(answer(strata, ("source", "month"))))
    assert list(found) == ["Over-time.svg", "Over-time-2.svg", "Strata-compared.svg"]
    for content in found.values():
        root = ElementTree.fromstring(content)
        assert root.get("viewBox")
        assert "var(" not in content.decode(), "colours do not need the page"
    assert "a?<&" in "".join(ElementTree.fromstring(found["Over-time.svg"]).itertext())


def test_bounds_are_open_and_refusals_are_told() -> None:
    document = of_sources()
    page = page_of(document)
    marks = drawn(wide(page))
    assert math.isnan(marks["court rulings"][0])
    assert "forum" not in marks
    assert tables(page)["strata-without-a-share"] == [
        {"stratum": "source=forum", "documents": "30", "not judged": "0", "why": "no document could be judged"}
    ]
    text = html.unescape(page)
    assert "<strong>Bounds only: 1 stratum.</strong> No synthetic items of its kind. (court rulings)" in text
    assert "<strong>No share: 1 stratum.</strong> No document could be judged. (forum)" in text


def test_time_runs_evenly_and_months_without_documents_are_gaps() -> None:
    values = {"2022-11": 0.1, "2022-12": 0.2, "2023-01": 0.3, "2023-05": 0.4, "2023-06": 0.35}
    strata = [row("all"), *monthly(values), *monthly({"2023-02": 0.25}, "b")]
    strata += [bounded("source=b | month=2023-03", 0.1, 0.5), refused("source=b | month=2023-04")]
    page = page_of(answer(strata, ("source", "month")))
    points = dots(at(page, "a"))
    assert [month for month, _, _ in points] == list(values)
    months = [time_of(month) for month, _, _ in points]
    steps = {
        round((x2 - x1) / (m2 - m1), 1)
        for (_, x1, _), (_, x2, _), m1, m2 in zip(points, points[1:], months, months[1:], strict=False)
        if m1 and m2
    }
    assert max(steps) - min(steps) < 0.11, "months are equally wide"
    slopes = [(y - points[0][2]) / (values[month] - values["2022-11"]) for month, _, y in points[1:]]
    assert max(slopes) - min(slopes) < 2, "and shares equally high"
    lines = re.findall(r'<path class="s g0" d="(M[^"]*)" fill="none"', at(page, "a"))
    assert [line.count(",") for line in lines] == [3, 2], "two pieces with a gap between them"
    b = at(page, "b")
    assert [month for month, _, _ in dots(b)] == ["2023-02"]
    assert b.count('class="hollow') == 1
    assert b.count("2023-04: no share can be given, 0 documents") == 1


def test_runs_end_at_gaps_and_at_ranges() -> None:
    known, open_ = Interval(0.1, 0.0, 0.2), Interval(math.nan, 0.0, 0.2)
    moments = [Moment(k, open_ if k == 4 else known, 5) for k in (1, 2, 4, 5, 8)]
    assert [[one.time for one in run] for run in runs(moments)] == [[1, 2], [5], [8]]


def test_odd_dates_are_told_and_not_drawn() -> None:
    usual = {f"{year}-{month:02}": 0.25 for year in (2021, 2022, 2023) for month in range(1, 13)}
    strata = [row("all"), *monthly(usual, n=1000), *monthly({"1970-01": 0.5, "2099-12": 0.5}, n=3)]
    strata += [row("source=a | month=", n=17), row("source=a | month=2023-13", n=4)]
    document = answer(strata, ("source", "month"))
    page = page_of(document)
    assert [month for month, _, _ in dots(at(page, "a"))] == list(usual)
    text = html.unescape(page)
    assert "Not drawn: 2 strata of few documents before 2021-01 or after 2023-12." in text
    assert "Without a date that can be read: 2 strata with 21 documents." in text
    check_strata(page, document)


def test_many_lines_give_way_to_the_largest() -> None:
    strata = [row("all")]
    for k in range(15):
        strata += monthly({"2023-01": 0.1, "2023-02": 0.2}, f"s{k:02}", 100 + k)
    page = page_of(answer(strata, ("source", "month")))
    assert page.count('class="own panel"') == 12
    assert "Drawn are the 12 with most documents; 3 more are in the table." in page
    assert "over time: s02<" not in page
    assert "over time: s03<" in page


def test_years_and_a_single_line() -> None:
    strata = [row("all"), *(row(f"year={year}", 0.1) for year in (2019, 2020, 2023))]
    page = page_of(answer(strata, ("year",)))
    assert page.count('class="own panel single"') == 1
    assert [year for year, _, _ in dots(at(page, "all documents"))] == ["2019", "2020", "2023"]
    assert list(drawn(wide(page))) == ["the whole corpus", "2019", "2020", "2023"], "in order of time"


def test_ticks_are_whole_years_when_months_would_be_too_many() -> None:
    start = 12 * 2010
    assert [time % 12 for time in ticks(start, start + 150, True, 4)] == [0, 0, 0]
    assert len(ticks(start, start + 5, True, 8)) == 6
    assert ticks(2019, 2019, False, 4) == [2019]


def test_the_axis_reaches_what_is_there() -> None:
    assert share_axis([]).high == 1.0
    assert share_axis([Interval(0.5, 0.4, 1.0)]).high == 1.0
    for high in (0.0, 1e-5, 0.004, 0.03, 0.2, 0.71, 0.97):
        axis = share_axis([Interval(high / 2, 0.0, high)])
        assert high <= axis.high <= max(2.6 * high, 1e-5)
        assert axis.ticks[-1][0] == pytest.approx(axis.high)


def test_narrow_screens_get_the_same_rows() -> None:
    bars = [Bar("a", Interval(0.25, 0.2, 0.3), 5), Bar("b", Interval(math.nan, 0.1, 0.5), 6)]
    both = re.findall(r"<svg.*?</svg>", forest(bars, "t", "i"), re.DOTALL)
    one, other = (drawn(svg) for svg in both)
    assert list(one) == list(other) == ["a", "b"]
    for name in one:
        assert one[name] == pytest.approx(other[name], abs=0.01, nan_ok=True)


def test_a_small_stratum_with_a_wide_interval_does_not_press_the_others_together() -> None:
    strata = [row("all", 0.02, 0.015, 0.025), *(row(f"source=s{k}", 0.02, 0.01, 0.03, 1000) for k in range(5))]
    alone = page_of(answer(strata, ("source",)))
    strata.append(row("source=odd", 0.0, 0.0, 1.0, 1))
    page = page_of(answer(strata, ("source",)))
    marks = drawn(wide(page))
    assert marks["odd"][2] < 0.05
    assert marks["s0"] == pytest.approx(drawn(wide(alone))["s0"])
    assert "beyond the axis are cut off there" in page
    assert "beyond the axis" not in alone
    assert "0.0 % (0.0\N{EN DASH}100.0)" in page, "its numbers are whole"
