"""Variational autoencoders: of dense layers for many replicates at once, or of convolutions for one."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from remission.networks.dense import Linear, Words, apart

SPREAD = 8.0  # logarithms of the variances of latents stay within this much of 0, so that none overflows

Likelihood = Literal["bernoulli", "gaussian"]


class Dense(nn.Module):
    """Two hidden layers each way, for r replicates."""

    def __init__(self, replicates: int, size: int, latent: int, width: int, types: int = 0) -> None:
        """``size`` numbers an item; captions of ``types`` tokens where that is not 0."""
        super().__init__()
        self.latent = latent
        self.see = Linear(replicates, size, width)
        self.think = Linear(replicates, width, width)
        self.tell = Linear(replicates, width, 2 * latent)
        self.hear = Linear(replicates, latent, width)
        self.shape = Linear(replicates, width, width)
        self.draw = Linear(replicates, width, size)
        self.words = Words(replicates, types, width) if types else None
        self.scale = nn.Parameter(torch.zeros(replicates, 1))

    def encode(self, x: Tensor, captions: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (r, b, latent) of what may have made x (r, b, d)."""
        h = apart(functional.silu, self._told(self.see(x), captions))
        mean, spread = self.tell(apart(functional.silu, self.think(h))).chunk(2, dim=-1)
        return mean.float(), spread.float().clamp(-SPREAD, SPREAD)

    def decode(self, latent: Tensor, captions: Tensor) -> Tensor:
        """What latents (r, b, latent) look like: logits or means (r, b, d)."""
        h = apart(functional.silu, self._told(self.hear(latent), captions))
        return self.draw(apart(functional.silu, self.shape(h))).float()

    def forward(self, x: Tensor, captions: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log variance of the latents, and what a draw of them looks like."""
        return _through(self, x, captions, noise)

    def _told(self, h: Tensor, captions: Tensor) -> Tensor:
        return h if self.words is None else h + self.words(captions)


class Convolutional(nn.Module):
    """Two halvings of a picture and back, for one replicate; any size is padded to a multiple of 4 and cut again."""

    def __init__(self, picture: tuple[int, int, int], latent: int, width: int, types: int = 0) -> None:
        """``picture``: height, breadth, channels; captions of ``types`` tokens where that is not 0."""
        super().__init__()
        self.picture, self.latent, self.width = picture, latent, width
        height, breadth, channels = picture
        self.low = -(-height // 4), -(-breadth // 4)
        inner = 2 * width * self.low[0] * self.low[1]
        self.see = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.think = nn.Linear(inner, 8 * width)
        self.tell = nn.Linear(8 * width, 2 * latent)
        self.hear = nn.Linear(latent, 8 * width)
        self.shape = nn.Linear(8 * width, inner)
        self.draw = nn.Sequential(
            nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.SiLU(),
            nn.Conv2d(width, 4 * width, 3, padding=1), nn.SiLU(),
            nn.Conv2d(4 * width, 4 * channels, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip
        self.words = nn.Embedding(types + 1, 8 * width) if types else None
        self.scale = nn.Parameter(torch.zeros(1))

    def encode(self, x: Tensor, captions: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (1, b, latent) of what may have made x (1, b, d)."""
        height, breadth, channels = self.picture
        grid = x[0].reshape(-1, height, breadth, channels).permute(0, 3, 1, 2)
        grid = functional.pad(grid, (0, -breadth % 4, 0, -height % 4), mode="replicate").contiguous()
        h = functional.silu(self._told(self.think(self.see(grid).flatten(1)), captions))
        mean, spread = self.tell(h).chunk(2, dim=-1)
        return mean[None].float(), spread[None].float().clamp(-SPREAD, SPREAD)

    def decode(self, latent: Tensor, captions: Tensor) -> Tensor:
        """What latents (1, b, latent) look like: logits or means (1, b, d)."""
        h = functional.silu(self._told(self.hear(latent[0]), captions))
        grid = functional.silu(self.shape(h)).view(-1, 2 * self.width, *self.low)
        height, breadth, _ = self.picture
        return self.draw(grid)[:, :, :height, :breadth].permute(0, 2, 3, 1).flatten(1)[None].float()

    def forward(self, x: Tensor, captions: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log variance of the latents, and what a draw of them looks like."""
        return _through(self, x, captions, noise)

    def _told(self, h: Tensor, captions: Tensor) -> Tensor:
        return h if self.words is None else h + self.words(captions[0]).mean(dim=1)


Autoencoder = Dense | Convolutional


def _through(network: Autoencoder, x: Tensor, captions: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mean, spread = network.encode(x, captions)
    latent = mean + apart(torch.exp, spread / 2) * noise
    return mean, spread, network.decode(latent, captions)


def bound(
    passes: tuple[Tensor, Tensor, Tensor], scale: Tensor, x: Tensor, likelihood: Likelihood, beta: float, least: float
) -> Tensor:
    """The negative evidence lower bound per number of an item, averaged over items, for each replicate (r,).

    Args:
        passes: what a network gave for x (r, b, d).
        scale: the logarithm of the spread of a gaussian likelihood, (r,) or (r, 1).
        x: the items.
        likelihood: ``bernoulli``: x is in 0 .. 1, the answer are logits.
        beta: weight of the divergence of the latents from a standard normal.
        least: the spread of a gaussian likelihood cannot become smaller.
    """
    mean, spread, answer = passes
    if likelihood == "bernoulli":
        miss = apart(functional.softplus, answer) - x * answer
    else:
        log_scale = scale.reshape(-1, 1, 1).clamp(min=math.log(least))
        miss = ((x - answer) * torch.exp(-log_scale)).square() / 2 + log_scale + math.log(2 * math.pi) / 2
    divergence = (mean.square() + apart(torch.exp, spread) - 1 - spread) / 2
    return miss.flatten(1).mean(dim=1) + beta * divergence.flatten(1).mean(dim=1) * (mean.shape[2] / x.shape[2])
