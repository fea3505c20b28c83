"""Reading the page of a census back: its tables and where the marks of its drawings lie, to compare with the document."""

from __future__ import annotations

import html
import math
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from census_fakes import answer, bounded, estimate, refused, row

from remission.report.census import build
from remission.report.page import render


class Cells(HTMLParser):
    """Tables by the name of their download: rows of cells, the exact number where there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.name, self.cell, self.exact = "", False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "div" and given.get("class") == "table":
            self.name = given["data-name"] or ""
            self.tables[self.name] = []
        elif tag == "tr" and self.name:
            self.tables[self.name].append([])
        elif tag in ("td", "th") and self.name:
            self.cell, self.exact = True, given.get("data-v") or ""
            self.tables[self.name][-1].append("")

    def handle_data(self, data: str) -> None:
        if self.cell:
            self.tables[self.name][-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.cell:
            if self.exact:
                self.tables[self.name][-1][-1] = self.exact
            self.cell = False


def tables(page: str) -> dict[str, list[dict[str, str]]]:
    cells = Cells()
    cells.feed(page)
    return {
        name: [dict(zip(rows[0], one, strict=True)) for one in rows[1:]] for name, rows in cells.tables.items() if rows
    }


def page_of(document: dict[str, Any]) -> str:
    return render(build(document))


def is_share(text: str, value: float) -> bool:
    """Whether a cell in per cent says this share."""
    if math.isnan(value):
        return text == "NaN"
    return math.isclose(float(text), 100 * value, rel_tol=1e-11, abs_tol=1e-12)


def check_strata(page: str, document: dict[str, Any]) -> None:
    """The table of all strata is the document's, row by row."""
    found = tables(page)["all-strata"]
    assert [one["stratum"] for one in found] == [one["stratum"] for one in document["strata"]]
    for cells, one in zip(found, document["strata"], strict=True):
        for column, key in (("synthetic, %", "value"), ("low, %", "low"), ("high, %", "high")):
            assert is_share(cells[column], one[key]), (one["stratum"], key)
        assert int(cells["documents"]) == one["n"]
        assert int(cells["not judged"]) == one["n_abstained"] + one["n_uncalibrated"]
        assert int(cells["copies left out"]) == one["n_copies"]
        assert (cells["method"], cells["why not an estimate"]) == (one["method"], one["reason"])


def check_rates(page: str, document: dict[str, Any]) -> None:
    """So is the table of error rates."""
    found = tables(page)["error-rates-and-shift-by-stratum"]
    assert [one["stratum"] for one in found] == [one["stratum"] for one in document["strata"]]
    for cells, one in zip(found, document["strata"], strict=True):
        for name, key in (("FPR", "fpr"), ("TPR", "tpr")):
            rate = one[key] or dict.fromkeys(("value", "low", "high"), math.nan)
            assert is_share(cells[f"{name}, %"], rate["value"])
            assert is_share(cells[f"{name} low"], rate["low"])
            assert is_share(cells[f"{name} high"], rate["high"])
        for column, key in (("shift p", "p"), ("shift effect", "effect"), ("widened by", "factor")):
            expected = math.nan if one["shift"] is None else one["shift"][key]
            assert float(cells[column]) == pytest.approx(expected, nan_ok=True)


def drawn(svg: str) -> dict[str, list[float]]:
    """For each row of a forest, where its mark lies, in shares by the labels of the axis: value, low, high."""
    labels = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">([\d.]+) %</text>', svg)
    (x0, first), (x1, last) = labels[0], labels[-1]
    scale = (float(last) - float(first)) / (float(x1) - float(x0)) / 100

    def share(x: float) -> float:
        return float(first) / 100 + scale * (x - float(x0))

    out = {}
    for title, rest in re.findall(r"<g><title>(.*?)</title>(.*?)</g>", svg):
        name = html.unescape(title).rpartition(": ")[0]
        if line := re.search(r'd="M([\d.]+),[\d.]+H([\d.]+)".*cx="([\d.]+)"', rest):
            low, high, value = (share(float(one)) for one in line.groups())
            out[name] = [value, low, high]
        elif bar := re.search(r'<rect class="hollow[^"]*" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', rest):
            low = float(bar[1])
            out[name] = [math.nan, share(low), share(low + float(bar[2]))]
        else:
            out[name] = [math.nan] * 3
    return out


def wide(page: str) -> str:
    found = re.search(r'<svg class="own wide".*?</svg>', page, re.DOTALL)
    assert found is not None
    return found[0]


def check_forest(page: str, document: dict[str, Any]) -> None:
    """Marks lie where the document says, to a pixel."""
    marks = drawn(wide(page))
    for one in document["strata"]:
        name = "the whole corpus" if one["stratum"] == "all" else one["stratum"].partition("=")[2]
        if not math.isnan(one["low"]):
            assert marks.pop(name) == pytest.approx([one[k] for k in ("value", "low", "high")], abs=0.004, nan_ok=True)
    assert marks == {}


def of_sources() -> dict[str, Any]:
    strata = [
        row("all", 0.2375, 0.2125, 0.2625, 4930, n_declared=12, n_archived=7, n_marked=5, n_copies=37,
            detected=estimate(0.2337, 0.2, 0.25)),
        row("source=blogs", 0.5625, 0.5, 0.625, 1200, n_abstained=3, n_uncalibrated=4, n_copies=11),
        bounded("source=court rulings", 0.125, 0.375, n=900),
        refused("source=forum", n=30),
        row("source=news", 0.0123456789, 0.0, 0.03125, 2800),
    ]  # fmt: skip
    return answer(strata, ("source",))


def at(page: str, name: str) -> str:
    """The panel of a name."""
    found = [
        one for one in re.findall(r'<svg class="own panel.*?</svg>', page, re.DOTALL) if f"over time: {name}<" in one
    ]
    assert len(found) == 1, name
    return found[0]


def dots(panel: str) -> list[tuple[str, float, float]]:
    return [
        (month, float(x), float(y))
        for month, x, y in re.findall(
            r'<g><title>([\d-]+): [^<]*</title>(?:<path[^>]*>)?<circle class="f g0" cx="([\d.]+)" cy="([\d.]+)"', panel
        )
    ]


def monthly(values: dict[str, float], source: str = "a", n: int = 50) -> list[dict[str, Any]]:
    return [
        row(f"source={source} | month={month}", value, value / 2, value * 1.5, n) for month, value in values.items()
    ]
