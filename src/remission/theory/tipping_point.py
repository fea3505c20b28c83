"""Temperature against fresh data: a tipping point with hysteresis.

Sampling below temperature 1 sharpens, fresh uniform data flattens. Diversity is unstable below a fresh share of
1 - temperature; a collapsed world needs a larger share to recover: what prevents collapse does not cure it.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import CategoricalLaw
from remission.theory import _conditions as given
from remission.theory._large_sample import Step, expand, multinomial, too_few
from remission.world import Prediction, Theory, Threshold, World


def tempered(p: Floats, temperature: float) -> Floats:
    """p^(1/tau) / Z.

    >>> tempered(np.array([0.8, 0.2]), 0.5).round(4)
    array([0.9412, 0.0588])
    """
    with np.errstate(divide="ignore"):
        log = np.log(p) / temperature
    weights = np.exp(log - log.max())
    return np.asarray(weights / weights.sum(), np.float64)


def next_shares(p: Floats, real: Floats, fresh: float, temperature: float) -> Floats:
    """P' = alpha p_0 + (1 - alpha) p^(1/tau) / Z: one generation with infinitely many items.

    Args:
        p: probabilities of the last model, shape (K,).
        real: p_0 of the fresh data.
        fresh: alpha, its share.
        temperature: tau of the sampling.

    Source: derived (THEORY T1), in the spirit of Marchi et al., "Heat death of generative models", arXiv 2404.02325.

    >>> p = np.array([0.6, 0.4])
    >>> for _ in range(500):
    ...     p = next_shares(p, np.array([0.5, 0.5]), 0.15, 0.8)
    >>> round(float(p.max()), 3)
    0.781
    """
    return fresh * real + (1.0 - fresh) * tempered(p, temperature)


def temperature_threshold(temperature: float) -> float:
    """1 - tau: the uniform state of any number of types is unstable for a fresh share below this.

    >>> round(temperature_threshold(0.8), 12)
    0.2
    """
    return 1.0 - temperature


def upper_threshold(types: int, temperature: float) -> float:
    """The fresh share up to which the collapsed branch survives: max over x of (g(x) - x) / (g(x) - 1/K).

    x is the share of the one large type, g(x) what sharpening makes of it. Equal to 1 - tau for two types (continuous), larger
    for three and more (a jump, with hysteresis). Arguments and source as in :func:`next_shares`.

    >>> [round(upper_threshold(k, 0.8), 4) for k in (2, 3, 10, 100)]
    [0.2, 0.2079, 0.274, 0.4544]
    >>> round(upper_threshold(10, 0.5), 3), round(upper_threshold(1000, 0.9), 4)
    (0.625, 0.3732)
    """
    from scipy.optimize import minimize_scalar

    s = 1.0 / temperature

    def negative(logit: float) -> float:
        x = 1.0 / (1.0 + np.exp(-logit))
        odds = s * logit - (1.0 - s) * np.log(types - 1)
        sharp = 1.0 / (1.0 + np.exp(-odds))
        return -float((sharp - x) / (sharp - 1.0 / types))

    base = -np.log(types - 1) if types > 2 else 0.0
    grid = base + np.geomspace(1e-4, 40.0, 4000)
    values = np.array([negative(logit) for logit in grid])
    best = int(np.argmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    found = minimize_scalar(negative, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    return max(-float(found.fun), temperature_threshold(temperature))


class TippingPoint(Theory):
    """Heterozygosity and largest share under tempered sampling with fresh data, for many items.

    The map of :func:`next_shares` with multinomial noise to first order in 1/n; NaN where the noise decides (an unstable
    state, rare types), so refused below 10000 items. In collapse heterozygosity falls and the largest share rises.

    >>> temperature_threshold(1.0)
    0.0
    """

    row: ClassVar[str] = "T1"
    source: ClassVar[str] = "derived; in the spirit of Marchi et al., arXiv 2404.02325"
    statement: ClassVar[str] = "p' = alpha p_0 + (1-alpha) p^(1/tau)/Z; uniform unstable iff alpha < 1 - tau"

    def refuses(self, world: World) -> str:
        """Needs bare frequencies, temperature alone, many items, and shares of fresh data that stay the same."""
        reason = given.first(world, given.unigram, _tempered, given.fresh_mix, too_few, _start)
        if reason:
            return reason
        silent = np.isnan(_values(world)[0]).all()
        return "sampling noise decides the way: the state is not stable, or types are too rare" if silent else ""

    def predict(self, world: World) -> list[Prediction]:
        """The rows heterozygosity and max-share."""
        diversity, largest = _values(world)
        rows = [Prediction(self.name(), "heterozygosity", "mean", diversity)]
        if not np.isnan(largest).all():
            rows.append(Prediction(self.name(), "max-share", "mean", largest))
        return rows

    def thresholds(self, world: World) -> list[Threshold]:
        """For equal types 1 - tau, and the share up to which a collapsed world stays collapsed; in terms of either parameter."""
        regime, tau = world.regime.name(), world.sampling.temperature
        key = {"fresh": "regime.share", "web": "regime.synthetic"}.get(regime)
        if key is None or given.first(world, given.unigram, _tempered, given.fresh_mix) or not 0 < tau < 1:
            return []
        law = world.law
        assert isinstance(law, CategoricalLaw)
        real, synthetic = given.mix(world)
        fresh, types = real / (real + synthetic), law.p.size
        if types < 2 or not np.allclose(law.p, 1.0 / types):  # of unequal types the common ones win smoothly
            return []

        def share(value: float) -> float:
            return value if regime == "fresh" else 1.0 - value

        told = "below 1 - tau of fresh data diversity is unstable"
        found = [
            Threshold(self.name(), key, share(temperature_threshold(tau)), "real", told),
            Threshold(self.name(), "sampling.temperature", 1.0 - fresh, "real", told),
        ]
        told = "up to this share of fresh data a collapsed world stays collapsed"
        return [*found, Threshold(self.name(), key, share(upper_threshold(types, tau)), "collapsed", told)]


def _values(world: World) -> tuple[Floats, Floats]:
    law = world.law
    assert isinstance(law, CategoricalLaw)
    n = int(given.counts(world)[0])
    real, synthetic = given.mix(world)
    mixed = world.generations > 1 and world.recipe(2).mixed
    first = law.p.astype(float)
    cov = multinomial(first, n)
    if world.initial.state == "collapsed":
        first, cov = np.eye(first.size)[0], np.zeros((first.size, first.size))
    step = _step(law.p, real / (real + synthetic), world.sampling.temperature, n, mixed)
    found = expand(first, cov, [step] * (world.generations - 1), smooth=world.sampling.temperature == 1.0)
    return found.heterozygosity, found.largest


def _step(real: Floats, fresh: float, temperature: float, n: int, mixed: bool) -> Step:
    s = 1.0 / temperature

    def parts(p: Floats) -> tuple[Floats, Floats, Floats]:
        sharp = tempered(p, temperature)
        safe = np.where(p > 0, p, 1.0)
        return sharp, np.where(p > 0, s * sharp / safe, 0.0), np.where(p > 0, s * (s - 1) * sharp / safe**2, 0.0)

    def slope(p: Floats) -> Floats:
        sharp, u, _ = parts(p)
        return (1.0 - fresh) * (np.diag(u) - np.outer(sharp, u))

    def curve(p: Floats, cov: Floats) -> Floats:
        sharp, u, bend = parts(p)
        half = 0.5 * bend * np.diag(cov)
        along = cov @ u
        bent = half - sharp * half.sum() - u * along + sharp * float(u @ along)
        return np.asarray((1.0 - fresh) * bent, np.float64)

    def noise(p: Floats) -> Floats:
        sharp = tempered(p, temperature)
        if mixed:
            return multinomial(fresh * real + (1.0 - fresh) * sharp, n)
        return fresh * multinomial(real, n) + (1.0 - fresh) * multinomial(sharp, n)

    return Step(lambda p: next_shares(p, real, fresh, temperature), slope, curve, noise)


def _tempered(world: World) -> str:
    used = world.sampling.used
    if used - {"temperature"}:
        return f"sampling is truncated ({', '.join(sorted(used - {'temperature'}))})"
    return "" if used else "the temperature is 1"


def _start(world: World) -> str:
    assert isinstance(world.law, CategoricalLaw)
    if world.initial.state == "real":
        return ""
    if world.initial.state == "collapsed" and world.initial.distinct == 1:
        return (
            "" if np.allclose(world.law.p, 1.0 / world.law.p.size) else "the type that is left at the start is random"
        )
    return f"the start is {world.initial.state} on several types"
