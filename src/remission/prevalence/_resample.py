"""Bootstrap over sampling units of the corpus and of both calibration samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from remission.data import Floats
from remission.estimate import Estimate
from remission.scored import Sample, Scored

Draw = tuple[Floats, Floats, Floats]  # weights of the items of corpus, human and synthetic sample


def draws(scored: Scored, count: int, seed: int) -> Iterator[Draw]:
    """Weights of all items for ``count`` resamples; each sample draws as many units as it has, with replacement."""
    rng = np.random.default_rng(seed)
    samples = [scored.target, scored.human, *([scored.synthetic] if scored.synthetic is not None else [])]
    for _ in range(count):
        drawn = [_drawn(sample, rng) for sample in samples]
        yield (drawn[0], drawn[1], drawn[2] if len(drawn) > 2 else np.empty(0))


def _drawn(sample: Sample, rng: np.random.Generator) -> Floats:
    units = int(sample.units.max()) + 1
    times = np.bincount(rng.integers(0, units, units), minlength=units)
    weight = sample.weight * times[sample.units]
    return weight if weight.sum() > 0 else sample.weight


def percentile(
    share: Callable[[Draw], float], scored: Scored, level: float, count: int, seed: int, method: str
) -> Estimate:
    """The estimate with the percentile interval of an estimator that is not cut at 0 and 1 while it is resampled.

    Cut before, replicates would pile up on 0 and the interval would miss small shares; the ends are cut afterwards.
    """
    synthetic = np.empty(0) if scored.synthetic is None else scored.synthetic.weight
    value = share((scored.target.weight, scored.human.weight, synthetic))
    found = np.array([share(draw) for draw in draws(scored, count, seed)])
    return interval(value, found, level, method, len(scored.target))


def interval(value: float, found: Floats, level: float, method: str, n: int) -> Estimate:
    """Value and percentile interval, cut to 0 .. 1; everything when a resample, or the data itself, says nothing."""
    if not np.isfinite(value) or not np.isfinite(found).all():
        return Estimate(0.5 if not np.isfinite(value) else min(max(value, 0.0), 1.0), 0.0, 1.0, level, method, n)
    ends = (1 - level) / 2
    cut = [min(max(float(x), 0.0), 1.0) for x in (value, *np.quantile(found, [ends, 1 - ends]))]
    return Estimate(cut[0], min(cut[1], cut[0]), max(cut[2], cut[0]), level, method, n)
