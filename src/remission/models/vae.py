"""A variational autoencoder: items are decoded from a few normal numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import CAPTIONED, VECTORS, Array, Dataset, Floats, Space
from remission.desk import Desk
from remission.errors import DataError
from remission.interfaces import LongModel, Renderer, Sampling, State
from remission.models._pictures import (
    TOGETHER,
    Chunk,
    Frame,
    Job,
    captions_for,
    check_captions,
    check_warmup,
    draw,
    fit,
    items_of,
    refusal,
    scale_of,
    with_captions,
)
from remission.rng import Streams

if TYPE_CHECKING:
    from torch import Tensor, nn

    from remission.networks.replicates import Kind
    from remission.world import World


class Vae(LongModel, Renderer):
    """z ~ N(0, I) in ``latent`` dimensions, x from p(x | z), learned with an encoder q(z | x) that is normal.

    Training minimises E_q[- ln p(x | z)] + ``beta`` KL(q(z | x), N(0, I)). p is a product over the numbers of an item:
    ``bernoulli`` for grey levels 0 .. 1, with cross-entropy as its logarithm, or ``gaussian`` with one learned spread, never
    below ``least_spread``, that all numbers share. Gaussian items are taken less the mean and over the spread of the
    training set; pictures are cut to 0 .. 1.

    What is drawn is the *mean* of p(x | z), as is usual for pictures, or an item of p. Means have less variance than
    the data, by what the encoder does not see: a loop of means narrows for that reason alone. The dense networks of up
    to 8 replicates are trained at once.

    Captioned items: captions are drawn from those of the training set, the picture given the caption; encoder and decoder
    know the mean of the learned vectors of its tokens. ``bias`` multiplies the variance of z (lambda of the autophagy papers).

    In collapse pictures become alike and smooth: recall and coverage fall, pixel variance shrinks.

    Attributes:
        latent: numbers of z.
        hidden: width of a dense network; by default 64 for items of up to 128 numbers, else 256.
        width: channels of a convolutional one at half the size of the picture, twice that at a quarter.
        architecture: ``dense``, or ``conv`` for pictures.
        likelihood: see above; ``auto``: bernoulli for pictures in grey, else gaussian.
        output: ``mean`` or ``draw``; ``auto``: the mean for pictures, a draw for vectors.
        least_spread: of a gaussian likelihood, in spreads of the training set.
        beta: weight of the divergence; 1 is the bound itself.
        steps, batch: of a training. ``warm_steps``, when not 0, instead of ``steps`` from a previous state.
        rate, warmup: the highest learning rate and the steps until it.
        weight_decay: of AdamW, on matrices.
        ema: decay of averaged weights, which are then the model (0: the last weights).
        precision: of training and drawing; ``auto``: bfloat16 where it is measured to be faster.

    Raises:
        SpecError: ``conv`` or ``bernoulli`` for vectors.
        FitError: a loss that is no number. DataError: grey levels outside 0 .. 1, captions of another vocabulary.

    Source: Kingma and Welling, "Auto-encoding variational Bayes" (arXiv 1312.6114); beta: Higgins et al. (ICLR 2017); one
    learned spread: Rybkin et al. (arXiv 2006.13202).

    >>> Vae(latent=4, hidden=64).label
    'vae[latent=4,hidden=64]'
    """

    accepts: ClassVar[frozenset[str]] = VECTORS | CAPTIONED
    knows: ClassVar[frozenset[str]] = frozenset({"bias"})
    weighted: ClassVar[bool] = True

    latent: Annotated[int, Meta(ge=1)] = 16
    hidden: Annotated[int, Meta(ge=8)] | None = None
    width: Annotated[int, Meta(ge=1)] = 16
    architecture: Literal["dense", "conv"] = "dense"
    likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto"
    output: Literal["auto", "mean", "draw"] = "auto"
    least_spread: Annotated[float, Meta(gt=0)] = 1e-3
    beta: Annotated[float, Meta(ge=0)] = 1.0
    steps: Annotated[int, Meta(ge=1)] = 2000
    warm_steps: Annotated[int, Meta(ge=0)] = 0
    batch: Annotated[int, Meta(ge=1)] = 128
    rate: Annotated[float, Meta(gt=0)] = 2e-3
    warmup: Annotated[int, Meta(ge=0)] = 50
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.99
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def check(self) -> None:
        """The rate reaches its height."""
        check_warmup("vae", self.warmup, self.steps, self.warm_steps)

    def minimum(self, space: Space) -> int:
        """Two items; a data set smaller than a batch is drawn from with replacement."""
        return 2

    def together(self, space: Space) -> int:
        """Several when the network is dense."""
        return TOGETHER if self.architecture == "dense" else 1

    def refuses(self, world: World) -> str:
        """What needs pictures where there are none, and fields that nothing uses."""
        if Frame.of(world.space).picture is None:
            if self.architecture == "conv":
                return f"convolutions need pictures; {world.source.name()} gives points. Try architecture = 'dense'."
            if self.likelihood == "bernoulli":
                return f"a bernoulli likelihood needs grey levels 0 .. 1; {world.source.name()} gives points. Try 'gaussian'."
        return refusal("vae", self.warm_steps, world)

    def fit_at(self, data: Dataset, streams: Streams, previous: State | None, desk: Desk) -> State:
        """Train the networks of all replicates; captions of the training set are kept to draw from."""
        import torch

        from remission.networks.train import Plan

        frame = Frame.of(data.space)
        if self._bernoulli(frame):
            pictures = data.items[..., : frame.size]
            if pictures.size and (pictures.min() < 0 or pictures.max() > 1):
                raise DataError(
                    f"A bernoulli likelihood needs grey levels 0 .. 1. Got {pictures.min():g} .. {pictures.max():g}. Try "
                    f"likelihood = 'gaussian'."
                )
            r = data.replicates
            scale = torch.zeros(r, 1, 1), torch.ones(r, 1, 1)
        else:
            scale = scale_of(data, frame)
        steps = self.warm_steps if previous is not None and self.warm_steps else self.steps
        plan = Plan(steps, self.batch, self.rate, self.warmup, floor=0.05, weight_decay=self.weight_decay, ema=self.ema)
        wide = frame.hidden(self.hidden) if self.architecture == "dense" else self.width
        job = Job(self._kind(frame), f"vae {self.architecture} {wide} and {self.latent}", plan, self.precision)
        state = fit(job, frame, items_of(data, frame, scale), streams, previous, desk)
        return state | {"scale.mean": scale[0], "scale.spread": scale[1]}

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """New items (r, n, d), or (r, n, d + l) with captions drawn from those of the training set."""
        captions = captions_for(state, n, streams)
        return with_captions(self._drawn(state, captions, streams, sampling), captions, Frame.kept(state))

    def render(self, state: State, captions: Array, streams: Streams, sampling: Sampling) -> Floats:
        """Pictures (r, n, d) for captions (r, n, l). Raises DataError for captions it cannot know."""
        check_captions(captions, Frame.kept(state))
        return self._drawn(state, captions.astype(np.int64), streams, sampling)

    def _drawn(self, state: State, captions: Array, streams: Streams, sampling: Sampling) -> Floats:
        import torch

        from remission.networks.dense import apart
        from remission.networks.device import autocast, device

        frame = Frame.kept(state)
        mean, spread = (state[f"scale.{name}"].to(device()) for name in ("mean", "spread"))
        drawn = self.output == "draw" or (self.output == "auto" and frame.picture is None)

        def work(network: Any, chunk: Chunk) -> Tensor:
            latent = chunk.normals(self.latent) * sampling.bias**0.5
            with autocast(latent.device, chunk.bf16):
                answer = network.decode(latent, chunk.captions)
            if self._bernoulli(frame):
                shade = apart(torch.sigmoid, answer)
                return (chunk.uniforms(frame.size) < shade).float() if drawn else shade
            if drawn:
                least = torch.tensor(self.least_spread)
                answer = answer + torch.exp(network.scale).clamp(min=least).view(-1, 1, 1) * chunk.normals(frame.size)
            out = mean[chunk.rows] + spread[chunk.rows] * answer
            return out.clamp(0.0, 1.0) if frame.picture else out

        return draw(self._kind(frame), state, captions, streams, work)

    def _bernoulli(self, frame: Frame) -> bool:
        return self.likelihood == "bernoulli" or (self.likelihood == "auto" and frame.channels == 1)

    def _kind(self, frame: Frame) -> Kind:
        from remission.networks.autoencoder import Convolutional, Dense, bound
        from remission.networks.replicates import Kind

        def build(replicates: int) -> nn.Module:
            if self.architecture == "dense":
                return Dense(replicates, frame.size, self.latent, frame.hidden(self.hidden), frame.types)
            assert frame.picture is not None
            return Convolutional(frame.picture, self.latent, self.width, frame.types)

        likelihood: Any = "bernoulli" if self._bernoulli(frame) else "gaussian"

        def loss(network: Any, data: Tensor, captions: Tensor, noise: Tensor, chance: Tensor) -> Tensor:
            passes = network(data, captions, noise)
            return bound(passes, network.scale, data, likelihood, self.beta, self.least_spread)

        return Kind(build, self.architecture == "dense", loss, self.latent)
