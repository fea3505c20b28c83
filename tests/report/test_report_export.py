"""Figures and tables as files hold the numbers of the report."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_fakes import fake_store

from remission.errors import MissingExtra, UsageError
from remission.report.build import build
from remission.report.content import Chart, Report, Section, Series, Table
from remission.report.export import export, parquet, pdf


@pytest.fixture(scope="module")
def report() -> Report:
    return build(fake_store(8))


def test_every_chart_and_table_becomes_a_file(report: Report, tmp_path: Path) -> None:
    written = export(report, tmp_path)
    assert len(written) == len(set(written)) == 3 * len(report.charts) + 2 * len(report.tables)
    for path in tmp_path.glob("figures/*.svg"):
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    text = (tmp_path / "figures" / "moments.variance.svg").read_text()
    assert "Total variance" in text
    assert "light-dark" not in text
    assert "var(--" not in text


def test_tables_hold_the_exact_numbers(report: Report, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    export(report, tmp_path, figures=())
    chart = next(chart for chart in report.charts if chart.name == "frechet")
    with (tmp_path / "tables" / "frechet.csv").open() as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "tables" / "frechet.parquet").to_pydict()
    for series in chart.series:
        assert [float(row[series.name]) for row in rows] == list(series.y)
        assert table[series.name] == list(series.y)


def test_parquet_keeps_types_and_missing_values() -> None:
    import io

    import pyarrow.parquet as pq

    table = Table("t", ("a", "a", "b", "c"), ((1, 0.5, "x", None), (2, None, 3, True)))
    read = pq.read_table(io.BytesIO(parquet(table))).to_pydict()
    assert read == {"a": [1, 2], "a 1": [0.5, None], "b": ["x", "3"], "c": [None, "True"]}


def test_same_names_do_not_overwrite_each_other(tmp_path: Path) -> None:
    chart = Chart("t", "", "x", "y", (Series("a", (1,), (1.0,)),), name="same")
    written = export(Report("r", "", (Section("s", charts=(chart, chart)),)), tmp_path, tables=())
    assert sorted(path.name for path in written) == ["same-2.svg", "same.svg"]


def test_unknown_formats_are_refused_before_anything_is_written(report: Report, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'pdf'"):
        export(report, tmp_path, figures=("pfd",))
    with pytest.raises(UsageError, match="csv, parquet"):
        export(report, tmp_path, tables=("xlsx",))
    assert not list(tmp_path.iterdir())


def test_pdf_is_a_pdf(report: Report) -> None:
    pytest.importorskip("matplotlib")
    nan = float("nan")
    odd = Chart(
        "a $ b _ c",
        "",
        "x",
        "y $",
        (Series("$x^", (1, 2, 3), (1.0, nan, 2.0), (0.5, nan, 1.0), (2, nan, 3)),),
        log_y=True,
    )
    for chart in (report.charts[0], odd, Chart("empty", "", "x", "y", ())):
        data = pdf(chart)
        assert data.startswith(b"%PDF-")
        assert data == pdf(chart), "the same figure is the same file"


def test_pdf_without_matplotlib_says_what_to_install(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"remission\[figures\]"):
        pdf(report.charts[0])
