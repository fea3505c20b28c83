"""Memorised pictures: how many of the sample are a training picture, and how near the nearest one is."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import Floats
from remission.errors import SpecError
from remission.interfaces import Direction, Metric
from remission.metrics._features import Features, featured, pair, refusal
from remission.numerics.neighbours import nearest
from remission.view import View
from remission.world import World


class NearestImage(Metric):
    """The training pictures nearest to each generated one. Training pictures are those of fit 1.

    With d1 <= d2 the distances of a picture to its two nearest training pictures: ``copies`` = share of the sample with
    d1 < ``ratio`` x d2, near 0 in health, 1 for copies (a picture that was trained on twice has 0 / 0 and is a copy);
    ``closer`` = share of the sample with d1 at most the ``quantile`` of d1 of equally many reference pictures: about
    ``quantile`` in health, 1 for copies; ``gap`` = median of d1 / d2, at most 1: 0 for copies. A model that narrows
    onto its modes moves ``closer`` too, but hardly ``copies``. ``authenticity`` asks this of the sample as a whole.

    Attributes:
        ratio: how much nearer than the next one a training picture must be to count as copied.
        quantile: of the distances of real pictures that were never trained on.
        features: the ``items`` themselves, or features of pictures: ``classifier`` or ``random``, see ``frechet``.

    Raises SpecError with fewer than 2 training pictures.

    Source: Yoon, Choi, Kwon & Ryu, "Diffusion probabilistic models generalize when they fail to memorize" (2023), for
    the ratio of 1/3.

    >>> NearestImage(features="random").label
    'nearest-image[features=random]'
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"image"})
    columns: ClassVar[dict[str, Direction]] = {"copies": "rises", "closer": "rises", "gap": "falls"}
    sized: ClassVar[bool] = True

    ratio: Annotated[float, Meta(gt=0, lt=1)] = 1 / 3
    quantile: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    features: Features = "items"

    def refuses(self, world: World) -> str:
        """Features that this world does not have."""
        return refusal(self.features, world)

    def prepare(self, view: View) -> tuple[Floats, Floats, Floats]:
        """Reference and training pictures as points; the quantile (r,) of the distance between them."""
        if view.real.shape[1] < 2:
            raise SpecError("nearest-image needs at least 2 real training pictures. Raise samples.")
        m = min(view.evaluation, view.reference.shape[1])
        reference, real = (featured(view, self.features, which) for which in ("reference", "real"))
        far = [nearest(test[:m], train)[0][:, 0] for test, train in zip(reference, real, strict=True)]
        return reference, real, np.array([np.quantile(one, self.quantile, method="inverted_cdf") for one in far])

    def measure(self, view: View) -> dict[str, Floats]:
        """Three columns (r,)."""
        reference, real, limit = view.prepared
        out = np.empty((3, view.replicates))
        for i, sample in enumerate(pair(view, self.features, reference)[0]):
            one, two = nearest(sample, real[i], 2)[0].T
            with np.errstate(invalid="ignore", divide="ignore"):
                gap = np.where(two > 0, one / two, 0.0)
            out[:, i] = (gap < self.ratio).mean(), (one <= limit[i]).mean(), np.median(gap)
        return dict(zip(self.columns, out, strict=True))
