"""Accumulating a web with a constant share of real data: the bias of the first model fades like t^-alpha.

The rate of learning is the smaller of the baseline's own rate and the real share alpha.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import Law
from remission.theory import _conditions as given
from remission.theory._rows import moment_rows
from remission.world import Prediction, Theory, World


def bias(first: float, share: float, generations: int) -> Floats:
    """E(mu_t) - mu0 = B0 prod_{k=2..t} (1 - alpha / k), about B0 t^-alpha / Gamma(2 - alpha).

    Args:
        first: B0, the bias of the first model.
        share: alpha, the share of fresh real items in every later batch.
        generations: T; the result has shape (T,).

    Conditions: mean of a location family, all equally large batches kept, fit 1 biased. Scale: mean.
    Source: derived (THEORY G12); the Gaussian case of Wang et al., arXiv 2602.16065.

    >>> [round(float(value), 4) for value in bias(1.0, 0.5, 4)]
    [1.0, 0.75, 0.625, 0.5469]
    """
    k = np.arange(2, generations + 1, dtype=float)
    return first * np.concatenate([[1.0], np.cumprod(1.0 - share / k)])


def variance(n: int, share: float, generations: int) -> Floats:
    """Var mu_t / s0^2: w_1 = 1/n, w_{k+1} = w_k (1 - alpha/(k+1))^2 + 1/(n (k+1)^2). As :func:`bias`; n items per batch.

    >>> [round(float(value), 6) for value in variance(10, 0.0, 3)]
    [0.1, 0.125, 0.136111]
    """
    values = np.empty(generations)
    values[0] = 1.0 / n
    for k in range(2, generations + 1):
        values[k - 1] = values[k - 2] * (1.0 - share / k) ** 2 + 1.0 / (n * k * k)
    return values


class ContaminatedAccumulate(Theory):
    """E|mu_t - mu0|^2 = bias_t^2 + w_t s0^2, where every later batch has a share alpha of fresh real data.

    Needs the known variance to be the real one, so that all items are equally noisy. The start may be shifted.
    In collapse the error does not fall; here it does, at the rate t^-2 alpha when alpha < 1/2.

    >>> bool(np.isclose(bias(2.0, 1.0, 10)[-1], 0.2))
    True
    """

    row: ClassVar[str] = "G12"
    source: ClassVar[str] = "derived; Wang et al., arXiv 2602.16065"
    statement: ClassVar[str] = "bias_t = B0 prod (1 - alpha/k); w_{k+1} = w_k (1 - alpha/(k+1))^2 + 1/(n (k+1)^2)"

    def refuses(self, world: World) -> str:
        """Needs the mean alone, all batches kept, constant n and constant exact shares."""
        return given.first(
            world,
            given.gaussian,
            given.estimator("mean-only"),
            given.plain_sampling,
            _start,
            given.all_batches,
            given.whole_sets,
            given.equal_weights,
            given.newest_or_real,
            given.constant_count,
            given.constant_shares,
            given.exact_shares,
            _same_spread,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The error of the mean; the variance is the known one."""
        law = world.law
        assert isinstance(law, Law)
        real, synthetic = given.mix(world) if world.generations > 1 else (1, 0)
        share = real / (real + synthetic)
        scale = float(law.cov.trace())
        drift = bias(1.0, share, world.generations) ** 2
        error = scale * variance(int(given.counts(world)[0]), share, world.generations)
        if world.initial.state == "shifted":
            gap = (world.initial.scale - 1.0) * law.mean + world.initial.shift
            error += drift * float(gap @ gap)
            error += drift * scale * (world.initial.scale**2 - 1.0) / int(given.counts(world)[0])
        rows = moment_rows(world, self.name(), error, np.full_like(error, scale))
        return [row for row in rows if "of=training" not in row.metric or row.metric.endswith("error")]


def _start(world: World) -> str:
    return "the start is collapsed" if world.initial.state == "collapsed" else ""


def _same_spread(world: World) -> str:
    assert isinstance(world.law, Law)
    known = float(world.model.table()["known"]) * world.space.features
    real = float(world.law.cov.trace())
    same = abs(known - real) <= 1e-12 * real
    return "" if same else f"the known variance is {known:g} in all, the real one {real:g}"
