"""Held-out log-likelihood: mean log-density of the reference under the model."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remission.data import Floats
from remission.interfaces import Direction, HasDensity, Metric
from remission.view import View


class LogLikelihood(Metric):
    """Mean of ln p_model(x) over the reference, in nats per item; falls in collapse.

    Its negative is the population risk of the likelihood. Minus infinity as soon as one real item is impossible under
    the model, as after a singular covariance or a lost symbol. Reads no sample: it runs on the fast path.

    >>> LogLikelihood().label
    'log-likelihood'
    """

    columns: ClassVar[dict[str, Direction]] = {"": "falls"}
    needs: ClassVar[tuple[type, ...]] = (HasDensity,)
    samples: ClassVar[bool] = False

    def measure(self, view: View) -> dict[str, Floats]:
        """One column, shape (r,)."""
        model = view.model
        assert isinstance(model, HasDensity)
        return {"": np.ascontiguousarray(model.log_density(view.state, view.reference)).mean(axis=1)}
