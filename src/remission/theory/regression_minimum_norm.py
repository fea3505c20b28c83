"""Minimum-norm least squares with fewer rows than columns: exponential collapse even without noise.

Every fit projects the truth onto a random subspace of T out of d dimensions.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.laws import LinearLaw
from remission.theory import _conditions as given
from remission.world import Prediction, Theory, World


def excess(rows: int, d: int, noise: float, norm: float, generations: int) -> Floats:
    """|w_0|^2 [1 - (T/d)^t] + s^2 T / (d - T - 1) sum_{j < t} (T/d)^j.

    Args:
        rows: T, rows per generation, below d - 1.
        d: columns.
        noise: s, standard deviation of all labels.
        norm: |w_0|.
        generations: the result has shape (generations,).

    Conditions: minimum-norm least squares, covariates N(0, I), new in every generation, replace. Scale: mean.
    Source: derived; the exponential regime of Dohmatob et al., arXiv 2402.07712; THEORY L3.

    >>> [round(float(excess(40, 60, s, 1.0, 4)[-1]), 4) for s in (0.0, 0.5)]
    [0.8025, 2.0695]
    """
    ratio = (rows / d) ** np.arange(1, generations + 1)
    sums = np.cumsum((rows / d) ** np.arange(generations))
    return norm**2 * (1.0 - ratio) + noise**2 * rows / (d - rows - 1) * sums


class RegressionMinimumNorm(Theory):
    """Excess test error of minimum-norm least squares in *replace*, T < d - 1; see :func:`excess`.

    Isotropic covariates of any scale. In collapse it rises to |w_0|^2 (everything is forgotten) plus noise.

    >>> round(float(excess(40, 60, 0.0, 1.0, 1)[-1]), 4)
    0.3333
    """

    row: ClassVar[str] = "L3"
    source: ClassVar[str] = "derived; Dohmatob et al., arXiv 2402.07712"
    statement: ClassVar[str] = "1 - (T/d)^t + s^2 T/(d - T - 1) sum_{j<t} (T/d)^j"

    def refuses(self, world: World) -> str:
        """Needs bare least squares, replace, constant T < d - 1, new isotropic covariates and equal noise."""
        return given.first(
            world,
            given.least_squares,
            given.known_label_noise,
            given.option("covariates", "new"),
            given.replace,
            given.constant_count,
            _few_rows,
            _isotropic,
        )

    def predict(self, world: World) -> list[Prediction]:
        """The row test-risk.excess."""
        law = world.law
        assert isinstance(law, LinearLaw)
        d, rows = world.space.features, int(given.counts(world)[0])
        later = given.label_noise(world)
        norm = float(np.sqrt(law.coefficients @ law.cov @ law.coefficients))
        values = excess(rows, d, later, norm, world.generations)
        first = rows / (d - rows - 1) * (rows / d) ** np.arange(world.generations)
        values += (law.noise**2 - later**2) * first
        return [Prediction(self.name(), "test-risk.excess", "mean", values)]


def _few_rows(world: World) -> str:
    d, rows = world.space.features, int(given.counts(world)[0])
    return "" if rows < d - 1 else f"{rows} rows for {d} columns are too many (less than {d - 1})"


def _isotropic(world: World) -> str:
    assert isinstance(world.law, LinearLaw)
    cov = world.law.cov
    same = np.allclose(cov, cov[0, 0] * np.eye(len(cov)), rtol=1e-12, atol=0)
    return "" if same else "the covariates are not isotropic"
