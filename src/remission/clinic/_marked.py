"""Which share of a corpus is marked with a key, when not every marked text can be found."""

from __future__ import annotations

import math

import numpy as np

from remission.estimate import Estimate
from remission.evidence import Evidence
from remission.numerics.arrays import Booleans, Floats

_STRENGTHS = np.geomspace(0.15, 5.0, 14)  # mean excess of marked text, in standard deviations of a score
_GROUPS = 20  # of the jackknife
_GAIN = (
    3.0  # in log-likelihood, from which marks are there at all: without any, fewer than 1 in 100 sets of texts reach it
)
METHOD = "mixture of strengths"
BOUND = "none found"
CALLED = "called marked"


def marked_share(found: Evidence, chosen: Booleans, level: float = 0.95, seed: int = 0) -> Estimate:
    """The share of scored tokens of the chosen texts (m,) that belong to marked texts.

    Texts are a mixture: unmarked ones, whose scores follow the law without the key, and marked ones, whose scores follow that
    law tilted to a larger mean. How strong marks are is not assumed: the weights of a grid of strengths, and of none, are those
    of maximum likelihood (the nonparametric mixture of Kiefer and Wolfowitz, 1956). So texts that are too short to be found
    count by how likely they are marked, where a count of findings comes out too low. Marks weaker than 0.15 standard
    deviations per score are hardly told from none, and may be counted as none.

    The interval is Student's, by a jackknife of 20 groups of texts; it begins at 0 unless marks are clearly more likely than
    none at all.
    """
    from scipy import stats

    held = chosen & (found.n > 0)
    texts = int(held.sum())
    if texts < 2 * _GROUPS:
        return Estimate(math.nan, math.nan, math.nan, level, METHOD, 0)
    n, total = found.n[held].astype(np.float64), found.total[held]
    law = found.law
    means = law.mean + np.concatenate([[0.0], _STRENGTHS * math.sqrt(law.variance)])
    usable = np.concatenate([[True], law.rate(means[1:]) < 50]) & np.isfinite(means)
    theta, logarithm = law.tilt(means[usable])
    theta[0] = logarithm[0] = 0.0
    power = total[:, None] * theta - n[:, None] * logarithm
    likelihood = np.exp(power - power.max(axis=1, keepdims=True))
    weights = np.full(theta.size, 1 / theta.size)
    value, weights = _fitted(likelihood, n, weights, 300)
    gain = float(np.log(likelihood @ weights).sum() - np.log(np.maximum(likelihood[:, 0], 1e-300)).sum())
    group = np.random.default_rng(seed).permutation(texts) % _GROUPS
    left_out = np.array([_fitted(likelihood[group != g], n[group != g], weights, 60)[0] for g in range(_GROUPS)])
    error = math.sqrt((_GROUPS - 1) / _GROUPS * float(((left_out - left_out.mean()) ** 2).sum()))
    half = float(stats.t.ppf(0.5 + level / 2, _GROUPS - 1)) * error
    low = max(0.0, value - half) if gain > _GAIN else 0.0
    return Estimate(value, low, min(1.0, value + half), level, METHOD, texts)


def none_found(texts: int, level: float = 0.95) -> Estimate:
    """What no finding among so many texts says: the share of texts that would have been found is at most this (exact).

    It says nothing of marks that are too weak, or of keys that were not looked for.
    """
    high = float(1 - (1 - level) ** (1 / texts)) if texts else 1.0
    return Estimate(0.0, 0.0, high, level, BOUND, texts)


def called_share(called: int, texts: int, level: float = 0.95) -> Estimate:
    """The share of texts that were called marked, of which all may be false; the upper end is Clopper and Pearson's."""
    from scipy import stats

    high = float(stats.beta.ppf(level, called + 1, texts - called)) if called < texts else 1.0
    return Estimate(called / texts, 0.0, high, level, CALLED, texts)


def _fitted(likelihood: Floats, n: Floats, weights: Floats, rounds: int) -> tuple[float, Floats]:
    """The share of tokens in marked texts, and the weights of the strengths, by expectation and maximisation."""
    posterior = likelihood
    for _ in range(rounds):
        posterior = likelihood * weights
        posterior /= posterior.sum(axis=1, keepdims=True)
        new = posterior.mean(axis=0)
        done = float(np.abs(new - weights).max()) < 1e-6
        weights = new
        if done:
            break
    return float(n @ (1 - posterior[:, 0]) / n.sum()), weights
