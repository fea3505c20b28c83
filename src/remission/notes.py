"""Notes: things a reader of the numbers must know, said deep inside a fit and collected by the loop.

>>> with collected() as told:
...     say("bfloat16 was chosen")
...     say("bfloat16 was chosen")
>>> list(told)
['bfloat16 was chosen']
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_TOLD: ContextVar[dict[str, None] | None] = ContextVar("told", default=None)


def say(text: str) -> None:
    """Note something once; lost when nobody collects."""
    told = _TOLD.get()
    if told is not None:
        told[text] = None


@contextlib.contextmanager
def collected() -> Iterator[dict[str, None]]:
    """The notes said inside, in order, as keys."""
    told: dict[str, None] = {}
    token = _TOLD.set(told)
    try:
        yield told
    finally:
        _TOLD.reset(token)
