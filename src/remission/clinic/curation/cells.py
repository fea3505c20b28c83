"""What rules of curation are made from: histograms of scores beside the calibration items of their kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from remission.calibration.conformal import unit_maxima
from remission.calibration.ratio import Ratio, density_ratio
from remission.clinic.census.receipts import bin_values, bins_of
from remission.errors import DataError
from remission.estimate import Estimate
from remission.numerics.arrays import Floats
from remission.scored import Sample


def rounded(scores: npt.ArrayLike) -> Floats:
    """Scores (n,) as the receipts of a census keep them, to 0.2 %.

    Calibration scores are rounded like those of the corpus before they are compared: rounding keeps exchangeable items
    exchangeable, and a rule then takes whole bins.
    """
    return bin_values(bins_of(np.asarray(scores, dtype=float)))


@dataclass(frozen=True, eq=False)
class Cell:
    """The judged documents of one stratum and one kind of the calibration.

    Attributes:
        stratum: as the census names it.
        kind: of the calibration; cells of one kind share its calibration items.
        values: (m,) scores, each once, of :func:`~remission.clinic.census.receipts.bin_values`.
        counts: (m,) documents with that score, exact duplicates counted once.
        human: scored humans of the kind, with their units.
        synthetic: scored synthetic items of the kind, or None.
        share: of synthetic documents in the cell (that of its stratum, where no more is known). Its value is NaN where
            only bounds ``low`` .. ``high`` are known.
        size: how many independent documents the cell is worth: documents / design effect of near-duplicates.
    """

    stratum: str
    kind: str
    values: Floats
    counts: Floats
    human: Sample
    synthetic: Sample | None
    share: Estimate
    size: float

    def __post_init__(self) -> None:
        where = f"Cell '{self.stratum}', kind '{self.kind}'"
        values, counts = np.asarray(self.values, dtype=float), np.asarray(self.counts, dtype=float)
        if values.ndim != 1 or values.shape != counts.shape:
            raise DataError(
                f"{where}: values and counts must be lists of one length. Got {values.shape}, {counts.shape}."
            )
        if not np.isfinite(values).all() or not (counts >= 0).all() or not 0 < counts.sum() < math.inf:
            raise DataError(f"{where}: scores must be finite and counts positive. Leave out what was not judged.")
        if (rounded(values) != values).any() or np.unique(values).size < values.size:
            raise DataError(f"{where}: values must be those of `bin_values`, each once. See `Cell.of` for raw scores.")
        if len(self.human) == 0 or (self.synthetic is not None and len(self.synthetic) == 0):
            raise DataError(f"{where}: no calibration humans, or an empty list of synthetic items. Give None for none.")
        if not (0 <= self.share.low <= self.share.high <= 1):
            raise DataError(
                f"{where}: nothing is known of its share ({self.share.low:g} to {self.share.high:g}); a census that refuses to "
                "say cannot be curated. Calibrate on texts of this kind."
            )
        if not 0 < self.size <= counts.sum() * (1 + 1e-9):
            raise DataError(f"{where}: size must lie between 0 and the {counts.sum():g} documents. Got {self.size:g}.")
        order = np.argsort(values)
        object.__setattr__(self, "values", values[order])
        object.__setattr__(self, "counts", counts[order])

    @classmethod
    def of(
        cls, stratum: str, kind: str, scores: npt.ArrayLike, human: Sample, synthetic: Sample | None, share: Estimate,
        size: float | None = None,
    ) -> Cell:  # fmt: skip
        """A cell of raw scores (n,); every document is independent where no ``size`` is given."""
        values, counts = np.unique(rounded(scores), return_counts=True)
        n = float(counts.sum())
        return cls(stratum, kind, values, counts.astype(float), human, synthetic, share, n if size is None else size)

    @property
    def n(self) -> float:
        """Documents."""
        return float(self.counts.sum())

    @property
    def known(self) -> bool:
        """Whether the share is estimated, and not only bounded."""
        return self.synthetic is not None and math.isfinite(self.share.value)


@dataclass(frozen=True, eq=False)
class Kind:
    """The calibration of a kind, with scores rounded as in the census.

    Attributes:
        human: items of human origin.
        synthetic: likewise, or None.
        maxima: (u,) highest score of each human unit, ascending: what conformal p-values are counted in.
        ratio: logistic density ratio synthetic : human, or None.
    """

    human: Sample
    synthetic: Sample | None
    maxima: Floats
    ratio: Ratio | None


def kinds(cells: Sequence[Cell]) -> dict[str, Kind]:
    """The calibration of every kind. Raises DataError without cells, or when cells of one kind differ in it."""
    if not cells:
        raise DataError("There is nothing to curate: no cell holds a judged document.")
    if len({(cell.stratum, cell.kind) for cell in cells}) < len(cells):
        raise DataError("A stratum has two cells of one kind. Merge their counts.")
    first: dict[str, Cell] = {}
    for cell in cells:
        one = first.setdefault(cell.kind, cell)
        if not (_same(one.human, cell.human) and _same(one.synthetic, cell.synthetic)):
            raise DataError(
                f"Cells of the kind '{cell.kind}' have different calibration items. Give each kind one set."
            )
    return {name: _kind(cell) for name, cell in first.items()}


def _kind(cell: Cell) -> Kind:
    human, synthetic = (
        None if one is None else replace(one, scores=rounded(one.scores)) for one in (cell.human, cell.synthetic)
    )
    assert human is not None
    ratio = None if synthetic is None else density_ratio(human, synthetic)
    return Kind(human, synthetic, unit_maxima(human.scores, human.units), ratio)


def _same(a: Sample | None, b: Sample | None) -> bool:
    if a is b:
        return True
    if a is None or b is None:
        return False
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("scores", "units", "weight"))
