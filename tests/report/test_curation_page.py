"""The page of a curation: every number is the document's, no stratum is lost, hostile names stay text, and what is not known is said."""

from __future__ import annotations

import copy
import html
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from census_fakes import estimate
from census_pages import drawn, is_share, tables
from test_report_browser import Watched, browser  # noqa: F401  (a fixture)
from test_report_page import EVIL, read

from remission.errors import StoreError
from remission.report.curation import build, write_page
from remission.report.page import render

NAN = math.nan
NOTHING = {"value": NAN, "low": NAN, "high": NAN, "level": 0.95, "method": "none", "n": 0}


def row(name: str, documents: float = 1000.0, weight: float = 750.0, **more: Any) -> dict[str, Any]:
    fields = {
        "stratum": name, "before": estimate(0.25, 0.1875, 0.3125), "after": estimate(0.0625, 0.03125, 0.09375),
        "documents": documents, "kept": weight, "dropped": documents - weight, "weight": weight,
        "human_lost": estimate(31.5, 15.25, 52.0), "effective": weight, "scatter": 0.0078125,
    }  # fmt: skip
    return fields | more


def bounded(name: str, **more: Any) -> dict[str, Any]:
    return row(name, before=estimate(NAN, 0.125, 0.5), after=estimate(NAN, 0.0, 0.25), human_lost=estimate(NAN, 0.0, 70.0), scatter=NAN) | more  # fmt: skip


def gone(name: str, **more: Any) -> dict[str, Any]:
    return row(name, weight=0.0, after=NOTHING, effective=0.0, scatter=NAN) | more


OUTLOOK = {
    "sentences": ["Before it was so.", "By the laws it falls."], "simulation": None, "generations": 2, "tokens": 12345, "temperature": 1.0,
    "sample": {"used": 7, "tokens": 4321, "types": 99}, "assumed": "The worst case.", "notes": ["a note of the lab"],
    "curves": [{"row": "types.once", "method": "law", "loop": loop, "values": [1.0, 0.9], "low": [1.0, 0.8], "high": [1.0, 0.95]} for loop in ("before", "after", "human")],
    "effects": [{"row": "types.once", "method": "law", "before": 0.5, "after": 0.625, "human": 0.75, "change": {"value": 0.125, "low": 0.0625, "high": 0.1875}}],
}  # fmt: skip


def document(strata: list[dict[str, Any]], policy: str = "exclude", **more: Any) -> dict[str, Any]:
    facts = {
        "exclude": {"fdr": 0.05, "cut": 0.0123, "tested": 3945.0, "dropped": 922.0, "thresholds": {"news": 0.71875, "web": None}},
        "weigh": {}, "cap": {"cap": 0.1, "dropped_whole": ["source=spam"]},
    }[policy]  # fmt: skip
    weights = [1.0, 0.25, 0.0] if policy == "weigh" else [1.0, 1.0, 0.0]
    found = {
        "folder": "out", "policy": policy, "fdr": 0.05, "cap": 0.1, "unjudged": "keep", "facts": facts,
        "before": estimate(0.2734375, 0.2265625, 0.3203125), "after": estimate(0.0546875, 0.0234375, 0.0859375), "strata": strata,
        "whole": {"before": estimate(NAN, 0.2257, 0.3229), "after": estimate(NAN, 0.0233, 0.0907), "unjudged": 15},
        "accounting": {"in": 4187, "kept": 3038, "dropped": 1147, "quarantined": 2},
        "reasons": {"copy of an earlier document": 105, "declares that it is synthetic": 120, "likely synthetic": 922},
        "known": {"judged": 3945, "copies": 105, "declared": 120, "archived": 17, "marked": 3, "unjudged": {"too short": 15}},
        "weight": 3038.0, "effective": 2999.5, "notes": ["a note on the rules"], "outlook": copy.deepcopy(OUTLOOK), "warnings": ["a warning"],
        "rules": [{"stratum": one["stratum"], "kind": "news", "edges": [0.5, 0.75], "weights": weights, "reason": "it is", "policy": policy} for one in strata[1:]],
    }  # fmt: skip
    return found | more


def of_sources(policy: str = "exclude") -> dict[str, Any]:
    return document([row("all", 3945.0, 3023.0), row("source=blogs", 1300.0, 900.5), bounded("source=court"), gone("source=spam")], policy)  # fmt: skip


def page_of(found: dict[str, Any]) -> str:
    return render(build(found))


COLUMNS = (
    "stratum", "documents", "before", "before low", "before high", "after", "after low", "after high", "kept", "dropped", "weight",
    "lost", "lost low", "lost high", "effective", "scatter",
)  # fmt: skip


def strata_in(page: str) -> list[dict[str, str]]:
    from census_pages import Cells

    cells = Cells()
    cells.feed(page)
    return [dict(zip(COLUMNS, one, strict=True)) for one in cells.tables["all-strata"][1:]]


def check_strata(page: str, found: dict[str, Any]) -> None:
    shown = strata_in(page)
    assert [one["stratum"] for one in shown] == [one["stratum"] for one in found["strata"]]
    for cells, one in zip(shown, found["strata"], strict=True):
        for key in ("before", "after"):
            assert is_share(cells[key], one[key]["value"])
            assert is_share(cells[f"{key} low"], one[key]["low"])
            assert is_share(cells[f"{key} high"], one[key]["high"])
        assert is_share(cells["scatter"], one["scatter"])
        wanted = {name: one[name] for name in ("documents", "kept", "dropped", "weight", "effective")}
        wanted |= {
            "lost": one["human_lost"]["value"],
            "lost low": one["human_lost"]["low"],
            "lost high": one["human_lost"]["high"],
        }
        for name, value in wanted.items():
            assert float(cells[name]) == pytest.approx(value, nan_ok=True), name


def check_drawing(page: str, found: dict[str, Any]) -> None:
    """Both marks of every row lie where the document says, to a pixel; what is not known has none."""
    svg = re.search(r'<svg class="own wide".*?</svg>', page, re.DOTALL)
    assert svg is not None
    before = {"the whole": found["strata"][0]} | {one["stratum"]: one for one in found["strata"][1:]}
    rows = re.findall(r"<g><title>(.*?)</title>(.*?)</g>", svg[0])
    assert sorted(html.unescape(title).partition(": ")[0] for title, _ in rows) == sorted(before)
    axis = "".join(re.findall(r'<text x="[\d.]+" y="[\d.]+" text-anchor="middle">[\d.]+ %</text>', svg[0]))
    for title, inside in rows:
        one = before[html.unescape(title).partition(": ")[0]]
        marks = re.findall(r'<path class="(?:axis|s g0)".*?<circle[^>]*/>|<rect class="hollow[^>]*/>', inside)
        shares = [one[key] for key in ("before", "after") if not math.isnan(one[key]["low"])]
        assert len(marks) == len(shares)
        for mark, share in zip(marks, shares, strict=True):
            place = drawn(f"{axis}<g><title>x: y</title>{mark}</g>")["x"]
            assert place == pytest.approx([share[k] for k in ("value", "low", "high")], abs=0.004, nan_ok=True)


def test_every_number_is_the_documents() -> None:
    found = of_sources()
    page = page_of(found)
    read(page)
    check_strata(page, found)
    check_drawing(page, found)
    text = html.unescape(page)
    for said in (
        "27.3 % of the judged documents were synthetic before (95 % interval 22.7 to 32.0 %)",
        "Of what is kept and judged 5.5 % are (2.3 to 8.6 %)", "15 kept documents were not judged: with them it is anything from 2.3 % to 9.1 %",
        "1,147 of 4,185 documents are dropped (105 of them copies), with them about 32 human documents (15 to 52)",
        "4,187 in = 3,038 kept + 1,147 dropped + 2 set aside", "at most 5 % of the dropped", "0.0123", "over 3,945 documents together",
        "so of 922", "a warning", "a note on the rules", "Nothing kept of 1 stratum", "source=spam", "a note of the lab",
    ):  # fmt: skip
        assert said in text, said
    shown = tables(page)
    assert [(one["reason"], one["documents"]) for one in shown["dropped"]] == [
        ("likely synthetic", "922"), ("declares that it is synthetic", "120"), ("copy of an earlier document", "105")
    ]  # fmt: skip
    assert [one["how many"] for one in shown["evidence"]] == ["105", "17", "120", "3", "3945", "15"]
    assert [one["dropped above the score"] for one in shown["thresholds"]] == ["0.71875", "NaN"]
    assert shown["after-2-generations"][0]["change by curation"] == "0.125"
    assert "nothing kept" in text


@pytest.mark.parametrize(
    ("check", "change"),
    [
        (check_strata, lambda rows: rows[1]["after"].update(value=0.0626)),
        (check_strata, lambda rows: rows[1]["before"].update(low=0.1876)),
        (check_strata, lambda rows: rows[2]["human_lost"].update(high=71.0)),
        (check_strata, lambda rows: rows[1].update(weight=900.6)),
        (check_strata, lambda rows: rows.pop()),
        (check_drawing, lambda rows: rows[1]["after"].update(high=0.1)),
        (check_drawing, lambda rows: rows[1]["before"].update(value=0.26)),
        (check_drawing, lambda rows: rows[2]["after"].update(high=0.26)),
        (check_drawing, lambda rows: rows[3].update(after=estimate(0.1, 0.0, 0.2))),
        (check_drawing, lambda rows: rows.pop()),
    ],
)
def test_the_checks_see_a_wrong_number(check: Any, change: Any) -> None:
    found = of_sources()
    page = page_of(found)
    wrong = copy.deepcopy(found)
    change(wrong["strata"])
    with pytest.raises((AssertionError, KeyError, ValueError)):
        check(page, wrong)


def test_policies_are_said_in_words_and_numbers() -> None:
    weighed, capped = (html.unescape(page_of(of_sources(policy))) for policy in ("weigh", "cap"))
    assert "Of what is kept and judged by weight 5.5 % are" in weighed
    assert "the weights take away about 32 human documents" in weighed
    assert "worth 3,000 documents of equal weight" in weighed
    steps = tables(page_of(of_sources("weigh")))["weights-by-score"]
    assert [one["weight"] for one in steps[:3]] == ["1", "0.25", "0"]
    assert [(one["score above"], one["up to"]) for one in steps[:3]] == [
        ("-Infinity", "0.5"),
        ("0.5", "0.75"),
        ("0.75", "Infinity"),
    ]
    assert "at most 10 % of what is kept" in capped
    assert "cannot be reached in 1 stratum, dropped whole: source=spam" in capped
    nothing = of_sources()
    nothing["facts"] |= {"dropped": 0.0, "cut": 0.0}
    assert "No document was." in page_of(nothing)


def test_bounds_are_said_as_bounds() -> None:
    found = document([bounded("all")], before=estimate(NAN, 0.125, 0.5), after=estimate(NAN, 0.0, 0.25))
    page = page_of(found)
    check_strata(page, found)
    check_drawing(page, found)
    assert (
        "Before, between 12.5 % and 50.0 % of the judged documents were synthetic; nothing narrower is known." in page
    )
    assert "between 0.0 % and 25.0 % are: there are only bounds" in page
    assert "0 to 70 human documents" in page
    assert ">nan" not in page.lower()


def test_nothing_kept_and_no_outlook() -> None:
    found = document(
        [gone("all"), gone("source=a")], after=estimate(NAN, 0.0, 1.0), weight=0.0, effective=0.0, outlook=None,
        accounting={"in": 1149, "kept": 0, "dropped": 1147, "quarantined": 2}, warnings=["Nothing is kept."],
    )  # fmt: skip
    page = page_of(found)
    check_strata(page, found)
    assert "Nothing is kept: all 1,147 documents were dropped." in page
    assert "The lab predicts nothing" in page
    only_known = document([gone("all")])
    only_known["after"] = estimate(NAN, NAN, NAN)
    assert "the detector judges none" in page_of(only_known)


def test_a_corpus_without_strata_is_drawn_once() -> None:
    page = page_of(document([row("all"), row("all")]))
    assert [one["stratum"] for one in strata_in(page)] == ["all"]


def test_what_curate_prints_and_what_it_keeps_give_the_same_page() -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(one) for key, one in sorted(value.items())}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    for policy in ("exclude", "weigh", "cap"):
        assert page_of(json.loads(json.dumps(plain(of_sources(policy))))) == page_of(of_sources(policy))


def test_hostile_names_stay_text() -> None:
    found = document([row("all"), row(f"source={EVIL}"), bounded(f"source={EVIL}2"), gone(f"{EVIL}3")], "cap", warnings=[EVIL], notes=[EVIL], folder=EVIL)  # fmt: skip
    found["facts"] = {"cap": 0.1, "dropped_whole": [EVIL], "thresholds": {EVIL: 0.5}}
    found["reasons"], found["known"]["unjudged"] = {EVIL: 1147}, {EVIL: 15}
    found["rules"][0] |= {"kind": EVIL, "reason": EVIL}
    found["outlook"]["sentences"] = [EVIL, EVIL]
    page = page_of(found)
    seen = read(page)
    assert seen.tags.count("script") == 1
    assert seen.events == []
    assert all(address.startswith("#") for address in seen.addresses)
    assert "img" not in seen.tags
    assert len(seen.ids) == len(set(seen.ids))
    assert strata_in(page)[1]["stratum"] == f"source={EVIL}"
    assert "\\udcff" in page_of(document([row("all")], folder="a\udcff"))


def test_thousands_of_strata_are_all_in_the_table() -> None:
    strata = [row("all")] + [row(f"source={k:04}", 1000.0 + k, 700.0 + k) for k in range(3000)]
    found = document(strata, "weigh")
    page = page_of(found)
    check_strata(page, found)
    assert page.count("<g><title>source=") == 2 * 40, "drawn for wide and narrow screens"
    assert "<g><title>source=2999" in page
    assert "2,960 more are in the table" in page
    assert "7,000 more are in curation.json" in page, "of 9,000 steps of rules 2,000 are shown"
    assert len(page) < 6_000_000


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.pop("strata"), lambda found: found.update(strata=[]), lambda found: found.update(policy="drop"),
        lambda found: found["accounting"].update(kept=3039), lambda found: found["strata"][1].pop("after"),
        lambda found: found["rules"][0]["weights"].pop(), lambda found: found.update(strata=None),
    ],
)  # fmt: skip
def test_what_is_no_curation_is_refused(change: Any, tmp_path: Path) -> None:
    found = of_sources("weigh")
    write_page(tmp_path / "page.html", found)
    change(found)
    with pytest.raises(StoreError, match="no whole document of a curation"):
        write_page(tmp_path / "other.html", found)
    assert not (tmp_path / "other.html").exists()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("curation") / "page.html"
    write_page(path, of_sources("weigh"))
    return path.as_uri()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 390)])
def test_the_page_works_for_everyone(browser: Any, address: str, scheme: str, width: int) -> None:  # noqa: F811
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    watched = Watched(browser, address, color_scheme=scheme, viewport={"width": width, "height": 844})
    page = watched.page
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.locator("svg.own.wide").is_visible(), page.locator("svg.own.narrow").is_visible()
    assert shown == (width > 620, width <= 620)
    page.evaluate("document.querySelectorAll('svg.own title, svg.own desc').forEach(one => one.remove())")
    assert axe.run(page).violations_count == 1, "axe would find a drawing without words"
    watched.context.close()
    assert watched.faults == []
