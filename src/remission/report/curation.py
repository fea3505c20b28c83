"""A page about a curation: what is left in a training set, what that cost, by which rules, and what it does to the next models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import escape

from remission.errors import StoreError
from remission.report import outlook
from remission.report.census_forest import styled
from remission.report.census_rows import Interval, clean, cut, ends, in_percent, many, number, percent
from remission.report.content import Finding, Report, Section, Table
from remission.report.curation_forest import Pair, pairs
from remission.report.curation_rows import Stratum, amount, headline, lost_words, strata_of
from remission.report.curation_rules import rules
from remission.report.page import write

MOST_PAIRS, OPEN_ROWS = 40, 12


def write_page(path: Path | str, document: Mapping[str, Any]) -> None:
    """Write the page of ``curate --json``, or of ``curation.json`` in the folder of a curation.

    Raises:
        StoreError: the document is none of a curation, or the page cannot be written.
    """
    write(build(document), path)


def build(document: Mapping[str, Any]) -> Report:
    """The page as plain data. Raises StoreError: the document is none of a curation."""
    try:
        document = clean(document)
        rows = strata_of(document)
        sections = [
            _left(document, rows), _strata(rows), _account(document), rules(document), _known(document), _ahead(document),
            _again(document),
        ]  # fmt: skip
        return Report("What curation leaves of the corpus", headline(document, rows), tuple(sections))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StoreError(
            f"This is no whole document of a curation ({type(error).__name__}: {error}). Run `remission curate` again with this "
            "version."
        ) from error


def _left(document: Mapping[str, Any], rows: Sequence[Stratum]) -> Section:
    counts, whole = document["accounting"], rows[0]
    mute, everything = sum(document["known"]["unjudged"].values()), document.get("whole")
    of = ", of the judged" if mute else ""
    facts = (
        (f"synthetic before{of}", _share(Interval.of(document["before"]))),
        (f"synthetic after{of}", _share(Interval.of(document["after"])) if counts["kept"] else "nothing kept"),
        *(
            (f"synthetic {name}, of all", _share(Interval.of(everything[name])))
            for name in ("before", "after") if mute and everything and counts["kept"]
        ),
        ("kept", many(counts["kept"], "document")), ("dropped", many(counts["dropped"], "document")),
        ("sum of weights", amount(number(document["weight"]))), ("worth, at equal weights", amount(number(document["effective"]))),
        ("human documents lost", lost_words(whole.lost).replace(" human documents", "")),
    )  # fmt: skip
    told = []
    judged = [row for row in rows[1:] if row.after.known]
    if len(judged) > 1:
        most = max(judged, key=lambda row: row.after.high)
        luck = " It was picked for looking worst, so it is likely to be better." if len(judged) > 5 else ""
        told.append(Finding("Most may be left in", f"{cut(most.name, 80)}: {_share(most.after)}.{luck}"))
    gone = [row.name for row in rows[1:] if not row.weight]
    if gone:
        names = ", ".join(cut(name, 60) for name in gone[:3]) + (
            f" and {len(gone) - 3:,} more" if len(gone) > 3 else ""
        )
        told.append(Finding(f"Nothing kept of {many(len(gone), 'stratum', 'strata')}", f"{names}.", "bad"))
    if not math.isnan(whole.scatter) and whole.scatter > 0.25 * (whole.after.high - whole.after.low):
        told.append(
            Finding("Chance", f"The share of the very documents that are kept scatters by {100 * whole.scatter:.2g} points around the expected one, which the interval is for.")
        )  # fmt: skip
    text = (
        "Shares are of documents whose origin is estimated or known, every content once, after curation by weight; documents that "
        "nothing is said of are in none, but for the shares of all, in which they may be anything. Declared, watermarked and archived documents count as what they are."
    )
    return Section("What is left", escape(text) + styled(), facts=facts, warnings=tuple(map(str, document["warnings"])), findings=tuple(told))  # fmt: skip


def _share(share: Interval) -> str:
    if not share.known:
        return "not known"
    return ends(share) if math.isnan(share.value) else f"{percent(share.value, share)} ({ends(share)})"


def _strata(rows: Sequence[Stratum]) -> Section:
    """All pairs that fit, and every number in a table."""
    strata = rows[1:]
    shown = sorted(strata, key=lambda row: (-row.documents, row.name))[:MOST_PAIRS]
    shown.sort(key=lambda row: (-_middle(row), row.name))
    drawn = [_pair(row, "the whole", True) for row in rows[:1]] + [_pair(row, row.name) for row in shown]
    text = (
        "Judged documents of unknown origin. Above, hollow: before; below, full: after, by weight. Line: the interval. Bar: only "
        "bounds are known, the share lies anywhere in it."
    )
    if strata:
        text += " Most left first."
    if len(strata) > len(shown):
        text += f" Drawn are the {MOST_PAIRS} strata with most documents; {len(strata) - len(shown):,} more are in the table."
    drawing = pairs(drawn, "Synthetic share before and after curation", "pairs")
    return Section("Before and after", escape(text) + drawing, tables=(_table(rows),))


def _middle(row: Stratum) -> float:
    if not row.after.known:
        return -1.0
    return row.after.high if math.isnan(row.after.value) else row.after.value


def _pair(row: Stratum, name: str, strong: bool = False) -> Pair:
    return Pair(name, row.before, row.after, row.documents, row.weight, strong)


def _table(rows: Sequence[Stratum]) -> Table:
    columns = (
        "stratum", "documents", "before, %", "low", "high", "after, %", "low", "high", "kept", "dropped", "weight",
        "human lost", "low", "high", "worth", "scatter, points",
    )  # fmt: skip
    lines = tuple(
        (
            row.name, _whole(row.documents), *_three(row.before), *_three(row.after), _whole(row.kept), _whole(row.dropped),
            row.weight, row.lost.value, row.lost.low, row.lost.high, row.effective, in_percent(row.scatter),
        )
        for row in rows
    )  # fmt: skip
    caption = (
        "Human lost: dropped human documents, and of weighted ones what the weight takes. Worth: so many independent documents of "
        "equal weight. Scatter: standard deviation of the share of the very documents kept. All digits: CSV."
    )
    return Table("All strata", columns, lines, len(lines) > OPEN_ROWS, caption)


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _three(share: Interval) -> tuple[float, float, float]:
    return in_percent(share.value), in_percent(share.low), in_percent(share.high)


def _account(document: Mapping[str, Any]) -> Section:
    counts = document["accounting"]
    text = (
        f"Every row of the census is accounted for: {counts['in']:,} in = {counts['kept']:,} kept + {counts['dropped']:,} dropped + "
        f"{counts['quarantined']:,} set aside, which could not be read and are listed by the census."
    )
    if document.get("left_out"):
        text += (
            f" {many(document['left_out'], 'row')} that the census was asked to leave out are in none of these numbers."
        )
    if counts["in"] != counts["kept"] + counts["dropped"] + counts["quarantined"]:
        raise ValueError("kept, dropped and set aside are not what came in")
    reasons = sorted(document["reasons"].items(), key=lambda pair: (-pair[1], pair[0]))
    lines = tuple((str(why), int(count), in_percent(count / counts["in"])) for why, count in reasons)
    tables = (Table("Dropped", ("reason", "documents", "of all, %"), lines),) if lines else ()
    return Section("What became of every document", text, tables=tables)


def _known(document: Mapping[str, Any]) -> Section:
    """The evidence, in the order in which it counts."""
    known, kept = document["known"], document["unjudged"] == "keep"
    rows = [
        ("copies of an earlier document", known["copies"], "dropped: every content is kept once at most"),
        ("in the archive of human documents", known["archived"], "kept, whatever they score"),
        ("declare that they are synthetic", known["declared"], "dropped"),
        ("called watermarked", known["marked"], "dropped"),
        ("judged by their score", known["judged"], "by the rules above"),
    ]  # fmt: skip
    rows += [
        (f"not judged: {why}", count, "kept; no share speaks of them" if kept else "dropped")
        for why, count in sorted(known["unjudged"].items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return Section(
        "What the decisions rest on",
        "What is known of a document counts before its score, in this order.",
        tables=(Table("Evidence", ("documents", "how many", "what becomes of them"), tuple(rows)),),
    )


def _ahead(document: Mapping[str, Any]) -> Section:
    if document["outlook"] is None:
        return Section(
            "The next generations", "The lab predicts nothing for this training set; see the notes on the rules."
        )
    return outlook.section(document["outlook"])


def _again(document: Mapping[str, Any]) -> Section:
    text = (
        "kept/ holds the documents with a weight each, dropped/ the others with the reason, curation.json all of this page and the "
        "rules for programs, README.md and croissant.json the data card, SHA256SUMS the hash of every file."
    )
    names = ("folder", "policy", "fdr", "cap", "unjudged", "columns", "census", "id", "version")
    used = {"fdr": "exclude", "cap": "cap"}
    lines = tuple(
        (name, str(document[name]))
        for name in names
        if name in document and used.get(name, document["policy"]) == document["policy"]
    )
    return Section("Where it lies", text, tables=(Table("Settings", ("setting", "value"), lines),))
