"""A page of long-term answers: a verdict for every row, the trajectories and theory beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remission.report.content import Chart, Finding, Report, Section, Series, Table, Tone
from remission.report.names import NAMES
from remission.report.page import write

MOST_FINDINGS = 30  # in words; the table has all
MOST_POINTS = 8  # colours repeat after eight
_TONES: dict[str, Tone] = {
    "healthy": "good", "stable-degraded": "bad", "total-loss": "bad", "incoherent": "bad",
}  # fmt: skip


def write_page(path: Path | str, content: dict[str, Any], name: str) -> Path:
    """Write the page of ``dynamics --html``. Raises StoreError."""
    return write(build(content, name), path)


def build(content: dict[str, Any], name: str) -> Report:
    """The page as plain data.

    Args:
        content: the document of :class:`remission.lab.dynamics.Dynamics`, and its ``curves``.
        name: of the file or run.
    """
    points = content["points"]
    rows = list(dict.fromkeys(fate["row"] for fate in content["fates"]))
    sections = [
        Section(
            "Where it ends",
            "Settled rows are compared with the level of real data; the margin is what counts as at it. A row that moves on is followed "
            "by its exponent p: the change goes like t to the power p, and below 0 it comes to rest.",
            warnings=tuple(content["warnings"]),
            findings=tuple(_findings(content)),
            tables=(_fates(content),),
        )
    ]
    beside = _beside(content)
    if beside.rows:
        sections.append(
            Section(
                "Beside theory", "Closed forms evaluated far beyond the run, and what was measured.", tables=(beside,)
            )
        )
    shown = points[:MOST_POINTS]
    left = f" Only the first {MOST_POINTS} points are drawn." if len(points) > MOST_POINTS else ""
    charts = [_curves(content, row, shown) for row in rows]
    sections.append(
        Section("Trajectories", f"Over replicates, with the interval at each generation.{left}", charts=tuple(charts))
    )
    survival = [chart for row in rows if (chart := _survival(content, row, shown)) is not None]
    if survival:
        text = "Share of replicates that have not yet reached a state they never leave."
        sections.append(Section("Absorption", text, charts=tuple(survival)))
    return Report(f"Where {name} ends", _lead(content), tuple(sections))


def _lead(content: dict[str, Any]) -> str:
    verdicts = [fate["verdict"] for fate in content["fates"]]
    words = [f"{verdicts.count(name)} {name}" for name in dict.fromkeys(verdicts)]
    return f"Of {len(verdicts)} rows: {', '.join(words)}."


def _point(content: dict[str, Any], fate: dict[str, Any]) -> str:
    return str(content["points"][fate["point"]]["name"])


def _findings(content: dict[str, Any]) -> list[Finding]:
    many = len(content["points"]) > 1
    out = []
    for fate in content["fates"][:MOST_FINDINGS]:
        subject = f"{_point(content, fate)}, {fate['row']}" if many else fate["row"]
        words = " ".join(part for part in (fate["sentence"], fate["advice"]) if part)
        group = fate["point"] if many and fate["point"] < MOST_POINTS else None
        out.append(Finding(f"{subject}: {fate['verdict']}.", words, _TONES.get(fate["verdict"], "neutral"), group))
    return out


def _fates(content: dict[str, Any]) -> Table:
    columns = (
        "point", "row", "verdict", "growth", "fixed point", "low", "high", "real level", "from", "exponent", "half-life", "perturbation",
        "absorbed", "fits until absorbed", "period", "replicates", "generations",
    )  # fmt: skip
    rows = []
    for fate in content["fates"]:
        gone, cycle, limit = fate["absorption"], fate["period"], fate["limit"]
        rows.append(
            (
                _point(content, fate) or None, fate["row"], fate["verdict"], fate["growth"] or None, limit["value"], limit["low"],
                limit["high"], fate["real"], fate["real_is"], fate["exponent"]["value"], fate["half_life"]["value"],
                fate["stability"], gone and gone["share"]["value"], gone and gone["time"]["value"], cycle and cycle["length"],
                fate["replicates"], fate["generations"],
            )
        )  # fmt: skip
    return Table("Verdicts", columns, tuple(rows))


def _beside(content: dict[str, Any]) -> Table:
    columns = ("point", "row", "what", "ours", "low", "high", "theory", "law", "within 4 standard errors")
    rows = [
        (
            _point(content, fate) or None, fate["row"], one["quantity"], one["ours"]["value"], one["ours"]["low"],
            one["ours"]["high"], one["theory"], one["law"], "yes" if one["agrees"] else "no",
        )
        for fate in content["fates"]
        for one in fate["beside"]
    ]  # fmt: skip
    return Table("Ours and theory", columns, tuple(rows))


def _curves(content: dict[str, Any], row: str, points: Sequence[dict[str, Any]]) -> Chart:
    fates = {fate["point"]: fate for fate in content["fates"] if fate["row"] == row}
    lines, words = [], []
    for curve in content["curves"]:
        at = curve["point"]
        if curve["row"] != row or at >= len(points):
            continue
        name = points[at]["name"] or row
        x = tuple(curve["generation"])
        lines.append(Series(name, x, tuple(curve["value"]), tuple(curve["low"]), tuple(curve["high"]), group=at))
        if curve["theory"] is not None:
            law, values = curve["theory"]
            lines.append(Series(f"theory ({law})", x, tuple(values[: len(x)]), kind="theory", group=at))
        limit = fates[at]["limit"]["value"]
        if math.isfinite(limit) and x and len(points) == 1 and fates[at]["verdict"] == "stable-degraded":
            lines.append(Series("settles", (x[0], x[-1]), (limit, limit), kind="reference", dash="6 4"))
        words.append(curve["of"])
    real = {(fate["real"], fate["real_is"]) for fate in fates.values() if fate["real_is"] == "real data"}
    ends = [float(t) for line in lines for t in (line.x[0], line.x[-1])] or [1.0]
    lines += [
        Series("real data", (min(ends), max(ends)), (level, level), kind="reference")
        for level, _ in sorted(real)
        if math.isfinite(level)
    ]
    direction = next((fate["direction"] for fate in fates.values()), "either")
    return Chart(
        NAMES.get(row, row),
        f"{row}: {' or '.join(sorted(set(words)))} over replicates; dashed: theory.",
        "generation",
        row,
        tuple(lines),
        log_y=any(fate["scale"] == "log" for fate in fates.values()),
        note={"falls": "Falls in collapse.", "rises": "Rises in collapse."}.get(direction, ""),
        name=f"dynamics-{row}",
    )


def _survival(content: dict[str, Any], row: str, points: Sequence[dict[str, Any]]) -> Chart | None:
    lines = []
    for fate in content["fates"]:
        if fate["row"] != row or fate["absorption"] is None or fate["point"] >= len(points):
            continue
        share = fate["absorption"]["survival"]
        x = tuple(range(1, len(share) + 1))
        lines.append(Series(points[fate["point"]]["name"] or row, x, tuple(share), group=fate["point"]))
    if not lines:
        return None
    return Chart(
        f"Not yet absorbed: {NAMES.get(row, row)}", "Kaplan-Meier estimate over replicates.", "generation",
        "share of replicates", tuple(lines), y_zero=True, name=f"survival-{row}",
    )  # fmt: skip
