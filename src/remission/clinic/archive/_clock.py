"""Signed times that cannot be true, because a clock is wrong or was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from remission.errors import StoreError
from remission.gold.archive import is_ahead, now
from remission.gold.log import Log

_AHEAD: ContextVar[bool] = ContextVar("ahead", default=False)


@contextlib.contextmanager
def signing_ahead() -> Iterator[None]:
    """Sign although the last checkpoint lies in the future of this clock, with its time: none may be older than the one before it."""
    token = _AHEAD.set(True)
    try:
        yield
    finally:
        _AHEAD.reset(token)


def check_clock(log: Log) -> None:
    """Raise StoreError where the next signed time could not be true: the clock is wrong now, or was when the last was signed."""
    if log.checkpoints and is_ahead(log.head.time) and not _AHEAD.get():
        raise StoreError(
            f"The last checkpoint of '{log.folder}' was signed at {log.head.time}, and by this clock it is {now()}. If this clock is "
            "wrong, put it right. If that one was, no later checkpoint can have a true time: begin another archive, or sign with that "
            "time all the same (--clock-ahead)."
        )


def of_the_future(log: Log) -> list[str]:
    """A note where the newest checkpoint lies in the future of this clock."""
    signed = [one for one in log.checkpoints if one is not None]
    if not signed or not is_ahead(signed[-1].time):
        return []
    first = next(one for one in signed if is_ahead(one.time))
    return [
        f"From the checkpoint of {first.size:,} entries on, signed times lie in the future of this clock ({first.time}): one of the two "
        "clocks is wrong, and if theirs was, these times say nothing."
    ]
