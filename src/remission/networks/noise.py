"""From noise to data: flow matching and diffusion, what they are trained on and how they are sampled.

Both teach a network ``network(x, time, captions)`` to answer for every item ``x`` (r, b, d) on its way from noise
(time 0 for a flow, 1 for a diffusion) to data. Data has a mean near 0 and a spread near 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from remission.networks.device import autocast
from remission.networks.train import out_of_memory
from remission.notes import say

Network = Callable[[Tensor, Tensor, Tensor], Tensor]
Bounds = tuple[Tensor, Tensor] | None  # least and largest value of data (r, 1, d or 1)


@dataclass(frozen=True)
class Guide:
    """Classifier-free guidance: u + w (c - u) for the answers c with captions and u without.

    Attributes:
        strength: w; 1: the answer with captions, 0: the one without.
        nothing: the token that stands for no caption.
    """

    strength: float = 1.0
    nothing: int = 0

    def __call__(self, network: Network) -> Network:
        """The network that is guided."""
        if self.strength == 1.0:
            return network

        def guided(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
            without = network(x, time, torch.full_like(captions, self.nothing))
            if self.strength == 0.0:
                return without
            return torch.lerp(without, network(x, time, captions), self.strength)

        return guided


def patient(network: Network, bf16: bool) -> Network:
    """A network to be asked, not trained: answers in float32; when memory runs out it works in ever smaller pieces."""
    pieces = 1

    def ask(x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        nonlocal pieces
        while True:
            try:
                parts = zip(*(part.tensor_split(pieces, dim=1) for part in (x, time, captions)), strict=True)
                with autocast(x.device, bf16):
                    return torch.cat([network(*part).float() for part in parts], dim=1)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not out_of_memory(error) or 2 * pieces > x.shape[1]:
                    raise
            pieces *= 2  # outside of the handler: the error keeps the frames, and their tensors, alive
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            say(f"memory ran out: pictures are drawn in {pieces} pieces of a chunk")

    return ask


@dataclass(frozen=True)
class Flow:
    """x_t = (1 - t) z + t x for noise z and data x: the network learns the velocity x - z.

    It is asked for F in v = ((2 t - 1) x_t / s + F) / s with s^2 = t^2 + (1 - t)^2, so that what goes in (x_t / s) and
    what is to come out have spread 1 at every time.

    Attributes:
        times: how training times are drawn: uniformly, or as the logistic function of a standard normal.
        solver: of the equation dx/dt = v.
    """

    times: Literal["uniform", "logit-normal"] = "uniform"
    solver: Literal["euler", "midpoint", "heun"] = "midpoint"

    def velocity(self, network: Network, x: Tensor, time: Tensor, captions: Tensor) -> Tensor:
        """The velocity v (r, b, d) at time (r, b)."""
        t = time[..., None]
        size = (t.square() + (1 - t).square()).sqrt()
        return ((2 * t - 1) * x / size + network(x / size, time, captions).float()) / size

    def loss(self, network: Network, data: Tensor, captions: Tensor, noise: Tensor, chance: Tensor) -> Tensor:
        """Mean squared error of the velocity for each replicate, (r,); ``chance`` (r, b) uniform."""
        time = chance if self.times == "uniform" else torch.sigmoid(torch.special.ndtri(chance.clamp(1e-6, 1 - 1e-6)))
        t = time[..., None]
        wrong = self.velocity(network, (1 - t) * noise + t * data, time, captions) - (data - noise)
        return wrong.square().flatten(1).mean(dim=1)

    def generate(
        self, network: Network, noise: Tensor, captions: Tensor, steps: int, bounds: Bounds, fresh: Callable[[], Tensor]
    ) -> Tensor:
        """Data (r, b, d) from noise in ``steps`` equal steps. Where the flow aims at is kept within ``bounds``."""

        def slope(x: Tensor, t: float) -> Tensor:
            v = self.velocity(network, x, torch.full(x.shape[:2], t, device=x.device), captions)
            if bounds is None:
                return v
            return ((x + (1.0 - t) * v).clamp(*bounds) - x) / (1.0 - t)

        x = noise
        for number in range(steps):
            t, h = number / steps, 1.0 / steps
            v = slope(x, t)
            if self.solver == "midpoint":
                v = slope(x + h / 2 * v, t + h / 2)
            elif self.solver == "heun" and number < steps - 1:  # at t = 1 there is nothing left to aim at
                v = (v + slope(x + h * v, t + h)) / 2
            x = x + h * v
        return x


@dataclass(frozen=True)
class Diffusion:
    """x_k = sqrt(a_k) x + sqrt(1 - a_k) z for k = 1 .. ``levels``: the network learns the noise z or v.

    v = sqrt(a_k) z - sqrt(1 - a_k) x. a_k is the product of the 1 - b_j up to k.

    Attributes:
        levels: how many noise levels.
        schedule: ``linear``: b from 0.1 / levels to 20 / levels; ``cosine``: a_k follows a squared cosine.
        prediction: what the network answers.
        eta: 0: the same noise always gives the same data; 1: as much fresh noise as in ancestral sampling.
    """

    levels: int = 1000
    schedule: Literal["cosine", "linear"] = "cosine"
    prediction: Literal["v", "noise"] = "v"
    eta: float = 0.0

    def kept(self) -> Tensor:
        """a_0 = 1, a_1 ... a_levels: how much of the data's variance is left, float64."""
        if self.schedule == "linear":
            betas = torch.linspace(0.1 / self.levels, 20.0 / self.levels, self.levels, dtype=torch.float64)
        else:
            turn = (torch.arange(self.levels + 1, dtype=torch.float64) / self.levels + 0.008) / 1.008 * (math.pi / 2)
            wave = turn.cos().square()
            betas = 1 - wave[1:] / wave[:-1]
        kept = (1 - betas.clamp(max=0.999)).cumprod(dim=0)
        return torch.cat([torch.ones(1, dtype=torch.float64), kept])

    def loss(self, network: Network, data: Tensor, captions: Tensor, noise: Tensor, chance: Tensor) -> Tensor:
        """Mean squared error of the answer for each replicate, (r,); ``chance`` (r, b) uniform."""
        level = (chance * self.levels).long().clamp(max=self.levels - 1) + 1
        kept = self.kept().to(data.device)[level][..., None]
        signal, rest = kept.sqrt().float(), (1 - kept).sqrt().float()
        target = noise if self.prediction == "noise" else signal * noise - rest * data
        answer = network(signal * data + rest * noise, level / self.levels, captions).float()
        return (answer - target).square().flatten(1).mean(dim=1)

    def generate(
        self, network: Network, noise: Tensor, captions: Tensor, steps: int, bounds: Bounds, fresh: Callable[[], Tensor]
    ) -> Tensor:
        """Data (r, b, d) from noise over ``steps`` of the levels; ``fresh``: noise, when ``eta`` is not 0.

        The data that every step guesses is kept within ``bounds``.
        """
        kept = self.kept().tolist()
        levels = [round(self.levels * (steps - number) / steps) for number in range(steps + 1)]
        x = noise
        for level, below in itertools.pairwise(levels):
            now, then = kept[level], kept[below]
            time = torch.full(x.shape[:2], level / self.levels, device=x.device)
            answer = network(x, time, captions)
            if self.prediction == "noise":
                data = (x - math.sqrt(1 - now) * answer) / math.sqrt(now)
            else:
                data = math.sqrt(now) * x - math.sqrt(1 - now) * answer
            if bounds is not None:
                data = data.clamp(*bounds)
            found = (x - math.sqrt(now) * data) / math.sqrt(1 - now)
            spread = self.eta * math.sqrt((1 - then) / (1 - now) * (1 - now / then))
            x = math.sqrt(then) * data + math.sqrt(max(0.0, 1 - then - spread**2)) * found
            if spread > 0:
                x = x + spread * fresh()
        return x
