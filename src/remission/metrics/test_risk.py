"""Test risk of a labeller: exact excess risk, loss on held-out real items, accuracy."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import numpy as np

from remission.data import LABELLED, REGRESSION, Array, Floats
from remission.interfaces import Direction, HasDensity, Labeller, Metric, State
from remission.laws import ClassesLaw, LinearLaw
from remission.numerics.labels import bayes_error, linear_excess, two_class_error
from remission.view import View


@runtime_checkable
class _HasClassProbabilities(Protocol):
    """A classifier that knows the probability of every class given the features."""

    def probabilities_of(self, state: State, items: Array) -> Floats:
        """P(class | features), shape (r, m, classes)."""


class TestRisk(Metric):
    """How wrong the newest labeller is on real items it was never trained on.

    ``excess``, rises: what is lost against the best rule, exact and free of test noise. For a known linear law with
    coefficients w0 and covariance C, and a state with ``coefficients`` w (r, d) and, if it has one, ``intercept`` b
    (r,): (w - w0)' C (w - w0) + b^2 (THEORY rows L1-L4). For two known Gaussian classes and the rule "class 1 where
    w . x + b > 0", from such a state or from one score per class (w (r, 2, d), b (r, 2)): its probability of error
    minus Bayes's. NaN when the law or the coefficients are not known, and for more classes.

    ``held-out``, rises: mean loss on the reference: squared error for a regression; for classes the log-loss
    - ln P(label | x) in nats if the model has ``probabilities_of(state, items)`` of shape (r, m, classes) or is a
    HasDensity (infinite, and reported so, when a true class has probability 0), else the share of wrong labels.

    ``accuracy``, falls: share of reference labels predicted, for classes; NaN for a regression.

    >>> sorted(TestRisk.columns)
    ['accuracy', 'excess', 'held-out']
    """

    __test__: ClassVar[bool] = False  # not a test case, whatever its name says to pytest
    accepts: ClassVar[frozenset[str]] = LABELLED | REGRESSION
    columns: ClassVar[dict[str, Direction]] = {"excess": "rises", "held-out": "rises", "accuracy": "falls"}
    needs: ClassVar[tuple[type, ...]] = (Labeller,)
    samples: ClassVar[bool] = False

    def measure(self, view: View) -> dict[str, Floats]:
        """Three columns (r,)."""
        predicted = cast(Labeller, view.model).predict(view.state, view.reference)
        truth = view.reference[..., -1]
        nothing = np.full(view.replicates, np.nan)
        if view.space.kind == "regression":
            squares = np.ascontiguousarray((predicted - truth) ** 2)
            return {"excess": _excess(view), "held-out": squares.mean(axis=1), "accuracy": nothing}
        accuracy = np.ascontiguousarray(predicted == truth).mean(axis=1)
        chance = _log_chance(view)
        loss = 1.0 - accuracy if chance is None else -chance.mean(axis=1)
        return {"excess": _excess(view), "held-out": loss, "accuracy": accuracy}


def _log_chance(view: View) -> Floats | None:
    """Log-probability of the label of every reference item (r, m), if the model knows it."""
    if isinstance(view.model, HasDensity):
        return np.ascontiguousarray(view.model.log_density(view.state, view.reference))
    if not isinstance(view.model, _HasClassProbabilities):
        return None
    chances = view.model.probabilities_of(view.state, view.reference)
    labels = view.reference[..., -1:].astype(np.int64)
    with np.errstate(divide="ignore"):
        return np.ascontiguousarray(np.log(np.take_along_axis(chances, labels, axis=2)[..., 0]))


def _excess(view: View) -> Floats:
    """Exact excess risk (r,), NaN where it is not known."""
    rule = _rule(view.state, view.replicates, view.space.features)
    law = view.law
    if rule is not None and isinstance(law, LinearLaw):
        return linear_excess(*rule, law.coefficients, law.cov)
    if rule is not None and isinstance(law, ClassesLaw) and law.shares.size == 2:
        least = bayes_error(law.shares, law.means, law.cov)
        return two_class_error(*rule, law.shares, law.means, law.cov) - least
    return np.full(view.replicates, np.nan)


def _rule(state: Any, replicates: int, features: int) -> tuple[Floats, Floats] | None:
    """Coefficients (r, d) and intercept (r,) of a state that has them."""
    coefficients: Any = getattr(state, "coefficients", None)
    intercept: Any = getattr(state, "intercept", None)
    if np.shape(coefficients) == (replicates, 2, features) and np.shape(intercept) == (replicates, 2):
        w, b = np.asarray(coefficients), np.asarray(intercept)
        return w[:, 1] - w[:, 0], b[:, 1] - b[:, 0]
    if coefficients is None or np.shape(coefficients) != (replicates, features):
        return None
    return coefficients, np.zeros(replicates) if intercept is None else np.asarray(intercept).reshape(replicates)
