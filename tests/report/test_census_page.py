"""The page of a census: every number is the document's, no stratum is lost, hostile names stay text, and what is not known is said."""

from __future__ import annotations

import copy
import html
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from census_fakes import answer, bounded, estimate, refused, row, sampled
from census_pages import (
    check_forest,
    check_rates,
    check_strata,
    drawn,
    monthly,
    of_sources,
    page_of,
    tables,
    wide,
)
from test_report_browser import Watched, browser  # noqa: F401  (a fixture)
from test_report_page import EVIL, read

from remission.errors import StoreError
from remission.report.census import headline, write_page
from remission.report.census_rows import strata_of, values_of


def test_every_number_is_the_documents() -> None:
    document = of_sources()
    page = page_of(document)
    read(page)
    for check in (check_strata, check_rates, check_forest):
        check(page, document)
    text = html.unescape(page)
    for said in (
        "23.8 % of the documents that could be judged are synthetic (95 % interval 21.2 to 26.2 %)",
        "the scores of 4,906 documents and on 24 documents of which more is known, every content counted once",
        "5,120 read = 5,003 kept + 0 left out + 117 set aside", "12.3 MB (12,345,678 bytes)", "ab" * 32,
        "1.0 % (0.5 to 2.0 %)", "81.2 % (75.0 to 87.5 %)", "812 documents from before 2022-01-01",
        "come out as 0.0 to 1.6 % synthetic (99 % interval)", "effect 0.0625, p = 0.438",
        "blogs: 56.2 % (50.0 to 62.5 %) of 1,200 documents", "2 with an estimate, 1 with bounds only, 1 with no share",
    ):  # fmt: skip
        assert said in text, said
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    copies = document["copies"]
    assert facts["copies left out"] == f"{copies['copies']}"
    assert facts["different contents"] == f"{copies['documents'] - copies['copies']:,}"
    assert (facts["groups of near-duplicates"], facts["in the largest group"]) == ("19", "7")
    shown = tables(page)
    assert shown["set-aside"] == [{"reason": "broken JSON", "rows": "117"}]
    assert shown["examples"] == [
        {"reason": "broken JSON: line 1", "file": "in/a.jsonl", "place": "4926", "rows": "1"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "change"),
    [
        (check_strata, lambda rows: rows[1].update(value=0.5626)),
        (check_strata, lambda rows: rows[4].update(low=1e-6)),
        (check_strata, lambda rows: rows[2].update(n=901)),
        (check_strata, lambda rows: rows.pop()),
        (check_rates, lambda rows: rows[1]["fpr"].update(high=0.021)),
        (check_forest, lambda rows: rows[2].update(high=0.385)),
        (check_forest, lambda rows: rows[1].update(value=0.55)),
        (check_forest, lambda rows: rows.pop()),
    ],
)
def test_the_checks_see_a_wrong_number(check: Any, change: Any) -> None:
    document = of_sources()
    page = page_of(document)
    check(page, document)
    wrong = copy.deepcopy(document)
    change(wrong["strata"])
    with pytest.raises((AssertionError, KeyError, ValueError)):
        check(page, wrong)


def test_json_and_the_folder_give_the_same_page() -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    document = of_sources()
    document["strata"][0]["documents"] = estimate(5000.0, 4900.0, math.inf)
    document["sample"] = sampled()
    assert page_of(json.loads(json.dumps(plain(document)))) == page_of(document)


def test_hostile_names_stay_text() -> None:
    strata = [
        row("all"), row(f"source={EVIL} | month=2023-01"), bounded(f"source={EVIL}2 | month=2023-02", 0, 1, EVIL),
        refused(f"source={EVIL} | month={EVIL[:7]}", EVIL),
    ]  # fmt: skip
    document = answer(strata, ("source", "month"), warnings=[EVIL], notes=[EVIL], census=EVIL, ignored=[EVIL])
    document |= {"detector": EVIL, "detector_hash": EVIL, "sample": sampled() | {"strata": [[EVIL, 0.5]]}}
    document["watermarks"] = {
        "procedure": EVIL, "rate": 0.05, "tested": 9, "found": 2, "log10_p": -3.0, "expected_false": 0.1,
        "by_mark": {EVIL: 2},
    }  # fmt: skip
    document["accounting"] |= {"reasons": {EVIL: 117}, "dropped_for": {EVIL: 0}}
    document["accounting"]["examples"] = [{"file": EVIL, "place": None, "rows": 1, "reason": EVIL}]
    document["checks"]["shift"] = {"verdict": "failed", "failed": [EVIL]}
    page = page_of(document)
    found = read(page)
    assert found.tags.count("script") == 1
    assert found.events == []
    assert all(address.startswith("#") for address in found.addresses)
    assert "img" not in found.tags
    assert len(found.ids) == len(set(found.ids))
    assert tables(page)["all-strata"][1]["stratum"] == f"source={EVIL} | month=2023-01"


def test_names_that_are_no_utf_8_are_spelled_out(tmp_path: Path) -> None:
    odd = "in/caf\udce9.jsonl"  # how a name of other bytes is held
    document = answer([row("all")], ignored=[odd])
    document["accounting"]["examples"] = [{"file": odd, "place": 1, "rows": 1, "reason": odd}]
    write_page(tmp_path / "page.html", document)
    assert tables((tmp_path / "page.html").read_text())["examples"][0]["file"] == r"in/caf\udce9.jsonl"


def test_of_three_thousand_strata_none_is_lost() -> None:
    strata = [row("all", n=10**7)]
    for k in range(3000):
        name, n = f"site=site-{k:04}.example", 100 + 7 * k % 2999
        strata.append(bounded(name, 0.1, 0.4, n=n) if k % 10 == 3 else refused(name) if k % 10 == 7 else row(name, n=n))
    document = answer(strata, ("site",))
    page = page_of(document)
    check_strata(page, document)
    check_rates(page, document)
    assert len(page) < 5_000_000
    marks = drawn(wide(page))
    largest = sorted((one["n"] for one in strata[1:] if one["verdict"] != "refused"), reverse=True)[:40]
    names = {one["stratum"].partition("=")[2]: one["n"] for one in strata[1:]}
    assert sorted((names[name] for name in marks if name != "the whole corpus"), reverse=True) == largest
    assert "2,660 more are in the table" in page
    assert "<summary>All strata (3001 rows)</summary>" in page
    assert [one["stratum"] for one in tables(page)["strata-without-a-share"]] == [
        one["stratum"] for one in strata if one["verdict"] == "refused"
    ]


@pytest.mark.parametrize(
    ("whole", "more", "expected"),
    [
        (
            bounded("all", 0.25, 0.5, n=1),
            {},
            "Between 25.0 % and 50.0 % of the documents that could be judged are synthetic. There are only bounds: no synthetic "
            "items of its kind. It rests on the scores of 1 document, every content counted once.",
        ),
        (refused("all", "the placebo failed"), {}, "No share can be given: the placebo failed."),
        (
            row("all", 0.001, 0.0009, 0.0011, 10**6),
            {"copies": None, "sample": sampled()},
            "By a sample, weighed to stand for the whole corpus: 0.100 % of the documents that could be judged are synthetic (95 % "
            "interval 0.090 to 0.110 %). It rests on the scores of 1,000,000 documents, copies included.",
        ),
    ],
)
def test_the_headline(whole: dict[str, Any], more: dict[str, Any], expected: str) -> None:
    document = answer([whole], **more)
    assert headline(document, strata_of(document)) == expected
    assert expected in html.unescape(page_of(document))


def test_without_strata_the_page_says_how_to_get_some() -> None:
    document = answer([row("all")])
    page = page_of(document)
    assert "No strata were asked for. With --by" in page
    assert tables(page)["the-whole"][0]["stratum"] == "all"
    assert 'class="own' not in page


def test_names_of_strata_are_taken_apart() -> None:
    by = ["source", "month"]
    for source in ("a", "", "a | b", "x=y", "source=a | month=2020-01", "line\nbreak", "| month="):
        for month in ("2023-01", "", "x"):
            assert values_of(f"source={source} | month={month}", by) == (source, month)
    for month in ("2023-01", ""):
        assert values_of(f"month={month} | source=a | source=b", by[::-1]) == (month, "a | source=b")
    assert values_of("source=a", by) is None
    lost = strata_of(answer([row("all"), row("odd name")], ("source",)))[1]
    assert (lost.label, lost.time) == ("odd name", None)


@pytest.mark.parametrize(
    ("check", "found", "tone", "words"),
    [
        ("placebo", {"verdict": "failed", "n": 90, "before": "2022-01-01", "value": 0.25, "low": 0.125, "high": 0.375,
                     "level": 0.99, "method": "matched"}, "bad", "come out as 12.5 to 37.5 % synthetic (99 % interval). The calibration does not belong"),
        ("placebo", {"verdict": "not possible", "n": 1, "before": "2022-01-01"}, "neutral", "Only 1 document that could be judged is dated before"),
        ("shift", {"verdict": "failed", "failed": ["all", "source=a"], "p": 1e-9, "effect": 0.5, "factor": 3.0}, "bad",
         "In the whole corpus, source=a (of 4 strata) the scores are no mix"),
        ("shift", {"verdict": "not possible", "failed": []}, "neutral", "at least 50 synthetic documents"),
        ("overlap", {"verdict": "dropped", "n": 1234}, "neutral", "1,234 documents of the corpus are among those"),
    ],
)  # fmt: skip
def test_checks_say_what_to_do(check: str, found: dict[str, Any], tone: str, words: str) -> None:
    document = of_sources()
    assert words not in html.unescape(page_of(document))
    document["checks"][check] = found
    page = html.unescape(page_of(document))
    assert words in page
    assert re.search(rf'<li class="{tone}"><strong>[^<]*</strong> [^<]*{re.escape(words)}', page)


def test_evidence_is_counted_by_kind() -> None:
    document = of_sources()
    document["watermarks"] = {
        "procedure": "bh", "rate": 0.05, "tested": 4000, "found": 6, "log10_p": -4.0, "expected_false": 0.25,
        "by_mark": {"kgw": 4, "aaronson": 2},
    }  # fmt: skip
    document["archive"] = {"documents": 321}
    page = page_of(document)
    found = {one["documents that are"]: one for one in tables(page)["evidence"]}
    alone = found["scores alone, where nothing else is known"]
    assert (alone["documents"], float(alone["synthetic, %"])) == ("4906", pytest.approx(23.37))
    assert found["declare that they are synthetic"]["documents"] == "12"
    assert found["in the archive of human documents"]["what it means"] == "count as human; 321 were looked for"
    assert found["called watermarked"]["what it means"] == (
        "6 of 4,000 tested are called so at a rate of false discoveries of 5 % (BH); expected to be false: at most 0.25. 1 of them "
        "counts by what else is known."
    )
    assert (found["all together"]["documents"], float(found["all together"]["synthetic, %"])) == ("4930", 23.75)
    counts = [int(one["documents"]) for one in found.values()]
    assert sum(counts[:4]) == counts[4]
    assert [one["watermark"] for one in tables(page)["watermarks-found"]] == ["kgw", "aaronson"]
    without = {one["documents that are"]: one for one in tables(page_of(of_sources()))["evidence"]}
    assert without["called watermarked"]["what it means"] == "not looked for"


def test_a_sample_tells_its_rates_and_what_all_would_take() -> None:
    document = of_sources()
    document["strata"][0]["documents"] = estimate(493_000.0, 480_000.0, 506_000.0)
    document["strata"][1]["documents"] = estimate(120_000.0, 1200.0, math.inf)
    document |= {"sample": sampled(), "unread": 9}
    page = page_of(document)
    text = html.unescape(page)
    assert "about 41.5 hours of one worker like those of this run (36.2 to 46.8; 95 % interval from 13 parts)" in text
    assert "pass over copies, in one process: about 2.5 hours (2.25 to 5), and about 2.5 GB of memory. " in text
    assert "Together that costs about 70.40 (61.60 to 82.80) at 1.6 an hour." in text
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert (facts["documents drawn of source=forum"], facts["documents drawn of others"]) == ("20 %", "1 %")
    assert (facts["files drawn"], facts["seed"], facts["files not drawn"]) == ("50 %", "3", "9")
    whole, blogs = tables(page)["documents-in-the-corpus"][:2]
    assert [float(whole[name]) for name in ("in the corpus, about", "low", "high")] == [493000, 480000, 506000]
    assert (blogs["low"], blogs["high"]) == ("1200", "NaN")
    short = {"value": 0.05, "low": 0.01, "high": 0.1, "level": 0.95, "method": "pass", "n": 9}
    document["sample"]["cost"] |= {"copies": short}
    assert "in one process: about 3 minutes (0.6 to 6), and" in page_of(document)
    document["sample"]["cost"] |= {"copies": short | {"value": 0.005, "low": 0.0025, "high": 0.5}}
    assert "in one process: about 18 seconds (9 to 1800), and" in page_of(document)
    document["sample"]["cost"] |= {"copies": None}
    assert "a time that is not known from this run, and about 2.5 GB of memory. Without that pass it costs" in page_of(
        document
    )
    document["sample"]["cost"] |= {"memory": None, "price": None, "money": None}
    assert "from 13 parts). Give --price to see" in page_of(document)
    document["sample"] = sampled()
    document["sample"]["cost"] |= {"is_known": False, "scored": 39}
    text = page_of(document)
    assert (
        "A full scan takes at most 46.8 hours of one worker like those of this run (upper end of the 95 % interval from 13 parts; 39 scored documents"
        in text
    )
    assert "Together that costs at most 82.80 at 1.6 an hour." in text
    document["sample"] = sampled(cost=False)
    assert "is not estimated, because fewer than two parts" in page_of(document)
    assert "The sample" not in page_of(of_sources())


def test_values_that_are_no_date_are_listed() -> None:
    document = of_sources()
    assert "values-of-the-column-date" not in page_of(document)
    odd = [
        {"file": "in/a.jsonl", "place": 12, "value": "03/15/2024"},
        {"file": "in/b.txt", "place": None, "value": "soon"},
    ]
    document["dates"] = {"undated": 1207, "odd_dates": odd}
    page = page_of(document)
    rows = tables(page)["values-of-the-column-date-that-are-no-date"]
    assert [one["value"] for one in rows] == ["03/15/2024", "soon"]
    assert "The first by file and place, of 1,207 documents." in page


def test_warnings_notes_and_settings_are_there() -> None:
    document = of_sources()
    document |= {
        "warnings": ["Many documents are not judged."],
        "notes": ["No key for synthid."],
        "ignored": ["in/x.bin"],
    }
    page = page_of(document)
    assert page.index("Many documents are not judged.") < page.index(">Share by source</h2>")
    assert "No key for synthid." in page
    assert tables(page)["files-that-are-no-documents"] == [{"file": "in/x.bin"}]
    settings = {one["setting"]: one["value"] for one in tables(page)["settings"]}
    assert (settings["by"], settings["sample"], settings["estimator"]) == ("source", "everything", "auto")
    assert (settings["watermarks"], settings["archive"], settings["parts"]) == ("no", "none", "13")


@pytest.mark.parametrize("key", sorted(set(answer([row("all")])) - {"found_done"}))
def test_what_is_no_answer_is_refused(key: str, tmp_path: Path) -> None:
    document = answer([row("all")])
    del document[key]
    with pytest.raises(StoreError, match=key):
        write_page(tmp_path / "page.html", document)
    assert list(tmp_path.iterdir()) == []


def test_no_row_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not even of the whole"):
        write_page(tmp_path / "page.html", answer([]))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    values = {f"2023-{month:02}": month / 20 for month in range(1, 13) if month != 5}
    strata = [of_sources()["strata"][0], *monthly(values), *monthly(values, f"forum {EVIL}")]
    strata += [bounded("source=law | month=2023-03", 0.1, 0.5), refused("source=law | month=2023-04")]
    document = answer(strata, ("source", "month"), sample=sampled(), warnings=["One."], notes=["Two."])
    path = tmp_path_factory.mktemp("page") / "census.html"
    write_page(path, document)
    return path.as_uri()


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1300)])
def test_is_accessible_silent_and_never_scrolls_sideways(
    browser: Any,  # noqa: F811  (the fixture)
    address: str,
    scheme: str,
    width: int,
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    watched = Watched(browser, address, color_scheme=scheme, viewport={"width": width, "height": 844})
    page = watched.page
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.locator("svg.own.wide").is_visible(), page.locator("svg.own.narrow").is_visible()
    assert shown == (width > 620, width <= 620)
    mark = page.evaluate("getComputedStyle(document.querySelector('svg.own .f')).fill")
    assert mark == {"light": "rgb(11, 100, 173)", "dark": "rgb(108, 179, 242)"}[scheme], "drawings follow the theme"
    with page.expect_download() as caught:
        page.get_by_role("button", name="CSV of All strata").click()
    assert watched.text_of(caught.value).startswith("stratum,what can be said,")
    if scheme == "light":
        page.evaluate(
            "document.querySelector('svg.own title').remove(); document.querySelector('svg.own desc').remove()"
        )
        assert axe.run(page).violations_count == 1, "axe would find a drawing without words"
    watched.context.close()
    assert watched.faults == []
