"""The share at which a mean over the corpus equals the mix of both calibration means."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.calibration.misfit import misfit
from remission.calibration.moments import Mean, mean
from remission.calibration.ratio import Ratio, density_ratio
from remission.data import Floats
from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.scored import Sample, Scored

_ROUNDS = 30


class Matched(Prevalence):
    r"""Adjusted count with the weighing function that leaves the least variance, and a test-inversion interval.

    For any function g of the score, with means t over the corpus, h over human and s over synthetic calibration items,
    pi = (t - h) / (s - h). Classify-and-count with correction takes g = [score > threshold] (Rogan and Gladen, Am. J.
    Epidemiol. 107, 71, 1978), PACC the posterior (Bella et al., ICDM 2010). The variance of this pi, calibration noise
    counted in, is least (Cauchy-Schwarz) for

        g = (r - 1) / ((1 + pi (r - 1)) / n + (1 - pi)^2 / m + pi^2 r / k),

    r the density ratio synthetic : human, n, m, k the effective numbers of items. With endless calibration items that is
    the score of the mixture likelihood, so nothing is lost against EM; unlike EM the answer stays right when r is wrong.
    r comes from logistic calibration; pi is found by iteration.

    The interval is all pi that a test at that pi does not reject: (t - (1 - pi) h - pi s)^2 <= q^2 f V(pi), with V from
    all three samples, items of one unit counted together, the corpus's part as it would be under pi (so it holds near 0).
    Each calibration sample counts as having missed one item that looks like the other class, which is what a few hundred
    items cannot exclude (as Agresti and Coull, Am. Stat. 52, 119, 1998, do for a proportion). f >= 1 is the misfit of the
    corpus against any mix, which widens the interval under shift.

    Attributes:
        floor: g is taken at a share of at least this, which keeps it bounded.
        shift: widen the interval by the misfit.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"synthetic"})

    floor: Annotated[float, Meta(gt=0, lt=0.5)] = 0.05
    shift: bool = True

    def estimate(self, scored: Scored, level: float = 0.95, seed: int = 0) -> Estimate:
        """Value and interval."""
        samples = scored.three(self.name())
        share, moments = self._solve(samples, density_ratio(*samples[1:]))
        factor = misfit(scored, share).factor if self.shift else 1.0
        low, high = _inverted(moments, level, factor)
        return Estimate(share, low, high, level, self.name(), len(scored.target))

    def _solve(self, samples: tuple[Sample, Sample, Sample], ratio: Ratio) -> tuple[float, tuple[Mean, Mean, Mean]]:
        ratios = [ratio(sample.scores) for sample in samples]
        sizes = [float(sample.units.max() + 1) for sample in samples]
        share = 0.5
        for _ in range(_ROUNDS):
            at = min(max(share, self.floor), 1 - self.floor)
            target, human, synthetic = (
                mean(sample, _weighing(r, at, sizes)) for sample, r in zip(samples, ratios, strict=True)
            )
            gap = synthetic.value - human.value
            if gap <= 1e-12 * math.sqrt(synthetic.square + human.square + 1e-300):
                return 0.5, (target, human, synthetic)
            new = min(max((target.value - human.value) / gap, 0.0), 1.0)
            done = abs(new - share) < 1e-6
            share = new
            if done:
                break
        return share, (target, human, synthetic)


def _weighing(ratio: Floats, share: float, sizes: list[float]) -> Floats:
    n, m, k = sizes
    g = (ratio - 1) / ((1 + share * (ratio - 1)) / n + (1 - share) ** 2 / m + share**2 * ratio / k)
    return np.asarray(g / min(sizes))


def _inverted(moments: tuple[Mean, Mean, Mean], level: float, factor: float) -> tuple[float, float]:
    """Both ends of the set of shares that are not rejected: a quadratic inequality in the share."""
    from scipy.special import stdtrit

    target, human, synthetic = moments
    units = min(target.units, human.units, synthetic.units)
    q = float(stdtrit(max(units - 1, 1), 0.5 + level / 2)) ** 2 * factor
    gap = synthetic.value - human.value
    # V(x) = (spread of the mix at x) / size + (1 - x)^2 variance of h + x^2 variance of s, as c0 + c1 x + c2 x^2
    false, missed = (
        one.variance + (gap / one.units) ** 2 for one in (human, synthetic)
    )  # one stray item, unseen so far
    c0 = human.spread / target.size + false
    c1 = (synthetic.square - human.square - 2 * human.value * gap) / target.size - 2 * false
    c2 = -(gap**2) / target.size + false + missed
    a, b, c = (
        gap**2 - q * c2,
        -2 * (target.value - human.value) * gap - q * c1,
        (target.value - human.value) ** 2 - q * c0,
    )
    root = b * b - 4 * a * c
    if a <= 0 or gap <= 0:  # the calibration samples do not differ by more than their noise
        return 0.0, 1.0
    if root < 0:  # outside 0 .. 1 by far: the nearest share
        nearest = min(max(-b / (2 * a), 0.0), 1.0)
        return nearest, nearest
    low, high = (-b - math.sqrt(root)) / (2 * a), (-b + math.sqrt(root)) / (2 * a)
    return min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)
