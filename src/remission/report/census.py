"""A page about a census: how much of a corpus is synthetic, where and when, on what that rests, and what was not looked at."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import escape

from remission.errors import StoreError
from remission.report import census_parts as parts
from remission.report import census_shares as shares
from remission.report.census_forest import styled
from remission.report.census_rows import (
    BOUNDS,
    ESTIMATE,
    REFUSED,
    Stratum,
    clean,
    cut,
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
    """The page as plain data. Raises StoreError: the document is no answer of a census."""
    try:
        document = clean(document)
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
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StoreError(
            f"This is no whole answer of a census ({type(error).__name__}: {error}). Run the census again with this version."
        ) from error


def headline(document: Mapping[str, Any], rows: Sequence[Stratum]) -> str:
    """The answer in a few sentences: the share, or bounds, or why there is none; and what it rests on."""
    whole, share, level = rows[0], rows[0].share, f"{100 * document['asked']['level']:g} %"
    if whole.verdict == REFUSED or not share.known:
        return f"No share can be given: {whole.reason or 'no document could be judged'}."
    sampled = "" if document["sample"] is None else "By a sample, weighed to stand for the whole corpus: "
    of = "of the documents that could be judged are synthetic"
    if math.isnan(share.value):
        why = whole.reason or "some documents are of a kind for which nothing better is known"
        part = "for part of it, " if any(row.verdict == ESTIMATE for row in rows[1:]) else ""
        between = f"between {ends(share).replace(' to ', ' % and ')} {of}"
        said = f"{sampled}{between if sampled else between.capitalize()}. There are only bounds: {part}{why}."
    else:
        said = f"{sampled}{percent(share.value, share)} {of} ({level} interval {ends(share)})."
    known = sum(int(whole.fields[f"n_{name}"]) for name in ("declared", "archived", "marked"))
    besides = f" and on {many(known, 'document')} of which more is known" if known else ""
    counted = "copies included" if document["copies"] is None else "every content counted once"
    return f"{said} It rests on the scores of {many(whole.n - known, 'document')}{besides}, {counted}."


def _answer(document: Mapping[str, Any], rows: list[Stratum]) -> Section:
    account, whole = document["accounting"], rows[0]
    facts = [
        ("rows read", f"{account['in']:,}"), ("documents kept", f"{account['kept']:,}"),
        ("left out", f"{account['dropped']:,}"), ("set aside", f"{account['quarantined']:,}"),
        ("text", size(document["bytes"])), ("files read", f"{document['files']:,}"),
    ]  # fmt: skip
    if document["unread"]:
        facts.append(("files not drawn", f"{document['unread']:,}"))
    facts.append(("documents that count", f"{whole.n:,}"))
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
        told.append(Finding("Most certainly high", f"{cut(high.label, 80)}: {_said(high)}."))
        if low.name != high.name:
            told.append(Finding("Most certainly low", f"{cut(low.label, 80)}: {_said(low)}."))
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
