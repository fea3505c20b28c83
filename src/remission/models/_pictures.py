"""What models of pictures share: items to tensors and back, captions, training, and drawing in chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from remission.data import Array, Dataset, Floats, Space
from remission.desk import Desk
from remission.errors import DataError, FitError, SpecError, need
from remission.interfaces import State
from remission.rng import Streams

if TYPE_CHECKING:
    from torch import Tensor, nn

    from remission.networks.dice import Dice
    from remission.networks.replicates import Items, Kind
    from remission.networks.train import Plan
    from remission.world import World

CHUNK = 256  # items drawn at once; part of what a seed means
TOGETHER = 8  # stacked replicates that are trained at once
FEW = 128  # numbers of an item that a narrow network learns as well
SMALL = 12  # pixels a side: below, layers of a picture are dense


@dataclass(frozen=True)
class Frame:
    """What an item looks like to a network.

    Attributes:
        size: d, numbers without the caption.
        height, breadth, channels: of a picture; 0 where there is none.
        length, types: of a caption; 0 where there is none.
    """

    size: int
    height: int
    breadth: int
    channels: int
    length: int
    types: int

    @classmethod
    def of(cls, space: Space) -> Frame:
        """From a space of vectors, images or captioned pictures."""
        size = space.pixels if space.kind == "captioned" else space.shape[0]
        length = space.shape[0] - size
        picture = (*space.picture, space.channels) if space.picture and size == space.pixels else (0, 0, 0)
        return cls(size, *picture, length, space.size if length else 0)

    @classmethod
    def kept(cls, state: State) -> Frame:
        """Of a fitted state."""
        return cls(*state["frame"][0].tolist())

    @property
    def picture(self) -> tuple[int, int, int] | None:
        """Height, breadth, channels."""
        return (self.height, self.breadth, self.channels) if self.height else None

    @property
    def large(self) -> bool:
        """Whether it is a picture that is better seen through convolutions."""
        return min(self.height, self.breadth) >= SMALL

    def hidden(self, given: int | None) -> int:
        """The width of a dense network, by the size of an item where none is given.

        On 8 x 8 digits width 64 costs a few percent of the confident pictures that 128 draws, and is what lets the
        stacked networks of 8 replicates train more than twice as fast as one after another.
        """
        return given or (64 if self.size <= FEW else 256)

    def __str__(self) -> str:
        """As the measurement of the precision is named."""
        shape = f"{self.height} x {self.breadth} x {self.channels}" if self.height else str(self.size)
        return shape + (f" and {self.length} of {self.types} types" if self.length else "")


@dataclass(frozen=True)
class Job:
    """A fit: what a model asks for beyond the data.

    Attributes:
        kind: of network.
        what: the network in words, for the measurement of the precision.
        plan: how to train.
        precision: as wanted.
        silent: share of captions left out.
    """

    kind: Kind
    what: str
    plan: Plan
    precision: Any
    silent: float = 0.0


def refusal(name: str, warm_steps: int, world: World) -> str:
    """A missing extra, or a field that nothing uses."""
    need("deep", f"the model '{name}'", "torch", "safetensors")
    if warm_steps and world.start == "scratch":
        return "'warm_steps' is for start = 'previous' or 'base'; the start is 'scratch'. Remove it."
    return ""


def check_warmup(name: str, warmup: int, steps: int, warm_steps: int) -> None:
    """Raise SpecError when the rate would never reach its height."""
    for field, count in (("steps", steps), ("warm_steps", warm_steps)):
        if warmup >= count > 0:
            raise SpecError(
                f"{name}: a warmup of {warmup} leaves nothing of {field} = {count}. Lower 'warmup' or raise '{field}'."
            )


def scale_of(data: Dataset, frame: Frame) -> tuple[Tensor, Tensor]:
    """Mean and spread of the training set: of all numbers of a picture (r, 1, 1), else by coordinate (r, 1, d).

    A spread of 0 stays 0: what is constant in the data is constant in what is drawn.
    """
    import torch

    # Replicate by replicate: numpy may add up a block in another order.
    axes = None if frame.picture else 0
    numbers = [items[:, : frame.size] for items in data.items]
    parts = [np.stack([np.atleast_1d(f(one, axis=axes)) for one in numbers])[:, None] for f in (np.mean, np.std)]
    mean, spread = (torch.from_numpy(part.astype(np.float32)) for part in parts)
    return mean, spread


def items_of(data: Dataset, frame: Frame, scale: tuple[Tensor, Tensor] | None) -> Items:
    """Items as tensors, less the mean and over the spread of ``scale``.

    Raises:
        FitError: numbers that are not finite, weights that cannot be drawn by.
        DataError: a token outside the vocabulary.
    """
    import torch

    from remission.networks.replicates import Items

    if not np.isfinite(data.items).all():
        raise FitError(
            "The training set has NaN or infinite values. Likely causes: 1. the source; 2. a generation before this one "
            "has diverged (lower 'rate'); 3. a corruption or curator."
        )
    tokens = data.items[..., frame.size :].astype(np.int64)
    check_captions(data.items[..., frame.size :], frame)
    numbers = torch.from_numpy(data.items[..., : frame.size].astype(np.float32))
    if scale is not None:
        mean, spread = scale
        numbers = (numbers - mean) / torch.where(spread > 0, spread, 1.0)
    weight = None
    if data.weight is not None:
        if not (np.isfinite(data.weight).all() and (data.weight >= 0).all() and (data.weight.sum(axis=1) > 0).all()):
            raise FitError("Weights of items must be finite, not negative and not all zero. Check the curators.")
        weight = torch.from_numpy(np.array(data.weight, np.float64))
    return Items(numbers, torch.from_numpy(tokens), weight, frame.types)


def check_captions(captions: Array, frame: Frame) -> None:
    """Raise DataError unless captions (r, n, l) are made of tokens of the vocabulary."""
    if captions.shape[-1] != frame.length:
        raise DataError(f"The model knows captions of {frame.length} tokens. Got {captions.shape[-1]}.")
    if captions.size and not ((captions >= 0) & (captions < frame.types) & (captions == np.floor(captions))).all():
        raise DataError(
            f"A token of a caption is outside 0 .. {frame.types - 1}. Check that the data and its space belong together."
        )


def fit(
    job: Job, frame: Frame, items: Items, streams: Streams, previous: State | None, desk: Desk
) -> dict[str, Tensor]:
    """Train, one after another or at once, and gather what a state needs apart from scales."""
    import torch

    from remission.networks.device import announce, one_thread, use_bf16
    from remission.networks.replicates import learn, trial

    numbers = streams.replicates.tolist()
    names = ["replicates-" + "-".join(map(str, numbers))] if job.kind.stacked else [f"replicate-{i}" for i in numbers]
    start = None if previous is None else weights_of(previous)
    with one_thread():
        announce()
        fast = use_bf16(
            job.precision, f"{job.what}, {job.plan.batch} x {frame}", trial(job.kind, items, job.plan.batch, TOGETHER)
        )
        seeds = streams.sub("weights").seeds(), streams.sub("batches").seeds()
        desks = [desk.part(name) for name in names]
        weights = learn(job.kind, items, job.plan, seeds, desks, start, bf16=fast, silent=job.silent)
    r = len(numbers)
    state = {f"network.{name}": tensor for name, tensor in weights.items()}
    shape = [frame.size, frame.height, frame.breadth, frame.channels, frame.length, frame.types]
    state |= {"frame": torch.tensor([shape] * r), "bf16": torch.full((r,), fast)}
    if items.captions.shape[2]:
        state["captions"] = items.captions
        if items.weight is not None:
            state["weight"] = items.weight
    return state


def weights_of(state: State) -> dict[str, Tensor]:
    """The weights of the networks of a state."""
    return {name.removeprefix("network."): tensor for name, tensor in state.items() if name.startswith("network.")}


def captions_for(state: State, n: int, streams: Streams) -> Array:
    """Captions (r, n, l) drawn from those of the training set, by weight; l is 0 where there are none."""
    if "captions" not in state:
        return np.empty((len(streams), n, 0), np.int64)
    told = state["captions"].numpy()
    named = streams.sub("captions")
    count = told.shape[1]
    index = named.categoricals(state["weight"].numpy(), n) if "weight" in state else named.integers(count, n)
    return np.take_along_axis(told, index[:, :, None], axis=1)


Draw = Callable[["nn.Module", "Chunk"], "Tensor"]


@dataclass(frozen=True)
class Chunk:
    """What some items of some replicates are drawn with.

    Attributes:
        rows: which replicates.
        captions: (r, b, l) on the device.
        dice: the randomness of these replicates.
        bf16: whether forward passes are in bfloat16.
    """

    rows: slice
    captions: Tensor
    dice: Dice
    bf16: bool

    def normals(self, size: int) -> Tensor:
        """Standard normals (r, b, size), others at every call."""
        return self.dice.normals(self.captions.shape[1], size)

    def uniforms(self, size: int) -> Tensor:
        """Uniforms (r, b, size), others at every call."""
        return self.dice.uniforms(self.captions.shape[1], size)


def draw(kind: Kind, state: State, captions: Array, streams: Streams, work: Draw) -> Floats:
    """New items (r, n, d) for captions (r, n, l): ``work`` chunk by chunk, with the networks of the state."""
    import torch

    from remission.networks.device import device, one_thread
    from remission.networks.dice import Dice
    from remission.networks.replicates import networks

    frame, where, bf16 = Frame.kept(state), device(), bool(state["bf16"][0])
    seeds = streams.sub("noise").seeds()
    r, n = captions.shape[:2]
    out = np.empty((r, n, frame.size))
    with one_thread(), torch.inference_mode():
        for rows, network in networks(kind, weights_of(state)):
            dice = Dice(seeds[rows], where)
            for begin in range(0, n, CHUNK):
                end = min(n, begin + CHUNK)
                told = torch.from_numpy(captions[rows, begin:end]).to(where)
                out[rows, begin:end] = work(network, Chunk(rows, told, dice, bf16)).cpu().numpy()
    return out


def with_captions(pictures: Floats, captions: Array, frame: Frame) -> Array:
    """Items as they are stored: the picture, then its caption if it has one."""
    return np.concatenate([pictures, captions.astype(np.float64)], axis=2) if frame.length else pictures
