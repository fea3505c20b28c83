"""Any labelled source whose labels are wrong at a given rate for the loop, but not for the reference."""

from __future__ import annotations

from typing import Annotated, Any, cast

from msgspec import Meta

from remission.data import Array, Integers, Space
from remission.errors import SpecError
from remission.interfaces import FiniteSource, GenerativeSource, Source
from remission.laws import AnyLaw
from remission.rng import Streams


class NoisyLabels(Source):
    """The items of ``base``; the label that the loop sees is wrong with probability ``rate``.

    Each item independently gets a uniformly random *other* class. Items as such stay clean: only :meth:`corrupt`
    makes the noise, so the reference and ``law`` are those of the base.

    A source is either a law or a finite set, and this is whichever its base is: making one returns the fitting private
    subclass, ``isinstance(..., FiniteSource)`` answers as it does for the base, and both go by the same name.

    Attributes:
        base: a labelled source.
        rate: the probability of a wrong label. With c classes, labels say nothing any more at 1 - 1/c.

    Raises:
        SpecError: from ``space``, when the items of the base have no class.

    >>> from remission.sources.classes import Classes
    >>> from remission.rng import Streams
    >>> source = NoisyLabels(base=Classes(), rate=1.0)
    >>> streams = Streams.of(7, range(2))
    >>> clean = source.sample(3, streams)
    >>> (source.corrupt(clean, streams) + clean)[..., -1]
    array([[1., 1., 1.],
           [1., 1., 1.]])
    """

    base: Source
    rate: Annotated[float, Meta(ge=0, le=1)] = 0.1

    def __new__(cls, base: Source | None = None, rate: float = 0.1) -> NoisyLabels:
        """The flavour of the base; ``base`` is missing only when a copy is unpickled."""
        if cls is NoisyLabels and isinstance(base, FiniteSource):
            return object.__new__(_NoisyFinite)
        if cls is NoisyLabels and isinstance(base, GenerativeSource):
            return object.__new__(_NoisyGenerative)
        return object.__new__(cls)

    def check(self) -> None:
        """A copy with another flavour of base would be neither."""
        if any(
            isinstance(self.base, flavour) != isinstance(self, flavour) for flavour in (FiniteSource, GenerativeSource)
        ):
            raise SpecError(
                "noisy-labels: a copy cannot change between a law and a finite set. Make a new NoisyLabels."
            )

    @property
    def space(self) -> Space:
        """That of the base."""
        space = self.base.space
        if space.kind != "labelled":
            raise SpecError(
                f"noisy-labels: items of '{self.base.name()}' are of kind '{space.kind}' and have no class to flip. "
                f"Choose a labelled base, such as classes, or digits with labels = true."
            )
        return space

    def law(self) -> AnyLaw | None:
        """The clean law of the base."""
        return self.base.law()

    def corrupt(self, items: Array, streams: Streams) -> Array:
        """Copies of items (r, n, d + 1) with wrong labels."""
        out = self.base.corrupt(items, streams.sub("base")).copy()
        size, n = self.space.size, items.shape[1]
        wrong = streams.sub("wrong").uniforms(n) < self.rate
        if size > 1:
            step = 1 + streams.sub("other").integers(size - 1, n)
            out[..., -1][wrong] = ((out[..., -1] + step) % size)[wrong]
        return out


class _NoisyGenerative(NoisyLabels, GenerativeSource):
    """Over a law."""

    def sample(self, n: int, streams: Streams) -> Array:
        """Fresh clean items of the base."""
        return cast(Any, self.base).sample(n, streams)


class _NoisyFinite(NoisyLabels, FiniteSource):
    """Over a finite set."""

    def items(self) -> Array:
        """The clean items of the base."""
        return cast(Any, self.base).items()

    def item_classes(self) -> Integers | None:
        """The clean classes of the base."""
        return cast(Any, self.base).item_classes()
