"""Items one by one, with what is known of each: what detectors and the clinic work on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from remission.errors import DataError
from remission.numerics.arrays import Integers

Words = npt.NDArray[np.str_]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Documents:
    """n items and, where known, where each comes from.

    Attributes:
        items: n texts (str), pictures (arrays) or paths of files.
        columns: what is known, by name, each (n,) of str, empty where unknown. Names with a meaning: ``domain``,
            ``generator``, ``attack``, ``language``, ``date`` (ISO 8601), ``source``, ``id``.
        synthetic: (n,) whether a machine made it, or None when nobody knows.
        units: (n,) whole numbers: items of one sampling unit (a site, an original and its paraphrases) share one.
            Items are their own units when None.
    """

    items: Sequence[Any]
    columns: dict[str, Words] = field(default_factory=dict)
    synthetic: Flags | None = None
    units: Integers | None = None

    def __post_init__(self) -> None:
        for name, column in [*self.columns.items(), ("synthetic", self.synthetic), ("units", self.units)]:
            if column is not None and len(column) != len(self.items):
                raise DataError(
                    f"'{name}' has {len(column)} values for {len(self.items)} items; it needs one for each."
                )

    def __len__(self) -> int:
        return len(self.items)

    def column(self, name: str) -> Words:
        """A column, empty strings where there is none."""
        found = self.columns.get(name)
        return np.full(len(self), "") if found is None else found

    @property
    def sampling_units(self) -> Integers:
        """The unit of every item, numbered 0 .. units - 1."""
        if self.units is None:
            return np.arange(len(self))
        return np.unique(self.units, return_inverse=True)[1].astype(np.int64)

    def take(self, index: npt.NDArray[Any]) -> Documents:
        """The items at these places, or where a mask is true."""
        places: npt.NDArray[Any] = np.flatnonzero(index) if index.dtype == np.bool_ else index
        return Documents(
            [self.items[place] for place in places],
            {name: column[places] for name, column in self.columns.items()},
            None if self.synthetic is None else self.synthetic[places],
            None if self.units is None else self.units[places],
        )

    def with_column(self, name: str, values: Sequence[str]) -> Documents:
        """The same items with one more thing known of each."""
        return replace(self, columns=self.columns | {name: np.asarray(values, dtype=np.str_)})

    def map(self, change: Callable[[Any], Any]) -> Documents:
        """The same documents with every item changed."""
        return replace(self, items=[change(item) for item in self.items])

    def hashes(self) -> list[str]:
        """The content of every item as 32 hexadecimal digits; texts that differ in case and blanks alone agree.

        >>> Documents(["One  text", "one text"]).hashes()[0] == Documents(["one text"]).hashes()[0]
        True
        """
        return [_hash(item) for item in self.items]

    @staticmethod
    def join(parts: Sequence[Documents]) -> Documents:
        """All items of several sets in order; units of different sets stay different."""
        names = sorted({name for part in parts for name in part.columns})
        labelled = [part.synthetic for part in parts]
        ends = np.cumsum([0, *(len(part) for part in parts)])
        return Documents(
            [item for part in parts for item in part.items],
            {name: np.concatenate([part.column(name) for part in parts]) for name in names},
            None
            if any(flags is None for flags in labelled)
            else np.concatenate([f for f in labelled if f is not None]),
            np.concatenate([part.sampling_units + end for part, end in zip(parts, ends, strict=False)]),
        )


def _hash(item: Any) -> str:
    if isinstance(item, str):
        content = " ".join(item.casefold().split()).encode("utf-8", "surrogatepass")
    elif isinstance(item, np.ndarray):
        content = f"{item.dtype.str}{item.shape}".encode() + np.ascontiguousarray(item).tobytes()
    else:
        with open(item, "rb") as file:
            content = file.read()
    return hashlib.blake2b(content, digest_size=16).hexdigest()
