"""Plain Ray tasks on a cluster that is there already: the same function, the same units, the same results."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from remission.engines._units import Units, none_lost
from remission.engines._worker import cap_memory, keep_memory
from remission.engines.limits import HUNG, HUNGRY, KILLED, Later, Limits, Lost
from remission.errors import RemissionError, need

Unit = TypeVar("Unit")
Result = TypeVar("Result")

PATIENCE = 120.0  # seconds that a cluster may be without a single processor
_LOOK = 5.0  # seconds between two looks at how many processors there are


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, as a place where the blocks of an experiment run.

    Attributes:
        address: such as ``127.0.0.1:6379``; ``auto``: the one on this machine.
    """

    address: str = "auto"

    def processors(self) -> int:
        """How many it has now; waits for the first. Raises as :func:`supervise`."""
        with _joined(self.address) as ray:
            return _processors(ray)

    def map_units(
        self, function: Callable[[Unit], Result], units: Sequence[Unit], workers: int
    ) -> Iterator[tuple[Unit, Result]]:
        """As :func:`remission.engines.local.map_units`, with at most ``workers`` units at a time. Raises as :func:`supervise`."""
        return none_lost(supervise(function, units, self.address, most=workers))


def supervise(
    function: Callable[[Unit], Result],
    units: Iterable[Unit | Later],
    address: str = "auto",
    limits: Limits | None = None,
    most: int | None = None,
) -> Iterator[tuple[Unit, Result | Lost[Unit]]]:
    """As :func:`remission.engines.local.supervise`, on the processors of a Ray cluster.

    The package must be installed on every machine in the same version, and files must have the same paths everywhere; tasks
    work in the folder of the caller, so that relative ones mean the same. A task that loses its worker or its machine is tried again, three times in all. Nothing of the cluster is started, stopped or set
    up; its authentication stays as it is.

    Args:
        function: picklable and importable there.
        units: picklable; at most one for each processor is under way.
        address: of the cluster, such as ``127.0.0.1:6379``; ``auto``: the one on this machine.
        limits: of each unit; a task past its deadline ends its worker.
        most: units under way at a time; None: as many as there are processors.

    Raises:
        MissingExtra: Ray is not installed. RemissionError: there is no cluster at the address, or it has no processors.
        Exception: whatever ``function`` raised, unchanged.
    """
    with _joined(address) as ray:
        yield from _Tasks(ray, function, units, limits or Limits(), most).results()


@contextlib.contextmanager
def _joined(address: str) -> Iterator[Any]:
    """The library, connected to a cluster; left at the end, unless it was connected before. The cluster goes on."""
    need("ray", "The engine 'ray'", "ray")
    import ray

    if ray.is_initialized():
        yield ray
        return
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError) as error:
        said = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise RemissionError(
            f"No Ray cluster answers at '{address}': {said}. Start one with `ray start --head`, or use the local engine."
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError when nobody listens at ``host:port``; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _do(function: Callable[[Unit], Result], unit: Unit, limits: Limits, folder: str) -> tuple[bool, Any]:
    """On a processor of the cluster: (done, result), or (not done, why its memory was not enough)."""
    before = os.getcwd()  # which Ray chose, and looks for modules in
    with contextlib.suppress(OSError):  # where the folder is not there, files that are looked for in it are not either
        os.chdir(folder)
    keep_memory()
    cap_memory(limits)
    if limits.seconds is not None:  # a thread of its own ends the process, whatever the task is doing
        faulthandler.dump_traceback_later(limits.seconds, exit=True)
    try:
        return True, function(unit)
    except MemoryError as error:
        return False, str(error)
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.chdir(before)


def _processors(ray: Any) -> int:
    """How many there are now; waits for the first."""
    deadline = time.monotonic() + PATIENCE
    while (count := int(ray.cluster_resources().get("CPU", 0))) < 1:
        if time.monotonic() > deadline:
            raise RemissionError(f"The Ray cluster has had no processor for {PATIENCE:.0f} s. Add a machine to it.")
        time.sleep(1.0)
    return count


class _Tasks:
    """Tasks under way, and units to be tried again."""

    def __init__(
        self, ray: Any, function: Callable[[Any], Any], units: Iterable[Any], limits: Limits, most: int | None
    ) -> None:
        self._ray, self._function, self._limits, self._most = ray, function, limits, most
        # our own count of trials, so that a unit that ends workers is told from one whose machine went away
        self._task = ray.remote(num_cpus=1, max_retries=0, max_calls=0)(_do)
        self._units: Units[Any] = Units(units, limits)
        self._flying: dict[Any, tuple[int, float]] = {}
        self._places, self._looked = 0, -_LOOK

    def results(self) -> Iterator[tuple[Any, Any]]:
        """As they come."""
        try:
            self._feed()
            while self._units.open:
                ready, _ = self._ray.wait([*self._flying], timeout=_LOOK) if self._flying else ([], [])
                for task in ready:
                    yield from self._take(task)
                self._feed()
        finally:
            for task in self._flying:
                with contextlib.suppress(Exception):  # we leave anyway
                    self._ray.cancel(task, force=True)

    def _take(self, task: Any) -> Iterator[tuple[Any, Any]]:
        errors = self._ray.exceptions
        index, began = self._flying.pop(task)
        try:
            finished, result = self._ray.get(task)
            why = "" if finished else HUNGRY
        except errors.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            raise cause from None
        except (errors.NodeDiedError, errors.ObjectLostError):
            self._units.again(index)  # the machine went, which is not the unit's doing
            return
        except errors.OutOfMemoryError:
            why = HUNGRY
        except (errors.WorkerCrashedError, errors.RaySystemError, errors.LocalRayletDiedError):
            late = self._limits.seconds is not None and time.monotonic() - began >= self._limits.seconds
            why = HUNG if late else KILLED
        if not why:
            yield self._units.finish(index), result
        elif (lost := self._units.strike(index, why)) is not None:
            yield lost

    def _feed(self) -> None:
        """One task for every processor, so that deadlines run from when a task begins."""
        if time.monotonic() - self._looked >= _LOOK:
            self._places, self._looked = _processors(self._ray), time.monotonic()
        while len(self._flying) < min(self._places, self._most or self._places):
            index = self._units.next()
            if index is None:
                return
            task = self._task.remote(self._function, self._units.open[index], self._limits, os.getcwd())
            self._flying[task] = index, time.monotonic()
