"""A model whose output is corrected towards what is known of the real world before anybody trains on it.

A correction of strength gamma divides what is left of every error by 1 + gamma, so that errors stop adding up (Gillman et
al., arXiv 2402.07087).
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import Array, Dataset, Floats, Space
from remission.errors import SpecError
from remission.interfaces import HasMoments, Labeller, LongModel, Model, Sampling, State
from remission.rng import Streams
from remission.world import World


class Corrected(Model, HasMoments):
    """The ``model``, whose samples x become (x + gamma pi(x)) / (1 + gamma), gamma = ``strength``.

    pi is the ideal correction of Gillman et al. onto a known Gaussian: the shift and scaling of every coordinate that takes
    the model's mean and standard deviation to ``mean`` and ``std``. gamma = 0 changes nothing; gamma to infinity puts every
    sample where it should be. In *replace* with known variance the squared error of the mean settles at
    (1/n) / (1 - 1 / (1 + gamma)^2) instead of growing like t/n.

    Fitted and measured is the bare model: what it has learned from corrected samples.

    Attributes:
        model: a model that knows its moments, such as gaussian or gmm; none that labels or trains a network.
        strength: gamma.
        mean, std: of the world as far as it is known, the same for every coordinate.

    Raises:
        SpecError: a model without moments.

    Source: Gillman et al., "Self-correcting self-consuming loops", arXiv 2402.07087 (ICML 2024), the correction of strength
    gamma; the fixed point is derived.

    >>> from remission import registry
    >>> Corrected(model=registry.load("models", "gaussian")(), strength=1.0).label
    'corrected[model=gaussian]'
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"vector"})

    model: Model
    strength: Annotated[float, Meta(ge=0)] = 1.0
    mean: float = 0.0
    std: Annotated[float, Meta(gt=0)] = 1.0

    def check(self) -> None:
        """The model can be corrected."""
        if not isinstance(self.model, HasMoments) or isinstance(self.model, (Labeller, LongModel)):
            raise SpecError(
                f"corrected: '{self.model.name()}' does not know its mean and variance. Try gaussian or gmm."
            )

    @property
    def knows(self) -> frozenset[str]:  # type: ignore[override]  # the model decides; read through instances only
        """As the model."""
        return self.model.knows

    @property
    def weighted(self) -> bool:  # type: ignore[override]  # the model decides; read through instances only
        """As the model."""
        return self.model.weighted

    @property
    def warm(self) -> bool:  # type: ignore[override]  # the model decides; read through instances only
        """As the model."""
        return self.model.warm

    def minimum(self, space: Space) -> int:
        """As the model."""
        return self.model.minimum(space)

    def refuses(self, world: World) -> str:
        """What the model refuses."""
        return self.model.refuses(dataclasses.replace(world, model=self.model))

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> State:
        """As the model."""
        return self.model.fit(data, streams, previous)

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Corrected items (r, n, d)."""
        items = self.model.sample(state, n, streams, sampling)
        if self.strength == 0:
            return items
        assert isinstance(self.model, HasMoments)
        mean, cov = self.model.moments(state)
        std = np.sqrt(np.einsum("rdd->rd", cov))[:, None, :]
        scale = np.divide(self.std, std, out=np.zeros_like(std), where=std > 0)  # a model at a point: to the mean
        ideal = self.mean + (items - mean[:, None, :]) * scale
        return np.asarray((items + self.strength * ideal) / (1 + self.strength))

    def moments(self, state: State) -> tuple[Floats, Floats]:
        """Those of the bare model."""
        assert isinstance(self.model, HasMoments)
        return self.model.moments(state)
