"""A page of published results: what the paper says, what came out, and the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from remission.report.build import Laws, Row, chart
from remission.report.content import Block, Chart, Finding, Report, RunStore, Section, Series, Table, is_number
from remission.report.gallery import evenly
from remission.report.page import write
from remission.report.palette import GROUPS
from remission.report.words import bare, counted, title_of

_CHARTS = 2  # per result
_RULES = {
    "agrees": "A closed form. The mean lies within 4 standard errors of it, and predictions 10 % lower and higher would not.",
    "near": "A limit that a finite run comes close to. The interval lies within the tolerance.",
    "published": "A mean over few published runs. It lies within 2 joint standard errors of ours.",
    "inside": "A published single run. It lies between the 10 % and the 90 % quantile of ours, which are the interval.",
    "below": "A claim. The interval (or the stated share of all runs) lies below.",
    "above": "A claim. The interval (or the stated share of all runs) lies above.",
    "order": "A claim. Each step from one setting to the next is up by more than 4 standard errors; ours is the least step.",
    "threshold": "Where the curve over a parameter crosses a level, or is lowest. The interval lies within the tolerance.",
}


@dataclass(frozen=True)
class Entry:
    """One result.

    Attributes:
        id, title, paper, claim, figure: what it is, and which figure or equation of the paper is meant.
        verdict: of the whole.
        checks: one row per number (see ``Reproduced.table``).
        text: its file.
        why: why it was not run.
        store: its run; None when there is none.
    """

    id: str
    title: str
    paper: str
    claim: str
    figure: str
    verdict: str
    checks: Sequence[Row]
    text: str = ""
    why: str = ""
    store: RunStore | None = None


def write_page(path: Path | str, entries: Sequence[Entry]) -> Path:
    """Write the gallery. Raises StoreError."""
    return write(build(entries), path)


def build(entries: Sequence[Entry]) -> Report:
    """The gallery as plain data."""
    done = [entry for entry in entries if entry.verdict == "reproduced"]
    numbers = [row for entry in entries for row in entry.checks]
    kept = sum(row["verdict"] == "reproduced" for row in numbers)
    lead = (
        f"{len(done)} of {counted(len(entries), 'published result')} reproduced, {kept} of {counted(len(numbers), 'number')}. "
        "Every number of a paper, or of a closed form, stands beside ours with its interval: 4 standard errors on either side "
        "of a mean. A closed form counts only if the runs would also have rejected one that is 10 % off."
    )
    used = [rule for rule in _RULES if any(row["rule"] == rule for row in numbers)]
    rules = Table("", ("rule", "what it asks"), tuple((rule, _RULES[rule]) for rule in used))
    last = Section("The rules", "When a number counts as reproduced.", tables=(rules,))
    return Report("Published results, reproduced", lead, (_overview(entries), *map(_section, entries), last))


def _overview(entries: Sequence[Entry]) -> Section:
    rows = tuple(
        (entry.title, entry.paper, f"{sum(row['verdict'] == 'reproduced' for row in entry.checks)} of {len(entry.checks)}",
         entry.verdict)
        for entry in entries
    )  # fmt: skip
    told = [entry for entry in entries if entry.verdict not in ("reproduced", "not run")]
    findings = tuple(
        Finding(entry.title, f"{entry.verdict}: {row['quantity']}", "bad")
        for entry in told
        for row in entry.checks
        if row["verdict"] == entry.verdict
    )
    table = Table("", ("result", "paper", "numbers", "verdict"), rows)
    return Section("Overview", "What each result came to.", findings=findings, tables=(table,))


def _section(entry: Entry) -> Section:
    rows = tuple(
        (row["quantity"], row["expects"], _number(row["measured"]), _interval(row), row["verdict"],
         f"{row['rule']}: {row['source']}")
        for row in entry.checks
    )  # fmt: skip
    columns = ("quantity", "expected", "ours", "interval", "verdict", "rule: source")
    runs = max((int(row["replicates"]) for row in entry.checks), default=0)
    facts = [("verdict", entry.verdict), ("paper", entry.paper), ("in the paper", entry.figure), ("replicates", f"{runs:,}".replace(",", " ") if runs else ""),
             ("repeat", f"remission reproduce {entry.id}")]  # fmt: skip
    return Section(
        entry.title,
        entry.claim,
        facts=tuple((name, value) for name, value in facts if value),
        warnings=(f"Not run: {entry.why}",) if entry.why else (),
        charts=() if entry.store is None else tuple(_charts(entry, entry.store)),
        tables=(Table("", columns, rows),) if rows else (),
        blocks=(Block(f"{entry.id}.toml", entry.text, collapsed=True),) if entry.text else (),
    )


def _number(value: float) -> str:
    return f"{value:.5g}" if is_number(value) else "-"


def _interval(row: Row) -> str:
    return f"{row['low']:.4g} to {row['high']:.4g}" if is_number(row["low"]) else "-"


def _charts(entry: Entry, store: RunStore) -> list[Chart]:
    """The rows that are checked, by generation; a threshold by what was swept."""
    made: list[Chart] = []
    turning = {row["row"] for row in entry.checks if row["rule"] == "threshold"}
    for name in dict.fromkeys(row["row"] for row in entry.checks):
        checks = [row for row in entry.checks if row["row"] == name]
        swept = name in turning or len(_generations(store, name)) == 1
        one = _by_sweep(store, checks) if swept else _by_generation(store, name, checks)
        if one is not None and len(made) < _CHARTS:
            made.append(one)
    return made


def _generations(store: RunStore, metric: str) -> set[int]:
    return {row["generation"] for row in store.summary if row["metric"] == metric}


def _by_generation(store: RunStore, metric: str, checks: list[Row]) -> Chart:
    rows = [row for row in store.summary if row["metric"] == metric]
    theory: Laws = {}
    for law in store.theory:
        if law["metric"] == metric and is_number(law.get("value")):
            theory.setdefault((metric, law["point"]), []).append(law)
    theory = {key: _one_law(laws) for key, laws in theory.items()}
    made = chart(store, metric, rows, evenly(len(store.point_names), len(GROUPS)), theory)
    end = max((x for line in made.series for x in line.x), default=1.0)
    lines = [
        _expected(check, end) for check in checks if check["rule"] not in ("order", "threshold") and _in_units(check)
    ]
    caption = "Mean over replicates with its 95 % interval; dashed: closed form; dotted: what is expected."
    return replace(made, series=(*made.series, *lines), caption=caption, title=title_of(metric))


def _one_law(laws: list[Row]) -> list[Row]:
    """The first of several laws that say the same."""
    first = next((law["law"] for law in laws if law.get("scale") == "mean"), laws[0]["law"])
    return [law for law in laws if law["law"] == first]


def _in_units(check: Row) -> bool:
    """Whether the expected number can be drawn where the row itself is drawn."""
    return bool(check["plain"]) and is_number(check["expected"])


def _expected(check: Row, end: float) -> Series:
    """A short line at the generation that the number is about."""
    at = end if check["generation"] == "last" else float(check["generation"])
    value, early = check["expected"], at - 1 < 0.35 * (end - 1)  # then its name needs room on the right
    start, stop = (at, at + 0.35 * (end - 1)) if early else (at - 0.12 * (end - 1), at)
    names = {"below": "line", "above": "line", "published": "published", "inside": "published"}
    name = f"{names.get(check['rule'], 'expected')} {value:.4g}"
    return Series(name, (max(1.0, start), min(end, stop)), (value, value), kind="reference")


def _by_sweep(store: RunStore, checks: list[Row]) -> Chart | None:
    """The row at the generation of the check against the swept number."""
    row = next((check for check in checks if check["rule"] == "threshold"), checks[0])
    keys = {key for point in store.points for key in point}
    number = next((key for key in sorted(keys) if all(_is_plain(point.get(key)) for point in store.points)), None)
    if number is None:
        return None
    at = max(_generations(store, row["row"])) if row["generation"] in ("last", "sum") else int(row["generation"])
    found = {one["point"]: one for one in store.summary if one["metric"] == row["row"] and one["generation"] == at}
    order = sorted(found, key=lambda point: float(store.points[point][number]))
    x = tuple(float(store.points[point][number]) for point in order)
    kind = ["median" if found[point].get("of") == "median" else "mean" for point in order]
    line = Series(
        f"generation {at}", x, tuple(float(found[point][of]) for point, of in zip(order, kind, strict=True)),
        tuple(_end(found[point]["low"]) for point in order), tuple(_end(found[point]["high"]) for point in order),
    )  # fmt: skip
    threshold = next((check for check in checks if check["rule"] == "threshold"), None)
    drawn = [line]
    if threshold is not None and is_number(threshold["expected"]):
        values = [y for y in (*line.y, *(line.low or ()), *(line.high or ())) if is_number(y)]
        place, half = threshold["expected"], 1e-9 * (max(x) - min(x))
        drawn.append(
            Series(
                f"expected {threshold['expects']}",
                (place - half, place + half),
                (min(values), max(values)),
                kind="theory",
                group=1,
            )
        )
    caption = f"Generation {at} against {number}; band: 95 % interval." + (
        "" if threshold is None else " Dashed: where the curve is expected to turn."
    )
    title = f"{title_of(row['row'])} by {number}"
    return Chart(title, caption, number, row["row"], tuple(drawn), name=f"{bare(row['row'])} by {number}")


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _end(value: Any) -> float:
    return float("nan") if value is None else float(value)
