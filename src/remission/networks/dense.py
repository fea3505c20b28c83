"""Layers of many networks at once: parameters carry a leading axis r, and one batched product serves all replicates.

A replicate gives the same bits alone and among others. Three things see to that: batched matrix products treat every
matrix on its own; parameters of a replicate fill whole vector instructions (:data:`LANES`), so that an optimizer rounds
them in the same way wherever they lie; and functions whose last numbers of an array are computed by other code go through
:func:`apart`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from remission.networks.dice import seeded

LANES = 64  # numbers that are certain to fill whole vector instructions: 2 x 32 in bfloat16


def apart(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """An elementwise function of ``x`` (r, ...) whose values in a replicate do not depend on the other ones.

    The remainder of an array that fills no vector instruction is computed by other code, with other last bits. Where
    replicates end inside an instruction they are worked off one by one.
    """
    if x.device.type != "cpu" or len(x) == 1 or x[0].numel() % LANES == 0:
        return function(x)
    return torch.stack([function(one) for one in x])


def padded(size: int) -> int:
    """The next multiple of :data:`LANES`."""
    return -(-size // LANES) * LANES


class Linear(nn.Module):
    """x (r, b, i) to x W + bias (r, b, o), for r replicates.

    The stored matrix has ``padded(o)`` columns; those beyond o are never seen and never learn.
    """

    def __init__(self, replicates: int, inputs: int, outputs: int, *, zero: bool = False) -> None:
        """Uniform weights within 1 / sqrt(inputs), or zeros."""
        super().__init__()
        self.outputs = outputs
        bound = 0.0 if zero else 1.0 / math.sqrt(inputs)
        wide = padded(outputs)
        self.weight = nn.Parameter(torch.empty(replicates, inputs, wide).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(replicates, wide).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        out = torch.baddbmm(self.bias[:, None], x, self.weight)
        return out if out.shape[2] == self.outputs else out[..., : self.outputs].contiguous()


class Words(nn.Module):
    """The mean of the vectors of the tokens of a caption (r, b, l), as (r, b, width); token V stands for no caption."""

    def __init__(self, replicates: int, types: int, width: int) -> None:
        """Normal vectors for V types and one more."""
        super().__init__()
        self.types, self.width = types, width
        self.table = nn.Parameter(0.5 * torch.randn(replicates, types + 1, padded(width)))

    def forward(self, captions: Tensor) -> Tensor:
        """See the class."""
        r, rows, wide = self.table.shape
        place = captions + rows * torch.arange(r, device=captions.device)[:, None, None]
        vectors = functional.embedding(place.flatten(1), self.table.view(r * rows, wide))
        mean = vectors.view(*captions.shape, wide).mean(dim=2)
        return mean if wide == self.width else mean[..., : self.width].contiguous()


class Denoiser(nn.Module):
    """A residual network of flat items that knows the time, for r replicates.

    ``depth`` times h + B silu(A (norm(h) (1 + s) + m)), where s and m are linear in what is known of time and caption.
    """

    def __init__(self, replicates: int, size: int, width: int, depth: int, types: int = 0) -> None:
        """``size`` numbers an item; captions of ``types`` tokens where that is not 0."""
        super().__init__()
        self.enter = Linear(replicates, size, width)
        self.time = Linear(replicates, TIMES, KNOWN)
        self.words = Words(replicates, types, KNOWN) if types else None
        self.known = nn.ModuleList(Linear(replicates, KNOWN, 2 * width) for _ in range(depth))
        self.first = nn.ModuleList(Linear(replicates, width, width) for _ in range(depth))
        self.second = nn.ModuleList(Linear(replicates, width, width, zero=True) for _ in range(depth))
        self.leave = Linear(replicates, width, size, zero=True)

    def forward(self, x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        """The answer (r, b, d) to x (r, b, d) at time (r, b) in 0 .. 1 with captions (r, b, l), which may be empty."""
        known = self.time(waves(time))
        if self.words is not None and captions.shape[2]:
            known = known + self.words(captions)
        known = apart(functional.silu, known)
        h = self.enter(x)
        for condition, first, second in zip(self.known, self.first, self.second, strict=True):
            scale, shift = condition(known).chunk(2, dim=-1)
            inner = functional.layer_norm(h, h.shape[-1:]) * (1 + scale) + shift
            h = h + second(apart(functional.silu, first(inner)))
        return self.leave(functional.layer_norm(h, h.shape[-1:]))


TIMES = 64  # numbers that tell a network the time
KNOWN = 64  # numbers that a dense network makes of time and caption


def waves(time: Tensor) -> Tensor:
    """Sines and cosines (..., :data:`TIMES`) of a time in 0 .. 1, from a quarter of a wave to 250 waves."""
    count = TIMES // 2
    pace = torch.logspace(0.0, 3.0, count, device=time.device) * (math.pi / 2)
    angle = time[..., None] * pace
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def initial(build: Callable[[int], nn.Module], seeds: Sequence[int]) -> nn.Module:
    """``build(r)`` with the initial weights of every replicate from its own seed."""
    if len(seeds) == 1:
        with seeded(seeds[0]):
            return build(1)
    with seeded(0):  # these weights are replaced
        network = build(len(seeds))
    with torch.no_grad():
        for place, seed in enumerate(seeds):
            with seeded(seed):
                one = build(1)
            for all_of_them, its_own in zip(network.parameters(), one.parameters(), strict=True):
                all_of_them[place].copy_(its_own[0])
    return network
