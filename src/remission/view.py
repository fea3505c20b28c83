"""What a metric sees of one generation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from remission.data import Array, Dataset, Floats, Space
from remission.errors import SpecError
from remission.interfaces import HasMoments, Labeller, Model, Sampling, Source, State
from remission.laws import AnyLaw
from remission.rng import Streams


@dataclass(frozen=True, eq=False)
class View:
    """One generation of a block, for metrics. Everything random is named, so reading it changes nothing.

    Attributes:
        generation: t.
        space: what an item is.
        law: the exact real distribution, or None.
        reference: real items never trained on, ``(r, m, *item)``.
        real: the real items of fit 1, ``(r, n, *item)``: what a model could have memorised.
        model, state, sampling: the newest model and how it is sampled.
        training: what it was fitted on; None on the fast path.
        evaluation: how many items :attr:`sample` has.
        source: where real items come from.
        first: the state of fit 1, the model of real data.
        streams: randomness of the metric's own (already named for it).
        prepared: what ``Metric.prepare`` returned.
    """

    generation: int
    space: Space
    law: AnyLaw | None
    reference: Array
    real: Array
    model: Model
    state: State
    sampling: Sampling
    training: Dataset | None
    evaluation: int
    streams: Streams
    prepared: Any = None
    source: Source | None = None
    first: State | None = None
    cache: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def replicates(self) -> int:
        """R."""
        return len(self.streams)

    @property
    def sample(self) -> Array:
        """A fresh evaluation draw of the newest model, ``(r, evaluation, *item)``; a labeller labels the reference."""
        if "sample" not in self.cache:
            named = self.streams.at(self.generation, "evaluation")
            if isinstance(self.model, Labeller):
                drawn = self.model.relabel(self.state, self.reference[:, : self.evaluation], named)
            else:
                drawn = self.model.sample(self.state, self.evaluation, named, self.sampling)
            self.cache["sample"] = drawn
        return self.cache["sample"]

    def pair(self) -> tuple[Array, Array]:
        """(sample, reference), cut to equally many items: for metrics that move with the number of items."""
        m = min(self.sample.shape[1], self.reference.shape[1])
        return self.sample[:, :m], self.reference[:, :m]

    def moments(self, of: str) -> tuple[Floats, Floats]:
        """Mean (r, d) and covariance (r, d, d; divided by n) of the ``model``, ``sample`` or ``training`` set."""
        key = f"moments/{of}"
        if key not in self.cache:
            if of == "model":
                if not isinstance(self.model, HasMoments):
                    raise SpecError(f"{self.model.name()} does not know its moments. Try of = 'sample'.")
                self.cache[key] = self.model.moments(self.state)
            else:
                from remission.numerics.moments import mean_and_scatter

                if of == "training" and self.training is None:
                    raise SpecError("The fast path has no training sample. Set fast = false, or of = 'model'.")
                items = self.sample if of == "sample" else self.training.items  # type: ignore[union-attr]
                weight = None if of == "sample" else self.training.weight  # type: ignore[union-attr]
                total, mean, scatter = mean_and_scatter(np.asarray(items, np.float64), weight)
                self.cache[key] = mean, scatter / total[:, None, None]
        return self.cache[key]

    def for_metric(self, streams: Streams, prepared: Any) -> View:
        """The same generation with another metric's randomness and preparation."""
        return dataclasses.replace(self, streams=streams, prepared=prepared)

    def field(self, name: Literal["picture", "caption"]) -> View:
        """One field of captioned items: a generation of pictures, or of texts, for metrics of those."""
        key = f"field/{name}"
        if key not in self.cache:
            self.cache[key] = {"sample": self._cut(self.sample, name)}
        training = self.training
        if training is not None:
            training = dataclasses.replace(
                training, space=training.space.field(name), items=self._cut(training.items, name)
            )
        return dataclasses.replace(
            self, space=self.space.field(name), law=None, reference=self._cut(self.reference, name),
            real=self._cut(self.real, name), training=training, cache=self.cache[key],
        )  # fmt: skip

    def _cut(self, items: Array, name: str) -> Array:
        pixels = self.space.pixels
        return items[..., :pixels] if name == "picture" else items[..., pixels:].astype(np.int64)
