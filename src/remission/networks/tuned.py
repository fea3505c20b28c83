"""Fine-tuning a network of somebody else's: only what is trained is kept and returned, under the network's own names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from remission.desk import Desk, Tensors
from remission.networks.device import Precision, autocast, use_bf16
from remission.networks.dice import Dice, seeded
from remission.networks.train import Parts, Plan, train


class _Trained(nn.Module):
    """The trained part of a network as the whole of it; a parameter that is used in two places comes once."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        return {name: one.detach() for name, one in self.named_parameters() if one.requires_grad}


def tune(
    network: nn.Module,
    loss: Callable[..., Tensor],
    draw: Callable[[Dice], Parts],
    trial: Parts,
    plan: Plan,
    seed: int,
    desk: Desk,
    precision: Precision,
    name: str,
) -> Tensors:
    """Train what can be trained of a network, in place; its weights on the CPU.

    Args:
        network: on its device.
        loss: of parts (1, b, ...), shape (1,).
        draw: the parts of the next step.
        trial: parts of a step that only measures which precision is faster.
        plan: how to train.
        seed: of the times and noises that ``draw`` asks for, and of dropout.
        desk: half-done work is kept here, and found again.
        precision: of forward passes.
        name: architecture and size, for the measurement.
    """
    where = trial[0].device

    def step(fast: bool) -> None:
        with autocast(where, fast):
            total = loss(*trial).sum()
        total.backward()
        network.zero_grad(set_to_none=True)

    network.train()
    try:
        with seeded(seed):
            bf16 = use_bf16(precision, name, step)
            torch.manual_seed(seed)  # the measurement left no trace
            found = train(_Trained(network), loss, draw, plan, Dice([seed], where), desk, bf16=bf16)
    finally:
        network.eval()
        network.zero_grad(set_to_none=True)
    return {key.removeprefix("network."): tensor for key, tensor in found.items()}


def put(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Set what can be trained to ``weights``."""
    with torch.no_grad():
        for name, one in network.named_parameters():
            if one.requires_grad:
                one.copy_(weights[name])


def in_bf16(where: torch.device, precision: Precision) -> bool:
    """Whether a trained network works in bfloat16: on a GPU that has it, unless float32 is asked for."""
    return where.type == "cuda" and precision != "float32" and torch.cuda.is_bf16_supported()
