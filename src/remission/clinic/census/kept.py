"""The documents of a finished census that count, from its parts: what shares and their intervals are computed from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from remission.clinic.census.grouping import COPY, FIRST, read_groups
from remission.clinic.census.parts import part_path, read_rows
from remission.clinic.census.process import KEPT
from remission.clinic.census.sampling import Sampling
from remission.clinic.watermarking import adjusted
from remission.numerics.arrays import Array, Booleans, Floats, Integers, Words

MOST = 4_000_000  # documents that are held for estimates; of more, whole clusters are chosen at random within strata
LEAST = 20_000  # of a stratum, however many strata there are
OPEN, DECLARED, ARCHIVED, MARKED = range(4)  # what is known of a document besides its score
WHOLE = "all"
_COLUMNS = ("status", "file", "reason", "stratum", "cell", "score", "early", "content", "declared", "mark", "log10_p")


@dataclass
class Tallies:
    """Documents of a stratum (or of the whole), every content once.

    Attributes:
        n: all; copies: left out, because their content came before; weight: what the n stand for, in a sample.
        judged: with a score and nothing known besides; not_judged: without a score, by reason.
        known: by what is known besides: declared synthetic, in the archive of human documents, watermarked.
        conflicts: in the archive, and declared or watermarked as well.
        tested, marked: for a watermark; how many of them are called marked.
        files: weight of documents by file, for samples of files.
        spread: sum of (1 - p) / p^2 over documents, the variance of ``weight`` in a sample of documents.
    """

    n: int = 0
    copies: int = 0
    weight: float = 0.0
    judged: int = 0
    not_judged: Counter[str] = field(default_factory=Counter)
    known: Counter[int] = field(default_factory=Counter)
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
        files: how many were read.
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
    """

    folder: Path
    order: Sequence[str]
    grouped: bool
    sampling: Sampling
    archive: Words
    rate: float = 0.05
    marks: bool = False
    files: int = 0


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
        low = looked & (p <= np.log10(source.rate))
        small.append(p[low])
        names.append(name[low])
    p, name = np.concatenate(small), np.concatenate(names)
    padded = np.concatenate([p, np.zeros(tested - p.size)])  # the others are 1 and matter by their number alone
    q = adjusted(padded, np.ones(tested, bool), "bh")[: p.size]
    found = q <= source.rate
    cut = float(p[found].max()) if found.any() else -np.inf
    counts = Counter(name[p <= cut].tolist())
    return Marking(source.rate, cut, tested, int(found.sum()), dict(counts.most_common()))


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
        says = np.asarray(table.column("declared").fill_null(False).to_numpy(), bool)
        ours = _archived(source.archive, table)
        known = np.where(ours, ARCHIVED, np.where(says, DECLARED, np.where(marked, MARKED, OPEN)))
        yield name, Rows(table, copy, cluster, known, ours & (says | marked), tested, p)


def _archived(archive: Words, table: Any) -> Booleans:
    if not archive.size:
        return np.zeros(table.num_rows, bool)
    words = np.frombuffer(b"".join(table.column("content").to_pylist()), ">u8")[::2].astype(np.uint64)
    return np.isin(words, archive)


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
    for _, rows in read_part(source, marking):
        table = rows.table
        names, places = np.unique(_texts(table, "stratum"), return_inverse=True)
        code = np.array([strata.setdefault(str(name), len(strata)) for name in names], np.int64)[places]
        draw = np.array([source.sampling.probability(str(name)) for name in names]) * source.sampling.files
        weight = 1 / draw[places]
        file = _coded(_texts(table, "file"), files)
        score = _numbers(table, "score", np.nan)
        _count(tallies, rows, score, weight, places, names.tolist(), file)
        kept_share = np.array([share[str(name)] for name in names])[places]
        here = (rows.copy != COPY) & (_uniform(rows.cluster) < kept_share)
        kind = _coded(_texts(table, "cell"), kinds)
        unit = file if source.sampling.files < 1 else rows.cluster
        early = np.asarray(table.column("early").fill_null(False).to_numpy(), bool)
        columns = (score, kind, code, rows.known, early, rows.copy == FIRST, unit, weight / kept_share)
        held.append([column[here] for column in columns])
    joined: list[Any] = [np.concatenate(column) for column in zip(*held, strict=True)] or [np.empty(0)] * 8
    if list(counts) == [WHOLE]:
        tallies = {WHOLE: tallies[WHOLE]}
    score, kind_, code_, known, early_, first, unit_, weight_ = joined
    return Kept(
        score,
        kind_,
        code_,
        known,
        early_,
        first,
        unit_,
        weight_,
        tuple(kinds),
        tuple(strata),
        tallies,
        marking,
        source.files,
    )


def _count(
    tallies: Mapping[str, Tallies], rows: Rows, score: Floats, weight: Floats, places: Integers, names: Sequence[str],
    file: Integers,
) -> None:  # fmt: skip
    """Add a part to the counts of the whole and of its strata."""
    why = _texts(rows.table, "reason")
    groups = [(WHOLE, np.ones(places.size, bool), rows.copy == FIRST)]
    groups += [(name, places == place, rows.copy != COPY) for place, name in enumerate(names) if name != WHOLE]
    for name, within, counts in groups:
        tally, here = tallies[name], within & counts
        tally.n += int(here.sum())
        tally.copies += int((within & ~counts).sum())
        tally.weight += float(weight[here].sum())
        open_ = here & (rows.known == OPEN)
        tally.judged += int((open_ & np.isfinite(score)).sum())
        tally.not_judged += Counter(why[open_ & ~np.isfinite(score)].tolist())
        tally.known += Counter(rows.known[here & ~open_].tolist())
        tally.conflicts += int((here & rows.conflict).sum())
        tally.tested += int((here & rows.tested).sum())
        tally.marked += int((here & (rows.known == MARKED)).sum())
        tally.spread += float((weight * (weight - 1))[here].sum())
        found, which = np.unique(file[here], return_inverse=True)
        tally.files += Counter(dict(zip(found.tolist(), np.bincount(which, weight[here]).tolist(), strict=True)))


def _shares(counts: Mapping[str, int], most: int) -> dict[str, float]:
    """Which share of each stratum is held: all, where they are few enough."""
    total = sum(counts.values())
    if total <= most:
        return dict.fromkeys(counts, 1.0)
    each = max(LEAST, most // max(1, len(counts)))
    return {name: min(1.0, each / max(1, n)) for name, n in counts.items()}


def _parts(source: Source, columns: Sequence[str] | None) -> Iterator[tuple[Any, Array, Integers | None]]:
    import pyarrow.compute as pc

    for name in source.order:
        rows = read_rows(part_path(source.folder, name), columns or (*_COLUMNS, "place", "id"))
        rows = rows.filter(pc.equal(rows.column("status"), KEPT))
        if source.grouped:
            copy, cluster = read_groups(source.folder, name)
            yield rows, copy, cluster
        else:
            yield rows, np.full(rows.num_rows, FIRST, np.int8), None


def _texts(table: Any, name: str) -> Any:
    return np.asarray(table.column(name).fill_null("").to_pylist(), dtype=np.str_)


def _numbers(table: Any, name: str, missing: float) -> Floats:
    return np.asarray(table.column(name).fill_null(missing).to_numpy(), np.float64)


def _coded(values: Any, known: dict[str, int]) -> Integers:
    names, places = np.unique(values, return_inverse=True)
    return np.array([known.setdefault(str(name), len(known)) for name in names], np.int64)[places]


def _uniform(words: Integers) -> Floats:
    """A number in 0 .. 1 for each cluster."""
    word = words.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((word ^ (word >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53
