"""48,842 people of the 1994 US census, with their income (UCI Adult; 6 MB download)."""

from __future__ import annotations

import csv
import functools
from typing import Literal

import numpy as np

from remission.data import Array, Floats, Space
from remission.interfaces import FiniteSource
from remission.sources._download import fetch
from remission.sources._files import categories
from remission.sources._text import Loaded

_NUMERIC = {
    "age": 0, "fnlwgt": 2, "education-num": 4, "capital-gain": 10, "capital-loss": 11, "hours-per-week": 12,
}  # fmt: skip
_NAMED = {
    "workclass": 1, "education": 3, "marital-status": 5, "occupation": 6, "relationship": 7, "race": 8, "sex": 9,
    "native-country": 13, "income": 14,
}  # fmt: skip


class Adult(FiniteSource):
    """The Adult table, whose small groups (race, native country, high income) vanish first in collapse.

    Numeric columns are age, fnlwgt (how many people a row stands for), education-num, capital-gain, capital-loss and
    hours-per-week. Licence CC BY 4.0; Becker and Kohavi, UCI Machine Learning Repository (1996). A missing value,
    "?", is a value of its own.

    Attributes:
        split: the 32,561 published training rows, the 16,281 test rows, or both in this order.
        classes: the class in the last column: income, sex or race; ``none``: vectors without a class.
        features: the 6 numeric columns alone, or ``all``: the other columns too, a 0/1 column for each of their values.
        standardised: numeric columns get mean 0 and variance 1 over the chosen rows.

    Raises:
        DataError: the table is not here and cannot be fetched, or a copy is not the published one.

    >>> Adult(classes="race").label
    'adult[classes=race]'
    """

    split: Literal["train", "test", "both"] = "both"
    classes: Literal["income", "sex", "race", "none"] = "income"
    features: Literal["numeric", "all"] = "numeric"
    standardised: bool = True

    @property
    def space(self) -> Space:
        """Features, then the class; names are the classes (the columns when there is none). Loads the data."""
        return _load(self).space

    def items(self) -> Array:
        """All rows, (N, d + 1), or (N, d) without a class."""
        return _load(self).items


@functools.lru_cache(maxsize=4)
def _load(source: Adult) -> Loaded:
    parts = {part: _rows(part) for part in ("train", "test")}
    chosen = ("train", "test") if source.split == "both" else (source.split,)
    rows = [row for part in chosen for row in parts[part]]
    numbers = np.array([[float(row[place]) for place in _NUMERIC.values()] for row in rows])
    if source.standardised:
        numbers = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    columns, names = [numbers], list(_NUMERIC)
    if source.features == "all":
        for name, place in _NAMED.items():
            if name != source.classes:
                values = sorted({row[place] for part in parts.values() for row in part})
                columns.append(_indicators([row[place] for row in rows], values))
                names += [f"{name}={value}" for value in values]
    items = np.concatenate(columns, axis=1)
    if source.classes == "none":
        space = Space("vector", (items.shape[1],), names=tuple(names))
    else:
        groups, codes = categories([row[_NAMED[source.classes]] for row in rows], "adult")
        items = np.column_stack([items, codes])
        space = Space("labelled", (items.shape[1],), size=len(groups), names=groups)
    items.flags.writeable = False
    return Loaded(space, items)


@functools.cache
def _rows(part: str) -> tuple[tuple[str, ...], ...]:
    lines = fetch("adult", f"adult-{part}.csv").decode("utf-8").splitlines()
    return tuple(
        tuple(cell.removesuffix(".") for cell in row) for row in csv.reader(lines, skipinitialspace=True) if row
    )


def _indicators(cells: list[str], values: list[str]) -> Floats:
    number = {value: i for i, value in enumerate(values)}
    return np.eye(len(values))[[number[cell] for cell in cells]]
