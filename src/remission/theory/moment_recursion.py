"""Exact mean squared error and variance of any loop with linear recipes.

One recursion behind most rows of the anchor table: any mixture of real data and older models, any memory, window,
lag, weights, budgets, subsampling and random origins, with sampling bias, a shifted or collapsed start or a filter of known error
rates, for Gaussians, Gaussian mixtures, kernel density estimates and symbol frequencies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from remission.data import REAL
from remission.laws import CategoricalLaw, Law
from remission.schedule import Schedule, value_at
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.theory._second_moments import Laws, Smoothing, Trajectory, propagate
from remission.world import Prediction, Theory, World


class MomentRecursion(Theory):
    """a_t = E|mu_t - mu0|^2 and v_t = E tr Sigma_t by propagating mean squared distances.

    Items drawn from a fit have its mean and ``bias * temperature`` times its covariance, given the fit; a fit's mean is the
    weighted mean of its training set, and its variance a known multiple of the training set's, plus a constant. Under
    these two facts alone all second moments obey a linear recursion, whatever the shape of the distributions:

    ========== ================================================================================
    model      variance of the fit, from the variance V (scatter / weight) of its training set
    ========== ================================================================================
    gaussian   V (mle); V / (1 - 1/k) (unbiased; k the effective number of items); known * d (mean-only)
    gmm        V, as every M-step keeps the first two moments (covariance full, diagonal or tied; no floor)
    kde        V + h^2 d for a number h; V [1 + (c k)^(-2/(d+4)) / (1 - 1/k)] for scott (c = 1) or silverman (c = (d+2)/4)
    unigram    one-hot vectors: V = 1 - sum p^2 is the heterozygosity; ``smoothing`` is a pull to the uniform
    ========== ================================================================================

    Units: those of x squared. In collapse the variance falls and the error rises. Exact; what would not be is refused.
    Scale: mean over replicates. Its spread grows fast in *replace*: for t >> n the mean is carried by runs nobody sees.

    Source: derived (laws of total covariance; without bias a_t + v_t is the martingale of arXiv 2506.20623).

    >>> from remission.theory._second_moments import Laws, propagate
    >>> from remission.interfaces import Part, Recipe
    >>> pool = [Recipe((Part(t, 10),), ((1, t + 1),), take=10) for t in range(30)]
    >>> found = propagate(pool, Laws(1.0, 1.0, 0.0, lambda variance, k: variance))
    >>> round(float(found.variance[-1]), 5), round(float(found.error[-1]), 5)
    (0.74606, 0.25394)
    """

    row: ClassVar[str] = "master"
    source: ClassVar[str] = "derived; without bias the martingale of arXiv 2506.20623"
    statement: ClassVar[str] = "D[z, y] = sum w D[g, y] - 1/2 sum w w D[g, h]; D[g, y] = D[m, y] + V / c"

    def refuses(self, world: World) -> str:
        """The model, its sampling, the start, or what is selected is not linear."""
        return given.first(
            world,
            given.model("gaussian", "gmm", "kde", "unigram"),
            given.clean_source,
            _law_known,
            _sampling_linear,
            _start_linear,
            _fit_linear,
            _weights_fixed,
            _filters_known,
            _enough,
        )

    def predict(self, world: World) -> list[Prediction]:
        """Error, variance, their sum and ratio, of the model and its training set; or the heterozygosity."""
        found = trajectory(world)
        if world.model.name() == "unigram":
            return [Prediction(self.name(), "heterozygosity", "mean", found.variance)]
        return moment_rows(world, self.name(), found.error, found.variance, found.training)


def trajectory(world: World) -> Trajectory:
    """The exact second moments of a world that is not refused."""
    law = world.law
    keep = _keep(world) if world.curators else None
    if isinstance(law, CategoricalLaw):
        real = 1.0 - float(law.p @ law.p)
        smoothing = _smoothing(world, law)
        laws = Laws(real, real, 0.0, lambda variance, k: variance, _distinct(world), keep=keep, smoothing=smoothing)
    else:
        assert isinstance(law, Law)
        real = float(law.cov.trace())
        start = world.initial
        shifted = start.state == "shifted"
        gap = (start.scale - 1.0) * law.mean + start.shift if shifted else np.zeros_like(law.mean)
        first = real * start.scale**2 if shifted else real
        bias = world.sampling.bias * world.sampling.temperature
        laws = Laws(real, first, float(gap @ gap), _spread(world), _distinct(world), bias, keep)
    return propagate(given.recipes(world), laws)


def _spread(world: World) -> Callable[[float, float], float]:
    """The variance of a fit from the variance of its training set and the effective number of items."""
    table = world.model.table()
    d = world.space.features
    if world.model.name() == "kde":
        return _kernel_spread(table["bandwidth"], d)
    if table.get("estimator") == "unbiased":
        return lambda variance, k: variance / (1.0 - 1.0 / k)
    if table.get("estimator") == "mean-only":
        return lambda variance, k: float(table["known"]) * d
    return lambda variance, k: variance


def _kernel_spread(bandwidth: float | str, d: int) -> Callable[[float, float], float]:
    """A fixed kernel adds h^2 d; a rule of thumb scales the unbiased variance of every coordinate."""
    if not isinstance(bandwidth, str):
        return lambda variance, k: variance + float(bandwidth) ** 2 * d
    scale = 1.0 if bandwidth == "scott" else (d + 2) / 4

    def ruled(variance: float, k: float) -> float:
        return variance * (1.0 + float((scale * k) ** (-2.0 / (d + 4))) / (1.0 - 1.0 / k))

    return ruled


def _distinct(world: World) -> int | None:
    return world.initial.distinct if world.initial.state == "collapsed" else None


def _smoothing(world: World, law: CategoricalLaw) -> Smoothing | None:
    added = float(world.model.table().get("smoothing", 0.0))
    if added == 0.0:
        return None
    size = law.p.size
    gap = 1.0 / size - law.p
    return Smoothing(added * size, float(gap @ gap), 1.0 - 1.0 / size)


def _keep(world: World) -> Callable[[int, int], float]:
    """The probability that all curators keep an item of an origin."""

    def keep(t: int, origin: int) -> float:
        share = 1.0
        for curator in world.curators:
            if curator.on != "all":  # each origin is refilled to its own count
                continue
            if curator.name() == "random":
                share *= float(curator.table()["keep"])
            else:
                rate: Schedule = getattr(curator, "fpr" if origin == REAL else "tpr")
                share *= 1.0 - value_at(rate, t)
        return share

    return keep


def _law_known(world: World) -> str:
    if world.model.name() == "unigram":
        return given.categorical_law(world)
    return given.known_moments(world)


def _sampling_linear(world: World) -> str:
    if world.model.name() in ("gaussian", "kde"):
        return given.only_spread(world)
    return given.plain_sampling(world)


def _start_linear(world: World) -> str:
    shifted = world.initial.state == "shifted" and world.model.name() == "unigram"
    return "symbols cannot be shifted" if shifted else ""


def _fit_linear(world: World) -> str:
    table = world.model.table()
    if world.model.name() == "gmm":
        if table.get("covariance") == "low-rank":
            return "a low-rank covariance does not keep the second moment of its training set"
        if table.get("floor"):
            return "the covariance floor adds variance where a component is narrow"
    if world.model.name() == "kde" and table.get("bandwidth") not in ("scott", "silverman"):
        return given.fixed_bandwidth(world)
    return ""


def _weights_fixed(world: World) -> str:
    recipes = given.recipes(world)
    for recipe in recipes:
        if recipe.mixed and len({part.weight for part in recipe.arrivals if part.count}) > 1:
            return "the total weight is random, as origins are drawn at random and weigh differently"
    if any(recipe.take is not None for recipe in recipes) and given.equal_weights(world):
        return "the total weight is random, as the training set is a subsample of items of different weight"
    return ""


def _filters_known(world: World) -> str:
    others = [curator.name() for curator in world.curators if curator.name() not in ("oracle", "random")]
    if others:
        return f"the curator {others[0]} selects by content"
    if not world.curators:
        return ""
    if not world.refill:
        return "curation without refill leaves a random number of items"
    if all(curator.on != "all" for curator in world.curators):
        return ""
    keep = _keep(world)
    for t, recipe in enumerate(given.recipes(world), start=1):
        parts = [part for part in recipe.arrivals if part.count]
        if parts and sum(part.count * keep(t, part.origin) for part in parts) <= 0:
            return f"the curators keep nothing in generation {t}"
        if len({part.origin for part in parts}) > 1 and not recipe.mixed:
            return "curation of exact shares leaves a random number of items of each origin (try the regime web)"
    return ""


def _enough(world: World) -> str:
    recipes = given.recipes(world)
    counts = np.array([round(recipe.count) for recipe in recipes])
    sizes = [int(counts[np.array(given.trained(recipe)) - 1].sum()) for recipe in recipes]
    if min(sizes) == 0:
        return "a training set is empty"
    if world.model.table().get("estimator") == "unbiased" or isinstance(world.model.table().get("bandwidth"), str):
        taken = [recipe.take or size for recipe, size in zip(recipes, sizes, strict=True)]
        return "an unbiased variance needs two items per fit" if min(taken) < 2 else ""
    return ""
