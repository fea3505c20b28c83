"""Whether a corpus looks like any mix of the calibration samples at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from remission.calibration.moments import mean
from remission.data import Floats
from remission.scored import Sample, Scored

_BINS = 10
SURE = 1e-3
MEDIUM = 0.25  # of Cohen's w: below the medium effect of 0.3
_LEAST = 8.0  # expected effective items in a bin, in the corpus and in the calibration samples together


@dataclass(frozen=True)
class Misfit:
    """A chi-square test of the corpus's histogram of scores against the best mix.

    Attributes:
        statistic: chi-square, calibration noise counted in.
        freedom: its degrees of freedom; 0 when there are too few items to ask.
        p: the probability of at least that much when the corpus is a mix.
        effect: what is left of the statistic above its expectation, per effective item, as a root: Cohen's w. Chance leaves
            about 0, however many items there are; texts of another domain leave 0.4 to 3.
        factor: by what the variance of an estimate is multiplied: statistic / freedom, at least 1 (the scale factor
            of Birge, Phys. Rev. 40, 207, 1932): what is seen of the shift across the histogram is taken as the
            size of what cannot be seen, the part that looks like more or fewer synthetic items.
    """

    statistic: float
    freedom: int
    p: float
    effect: float

    @property
    def failed(self) -> bool:
        """The corpus is no mix of the calibration samples: surely, and by so much that it matters."""
        return self.p < SURE and self.effect > MEDIUM

    @property
    def factor(self) -> float:
        """At least 1."""
        return max(1.0, self.statistic / self.freedom) if self.freedom else 1.0


def misfit(scored: Scored, share: float, bins: int = _BINS) -> Misfit:
    """Test the histogram over quantiles of both calibration samples; the share is fitted, so one degree is lost."""
    from scipy.optimize import minimize_scalar
    from scipy.stats import chi2

    assert scored.synthetic is not None
    human, synthetic, target = scored.human, scored.synthetic, scored.target
    sizes = [_size(sample) for sample in (target, human, synthetic)]
    bins = max(2, min(bins, int(min(sizes) / _LEAST)))
    edges = cells(human, synthetic, bins)
    t, p, q = (_histogram(sample, edges) for sample in (target, human, synthetic))
    used = t + p + q > 0
    t, p, q = t[used], p[used], q[used]
    freedom = int(used.sum()) - 2
    if freedom < 1:
        return Misfit(0.0, 0, 1.0, 0.0)

    def distance(x: float) -> float:
        expected = (1 - x) * p + x * q
        noise = expected / sizes[0] + (1 - x) ** 2 * p / sizes[1] + x**2 * q / sizes[2]
        kept = noise > 0
        return float((((t - expected) ** 2)[kept] / noise[kept]).sum())

    reach = 0.1
    found = minimize_scalar(distance, bounds=(max(share - reach, 0.0), min(share + reach, 1.0)), method="bounded")
    statistic = min(float(found.fun), distance(share))
    size = 1 / sum(1 / one for one in sizes)
    effect = math.sqrt(max(statistic - freedom, 0.0) / size)
    return Misfit(statistic, freedom, float(chi2.sf(statistic, freedom)), effect)


def _size(sample: Sample) -> float:
    """How many independent items the sample is worth: the median over thirds of its distribution."""
    edges = np.quantile(sample.scores, [0.25, 0.5, 0.75])
    sizes = [mean(sample, (sample.scores > edge).astype(float)).size for edge in edges]
    return float(np.median(sizes))


def cells(human: Sample, synthetic: Sample, bins: int) -> Floats:
    """Edges of bins that hold equal shares of both samples, each weighing the same."""
    scores = np.concatenate([human.scores, synthetic.scores])
    weight = np.concatenate([human.weight / human.weight.sum(), synthetic.weight / synthetic.weight.sum()])
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weight[order]) / 2
    return np.unique(scores[order][np.searchsorted(reached, np.arange(1, bins) / bins)])


def _histogram(sample: Sample, edges: Floats) -> Floats:
    places = np.searchsorted(edges, sample.scores, side="right")
    counts = np.bincount(places, sample.weight, minlength=edges.size + 1)
    return counts / counts.sum()
