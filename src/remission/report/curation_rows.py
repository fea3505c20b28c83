"""What a page of a curation reads: its strata as rows, and the headline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remission.report.census_rows import Interval, ends, many, number, percent

ALL = "all"


@dataclass(frozen=True)
class Stratum:
    """A stratum before and after.

    Attributes:
        name: as the census calls it; ``all`` for the whole.
        before, after: synthetic share of judged documents of unknown origin; after: by weight, not known where nothing is kept.
        documents: judged; kept: with a weight; dropped; weight: sum of weights.
        lost: human documents lost; effective: what the kept are worth; scatter: of the very documents kept.
    """

    name: str
    before: Interval
    after: Interval
    documents: float
    kept: float
    dropped: float
    weight: float
    lost: Interval
    effective: float
    scatter: float

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Stratum:
        """Of a row of ``strata``."""
        documents, kept, dropped, weight = (number(table[name]) for name in ("documents", "kept", "dropped", "weight"))
        return cls(
            str(table["stratum"]), Interval.of(table["before"]), Interval.of(table["after"]), documents, kept, dropped, weight,
            Interval.of(table["human_lost"]), number(table["effective"]), number(table["scatter"]),
        )  # fmt: skip


def strata_of(document: Mapping[str, Any]) -> list[Stratum]:
    """The whole first, then strata; without any asked for, the whole alone. Raises ValueError when not even that is there."""
    rows = [Stratum.of(one) for one in document["strata"]]
    if not rows:
        raise ValueError("it has no row, not even of the whole")
    return rows[:1] if [row.name for row in rows[1:]] == [ALL] else rows


def amount(value: float) -> str:
    """A count that need not be whole.

    >>> amount(1234.4), amount(3.25), amount(0.004), amount(0.0)
    ('1,234', '3.2', '0.0', '0')
    """
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def lost_words(lost: Interval) -> str:
    """Human documents lost, as a phrase.

    >>> lost_words(Interval(32.2, 15.4, 50.1)), lost_words(Interval(float("nan"), 0.0, 12.0))
    ('about 32 human documents (15 to 50)', '0 to 12 human documents')
    """
    if not lost.known:
        return "an unknown number of human documents"
    range_ = f"{amount(lost.low)} to {amount(lost.high)}"
    return f"{range_} human documents" if math.isnan(lost.value) else f"about {amount(lost.value)} human documents ({range_})"  # fmt: skip


def headline(document: Mapping[str, Any], rows: Sequence[Stratum]) -> str:
    """Shares before and after and the price, in a few sentences."""
    counts, before, after = document["accounting"], Interval.of(document["before"]), Interval.of(document["after"])
    level = f"{100 * float(document['before']['level']):g} %"
    mute, some = sum(document["known"]["unjudged"].values()), kept_unjudged(document)
    what = "judged documents" if mute else "documents"
    if math.isnan(before.value):
        first = f"Before, between {_between(before)} of the {what} were synthetic; nothing narrower is known."
    else:
        first = (
            f"{percent(before.value, before)} of the {what} were synthetic before ({level} interval {ends(before)})."
        )
    if not counts["kept"]:
        return f"{first} Nothing is kept: all {many(counts['dropped'], 'document')} were dropped."
    of = "by weight " if document["policy"] == "weigh" else ""
    if not (after.known and number(document["weight"])):
        second = f"Of the {many(counts['kept'], 'document')} kept the detector judges none."
    elif math.isnan(after.value):
        second = (
            f"Of what is kept{' and judged' if some else ''}, {of}between {_between(after)} are: there are only bounds."
        )
    else:
        second = (
            f"Of what is kept {'and judged ' if some else ''}{of}{percent(after.value, after)} are ({ends(after)})."
        )
    if some and document.get("whole"):
        everything = Interval.of(document["whole"]["after"])
        second += f" {many(some, 'kept document')} {'was' if some == 1 else 'were'} not judged: with them it is anything from {_ends_in_words(everything)}."
    read = counts["kept"] + counts["dropped"]
    copies = document["known"]["copies"]
    price = f"The price: {counts['dropped']:,} of {many(read, 'document')} are dropped"
    price += f" ({copies:,} of them copies)" if copies else ""
    lost = lost_words(rows[0].lost)
    if document["policy"] != "weigh":
        return f"{first} {second} {price}, with them {lost}."
    worth = f"What is kept is worth {amount(number(document['effective']))} documents of equal weight."
    return f"{first} {second} {price}, and the weights take away {lost}. {worth}"


def kept_unjudged(document: Mapping[str, Any]) -> int:
    """Kept documents that the detector did not judge."""
    return sum(document["known"]["unjudged"].values()) if document["unjudged"] == "keep" else 0


def _ends_in_words(share: Interval) -> str:
    return ends(share).replace(" to ", " % to ")


def _between(share: Interval) -> str:
    return ends(share).replace(" to ", " % and ")
