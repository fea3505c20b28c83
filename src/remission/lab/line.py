"""A line that a measured row must keep to, as in ``moments.ratio >= 0.5``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from remission.data import Array, Floats
from remission.errors import SpecError, did_you_mean

_WRITTEN = re.compile(r"\s*(?P<row>\S.*?)\s*(?P<sign>>=|<=|≥|≤)\s*(?P<value>[^<>=≥≤]+?)\s*")


@dataclass(frozen=True)
class Line:
    """Healthy on one side of a value.

    Attributes:
        row: a metric row, such as ``types.alive`` or ``moments[of=training].ratio``.
        above: healthy at or above the value (else at or below).
        value: the line.
    """

    row: str
    above: bool
    value: float

    def __str__(self) -> str:
        return f"{self.row} {'>=' if self.above else '<='} {self.value:g}"

    def margin(self, values: Floats) -> Floats:
        """How far values lie on the healthy side, in units of the row; negative beyond the line."""
        return np.asarray(values - self.value if self.above else self.value - values, np.float64)

    def keeps(self, values: Floats) -> Array:
        """Whether each value is healthy; a NaN is not."""
        return np.asarray(values >= self.value if self.above else values <= self.value)

    def known(self, rows: Iterable[str]) -> Line:
        """This line, if its row is one of ``rows``. Raises SpecError with the nearest names."""
        rows = list(rows)
        if self.row not in rows:
            raise SpecError(f"No row '{self.row}' is measured. {did_you_mean(self.row, rows)}")
        return self


def parse_line(text: str) -> Line:
    """Read ``ROW >= NUMBER`` or ``ROW <= NUMBER``.

    Raises:
        SpecError: it is not of that form.

    >>> parse_line("types[rare=0.1].recall>=0.5")
    Line(row='types[rare=0.1].recall', above=True, value=0.5)
    >>> str(parse_line("kl <= 2e-1"))
    'kl <= 0.2'
    """
    match = _WRITTEN.fullmatch(text)
    try:
        value = float(match["value"]) if match else math.nan
    except ValueError:
        value = math.nan
    if match is None or not math.isfinite(value):
        raise SpecError(
            f"A line to keep is written ROW>=NUMBER or ROW<=NUMBER, as in moments.ratio>=0.5. Got '{text}'."
        )
    return Line(match["row"], match["sign"] in (">=", "≥"), value)
