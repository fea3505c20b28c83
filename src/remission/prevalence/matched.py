"""The share at which a mean over the corpus equals the mix of both calibration means."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.calibration.misfit import misfit
from remission.calibration.moments import Mean, mean
from remission.calibration.ratio import Ratio, density_ratio
from remission.calibration.skewness import Shape, freedom
from remission.data import Floats
from remission.estimate import Estimate
from remission.interfaces import Prevalence
from remission.scored import Sample, Scored

_ROUNDS = 30
_SHAPES = 4  # rounds between an end and the shape of the noise there


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
    q is a quantile of Student's t, with degrees of freedom of V that count unequal units as what they are, corrected for skewness
    (:class:`~remission.calibration.skewness.Shape`): few humans score high, and a calibration sample that happens to
    have missed some has a low mean and a low variance at once, which makes the estimate too high and look too sure.
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
        weights = [sample.weight / sample.weight.sum() for sample in samples]
        share, told_apart, values = 0.5, True, ratios
        for _ in range(_ROUNDS):
            at = min(max(share, self.floor), 1 - self.floor)
            values = [_weighing(r, at, sizes) for r in ratios]
            t, h, s = (float(weight @ g) for weight, g in zip(weights, values, strict=True))
            told_apart = s - h > 1e-12 * max(float(np.abs(g).max()) for g in values[1:]) + 1e-150
            new = min(max((t - h) / (s - h), 0.0), 1.0) if told_apart else 0.5
            done = abs(new - share) < 1e-6 or not told_apart
            share = new
            if done:
                break
        target, human, synthetic = (mean(sample, g) for sample, g in zip(samples, values, strict=True))
        return share, (target, human, synthetic)


def _weighing(ratio: Floats, share: float, sizes: list[float]) -> Floats:
    n, m, k = sizes
    g = (ratio - 1) / ((1 + share * (ratio - 1)) / n + (1 - share) ** 2 / m + share**2 * ratio / k)
    return np.asarray(g / min(sizes))


def _inverted(moments: tuple[Mean, Mean, Mean], level: float, factor: float) -> tuple[float, float]:
    """Both ends of the set of shares that are not rejected; the shape of the noise is that at the end itself."""
    gap = moments[2].value - moments[1].value
    ends = []
    for upper in (True, False):  # the estimate lies above the low end, below the high one
        at = min(max((moments[0].value - moments[1].value) / gap, 0.0), 1.0) if gap > 0 else 0.5
        for _ in range(_SHAPES):
            at = _roots(moments, _shape(moments, at).reach(level, upper) ** 2 * factor)[0 if upper else 1]
        ends.append(at)
    return ends[0], ends[1]


def _parts(moments: tuple[Mean, Mean, Mean], x: float) -> tuple[float, float, float]:
    """The variance of t - (1 - x) h - x s, which each sample adds to."""
    target, human, synthetic = moments
    centre = (1 - x) * human.value + x * synthetic.value
    spread = max((1 - x) * human.square + x * synthetic.square - centre**2, 0.0)
    false, missed = _stray(moments)
    return spread / target.size, (1 - x) ** 2 * false, x**2 * missed


def _stray(moments: tuple[Mean, Mean, Mean]) -> tuple[float, float]:
    """Variances of both calibration means, with one stray item that has not been seen so far."""
    _, human, synthetic = moments
    gap = synthetic.value - human.value
    return human.variance + (gap / human.units) ** 2, synthetic.variance + (gap / synthetic.units) ** 2


def _shape(moments: tuple[Mean, Mean, Mean], x: float) -> Shape:
    """Of the statistic at a share.

    The variance of the corpus's part is that of the mix for as many documents as the corpus's units are worth: what it shares
    with t - (1 - x) h - x s comes from h and s, and from units in which few documents, or many, lie far from the mean.
    """
    target, human, synthetic = moments
    parts = _parts(moments, x)
    variance = max(sum(parts), 1e-300)
    c, square, cube = (
        (1 - x) * getattr(human, one) + x * getattr(synthetic, one) for one in ("value", "square", "cube")
    )
    calibration = -((1 - x) ** 3) * human.third - x**3 * synthetic.third
    mix = (1 - x) ** 2 * human.shared_around(c) + x**2 * synthetic.shared_around(c)
    third = calibration + (cube - 3 * c * square + 2 * c**3) / target.size**2
    alike = target.shared_around(target.value) / target.spread if target.spread > 0 else 0.0
    apart = target.third / target.variance if target.variance > 1e-300 else 0.0
    shared = calibration - mix / target.size + parts[0] * (apart - alike)
    units = zip(parts, (target.units - 1, human.freedom, synthetic.freedom), strict=True)
    return Shape(third / variance**1.5, shared / variance**1.5, freedom([*units]))


def _roots(moments: tuple[Mean, Mean, Mean], q: float) -> tuple[float, float]:
    """Where (t - (1 - x) h - x s)^2 = q V(x), within 0 .. 1: a quadratic equation in the share x."""
    target, human, synthetic = moments
    gap = synthetic.value - human.value
    # V(x) = (spread of the mix at x) / size + (1 - x)^2 variance of h + x^2 variance of s, as c0 + c1 x + c2 x^2
    false, missed = _stray(moments)
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
