"""What a unit of work may use, and what is said of one that cannot be done: the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from remission.errors import SpecError

Unit = TypeVar("Unit")

STRIKES = 3  # how often a unit whose worker ends is tried
KILLED, HUNG, HUNGRY = "killed", "hung", "memory"


class Later:
    """What an iterator of units yields while there is none, but results that are under way may bring some."""


LATER = Later()


@dataclass(frozen=True)
class Limits:
    """What one unit may use in a worker of its own.

    Attributes:
        seconds: how long it may take; None: as long as it likes.
        memory: bytes that its worker may hold in memory, the interpreter and its libraries included (about 100 MiB);
            None: no limit. Checked several times a second where the system tells (Linux); allocations of twice as much fail
            at once.
    """

    seconds: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise SpecError(f"A deadline must be above 0 seconds. Got {self.seconds:g}.")
        if self.memory is not None and self.memory < 128 << 20:
            raise SpecError(f"A worker needs at least 128 MiB of memory. Got {self.memory / 2**20:.0f} MiB.")


@dataclass(frozen=True)
class Lost(Generic[Unit]):
    """A unit that ended its worker three times.

    Attributes:
        unit: it.
        why: ``killed`` (a crash, or the system was out of memory), ``hung`` (past its deadline) or ``memory``: what
            happened the last time.
        said: the same in a sentence.
    """

    unit: Unit
    why: str
    said: str


def sentence(why: str, limits: Limits) -> str:
    """What happened to a worker, in words."""
    if why == HUNG:
        return f"its worker was not done after {limits.seconds:g} s"
    if why == HUNGRY:
        known = "" if limits.memory is None else f" (more than {limits.memory >> 20} MiB)"
        return f"its worker ran out of memory{known}"
    return "its worker process died"
