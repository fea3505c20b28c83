"""The page in a real browser: offline, silent, accessible, usable by keyboard, on a phone and on paper."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from report_fakes import fake_store, text_store

from remission.report.build import build
from remission.report.content import combine
from remission.report.page import write

pytestmark = pytest.mark.browser


def chromium() -> str | None:
    names = (os.environ.get("CHROME_BIN"), "/usr/bin/chromium", "chromium", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    program = chromium()
    if program is None:
        pytest.skip("no Chromium found (set CHROME_BIN)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    parts = [("Images", "Digits.", build(fake_store(12))), ("Text", "Prose.", build(text_store()))]
    return write(combine("Demo", "Two loops.", parts), tmp_path_factory.mktemp("page") / "report.html").as_uri()


class Watched:
    """A page that remembers everything it complained about or asked for."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(offline=True, accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(8000)
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("console", lambda message: self.faults.append(f"{message.type}: {message.text}"))
        self.page.on("request", self.seen)
        self.page.goto(address)

    def seen(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.faults.append(f"request: {request.url}")

    def text_of(self, download: Any) -> str:
        return Path(download.path()).read_text(encoding="utf-8")


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Watched]:
    watched = Watched(browser, address, viewport={"width": 1200, "height": 900})
    yield watched
    watched.context.close()
    assert watched.faults == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1300)])
def test_is_accessible_silent_and_never_scrolls_sideways(browser: Any, address: str, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    watched = Watched(browser, address, color_scheme=scheme, viewport={"width": width, "height": 844})
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.wait_for_function("document.querySelectorAll('pre.csv').length === 0")
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    watched.context.close()
    assert watched.faults == []


def test_axe_would_find_a_planted_fault(opened: Watched) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    opened.page.evaluate("document.querySelector('img').removeAttribute('alt')")
    assert axe.run(opened.page).violations_count == 1


def test_downloads_hold_the_numbers(opened: Watched) -> None:
    page = opened.page
    figure = page.locator("figure.chart").first
    with page.expect_download() as caught:
        figure.get_by_role("button", name="CSV of").click()
    assert caught.value.suggested_filename == "moments.ratio.csv"
    rows = list(csv.DictReader(io.StringIO(opened.text_of(caught.value))))
    assert len(rows) == 12
    assert float(rows[-1]["replace"]) == pytest.approx(0.99**12, rel=0.02)
    with page.expect_download() as caught:
        page.get_by_role("button", name="All numbers").click()
    rows = list(csv.DictReader(io.StringIO(opened.text_of(caught.value))))
    assert {row["chart"] for row in rows} >= {"moments.ratio", "prdc.recall", "types.recall"}
    with page.expect_download() as caught:
        page.get_by_role("button", name="CSV of Provenance").first.click()
    assert opened.text_of(caught.value).startswith("what,value\n")


def test_a_downloaded_figure_stands_alone(opened: Watched) -> None:
    page = opened.page
    figure = page.locator("figure.chart").first
    figure.get_by_role("button", name="accumulate").click()
    with page.expect_download() as caught:
        figure.get_by_role("button", name="SVG of").click()
    root = ElementTree.fromstring(opened.text_of(caught.value).encode())
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("viewBox", "").startswith("-10 -38")
    assert root.find(f"{space}title").text == "Variance relative to the real data"
    names = [group.get("class") for group in root.iter(f"{space}g") if "series" in (group.get("class") or "")]
    assert len(names) == 5, "the hidden line is left out: a reference, two measured and two of theory stay"


def test_series_are_switched_by_keyboard(opened: Watched) -> None:
    page = opened.page
    entry = page.locator("figure.chart").first.get_by_role("button", name="replace")
    line = page.locator("figure.chart").first.locator("g.series.measured.g0")
    assert line.is_visible()
    entry.focus()
    page.keyboard.press("Enter")
    assert entry.get_attribute("aria-pressed") == "false"
    assert not line.is_visible()
    page.keyboard.press("Space")
    assert entry.get_attribute("aria-pressed") == "true"
    assert line.is_visible()


def test_values_are_read_by_keyboard_and_pointer(opened: Watched) -> None:
    page = opened.page
    figure = page.locator("figure.chart").first
    readout = figure.locator(".readout")
    figure.locator("svg.plot").focus()
    page.keyboard.press("End")
    assert readout.locator("b").inner_text() == "generation 12"
    page.keyboard.press("ArrowLeft")
    assert readout.locator("b").inner_text() == "generation 11"
    assert "replace 0.8" in page.locator("#live").inner_text()
    page.keyboard.press("Escape")
    assert readout.is_hidden()
    box = figure.locator("svg.plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 60)
    assert readout.locator("b").inner_text() == "generation 12"
    assert "0.8" in readout.inner_text()


def heights(figure: Any) -> list[float]:
    path = figure.locator("g.measured.g0 .line").get_attribute("d")
    return [float(point.split(",")[1]) for point in path.removeprefix("M").split("L")]


def test_the_axis_switches_to_logarithmic_and_back(opened: Watched) -> None:
    figure = opened.page.locator("figure.chart").filter(has_text="Recall: share").first
    button = figure.get_by_role("button", name="Log axis")
    before, dots = heights(figure), figure.locator("g.measured.g0 .dots").get_attribute("d")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    after = heights(figure)
    values = [float(row.split(",")[1]) for row in figure.locator("pre.csv").text_content().splitlines()[1:]]
    import numpy as np

    slope, shift = np.polyfit(np.log(values), after, 1)
    assert np.abs(np.log(values) * slope + shift - after).max() < 0.3, "a logarithmic axis is linear in the logarithm"
    slope, shift = np.polyfit(np.log(values), before, 1)
    assert np.abs(np.log(values) * slope + shift - before).max() > 0.3, "and the linear one is not"
    button.click()
    assert heights(figure) == pytest.approx(before, abs=0.11)
    assert figure.locator("g.measured.g0 .dots").get_attribute("d") == dots


def test_the_table_behind_a_chart_opens_by_keyboard(opened: Watched) -> None:
    figure = opened.page.locator("figure.chart").first
    figure.locator("summary").focus()
    opened.page.keyboard.press("Enter")
    figure.locator("table").wait_for()
    assert figure.locator("tbody tr").count() == 12
    assert figure.locator("thead th").first.inner_text() == "generation"


def test_the_theme_can_be_chosen(opened: Watched) -> None:
    page, button = opened.page, opened.page.locator("#theme")
    papers = set()
    for expected in ("light", "dark", "auto"):
        button.click()
        assert button.inner_text() == f"Theme: {expected}"
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2


def test_contents_lead_to_sections(opened: Watched) -> None:
    opened.page.get_by_role("navigation").get_by_role("link", name="Text").first.click()
    assert (
        opened.page.evaluate("document.getElementById(decodeURIComponent(location.hash.slice(1))).textContent")
        == "Text"
    )


def test_prints(opened: Watched) -> None:
    data = opened.page.pdf(format="A4")
    assert data.startswith(b"%PDF-")
    assert len(data) > 50_000
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert opened.page.locator("button#theme").is_hidden()
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_says_everything_without_its_script(browser: Any, address: str) -> None:
    watched = Watched(browser, address, java_script_enabled=False)
    assert watched.page.locator("figure.chart svg.plot").first.is_visible()
    assert watched.page.locator(".tools").first.is_hidden()
    watched.page.locator("figure.chart summary").first.click()
    assert "generation,replace" in watched.page.locator("pre.csv").first.inner_text()
    watched.context.close()
    assert watched.faults == []
