"""Strata: the kinds of documents whose error rates are promised one by one.

A stratum is a function of the document alone, and its p-values use the calibration humans of that stratum and no others:
only so does the guarantee hold within it (Mondrian conformal prediction). Kinds with too few humans are merged: neighbouring
length bands first, then rare languages of a domain with each other, then its languages, then small domains with each other.
What is too little even for that has no stratum, and is not judged.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from remission.calibration import language as languages
from remission.documents import Documents, Words
from remission.errors import SpecError
from remission.numerics.arrays import Integers

EDGES = (0, 25, 50, 100, 200, 400, 800)  # words; the last band is open
ENDLESS = 1 << 40
FEW = 20  # humans of a language below which it does not count


@dataclass(frozen=True)
class Cell:
    """A kind of document: ``low`` <= words < ``high``; an empty language stands for any."""

    domain: str
    language: str
    low: int
    high: int
    stratum: str


@dataclass(frozen=True)
class Strata:
    """Which documents belong together.

    Attributes:
        by: what they are told apart by: ``domain``, ``length``, ``language``, or other columns.
        cells: every kind that was calibrated, with its stratum; several may share one.
        merged: what was merged and why, in sentences.
    """

    by: tuple[str, ...]
    cells: tuple[Cell, ...]
    merged: tuple[str, ...] = ()
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(dict.fromkeys(cell.stratum for cell in self.cells)))

    def of(self, documents: Documents, words: Integers, language: Words) -> Words:
        """The stratum of each document (n,); empty where its kind was not calibrated."""
        domains, spoken = self._keys(documents, language)
        out = np.full(len(documents), "", dtype=f"<U{max([1, *map(len, self.names)])}")
        for domain, tongue in sorted(set(zip(domains.tolist(), spoken.tolist(), strict=True))):
            here = (domains == domain) & (spoken == tongue)
            for cell in self._cells(domain, tongue):
                out[here & (words >= cell.low) & (words < cell.high)] = cell.stratum
        return out

    def _cells(self, domain: str, language: str) -> list[Cell]:
        own = [cell for cell in self.cells if cell.domain == domain and cell.language == language]
        return own or [cell for cell in self.cells if cell.domain == domain and cell.language == ""]

    def _keys(self, documents: Documents, language: Words) -> tuple[Words, Words]:
        return _domain_keys(self.by, documents), language if "language" in self.by else np.full(len(documents), "")

    def table(self) -> dict[str, Any]:
        """As plain values."""
        cells = [[cell.domain, cell.language, cell.low, cell.high, cell.stratum] for cell in self.cells]
        return {"by": list(self.by), "cells": cells, "merged": list(self.merged)}

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Strata:
        """What ``table`` gave."""
        return cls(tuple(table["by"]), tuple(Cell(*row) for row in table["cells"]), tuple(table["merged"]))


def _domain_keys(by: Sequence[str], documents: Documents) -> Words:
    columns = [name for name in by if name not in ("length", "language")]
    if not columns:
        return np.full(len(documents), "")
    parts = [documents.column(name) for name in columns]
    return (
        parts[0] if len(parts) == 1 else np.array([" | ".join(row) for row in zip(*parts, strict=True)], dtype=np.str_)
    )


def word_counts(items: Sequence[Any]) -> Integers:
    """Words of each text, (n,)."""
    return np.array([len(item.split()) for item in items], dtype=np.int64)


def spoken(documents: Documents) -> Words:
    """The language of each text: as its column says, else as it looks."""
    found = languages.languages(documents.items)
    given = documents.columns.get("language")
    if given is None or not (given != "").any():
        return found
    known = {name: languages.named(str(name)) for name in np.unique(given)}
    return np.array([one if not own else known[str(own)] for one, own in zip(found, given, strict=True)], dtype=np.str_)


def strata_of(
    documents: Documents, by: Sequence[str], least: int, words: Integers, language: Words, full: int | None = None
) -> Strata:
    """Strata of calibration humans, each with at least ``least`` units where that can be had.

    Args:
        documents: the humans.
        by: what to tell apart: ``domain``, ``length``, ``language``, or columns that the documents have.
        least: fewest units of a stratum; a domain below it is merged with other small ones, and if they are too few even
            together, they have no stratum: documents of theirs are not judged.
        words: (n,) length of each.
        language: (n,).
        full: fewest units of a length band or language that is to have a stratum of its own; ``least`` by default.

    Raises:
        SpecError: no human has such a column.
    """
    for name in by:
        if name not in ("domain", "length", "language") and name not in documents.columns:
            raise SpecError(
                f"by: no human document has a column '{name}'. There are domain, length, language"
                f"{''.join(f', {other}' for other in documents.columns if other not in ('domain', 'language', 'id'))}."
            )
    domains = _domain_keys(by, documents)
    tongues = language if "language" in by else np.full(len(documents), "")
    builder = _Builder(by, least, full or least, documents.sampling_units, words)
    small = []
    for domain in np.unique(domains).tolist():
        here = np.flatnonzero(domains == domain)
        if builder.units_of(here) < least:
            small.append((domain, here))
        else:
            builder.domain(domain, here, tongues[here])
    builder.pool(small)
    return Strata(tuple(by), tuple(builder.cells), tuple(builder.merged))


class _Builder:
    def __init__(self, by: Sequence[str], least: int, full: int, units: Integers, words: Integers) -> None:
        self.least, self.full, self.units, self.words = least, full, units, words
        self.title = " | ".join(name for name in by if name not in ("length", "language"))
        self.bands = "length" in by
        self.cells: list[Cell] = []
        self.merged: list[str] = []

    def units_of(self, index: Integers) -> int:
        return int(np.unique(self.units[index]).size)

    def domain(self, domain: str, here: Integers, tongues: Words) -> None:
        """The strata of one domain with enough humans."""
        name = f"{self.title}={domain}" if domain else "all"
        groups = {tongue: here[tongues == tongue] for tongue in np.unique(tongues).tolist()}
        stray = {tongue: index for tongue, index in groups.items() if self.units_of(index) < min(FEW, self.full)}
        if len(stray) < len(groups):  # a handful of items is no reason to give up the strata of the others
            groups = {tongue: index for tongue, index in groups.items() if tongue not in stray}
            if stray:
                self.merged.append(f"{name}: not calibrated in {', '.join(sorted(stray))} ({_few(stray, self)}).")
        rare = {tongue: index for tongue, index in groups.items() if self.units_of(index) < self.full}
        together = np.concatenate([*rare.values(), np.empty(0, np.int64)])
        if rare and (len(rare) == len(groups) or self.units_of(together) < self.full):
            if len(groups) > 1:
                self.merged.append(f"{name}: languages {', '.join(sorted(groups))} together ({_few(rare, self)}).")
            self.lengths(domain, "", here, name)
            return
        for tongue, index in groups.items():
            if tongue not in rare:
                self.lengths(domain, tongue, index, f"{name}, language={tongue}" if tongue else name)
        if rare:
            self.merged.append(f"{name}: rare languages {', '.join(sorted(rare))} together ({_few(rare, self)}).")
            for tongue in rare:
                self.cells.append(Cell(domain, tongue, 0, ENDLESS, f"{name}, other languages"))

    def lengths(self, domain: str, tongue: str, here: Integers, name: str) -> None:
        """Length bands of a domain and language, each joined with the next longer ones until it has enough."""
        edges = [0]
        if self.bands:
            start = 0
            for edge in EDGES[1:]:
                inside = here[(self.words[here] >= start) & (self.words[here] < edge)]
                rest = here[self.words[here] >= edge]
                if self.units_of(inside) >= self.full and self.units_of(rest) >= self.full:
                    edges.append(edge)
                    start = edge
            if len(edges) < len(EDGES):
                shown = (
                    f"length bands begin at {', '.join(map(str, edges))} words" if len(edges) > 1 else "one length band"
                )
                self.merged.append(f"{name}: {shown}; finer ones hold too few humans.")
        for low, high in zip(edges, [*edges[1:], ENDLESS], strict=True):
            band = f", words={low}-{high - 1}" if high < ENDLESS else f", words={low}+"
            self.cells.append(Cell(domain, tongue, low, high, name + band if len(edges) > 1 else name))

    def pool(self, small: list[tuple[str, Integers]]) -> None:
        """Small domains together, if they are enough then."""
        if not small:
            return
        count = self.units_of(np.concatenate([index for _, index in small]))
        names = ", ".join(f"'{domain}' ({self.units_of(index)})" for domain, index in small[:12])
        names += f" and {len(small) - 12} more" if len(small) > 12 else ""
        if count < self.least:
            self.merged.append(f"Not calibrated: {names}: {count} humans together, {self.least} are needed.")
            return
        name = "other domains" if self.cells else "all"
        self.merged.append(f"Small domains together as '{name}': {names}. Its rate holds for their mix, not for each.")
        for domain, _ in small:
            self.cells.append(Cell(domain, "", 0, ENDLESS, name))


def _few(groups: dict[str, Integers], builder: _Builder) -> str:
    return ", ".join(f"{name or 'unknown'}: {builder.units_of(index)}" for name, index in sorted(groups.items()))


def bands_of(words: Integers) -> Words:
    """The length band of each document in words, for tables (n,)."""
    names = [f"{low}-{high - 1}" for low, high in itertools.pairwise(EDGES)] + [f"{EDGES[-1]}+"]
    place = np.searchsorted(np.array(EDGES), words, "right") - 1
    return np.array(names, dtype=np.str_)[place] if words.size else np.empty(0, "<U1")
