"""Batches of documents: columns checked all at once, and the rows that are none, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from remission.corpus.reading import LONGEST_VALUE, SURROGATE, Fields, word_of
from remission.numerics.arrays import Integers

if TYPE_CHECKING:
    from remission.corpus._beside_rows import Values
    from remission.corpus.streaming import Limits


@dataclass(frozen=True)
class Aside:
    """Rows that are no documents.

    Attributes:
        place: the number of the row (from 1), or in JSONL the byte its line starts at (from 0); None: a whole file.
        reason: why.
        rows: how many rows, where the file says so; 1 for what cannot be counted.
        dropped: left out because the caller asked for it, rather than unusable.
    """

    place: int | None
    reason: str
    rows: int = 1
    dropped: bool = False


@dataclass(frozen=True, eq=False)
class Batch:
    """n documents and the rows beside them that are none.

    Attributes:
        items: an Arrow array of n texts, or a list of n pictures (arrays) or paths.
        places: (n,) where each is, see :class:`Aside`; -1 for a file of its own.
        columns: Arrow arrays of n texts, empty where there is none: ``id``, ``domain``, ``unit`` and the wanted ones.
        aside: rows that are no documents.
        seen: how many rows were looked at: n and those aside.
        beside: Arrow arrays of n values of columns that are carried along, where they were asked for.
    """

    items: Any
    places: Integers
    columns: dict[str, Any]
    aside: tuple[Aside, ...]
    seen: int
    beside: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)


def names_of(fields: Fields) -> dict[str, str]:
    """The columns of a batch, and the field each is read from."""
    found = {"id": fields.id, "domain": fields.domain}
    if fields.unit is not None:
        found["unit"] = fields.unit
    return found | {name: name for name in (*fields.columns, *fields.where)}


def aside_only(*aside: Aside) -> Batch:
    """A batch of rows that are no documents."""
    return Batch([], np.empty(0, np.int64), {}, aside, sum(one.rows for one in aside))


class Gather:
    """Rows one by one until they fill a batch."""

    def __init__(self, fields: Fields, limits: Limits, pictures: bool = False, beside: Values | None = None) -> None:
        self._fields, self._limits, self._pictures, self._beside = fields, limits, pictures, beside
        self._names = names_of(fields)
        self._clear()

    def _clear(self) -> None:
        self._items: list[Any] = []
        self._places: list[int] = []
        self._columns: dict[str, list[str]] = {name: [] for name in self._names}
        self._aside: list[Aside] = []
        self._held = 0

    @property
    def full(self) -> bool:
        """Whether a batch can be taken."""
        many = len(self._items) + len(self._aside) >= self._limits.batch_rows
        return many or self._held >= self._limits.batch_bytes

    def add(self, place: int | None, row: dict[str, Any] | str) -> None:
        """A row, or the reason why there is none."""
        if isinstance(row, str):
            self._aside.append(Aside(place, row))
            return
        values = {name: word_of(row.get(field)) for name, field in self._names.items()}
        if any(values[name] not in wanted for name, wanted in self._fields.where.items()):
            self._aside.append(Aside(place, "filtered", dropped=True))
            return
        name = self._fields.text
        item: Any = row.get(name)
        reason = "" if self._pictures else _no_text(item, name)
        long = next((key for key, value in values.items() if len(value) > LONGEST_VALUE), None)
        if reason:
            self._aside.append(Aside(place, reason))
        elif long is not None:
            self._aside.append(Aside(place, f"'{long}' has more than {LONGEST_VALUE} characters"))
        elif any(SURROGATE.search(value) for value in values.values() if not value.isascii()):
            self._aside.append(Aside(place, "a column has half characters (lone surrogates)"))
        else:
            self._items.append(item)
            self._places.append(-1 if place is None else place)
            self._held += 0 if self._pictures else len(item)
            self._held += 0 if self._beside is None else self._beside.add(row)
            for key, value in values.items():
                self._columns[key].append((self._fields.domain_is if key == "domain" else "") or value)

    def take(self) -> Batch:
        """The batch so far; the next begins."""
        import pyarrow as pa

        items, places = self._items, np.array(self._places, np.int64)
        columns = {name: pa.array(values, pa.string()) for name, values in self._columns.items()}
        aside, seen = tuple(self._aside), len(items) + len(self._aside)
        self._clear()
        if self._pictures:
            return Batch(items, places, columns, aside, seen, {} if self._beside is None else self._beside.take(None))
        texts = pa.array(items, pa.large_string())
        good, more = screened(texts, places, self._fields.text, self._limits)
        found = kept(texts, places, columns, good, (*aside, *more), seen)
        return found if self._beside is None else replace(found, beside=self._beside.take(good))


def _no_text(item: Any, name: str) -> str:
    if item is None:
        return f"no '{name}'"
    if not isinstance(item, str):
        return f"'{name}' is no text"
    if not item.isascii() and SURROGATE.search(item):
        return f"'{name}' has half characters (lone surrogates)"
    return ""


def screened(texts: Any, places: Integers, name: str, limits: Limits) -> tuple[Any, list[Aside]]:
    """Which texts of an Arrow array of valid UTF-8 are documents, (n,) bool; and what the others lack."""
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
    null = pc.is_null(texts).to_numpy(zero_copy_only=False)
    empty = ~null & ((lengths == 0) | pc.fill_null(pc.utf8_is_space(texts), False).to_numpy(zero_copy_only=False))
    long = lengths > limits.document
    reasons = [(null, f"no '{name}'"), (empty & ~long, f"'{name}' is empty"), (long, too_long(name, limits))]
    aside = [Aside(int(place), reason) for mask, reason in reasons for place in places[mask].tolist()]
    return ~(null | empty | long), aside


def too_long(name: str, limits: Limits) -> str:
    """The reason of a document above the limit."""
    return f"'{name}' has more than {limits.document:,} bytes"


def kept(texts: Any, places: Integers, columns: dict[str, Any], good: Any, aside: Sequence[Aside], seen: int) -> Batch:
    """The batch of the good rows."""
    import pyarrow as pa

    if not good.all():
        mask = pa.array(good)
        texts = texts.filter(mask)
        columns = {name: column.filter(mask) for name, column in columns.items()}
        places = places[good]
    return Batch(texts, places, columns, tuple(sorted(aside, key=lambda one: one.place or 0)), seen)
