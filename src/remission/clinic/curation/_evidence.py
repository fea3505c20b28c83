"""How surely cuts of a stratum keep to a cap, and what it means for an interval that it was kept for that reason."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from remission.calibration.ratio import Ratio
from remission.clinic.curation._mixture import Mixture
from remission.clinic.curation.cells import Cell, Kind
from remission.numerics.arrays import Floats
from remission.scored import Sample

ENOUGH = (
    1.2815515655446004  # standard errors: of strata where no cut keeps to the cap, at most one in ten shows as many
)
RAREST = 0.02  # how often a stratum is kept at least, where it is kept at all and an interval is to hold


@dataclass(frozen=True, eq=False)
class Tilt:
    r"""The synthetic items of a kind as its humans weighted by the density ratio exp(slope score): smooth where items are rare.

    Attributes:
        scores: (m,) of the humans, ascending.
        human: (m + 1,) share of the humans among the first of them.
        synthetic: (m + 1,) likewise of the synthetic items, by the ratio.
        distance: (m + 1,) by how much their mean score lies below that of all synthetic items: how fast the logarithm of
            ``synthetic`` falls with the slope.
        error: standard error of the slope.
    """

    scores: Floats
    human: Floats
    synthetic: Floats
    distance: Floats
    error: float

    @classmethod
    def of(cls, kind: Kind) -> Tilt:
        """Of a kind with synthetic items."""
        assert kind.synthetic is not None
        assert kind.ratio is not None
        order = np.argsort(kind.human.scores, kind="stable")
        scores, weight = kind.human.scores[order], kind.human.weight[order] / kind.human.weight.sum()
        tilted = weight * np.exp(np.maximum(kind.ratio.slope * (scores - scores[-1]), -300.0))
        human, synthetic, moment = (
            np.concatenate([[0.0], np.cumsum(one)]) for one in (weight, tilted, tilted * scores)
        )
        mean = moment / np.maximum(synthetic, 1e-300)
        mean[0] = scores[0]
        distance = np.maximum(mean[-1] - mean, 0.0)
        error = slope_error(kind.ratio, kind.human, kind.synthetic)
        return cls(scores, human / human[-1], synthetic / synthetic[-1], distance, error)

    def below(self, limits: Floats) -> tuple[Floats, Floats, Floats]:
        """Shares of humans and of synthetic items (n,) that score at most each limit (n,), and the error of the latter's logarithm."""
        place = np.searchsorted(self.scores, limits, "right")
        return self.human[place], self.synthetic[place], self.distance[place] * self.error


def slope_error(ratio: Ratio, human: Sample, synthetic: Sample) -> float:
    """Standard error of the slope of a logistic density ratio, items of one unit counted together.

    The sandwich of Huber (Proc. 5th Berkeley Symp. 1, 221, 1967) with both classes weighing the same, as
    :func:`~remission.calibration.ratio.density_ratio` fits it; 1e9 when the scores do not tell the slope.
    """
    centre = float(np.median(np.concatenate([human.scores, synthetic.scores])))
    curve, noise = np.zeros((2, 2)), np.zeros((2, 2))
    for sample, label in ((human, 0.0), (synthetic, 1.0)):
        weight = sample.weight / sample.weight.sum()
        lines = np.stack([np.ones(len(sample)), sample.scores - centre], axis=1)
        p = ratio.posterior(sample.scores)
        curve += (lines * (weight * p * (1 - p))[:, None]).T @ lines
        pull = lines * (weight * (p - label))[:, None]
        totals = np.stack([np.bincount(sample.units, column) for column in pull.T], axis=1)
        totals -= np.bincount(sample.units, weight)[:, None] * totals.sum(axis=0)
        noise += totals.T @ totals
    if np.linalg.cond(curve) > 1e12:
        return 1e9
    inverse = np.linalg.inv(curve)
    return math.sqrt(max(float((inverse @ noise @ inverse)[1, 1]), 0.0))


def errors(parts: Sequence[tuple[Cell, Mixture, Tilt, Floats]], cap: float) -> Floats:
    r"""By how many standard errors each cut keeps to a cap (n,), negative above it.

    The cap holds where G = sum over kinds of documents ((1 - cap) pi sigma - cap (1 - pi) eta) is at most 0, with sigma as the density
    ratio has it: counted, synthetic items are too few in the small tails of the score that strata with much synthetic are brought to, and
    of many tails one has fewest. The variance is that where the cap is just met, every share pi higher by the same: the
    error of the shares with the misfit of the corpus, and that of sigma.

    Args:
        parts: of each kind its cell, its mixture, its calibration and the limits of the score (n,) of the cuts.
        cap: largest synthetic share.
    """
    below = [tilt.below(limits) for _, _, tilt, limits in parts]
    slopes = [
        cell.n * ((1 - cap) * sigma + cap * eta) for (cell, *_), (eta, sigma, _) in zip(parts, below, strict=True)
    ]
    found = sum(
        slope * one.share - cell.n * cap * eta
        for (cell, one, _, _), slope, (eta, _, _) in zip(parts, slopes, below, strict=True)
    )
    rise = found / np.maximum(sum(slopes), 1e-300)
    variance = np.zeros(np.shape(rise))
    for (cell, one, _, limits), slope, (_, sigma, error) in zip(parts, slopes, below, strict=True):
        at = np.clip(one.share - rise, 0.0, 1.0)
        own = np.where(np.isfinite(limits), cell.n * (1 - cap) * at * sigma * error, 0.0)
        variance += slope**2 * np.minimum(one.variance(at), 1e12) * one.factor + own**2
    return np.asarray(-found / np.sqrt(np.maximum(variance, 1e-300)))


@functools.lru_cache(4096)
def after_selection(tail: float, excess: float) -> float:
    r"""The tail probability at which a test has the error ``tail`` although it is asked only when the evidence was enough.

    A statistic Z that is standard normal under the tested value is looked at only when it is above z - excess, z being its value
    and ``excess`` what the evidence had above what was enough. Given that, Z is truncated normal, and the test rejects where
    Phi(-z) / Phi(excess - z) < tail (Lee, Sun, Sun and Taylor, Annals of Statistics 44, 907, 2016, with the evidence
    as the statistic itself, which is the worst case). With no excess that never happens; so z is at most what ``tail`` times
    ``RAREST`` takes: of strata that are kept with at least that probability, a test at that level errs in no more than ``tail``
    whatever the selection does (a hybrid, as of Andrews, Kitagawa and McCloskey, Quarterly J. of Economics 139, 305, 2024).

    Args:
        tail: error on the side of the selection, below 0.5.
        excess: in standard errors, 0 or more; infinite: nothing was selected.

    >>> [round(after_selection(0.025, excess), 4) for excess in (0.0, 2.0, 4.0, math.inf)]
    [0.0005, 0.0089, 0.0245, 0.025]
    """
    if math.isinf(excess):
        return tail
    z = truncated(tail, excess)
    return max(0.5 * math.erfc(z / math.sqrt(2)), tail * RAREST)


@functools.lru_cache(4096)
def truncated(tail: float, excess: float) -> float:
    """The z with Phi(-z) / Phi(excess - z) = tail: what a truncated normal exceeds with that probability; at most 12."""
    from scipy.optimize import brentq
    from scipy.special import log_ndtr

    def over(z: float) -> float:
        return float(log_ndtr(-z) - log_ndtr(excess - z) - math.log(tail))

    return 12.0 if over(12.0) > 0 else float(brentq(over, -12.0, 12.0, xtol=1e-10))


@functools.lru_cache(4096)
def likeliest(excess: float) -> float:
    r"""The z with z = E[Z | Z > z - excess] for a standard normal Z; at most 12.

    What is tested lies that many standard errors beyond an estimate which is only looked at with an excess of evidence, by maximum
    likelihood given the selection (of a truncated normal, the mean is matched); 0 for an infinite excess.

    >>> [round(likeliest(excess), 2) for excess in (0.5, 1.0, 2.0, 4.0)]
    [1.63, 0.52, 0.06, 0.0]
    """
    from scipy.optimize import brentq
    from scipy.special import log_ndtr

    def over(z: float) -> float:
        from_here = z - excess
        return z - math.exp(-0.5 * from_here**2 - 0.5 * math.log(2 * math.pi) - float(log_ndtr(-from_here)))

    return 12.0 if over(12.0) < 0 else float(brentq(over, 0.0, 12.0, xtol=1e-10))
