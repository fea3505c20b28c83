"""Units of work: spans of files with everything the results depend on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from remission import __version__
from remission.clinic.census.fingerprints import Copies, check_copies, identity
from remission.clinic.census.parts import part_path
from remission.clinic.census.sampling import Sampling
from remission.clinic.census.scoring import Scorer, hash_of
from remission.clinic.dates import check_day
from remission.corpus.reading import Fields
from remission.corpus.spans import LEAST, SIZE, Span
from remission.corpus.streaming import Limits
from remission.errors import SpecError

FORMAT = 4  # of parts; another one never resumes this one
SMALL = 4096  # bytes that any file counts as, for it must be opened
MOST_FILES = 1024  # of a unit


@dataclass(frozen=True)
class Config:
    """How documents are read and counted.

    Attributes:
        fields: which fields hold what.
        by: columns whose values are strata; ``month`` and ``year`` are those of the column ``date``.
        limits: on what is read.
        size: bytes of a unit, about; small files are put together, large ones cut where that is possible. None: a 64th of
            the corpus, from 1 to 64 MiB, which stays as it is when files are added later.
        sums: SHA-256 that files should have, by path or name; others are set aside.
        before: an ISO date; documents whose ``date`` is earlier are counted a second time by themselves, as a check: they are
            human. Values that do not begin like an ISO date are no dates.
        copies: ``near``: exact copies count once, near-duplicates are found; ``exact``: the former alone; ``none``.
        sampling: which documents are looked at.
        declared: a column that names the generator of a document, or says that it is synthetic; empty and ``human`` say
            nothing. Of pictures, what the files themselves declare is read too.
    """

    fields: Fields = field(default_factory=Fields)
    by: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    size: int | None = None
    sums: tuple[tuple[str, str], ...] = ()
    before: str = "2022-01-01"
    copies: Copies = "near"
    sampling: Sampling = field(default_factory=Sampling)
    declared: str = ""

    def __post_init__(self) -> None:
        check_copies(self.copies)
        check_day(self.before)
        self.sampling.check(self.by)
        if self.size is not None and self.size < 1:
            raise SpecError(f"A unit needs at least 1 byte. Got {self.size}.")
        if len(set(self.by)) < len(self.by):
            raise SpecError(f"A column is named twice: {', '.join(self.by)}.")

    @cached_property
    def reading(self) -> Fields:
        """The fields with the columns that strata need."""
        needed = ("date" if name in ("month", "year") else name for name in self.by if name != "domain")
        more = dict.fromkeys((*self.fields.columns, *needed, "date", *([self.declared] if self.declared else [])))
        return replace(self.fields, columns=tuple(more))

    def content(self) -> str:
        """A hash of it, without the size of units, and of the version of the package."""
        asked = {name: value for name, value in self.table().items() if name != "size"}
        asked |= {"copies": identity(self.copies), "sums": self.sums}
        return hash_of({"format": FORMAT, "version": __version__, **asked})

    def table(self) -> dict[str, Any]:
        """As plain values."""
        fields = {**vars(self.fields), "where": {k: sorted(v) for k, v in sorted(self.fields.where.items())}}
        fields["columns"] = list(self.fields.columns)
        return {
            "fields": fields, "by": list(self.by), "limits": vars(self.limits), "size": self.size, "before": self.before,
            "copies": self.copies, "sampling": self.sampling.table(), "declared": self.declared,
        }  # fmt: skip

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Config:
        """What ``table`` gave; without the expected hashes of files."""
        fields = dict(table["fields"])
        fields["columns"] = tuple(fields["columns"])
        drawing = dict(table["sampling"])
        drawing["strata"] = tuple((name, rate) for name, rate in drawing["strata"])
        return cls(
            Fields(**fields), tuple(table["by"]), Limits(**table["limits"]), table["size"], (), table["before"],
            table["copies"], Sampling(**drawing), table["declared"],
        )  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """Spans that are scored together and make one part.

    Attributes:
        spans: of one or more files.
        config: how they are read.
        scorer: what is asked of each document.
        folder: of the census.
    """

    spans: tuple[Span, ...]
    config: Config
    scorer: Scorer
    folder: str

    @cached_property
    def name(self) -> str:
        """A hash of everything the part depends on."""
        spans = [list(span.identity) for span in self.spans]
        return hash_of({"spans": spans, "config": self.config.content(), "scorer": self.scorer.content})[:40]

    @property
    def part(self) -> Path:
        """Where the part lies."""
        return part_path(Path(self.folder), self.name)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(span.size for span in self.spans)

    def halves(self) -> tuple[Unit, Unit] | None:
        """Two units instead of this one; None when it cannot be cut."""
        if len(self.spans) > 1:
            middle = len(self.spans) // 2
            return replace(self, spans=self.spans[:middle]), replace(self, spans=self.spans[middle:])
        halves = self.spans[0].halves()
        if halves is None:
            return None
        return replace(self, spans=halves[:1]), replace(self, spans=halves[1:])


def size_of_units(total: float) -> int:
    """Bytes of a unit of a corpus of so many bytes: enough of them to keep workers busy, few enough to be quick.

    >>> [size_of_units(total) >> 20 for total in (1e6, 1e9, 1e12)]
    [1, 8, 64]
    """
    size = LEAST
    while size < SIZE and size * 2 * 64 <= total:
        size *= 2
    return size


class Grouper:
    """Puts spans together, in order, until they hold ``size`` bytes or are ``MOST_FILES``; a small file counts as 4 kB.

    Opening a file takes as long as scoring some kB, but a part costs hundreds of times that: it is flushed to disk, and read
    again for copies, manifest and answer.
    """

    def __init__(self, size: int) -> None:
        self._size, self._held = size, 0
        self._group: list[Span] = []

    def add(self, spans: Iterable[Span]) -> Iterator[tuple[Span, ...]]:
        """Add spans; the groups that are full."""
        for span in spans:
            if self._group and (self._held + span.size > self._size or len(self._group) == MOST_FILES):
                yield from self.rest()
            self._group.append(span)
            self._held += max(span.size, min(self._size, SMALL))

    def rest(self) -> Iterator[tuple[Span, ...]]:
        """The last group, if there is one."""
        if self._group:
            yield tuple(self._group)
        self._group, self._held = [], 0
