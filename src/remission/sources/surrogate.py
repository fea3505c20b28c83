"""A smooth stand-in for your own data, with a known law and as many fresh items as anybody asks for.

A finite file runs out when every generation wants fresh human items; a law fitted to it once does not, and closed forms apply.
"""

from __future__ import annotations

import functools
from typing import Annotated

import numpy as np
from msgspec import Meta

from remission.data import Array, Space
from remission.errors import DataError, SpecError
from remission.interfaces import FiniteSource, GenerativeSource, Source
from remission.laws import CategoricalLaw, MixtureLaw
from remission.rng import Streams

_LADDER = (1, 2, 3, 4, 6, 8, 12, 16)
_MOST = 20_000  # items the mixture is fitted to
_FULL = 12  # dimensions up to which every component has a covariance matrix of its own


class Surrogate(GenerativeSource):
    """The law of ``base``: relative frequencies of its symbols or tokens, or a Gaussian mixture of its vectors.

    Tokens become single symbols: what is kept of a text is how often each type is used, which is where collapse shows first.
    The mixture has the number of components with the best Bayesian information criterion among 1, 2, 3, 4, 6, 8, 12 and 16
    (Schwarz, "Estimating the dimension of a model", 1978), full covariances up to 12 dimensions and diagonal ones above.

    Attributes:
        base: a finite source, such as ``{ kind = "file", path = "mine.csv" }``.
        components: of the mixture; chosen when left out.

    Raises:
        SpecError: the base is a law already, or of labelled items.
        DataError: too few items for a mixture.

    >>> from remission.sources.digits import Digits
    >>> Surrogate(base=Digits(), components=2).law().weights.shape
    (2,)
    """

    base: Source
    components: Annotated[int, Meta(ge=1, le=200)] | None = None

    def check(self) -> None:
        """A finite source of vectors, pictures, symbols or tokens."""
        if not isinstance(self.base, FiniteSource):
            raise SpecError(f"surrogate: {self.base.name()} is a law already. Use it as the source itself.")

    @property
    def space(self) -> Space:
        """That of the base; tokens become symbols."""
        space = self.base.space
        if space.kind == "tokens":
            return Space("symbols", (), size=space.size, names=space.names)
        if space.kind not in ("vector", "image", "symbols"):
            raise SpecError(
                f"surrogate: {self.base.name()} gives {space.kind} items; vectors, pictures, symbols or text are needed."
            )
        return space

    def law(self) -> CategoricalLaw | MixtureLaw:
        """What was fitted."""
        return _fitted(self)

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh items (r, n) or (r, n, d)."""
        law = self.law()
        if isinstance(law, CategoricalLaw):
            return streams.categoricals(law.p, n)
        which = streams.sub("component").categoricals(law.weights, n)
        d = law.mean.size
        noise = streams.sub("noise").normals(n * d).reshape(len(streams), n, d)
        roots = np.linalg.cholesky(law.spreads)
        items = law.centres[which]
        for k, root in enumerate(roots):
            here = which == k
            items[here] += noise[here] @ root.T
        return items


@functools.lru_cache(maxsize=4)
def _fitted(source: Surrogate) -> CategoricalLaw | MixtureLaw:
    assert isinstance(source.base, FiniteSource)
    items, space = source.base.items(), source.space
    if space.kind == "symbols":
        counts = np.bincount(np.asarray(items).ravel(), minlength=space.size)
        return CategoricalLaw(counts / counts.sum())
    return _mixture(np.asarray(items, np.float64), source.components)


def _mixture(items: Array, components: int | None) -> MixtureLaw:
    from sklearn.mixture import GaussianMixture

    n, d = items.shape
    kept = items if n <= _MOST else items[np.random.default_rng(0).permutation(n)[:_MOST]]
    scale = kept.std(axis=0)
    scale[scale == 0] = 1.0
    shape = "full" if d <= _FULL else "diag"
    ladder = [k for k in _LADDER if len(kept) >= 5 * k * (d + 1)] if components is None else [components]
    if not ladder or len(kept) <= max(ladder):
        raise DataError(
            f"surrogate: {n} items of {d} numbers are too few for a mixture. Give more, or choose components."
        )
    fits = [GaussianMixture(k, covariance_type=shape, random_state=0, reg_covar=1e-6).fit(kept / scale) for k in ladder]
    best = min(fits, key=lambda fit: fit.bic(kept / scale))
    spreads = best.covariances_ if shape == "full" else np.stack([np.diag(row) for row in best.covariances_])
    return MixtureLaw.of(best.weights_, best.means_ * scale, spreads * scale[:, None] * scale)
