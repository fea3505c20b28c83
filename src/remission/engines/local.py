"""Worker processes on this machine, one thread each."""

from __future__ import annotations

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from remission.errors import RemissionError

Unit = TypeVar("Unit")
Result = TypeVar("Result")

STRIKES = 3  # how often a unit whose worker died is tried
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of malloc.h
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


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
        _keep_memory()
        for unit in units:
            yield unit, function(unit)
        return
    strikes = dict.fromkeys(range(len(units)), 0)
    waiting = list(range(len(units)))
    while waiting:
        survivors: list[int] = []
        done: set[int] = set()
        pool = _pool(min(workers, len(waiting)))
        try:
            for index, result in _drain(pool, function, units, waiting, workers):
                done.add(index)
                yield units[index], result
        except _WorkerDied as died:
            for index in died.in_flight:
                strikes[index] += 1
                if strikes[index] >= STRIKES:
                    raise RemissionError(
                        f"A worker process died {STRIKES} times on the same block. The likely cause is memory: "
                        f"lower samples, or use fewer workers. Finished blocks are safe; the same command goes on."
                    ) from None
            survivors = [index for index in waiting if index not in done]
        finally:
            _stop(pool)
        waiting = survivors


class _WorkerDied(Exception):  # noqa: N818
    def __init__(self, in_flight: list[int]) -> None:
        super().__init__("a worker died")
        self.in_flight = in_flight


def _drain(
    pool: ProcessPoolExecutor,
    function: Callable[[Unit], Result],
    units: Sequence[Unit],
    waiting: list[int],
    workers: int,
) -> Iterator[tuple[int, Result]]:
    """Keep two units per worker in the queue, so that little is lost when the run is stopped."""
    queue = iter(waiting)
    pending: dict[Future[Result], int] = {}

    def feed() -> None:
        while len(pending) < 2 * workers:
            index = next(queue, None)
            if index is None:
                return
            pending[pool.submit(function, units[index])] = index

    try:
        feed()
        while pending:
            finished, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                result = future.result()  # before it leaves pending: a dead worker's unit is still in flight
                index = pending.pop(future)
                yield index, result
            feed()
    except BrokenProcessPool:
        raise _WorkerDied(list(pending.values())) from None


def _pool(workers: int) -> ProcessPoolExecutor:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # spawned workers read these before they import anything
    try:
        pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(list(sys.path),)
        )
        for started in [pool.submit(int) for _ in range(workers)]:  # start all while the environment is set
            started.result()
    except BrokenProcessPool:
        raise RemissionError(
            "Worker processes could not be started. In a script of your own, put the call under "
            "if __name__ == '__main__': (new processes import the script), or use workers = 1."
        ) from None
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return pool


def _begin(path: list[str]) -> None:
    """In the worker: find the user's modules, leave Ctrl-C to the parent."""
    sys.path[:] = path
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_with_parent() -> None:
    """In the worker: go when the parent is gone, however it ended; nobody is left to take the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _keep_memory() -> None:
    """Let freed arrays be used again without a detour through the system.

    Otherwise every generation's arrays are fresh pages, which the system must clear: up to half of the time. Only for
    the GNU C library; elsewhere nothing happens.
    """
    try:
        setting = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    setting(_MMAP_THRESHOLD, 32 << 20)  # the largest that is allowed
    setting(_TRIM_THRESHOLD, 512 << 20)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the pool and its workers now, by their own process ids."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        if process.is_alive():
            process.terminate()
    for process in processes:
        process.join(5)
