"""A Gaussian of pictures for every caption: text and pictures that train on each other, small enough for a closed form.

Rare captions lose the variety of their pictures first, for their Gaussian is refitted on as few samples as they happen to
get (Gao & Li, arXiv 2503.08117; THEORY X1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import CAPTIONED, Array, Dataset, Floats
from remission.errors import DataError, SpecError
from remission.interfaces import Model, Sampling, State
from remission.rng import Streams
from remission.world import World


@dataclass(frozen=True, eq=False)
class Captioned:
    """The fitted state.

    Attributes:
        p: probability of every caption (r, V).
        mean, variance: of the pictures of each caption, (r, V, d).
    """

    p: Floats
    mean: Floats
    variance: Floats


class CaptionedGaussian(Model):
    """P(caption), and for each caption N(mean, variance) of every pixel by maximum likelihood.

    A caption without pictures in the training set keeps its Gaussian of the fit before when fits start from there (``start =
    "previous"`` of the experiment), and has N(``mean``, ``std``^2) when there is none. In collapse the variance of rare
    captions falls first.

    Attributes:
        captions: fixed probabilities of the captions (a frozen text model); empty: their frequencies are refitted.
        mean, std: of pictures of a caption that no fit has seen yet.

    Raises:
        SpecError: captions of several tokens; probabilities that do not sum to 1 or are for another vocabulary.

    Source: the setting of Gao & Li, arXiv 2503.08117.

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> items = np.array([[[1.0, 0], [3.0, 0], [7.0, 1]]])
    >>> data = Dataset(Space("captioned", (2,), 2, picture=(1, 1)), items, np.zeros((1, 3), np.int32))
    >>> CaptionedGaussian().fit(data, None).variance.ravel()
    array([1., 0.])
    """

    accepts: ClassVar[frozenset[str]] = CAPTIONED
    warm: ClassVar[bool] = True

    captions: tuple[Annotated[float, Meta(ge=0, le=1)], ...] = ()
    mean: float = 0.0
    std: Annotated[float, Meta(ge=0)] = 1.0

    def check(self) -> None:
        """Probabilities sum to 1."""
        if self.captions and abs(sum(self.captions) - 1.0) > 1e-9:
            raise SpecError(f"captioned-gaussian: 'captions' must sum to 1. They sum to {sum(self.captions):.12g}.")

    def refuses(self, world: World) -> str:
        """Captions that are sentences; probabilities for another vocabulary."""
        space = world.space
        if space.shape[0] - space.pixels != 1:
            return "a caption must be one token. Try captions = true of a source with classes."
        if self.captions and len(self.captions) != space.size:
            return f"'captions' holds {len(self.captions)} probabilities, and there are {space.size} captions."
        return ""

    def fit(self, data: Dataset, streams: Streams, previous: State | None = None) -> Captioned:
        """Count captions; mean and variance of the pictures of each."""
        pictures, captions = data.items[..., :-1], data.items[..., -1].astype(np.int64)
        r, d, size = data.replicates, pictures.shape[2], data.space.size
        if captions.min(initial=0) < 0 or captions.max(initial=0) >= size:
            raise DataError(f"A caption is outside 0 .. {size - 1}. Check the last column of the items.")
        counts = np.zeros((r, size))
        mean, variance = np.full((r, size, d), self.mean), np.full((r, size, d), self.std**2)
        if previous is not None:
            mean, variance = previous.mean.copy(), previous.variance.copy()
        for c in range(size):
            here = (captions == c).astype(np.float64)
            counts[:, c] = here.sum(axis=1)
            seen = counts[:, c] > 0
            total = np.where(seen, counts[:, c], 1.0)[:, None]
            centre = (here[..., None] * pictures).sum(axis=1) / total
            spread = (here[..., None] * (pictures - centre[:, None, :]) ** 2).sum(axis=1) / total
            mean[seen, c], variance[seen, c] = centre[seen], spread[seen]
        p = np.broadcast_to(np.array(self.captions), (r, size)) if self.captions else counts / data.n
        return Captioned(p, mean, variance)

    def sample(self, state: Captioned, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Captions, then a picture for each, (r, n, d + 1)."""
        r, size, d = state.mean.shape
        edges = np.cumsum(state.p, axis=1)
        edges[:, -1] = np.inf  # whatever the sum has lost to rounding
        captions = (streams.sub("captions").uniforms(n)[:, :, None] > edges[:, None, :]).sum(axis=2)
        last = np.where(state.p > 0, np.arange(size), -1).max(axis=1)  # a caption that is gone stays so
        captions = np.minimum(captions, last[:, None])
        rows = np.arange(r)[:, None]
        noise = streams.sub("pictures").normals(n * d).reshape(r, n, d)
        pictures = state.mean[rows, captions] + np.sqrt(state.variance[rows, captions]) * noise
        return np.concatenate([pictures, captions[..., None]], axis=2)

    def pictures_of(self, state: Captioned) -> tuple[Floats, Floats]:
        """Mean and variance of the pixels of every caption's pictures, (r, V, d) each."""
        return state.mean, state.variance
