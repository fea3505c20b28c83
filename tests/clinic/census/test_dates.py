"""What counts as a date: a number or another order of day and month is none, and not before anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission import SpecError
from remission.clinic.census.running import run_census
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
