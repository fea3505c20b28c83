"""A page of a forecast: the answer, the curve with its interval, and how the trends did on the data so far."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from remission.report.content import Chart, Report, Section, Series, Table
from remission.report.page import write


def write_page(path: Path | str, answer: dict[str, Any]) -> Path:
    """Write the page of what ``remission forecast`` answered. Raises StoreError."""
    return write(build(answer), path)


def build(answer: dict[str, Any]) -> Report:
    """The page as plain data."""
    where = f"{'at or below' if answer['side'] == 'below' else 'at or above'} {answer['line']:.10g}"
    agreed = [note for note in answer["notes"] if "agrees with all" in note]  # good news, and no warning
    facts = [("method", answer["method"]), ("observed", f"{answer['n_observed']} generations")]
    if answer["backtest_n"]:
        held = (
            f"{100 * answer['backtest_coverage']:.0f} % of {answer['backtest_n']} earlier forecasts in these data held"
        )
        facts.append(("backtest", held))
    if not math.isnan(answer["never"]):
        facts.append(("not by the horizon", f"probability {answer['never']:.2g} by generation {answer['horizon']}"))
    drift = answer["drift"]
    if drift:
        unit = " of the logarithm" if drift["scale"] == "log" else ""
        facts.append(("change a generation", f"{drift['value']:.3g} [{drift['low']:.3g}, {drift['high']:.3g}]{unit}"))
    sections = [
        Section(
            "Answer",
            " ".join(["The generation in which the row is first on the other side of the line.", *agreed]),
            facts=tuple(facts),
            charts=(_chart(answer, where),) if answer["curve"] else (),
            warnings=tuple(note for note in answer["notes"] if note not in agreed),
        )
    ]
    if answer["lines"]:
        sections.append(Section("Lines", "Each line on its own.", tables=(_lines(answer["lines"]),)))
    if answer["candidates"]:
        sections.append(
            Section(
                "Trends",
                "Forecasts that each trend would have made earlier in these data, held against what came after. The error is the "
                "mean continuous ranked probability score, the log evidence the probability of the row, one generation ahead at "
                "a time. Trends that are nearly as good share the weight.",
                tables=(_candidates(answer["candidates"]),),
            )
        )
    return Report(f"When {answer['metric']} is {where}", answer["sentence"], tuple(sections))


def _chart(answer: dict[str, Any], where: str) -> Chart:
    seen, curve = answer["observed"], answer["curve"]
    ends = float(seen[0]["generation"]), float(curve[-1]["generation"])
    column = {key: tuple(float(row[key]) for row in curve) for key in ("generation", "value", "low", "high")}
    values = [row["value"] for row in seen] + [answer["line"]]
    wide = min(values) > 0 and max(values) > 10 * min(values)
    return Chart(
        answer["metric"],
        "Observed, and the forecast with its interval at each generation.",
        "generation",
        answer["metric"],
        (
            Series(
                "observed", tuple(float(row["generation"]) for row in seen), tuple(float(row["value"]) for row in seen)
            ),
            Series("forecast", column["generation"], column["value"], column["low"], column["high"], group=1),
            Series(f"line {answer['line']:.10g}", ends, (answer["line"], answer["line"]), kind="reference"),
        ),
        log_y=wide,
        note=f"Asked for: {where}. The interval of the crossing comes from whole simulated paths, not from where this band crosses.",
        name="forecast",
    )


def _candidates(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "", ("trend", "backtest error", "log evidence", "weight"),
        tuple((row["name"], row["error"], row["evidence"], row["weight"]) for row in rows),
    )  # fmt: skip


def _lines(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "", ("line", "verdict", "generation", "low", "high", "why"),
        tuple((row["name"], row["verdict"], row["generation"], row["low"], row["high"], row["reason"]) for row in rows),
    )  # fmt: skip
