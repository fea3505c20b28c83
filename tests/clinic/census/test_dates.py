"""What counts as a date: a number or another order of day and month is none, and not before anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission import SpecError
from remission.clinic.census.empty import odd_dates
from remission.clinic.census.receipts import EXAMPLES, Receipt
from remission.clinic.census.running import run_census
from remission.clinic.census.tally import LONGEST_DATE
from remission.clinic.census.units import Config
from remission.clinic.dates import dated_before, iso_dates
from remission.clinic.prevalence import Wish, placebo_of
from remission.documents import Documents
from tests.clinic.census.scorers import LENGTHS
from tests.clinic.census.test_census import inline
from tests.corpus.damaged import jsonl, rows

NONE = [
    "1700000000",
    "1700000000000",
    "03/15/2024",
    "15.03.2021",
    "20210315",
    "2021-13-01",
    "2021-1-1",
    "201",
    "x2021-01-01",
]
EARLY = ["2021", "1999-12", "2021-12-31", "2021-12-31T23:59:59Z", "2021-12-31 23:59"]
LATE = ["2022", "2022-01", "2022-01-01", "2024-03-15T00:00Z", ""]


def test_only_what_begins_like_an_iso_date_is_one() -> None:
    assert iso_dates(NONE).tolist() == [""] * len(NONE)
    assert iso_dates(EARLY).tolist() == [value[:10] for value in EARLY]
    assert dated_before(NONE + LATE, "2022-01-01").tolist() == [False] * len(NONE + LATE)
    assert dated_before(EARLY, "2022-01-01").all()


def dated(folder: Path, dates: list[Any]) -> Path:
    return jsonl(folder, [row | {"date": date} for row, date in zip(rows(len(dates)), dates, strict=True)])


def test_a_census_counts_other_values_as_no_date(tmp_path: Path) -> None:
    path = dated(tmp_path / "a.jsonl", [1_700_000_000, 1_600_000_000, *NONE, *EARLY, *LATE])
    census = run_census([path], LENGTHS, tmp_path / "out", Config(by=("month",)), inline)
    assert census.receipt.early.n == len(EARLY)
    months = {name: stratum.n for name, stratum in census.receipt.strata.items()}
    assert months["month="] == 2 + len(NONE) + 1
    assert set(months) == {"month="} | {f"month={value[:7]}" for value in EARLY + LATE if value}
    receipt = census.receipt
    assert receipt.undated == 2 + len(NONE)
    assert [one["value"] for one in receipt.odd_dates] == ["1700000000", "1600000000", *NONE]
    assert receipt.odd_dates[0] == {"file": str(path), "place": 0, "value": "1700000000"}
    assert receipt.accounting()["in"] == receipt.kept == 2 + len(NONE + EARLY + LATE)
    (line,) = odd_dates(census)
    assert (
        f"11 documents have a date that is no ISO date and count as without one (first '1700000000' in {path} at byte 0)"
        in line
    )


def test_values_that_are_no_date_are_the_same_however_the_corpus_is_cut(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b", "a", "c"):
        dated(tmp_path / "in" / f"{name}.jsonl", ["2021-01-01", *(f"{k}/2024|\n{'x' * 99}" for k in range(30)), " "])
    found = [
        run_census([tmp_path / "in"], LENGTHS, tmp_path / f"{size}", Config(size=size), inline).receipt
        for size in (500, 9000, 1 << 20)
    ]
    assert found[0].dates() == found[1].dates() == found[2].dates()
    assert found[0].undated == 90
    shown = found[0].odd_dates
    assert len(shown) == EXAMPLES
    assert {one["file"] for one in shown} == {str(tmp_path / "in" / "a.jsonl")}
    assert shown[0]["value"] == ("0/2024¦\N{REPLACEMENT CHARACTER}" + "x" * 99)[:LONGEST_DATE]
    assert Receipt.of(found[0].table()) == found[0]


def test_nothing_is_said_where_all_dates_are_dates(tmp_path: Path) -> None:
    path = dated(tmp_path / "a.jsonl", [*EARLY, *LATE])
    census = run_census([path], LENGTHS, tmp_path / "out", Config(), inline)
    assert census.receipt.dates() == {"undated": 0, "odd_dates": []}
    assert odd_dates(census) == []


def test_prevalence_takes_other_values_for_no_date() -> None:
    documents = Documents(["x"] * 60, {"date": np.array([NONE[k % len(NONE)] for k in range(60)])})
    view: Any = type("All", (), {"usable": np.ones(60, bool)})
    assert placebo_of(view, documents, Wish()) == {"verdict": "not possible", "n": 0, "before": "2022-01-01"}


@pytest.mark.parametrize("day", ["", "01/01/2022", "1640995200", "2022-1-1", "2022-01-01T00:00", "soon"])
def test_before_is_an_iso_date(day: str) -> None:
    with pytest.raises(SpecError, match="YYYY-MM-DD"):
        Config(before=day)
    with pytest.raises(SpecError, match="YYYY-MM-DD"):
        Wish(before=day)
