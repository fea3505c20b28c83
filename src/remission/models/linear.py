"""Least squares or ridge regression whose labels come from the last fit: collapse of a predictor, in closed form.

In *replace* the errors of all fits add up, excess risk t s^2 d / (T - d - 1); in *accumulate* they stay bounded
(Gerstgrasser et al., arXiv 2404.01413; Dohmatob, Feng & Kempe, arXiv 2402.07712; THEORY rows L1-L4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import REGRESSION, Array, Dataset, Floats, Space
from remission.errors import FitError, SpecError
from remission.interfaces import FastModel, Labeller, Sampling, State
from remission.laws import AnyLaw, LinearLaw
from remission.numerics import linear as kernels
from remission.numerics.gaussian import roots
from remission.rng import Streams


@dataclass(frozen=True, eq=False)
class Rows:
    """Additive statistics of rows z = (x, y): their triangular factor, about the mean if there is an intercept."""

    total: Floats  # (r,): total weight
    count: Floats  # (r,): (sum w)^2 / sum w^2, the number of rows when all weigh the same
    mean: Floats  # (r, d + 1): weighted mean of z; zero without intercept
    factor: Floats  # (r, d + 1, d + 1): upper triangular R, R'R = sum w (z - mean)(z - mean)'
    cov: Floats | None = None  # (r, d, d): the law of the covariates, where it is known
    root: Floats | None = None  # (r, d, d): upper triangular, root' root = cov


@dataclass(frozen=True, eq=False)
class Fit:
    """The fitted state; the covariance of the covariates is known only if the first state was made from a law."""

    coefficients: Floats  # (r, d)
    intercept: Floats  # (r,)
    noise: Floats  # (r,): standard deviation of new labels about the prediction
    cov: Floats | None = None  # (r, d, d)
    root: Floats | None = None  # (r, d, d)


class Linear(FastModel, Labeller):
    """Labels y = x . w + b + noise e by least squares, e ~ N(0, 1).

    w and b minimise sum_j weight_j (y_j - x_j . w - b)^2 + ``ridge`` |w|^2; b = 0 unless ``intercept``, and it is not
    penalised (scikit-learn's ``Ridge(alpha=ridge)``). Without ridge and with fewer rows T than covariates d, or
    collinear ones, w is the solution of least norm. In collapse the predictor drifts from the truth: excess risk
    rises (or, with T < d, w shrinks to zero).

    Everything goes through the triangular factor of the rows (QR), never through X'X, whose condition number is the
    square: exact where X itself is. The same factor can be drawn without rows, so that Gaussian ``new`` covariates
    run the fast way in O(d^2 + d^3) whatever T.

    Attributes:
        ridge: penalty, in units of the sum of squares; 0 is bare least squares.
        covariates: ``new`` features every generation, or the ``same`` as in generation 1 (which has no fast way).
        noise: standard deviation of generated labels, in the units of y; ``fit``: that of the residuals,
            root(RSS / (W (1 - p / k))) with W the total weight, k the effective count and p = d (+ 1): RSS / (T - p)
            for T rows of weight 1.
        intercept: fit b.

    Raises:
        FitError: no finite solution; ``noise = "fit"`` with no row more than parameters.
        SpecError: statistics are to be drawn where the law of the covariates is not known.

    Source: Golub & Van Loan, Matrix Computations (2013), section 5.3; Bartlett, Proc. R. Soc. Edinburgh 53 (1933).

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> items = np.array([[[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]])
    >>> data = Dataset(Space("regression", (2,)), items, np.zeros((1, 3), np.int32))
    >>> model = Linear(noise=0.0)
    >>> model.predict(model.fit(data, None), items).round(12)
    array([[2., 4., 6.]])
    """

    accepts: ClassVar[frozenset[str]] = REGRESSION
    weighted: ClassVar[bool] = True

    ridge: Annotated[float, Meta(ge=0)] = 0.0
    covariates: Literal["new", "same"] = "new"
    noise: Annotated[float, Meta(ge=0)] | Literal["fit"] = "fit"
    intercept: bool = False

    def minimum(self, space: Space) -> int:
        """One row; one more than there are parameters when the noise is to be fitted."""
        return space.features + self.intercept + 1 if self.noise == "fit" else 1

    def statistics(self, data: Dataset) -> Rows:
        """The triangular factor of the rows."""
        weight = None if data.weight is None else np.ascontiguousarray(data.weight)
        return Rows(*kernels.rows_of(np.ascontiguousarray(data.items, np.float64), weight, self.intercept))

    def merge(self, one: Rows, other: Rows) -> Rows:
        """The factor of both factors, and of the gap between the means, stacked."""
        total = one.total + other.total
        share = other.total / np.where(total > 0, total, 1.0)
        gap = other.mean - one.mean
        parts = [one.factor, other.factor]
        if self.intercept:
            parts.append((np.sqrt(one.total * share)[:, None] * gap)[:, None, :])
        squares = sum(_squares(part) for part in (one, other))
        count = total**2 / np.where(squares > 0, squares, 1.0)
        known = one if one.cov is not None else other
        factor = kernels.triangle(np.concatenate(parts, axis=1))
        return Rows(total, count, one.mean + gap * share[:, None], factor, known.cov, known.root)

    def solve(self, statistics: Rows, previous: State | None = None) -> Fit:
        """Coefficients, intercept and noise. Raises FitError."""
        d = statistics.mean.shape[1] - 1
        whole = statistics.factor
        w = kernels.ridge(whole, self.ridge) if self.ridge > 0 else kernels.least_squares(whole, statistics.count)
        b = np.zeros(len(w))
        if self.intercept:
            kernels.predict(statistics.mean[:, None, :], -w, statistics.mean[:, d], b[:, None])
        state = Fit(w, b, self._noise(statistics, w), statistics.cov, statistics.root)
        if not (np.isfinite(w).all() and np.isfinite(state.noise).all() and (statistics.total > 0).all()):
            raise FitError(
                "A linear model needs finite rows and a positive total weight per fit. Likely causes: NaN or infinity in "
                "the data; a curator that keeps nothing; a loop whose labels have diverged."
            )
        return state

    def _noise(self, statistics: Rows, w: Floats) -> Floats:
        if self.noise != "fit":
            return np.full(len(w), self.noise)
        d = w.shape[1]
        spare = 1 - (d + self.intercept) / statistics.count
        if (spare <= 1e-12).any():
            raise FitError(
                f"noise = 'fit' needs more rows than parameters ({d + self.intercept}). Got an effective count of "
                f"{statistics.count.min():g}. Raise samples, or give the noise as a number."
            )
        residual = np.empty((len(w), d + 1))
        kernels.predict(statistics.factor, -w, np.zeros(len(w)), residual)
        residual += statistics.factor[:, :, d]
        return np.sqrt((residual**2).sum(axis=1) / (statistics.total * spare))

    def sample(self, state: Fit, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Never: a labeller labels given covariates."""
        raise SpecError(
            "linear labels given covariates and cannot be sampled alone. Use relabel(state, items, streams)."
        )

    def relabel(self, state: Fit, items: Array, streams: Streams) -> Array:
        """The same covariates with new labels: prediction plus noise."""
        out = np.array(items, np.float64)
        out[..., -1] = self.predict(state, items)
        if state.noise.any():
            out[..., -1] += state.noise[:, None] * streams.normals(items.shape[1])
        return out

    def predict(self, state: Fit, items: Array) -> Floats:
        """The noise-free x . w + b."""
        out = np.empty(items.shape[:2])
        kernels.predict(np.ascontiguousarray(items, np.float64), state.coefficients, state.intercept, out)
        return out

    def draw_statistics(self, state: Fit, n: int, weight: float, streams: Streams, sampling: Sampling) -> Rows:
        """The factor of n new rows, x ~ N(0, cov), labelled by the state: the exact law of fitting drawn rows."""
        if state.root is None or self.covariates == "same":
            raise SpecError(
                "linear draws statistics only for new covariates of a known Gaussian law. "
                "Start from state_of(law), set covariates = 'new', or run the plain way (fast = false)."
            )
        r, d = state.coefficients.shape
        mean, factor = np.empty((r, d + 1)), np.empty((r, d + 1, d + 1))
        law = (state.coefficients, state.intercept, state.noise)
        shared = state.root.strides[0] == 0
        root = np.ascontiguousarray(state.root[:1] if shared else state.root)
        options = (root, n, float(weight), self.intercept)
        kernels.draw_rows(*streams.words, streams.replicates, *law, *options, mean, factor)
        return Rows(np.full(r, n * weight), np.full(r, float(n)), mean, factor, state.cov, state.root)

    def state_of(self, law: AnyLaw, replicates: int) -> Fit | None:
        """A linear law with Gaussian covariates is a state; None for the ``same`` covariates, which cannot be drawn."""
        if not isinstance(law, LinearLaw) or self.covariates == "same":
            return None
        d = law.coefficients.size
        cov = np.ascontiguousarray(law.cov, np.float64)
        root = np.ascontiguousarray(roots(cov[None])[0].T)
        return Fit(
            np.repeat(np.asarray(law.coefficients, np.float64)[None], replicates, axis=0),
            np.zeros(replicates),
            np.full(replicates, float(law.noise)),
            np.broadcast_to(cov, (replicates, d, d)),
            np.broadcast_to(root, (replicates, d, d)),
        )


def _squares(rows: Rows) -> Floats:
    """The sum of squared weights behind the effective count."""
    return np.divide(rows.total**2, rows.count, out=np.zeros_like(rows.total), where=rows.count > 0)
