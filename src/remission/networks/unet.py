"""A small U-Net that knows the time and the caption, made for pictures of 12 to 64 pixels a side."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from remission.networks.dense import TIMES, waves

GROUPS = 8


class UNet(nn.Module):
    """Two levels: the picture folded into patches, and half of that, with attention at the lower one.

    Folding ``patch`` x ``patch`` pixels into channels makes all layers that many times cheaper. Pictures of any size are
    padded at the right and below, and cut again.
    """

    def __init__(
        self, picture: tuple[int, int, int], width: int, depth: int = 2, patch: int = 2, types: int = 0
    ) -> None:
        """``picture``: height, breadth, channels; ``depth`` blocks below; captions of ``types`` tokens if not 0."""
        super().__init__()
        self.picture, self.patch = picture, patch
        channels, known = picture[2] * patch**2, 4 * width
        self.time = nn.Sequential(nn.Linear(TIMES, known), nn.SiLU(), nn.Linear(known, known))
        self.words = nn.Embedding(types + 1, known) if types else None
        self.enter = nn.Conv2d(channels, width, 3, padding=1)
        self.before = Block(width, width, known)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(Block(2 * width, 2 * width, known) for _ in range(depth))
        self.attention = Attention(2 * width)
        self.up = nn.Conv2d(2 * width, 4 * width, 1)
        self.after = Block(2 * width, width, known)
        self.norm = nn.GroupNorm(GROUPS, width)
        self.leave = nn.Conv2d(width, channels, 3, padding=1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        """The answer (1, b, d) to x (1, b, d) at time (1, b) in 0 .. 1 with captions (1, b, l), which may be empty."""
        known = self.time(waves(time[0]))
        if self.words is not None and captions.shape[2]:
            known = known + self.words(captions[0]).mean(dim=1)
        known = functional.silu(known)
        high = self.before(self.enter(self._folded(x[0])), known)
        low = self.down(high)
        for number, block in enumerate(self.middle):
            low = block(low, known)
            low = self.attention(low) if number == 0 else low
        joined = torch.cat([functional.pixel_shuffle(self.up(low), 2), high], dim=1)
        out = self.leave(functional.silu(self.norm(self.after(joined, known))))
        return self._flat(out)[None]

    def _folded(self, x: Tensor) -> Tensor:
        height, breadth, channels = self.picture
        grid = x.reshape(-1, height, breadth, channels).permute(0, 3, 1, 2)
        step = 2 * self.patch
        grid = functional.pad(grid, (0, -breadth % step, 0, -height % step), mode="replicate")
        folded = functional.pixel_unshuffle(grid, self.patch)
        return folded.contiguous(memory_format=torch.channels_last) if x.is_cuda else folded.contiguous()

    def _flat(self, grid: Tensor) -> Tensor:
        height, breadth, _ = self.picture
        whole = functional.pixel_shuffle(grid, self.patch)[:, :, :height, :breadth]
        return whole.permute(0, 2, 3, 1).flatten(1)


class Block(nn.Module):
    """A residual block; what is known of time and caption scales and shifts it between its two convolutions."""

    def __init__(self, inputs: int, outputs: int, known: int) -> None:
        """The second convolution begins as zero, so that the block begins as nothing."""
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.known = nn.Linear(known, 2 * outputs)
        self.second_norm = nn.GroupNorm(GROUPS, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        """From x (b, c, h, w) and what is known (b, k)."""
        scale, shift = self.known(known)[:, :, None, None].chunk(2, dim=1)
        inner = self.second_norm(self.first(functional.silu(self.norm(x)))) * (1 + scale) + shift
        return self.skip(x) + self.second(functional.silu(inner))


class Attention(nn.Module):
    """Every place looks at every other one, with four heads."""

    def __init__(self, width: int, heads: int = 4) -> None:
        """It begins as nothing."""
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(GROUPS, width)
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """From x (b, c, h, w)."""
        b, c, height, breadth = x.shape
        rows = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.into(rows).view(b, height * breadth, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        if x.is_cuda:
            seen = functional.scaled_dot_product_attention(q, k, v)
        else:  # on the CPU the fused one has a backward pass that is ten times slower in bfloat16 (torch 2.13)
            weights = (q * (c // self.heads) ** -0.5 @ k.transpose(-1, -2)).softmax(dim=-1)
            seen = weights.to(v.dtype) @ v
        rows = self.out(seen.transpose(1, 2).reshape(b, height * breadth, c))
        return x + rows.transpose(1, 2).view(b, c, height, breadth)
