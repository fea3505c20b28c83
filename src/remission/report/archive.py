"""A page about reviews: what is certified, how far reviewers agree, how often they are wrong, what share is human."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from remission.report.content import Report, Section, Table
from remission.report.page import write


def write_page(path: Path | str, found: dict[str, Any]) -> Path:
    """Write the page of what ``archive review status`` found. Raises StoreError."""
    return write(build(found), path)


def build(found: dict[str, Any]) -> Report:
    """The page as plain data."""
    items = found["items"]
    return Report(
        "Reviews of a gold archive",
        f"{items['certified']:,} items are certified: two reviewers at least called each of them human, and more than called it "
        f"machine-written. {_verdict(found['human_share_of_certified'])}",
        (
            Section(
                "What is human",
                "Estimated from items drawn at random, and corrected for the errors that reviewers make with planted items. It holds "
                "as far as they do with other items what they do with planted ones.",
                tables=(
                    Table(
                        "Human share", ("of", "share", "low", "high", "items drawn"),
                        (
                            _row("the certified items", found["human_share_of_certified"]),
                            _row("all items they were drawn from", found["human_share"]),
                        ),
                    ),
                    Table("Items", ("", "items"), tuple((name.replace("_", " "), count) for name, count in items.items())),
                ),
            ),
            Section(
                "Agreement",
                "1 is full agreement, 0 what chance gives.",
                tables=(
                    Table(
                        "", ("who", "measure", "value", "low", "high", "items"),
                        (
                            _agreement("all", "Krippendorff's alpha", found["alpha"]),
                            *(_agreement(" and ".join(one["reviewers"]), "Cohen's kappa", one) for one in found["kappa"]),
                        ),
                    ),
                ),
            ),
            Section(
                "Errors with planted items",
                "Shares with exact intervals. The last rows are the two-reviewer rule as a whole.",
                tables=(Table("", ("who", "error", "share", "low", "high", "planted"), tuple(_errors(found))),),
            ),
            *((Section("To be known", " ".join(found["notes"])),) if found["notes"] else ()),
        ),
    )  # fmt: skip


def _verdict(share: dict[str, Any]) -> str:
    if share["value"] is None or math.isnan(share["value"]):
        return "What share of them is human cannot be told yet."
    return (
        f"Of these {100 * share['value']:.1f} % are human (between {100 * share['low']:.1f} % and {100 * share['high']:.1f} %, "
        f"{100 * share['level']:g} % interval)."
    )


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 4)


def _row(name: str, one: dict[str, Any]) -> tuple[Any, ...]:
    return (name, *(_number(one[key]) for key in ("value", "low", "high")), one["n"])


def _agreement(who: str, measure: str, one: dict[str, Any]) -> tuple[Any, ...]:
    return (who, measure, *(_number(one[key]) for key in ("value", "low", "high")), one["n"])


def _errors(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    rows = [
        (
            one["reviewer"],
            key.replace("_", " "),
            *(_number(one[key][name]) for name in ("value", "low", "high")),
            one[key]["n"],
        )
        for one in found["reviewers"]
        for key in ("machine_called_human", "human_called_machine")
    ]
    for key, said in (("machine_certified", "machine certified"), ("human_certified", "human certified (no error)")):
        one = found["planted"][key]
        rows.append(("two-reviewer rule", said, *(_number(one[name]) for name in ("value", "low", "high")), one["n"]))
    return rows
