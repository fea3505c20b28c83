"""A Gaussian mixture fitted by expectation-maximisation: full, diagonal, tied or low-rank covariances.

The model of the classic collapse figure: two moons, k = 2, 2,000 generations (Shumailov et al., Nature 631:755, 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from remission.data import VECTORS, Array, Dataset, Floats, Integers, Space
from remission.errors import FitError, SpecError
from remission.interfaces import HasDensity, HasMoments, Model, Sampling
from remission.numerics import mixture as kernels
from remission.numerics.gaussian import roots
from remission.numerics.mixture_em import DIAGONAL, FULL, LOW_RANK
from remission.numerics.mixture_init import start
from remission.rng import Streams

Covariance = Literal["full", "diagonal", "tied", "low-rank"]

_KINDS = {"full": FULL, "tied": FULL, "diagonal": DIAGONAL, "low-rank": LOW_RANK}
_LLOYD = 10  # steps after k-means++; EM does the rest


@dataclass(frozen=True, eq=False)
class Mixture:
    """The fitted state of k components in d dimensions.

    Attributes:
        covariance: which kind ``spread`` is.
        weights: (r, k), rows sum to 1; 0 for a component that lost its points.
        means: (r, k, d).
        spread: covariances (r, k, d, d); one for all (r, 1, d, d) when tied; variances (r, k, d, 1) when diagonal;
            the factors W (r, k, d, rank) of W W' + noise I when low-rank.
        noise: (r, k); zero unless low-rank.
        iterations: how many EM steps were made, (r,).
        converged: whether the tolerance was reached, (r,).
        likelihood: mean log-likelihood of the training set before the last step, (r,).
        singular: components that have collapsed onto a point, a line or a plane, (r, k).
    """

    covariance: Covariance
    weights: Floats
    means: Floats
    spread: Floats
    noise: Floats
    iterations: Integers
    converged: npt.NDArray[np.bool_]
    likelihood: Floats
    singular: npt.NDArray[np.bool_]

    @property
    def covariances(self) -> Floats:
        """Every covariance written out, (r, k, d, d)."""
        r, k, d = self.means.shape
        if self.covariance == "diagonal":
            return self.spread * np.eye(d)
        if self.covariance == "low-rank":
            return self.spread @ self.spread.transpose(0, 1, 3, 2) + self.noise[:, :, None, None] * np.eye(d)
        return np.broadcast_to(self.spread, (r, k, d, d))


class Gmm(Model, HasMoments, HasDensity):
    """p(x) = sum over c of weight_c N(x; mean_c, S_c), fitted by EM (Dempster, Laird & Rubin, JRSS B 39, 1977).

    With responsibilities r_ic of component c for item i and item weights w_i, a step sets weight_c = sum_i w_i r_ic / W,
    mean_c to the weighted mean and S_c to the weighted covariance about it (``full``), its diagonal, the average over
    components (``tied``), or the likeliest W_c W_c' + noise_c I with ``rank`` columns (``low-rank``; closed form,
    Tipping & Bishop, Neural Computation 11, 1999, eq. 7 and 8, appendix C). The likelihood never falls. In collapse weights
    go to zero one by one and the surviving covariances shrink.

    Degenerate components are kept as they are, visibly:

    * One whose share of the weight falls below 1e-200 gets weight 0 and keeps its last mean and covariance; it is never
      sampled and never comes back.
    * One that collapses onto a point, line or plane keeps its bare singular covariance, is flagged in
      ``Mixture.singular`` and stays part of the mixture: it takes the items on its support, at the resolution
      of the numbers, and generates items on it. It has no density, so ``log_density`` leaves it out.

    Attributes:
        components: k.
        covariance: ``full``, ``diagonal``, ``tied`` or ``low-rank``.
        rank: columns of W_c for ``low-rank``; less than the number of coordinates.
        initial: where a cold fit starts: one M-step from ``kmeans++`` clusters (10 Lloyd steps), or from ``random``
            responsibilities. A warm fit starts from the previous state.
        iterations: at most this many EM steps.
        tolerance: stop when the mean log-likelihood changes by less in a step (as scikit-learn does); 0: never.
        floor: added to the diagonal of every covariance at every step (scikit-learn's ``reg_covar``); above 0 it
            stops collapse.

    Raises:
        FitError: items that are not finite, no weight, or numbers that overflow.

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> from remission.rng import Streams
    >>> items = np.array([[[0.0], [2.0], [10.0], [14.0]]])
    >>> data = Dataset(Space("vector", (1,)), items, np.zeros((1, 4), np.int32))
    >>> state = Gmm(components=2).fit(data, Streams.of(0, [0]))
    >>> sorted((round(float(m), 3), round(float(v), 3)) for m, v in zip(state.means.ravel(), state.spread.ravel()))
    [(1.0, 1.0), (12.0, 4.0)]
    """

    accepts: ClassVar[frozenset[str]] = VECTORS
    knows: ClassVar[frozenset[str]] = frozenset({"bias", "temperature"})
    weighted: ClassVar[bool] = True
    warm: ClassVar[bool] = True

    components: Annotated[int, Meta(ge=1)] = 2
    covariance: Covariance = "full"
    rank: Annotated[int, Meta(ge=1)] = 8
    initial: Literal["kmeans++", "random"] = "kmeans++"
    iterations: Annotated[int, Meta(ge=1)] = 100
    tolerance: Annotated[float, Meta(ge=0)] = 1e-3
    floor: Annotated[float, Meta(ge=0)] = 0.0

    def minimum(self, space: Space) -> int:
        """Enough that not every fit is singular: k + 1 items, k + d for matrices, k + rank + 1 for low rank."""
        if self.covariance == "low-rank":
            return self.components + self._columns(space.features) + 1
        return self.components + (1 if self.covariance == "diagonal" else space.features)

    def fit(self, data: Dataset, streams: Streams, previous: Mixture | None = None) -> Mixture:
        """EM from the previous state, or from clusters of the items when there is none."""
        items = np.ascontiguousarray(data.items, np.float64)
        weight = np.empty((0, 0)) if data.weight is None else np.ascontiguousarray(data.weight, np.float64)
        r, kind, k = len(items), _KINDS[self.covariance], self.components
        status = np.zeros(r, np.int64)
        if previous is None:
            begun = self._empty(r, items.shape[2])
            lloyd = _LLOYD if self.initial == "kmeans++" else -1
            words = streams.sub("initial").words
            start(*words, streams.replicates, kind, items, weight, lloyd, self.floor, *begun, status)
            _raise(status, begun)
        else:
            begun = previous.weights.copy(), previous.means.copy(), previous.spread.copy(), previous.noise.copy()
        steps, converged = np.zeros(r, np.int64), np.zeros(r, np.bool_)
        likelihood, singular = np.zeros(r), np.zeros((r, k), np.bool_)
        kernels.fit(
            kind, items, weight, *begun, self.iterations, self.tolerance, self.floor,
            steps, converged, likelihood, singular, status,
        )  # fmt: skip
        _raise(status, begun)
        return Mixture(self.covariance, *begun, steps, converged, likelihood, singular)

    def sample(self, state: Mixture, n: int, streams: Streams, sampling: Sampling) -> Array:
        """An independent component for each item, then a draw from it.

        ``bias`` multiplies every component covariance and leaves weights and means (Alemohammad et al. 2307.01850 for
        one Gaussian); ``temperature`` T raises weights to 1 / T and multiplies the covariances by T, component by component.
        """
        weights, spread, noise = state.weights, state.spread, state.noise
        if sampling.temperature != 1.0:
            weights = (weights / weights.max(axis=1, keepdims=True)) ** (1.0 / sampling.temperature)
        scale = sampling.bias * sampling.temperature
        if state.covariance == "diagonal":
            root = np.sqrt(spread * scale)
        elif state.covariance == "low-rank":
            root, noise = spread * np.sqrt(scale), noise * scale
        else:
            d = spread.shape[3]
            root = roots((spread * scale).reshape(-1, d, d)).reshape(spread.shape)
        out = np.empty((len(streams), n, state.means.shape[2]))
        kind = _KINDS[state.covariance]
        kernels.draw(*streams.words, streams.replicates, kind, weights, state.means, root, noise, out)
        return out

    def moments(self, state: Mixture) -> tuple[Floats, Floats]:
        """Mean and covariance of the whole mixture: within plus between components."""
        r, _, d = state.means.shape
        mean, cov = np.empty((r, d)), np.empty((r, d, d))
        kind = _KINDS[state.covariance]
        kernels.moments(kind, state.weights, state.means, state.spread, state.noise, mean, cov)
        return mean, cov

    def log_density(self, state: Mixture, items: Array) -> Floats:
        """Natural log-density (r, m) of the components that have one; minus infinity when none has."""
        items = np.ascontiguousarray(items, np.float64)
        out = np.empty(items.shape[:2])
        kind = _KINDS[state.covariance]
        kernels.log_density(kind, items, state.weights, state.means, state.spread, state.noise, out)
        return out

    def _columns(self, d: int) -> int:
        if self.rank >= d:
            raise SpecError(
                f"gmm: low-rank needs a rank below the number of coordinates. Got rank = {self.rank} for {d} coordinates. "
                f"Try {f'rank = {min(8, d - 1)}' if d > 1 else 'diagonal'}, or covariance = 'full'."
            )
        return self.rank

    def _empty(self, r: int, d: int) -> tuple[Floats, Floats, Floats, Floats]:
        k = self.components
        if self.covariance == "low-rank":
            shape = (r, k, d, self._columns(d))
        else:
            shape = (r, 1 if self.covariance == "tied" else k, d, 1 if self.covariance == "diagonal" else d)
        return np.zeros((r, k)), np.zeros((r, k, d)), np.zeros(shape), np.zeros((r, k))


def _raise(status: Integers, parts: tuple[Floats, ...]) -> None:
    """Raise FitError unless every replicate has finite parameters."""
    bad = status != kernels.FINE
    for part in parts:
        bad = bad | ~np.isfinite(part).reshape(len(part), -1).all(axis=1)
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        what = {
            kernels.NOT_FINITE: "its items are not all finite numbers",
            kernels.NO_WEIGHT: "its items have no weight",
        }.get(int(status[i]), "its numbers overflow")
        raise FitError(
            f"gmm: {int(bad.sum())} of {len(status)} replicates of the block could not be fitted; the one at position {i}: "
            f"{what}. Likely causes: 1. NaN or infinite values in the source or an earlier model; 2. weights that are all zero "
            f"(a curator?); 3. a loop that diverges (bias or temperature above 1): lower it, or run fewer generations; "
            f"4. coordinates above 1e150: rescale them."
        )
