"""The page: one small file, nothing fetched, everything escaped, written whole or not at all."""

from __future__ import annotations

import csv
import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_fakes import fake_store, text_store

from remission.errors import StoreError
from remission.report.build import build
from remission.report.content import (
    Block,
    Chart,
    Column,
    Finding,
    Gallery,
    Report,
    Section,
    Series,
    Table,
    chart_table,
    combine,
)
from remission.report.page import csv_text, file_name, render, write

VOID = {"meta", "img", "br", "link", "input"}
EVIL = "</script></pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u2028"


class Reader(HTMLParser):
    """Checks nesting; collects tags, ids, addresses and event attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.events: list[str] = []
        self.headings: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "action", "data", "srcset"):
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.events.append(name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def many(charts: int, series: int, generations: int) -> Report:
    """As many charts with bands as the size goal names."""
    xs = tuple(range(1, generations + 1))
    drawn = []
    for c in range(charts):
        lines = []
        for s in range(series):
            y = tuple((1 + c) * math.exp(-x * (s + 1) / 211.7) * (1 + 0.01 * math.sin(x * 1.7 + c)) for x in xs)
            lines.append(
                Series(f"share={s / 10}", xs, y, tuple(v * 0.93 for v in y), tuple(v * 1.07 for v in y), group=s)
            )
        drawn.append(Chart(f"Metric {c}", "Line: mean.", "generation", f"m{c}", tuple(lines), name=f"m{c}"))
    return Report("Many charts", "For size.", (Section("All", "Everything.", charts=tuple(drawn)),))


@pytest.fixture(scope="module")
def page() -> str:
    return render(build(fake_store()))


@pytest.fixture(scope="module")
def both() -> str:
    parts = [("Images", "Digits.", build(fake_store())), ("Text", "Prose.", build(text_store()))]
    return render(combine("Demo", "Two loops.", parts))


@pytest.mark.parametrize("name", ["page", "both"])
def test_is_well_formed_with_unique_ids_and_orderly_headings(name: str, request: pytest.FixtureRequest) -> None:
    reader = read(request.getfixturevalue(name))
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.headings[0] == 1
    assert reader.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(reader.headings, reader.headings[1:], strict=False))


@pytest.mark.parametrize("name", ["page", "both"])
def test_names_no_outside_address(name: str, request: pytest.FixtureRequest) -> None:
    text = request.getfixturevalue(name)
    reader = read(text)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in reader.addresses)
    assert {address[1:] for address in reader.addresses if address.startswith("#")} <= set(reader.ids)
    assert not reader.events
    assert set(re.findall(r"https?://[^\s\"'<)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(http" not in text


def test_24_charts_with_5_lines_of_100_generations_stay_under_the_goal() -> None:
    size = len(render(many(24, 5, 100)).encode())
    assert size < 1_500_000
    assert size > 200_000, "nothing was drawn"


def test_everything_that_comes_from_a_run_is_escaped() -> None:
    table = Table(EVIL, (EVIL,), ((EVIL,),), caption=EVIL)
    galleries = (
        Gallery(EVIL, EVIL, "text", (Column(EVIL, (EVIL,)),)),
        Gallery(EVIL, EVIL, "bars", (Column(EVIL, (0.5, 0.2)),), (), (EVIL, EVIL)),
        Gallery(EVIL, EVIL, "scatter", (Column(EVIL, [[0.0, 1.0], [1.0, 2.0]]),)),
        Gallery(EVIL, EVIL, "image", (Column(EVIL, [[[0.0, 1.0]]]),)),
    )
    section = Section(
        EVIL, EVIL, ((EVIL, EVIL),), (EVIL,), (Finding(EVIL, EVIL, "bad", 0),),
        (Chart(EVIL, EVIL, EVIL, EVIL, (Series(EVIL, (1, 2), (1.0, 2.0)),), note=EVIL, name=EVIL),),
        galleries, (table,), (Block(EVIL, EVIL, True),), (EVIL,),
    )  # fmt: skip
    page = render(Report(EVIL, EVIL, (section,)))
    reader = read(page)
    assert reader.tags.count("script") == 1
    assert reader.tags.count("img") == 1, "the one image that was asked for"
    assert not reader.events
    assert "alert(1)</script>" not in page
    assert 'onerror=alert(1)>"' not in page


def test_the_policy_names_the_script_by_its_hash(page: str) -> None:
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", page)
    assert "default-src 'none'" in page
    assert "unsafe-eval" not in page


def test_the_numbers_behind_a_chart_are_those_of_the_chart() -> None:
    series = Series('a, "b"', (1, 2), (0.123456789, math.nan), (0.1, 0.2), (0.2, 0.3))
    chart = Chart("t", "", "generation", "y", (series, Series("theory", (2, 3), (0.5, 0.25), kind="theory")))
    rows = list(csv.reader(io.StringIO(csv_text(chart_table(chart), 7))))
    assert rows[0] == ["generation", 'a, "b"', 'a, "b" low', 'a, "b" high', "theory"]
    assert rows[1:] == [
        ["1", "0.1234568", "0.1", "0.2", ""],
        ["2", "NaN", "0.2", "0.3", "0.5"],
        ["3", "", "", "", "0.25"],
    ]
    assert float(csv_text(chart_table(chart)).splitlines()[1].split(",")[-4]) == 0.123456789


def test_combined_reports_have_one_list_of_references(both: str) -> None:
    assert both.count(">References</h") == 1
    assert both.count("Kynkäänniemi") == 1
    assert both.index("Images</a>") < both.index("Text</a>") < both.index("References</a>")


def test_file_names_cannot_leave_their_folder() -> None:
    for text in ("../../etc/passwd", "..", "/", "a/b", "C:\\x", "", "ß" * 500, "."):
        name = file_name(text)
        assert name
        assert len(name) <= 80
        assert not set(name) & set("/\\:")
        assert name not in (".", "..")


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.html"
    report = Report("A", "b", (Section("Findings", "None."),))
    write(report, path)
    first = path.read_bytes()
    write(Report("Other", "b", ()), path)
    assert path.read_bytes() != first
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_to_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="Cannot write"):
        write(Report("A", "b", ()), tmp_path / "file" / "report.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(StoreError, match="Cannot write"):
        write(Report("A", "b", ()), tmp_path / "folder.html")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.html"]


def test_the_same_report_is_the_same_page() -> None:
    assert render(build(fake_store(6))) == render(build(fake_store(6)))
