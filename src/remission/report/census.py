"""A page about a census: how much of a corpus is synthetic, where and when, on what that rests, and what was not looked at."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import escape

from remission.report import census_parts as parts
from remission.report import census_shares as shares
from remission.report.census_forest import styled
from remission.report.census_rows import (
    BOUNDS,
    ESTIMATE,
    REFUSED,
    Stratum,
    ends,
    many,
    percent,
    size,
    strata_of,
)
from remission.report.content import Finding, Report, Section
from remission.report.page import write


def write_page(path: Path | str, document: Mapping[str, Any]) -> None:
    """Write the page of ``census --json``, or of ``answer.json`` in the folder of a census.

    Raises:
        StoreError: the document is no answer of a census, or the page cannot be written.
    """
    write(build(document), path)


def build(document: Mapping[str, Any]) -> Report:
    """The page as plain data. Raises StoreError."""
    rows = strata_of(document)
    sections = [
        _answer(document, rows),
        *shares.sections(document, rows),
        parts.evidence(document, rows),
        parts.calibration(document, rows),
        parts.copies(document),
        parts.set_aside(document),
        *parts.sample(document, rows),
        parts.again(document),
    ]
    return Report("How much of the corpus is synthetic", headline(document, rows), tuple(sections))


def headline(document: Mapping[str, Any], rows: Sequence[Stratum]) -> str:
    """The answer in a sentence or two: the share, or bounds, or why there is none."""
    whole, some = rows[0], any(row.verdict == ESTIMATE for row in rows[1:])
    share, level = whole.share, f"{100 * document['asked']['level']:g} %"
    of = "documents that could be judged" if document["sample"] is None else "documents, by a sample of them,"
    rest = f"It rests on {many(whole.n, 'document')}, every content counted once."
    if whole.verdict == REFUSED or not share.known:
        return f"No share can be given: {whole.reason or 'no document could be judged'}."
    if math.isnan(share.value):
        why = whole.reason or "some documents are of a kind for which nothing better is known"
        part = "for part of it, " if some else ""
        return f"Between {ends(share).replace(' to ', ' % and ')} of the {of} are synthetic. There are only bounds: {part}{why}. {rest}"
    return f"{percent(share.value, share)} of the {of} are synthetic ({level} interval {ends(share)}). {rest}"


def _answer(document: Mapping[str, Any], rows: list[Stratum]) -> Section:
    account, whole = document["accounting"], rows[0]
    facts = [
        ("rows read", f"{account['in']:,}"), ("documents kept", f"{account['kept']:,}"),
        ("left out", f"{account['dropped']:,}"), ("set aside", f"{account['quarantined']:,}"),
        ("text", size(document["bytes"])), ("files read", f"{document['files']:,}"),
    ]  # fmt: skip
    if document["unread"]:
        facts.append(("files not drawn", f"{document['unread']:,}"))
    facts.append(("documents judged", f"{whole.n:,}"))
    facts.append(("not judged", f"{whole.not_judged:,}"))
    text = escape(
        f"Every row is accounted for: {account['in']:,} read = {account['kept']:,} kept + {account['dropped']:,} left out + "
        f"{account['quarantined']:,} set aside."
    )
    return Section(
        "The answer", text + styled(), facts=tuple(facts), warnings=tuple(map(str, document["warnings"])),
        findings=tuple(_findings(document, rows)),
    )  # fmt: skip


def _findings(document: Mapping[str, Any], rows: list[Stratum]) -> list[Finding]:
    told = []
    strata, verdicts = rows[1:], Counter(row.verdict for row in rows[1:])
    known = [row for row in strata if row.verdict == ESTIMATE]
    if known:
        high, low = max(known, key=lambda row: row.share.low), min(known, key=lambda row: row.share.high)
        told.append(Finding("Most certainly high", f"{high.label}: {_said(high)}."))
        if low.name != high.name:
            told.append(Finding("Most certainly low", f"{low.label}: {_said(low)}."))
    if strata:
        words = [
            f"{verdicts[verdict]:,} with {what}"
            for verdict, what in ((ESTIMATE, "an estimate"), (BOUNDS, "bounds only"), (REFUSED, "no share"))
            if verdicts[verdict]
        ]
        told.append(Finding(f"Of {many(len(strata), 'stratum', 'strata')}", f"{', '.join(words)}."))
    checks = document["checks"]
    for name, title in (("placebo", "Placebo"), ("shift", "Shift test")):
        verdict = checks[name]["verdict"]
        tone = {"passed": "good", "failed": "bad"}.get(verdict, "neutral")
        told.append(Finding(title, f"{verdict}, see Calibration and checks.", tone))  # type: ignore[arg-type]
    return told


def _said(row: Stratum) -> str:
    return f"{percent(row.share.value, row.share)} ({ends(row.share)}) of {many(row.n, 'document')}"
