"""Training: the loop over steps, with averaged weights, halved batches when memory runs out, and resume."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from remission.desk import Desk, Tensors
from remission.errors import FitError
from remission.networks.device import autocast
from remission.networks.dice import Dice
from remission.notes import say

CHECK = 25  # steps between two looks at the loss: looking makes a GPU wait

Parts = tuple[Tensor, ...]  # what a step is made of, each (r, b, ...)


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        steps, batch: how many steps, of how many items per replicate.
        rate: the highest learning rate, reached after ``warmup`` steps; then a cosine down to ``floor`` of it.
        weight_decay: of AdamW, on matrices only.
        clip: the longest gradient per replicate (0: no limit).
        ema: decay of averaged weights, which are then the result (0: the last weights).
    """

    steps: int
    batch: int
    rate: float
    warmup: int = 0
    floor: float = 0.1
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)

    def rate_at(self, step: int) -> float:
        """The learning rate of step 0, 1, ..."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        share = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def train(
    network: nn.Module,
    loss: Callable[..., Tensor],
    draw: Callable[[Dice], Parts],
    plan: Plan,
    dice: Dice,
    desk: Desk,
    *,
    bf16: bool = False,
    stacked: bool = False,
) -> Tensors:
    """Train ``network`` in place and return its weights (averaged ones with ``plan.ema``), on the CPU.

    Args:
        network: on its device already. ``stacked``: every parameter has a leading axis r.
        loss: of ``parts`` (r, b, ...), the mean loss of each replicate, shape (r,).
        draw: everything random of one step, each part (r, b, ...) on the device.
        plan: how to train.
        dice: the randomness of the training, all of it.
        desk: half-done work is kept here, and found again.
        bf16: forward passes in bfloat16.
        stacked: see ``network``; gradients are then clipped per replicate.

    Raises:
        FitError: the loss is no number any more, or memory is too small for one item.
    """
    run = _Run(network, plan, dice, stacked)
    work = desk.load()
    first = run.restore(work) if work is not None else 0
    pieces = 1
    lately: list[Tensor] = []
    for step in range(first, plan.steps):
        parts = draw(dice)
        while True:
            try:
                lately.append(run.step(step, parts, loss, bf16, pieces))
                break
            except (torch.OutOfMemoryError, RuntimeError) as error:
                pieces = _smaller(error, pieces, parts[0].shape[1], network)
        if len(lately) == CHECK or step == plan.steps - 1:
            _look(lately, step)
            lately = []
        if desk.due and not lately:
            desk.save(run.state(step + 1))
    return run.weights()


class _Run:
    """Network, optimizer and averages of a training that is under way."""

    def __init__(self, network: nn.Module, plan: Plan, dice: Dice, stacked: bool) -> None:
        self.network, self.plan, self.dice, self.stacked = network, plan, dice, stacked
        self.named = {name: one for name, one in network.named_parameters() if one.requires_grad}
        bare = 2 + stacked  # axes of a matrix; biases and gains are not decayed
        groups = [
            {"params": [one for one in self.named.values() if one.ndim >= bare], "weight_decay": plan.weight_decay},
            {"params": [one for one in self.named.values() if one.ndim < bare], "weight_decay": 0.0},
        ]
        fused = all(one.device.type in ("cuda", "cpu") for one in self.named.values())
        self.optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=plan.rate, betas=plan.betas, fused=fused
        )
        self.average = [one.detach().clone() for one in self.named.values()] if plan.ema else []

    def step(self, step: int, parts: Parts, loss: Callable[..., Tensor], bf16: bool, pieces: int) -> Tensor:
        """One step in ``pieces`` equal pieces of the batch; the loss of each replicate."""
        where = parts[0].device
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate_at(step)
        self.optimizer.zero_grad(set_to_none=True)
        total: Tensor | None = None
        size = parts[0].shape[1]
        for piece in zip(*(part.tensor_split(pieces, dim=1) for part in parts), strict=True):
            with autocast(where, bf16):
                losses = loss(*piece) * (piece[0].shape[1] / size)
            losses.sum().backward()
            total = losses.detach() if total is None else total + losses.detach()
        self._clip()
        self.optimizer.step()
        if self.average:
            decay = min(self.plan.ema, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.average, [one.detach() for one in self.named.values()], 1 - decay)
        assert total is not None
        return total

    def _clip(self) -> None:
        if not self.plan.clip:
            return
        if not self.stacked:
            nn.utils.clip_grad_norm_(self.named.values(), self.plan.clip, foreach=True)
            return
        grads = [one.grad for one in self.named.values() if one.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(grad.flatten(1), dim=1) for grad in grads], dim=1)
        # Along a row: down a column the order of the sum would depend on r.
        factor = (self.plan.clip / (torch.linalg.vector_norm(norms, dim=1) + 1e-6)).clamp(max=1.0)
        for grad in grads:
            grad.mul_(factor.view(-1, *[1] * (grad.ndim - 1)))

    def weights(self) -> Tensors:
        """The result: averaged where there are averages; parameters that were not trained and buffers as they are."""
        out: Tensors = {name: tensor.detach() for name, tensor in self.network.state_dict().items()}
        if self.average:
            out |= dict(zip(self.named, self.average, strict=True))
        return {name: tensor.to("cpu", copy=True) for name, tensor in out.items()}

    def state(self, step: int) -> Tensors:
        """Everything that is needed to go on."""
        out: Tensors = {"step": torch.tensor(step), "dice": self.dice.state(), "torch": torch.get_rng_state()}
        out |= {f"network.{name}": one.detach().cpu() for name, one in self.named.items()}
        out |= {f"average.{name}": one.cpu() for name, one in zip(self.named, self.average, strict=False)}
        for number, moments in self.optimizer.state_dict()["state"].items():
            out |= {f"optimizer.{number}.{key}": value.cpu() for key, value in moments.items()}
        return out

    def restore(self, work: Tensors) -> int:
        """Go on from a :meth:`state`; the number of steps done."""
        self.dice.restore(work["dice"])
        torch.set_rng_state(work["torch"].clone())
        with torch.no_grad():
            for name, one in self.named.items():
                one.copy_(work[f"network.{name}"])
            for name, average in zip(self.named, self.average, strict=False):
                average.copy_(work[f"average.{name}"])
        moments: dict[int, dict[str, Any]] = {}
        for key, value in work.items():
            if key.startswith("optimizer."):
                _, number, name = key.split(".")
                moments.setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        return int(work["step"])


def out_of_memory(error: Exception) -> bool:
    """Whether an error of torch says that memory ran out, on the GPU or the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in ("not enough memory", "can't allocate memory", "out of memory")
    )


def _smaller(error: Exception, pieces: int, batch: int, network: nn.Module) -> int:
    """Twice as many pieces after memory ran out; any other error goes on."""
    if not out_of_memory(error):
        raise error
    if 2 * pieces > batch:
        raise FitError(
            "Memory is too small for one item of a batch. Make the network or the items smaller, or use another device."
        ) from error
    network.zero_grad(set_to_none=True)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    say(f"memory ran out: batches of {batch} are worked off in {2 * pieces} pieces (the same step, only slower)")
    return 2 * pieces


def _look(lately: list[Tensor], step: int) -> None:
    losses = torch.stack(lately).cpu()
    if not torch.isfinite(losses).all():
        at = step - len(lately) + 1 + int((~torch.isfinite(losses)).any(dim=1).int().argmax())
        raise FitError(
            f"The loss became NaN or infinite at step {at + 1}. Likely causes: 1. the learning rate is too high (lower "
            f"'rate', or raise 'warmup'); 2. bfloat16 overflows (precision = 'float32'); 3. NaN or huge values in the "
            f"training set: has the loop collapsed? The generations before this one are kept."
        )
