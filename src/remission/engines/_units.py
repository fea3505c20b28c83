"""Units that are given out, tried again and given up: the rule of three strikes, the same for every engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from remission.engines.limits import STRIKES, Later, Limits, Lost, Unit, sentence
from remission.errors import RemissionError

Result = TypeVar("Result")


class Units(Generic[Unit]):
    """Units by number, in the order they came.

    Attributes:
        open: those that are given out and not finished.
    """

    def __init__(self, units: Iterable[Unit | Later], limits: Limits) -> None:
        self.open: dict[int, Unit] = {}
        self._fresh, self._limits = enumerate(units), limits
        self._again: deque[int] = deque()
        self._strikes: dict[int, int] = {}

    def next(self) -> int | None:
        """A unit that was not tried yet, else one that is tried again: what ends workers does not hold up the rest."""
        for index, unit in self._fresh:
            if isinstance(unit, Later):
                break
            self.open[index] = unit
            return index
        return self._again.popleft() if self._again else None

    def again(self, index: int) -> None:
        """It never got its turn, which is not its doing."""
        self._again.append(index)

    def strike(self, index: int, why: str) -> tuple[Unit, Lost[Unit]] | None:
        """It ended its worker: tried again, or after three strikes given up."""
        self._strikes[index] = self._strikes.get(index, 0) + 1
        if self._strikes[index] < STRIKES:
            self._again.append(index)
            return None
        unit = self.finish(index)
        return unit, Lost(unit, why, sentence(why, self._limits))

    def finish(self, index: int) -> Unit:
        """It is done."""
        self._strikes.pop(index, None)
        return self.open.pop(index)


def none_lost(results: Iterable[tuple[Unit, Result | Lost[Unit]]]) -> Iterator[tuple[Unit, Result]]:
    """The results of units that must all be done. Raises RemissionError for one that is given up."""
    for unit, result in results:
        if isinstance(result, Lost):
            raise RemissionError(
                f"A worker process died {STRIKES} times on the same block. The likely cause is memory: "
                f"lower samples, or use fewer workers. Finished blocks are safe; the same command goes on."
            )
        yield unit, result
