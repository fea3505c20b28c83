"""The part of a census page about strata: over time, under one another, as a table, and those without a share."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup, escape

from remission.report.census_forest import Bar, forest, share_axis
from remission.report.census_rows import BOUNDS, REFUSED, TIMES, Interval, Stratum, cut, in_percent, many, time_text
from remission.report.census_time import Frame, Moment, panel
from remission.report.content import Finding, Section, Table

MOST_BARS, MOST_PANELS, MOST_REASONS, OPEN_ROWS = 40, 12, 12, 12
_WIDE = 0.01
_CUT = " Intervals of small strata that reach beyond the axis are cut off there."
_LONG, _STRAY = 60, 0.002  # of longer spans, so many documents with odd dates at either end are not drawn


def sections(document: Mapping[str, Any], rows: Sequence[Stratum]) -> list[Section]:
    """What there is to say of strata; without any, how to get some."""
    by = [str(name) for name in document["by"]]
    if not by:
        text = "No strata were asked for. With --by source,month (columns of the corpus) there is a share for each source and month."
        return [Section("Share by stratum", text, tables=(table(rows, "The whole"),))]
    below = [*_over_time(by, rows), _under_one_another(rows, all(name in TIMES for name in by))]
    refused = _without(rows[1:])
    below += [refused] if refused is not None else []
    text = f"A stratum is all documents with the same {' and '.join(by)}; there {'is' if len(rows) == 2 else 'are'} {len(rows) - 1:,}."
    return [Section(f"Share by {' and '.join(by)}", text, sections=tuple(below))]


def table(rows: Sequence[Stratum], title: str, collapsed: bool = False) -> Table:
    """Every stratum with all that is said of its share; a download has the exact numbers."""
    columns = (
        "stratum", "what can be said", "synthetic, %", "low, %", "high, %", "documents", "not judged", "copies left out",
        "method", "why not an estimate",
    )  # fmt: skip
    return Table(
        title,
        columns,
        tuple(
            (
                row.name, _VERDICTS.get(row.verdict, row.verdict), in_percent(row.share.value),
                in_percent(row.share.low), in_percent(row.share.high), row.n, row.not_judged,
                int(row.fields["n_copies"]), str(row.fields["method"]), row.reason,
            )
            for row in rows
        ),
        collapsed,
        f"Intervals at {100 * rows[0].fields['level']:g} %. All columns and digits: CSV.",
    )  # fmt: skip


_VERDICTS = {"estimate": "a share", "bounds": "bounds only", "refused": "no share"}


def _under_one_another(rows: Sequence[Stratum], by_time: bool) -> Section:
    strata = [row for row in rows[1:] if row.share.known]
    listed = (table(rows, "All strata", len(rows) > OPEN_ROWS),)
    if not strata:
        return Section("Strata compared", "No stratum has a share that could be drawn.", tables=listed)
    shown = sorted(strata, key=lambda row: (-row.n, row.name))[:MOST_BARS]
    left = len(strata) - len(shown)
    shown.sort(key=lambda row: (row.name,) if by_time else (-_middle(row), row.name))
    whole = rows[0]
    bars = [Bar(row.label, row.share, row.n) for row in shown]
    if whole.share.known:
        bars.insert(0, Bar("the whole corpus", whole.share, whole.n, strong=True))
    text = "" if by_time else "Highest share first. "
    text += (
        "Dot and line: the share with its interval. Hollow bar: only bounds are known, the share lies anywhere in it."
    )
    text += " Dashed: the whole corpus." if math.isfinite(whole.share.value) else ""
    if left:
        text += f" Drawn are the {MOST_BARS} strata with most documents; {left:,} more are in the table."
    axis = share_axis([*_usual(shown), *([whole.share] if whole.share.known else [])])
    text += _CUT if any(row.share.high > axis.high for row in shown) else ""
    drawing = forest(bars, "Share of synthetic documents by stratum", "forest", whole.share, axis)
    return Section("Strata compared", escape(text) + drawing, tables=listed)


def _middle(row: Stratum) -> float:
    return row.share.low if math.isnan(row.share.value) else row.share.value


def _over_time(by: Sequence[str], rows: Sequence[Stratum]) -> list[Section]:
    at = next((name for name in TIMES if name in by), None)
    dated = [row for row in rows[1:] if row.time is not None]
    if at is None or not dated:
        return []
    if not any(row.share.known for row in dated):
        return [Section("Over time", f"No share can be given in any {at}.")]
    monthly = at == "month"
    first, last = _span(dated)
    drawn = [row for row in dated if row.time is not None and first <= row.time <= last]
    lines: dict[str, list[Stratum]] = defaultdict(list)
    for row in drawn:
        lines[row.group].append(row)
    order = sorted(lines, key=lambda name: (-sum(row.n for row in lines[name]), name))
    axis = share_axis(_usual(drawn))
    frame = Frame(first, last, monthly, axis, rows[0].share)
    single = len(order) == 1
    made = Markup("").join(
        panel(name or "all documents", _moments(lines[name]), frame, f"time-{k}", single)
        for k, name in enumerate(order[:MOST_PANELS])
    )
    text = (
        f"Dot and band: the share with its interval in each {at}. A gap: no documents of that {at}. Hollow bar: only bounds. "
        "Cross: no share can be given."
    )
    text += " Dashed: the whole corpus." if math.isfinite(rows[0].share.value) else ""
    if len(order) > MOST_PANELS:
        text += f" Drawn are the {MOST_PANELS} with most documents; {len(order) - MOST_PANELS:,} more are in the table."
    text += _not_drawn(rows, drawn, first, last, monthly)
    if any(row.share.high > axis.high for row in drawn):
        text += _CUT
    return [Section("Over time", escape(text) + Markup('<span class="panels">{}</span>').format(made))]


def _usual(rows: Sequence[Stratum]) -> list[Interval]:
    """Intervals that an axis must hold: all values, and all ends but the widest, of which one document in a hundred has one."""
    known = sorted((row for row in rows if row.share.known), key=lambda row: -row.share.high)
    spare, found = _WIDE * sum(row.n for row in known), []
    for row in known:
        spare -= row.n
        found.append(row.share if spare < 0 else replace(row.share, high=max(_middle(row), row.share.low)))
    return found


def _moments(rows: Sequence[Stratum]) -> list[Moment]:
    found = [Moment(row.time, row.share, row.n) for row in rows if row.time is not None]
    return sorted(found, key=lambda one: one.time)


def _span(rows: Sequence[Stratum]) -> tuple[int, int]:
    """First and last time to draw: all, unless a few documents with odd dates would press the rest together."""
    sizes: dict[int, int] = defaultdict(int)
    for row in rows:
        assert row.time is not None
        sizes[row.time] += row.n
    times, total = sorted(sizes), sum(sizes.values())
    if times[-1] - times[0] <= _LONG or not total:
        return times[0], times[-1]
    return _inner(times, sizes, total), _inner(times[::-1], sizes, total)


def _inner(times: Sequence[int], sizes: Mapping[int, int], total: int) -> int:
    seen = 0
    for time in times:
        seen += sizes[time]
        if seen > _STRAY * total:
            return time
    return times[-1]


def _not_drawn(rows: Sequence[Stratum], drawn: Sequence[Stratum], first: int, last: int, monthly: bool) -> str:
    undated = [row for row in rows[1:] if row.time is None]
    stray = len(rows) - 1 - len(undated) - len(drawn)
    told = ""
    if stray:
        told += (
            f" Not drawn: {many(stray, 'stratum', 'strata')} of few documents before {time_text(first, monthly)} or after "
            f"{time_text(last, monthly)}."
        )
    if undated:
        n = sum(row.n for row in undated)
        told += (
            f" Without a date that can be read: {many(len(undated), 'stratum', 'strata')} with {many(n, 'document')}."
        )
    return told


def _without(strata: Sequence[Stratum]) -> Section | None:
    """Strata with bounds only or without a share, by reason, and what helps."""
    reasons: dict[tuple[str, str], list[Stratum]] = defaultdict(list)
    for row in strata:
        if row.verdict in (BOUNDS, REFUSED):
            reasons[row.verdict, row.reason.split(" (")[0]].append(row)  # without what differs from stratum to stratum
    if not reasons:
        return None
    order = sorted(reasons.items(), key=lambda pair: -len(pair[1]))
    told = [_told(verdict, reason, found) for (verdict, reason), found in order[:MOST_REASONS]]
    if len(order) > MOST_REASONS:
        told.append(Finding("Other reasons", f"{len(order) - MOST_REASONS:,} more are in the table of all strata."))
    refused = [row for row in strata if row.verdict == REFUSED]
    listed = Table(
        "Strata without a share",
        ("stratum", "documents", "not judged", "why"),
        tuple((row.name, row.n, row.not_judged, row.reason) for row in refused),
        len(refused) > OPEN_ROWS,
    )
    return Section("Where there is no estimate, and why", findings=tuple(told), tables=(listed,) if refused else ())


def _told(verdict: str, reason: str, found: Sequence[Stratum]) -> Finding:
    names = ", ".join(cut(row.label, 60) for row in found[:3]) + (
        f" and {len(found) - 3:,} more" if len(found) > 3 else ""
    )
    why = (found[0].reason if len(found) == 1 else reason) or "no reason is given"
    head = f"{_VERDICTS[verdict].capitalize()}: {many(len(found), 'stratum', 'strata')}."
    return Finding(head, f"{why[0].upper()}{why[1:]}. ({names})", "bad" if verdict == REFUSED else "neutral")
