"""What is done with a language model: it learns blocks of tokens, weighs blocks, and writes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from remission.desk import Desk, Tensors
from remission.networks.chunks import in_chunks
from remission.networks.decode import Rules, Steered, search, uniforms, write
from remission.networks.device import autocast
from remission.networks.dice import Dice, seeded
from remission.networks.train import Parts, Plan, train
from remission.networks.transformer import Decoder, Memory, Shape, surprise
from remission.notes import say

ROOM = {"cpu": 128 * 2**20, "cuda": 4 * 2**30}  # bytes for one piece of work
AT_ONCE = 512  # texts at most
COMPILED = 2000  # steps from which compiling a network for a GPU, about a minute, is won back


def trial(shape: Shape, batch: int, where: torch.device) -> Callable[[bool], None]:
    """A training step without an optimizer, in bfloat16 or not, to be timed. Nothing is made before the first."""

    @functools.cache
    def made() -> tuple[Decoder, Tensor]:
        with seeded(0):
            return Decoder(shape).to(where), torch.randint(shape.size, (batch, shape.window)).to(where)

    def step(bf16: bool) -> None:
        network, blocks = made()
        with autocast(where, bf16):
            loss = surprise(network(blocks), blocks).mean()
        loss.backward()
        network.zero_grad(set_to_none=True)

    return step


def learn(
    network: Decoder, blocks: Tensor, weight: Tensor | None, plan: Plan, dice: Dice, desk: Desk, bf16: bool
) -> Tensors:
    """Train a network, on its device, on blocks (n, t); its weights.

    Every step draws ``plan.batch`` of them at random, in proportion to ``weight`` (n,) when it is given.
    """
    where = network.embedding.device
    blocks = blocks.to(where)
    up_to = None if weight is None else weight.double().cumsum(dim=0)
    run = _compiled(network) if where.type == "cuda" and plan.steps >= COMPILED else network

    def draw(dice: Dice) -> Parts:
        if up_to is None:
            index = dice.integers(len(blocks), plan.batch)[0]
        else:
            index = torch.searchsorted(up_to, uniforms(dice, plan.batch)[0].cpu() * up_to[-1], right=True).to(where)
        return (blocks[index][None],)

    def loss(drawn: Tensor) -> Tensor:
        return surprise(run(drawn[0]), drawn[0]).mean()[None]

    network.train()
    return train(network, loss, draw, plan, dice, desk, bf16=bf16)


def _compiled(network: Decoder) -> Callable[[Tensor], Tensor]:
    """The network as torch.compile makes it, or as it is where that fails."""
    ways: list[Any] = [torch.compile(network), network]

    def run(blocks: Tensor) -> Tensor:
        if len(ways) == 2:
            try:
                return ways[0](blocks)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                say(f"torch.compile failed ({type(error).__name__}), so the network trains uncompiled")
                del ways[0]
        return ways[0](blocks)

    return run


@torch.no_grad()
def log_probability(network: Decoder, blocks: Tensor) -> Tensor:
    """The logarithm of p of blocks (m, t) from their start token on, (m,), float64."""
    where, shape = network.embedding.device, network.shape
    network.eval()
    each = 4 * shape.window * max(3 * shape.size, 8 * shape.width)

    def part(start: int, stop: int) -> Tensor:
        some = blocks[start:stop].to(where)
        return -surprise(network(some), some).sum(dim=1, dtype=torch.float64)

    return in_chunks(len(blocks), _fitting(where, each), part)


@torch.no_grad()
def compose(
    network: Decoder,
    prompts: Tensor,
    length: int,
    rules: Rules,
    beams: int,
    dice: Dice,
    steer: Callable[[int, int], Steered] | None = None,
) -> Tensor:
    """``length`` new tokens after each of the prompts (n, p); p may be 0. Shape (n, length).

    Draws with the uniforms of ``dice`` (of one replicate), the same however many texts are written side by side; with
    more than one beam the most probable continuation that a search finds. ``steer(start, stop)`` gives what changes the
    logits of those of the texts while they are drawn.
    """
    where, shape = network.embedding.device, network.shape
    network.eval()
    draws = uniforms(dice, len(prompts), length)[0] if beams == 1 else torch.empty(0)

    def part(start: int, stop: int) -> Tensor:
        memory, some = Memory(network, stop - start), prompts[start:stop].to(where)
        if beams > 1:
            return search(memory, some, length, beams, rules)
        steered = None if steer is None else steer(start, stop)
        return write(memory, some, draws[start:stop].to(where), rules, steered)

    return in_chunks(len(prompts), _fitting(where, Memory.cost(shape) * beams), part)


def _fitting(where: torch.device, each: int) -> int:
    """How many items of this many bytes are worked on at once: by the sizes of the network alone."""
    return max(1, min(AT_ONCE, ROOM.get(where.type, ROOM["cpu"]) // each))


def in_turn(count: int, n: int, dice: Dice) -> Tensor:
    """Numbers below ``count`` in random order, each once before any comes again; shape (n,)."""
    rounds = [dice.order(count)[0].cpu() for _ in range(-(-n // count))]
    return torch.cat([*rounds, torch.empty(0, dtype=torch.int64)])[:n]
