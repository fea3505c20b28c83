"""Counts above a threshold, with items of one unit counted as what they are worth."""

from __future__ import annotations

import numpy as np

from remission.calibration.moments import mean
from remission.scored import Sample

Count = tuple[float, float]  # hits, out of n; whole only when every item is a unit of its own


def count(sample: Sample, threshold: float) -> Count:
    """Items at or above the threshold, as (hits, effective n)."""
    found = mean(sample, (sample.scores >= threshold).astype(float))
    return found.value * found.size, found.size


def at_false_positives(human: Sample, rate: float) -> float:
    """The lowest threshold that at most this share of the human calibration items reaches."""
    order = np.argsort(-human.scores, kind="stable")
    scores, reached = human.scores[order], np.cumsum(human.weight[order]) / human.weight.sum()
    above = scores[reached > rate]  # the highest score that would already be too many
    return float(np.nextafter(above[0], np.inf)) if above.size else float(scores[-1])


def most_informative(human: Sample, synthetic: Sample) -> float:
    """The threshold at which the corrected count has the least variance when half of the items are synthetic.

    Chosen on calibration scores alone: the corpus has no say, so its count stays binomial.
    """
    grid = np.unique(np.quantile(np.concatenate([human.scores, synthetic.scores]), np.linspace(0, 1, 200)))
    miss = _above(human, grid)
    catch = _above(synthetic, grid)
    rate = (miss + catch) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(catch > miss, rate * (1 - rate) / (catch - miss) ** 2, np.inf)
        variance = np.where((miss > 0) | (catch < 1), np.maximum(variance, 1e-12), variance)
    return float(grid[int(np.argmin(variance))])


def _above(sample: Sample, grid: np.ndarray) -> np.ndarray:
    order = np.argsort(sample.scores, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(sample.weight[order])])
    return 1 - below[np.searchsorted(sample.scores[order], grid, side="left")] / below[-1]
