"""Models made from scikit-learn style estimator classes, named by import path in an experiment.

An estimator with ``fit(X)`` and ``sample(n)`` becomes a generative model, one with ``fit(X, y)`` and ``predict(X)`` a
labeller. Its constructor parameters are the fields of the model, with the estimator's own defaults: mind the
regularisers it brings (``reg_covar``, ``alpha``, ``C``). It is fitted one replicate at a time.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import math
import warnings
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.component import plain
from remission.data import LABELLED, REGRESSION, VECTORS, Array, Dataset, Floats
from remission.errors import FitError, SpecError
from remission.interfaces import HasDensity, Labeller, Model, Sampling, State
from remission.rng import Streams

_Value = bool | int | float | str | None | tuple[Any, ...]


class _Estimator(Model):
    """What all adapted models share. ``path`` and ``estimator`` are set by :func:`adapt`."""

    path: ClassVar[str] = ""
    estimator: ClassVar[type[Any]]
    parameters: ClassVar[frozenset[str]] = frozenset()  # constructor parameters that are fields
    seeded: ClassVar[bool] = False  # the constructor takes random_state

    @classmethod
    def name(cls) -> str:
        """The import path."""
        return cls.path

    def table(self) -> dict[str, Any]:
        """Kind and parameters; one that is None, as by default, is left out because files cannot say it."""
        rows = super().table().items()
        return {key: value for key, value in rows if value is not None or getattr(type(self), key, 0) is not None}

    def __reduce__(self) -> tuple[Any, ...]:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return _restore, (self.path, self.estimator, values)

    def _make(self, rng: np.random.Generator) -> Any:
        values = {key: getattr(self, key) for key in self.parameters}
        if self.seeded:
            values["random_state"] = _integer(rng)
        return self.estimator(**values)

    def _fitted(self, rng: np.random.Generator, arguments: tuple[Array, ...], weight: Floats | None) -> Any:
        made = self._make(rng)
        options = {} if weight is None else {"sample_weight": weight}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # convergence: every generation would say so
                made.fit(*arguments, **options)
        except (ValueError, FloatingPointError, np.linalg.LinAlgError) as error:
            raise FitError(
                f"{self.path} could not be fitted: {error} Likely causes: 1. parameters that do not suit the data; 2. fewer "
                f"distinct items, or labels, than it needs: has the loop collapsed?; 3. NaN or infinite items."
            ) from error
        return made


class _Generator(_Estimator):
    """A generative estimator; the state is one fitted object per replicate, never changed."""

    accepts: ClassVar[frozenset[str]] = VECTORS

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> State:
        """Fit replicate by replicate."""
        weights = [None] * data.replicates if data.weight is None else list(data.weight)
        parts = zip(data.items, weights, streams.generators(), strict=True)
        return [self._fitted(rng, (items,), weight) for items, weight, rng in parts]

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Sample replicate by replicate, in random order (some estimators sort by component)."""
        rows = []
        for fitted, rng in zip(state, streams.generators(), strict=True):
            options = {}
            if "random_state" in inspect.signature(fitted.sample).parameters:
                options["random_state"] = _integer(rng)
            elif self.seeded:
                fitted = copy.copy(fitted)
                fitted.random_state = _integer(rng)
            drawn = fitted.sample(n, **options)
            drawn = drawn[0] if isinstance(drawn, tuple) else drawn
            rows.append(np.asarray(drawn, np.float64).reshape(n, -1)[rng.permutation(n)])
        return np.stack(rows)


class _Dense(_Generator, HasDensity):
    """A generative estimator with ``score_samples``."""

    def log_density(self, state: State, items: Array) -> Floats:
        """What ``score_samples`` says, (r, m)."""
        return np.stack([np.asarray(one.score_samples(row), float) for one, row in zip(state, items, strict=True)])


class _Supervised(_Estimator, Labeller):
    """A labelling estimator; the state is a list of (fitted object, noise) per replicate."""

    covariates: Literal["new", "same"] = "new"

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> State:
        """Fit replicate by replicate; regression noise is the standard deviation of the residuals unless given."""
        states = []
        weights = [None] * data.replicates if data.weight is None else list(data.weight)
        for items, weight, rng in zip(data.items, weights, streams.generators(), strict=True):
            features, label = items[:, :-1], items[:, -1]
            made = self._fitted(rng, (features, label), weight)
            states.append((made, self._spread(label - np.asarray(made.predict(features), float), weight)))
        return states

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Never called: a labeller labels given features."""
        raise SpecError(f"{self.path} labels features; it cannot generate items.")

    def predict(self, state: State, items: Array) -> Floats:
        """The estimator's ``predict``, (r, n)."""
        parts = zip(state, items, strict=True)
        return np.stack([np.asarray(made.predict(row[:, :-1]), float) for (made, _), row in parts])

    def _spread(self, residuals: Floats, weight: Floats | None) -> float:
        return 0.0


class _Regressor(_Supervised):
    """Adds normal noise: a given standard deviation, or that of the residuals (divided by W)."""

    accepts: ClassVar[frozenset[str]] = REGRESSION

    noise: Annotated[float, Meta(ge=0)] | Literal["fit"] = "fit"

    def relabel(self, state: State, items: Array, streams: Streams) -> Array:
        """Prediction plus noise in the last column."""
        out = np.array(items)
        spread = np.array([noise for _, noise in state])[:, None]
        out[..., -1] = self.predict(state, items) + spread * streams.normals(items.shape[1])
        return out

    def _spread(self, residuals: Floats, weight: Floats | None) -> float:
        return math.sqrt(np.average(residuals**2, weights=weight)) if isinstance(self.noise, str) else self.noise


class _Classifier(_Supervised):
    """Labels drawn from ``predict_proba``, or the likeliest."""

    accepts: ClassVar[frozenset[str]] = LABELLED

    labels: Literal["sample", "argmax"] = "sample"

    def check(self) -> None:
        """Drawing labels needs probabilities."""
        if self.labels == "sample" and not hasattr(self._make(np.random.default_rng(0)), "predict_proba"):
            raise SpecError(f"{self.path} gives no probabilities with these parameters. Try labels = 'argmax'.")

    def relabel(self, state: State, items: Array, streams: Streams) -> Array:
        """Labels in the last column."""
        out = np.array(items)
        if self.labels == "argmax":
            out[..., -1] = self.predict(state, items)
            return out
        uniforms = streams.uniforms(items.shape[1])
        for i, (made, _) in enumerate(state):
            reached = np.cumsum(made.predict_proba(items[i, :, :-1]), axis=1)
            chosen = (uniforms[i, :, None] * reached[:, -1:] >= reached).sum(axis=1)
            out[i, :, -1] = made.classes_[np.minimum(chosen, len(made.classes_) - 1)]
        return out


@functools.cache
def adapt(name: str, found: Any) -> type[Model] | None:
    """A model class for an estimator class found at the import path ``name``; None if it is no estimator.

    Raises:
        SpecError: an estimator that can neither be sampled nor label.

    >>> from sklearn.neighbors import KernelDensity
    >>> adapt("sklearn.neighbors:KernelDensity", KernelDensity)(bandwidth=0.3).label
    'sklearn.neighbors:KernelDensity[bandwidth=0.3]'
    """
    fit = getattr(found, "fit", None)
    if not isinstance(found, type) or not callable(fit):
        return None
    taken = inspect.signature(fit).parameters
    target = taken.get("y")
    if callable(getattr(found, "sample", None)):
        base: type[_Estimator] = _Dense if callable(getattr(found, "score_samples", None)) else _Generator
    elif target is not None and target.default is inspect.Parameter.empty and callable(getattr(found, "predict", None)):
        kind = getattr(found, "_estimator_type", None) or _kind_of(found)
        base = _Classifier if kind == "classifier" else _Regressor
    elif callable(getattr(found, "score_samples", None)):
        raise SpecError(
            f"'{name}' can score items but has no sample(n): it cannot be the model of a loop. A function that "
            f"calls its score_samples can be the score of a curator. Or choose an estimator with fit and sample, such as 'sklearn.neighbors:KernelDensity'."
        )
    else:
        raise SpecError(
            f"'{name}' has fit but neither sample(n) nor fit(X, y) with predict(X), so it can neither generate nor "
            f"label. Add sample(n) to it, or derive a class from remission.SimpleModel."
        )
    return _build(name, found, base, "sample_weight" in taken)


def _build(name: str, found: type[Any], base: type[_Estimator], weighted: bool) -> type[Model]:
    fields: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    own = {field.name for field in dataclasses.fields(base)}
    signature = inspect.signature(found.__init__).parameters
    for key, parameter in list(signature.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or key in own | {"random_state"}:
            continue
        value = tuple(parameter.default) if isinstance(parameter.default, list) else parameter.default
        if value is inspect.Parameter.empty:
            fields[key], hints[key] = None, _Value
        elif _is_plain(value):
            fields[key], hints[key] = value, _Value
    body: dict[str, Any] = {
        "__module__": __name__, "__qualname__": name.partition(":")[2], "__doc__": found.__doc__,
        "__annotations__": hints, "path": name, "estimator": found, "parameters": frozenset(fields),
        "seeded": "random_state" in signature, "weighted": weighted, **fields,
    }  # fmt: skip
    return type(found.__name__, (base,), body)


def _restore(name: str, found: Any, values: dict[str, Any]) -> Any:
    """An adapted model from its pickled form."""
    cls = adapt(name, found)
    assert cls is not None
    return cls(**values)


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(plain(value), (bool, int, float, str))


def _kind_of(found: type[Any]) -> str:
    """Classifier or regressor, for estimators that do not say it on the class (scikit-learn from 1.6 on)."""
    return "classifier" if any(base.__name__ == "ClassifierMixin" for base in found.__mro__) else "regressor"


def _integer(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31 - 1))
