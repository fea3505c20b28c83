"""Exactly known real worlds: what a source can say of its own distribution.

Theory, fast paths and exact metrics read these; a source of real files has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remission.data import Floats


@dataclass(frozen=True, eq=False)
class Law:
    """A known distribution with first and second moments."""

    mean: Floats  # (d,)
    cov: Floats  # (d, d)


@dataclass(frozen=True, eq=False)
class NormalLaw(Law):
    """N(mean, cov)."""


@dataclass(frozen=True, eq=False)
class MixtureLaw(Law):
    """A mixture of k Gaussians; ``mean`` and ``cov`` are those of the whole."""

    weights: Floats  # (k,)
    centres: Floats  # (k, d)
    spreads: Floats  # (k, d, d)

    @classmethod
    def of(cls, weights: Floats, centres: Floats, spreads: Floats) -> MixtureLaw:
        """The mixture, its overall moments worked out."""
        mean = weights @ centres
        gap = centres - mean
        cov = np.einsum("k,kij->ij", weights, spreads) + np.einsum("k,ki,kj->ij", weights, gap, gap)
        return cls(mean, cov, weights, centres, spreads)


@dataclass(frozen=True, eq=False)
class CategoricalLaw:
    """Symbol i has probability ``p[i]``."""

    p: Floats  # (V,)


@dataclass(frozen=True, eq=False)
class LinearLaw:
    """y = x . coefficients + noise * e, x ~ N(0, cov), e ~ N(0, 1)."""

    coefficients: Floats  # (d,)
    noise: float
    cov: Floats  # (d, d)


@dataclass(frozen=True, eq=False)
class ClassesLaw:
    """Class c has share ``shares[c]`` and features N(means[c], cov)."""

    shares: Floats  # (c,)
    means: Floats  # (c, d)
    cov: Floats  # (d, d)


AnyLaw = Law | CategoricalLaw | LinearLaw | ClassesLaw
