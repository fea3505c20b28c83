"""The networks of a block of replicates: trained at once where they are stacked, else one after another."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from remission.desk import Desk, Tensors
from remission.networks.dense import initial
from remission.networks.device import autocast, device
from remission.networks.dice import Dice
from remission.networks.train import Parts, Plan, train
from remission.notes import say

COMPILED = 1000  # steps from which on compiling pays on a GPU


@dataclass(frozen=True)
class Kind:
    """A kind of network and what it is trained on.

    Attributes:
        build: a network of so many replicates.
        stacked: whether it can have more than one.
        loss: of a network (it may be wrapped) and the parts of a step, the mean loss of each replicate.
        noise: how many normal numbers an item needs in a step.
    """

    build: Callable[[int], nn.Module]
    stacked: bool
    loss: Callable[..., Tensor]
    noise: int


@dataclass(frozen=True)
class Items:
    """What is trained on, on the CPU.

    Attributes:
        data: (r, n, d) float32.
        captions: (r, n, l) int64; l may be 0.
        weight: (r, n) float64, or None when all are drawn equally often.
        nothing: the token that stands for no caption.
    """

    data: Tensor
    captions: Tensor
    weight: Tensor | None = None
    nothing: int = 0

    def only(self, rows: slice) -> Items:
        """Those of some replicates."""
        weight = None if self.weight is None else self.weight[rows]
        return Items(self.data[rows], self.captions[rows], weight, self.nothing)


def learn(
    kind: Kind,
    items: Items,
    plan: Plan,
    seeds: tuple[Sequence[int], Sequence[int]],
    desks: Sequence[Desk],
    start: Tensors | None = None,
    *,
    bf16: bool = False,
    silent: float = 0.0,
) -> Tensors:
    """The weights of the networks of all replicates, each with a leading axis r.

    Args:
        kind: of network.
        items: what to train on.
        plan: how to train.
        seeds: per replicate, of the initial weights and of the training.
        desks: where half-done work is kept, one for a stack, else one per replicate.
        start: weights to start from, as returned.
        bf16: forward passes in bfloat16.
        silent: share of the captions that are left out.
    """
    r = len(items.data)
    groups = [slice(0, r)] if kind.stacked else [slice(i, i + 1) for i in range(r)]
    learned = []
    for rows, desk in zip(groups, desks, strict=True):
        done = desk.load("done")
        if done is None:
            done = _learn(kind, items.only(rows), plan, seeds, rows, desk, start, bf16, silent)
            if len(groups) > 1:
                desk.save(done, "done")
        learned.append(done)
    return {name: torch.cat([one[name] for one in learned]) for name in learned[0]}


def _learn(
    kind: Kind,
    items: Items,
    plan: Plan,
    seeds: tuple[Sequence[int], Sequence[int]],
    rows: slice,
    desk: Desk,
    start: Tensors | None,
    bf16: bool,
    silent: float,
) -> Tensors:
    where = device()
    network = on(where, initial(kind.build, seeds[0][rows]), kind.stacked)
    if start is not None:
        load(network, start, rows, kind.stacked)
    dice = Dice(seeds[1][rows], where)
    draw = drawing(items, plan.batch, kind.noise, silent, where)
    wrapped = _compiled(network, kind, draw(Dice(seeds[1][rows], where)), plan.steps, bf16)
    network.train()
    weights = train(
        network, lambda *parts: kind.loss(wrapped, *parts), draw, plan, dice, desk, bf16=bf16, stacked=kind.stacked
    )
    return weights if kind.stacked else {name: tensor[None] for name, tensor in weights.items()}


def drawing(items: Items, batch: int, noise: int, silent: float, where: torch.device) -> Callable[[Dice], Parts]:
    """Steps of ``batch`` items drawn with replacement: their data, captions, normals (r, b, noise) and uniforms (r, b).

    A data set smaller than a batch is no trouble: its items come several times.
    """
    data, captions = items.data.to(where), items.captions.to(where)
    r, n = data.shape[:2]
    row = torch.arange(r, device=where)[:, None]
    reach = None if items.weight is None else items.weight.cumsum(dim=1).to(where)

    def draw(dice: Dice) -> Parts:
        if reach is None:
            index = dice.integers(n, batch)
        else:
            places = dice.uniforms(batch).double() * reach[:, -1:]
            index = torch.searchsorted(reach, places, right=True).clamp(max=n - 1)
        told = captions[row, index]
        if silent and captions.shape[2]:
            told = torch.where(dice.uniforms(batch)[..., None] < silent, items.nothing, told)
        return data[row, index], told, dice.normals(batch, noise), dice.uniforms(batch)

    return draw


def on(where: torch.device, network: nn.Module, stacked: bool) -> nn.Module:
    """The network on a device, in the layout that suits it."""
    if where.type == "cuda" and not stacked:
        return network.to(where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.to(where)


@torch.no_grad()
def load(network: nn.Module, weights: Tensors, rows: slice, stacked: bool) -> None:
    """Copy the weights of these replicates into a network."""
    for name, tensor in network.state_dict().items():
        tensor.copy_(weights[name][rows] if stacked else weights[name][rows][0])


def networks(kind: Kind, weights: Tensors) -> Iterator[tuple[slice, nn.Module]]:
    """The networks of all replicates, on the device and ready to be asked: one stack, or one after another."""
    r = len(next(iter(weights.values())))
    where = device()
    for rows in [slice(0, r)] if kind.stacked else [slice(i, i + 1) for i in range(r)]:
        network = on(where, initial(kind.build, [0] * (rows.stop - rows.start)), kind.stacked)
        load(network, weights, rows, kind.stacked)
        yield rows, network.eval().requires_grad_(False)


def trial(kind: Kind, items: Items, batch: int, together: int) -> Callable[[bool], None]:
    """A training step without an optimizer, in bfloat16 or not, to be timed.

    Of ``together`` replicates where they are stacked, whatever the block has, so that all blocks choose the same.
    """
    where = device()
    seeds = [0] * (together if kind.stacked else 1)
    network = on(where, initial(kind.build, seeds), kind.stacked)
    first = items.only(slice(0, 1))
    same = Items(first.data.expand(len(seeds), -1, -1), first.captions.expand(len(seeds), -1, -1))
    parts = drawing(same, batch, kind.noise, 0.0, where)(Dice(seeds, where))

    def step(bf16: bool) -> None:
        with autocast(where, bf16):
            loss = kind.loss(network, *parts)
        loss.sum().backward()
        network.zero_grad(set_to_none=True)

    return step


def _compiled(network: nn.Module, kind: Kind, parts: Parts, steps: int, bf16: bool) -> Callable[..., Tensor]:
    """The network as it is or, for a long training on a GPU, compiled; one that cannot be compiled stays as it is."""
    where = parts[0].device
    if where.type != "cuda" or steps < COMPILED or importlib.util.find_spec("triton") is None:
        return network
    compiled: Callable[..., Tensor] = torch.compile(network)
    try:
        with autocast(where, bf16):
            kind.loss(compiled, *parts).sum().backward()
    except Exception as error:
        say(f"torch.compile failed ({type(error).__name__}): the network runs as it is")
        return network
    finally:
        network.zero_grad(set_to_none=True)
    say("the network is compiled")
    return compiled
