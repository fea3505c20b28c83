"""The tap of real data: a reference that is never trained on, and fresh items for as long as there are any."""

from __future__ import annotations

import numpy as np

from remission.data import REAL, Array, Dataset, Integers
from remission.errors import DataError
from remission.interfaces import FiniteSource, GenerativeSource, Source
from remission.rng import Streams


class RealData:
    """Real items of a block of replicates.

    A generative source is drawn from. A finite one is shuffled for every replicate on its own: the first
    ``reference`` items are set aside, the others are handed out once each; when they are used up, the same
    training items come again in a new order and :attr:`wrapped` says so; unless the source has a field ``again``
    that is false: then nothing comes twice.
    """

    def __init__(self, source: Source, streams: Streams, reference: int) -> None:
        """Set the reference aside; ``streams`` are the root streams of the block."""
        self.source = source
        self.space = source.space
        self._streams = streams
        self.wrapped = False
        self._cursor = np.zeros(len(streams), np.int64)
        self._orders: dict[int, Integers] = {}
        if isinstance(source, FiniteSource):
            self._items = source.items()
            self._set_aside = reference
            self.supply: int | None = self._items.shape[0] - reference
            if self.supply < 1:
                raise DataError(
                    f"{source.name()} has {self._items.shape[0]} items; a reference of {reference} leaves none to train "
                    f"on. Set reference (in [experiment]) lower."
                )
            self._split = streams.at(0, "split").subsets(self._items.shape[0], self._items.shape[0])
            self.reference = self._items[self._split[:, :reference]]
        elif isinstance(source, GenerativeSource):
            self.supply = None
            self.reference = self._sampled(reference, streams.at(0, "reference"))
        else:
            raise DataError(f"{source.name()} must derive from GenerativeSource or FiniteSource.")

    def clean(self, count: int, streams: Streams, active: Array | None = None) -> Array:
        """``count`` fresh items, shape (r, count, *item). Only ``active`` replicates (r,) use them up."""
        if self.supply is None:
            return self._sampled(count, streams)
        index = self._cursor[:, None] + np.arange(count)
        self._cursor += count if active is None else np.where(active, count, 0)
        epoch, place = np.divmod(index, self.supply)
        self.wrapped |= bool(epoch.any() if active is None else epoch[active].any())
        if self.wrapped and not getattr(getattr(self.source, "base", self.source), "again", True):
            raise DataError(
                f"{self.source.name()} has no more items: {self.supply:,} for training, and all were used. Set again = true "
                f"(in [source]) to use them again, give it more, or ask for fewer samples or generations."
            )
        chosen = np.empty_like(index)
        for number in np.unique(epoch):
            here = epoch == number
            rows = np.broadcast_to(np.arange(index.shape[0])[:, None], index.shape)[here]
            chosen[here] = self._order(int(number))[rows, place[here]]
        return self._items[chosen]

    @property
    def cursor(self) -> Integers:
        """How many training items each replicate was handed so far, shape (r,)."""
        return self._cursor.copy()

    def go_on(self, cursor: Integers, wrapped: bool) -> None:
        """Go on as if ``cursor`` items had been handed out."""
        self._cursor, self.wrapped = cursor.copy(), wrapped

    def draw(self, count: int, streams: Streams, active: Array | None = None) -> Dataset:
        """Fresh items as the loop gets to see them, with their true labels where there are labels."""
        clean = self.clean(count, streams, active)
        seen = self.source.corrupt(clean, streams.sub("corrupt"))
        truth = clean[..., -1] if self.space.kind in ("labelled", "regression") else None
        origins = np.broadcast_to(np.int32(REAL), (clean.shape[0], count))
        return Dataset(self.space, seen, origins, None, truth)

    def _order(self, epoch: int) -> Integers:
        """Item numbers of the training part in the order of this epoch, shape (r, supply)."""
        if epoch not in self._orders:
            training = self._split[:, self._set_aside :]
            if epoch:
                again = self._streams.at(0, f"order-{epoch}").subsets(training.shape[1], training.shape[1])
                training = np.take_along_axis(training, again, axis=1)
            self._orders[epoch] = training
        return self._orders[epoch]

    def _sampled(self, count: int, streams: Streams) -> Array:
        assert isinstance(self.source, GenerativeSource)
        items = self.source.sample(count, streams)
        return checked_items(items, (len(streams), count, *self.space.shape), self.source.name(), "drew")


def checked_items(items: Array, shape: tuple[int, ...], owner: str, verb: str) -> Array:
    """The items, if they have this shape and are finite numbers."""
    if items.shape != shape:
        raise DataError(f"{owner} {verb} items of shape {items.shape}; {shape} (replicates, n, item) was asked for.")
    with np.errstate(invalid="ignore", over="ignore"):
        total = items.sum()
    if items.dtype.kind == "f" and not np.isfinite(total) and not np.isfinite(items).all():
        raise DataError(f"{owner} {verb} NaN or infinity. Check its parameters and the data it was fitted to.")
    return items
