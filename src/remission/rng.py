"""Named randomness: an independent stream per (seed, point, replicate, generation, purpose).

Because every draw has a name, adding a metric, changing the number of workers or the size of a block
leaves every trajectory bit-identical, and replicate 17 can be re-created alone.

>>> from remission.rng import Streams
>>> streams = Streams.of(seed=7, replicates=range(3)).at(2, "sample")
>>> streams.normals(2).shape
(3, 2)
>>> alone = Streams.of(seed=7, replicates=[2]).at(2, "sample")
>>> bool((alone.normals(2)[0] == streams.normals(2)[2]).all())
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from remission.numerics import random as kernels


@dataclass(frozen=True, eq=False)
class Streams:
    """The random streams of a block of replicates, for one purpose in one generation.

    Every call of a drawing method starts the stream anew: two calls on the same name return the same
    numbers. Draw once, or use :meth:`at` with another purpose.
    """

    seed: int
    point: str
    replicates: npt.NDArray[np.int64]
    generation: int = 0
    purpose: str = ""

    @classmethod
    def of(cls, seed: int, replicates: Iterable[int], point: str = "") -> Streams:
        """Streams for these replicate numbers of one grid point."""
        return cls(seed, point, np.asarray(list(replicates), dtype=np.int64))

    def at(self, generation: int, purpose: str) -> Streams:
        """The streams of another generation and purpose."""
        return Streams(self.seed, self.point, self.replicates, generation, purpose)

    def sub(self, purpose: str) -> Streams:
        """The streams of a purpose within this purpose (for a component that draws several things)."""
        return Streams(self.seed, self.point, self.replicates, self.generation, f"{self.purpose}/{purpose}")

    def only(self, index: int) -> Streams:
        """The streams of the replicate at this position alone."""
        return Streams(self.seed, self.point, self.replicates[index : index + 1], self.generation, self.purpose)

    def __len__(self) -> int:
        """How many replicates."""
        return self.replicates.size

    @property
    def words(self) -> tuple[np.uint64, np.uint64]:
        """The two words that, with a replicate's number, seed a compiled stream (see numerics.random)."""
        name = f"{self.seed}\x1f{self.point}\x1f{self.generation}\x1f{self.purpose}"
        digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
        return np.uint64(int.from_bytes(digest[:8], "little")), np.uint64(int.from_bytes(digest[8:], "little"))

    def generators(self) -> list[np.random.Generator]:
        """A NumPy generator per replicate, for code that is not compiled."""
        first, second = (int(word) for word in self.words)
        return [
            np.random.Generator(np.random.SFC64(np.random.SeedSequence([first, second, int(number)])))
            for number in self.replicates
        ]

    def seeds(self) -> list[int]:
        """A seed below 2^63 per replicate, for libraries with generators of their own."""
        return [int(generator.integers(2**63 - 1)) for generator in self.generators()]

    def normals(self, count: int) -> npt.NDArray[np.float64]:
        """Standard normals, shape (r, count)."""
        out = np.empty((len(self), count))
        kernels.normals(*self.words, self.replicates, out)
        return out

    def uniforms(self, count: int) -> npt.NDArray[np.float64]:
        """Uniforms on [0, 1), shape (r, count)."""
        out = np.empty((len(self), count))
        kernels.uniforms(*self.words, self.replicates, out)
        return out

    def integers(self, bound: int | npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
        """Uniform integers in [0, bound), shape (r, count); ``bound`` may differ by replicate, shape (r,)."""
        out = np.empty((len(self), count), np.int64)
        kernels.integers(*self.words, self.replicates, np.broadcast_to(np.asarray(bound, np.int64), len(self)), out)
        return out

    def subsets(self, total: int, count: int) -> npt.NDArray[np.int64]:
        """``count`` distinct integers below ``total`` in random order, shape (r, count)."""
        out = np.empty((len(self), count), np.int64)
        kernels.subsets(*self.words, self.replicates, total, out)
        return out

    def categoricals(self, weights: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
        """Symbols drawn in proportion to ``weights`` of shape (V,) or (r, V); shape (r, count)."""
        out = np.empty((len(self), count), np.int64)
        kernels.categoricals(*self.words, self.replicates, np.atleast_2d(weights), out)
        return out
