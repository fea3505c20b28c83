"""Work on many items in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from remission.networks.train import out_of_memory
from remission.notes import say


def in_chunks(count: int, size: int, work: Callable[[int, int], Tensor]) -> Tensor:
    """``work(start, stop)`` for 0 .. ``count`` in pieces of ``size``, put together on the CPU along the first axis.

    When memory runs out the size is halved, down to one, and the rest goes on with it; that is noted.

    >>> in_chunks(5, 2, lambda start, stop: torch.arange(start, stop)).tolist()
    [0, 1, 2, 3, 4]
    """
    done: list[Tensor] = []
    start = 0
    while start < count or not done:
        stop = min(count, start + size)
        try:
            done.append(work(start, stop).cpu())
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if size == 1 or not out_of_memory(error):
                raise
            size = (size + 1) // 2
        else:
            start = stop
            continue
        if torch.cuda.is_available():  # outside of the handler: the error keeps the frames, and their tensors, alive
            torch.cuda.empty_cache()
        say(f"memory ran out: work goes on {size} items at a time")
    return torch.cat(done)
