"""Training of the image models: ours against a bare PyTorch loop, stacked replicates against one after another, bfloat16.

One thread, best of three each, interleaved. The bare loop does the same work on the same network, with the same batches, and
its weights are compared with ours. Stacked replicates are asserted to be the same bits as those trained alone.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import _peer
from remission import notes
from remission.data import Dataset, Space
from remission.desk import Desk
from remission.models.flow import Flow
from remission.models.vae import Vae
from remission.networks.dense import initial
from remission.networks.device import autocast
from remission.networks.dice import Dice
from remission.networks.noise import Flow as Path
from remission.networks.train import Plan, train
from remission.networks.unet import UNet
from remission.rng import Streams

HERE = torch.device("cpu")
NONE = torch.empty(1, 64, 0, dtype=torch.int64)
REPLICATES = 8


def network() -> nn.Module:
    """The U-Net of pictures of 28 x 28 pixels, as the models use it."""
    return initial(lambda _: UNet((28, 28, 1), 32), [1])


def bare(net: nn.Module, data: Tensor, plan: Plan, bf16: bool) -> None:
    """What anybody would write: draw, forward, backward, clip, AdamW, averages. No notes, pieces, or resume."""
    path, made = Path(), torch.Generator().manual_seed(7)
    parameters = list(net.parameters())
    groups = [{"params": [p for p in parameters if p.ndim >= 2]}, {"params": [p for p in parameters if p.ndim < 2]}]
    optimizer = torch.optim.AdamW(groups, lr=plan.rate, betas=plan.betas, weight_decay=0.0, fused=True)
    average = [p.detach().clone() for p in parameters]
    for step in range(plan.steps):
        index = torch.randint(len(data), (plan.batch,), generator=made)
        noise = torch.randn((plan.batch, data.shape[1]), generator=made)
        chance = torch.rand((plan.batch,), generator=made)
        for group in optimizer.param_groups:
            group["lr"] = plan.rate_at(step)
        optimizer.zero_grad(set_to_none=True)
        with autocast(HERE, bf16):
            loss = path.loss(net, data[index][None], NONE, noise[None], chance[None])
        loss.sum().backward()
        nn.utils.clip_grad_norm_(parameters, plan.clip, foreach=True)
        optimizer.step()
        decay = min(plan.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(average, [p.detach() for p in parameters], 1 - decay)


def ours(net: nn.Module, data: Tensor, plan: Plan, bf16: bool) -> None:
    """The same through our loop."""
    path = Path()

    def draw(dice: Dice) -> tuple[Tensor, ...]:
        index = dice.integers(len(data), plan.batch)[0]
        return data[index][None], NONE, dice.normals(plan.batch, data.shape[1]), dice.uniforms(plan.batch)

    def loss(*parts: Tensor) -> Tensor:
        return path.loss(net, *parts)

    train(net, loss, draw, plan, Dice([7]), Desk(), bf16=bf16)


def steps(count: int) -> None:
    """Steps per second of the U-Net, ours and bare; then ours in bfloat16 and in float32."""
    data = torch.rand(2000, 784, generator=torch.Generator().manual_seed(0))
    plan = Plan(count, 64, 4e-3, 5, ema=0.99)
    fresh = network()

    def work(loop: Any, bf16: bool) -> Tensor:
        net = copy.deepcopy(fresh)
        loop(net, data, plan, bf16)
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    work(ours, True), work(bare, True)
    mine, theirs, a, b = _peer.best_of(lambda: work(ours, True), lambda: work(bare, True))
    assert torch.equal(a, b), "not the same training"
    _peer.line(f"U-Net 28 x 28, {count} training steps, bare PyTorch loop", mine, theirs, 0.95)
    fast, slow, _, _ = _peer.best_of(lambda: work(ours, True), lambda: work(ours, False), rounds=2)
    _peer.line(f"U-Net 28 x 28, {count} training steps, bfloat16 : float32", fast, slow, remark="on this processor")


def stacked(model: Any, name: str, goal: float | None) -> None:
    """Replicates of a model of pictures of 8 x 8 pixels, at once and one after another."""
    from sklearn.datasets import load_digits

    pictures = load_digits().data[:1000] / 16.0
    rng = np.random.default_rng(0)
    items = np.stack([pictures[rng.permutation(1000)] for _ in range(REPLICATES)])
    data = Dataset(Space("image", (64,), picture=(8, 8)), items, np.zeros(items.shape[:2], np.int32))
    streams = Streams.of(1, range(REPLICATES)).at(1, "fit")

    def at_once() -> dict[str, Tensor]:
        return model.fit(data, streams)

    def in_turn(one: Any = model) -> dict[str, Tensor]:
        states = [one.fit(data.only(i), streams.only(i)) for i in range(REPLICATES)]
        return {key: torch.cat([state[key] for state in states]) for key in states[0]}

    with notes.collected() as told:
        at_once()
    mine, theirs, a, b = _peer.best_of(at_once, in_turn)
    assert all(torch.equal(a[key], b[key]) for key in a), "a replicate is not the same alone"
    what = f"{name} 8 x 8, {REPLICATES} replicates"
    chosen = "bfloat16" if bool(a["bf16"][0]) else "float32"
    _peer.line(f"{what}, one after another", mine, theirs, goal, remark=f"both in {chosen}; {list(told)[-1]}")
    plain = dataclasses.replace(model, precision="float32")
    mine, theirs, _, _ = _peer.best_of(at_once, lambda: in_turn(plain), rounds=2)
    _peer.line(f"{what}, one after another in float32", mine, theirs)


def main(arguments: list[str] | None = None) -> None:
    """Every case."""
    quick = _peer.quick(__doc__, arguments)
    torch.set_num_threads(1)
    steps(12 if quick else 60)
    count = 20 if quick else 120
    for hidden in (None, 256):
        given: dict[str, Any] = {"hidden": hidden, "steps": count, "warmup": 5}
        width = f"width {hidden}" if hidden else "default width"
        goal = None if hidden else 2.0
        stacked(Flow(**given), f"flow, {width},", goal)
        stacked(Vae(**given), f"VAE, {width},", goal)


if __name__ == "__main__":
    main()
