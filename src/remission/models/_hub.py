"""What models given by a folder share: what its files say, and which items each step of a fit takes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from remission.data import Dataset, Floats
from remission.desk import Desk, Tensors
from remission.errors import FitError, SpecError
from remission.interfaces import State
from remission.rng import Streams

if TYPE_CHECKING:
    import torch


ROOM = {"cpu": 2**30, "cuda": 8 * 2**30}  # bytes for one piece of work
AT_ONCE = 512  # items at most


_OPEN: dict[Any, Any] = {}


def held(key: Any, make: Callable[[], Any], afresh: bool = False) -> Any:
    """The network of this process: one at most, since opening takes long and two may not fit into memory."""
    if afresh or key not in _OPEN:
        _OPEN.clear()  # before the next one is read
        _OPEN[key] = make()
    return _OPEN[key]


def where(network: Any) -> torch.device:
    """The device a network reads from."""
    found: torch.device = next(network.parameters()).device
    return found


@dataclass(frozen=True, eq=False)
class Folder:
    """What the files of a language model say, without its weights.

    Attributes:
        path: the folder.
        config: its configuration, of transformers.
        names: the text of every token.
        start: the token every text begins with, or None.
        positions: how many tokens the model can read; None: any number.
        rows: how many tokens it knows.
    """

    path: Path
    config: Any
    names: tuple[str, ...]
    start: int | None
    positions: int | None
    rows: int


@functools.lru_cache(maxsize=4)
def language_model(path: Path) -> Folder:
    """Read a folder of a causal language model.

    Raises:
        SpecError: no folder of a model, or not a causal one.
        DataError: no tokenizer.
    """
    from remission.networks import causal, checkpoint, vocabulary

    if not path.is_dir():
        raise SpecError(f"model = '{path}' is a file. Give the folder that save_pretrained wrote.")
    checkpoint.configuration(path)
    config = causal.config_of(path)
    tokenizer = vocabulary.load(path)
    word = vocabulary.start(path)
    start = None if word is None else tokenizer.token_to_id(word)
    names, _ = vocabulary.names(tokenizer)
    return Folder(path, config, names, start, causal.positions(config), causal.rows(config))


def one_by_one(
    data: Dataset,
    streams: Streams,
    previous: State | None,
    desk: Desk,
    fit: Callable[[Dataset, Streams, Tensors | None, Desk], Tensors],
) -> Tensors:
    """Fit the replicates of a block in turn; the weights of all, with a leading axis r."""
    import torch

    from remission.networks.device import announce, one_thread

    announce()
    fitted = []
    with one_thread():
        for i, number in enumerate(streams.replicates):
            part = desk.part(f"replicate-{number}")
            weights = part.load("fitted")
            if weights is None:
                weights = fit(data.only(i), streams.only(i), None if previous is None else of(previous, i), part)
                if len(streams) > 1:  # a block that is stopped later does not fit this one again
                    part.save(weights, "fitted")
            fitted.append(weights)
    return {name: torch.stack([one[name] for one in fitted]) for name in fitted[0]}


def of(state: State, replicate: int) -> Tensors:
    """The state of one replicate, without the leading axis."""
    return {name: tensor[replicate] for name, tensor in state.items()}


def steps(epochs: float, steps: int, n: int, batch: int) -> int:
    """How many steps a fit takes: ``steps`` when given, else enough for ``epochs`` passes."""
    return steps or math.ceil(epochs * n / batch)


def fitting(network: Any, each: int) -> int:
    """How many items of this many bytes are worked on at once: by sizes alone, for bits depend on it."""
    return max(1, min(AT_ONCE, ROOM.get(where(network).type, ROOM["cpu"]) // max(1, each)))


def shares(weight: Floats | None, n: int) -> torch.Tensor:
    """The weight of each of n items of a replicate, 1 on average, (n,) float32."""
    import torch

    if weight is None:
        return torch.ones(n)
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise FitError("Weights of items must be finite, not negative and not all zero. Check the curators.")
    return torch.from_numpy((weight / weight.mean()).astype(np.float32))


def batches(streams: Streams, n: int, batch: int, desk: Desk) -> Callable[[], torch.Tensor]:
    """The numbers (batch,) of the items of each step, from the one on that ``desk`` goes on with.

    Every pass takes all n items in a new order.
    """
    import torch

    from remission.networks.dice import Dice

    dice = Dice(streams.sub("order").seeds())
    orders: list[torch.Tensor] = []  # of the passes so far
    work = desk.load()
    step = 0 if work is None else int(work["step"])

    def following() -> torch.Tensor:
        nonlocal step
        places = torch.arange(step * batch, (step + 1) * batch)
        while len(orders) <= int(places[-1]) // n:
            orders.append(dice.order(n)[0])
        step += 1
        return torch.stack([orders[place // n][place % n] for place in places.tolist()])

    return following
