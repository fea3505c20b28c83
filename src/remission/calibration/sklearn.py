"""Any detector as a scikit-learn estimator: in pipelines, cross-validation and searches.

scikit-learn is imported when the class is first asked for.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from remission import registry
from remission.calibration.fitted import FittedDetector
from remission.documents import Documents
from remission.errors import DataError

if TYPE_CHECKING:
    DetectorClassifier: Any

FOLDS = 3


def __getattr__(name: str) -> Any:
    if name == "DetectorClassifier":
        return _classifier()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def labels(y: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[Any]]:
    """Whether each label means synthetic, and the two labels, human first.

    False and 0 mean human, True and 1 synthetic; of words "human", "real" mean human. Raises DataError otherwise.
    """
    given = np.asarray(y)
    classes = np.unique(given)
    if classes.size != 2:
        raise DataError(f"A detector learns from two labels, human and synthetic; it was given {classes.size}.")
    if classes.dtype.kind in "US":
        human = [name for name in classes if str(name).lower() in ("human", "real")]
        if len(human) != 1:
            raise DataError(f"Labels {classes.tolist()} do not say which is human. Use 'human' and 'ai', or 0 and 1.")
        classes = np.array([human[0], classes[classes != human[0]][0]])
    elif classes.tolist() not in ([0, 1], [-1, 1]):
        raise DataError(f"Labels {classes.tolist()} do not say which is human. Use 0 for human and 1 for synthetic.")
    return given == classes[1], classes


class _Methods:
    """The methods of DetectorClassifier; what they inherit from is imported later."""

    def __init__(self, kind: str = "text", random_state: int = 0, **parameters: Any) -> None:
        self.kind = kind
        self.random_state = random_state
        self._parameters = parameters
        for name, value in parameters.items():
            setattr(self, name, value)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters, the detector's own among them."""
        own = {name: getattr(self, name) for name in self._parameters}
        return {"kind": self.kind, "random_state": self.random_state, **own}

    def set_params(self, **parameters: Any) -> Any:
        """Change parameters; those of the detector are checked at fit."""
        for name, value in parameters.items():
            if name not in ("kind", "random_state"):
                self._parameters[name] = value
            setattr(self, name, value)
        return self

    def fit(self, X: Any, y: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> Any:
        """Fit the detector, and a logistic curve to cross-fitted scores.

        Args:
            X: n items.
            y: (n,) 0 and 1, False and True, or "human" and another word.
            groups: (n,) items of one group are never split, or None.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedGroupKFold

        synthetic, self.classes_ = labels(y)
        units = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
        examples = Documents(list(X), synthetic=synthetic, units=units)
        own = {name: getattr(self, name) for name in self._parameters}
        detector = registry.load("detectors", self.kind)(**own)
        few = min(np.unique(examples.sampling_units[flags]).size for flags in (synthetic, ~synthetic))
        scores = np.full(len(examples), np.nan)
        if few >= 2 * FOLDS:
            parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=self.random_state)
            for learn, judge in parts.split(scores, synthetic, examples.sampling_units):
                part = FittedDetector.fit(detector, examples.take(learn), self.random_state)
                scores[judge] = part.score([examples.items[place] for place in judge])
        known = np.isfinite(scores)
        self.platt_ = None
        if len(set(synthetic[known])) == 2:
            self.platt_ = LogisticRegression(C=1e6).fit(scores[known, None], synthetic[known])
        self.detector_ = FittedDetector.fit(detector, examples, self.random_state)
        return self

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Scores (n,), higher is more likely synthetic."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "detector_")
        return self.detector_.score(list(X))

    def transform(self, X: Any) -> npt.NDArray[np.float64]:
        """Scores (n, 1)."""
        return self.decision_function(X)[:, None]

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probabilities (n, 2) of human and synthetic, for a mix like that of the fit; NaN where not judged."""
        scores = self.decision_function(X)
        if self.platt_ is None:
            raise DataError(
                f"Probabilities need at least {2 * FOLDS} human and synthetic groups to cross-fit on. Give more."
            )
        out = np.full((scores.size, 2), np.nan)
        known = np.isfinite(scores)
        if known.any():
            out[known] = self.platt_.predict_proba(scores[known, None])
        return out

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The likelier label (n,); the human one where it was not judged."""
        return self.classes_[(np.nan_to_num(self.predict_proba(X)[:, 1]) > 0.5).astype(int)]

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:
        """The name of the one column of ``transform``."""
        return np.array([f"{self.kind}-score"], dtype=object)


@cache
def _classifier() -> type[Any]:
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

    class DetectorClassifier(_Methods, TransformerMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """A detector behind scikit-learn's interface.

        ``decision_function`` and ``transform`` give the detector's own score; 0 is no threshold with a promise.
        ``predict`` and ``predict_proba`` go through a logistic fit (Platt 1999) to scores of cross-fitted detectors,
        which holds for texts like those of the fit, mixed as they were mixed, and nowhere else. For an error rate that
        is a promise see :mod:`remission.calibration`.

        Items that cannot be judged score NaN; they are predicted human with probability NaN.

        Args:
            kind: the name of a detector, or ``module:Class``.
            random_state: the seed of everything random.
            **parameters: the detector's own.
        """

    DetectorClassifier.__module__ = __name__
    DetectorClassifier.__qualname__ = "DetectorClassifier"
    return DetectorClassifier
