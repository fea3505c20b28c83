"""Dates of documents: what begins like an ISO date, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from remission.errors import SpecError
from remission.numerics.arrays import Booleans, Integers

_ISO = re.compile(r"([0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?)(?=$|[T\s])")


def iso_dates(values: Iterable[str]) -> Any:
    """``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD`` that each value is or begins with, before ``T`` or a blank; else empty, (n,).

    >>> iso_dates(["2021-05-01T12:00Z", "2021-05", "1700000000", "03/15/2024", ""]).tolist()
    ['2021-05-01', '2021-05', '', '', '']
    """
    found = (_ISO.match(value) for value in values)
    return np.array(["" if one is None else one[1] for one in found], dtype="<U10")


def dated_before(values: Iterable[str], day: str) -> Booleans:
    """Which values are dates that end before ``day``, (n,): a year or month only when all of it does.

    >>> dated_before(["2021", "2022", "2021-12-31", "2022-01-01", "1700000000", ""], "2022-01-01").tolist()
    [True, False, True, False, False, False]
    """
    return np.array([date != "" and date < day[: len(date)] for date in iso_dates(values).tolist()], bool)


def undated(values: Sequence[str]) -> Integers:
    """Places of values that say something and are no date, ascending.

    >>> undated(["2021-05-01T12:00Z", "1700000000", "", " ", "03/15/2024"]).tolist()
    [1, 4]
    """
    return np.flatnonzero(
        [value.strip() != "" and date == "" for value, date in zip(values, iso_dates(values), strict=True)]
    )


def told_undated(count: int, first: str) -> str:
    """A warning of so many documents whose date is none, where the first is what ``first`` says."""
    many = count != 1
    return (
        f"{count:,} document{'s have' if many else ' has'} a date that is no ISO date and count{'' if many else 's'} as without one "
        f"(first {first}): in no month or year, and not in the placebo. Dates are written as 2023-05-17, 2023-05 or 2023."
    )


def check_day(day: str) -> None:
    """Raise SpecError where this is no ISO date."""
    if iso_dates([day])[0] != day or not day:
        raise SpecError(f"before: give a date as YYYY-MM-DD (or YYYY-MM, YYYY), such as 2022-01-01. Got '{day}'.")
