"""Logistic regression whose labels come from the last fit: a classifier that learns from itself.

With labels drawn from the fit and the same covariates, *replace* lets the coefficients drift until the classes are
separable and the log-loss explodes, while augmenting with the real data keeps it bounded (Dey & Donoho, arXiv
2410.22812; THEORY rows V1, A12).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from remission.data import LABELLED, Array, Dataset, Floats, Space
from remission.errors import DataError, FitError, SpecError
from remission.interfaces import Labeller, Model, Sampling, State
from remission.numerics import logistic as kernels
from remission.rng import Streams


@dataclass(frozen=True, eq=False)
class Classifier:
    """The fitted state. A class that was not in the training set has intercept minus infinity."""

    coefficients: Floats  # (r, C, d): they sum to zero over the classes present
    intercept: Floats  # (r, C)
    converged: npt.NDArray[np.bool_]  # (r,): the last Newton step promised less than the tolerance
    separated: npt.NDArray[np.bool_]  # (r,): every training item classified right without ridge: no finite maximum


class Logistic(Model, Labeller):
    """P(class c | x) proportional to exp(b_c + w_c . x), fitted by maximum likelihood (Newton's method).

    Minimised is - sum_j weight_j log P(y_j | x_j) + ``ridge`` / 2 times |w_1 - w_0|^2 for two classes, sum_c |w_c|^2 for
    more (scikit-learn's ``LogisticRegression(C=1 / ridge)``; intercepts are free). Features are standardised inside,
    which changes nothing but rounding. Columns that others explain get no coefficient of their own; predictions are
    the same. A class that has died out of the training set has probability 0 from then on.

    On separable data without ridge there is no maximum: coefficients grow until a step promises less than
    ``tolerance`` or ``iterations`` are done; ``state.separated`` says so. In collapse accuracy falls and log-loss rises.

    Attributes:
        ridge: penalty, in units of the summed log-loss; 0 is bare maximum likelihood.
        covariates: ``new`` features every generation, or the ``same`` as in generation 1.
        labels: new labels are a ``sample`` of the predicted probabilities, or the most probable class (``argmax``).
        iterations: at most that many Newton steps.
        tolerance: stop when a full step promises to lower the mean log-loss by less (nats per item).
        solver: ``newton`` finds the maximum. ``lbfgs`` is scikit-learn's default optimiser with its default tolerance of
            1e-4, which stops early on small features and so regularises without saying: only for published results
            that were made with it (it ignores ``tolerance``).

    Raises:
        FitError: NaN or infinity in the features; no item with positive weight.
        DataError: labels that are not classes.

    Source: McCullagh & Nelder, Generalized Linear Models (1989), section 5.2 and 4.4.2.

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> items = np.array([[[0.0, 0], [0.0, 1], [0.0, 1], [0.0, 1], [1.0, 0], [1.0, 1]]])
    >>> data = Dataset(Space("labelled", (2,), 2), items, np.zeros((1, 6), np.int32))
    >>> model = Logistic()
    >>> model.probabilities_of(model.fit(data, None), items[:, -2:]).round(6)
    array([[[0.5, 0.5],
            [0.5, 0.5]]])
    """

    accepts: ClassVar[frozenset[str]] = LABELLED
    weighted: ClassVar[bool] = True

    ridge: Annotated[float, Meta(ge=0)] = 0.0
    covariates: Literal["new", "same"] = "new"
    labels: Literal["sample", "argmax"] = "sample"
    iterations: Annotated[int, Meta(ge=1)] = 100
    tolerance: Annotated[float, Meta(gt=0)] = 1e-12
    solver: Literal["newton", "lbfgs"] = "newton"

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> Classifier:
        """Newton's method from the class frequencies, each replicate on its own."""
        items = np.ascontiguousarray(data.items, np.float64)
        weight = np.empty((0, 0)) if data.weight is None else np.ascontiguousarray(data.weight)
        if not np.isfinite(items).all() or not np.isfinite(weight).all():
            raise FitError(
                "Logistic regression needs finite features, labels and weights. Likely causes: missing values in the "
                "source; a channel or curator that divides by zero."
            )
        if data.n < 1 or (weight.size and not (weight.sum(axis=1) > 0).all()):
            raise FitError(
                "Logistic regression needs an item with positive weight per fit. Raise samples or the kept share."
            )
        r, d, classes = data.replicates, data.space.features, data.space.size
        state = Classifier(
            np.empty((r, classes, d)), np.empty((r, classes)), np.empty(r, np.bool_), np.empty(r, np.bool_)
        )
        settings = (self.ridge, self.iterations if self.solver == "newton" else 0, self.tolerance)
        out = (state.coefficients, state.intercept, state.converged, state.separated)
        if not kernels.fit(items, weight, *settings, *out):
            raise DataError(
                f"A label is not one of the classes 0 .. {classes - 1}. Check the last column of the items."
            )
        if self.solver == "lbfgs":
            for i in range(r):
                self._early(items[i], weight[i] if weight.size else None, state, i)
        if np.isnan(state.coefficients).any() or np.isnan(state.intercept).any():
            raise FitError(
                "Logistic regression found no finite coefficients. Likely causes: features above 1e150 (rescale them); "
                "separable data with many iterations (set ridge above 0 or fewer iterations)."
            )
        return state

    def _early(self, items: Floats, weight: Floats | None, state: Classifier, i: int) -> None:
        """Fill replicate i of the state by scikit-learn as it comes; a class that is alone needs no fit."""
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        rows = items if weight is None else items[weight > 0]
        present = np.unique(rows[:, -1]).astype(int)
        if len(present) < 2:
            return
        peer = LogisticRegression(C=1 / self.ridge if self.ridge else np.inf, max_iter=self.iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            peer.fit(rows[:, :-1], rows[:, -1], None if weight is None else weight[weight > 0])
        w, b = peer.coef_, peer.intercept_
        if len(present) == 2:
            w, b = np.concatenate([-w, w]) / 2, np.concatenate([-b, b]) / 2
        state.coefficients[i, present], state.intercept[i, present] = w, b
        state.converged[i] = peer.n_iter_.max() < self.iterations
        state.separated[i] = self.ridge == 0 and bool((peer.predict(rows[:, :-1]) == rows[:, -1]).all())

    def minimum(self, space: Space) -> int:
        """One item: a class that is alone has probability 1."""
        return 1

    def sample(self, state: Classifier, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Never: a labeller labels given features."""
        raise SpecError(
            "logistic labels given features and cannot be sampled alone. Use relabel(state, items, streams)."
        )

    def relabel(self, state: Classifier, items: Array, streams: Streams) -> Array:
        """The same features with new labels: drawn, or the most probable."""
        out = np.array(items, np.float64)
        if self.labels == "argmax":
            out[..., -1] = self.predict(state, items)
        else:
            kernels.pick(self.probabilities_of(state, items), streams.uniforms(items.shape[1]), out[..., -1])
        return out

    def predict(self, state: Classifier, items: Array) -> Floats:
        """The most probable class (r, n); of equally probable ones the first."""
        return self.probabilities_of(state, items).argmax(axis=-1).astype(np.float64)

    def probabilities_of(self, state: Classifier, items: Array) -> Floats:
        """P(class | features), shape (r, n, C); rows sum to 1."""
        out = np.empty((*items.shape[:2], state.intercept.shape[1]))
        kernels.probabilities(np.ascontiguousarray(items, np.float64), state.coefficients, state.intercept, out)
        return out
