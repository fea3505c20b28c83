"""Symbol frequencies: the model of words without order, in which rare types die out one by one.

Fitting and sampling it in *replace* is the Wright-Fisher model of population genetics: a symbol that is missed once
is gone for ever, and the heterozygosity 1 - sum p^2 shrinks by 1 - 1/n per generation (THEORY rows D1-D6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from remission.data import SYMBOLS, Array, Dataset, Floats
from remission.errors import DataError, FitError
from remission.interfaces import FastModel, HasDensity, HasProbabilities, Sampling, State
from remission.laws import AnyLaw, CategoricalLaw
from remission.numerics import unigram as kernels
from remission.rng import Streams


@dataclass(frozen=True, eq=False)
class Counts:
    """Additive statistics: the total weight of every symbol."""

    counts: Floats  # (r, V)


@dataclass(frozen=True, eq=False)
class Frequencies:
    """The fitted state: the probability of every symbol, rows sum to 1."""

    p: Floats  # (r, V)


class Unigram(FastModel, HasProbabilities, HasDensity):
    """Independent symbols with the frequencies of the training set.

    With c_i the total weight of symbol i and ``smoothing`` = s, p_i = (c_i + s) / sum_j (c_j + s), the maximum of the
    likelihood for s = 0. In collapse fewer and fewer symbols have p_i > 0 and sum p^2 rises to 1.
    A sample is drawn from p^(1 / temperature), cut to the ``top_k`` most probable symbols, then to the fewest that
    hold ``top_p`` of the rest, renormalised; of equally probable symbols the first is kept.

    Attributes:
        smoothing: pseudo-count added to each of the V symbols (Laplace: 1); 0 keeps the bare estimate, in which an
            unseen symbol never returns.

    Source: Ewens, Mathematical Population Genetics (2004), section 1.4; Suresh et al., arXiv 2412.17646.

    >>> import numpy as np
    >>> from remission.data import Dataset, Space
    >>> data = Dataset(Space("symbols", (), 3), np.array([[0, 0, 0, 2]]), np.zeros((1, 4), np.int32))
    >>> Unigram().probabilities(Unigram().fit(data, None))
    array([[0.75, 0.  , 0.25]])
    """

    accepts: ClassVar[frozenset[str]] = SYMBOLS
    knows: ClassVar[frozenset[str]] = frozenset({"temperature", "top_k", "top_p"})
    weighted: ClassVar[bool] = True

    smoothing: Annotated[float, Meta(ge=0)] = 0.0

    def statistics(self, data: Dataset) -> Counts:
        """Weighted counts. Raises DataError for a symbol outside 0 .. V - 1."""
        counts = np.zeros((data.replicates, data.space.size))
        weight = np.empty((0, 0)) if data.weight is None else np.ascontiguousarray(data.weight)
        if not kernels.count(np.ascontiguousarray(data.items), weight, counts):
            raise DataError(_outside(data.space.size))
        return Counts(counts)

    def merge(self, one: Counts, other: Counts) -> Counts:
        """Counts add."""
        return Counts(one.counts + other.counts)

    def solve(self, statistics: Counts, previous: State | None = None) -> Frequencies:
        """Normalised counts. Raises FitError when a replicate has nothing to count."""
        counts = statistics.counts + self.smoothing if self.smoothing else statistics.counts
        total = counts.sum(axis=1)
        if not (np.isfinite(total) & (total > 0)).all():
            raise FitError(
                "A unigram needs at least one symbol with a positive finite weight per fit. "
                "Raise samples or the kept share, or set smoothing above 0."
            )
        return Frequencies(counts / total[:, None])

    def sample(self, state: Frequencies, n: int, streams: Streams, sampling: Sampling) -> Array:
        """Independent symbols, int64 (r, n)."""
        out = np.empty((len(streams), n), np.int64)
        options = (sampling.temperature, sampling.top_k, sampling.top_p)
        kernels.draw(*streams.words, streams.replicates, np.ascontiguousarray(state.p), *options, out)
        return out

    def draw_statistics(
        self, state: Frequencies, n: int, weight: float, streams: Streams, sampling: Sampling
    ) -> Counts:
        """A multinomial draw of the counts: the exact law of counting a sample."""
        out = np.zeros(state.p.shape)
        options = (float(weight), sampling.temperature, sampling.top_k, sampling.top_p)
        kernels.draw_counts(*streams.words, streams.replicates, np.ascontiguousarray(state.p), n, *options, out)
        return Counts(out)

    def state_of(self, law: AnyLaw, replicates: int) -> Frequencies | None:
        """A categorical law is a state."""
        if not isinstance(law, CategoricalLaw):
            return None
        return Frequencies(np.repeat(np.asarray(law.p, np.float64)[None], replicates, axis=0))

    def probabilities(self, state: Frequencies) -> Floats:
        """The frequencies themselves."""
        return state.p

    def log_density(self, state: Frequencies, items: Array) -> Floats:
        """Natural log-probability (r, m), minus infinity for a symbol that cannot be drawn."""
        out = np.empty(items.shape)
        if not kernels.log_probability(state.p, np.ascontiguousarray(items), out):
            raise DataError(_outside(state.p.shape[1]))
        return out


def _outside(size: int) -> str:
    return f"A symbol is outside 0 .. {size - 1}. Check that the data and its space (size = {size}) belong together."
