"""A page of a comparison: what differs, the curves of the runs on top of each other, and their differences with bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remission.report.content import Chart, Finding, Report, Section, Series, Table, Tone
from remission.report.names import NAMES
from remission.report.page import write

MOST_LINES = 7  # beside the base: colours repeat after eight
MOST_ROWS = 24
_TONES: dict[str, Tone] = {"worse": "bad", "better": "good"}


def write_page(path: Path | str, content: dict[str, Any]) -> Path:
    """Write the page of ``compare --html``. Raises StoreError."""
    return write(build(content), path)


def build(content: dict[str, Any]) -> Report:
    """The page as plain data.

    Args:
        content: :meth:`remission.lab.compare.Comparison.document`, and under ``runs`` the curves of the runs themselves
            (:meth:`remission.lab.compare.Comparison.own_curves`).
    """
    rows = list(dict.fromkeys(curve["row"] for curve in content["curves"]))
    pairs = content["pairs"]
    bases = list(dict.fromkeys(pair["base"] for pair in pairs))
    level = f"{100 * content['level']:g} %"
    title = f"Compared with {bases[0]}" if len(bases) == 1 else "Runs compared, point by point"
    text = (
        f"In generation {content['generation']}. Each interval at {level}; the verdicts use the wider intervals that hold all "
        f"together at {level} (Bonferroni over {len(content['differences'])} differences). Detectable: what would be "
        "called clear four times out of five with these replicates."
    )
    sections = [
        Section(
            "Differences", text, warnings=tuple(content["warnings"]), findings=tuple(_findings(content)),
            tables=(_table(content),),
        ),
        Section("How they were compared", tables=(_pairings(content),)),
    ]  # fmt: skip
    shown = pairs[:MOST_LINES]
    left = [f"{len(rows) - MOST_ROWS} more rows" if len(rows) > MOST_ROWS else ""]
    left.append(f"{len(pairs) - MOST_LINES} more runs" if len(pairs) > MOST_LINES else "")
    more = " and ".join(part for part in left if part)
    note = f" Not drawn: {more}; choose rows with --metric." if more else ""
    sections.append(
        Section(
            "Curves",
            "Left, the runs themselves, with the interval of each generation. Right, the difference from the base: the darker band "
            f"is the interval of each generation, the lighter one holds the whole curve at once at {level}.{note}",
            charts=tuple(
                chart
                for row in rows[:MOST_ROWS]
                for chart in (_overlay(content, row, shown), _gap(content, row, shown))
            ),
        )
    )
    return Report(title, _lead(content), tuple(sections))


def _lead(content: dict[str, Any]) -> str:
    verdicts = [row["verdict"] for row in content["differences"]]
    words = [
        f"{verdicts.count(name)} {name}"
        for name in ("worse", "better", "higher", "lower", "no clear difference", "undecided")
        if name in verdicts
    ]
    return f"Of {len(verdicts)} differences: {', '.join(words)}."


def _findings(content: dict[str, Any]) -> list[Finding]:
    """One for each run: the rows in which it is clearly better or worse."""
    out = []
    for group, pair in enumerate(content["pairs"][:MOST_LINES], start=1):
        found = [row for row in content["differences"] if (row["base"], row["run"]) == (pair["base"], pair["run"])]
        worse = [row["row"] for row in found if row["verdict"] == "worse"]
        better = [row["row"] for row in found if row["verdict"] == "better"]
        parts = [f"{word} in {_listed(names)}" for word, names in (("worse", worse), ("better", better)) if names]
        sentence = f"{'; '.join(parts)}." if parts else "no row in which it is clearly better or worse."
        verdict = "worse" if worse and not better else "better" if better and not worse else ""
        out.append(Finding(pair["run"], sentence[0].upper() + sentence[1:], _TONES.get(verdict, "neutral"), group))
    return out


def _listed(names: Sequence[str], most: int = 6) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _table(content: dict[str, Any]) -> Table:
    keys = (
        "run", "row", "verdict", "base_value", "run_value", "scale", "value", "low", "high", "all_low", "all_high", "of",
        "detectable", "needed",
    )  # fmt: skip
    columns = (
        "run", "row", "verdict", "base", "this run", "scale", "value", "low", "high", "low (all)", "high (all)", "of",
        "detectable", "replicates needed",
    )  # fmt: skip
    rows = tuple(
        tuple(_whole(row[key]) if key == "needed" else row[key] for key in keys) for row in content["differences"]
    )
    return Table("Differences from the base", columns, rows)


def _whole(value: float) -> int | float | None:
    return int(value) if math.isfinite(value) else value


def _pairings(content: dict[str, Any]) -> Table:
    rows = []
    for pair in content["pairs"]:
        found = [row for row in content["differences"] if (row["base"], row["run"]) == (pair["base"], pair["run"])]
        ratios = sorted(row["variance_ratio"] for row in found if math.isfinite(row["variance_ratio"]))
        width = math.sqrt(ratios[len(ratios) // 2]) if ratios else None
        n = found[0]["n"] if found else 0
        rows.append((pair["run"], pair["base"], n, pair["reason"], width))
    columns = ("run", "base", "replicates", "how", "width of the intervals, relative to unpaired")
    return Table(
        "Pairing", columns, tuple(rows), caption="The median over rows; below 1, pairing narrowed the intervals."
    )


def _overlay(content: dict[str, Any], row: str, pairs: Sequence[dict[str, Any]]) -> Chart:
    labels = list(dict.fromkeys([pair["base"] for pair in pairs] + [pair["run"] for pair in pairs]))
    found = {curve["run"]: curve for curve in content["runs"] if curve["row"] == row}
    lines = tuple(
        Series(
            label, tuple(found[label]["generation"]), tuple(found[label]["value"]), tuple(found[label]["low"]),
            tuple(found[label]["high"]), group=group,
        )
        for group, label in enumerate(labels[: MOST_LINES + 1])
        if label in found
    )  # fmt: skip
    of = sorted({curve["of"] for label, curve in found.items() if label in labels})
    return Chart(
        NAMES.get(row, row),
        f"{row}: {' or '.join(of)} over replicates, with its interval at each generation.",
        "generation",
        row,
        lines,
        log_y=any(curve["scale"] == "ratio" for curve in content["curves"] if curve["row"] == row),
        note=_note(content, row),
        name=f"runs-{row}",
    )


def _gap(content: dict[str, Any], row: str, pairs: Sequence[dict[str, Any]]) -> Chart:
    found = {(curve["base"], curve["run"]): curve for curve in content["curves"] if curve["row"] == row}
    ratio = any(curve["scale"] == "ratio" for curve in found.values())
    lines = []
    for group, pair in enumerate(pairs, start=1):
        curve = found[pair["base"], pair["run"]]
        x, y = tuple(curve["generation"]), tuple(curve["value"])
        lines.append(
            Series(
                f"{pair['run']}, whole curve", x, y, tuple(curve["band_low"]), tuple(curve["band_high"]), group=group
            )
        )
        lines.append(
            Series(f"{pair['run']}, each generation", x, y, tuple(curve["low"]), tuple(curve["high"]), group=group)
        )
    times = [float(t) for curve in found.values() for t in curve["generation"]] or [1.0]
    even = 1.0 if ratio else 0.0
    lines.append(Series("equal", (min(times), max(times)), (even, even), kind="reference"))
    word = "Ratio to the base" if ratio else "Difference from the base"
    return Chart(
        f"{word}: {NAMES.get(row, row)}",
        "Band of the whole curve by "
        + " and ".join(sorted({_BANDS[curve["band"]] for curve in found.values()}))
        + "; where the band leaves the line 'equal', the runs differ.",
        "generation",
        f"{row}, {'ratio' if ratio else 'difference'}",
        tuple(lines),
        log_y=ratio,
        note=_note(content, row),
        name=f"difference-{row}",
    )


_BANDS = {"max-t": "the largest t of the curve under random signs", "bonferroni": "Bonferroni over generations"}


def _note(content: dict[str, Any], row: str) -> str:
    direction = next((one["direction"] for one in content["differences"] if one["row"] == row), "either")
    return {"falls": "Falls in collapse.", "rises": "Rises in collapse."}.get(direction, "")
