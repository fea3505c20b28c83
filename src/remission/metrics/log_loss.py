"""Log-loss of a classifier as scikit-learn counts it: probabilities are kept off 0 and 1, so that it stays finite."""

from __future__ import annotations

from typing import Annotated, ClassVar, Protocol, runtime_checkable

import numpy as np
from msgspec import Meta

from remission.data import LABELLED, Floats
from remission.interfaces import Direction, Labeller, Metric, State
from remission.view import View
from remission.world import World


@runtime_checkable
class _HasClassProbabilities(Protocol):
    """A classifier that knows the probability of every class given the features."""

    def probabilities_of(self, state: State, items: Floats) -> Floats:
        """P(class | features), shape (r, m, classes)."""


class LogLoss(Metric):
    """Mean of - ln P(label | x) over the reference, P kept within [clip, 1 - clip]; in nats, rises in collapse.

    ``test-risk.held-out`` is the same without a clip, and infinite once a true class has probability 0. Published losses were
    mostly made with ``sklearn.metrics.log_loss``, whose clip is the machine precision of the probabilities, so that an item
    that is surely wrong costs 36 nats.

    Attributes:
        clip: the smallest probability.

    Raises:
        SpecError: the model does not know the probability of a class.

    >>> LogLoss().label
    'log-loss'
    """

    accepts: ClassVar[frozenset[str]] = LABELLED
    columns: ClassVar[dict[str, Direction]] = {"": "rises"}
    needs: ClassVar[tuple[type, ...]] = (Labeller,)
    samples: ClassVar[bool] = False

    clip: Annotated[float, Meta(gt=0, lt=0.5)] = 2.220446049250313e-16

    def refuses(self, world: World) -> str:
        """A model without probabilities."""
        known = isinstance(world.model, _HasClassProbabilities)
        return "" if known else f"{world.model.name()} does not know the probability of a class. Try model 'logistic'."

    def measure(self, view: View) -> dict[str, Floats]:
        """One column (r,)."""
        assert isinstance(view.model, _HasClassProbabilities)
        chances = view.model.probabilities_of(view.state, view.reference)
        labels = view.reference[..., -1:].astype(np.int64)
        chance = np.take_along_axis(chances, labels, axis=2)[..., 0]
        return {"": -np.log(np.clip(np.ascontiguousarray(chance), self.clip, 1 - self.clip)).mean(axis=1)}
