"""What a page of a census reads: strata as rows with an interval, a place and a date, and numbers in words.

JSON has no word for NaN and infinity: ``remission census --json`` writes null for both, a census folder keeps them. Both are read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remission.report.axis import plain_number

ESTIMATE, BOUNDS, REFUSED = "estimate", "bounds", "refused"
TIMES = {"month": r"[^|]{0,7}", "year": r"[^|]{0,4}"}  # made of dates, so of so many characters


@dataclass(frozen=True)
class Interval:
    """A value with its ends; NaN: not known."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of(cls, table: Mapping[str, Any] | None) -> Interval:
        """Of plain values, where null stands for what JSON cannot write; without an upper end, infinity."""
        if table is None:
            return cls()
        found = cls(*(number(table.get(name)) for name in ("value", "low", "high")))
        unbounded = math.isnan(found.high) and math.isfinite(found.low)
        return cls(found.value, found.low, math.inf) if unbounded else found

    @property
    def known(self) -> bool:
        """Whether there are at least ends."""
        return not math.isnan(self.low)


@dataclass(frozen=True)
class Stratum:
    """A stratum of the answer.

    Attributes:
        name: as the census calls it; label: its values alone.
        group: its values without the date; time: months (or years) since the year 0, None: no date or none asked for.
        share: of synthetic documents; verdict: ``estimate``, ``bounds`` or ``refused``; reason: why not an estimate.
        n: documents that count; not_judged: others.
        fields: everything the answer says of it.
    """

    name: str
    label: str
    group: str
    time: int | None
    share: Interval
    verdict: str
    reason: str
    n: int
    not_judged: int
    fields: Mapping[str, Any]

    def interval(self, key: str) -> Interval:
        """``fpr``, ``tpr``, ``detected`` or ``documents``."""
        return Interval.of(self.fields.get(key))


def strata_of(document: Mapping[str, Any]) -> list[Stratum]:
    """All rows of an answer in its order, the whole first. Raises ValueError when not even that is there."""
    by = [str(name) for name in document["by"]]
    rows = [_stratum(fields, by) for fields in document["strata"]]
    if not rows:
        raise ValueError("it has no row, not even of the whole")
    return rows


def _stratum(fields: Mapping[str, Any], by: Sequence[str]) -> Stratum:
    name = str(fields["stratum"])
    values = values_of(name, by)
    at = next((column for column in TIMES if column in by), None)
    label, group, time = name, name, None
    if values is not None:
        named = [value or f"no {column}" for column, value in zip(by, values, strict=True)]
        label = " · ".join(named)
        group = " · ".join(value for column, value in zip(by, named, strict=True) if column != at)
        time = None if at is None else time_of(values[by.index(at)])
    return Stratum(
        name, label, group, time, Interval.of(fields), str(fields["verdict"]), str(fields["reason"]),
        int(fields["n"]), int(fields["n_abstained"]) + int(fields["n_uncalibrated"]), fields,
    )  # fmt: skip


def values_of(name: str, by: Sequence[str]) -> tuple[str, ...] | None:
    """The values in the name of a stratum, or None when it is not made of these columns.

    >>> values_of("source=a | b | month=2023-01", ["source", "month"]), values_of("all", ["source"])
    (('a | b', '2023-01'), None)
    """
    if not by:
        return None
    for known in (TIMES, {}):
        pattern = r" \| ".join(f"{re.escape(column)}=({known.get(column, '.*')})" for column in by)
        found = re.fullmatch(pattern, name, re.DOTALL)
        if found is not None:
            return tuple(found.groups())
    return None


def time_of(text: str) -> int | None:
    """A month (or a year) as a number: months (or years) since the year 0.

    >>> time_of("2023-02") - time_of("2022-12"), time_of("1999"), time_of("2023-13"), time_of("")
    (2, 1999, None, None)
    """
    found = re.fullmatch(r"([0-9]{4})(?:-(0[1-9]|1[0-2]))?", text)
    if found is None:
        return None
    year, month = int(found[1]), found[2]
    return year if month is None else 12 * year + int(month) - 1


def time_text(time: int, monthly: bool) -> str:
    """The month or year of :func:`time_of`."""
    return f"{time // 12:04}-{time % 12 + 1:02}" if monthly else f"{time:04}"


def clean(value: Any) -> Any:
    r"""Plain values in which all text can be written as UTF-8: of file names that are not, the odd bytes are spelled out.

    >>> clean({"file": ["a\udcff.txt", 1]})
    {'file': ['a\\udcff.txt', 1]}
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {clean(key): clean(one) for key, one in value.items()}
    return [clean(one) for one in value] if isinstance(value, (list, tuple)) else value


def number(value: Any) -> float:
    """A number; NaN where there is none."""
    return math.nan if value is None else float(value)


def percent(value: float, within: Interval | None = None) -> str:
    """A share for people, as exact as its interval (or its own size) deserves.

    >>> percent(0.12345), percent(0.12345, Interval(0.12345, 0.1, 0.2)), percent(0.00002, Interval(0.00002, 0.0, 0.1))
    ('12.3 %', '12.3 %', '0.0 %')
    """
    return "\N{EN DASH}" if math.isnan(value) else f"{_hundredfold(value, within)} %"


def ends(share: Interval) -> str:
    """Both ends of a share for people.

    >>> ends(Interval(0.1, 0.05, 0.125)), ends(Interval(0.1, 0.0999, 0.1002)), ends(Interval())
    ('5.0 to 12.5 %', '9.990 to 10.020 %', '–')
    """
    return f"{_hundredfold(share.low, share)} to {_hundredfold(share.high, share)} %" if share.known else "\N{EN DASH}"


def _hundredfold(value: float, within: Interval | None) -> str:
    width = math.nan if within is None else 100 * (within.high - within.low)
    if not (math.isfinite(width) and width > 0 and math.isfinite(value)):
        return plain_number(100 * value)
    return f"{100 * value:.{min(6, max(1, 1 - math.floor(math.log10(width))))}f}"


def in_percent(value: float) -> float:
    """A share for a table: in per cent, to 12 digits, without the noise of the multiplication; NaN where there is none.

    >>> in_percent(0.07), in_percent(float("nan"))
    (7.0, nan)
    """
    return float(f"{100 * value:.12g}")


def many(count: int, word: str, plural: str = "") -> str:
    """A count with its noun.

    >>> many(1, "file"), many(1200, "file"), many(2, "stratum", "strata")
    ('1 file', '1,200 files', '2 strata')
    """
    return f"{count:,} {word if count == 1 else plural or word + 's'}"


def size(count: float, exact: bool = True) -> str:
    """Bytes for people, in full as well where they were counted.

    >>> size(512), size(12_345_678), size(12_345_678, exact=False)
    ('512 bytes', '12.3 MB (12,345,678 bytes)', '12.3 MB')
    """
    shown, units = float(count), ["bytes", "kB", "MB", "GB", "TB", "PB"]
    while shown >= 1000 and len(units) > 1:
        shown /= 1000
        units.pop(0)
    full = f"{count:,.0f} bytes"
    short = full if units[0] == "bytes" else f"{plain_number(shown)} {units[0]}"
    return f"{short} ({full})" if exact and short != full else short


def cut(text: str, limit: int) -> str:
    """Shortened in the middle, where names differ least, and on one line.

    >>> cut("a very long name of a source", 15)
    'a very…source'
    """
    text = " ".join(text.split())
    return (
        text
        if len(text) <= limit
        else f"{text[: limit // 2].rstrip()}…{text[len(text) - (limit - limit // 2 - 1) :].lstrip()}"
    )
