"""The documents of a finished census that count, from its parts: what shares and their intervals are computed from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.census.fingerprints import first_words
from remission.clinic.census.grouping import COPY, FIRST, read_groups
from remission.clinic.census.parts import part_path, read_rows
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.tally import KEPT
from remission.errors import StoreError
from remission.numerics.arrays import Array, Booleans, Floats, Integers, Words
from remission.numerics.scatter import uniforms

MOST = 2_000_000  # documents that are held for estimates; of more, whole clusters are chosen at random within strata
LEAST = 1_000  # of a stratum, however many strata there are
OPEN, DECLARED, ARCHIVED, MARKED = range(4)  # what is known of a document besides its score
WHOLE = "all"
_HELD = ("score", "kind", "stratum", "known", "early", "first", "unit", "weight")
_COLUMNS = ("status", "file", "reason", "stratum", "cell", "score", "early", "content", "declared", "mark", "log10_p")


@dataclass
class Tallies:
    """Documents of a stratum (or of the whole), every content once.

    Attributes:
        n: all; copies: left out, because their content came before; weight: what the n stand for, in a sample.
        judged: with a score and nothing known besides; not_judged: without a score and nothing known, by reason.
        known: with a score, by what is known besides: declared synthetic, in the archive of human documents, watermarked;
            unscored: the same without a score.
        conflicts: in the archive, and declared or watermarked as well.
        tested: for a watermark, where nothing else is known; marked: of them, called marked.
        files: weight of documents by file, in samples of files.
        spread: sum of (1 - p) / p^2 over documents, p the probability of each within its file.
    """

    n: int = 0
    copies: int = 0
    weight: float = 0.0
    judged: int = 0
    not_judged: Counter[str] = field(default_factory=Counter)
    known: Counter[int] = field(default_factory=Counter)
    unscored: Counter[int] = field(default_factory=Counter)
    conflicts: int = 0
    tested: int = 0
    marked: int = 0
    files: Counter[int] = field(default_factory=Counter)
    spread: float = 0.0


@dataclass(frozen=True, eq=False)
class Marking:
    """Watermarks over the whole census.

    Attributes:
        rate: of false discoveries; procedure: by which.
        cut: largest log10 of a p-value that is a discovery; minus infinity: there is none.
        tested, found: documents, every content once.
        by_mark: discoveries by watermark.
    """

    rate: float
    cut: float
    tested: int
    found: int
    by_mark: Mapping[str, int]
    procedure: str = "bh"

    @property
    def false(self) -> float:
        """The expected number of false discoveries, at most."""
        return min(self.tested * 10.0**self.cut, self.rate * self.found) if self.found else 0.0

    def table(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "procedure": self.procedure, "rate": self.rate, "tested": self.tested, "found": self.found,
            "log10_p": self.cut if self.found else None, "expected_false": self.false, "by_mark": dict(self.by_mark),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Kept:
    """n documents that count in at least their stratum, or an even choice of them.

    Attributes:
        score: (n,) NaN: not judged.
        kind, stratum: (n,) numbers of ``kinds`` and ``strata``.
        known: (n,) OPEN, DECLARED, ARCHIVED or MARKED.
        early: (n,) dated before the day of the placebo.
        first: (n,) the first of its content in the census; others are that in their stratum only.
        unit: (n,) what is drawn together: near-duplicates, or in a sample of files the file.
        weight: (n,) how many documents each stands for.
        tallies: exact counts by stratum, and of the whole under ``all``.
        marking: of watermarks; None where they were not looked for.
        files: how many files were read.
    """

    score: Floats
    kind: Integers
    stratum: Integers
    known: Integers
    early: Booleans
    first: Booleans
    unit: Integers
    weight: Floats
    kinds: tuple[str, ...]
    strata: tuple[str, ...]
    tallies: Mapping[str, Tallies]
    marking: Marking | None
    files: int


@dataclass(frozen=True)
class Source:
    """Where documents of a finished census are read from.

    Attributes:
        folder: of the census.
        order: names of parts in the order of the corpus.
        grouped: whether there are groups.
        sampling: how documents were drawn.
        archive: (k,) first 64 bits of hashes of documents known to be human, ascending.
        rate: of false discoveries of watermarks.
        marks: whether they were looked for.
        files: how many were read.
        declared: (k,) likewise of contents that some copy declares to be synthetic, ascending: known of one, known of all.
    """

    folder: Path
    order: Sequence[str]
    grouped: bool
    sampling: Sampling
    archive: Words
    rate: float = 0.05
    marks: bool = False
    files: int = 0
    declared: Words = field(default_factory=lambda: np.empty(0, np.uint64))


@dataclass(frozen=True, eq=False)
class Rows:
    """The kept documents of a part, copies included.

    Attributes:
        table: Arrow columns of the part.
        copy, cluster: see :mod:`remission.clinic.census.grouping`.
        known: what is known besides the score; conflict: what is known does not agree.
        tested: for a watermark; log10_p: of it.
    """

    table: Any
    copy: Array
    cluster: Integers
    known: Integers
    conflict: Booleans
    tested: Booleans
    log10_p: Floats


def marking_of(source: Source) -> Marking | None:
    """Which p-values are discoveries, by Benjamini and Hochberg over every content of the census once."""
    if not source.marks:
        return None
    tested, small, names = 0, [np.empty(0)], [np.empty(0, "<U1")]
    for table, copy, _ in _parts(source, ("status", "mark", "log10_p")):
        name = _texts(table, "mark")
        p = _numbers(table, "log10_p", 0.0)
        looked = (name != "") & (copy == FIRST)
        tested += int(looked.sum())
        low = looked & (p <= np.log10(source.rate))  # no larger one can be a discovery
        small.append(p[low])
        names.append(name[low])
    p, name = np.concatenate(small), np.concatenate(names)
    ordered = np.sort(p)
    passing = np.flatnonzero(10.0**ordered * tested <= source.rate * np.arange(1, p.size + 1))
    cut = float(ordered[passing[-1]]) if passing.size else -np.inf
    found = p <= cut
    return Marking(source.rate, cut, tested, int(found.sum()), dict(Counter(name[found].tolist()).most_common()))


def read_part(source: Source, marking: Marking | None) -> Iterator[tuple[str, Rows]]:
    """Part by part, in the order of the corpus: its name and its kept documents."""
    at = 0
    for name, (table, copy, cluster) in zip(source.order, _parts(source, None), strict=True):
        n = table.num_rows
        cluster = np.arange(at, at + n) if cluster is None else cluster
        at += n
        p = _numbers(table, "log10_p", 0.0)
        tested = _texts(table, "mark") != ""
        marked = tested & (p <= marking.cut) if marking is not None else np.zeros(n, bool)
        says = _flags(table, "declared") | _among(source.declared, table)
        ours = _among(source.archive, table)
        known = np.where(ours, ARCHIVED, np.where(says, DECLARED, np.where(marked, MARKED, OPEN)))
        yield name, Rows(table, copy, cluster, known, ours & (says | marked), tested, p)


def declared_by_copies(source: Source) -> Words:
    """Contents that have copies, and of which any copy declares that they are synthetic (k,), ascending."""
    says, copied = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    for table, _, _ in _parts(source, ("status", "content", "declared")):
        says.append(_words(table)[_flags(table, "declared")])
    declared = np.unique(np.concatenate(says))
    for table, copy, _ in _parts(source, ("status", "content")):
        words = _words(table)[copy != FIRST]
        copied.append(np.unique(words[np.isin(words, declared)]))
    return np.unique(np.concatenate(copied))


def _among(known: Words, table: Any) -> Booleans:
    """Whose content is among some, given in order (n,)."""
    if not known.size:
        return np.zeros(table.num_rows, bool)
    words = _words(table)
    return np.asarray(known[np.searchsorted(known, words).clip(max=known.size - 1)] == words)


def _words(table: Any) -> Words:
    """The first 64 bits of the hash of every content (n,)."""
    return first_words(table.column("content"))


def _flags(table: Any, name: str) -> Booleans:
    return np.asarray(table.column(name).fill_null(False).to_numpy(), bool)


def read_kept(source: Source, counts: Mapping[str, int], most: int = MOST) -> Kept:
    """Read the documents of a census.

    Args:
        source: where.
        counts: kept documents by stratum, copies included.
        most: documents to hold.
    """
    share = _shares(counts, most)
    marking = marking_of(source)
    tallies: dict[str, Tallies] = {WHOLE: Tallies(), **{name: Tallies() for name in counts if name != WHOLE}}
    held: list[list[Array]] = []
    kinds: dict[str, int] = {"": 0}
    strata: dict[str, int] = {}
    files: dict[str, int] = {}
    drawing = source.sampling
    for _, rows in read_part(source, marking):
        table = rows.table
        code = _coded(table, "stratum", strata)
        names = list(strata)
        chance = np.array([drawing.probability(name) for name in names])[code]
        file = _coded(table, "file", files) if drawing.files < 1 else None
        score = _numbers(table, "score", np.nan)
        _count(tallies, rows, score, chance, drawing.files, code, names, file)
        kept_share = np.array([share[name] for name in names])[code]
        here = (rows.copy != COPY) & (_uniform(rows.cluster) < kept_share)
        kind = _coded(table, "cell", kinds)
        unit = rows.cluster if file is None else file
        early = np.asarray(table.column("early").fill_null(False).to_numpy(), bool)
        weight = 1 / (chance * drawing.files * kept_share)
        columns = (score, kind, code, rows.known, early, rows.copy == FIRST, unit, weight)
        held.append([column[here] for column in columns])
    joined: list[Any] = [np.concatenate(column) for column in zip(*held, strict=True)] or [np.empty(0)] * 8
    if list(counts) == [WHOLE]:
        tallies = {WHOLE: tallies[WHOLE]}
    told = dict(zip(_HELD, joined, strict=True))
    return Kept(**told, kinds=tuple(kinds), strata=tuple(strata), tallies=tallies, marking=marking, files=source.files)


def _count(
    tallies: Mapping[str, Tallies], rows: Rows, score: Floats, chance: Floats, share: float, code: Integers,
    names: Sequence[str], file: Integers | None,
) -> None:  # fmt: skip
    """Add a part to the counts of the whole and of its strata."""
    why = _texts(rows.table, "reason")
    order = np.argsort(code, kind="stable")
    ends = np.searchsorted(code[order], np.arange(len(names) + 1))
    groups = [(WHOLE, np.arange(code.size), rows.copy == FIRST)]
    groups += [
        (name, order[ends[place] : ends[place + 1]], rows.copy != COPY)
        for place, name in enumerate(names)
        if name != WHOLE and ends[place] < ends[place + 1]
    ]
    judged, open_ = np.isfinite(score), rows.known == OPEN
    for name, within, counts in groups:
        tally, here = tallies[name], within[counts[within]]
        weight = 1 / chance[here]
        tally.n += here.size
        tally.copies += within.size - here.size
        tally.weight += float(weight.sum()) / share
        tally.spread += float((weight * (weight - 1)).sum())
        tally.judged += int((open_ & judged)[here].sum())
        tally.not_judged += Counter(why[here[(open_ & ~judged)[here]]].tolist())
        tally.known += Counter(rows.known[here[(~open_ & judged)[here]]].tolist())
        tally.unscored += Counter(rows.known[here[(~open_ & ~judged)[here]]].tolist())
        tally.conflicts += int(rows.conflict[here].sum())
        marked = rows.known[here] == MARKED
        tally.tested += int((rows.tested[here] & (open_[here] | marked)).sum())
        tally.marked += int(marked.sum())
        if file is not None:
            found, which = np.unique(file[here], return_inverse=True)
            totals = np.bincount(which, weight, found.size) / share
            tally.files += Counter(dict(zip(found.tolist(), totals.tolist(), strict=True)))


def _shares(counts: Mapping[str, int], most: int) -> dict[str, float]:
    """Which share of each stratum is held: all of the small ones, and of the large ones equally many."""
    sizes = np.sort(np.array([*counts.values()]))
    if sizes.sum() <= most:
        return dict.fromkeys(counts, 1.0)
    left = np.arange(sizes.size, 0, -1)
    levels = (most - np.concatenate([[0], np.cumsum(sizes)[:-1]])) / left  # if these and all larger ones share the rest
    fitting = np.flatnonzero(levels <= sizes)
    each = max(min(LEAST, most), float(levels[fitting[0]]))
    return {name: min(1.0, each / max(1, n)) for name, n in counts.items()}


def _parts(source: Source, columns: Sequence[str] | None) -> Iterator[tuple[Any, Array, Integers | None]]:
    import pyarrow.compute as pc

    for name in source.order:
        rows = read_rows(part_path(source.folder, name), columns or (*_COLUMNS, "place", "id"))
        rows = rows.filter(pc.equal(rows.column("status"), KEPT))
        if source.grouped:
            copy, cluster = read_groups(source.folder, name)
            if copy.size != rows.num_rows:
                raise StoreError(f"The groups of part {name} do not fit it. Run the census again to make them anew.")
            yield rows, copy, cluster
        else:
            yield rows, np.full(rows.num_rows, FIRST, np.int8), None


def _texts(table: Any, name: str) -> Any:
    return np.asarray(table.column(name).fill_null("").to_pylist(), dtype=np.str_)


def _numbers(table: Any, name: str, missing: float) -> Floats:
    return np.asarray(table.column(name).fill_null(missing).to_numpy(), np.float64)


def _coded(table: Any, name: str, known: dict[str, int]) -> Integers:
    """Numbers of the texts of a column, (n,); new ones are added to ``known``."""
    found = table.column(name).fill_null("").combine_chunks().dictionary_encode()
    codes = np.array([known.setdefault(text, len(known)) for text in found.dictionary.to_pylist()], np.int64)
    return codes[found.indices.to_numpy(zero_copy_only=False)]


def _uniform(words: Integers) -> Floats:
    """A number in 0 .. 1 for each cluster."""
    return uniforms((words.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
