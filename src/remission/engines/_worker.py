"""One worker process: fed with a unit at a time, watched, ended and replaced."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from multiprocessing.reduction import ForkingPickler
from typing import Any

from remission.engines.limits import HUNG, HUNGRY, Limits
from remission.errors import RemissionError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of malloc.h
_START = 60.0  # seconds that the start of a worker may take on top of its first deadline
READY, DONE, RAISED, STARVED = range(4)  # what a worker says first


class Worker:
    """A spawned process with one thread for numerics, and the unit it is at.

    Attributes:
        index: the unit it is at; None: it waits for one.
        ready: whether it has said that it is there.
    """

    def __init__(self, function: bytes, limits: Limits) -> None:
        """Start it. ``function`` is pickled."""
        self.limits, self.ready = limits, False
        self.index: int | None = None
        self._due = float("inf")
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(other, list(sys.path), function, limits), daemon=True, name="remission worker"
        )
        before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, "1"))  # read by a new process before it imports anything
        try:
            self.process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        other.close()

    def give(self, index: int, unit: Any) -> None:
        """Let it work on a unit. A worker that is gone already is found out later."""
        self.index = index
        self._set_due(0.0 if self.ready else _START)
        content = ForkingPickler.dumps(unit)
        with contextlib.suppress(OSError):
            self.pipe.send_bytes(content)

    def answer(self) -> tuple[int, Any] | None:
        """What it says; None when it is gone."""
        try:
            said, content = pickle.loads(self.pipe.recv_bytes())
        except (EOFError, OSError):
            return None
        if said == READY:
            self.ready = True
            self._set_due(0.0)
        return said, content

    def freed(self) -> int:
        """It waits for a unit again; the one it was at."""
        index, self.index = self.index, None
        assert index is not None
        return index

    def _set_due(self, more: float) -> None:
        self._due = time.monotonic() + (self.limits.seconds or float("inf")) + more

    def trouble(self) -> str:
        """Why it must be ended; empty when nothing is wrong."""
        if self.index is None or self.pipe.poll():  # what it has done counts, however late
            return ""
        if time.monotonic() > self._due:
            return HUNG
        if self.limits.memory is not None and _resident(self.process.pid) > self.limits.memory:
            return HUNGRY
        return ""

    def end(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.join(30)
        self.pipe.close()

    @property
    def failed_to_start(self) -> bool:
        """Whether it ended by itself before it was ready: its start is at fault, not a signal."""
        return not self.ready and self.process.exitcode is not None and self.process.exitcode > 0


def _resident(pid: int | None) -> int:
    """Bytes in memory of a process; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _serve(pipe: Any, path: list[str], function: bytes, limits: Limits) -> None:
    """In the worker: do unit after unit until the parent is gone."""
    sys.path[:] = path
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_memory()
    cap_memory(limits)
    work: Any = None
    pipe.send_bytes(pickle.dumps((READY, None)))
    while True:
        try:
            content = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        said: tuple[int, Any]
        try:
            work = pickle.loads(function) if work is None else work
            said = DONE, work(pickle.loads(content))
            answer = bytes(ForkingPickler.dumps(said))
        except MemoryError as error:
            answer = pickle.dumps((STARVED, str(error)))
        except Exception as error:
            answer = _dumped(error)
        pipe.send_bytes(answer)
        del content, answer


def _dumped(error: Exception) -> bytes:
    """An exception that can travel; one that cannot becomes its text."""
    error.add_note(f"In a worker process:\n{traceback.format_exc()}")
    try:
        pickle.loads(found := pickle.dumps((RAISED, error)))
    except Exception:
        return pickle.dumps((RAISED, RemissionError(f"{type(error).__name__} in a worker process: {error}")))
    return found


def _end_with_parent() -> None:
    """In the worker: go when the parent is gone, however it ended; nobody is left to take the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def cap_memory(limits: Limits) -> None:
    """Let allocations fail that would take this process to twice its limit, faster than anybody can watch."""
    if limits.memory is None or not sys.platform.startswith("linux"):
        return
    import resource

    most = 2 * limits.memory
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def keep_memory() -> None:
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
