"""A page of curves: how many tokens of marked text are needed to find it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from remission.report.content import Chart, Report, Section, Series, Table
from remission.report.page import write

_POWER, _ALL = 0.9, 0.99


def write_page(path: Path | str, rows: Sequence[dict[str, Any]]) -> Path:
    """Write the page of what ``watermark power`` measured. Raises StoreError."""
    return write(build(rows), path)


def build(rows: Sequence[dict[str, Any]]) -> Report:
    """The page as plain data."""
    nats = sorted({row["nats"] for row in rows})
    rates = sorted({row["fpr"] for row in rows}, reverse=True)
    names = list(dict.fromkeys(row["profile"] for row in rows))
    return Report(
        "How many tokens a watermark needs",
        "Measured on texts written by an idealised model: every next token has the stated entropy, and nothing but the key ties "
        "tokens together. Real text repeats itself, and repetitions do not count, so it needs more.",
        (
            Section(
                "Tokens needed",
                "Scored tokens until 90 % of marked texts are found, at a stated rate of false positives. A dash: more than were "
                "written.",
                tables=(_table(rows, names, nats, rates),),
            ),
            Section(
                "Share of marked texts found",
                "By the number of scored tokens; one chart for each entropy and rate.",
                charts=tuple(_chart(rows, names, entropy, rate) for entropy in nats for rate in rates),
            ),
        ),
    )


def _table(rows: Sequence[dict[str, Any]], names: list[str], nats: list[float], rates: list[float]) -> Table:
    needed = {(row["profile"], row["nats"], row["fpr"]): row["tokens"] for row in rows}
    return Table(
        "",
        ("watermark", "nats per token", *(f"tokens at {rate:g}" for rate in rates)),
        tuple(
            (name, entropy, *(needed.get((name, entropy, rate)) for rate in rates))
            for name in names
            for entropy in nats
        ),
    )


def _chart(rows: Sequence[dict[str, Any]], names: list[str], entropy: float, rate: float) -> Chart:
    found = {row["profile"]: row["curve"] for row in rows if row["nats"] == entropy and row["fpr"] == rate}
    enough = [next((n for n, share in curve if share >= _ALL), curve[-1][0]) for curve in found.values() if curve]
    end = 1.3 * max(enough, default=0.0)  # further right all curves are flat
    found = {name: [(n, share) for n, share in curve if n <= end] for name, curve in found.items()}
    lines = [
        Series(name, tuple(n for n, _ in found[name]), tuple(share for _, share in found[name]), group=group)
        for group, name in enumerate(names)
        if found.get(name)
    ]
    ends = [float(x) for line in lines for x in (line.x[0], line.x[-1])]
    lines.append(Series("90 %", (min(ends, default=0.0), max(ends, default=1.0)), (_POWER, _POWER), kind="reference"))
    return Chart(
        f"{entropy:g} nats, false-positive rate {rate:g}",
        "Share of marked texts found.",
        "scored tokens",
        "share found",
        tuple(lines),
        y_zero=True,
        note="Further left is better.",
        name=f"power-{entropy:g}-{rate:g}",
    )
