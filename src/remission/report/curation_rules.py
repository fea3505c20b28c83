"""The part of a page of a curation about its rules, in words and in numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from remission.report.axis import plain_number
from remission.report.census_rows import cut, many, number
from remission.report.content import Finding, Section, Table

MOST_ROWS, OPEN_ROWS = 2_000, 12


def rules(document: Mapping[str, Any]) -> Section:
    """By which rules it was decided, with thresholds and notes."""
    notes = tuple(Finding("Note", str(line)) for line in document["notes"])
    said = {"exclude": _exclude, "weigh": _weigh, "cap": _cap}[document["policy"]](document)
    return Section("By which rules", said, findings=notes, tables=tuple(_tables(document)))


def _exclude(document: Mapping[str, Any]) -> str:
    facts = document["facts"]
    rate = f"{100 * number(document['fdr']):g} %"
    if not facts["dropped"]:
        return f"To be dropped: what is likely synthetic, so that at most {rate} of the dropped documents are expected to be human. No document was."
    return (
        f"A document is dropped when at most {plain_number(number(facts['cut']))} of the calibration humans of its kind would score as high (its p-value): then at "
        f"most {rate} of the dropped documents are expected to be human (Benjamini and Hochberg over {number(facts['tested']):,.0f} documents together). "
        f"That is so of {number(facts['dropped']):,.0f}. Rules are the same in all strata and differ by kind."
    )


def _weigh(document: Mapping[str, Any]) -> str:
    return (
        "Every document has the probability that it is human as its weight, in steps of its score: weighted, the corpus looks like its "
        "human part, as far as the score sees. The share of a stratum and the calibration of a kind make the steps."
    )


def _cap(document: Mapping[str, Any]) -> str:
    whole = [str(name) for name in document["facts"].get("dropped_whole", ())]
    text = (
        f"The most suspicious documents of each stratum are dropped until at most {100 * number(document['cap']):g} % of what is kept is "
        "expected to be synthetic."
    )
    if whole:
        names = ", ".join(cut(name, 60) for name in whole[:3]) + (
            f" and {len(whole) - 3:,} more" if len(whole) > 3 else ""
        )
        text += f" That cannot be reached in {many(len(whole), 'stratum', 'strata')}, dropped whole: {names}."
    return text


def _tables(document: Mapping[str, Any]) -> Iterator[Table]:
    thresholds = document["facts"].get("thresholds")
    if thresholds:
        rows = tuple((str(kind), number(value), "" if value is not None else "nothing is dropped") for kind, value in sorted(thresholds.items()))  # fmt: skip
        yield Table("Thresholds", ("kind", "dropped above the score", ""), rows, len(rows) > OPEN_ROWS)
    if document["policy"] == "exclude" or not document.get("rules"):
        return
    lines = [line for rule in document["rules"] for line in _steps(rule)]
    left = len(lines) - MOST_ROWS
    caption = "A score that equals an end lies below it."
    if left > 0:
        caption += f" The first {MOST_ROWS:,} steps; {left:,} more are in curation.json."
    columns = ("stratum", "kind", "score above", "up to", "weight", "why dropped")
    yield Table("Weights by score", columns, tuple(lines[:MOST_ROWS]), len(lines) > OPEN_ROWS, caption)


def _steps(rule: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    edges = [-math.inf, *map(number, rule["edges"]), math.inf]
    for low, high, weight in zip(edges[:-1], edges[1:], rule["weights"], strict=True):
        yield rule["stratum"], rule["kind"], low, high, number(weight), "" if weight else rule["reason"]
