"""The share of a cell from its histogram: the estimator `matched`, on counts, and uncut so that strata can be added up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from remission.calibration.misfit import misfit
from remission.calibration.moments import Mean, mean
from remission.clinic.curation.cells import Cell, Kind
from remission.numerics.arrays import Floats
from remission.scored import Sample, Scored

_ROUNDS, _FLOOR = 30, 0.05  # as in `matched`
_MOST = 20_000  # documents that the test of the mix looks at


@dataclass(frozen=True, eq=False)
class Mixture:
    """A cell as a mix of its calibration samples, seen through a function g of the score.

    Attributes:
        share: synthetic, (t - h) / (s - h), not cut at 0 and 1; 0.5 when the samples do not differ.
        target: mean of g over the corpus.
        human: mean of g over calibration humans, with its variance.
        synthetic: likewise.
        g_human: (m,) g of each calibration human.
        g_synthetic: (k,) likewise.
        size: independent documents.
        factor: by what the misfit of the corpus against any mix multiplies variances.
    """

    share: float
    target: float
    human: Mean
    synthetic: Mean
    g_human: Floats
    g_synthetic: Floats
    size: float
    factor: float

    @property
    def gap(self) -> float:
        """How far g tells the classes apart; 0 when by no more than rounding."""
        gap = self.synthetic.value - self.human.value
        return gap if gap > 1e-12 * math.sqrt(self.synthetic.square + self.human.square + 1e-300) else 0.0

    @property
    def clipped(self) -> float:
        """The share cut to 0 .. 1."""
        return min(max(self.share, 0.0), 1.0)

    @property
    def synthetic_units(self) -> int:
        """Units of the synthetic items."""
        return self.synthetic.units

    def variance(self, share: Floats) -> Floats:
        """Of the estimated share where it really is (n,); infinite when the samples do not differ.

        As `matched` has it: the corpus's part as the mix makes it, and one stray item in each calibration sample.
        """
        if not self.gap:
            return np.full(np.shape(share), math.inf)
        h, s = self.human, self.synthetic
        false, missed = (one.variance + (self.gap / one.units) ** 2 for one in (h, s))
        return self.sampling(share) + ((1 - share) ** 2 * false + share**2 * missed) / self.gap**2

    def sampling(self, share: Floats) -> Floats:
        """The part of :meth:`variance` that comes from the documents; the rest is shared by all cells of a kind."""
        h, s = self.human, self.synthetic
        centre = (1 - share) * h.value + share * s.value
        spread = np.maximum((1 - share) * h.square + share * s.square - centre**2, 0.0)
        return np.asarray(spread / self.size / self.gap**2)


def mixture(cell: Cell, kind: Kind, tested: bool = True) -> Mixture:
    """The share of a cell with synthetic items, and what is needed to test other ones; ``tested``: with the misfit, which takes time."""
    assert kind.synthetic is not None
    assert kind.ratio is not None
    samples = (kind.human, kind.synthetic)
    weight = cell.counts / cell.n
    ratios = [kind.ratio(scores) for scores in (cell.values, kind.human.scores, kind.synthetic.scores)]
    sizes = [cell.size, *(float(sample.units.max() + 1) for sample in samples)]
    masses = [sample.weight / sample.weight.sum() for sample in samples]
    share, new = 0.5, 0.5
    for _ in range(_ROUNDS):
        at = min(max(share, _FLOOR), 1 - _FLOOR)
        t, h, s = (_weighing(ratio, at, sizes) for ratio in ratios)
        human, synthetic = float(masses[0] @ h), float(masses[1] @ s)
        if synthetic - human <= 0:
            break
        new = (float(weight @ t) - human) / (synthetic - human)
        done = abs(min(max(new, 0.0), 1.0) - share) < 1e-6
        share = min(max(new, 0.0), 1.0)
        if done:
            break
    found = Mixture(new, float(weight @ t), mean(samples[0], h), mean(samples[1], s), h, s, cell.size, 1.0)
    if not found.gap:
        return replace(found, share=0.5)
    return replace(found, factor=misfit(_scored(cell, kind), share).factor) if tested else found


def _weighing(ratio: Floats, share: float, sizes: list[float]) -> Floats:
    """The function with the least variance, see :class:`remission.prevalence.matched.Matched`."""
    n, m, k = sizes
    g = (ratio - 1) / ((1 + share * (ratio - 1)) / n + (1 - share) ** 2 / m + share**2 * ratio / k)
    return np.asarray(g / min(sizes))


def _scored(cell: Cell, kind: Kind) -> Scored:
    """As many documents as the cell is worth, chosen evenly along the score."""
    number = max(1, min(round(cell.size), _MOST))
    places = (np.arange(number) + 0.5) / number * cell.n
    return Scored(Sample.of(cell.values[np.searchsorted(np.cumsum(cell.counts), places)]), kind.human, kind.synthetic)
