"""Receipts: what became of every row of a part. A census is the merge of receipts, in any order and grouping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from remission.errors import RemissionError
from remission.numerics.arrays import Floats, Integers

EXAMPLES = 20  # kept of what was set aside
REASONS = 100  # different reasons in a receipt; more are counted as one
OTHER = "other reasons"
_SHIFT = 15  # bits of a 32-bit float that bins leave out: 8 bits of precision stay


def bins_of(scores: Floats) -> Integers:
    """The bin of each score (n,): scores within 0.2 % share one; no grid has to be chosen before the scores are known.

    >>> bin_values(bins_of(np.array([-1.0, 0.0, 0.1, 1234.5]))).round(4).tolist()
    [-1.0, 0.0, 0.1001, 1236.0]
    """
    with np.errstate(over="ignore"):
        single = np.asarray(scores).astype(np.float32)
    bits = single.view(np.uint32).astype(np.int64)
    return (bits + (1 << (_SHIFT - 1))) >> _SHIFT


def bin_values(bins: Any) -> Floats:
    """The score that stands for each bin, (n,)."""
    return (np.asarray(bins, dtype=np.int64) << _SHIFT).astype(np.uint32).view(np.float32).astype(np.float64)


@dataclass(frozen=True)
class Stratum:
    """Counts of the kept documents of a stratum.

    Attributes:
        n: documents.
        flagged: called synthetic.
        not_judged: documents nothing is said of, by reason.
        cells: for each kind of the calibration, how many judged documents lie in each bin of :func:`bins_of`.
        declared: documents that say they are synthetic.
        marks: by watermark and whole number of -log10 of the p-value, how many documents, from 3 on: ``name|5``.
    """

    n: int = 0
    flagged: int = 0
    not_judged: Counter[str] = field(default_factory=Counter)
    cells: Mapping[str, Counter[int]] = field(default_factory=dict)
    declared: int = 0
    marks: Counter[str] = field(default_factory=Counter)

    @property
    def judged(self) -> int:
        """Documents with a score."""
        return sum(sum(counts.values()) for counts in self.cells.values())

    def __add__(self, other: Stratum) -> Stratum:
        cells = {
            name: self.cells.get(name, Counter()) + other.cells.get(name, Counter())
            for name in sorted({*self.cells, *other.cells})
        }
        return Stratum(
            self.n + other.n, self.flagged + other.flagged, self.not_judged + other.not_judged, cells,
            self.declared + other.declared, self.marks + other.marks,
        )  # fmt: skip

    def table(self) -> dict[str, Any]:
        """As plain values."""
        cells = {name: [[bin_, n] for bin_, n in sorted(counts.items())] for name, counts in sorted(self.cells.items())}
        return {
            "n": self.n,
            "flagged": self.flagged,
            "not_judged": dict(sorted(self.not_judged.items())),
            "cells": cells,
            "declared": self.declared,
            "marks": dict(sorted(self.marks.items())),
        }

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Stratum:
        """What ``table`` gave."""
        cells = {name: Counter({int(b): int(n) for b, n in rows}) for name, rows in table["cells"].items()}
        return cls(
            table["n"],
            table["flagged"],
            Counter(table["not_judged"]),
            cells,
            table["declared"],
            Counter(table["marks"]),
        )


@dataclass(frozen=True)
class Receipt:
    """What became of rows.

    Attributes:
        seen: rows that were read, counted by the reader.
        kept: documents that were scored or judged unfit for a score.
        dropped: rows left out on request, by reason.
        quarantined: rows, or whole files that cannot be counted, set aside by reason.
        bytes: of the texts kept.
        strata: counts of kept documents by stratum.
        early: counts of those among them that are dated before a day, as a check.
        examples: the first of what was set aside: ``file``, ``place``, ``rows``, ``reason``.
        sha256: of the rows of the part; empty for a merged receipt.
        split: names of the units that stand in for this one, which could not be done in one piece.
        undated: kept documents whose date is filled and no ISO date; they count as without a date.
        odd_dates: the first of those: ``file``, ``place``, ``value``.
    """

    seen: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    strata: Mapping[str, Stratum] = field(default_factory=dict)
    examples: tuple[dict[str, Any], ...] = ()
    sha256: str = ""
    split: tuple[str, ...] = ()
    early: Stratum = field(default_factory=Stratum)
    undated: int = 0
    odd_dates: tuple[dict[str, Any], ...] = ()

    def __add__(self, other: Receipt) -> Receipt:
        strata = {
            name: self.strata.get(name, Stratum()) + other.strata.get(name, Stratum())
            for name in sorted({*self.strata, *other.strata})
        }
        return Receipt(
            self.seen + other.seen, self.kept + other.kept, self.dropped + other.dropped,
            self.quarantined + other.quarantined, self.bytes + other.bytes, strata,
            first_examples([*self.examples, *other.examples]), early=self.early + other.early,
            undated=self.undated + other.undated, odd_dates=first_examples([*self.odd_dates, *other.odd_dates]),
        )  # fmt: skip

    def check(self, what: str) -> Receipt:
        """Itself; raises RemissionError when a row is unaccounted for, which must never be."""
        dropped, aside = sum(self.dropped.values()), sum(self.quarantined.values())
        strata = sum(stratum.n for stratum in self.strata.values())
        if self.seen != self.kept + dropped + aside or strata != self.kept:
            raise RemissionError(
                f"{what}: rows are unaccounted for: {self.seen} were read, {self.kept} kept ({strata} in strata), {dropped} "
                f"dropped, {aside} set aside. This is a fault of the program; please report it."
            )
        for name, stratum in self.strata.items():
            if stratum.n != stratum.judged + sum(stratum.not_judged.values()):
                raise RemissionError(
                    f"{what}: documents of the stratum '{name}' are unaccounted for; please report it."
                )
        return self

    def accounting(self) -> dict[str, Any]:
        """``in = kept + dropped + quarantined`` with reasons, as plain values."""
        return {
            "in": self.seen,
            "kept": self.kept,
            "dropped": sum(self.dropped.values()),
            "quarantined": sum(self.quarantined.values()),
            "dropped_for": dict(self.dropped.most_common()),
            "reasons": dict(self.quarantined.most_common()),
            "examples": list(self.examples),
        }

    def dates(self) -> dict[str, Any]:
        """Values that are no date, as plain values."""
        return {"undated": self.undated, "odd_dates": list(self.odd_dates)}

    def table(self) -> dict[str, Any]:
        """As plain values, equal for equal receipts."""
        return {
            "in": self.seen,
            "kept": self.kept,
            "dropped": dict(sorted(self.dropped.items())),
            "quarantined": dict(sorted(self.quarantined.items())),
            "bytes": self.bytes,
            "strata": {name: stratum.table() for name, stratum in sorted(self.strata.items())},
            "examples": list(self.examples),
            "sha256": self.sha256,
            "split": list(self.split),
            "early": self.early.table(),
            **self.dates(),
        }

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Receipt:
        """What ``table`` gave."""
        strata = {name: Stratum.of(content) for name, content in table["strata"].items()}
        return cls(
            table["in"], table["kept"], Counter(table["dropped"]), Counter(table["quarantined"]), table["bytes"], strata,
            tuple(table["examples"]), table["sha256"], tuple(table["split"]),
            Stratum.of(table["early"]), table["undated"], tuple(table["odd_dates"]),
        )  # fmt: skip


def merge(receipts: Iterable[Receipt]) -> Receipt:
    """All of them together, as adding one after the other gives, in time that goes by their sizes."""
    found = Sum()
    for receipt in receipts:
        found.add(receipt)
    return found.receipt()


class _StratumSum:
    """Counts of a stratum that more are added to in place."""

    def __init__(self) -> None:
        self.n, self.flagged, self.declared = 0, 0, 0
        self.not_judged: Counter[str] = Counter()
        self.cells: dict[str, Counter[int]] = {}
        self.marks: Counter[str] = Counter()

    def add(self, one: Stratum) -> None:
        self.n += one.n
        self.flagged += one.flagged
        self.declared += one.declared
        self.not_judged.update(one.not_judged)
        self.marks.update(one.marks)
        for name, counts in one.cells.items():
            self.cells.setdefault(name, Counter()).update(counts)

    def stratum(self) -> Stratum:
        cells = {name: +counts for name, counts in sorted(self.cells.items())}
        return Stratum(self.n, self.flagged, +self.not_judged, cells, self.declared, +self.marks)


class Sum:
    """Receipts that more are added to in place: a receipt of its own for each step would copy every stratum every time.

    It takes the memory of one receipt, however many are added; a census of thousands of parts and strata holds no others.

    Attributes:
        strata: what is known of each so far.
    """

    def __init__(self) -> None:
        self.seen, self.kept, self.bytes = 0, 0, 0
        self.dropped: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.strata: dict[str, _StratumSum] = {}
        self.early = _StratumSum()
        self.examples: tuple[dict[str, Any], ...] = ()
        self.undated = 0
        self.odd_dates: tuple[dict[str, Any], ...] = ()

    def add(self, one: Receipt) -> None:
        """Add one."""
        self.seen += one.seen
        self.kept += one.kept
        self.bytes += one.bytes
        self.dropped.update(one.dropped)
        self.quarantined.update(one.quarantined)
        for name, stratum in one.strata.items():
            self.strata.setdefault(name, _StratumSum()).add(stratum)
        self.early.add(one.early)
        if one.examples:
            self.examples = first_examples([*self.examples, *one.examples])
        self.undated += one.undated
        if one.odd_dates:
            self.odd_dates = first_examples([*self.odd_dates, *one.odd_dates])

    def receipt(self) -> Receipt:
        """All that were added, as one."""
        strata = {name: stratum.stratum() for name, stratum in sorted(self.strata.items())}
        return Receipt(
            self.seen, self.kept, +self.dropped, +self.quarantined, self.bytes, strata, self.examples,
            early=self.early.stratum(), undated=self.undated, odd_dates=self.odd_dates,
        )  # fmt: skip


def first_examples(examples: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The first by file and place, so that a merge in any order keeps the same."""
    ordered = sorted(
        examples,
        key=lambda one: (
            one["file"],
            -1 if one["place"] is None else one["place"],
            one.get("reason", one.get("value")),
        ),
    )
    return tuple(ordered[:EXAMPLES])


def kind_of(reason: str) -> str:
    """A reason without its particulars, so that reasons can be counted."""
    return reason.split(":")[0].split(" (")[0]
