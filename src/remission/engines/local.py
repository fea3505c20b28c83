"""Worker processes on this machine, one thread each, supervised: none that dies, hangs or swells stops the work."""

from __future__ import annotations

import multiprocessing.connection
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from remission.engines import _worker
from remission.engines._units import Units, none_lost
from remission.engines._worker import Worker
from remission.engines.limits import HUNGRY, KILLED, Later, Limits, Lost
from remission.errors import RemissionError

Unit = TypeVar("Unit")
Result = TypeVar("Result")

_LOOK = 0.1  # seconds between two looks at deadlines and memory
_STARTS = 10  # so many workers in a row may be killed while they start


def map_units(
    function: Callable[[Unit], Result], units: Sequence[Unit], workers: int = 1
) -> Iterator[tuple[Unit, Result]]:
    """Yield (unit, result) as units finish, in any order.

    With one worker everything runs in this process, in order. With more, each unit runs in a fresh-spawned worker
    process that uses one thread; ``function`` and units must be picklable. A worker that dies (killed, out of
    memory) is replaced and its unit tried again, three times in all. Leaving the iterator early (an exception,
    Ctrl-C) stops the workers; units in flight are lost, finished ones have been yielded.

    Raises:
        RemissionError: a unit killed its worker three times.
        Exception: whatever ``function`` raised, unchanged.
    """
    if workers <= 1 or len(units) <= 1:
        _worker.keep_memory()
        for unit in units:
            yield unit, function(unit)
        return
    yield from none_lost(supervise(function, units, min(workers, len(units))))


def supervise(
    function: Callable[[Unit], Result], units: Iterable[Unit | Later], workers: int = 1, limits: Limits | None = None
) -> Iterator[tuple[Unit, Result | Lost[Unit]]]:
    """Yield (unit, result) as units finish, in any order; for a unit that ends its worker three times, (unit, Lost).

    Every unit runs in a worker process of its own, also with one worker. A worker that dies, is past its deadline or
    holds too much memory is ended and replaced, and its unit tried again. Only the unit a worker was at gets a strike.

    Args:
        function: picklable. A MemoryError it raises is a strike; any other exception ends the mapping.
        units: picklable; taken one by one as workers become free. ``LATER`` means that there is none yet: it is asked again
            after the next result.
        workers: processes.
        limits: of each unit.

    Raises:
        RemissionError: workers cannot be started.
        Exception: whatever ``function`` raised, unchanged.
    """
    if workers < 1:
        raise RemissionError(f"There must be at least one worker. Got {workers}.")
    crew = _Crew(function, units, workers, limits or Limits())
    try:
        yield from crew.results()
    finally:
        crew.dismiss()


class _Crew(Generic[Unit, Result]):
    """Workers, the units they are at, and those to be tried again."""

    def __init__(
        self, function: Callable[[Unit], Result], units: Iterable[Unit | Later], most: int, limits: Limits
    ) -> None:
        self._function = bytes(ForkingPickler.dumps(function))
        self._units, self._most, self._limits = Units(units, limits), most, limits
        self._workers: list[Worker] = []
        self._starts = 0  # workers in a row that were killed before they were ready

    def results(self) -> Iterator[tuple[Unit, Result | Lost[Unit]]]:
        self._feed()
        while self._units.open:
            for worker in self._ready():
                answer = worker.answer()
                if answer is None:
                    yield from self._replace(worker, KILLED)
                elif answer[0] == _worker.READY:
                    self._starts = 0
                elif answer[0] == _worker.STARVED:
                    yield from self._replace(worker, HUNGRY)  # what it holds may be in a bad state
                elif answer[0] == _worker.RAISED:
                    raise answer[1]
                else:
                    unit = self._units.finish(worker.freed())
                    self._feed()  # before the result leaves: whoever takes it may take long
                    yield unit, answer[1]
            for worker in list(self._workers):
                if trouble := worker.trouble():
                    yield from self._replace(worker, trouble)
            self._feed()

    def dismiss(self) -> None:
        for worker in self._workers:
            worker.process.kill()  # all of them before the first is waited for
        for worker in self._workers:
            worker.end()

    def _ready(self) -> list[Worker]:
        """Workers that have something to say or are gone."""
        watched = self._limits.seconds is not None or self._limits.memory is not None
        by_pipe: dict[Any, Worker] = {worker.pipe: worker for worker in self._workers}
        found = multiprocessing.connection.wait([*by_pipe], _LOOK if watched else None)
        return [by_pipe[pipe] for pipe in found]

    def _feed(self) -> None:
        """Give every free worker a unit; start workers while there are units and places."""
        free = [worker for worker in self._workers if worker.index is None]
        while free or len(self._workers) < self._most:
            index = self._units.next()
            if index is None:
                return
            if not free:
                free.append(Worker(self._function, self._limits))
                self._workers += free
            free.pop().give(index, self._units.open[index])

    def _replace(self, worker: Worker, why: str) -> Iterator[tuple[Unit, Lost[Unit]]]:
        """End a worker; its unit is tried again, or given up. A new one starts when there is a unit for it."""
        self._workers.remove(worker)
        worker.end()
        index = worker.index
        if not worker.ready and why == KILLED:
            self._starts += 1
            if worker.failed_to_start or self._starts >= _STARTS:
                raise RemissionError(
                    "Worker processes could not be started. In a script of your own, put the call under "
                    "if __name__ == '__main__': (new processes import the script), or use workers = 1."
                )
            if index is not None:
                self._units.again(index)  # it never got to it
        elif index is not None and (lost := self._units.strike(index, why)) is not None:
            yield lost
