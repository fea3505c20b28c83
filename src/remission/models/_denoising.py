"""What flow matching and diffusion share: the network, its training, and guided drawing."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from msgspec import Meta

from remission.data import CAPTIONED, VECTORS, Array, Dataset, Floats, Space
from remission.desk import Desk
from remission.errors import SpecError
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

    from remission.networks.noise import Diffusion, Flow
    from remission.networks.replicates import Items, Kind
    from remission.world import World

CLUSTERS = 100  # of pictures that are given to a U-Net
PER_CLUSTER = 50  # items at least, on average


class Denoising(LongModel, Renderer):
    """A network that knows how noisy an item is and takes it towards data."""

    accepts: ClassVar[frozenset[str]] = VECTORS | CAPTIONED
    knows: ClassVar[frozenset[str]] = frozenset({"bias", "guidance"})
    weighted: ClassVar[bool] = True

    network: Literal["auto", "unet", "dense"] = "auto"
    width: Annotated[int, Meta(ge=8, multiple_of=8)] = 32
    hidden: Annotated[int, Meta(ge=8)] | None = None
    depth: Annotated[int, Meta(ge=1)] = 2
    steps: Annotated[int, Meta(ge=1)] = 1000
    warm_steps: Annotated[int, Meta(ge=0)] = 0
    batch: Annotated[int, Meta(ge=1)] = 64
    rate: Annotated[float, Meta(gt=0)] = 4e-3
    warmup: Annotated[int, Meta(ge=0)] = 50
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.99
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    silent: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    clusters: Annotated[int, Meta(ge=0)] | None = None
    sampling_steps: Annotated[int, Meta(ge=1)] = 8

    @abstractmethod
    def process(self) -> Flow | Diffusion:
        """The way from noise to data."""

    def check(self) -> None:
        """The rate reaches its height."""
        check_warmup(self.name(), self.warmup, self.steps, self.warm_steps)

    def minimum(self, space: Space) -> int:
        """Two items; a data set smaller than a batch is drawn from with replacement."""
        return 2

    def together(self, space: Space) -> int:
        """Several when the network is dense."""
        return TOGETHER if self._dense(Frame.of(space)) else 1

    def refuses(self, world: World) -> str:
        """A U-Net without pictures, guidance without captions, fields that nothing uses."""
        frame = Frame.of(world.space)
        if self.network == "unet" and frame.picture is None:
            return f"a U-Net needs pictures; {world.source.name()} gives points. Try network = 'dense'."
        if "guidance" in world.sampling.used:
            if not frame.length:
                return (
                    f"guidance needs items with captions; {world.source.name()} gives {world.space.kind} items. Remove "
                    f"guidance, or use captions = true where the source has them."
                )
            if not self.silent:
                return (
                    "guidance compares with pictures without caption, which silent = 0 never shows. Try silent = 0.1."
                )
        return refusal(self.name(), self.warm_steps, world)

    def fit_at(self, data: Dataset, streams: Streams, previous: State | None, desk: Desk) -> State:
        """Train the networks of all replicates; captions of the training set are kept to draw from."""
        from remission.networks.train import Plan

        frame = Frame.of(data.space)
        scale = scale_of(data, frame)
        items = items_of(data, frame, scale)
        middle = self._clustered(items, frame, streams, previous)
        if middle is not None:
            items = labelled(items, middle)
        steps = self.warm_steps if previous is not None and self.warm_steps else self.steps
        plan = Plan(steps, self.batch, self.rate, self.warmup, floor=0.05, weight_decay=self.weight_decay, ema=self.ema)
        size = f"{frame.hidden(self.hidden)} dense" if self._dense(frame) else f"{self.width} U-Net"
        job = Job(
            self._kind(frame),
            f"{size} of depth {self.depth}",
            plan,
            self.precision,
            self.silent if frame.length else 0.0,
        )
        state = fit(job, frame, items, streams, previous, desk)
        state |= {"scale.mean": scale[0], "scale.spread": scale[1]}
        return state if middle is None else state | {"clusters": middle}

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """New items (r, n, d), or (r, n, d + l) with captions drawn from those of the training set."""
        captions = captions_for(state, n, streams)
        return with_captions(self._drawn(state, captions, streams, sampling), captions, Frame.kept(state))

    def render(self, state: State, captions: Array, streams: Streams, sampling: Sampling) -> Floats:
        """Pictures (r, n, d) for captions (r, n, l). Raises DataError for captions it cannot know."""
        check_captions(captions, Frame.kept(state))
        return self._drawn(state, captions.astype("int64"), streams, sampling)

    def _drawn(self, state: State, captions: Array, streams: Streams, sampling: Sampling) -> Floats:
        from remission.networks.device import device
        from remission.networks.noise import Guide, patient

        frame, process = Frame.kept(state), self.process()
        if sampling.guidance != 1.0 and not frame.length:
            raise SpecError(f"{self.name()}: guidance needs a model that was trained on captions.")
        guide = Guide(sampling.guidance, frame.types)
        mean, spread = (state[f"scale.{name}"].to(device()) for name in ("mean", "spread"))

        def work(network: nn.Module, chunk: Chunk) -> Tensor:
            centre, unit = mean[chunk.rows], spread[chunk.rows]
            divisor = unit.where(unit > 0, 1.0)
            limits = (-centre / divisor, (1 - centre) / divisor) if frame.picture else None
            noise = chunk.normals(frame.size) * sampling.bias**0.5
            asked = guide(patient(network, chunk.bf16))
            drawn = process.generate(
                asked, noise, chunk.captions, self.sampling_steps, limits, lambda: chunk.normals(frame.size)
            )
            out = centre + unit * drawn
            return out.clamp(0.0, 1.0) if frame.picture else out

        return draw(self._kind(frame), state, captions, streams, work)

    def _dense(self, frame: Frame) -> bool:
        return self.network == "dense" or (self.network == "auto" and not frame.large)

    def _types(self, frame: Frame) -> int:
        """How many words or clusters the network can be told."""
        if frame.length:
            return frame.types
        return (0 if self._dense(frame) else CLUSTERS) if self.clusters is None else self.clusters

    def _clustered(self, items: Items, frame: Frame, streams: Streams, previous: State | None) -> Tensor | None:
        """The centres (r, k, d) of the clusters of items without captions, or None when there are to be none.

        From a previous state they are taken over: its networks know what they mean.
        """
        if frame.length:
            return None
        if previous is not None:
            return previous.get("clusters")
        count = min(self._types(frame), items.data.shape[1] // PER_CLUSTER)
        if count < 2:
            return None
        import torch

        from remission.networks.clusters import centres
        from remission.networks.device import one_thread
        from remission.networks.dice import Dice

        seeds = streams.sub("clusters").seeds()
        with one_thread():
            return torch.stack([centres(items.data[i], count, Dice([seed])) for i, seed in enumerate(seeds)])

    def _kind(self, frame: Frame) -> Kind:
        from remission.networks.dense import Denoiser
        from remission.networks.replicates import Kind
        from remission.networks.unet import UNet

        def build(replicates: int) -> nn.Module:
            if self._dense(frame):
                return Denoiser(replicates, frame.size, frame.hidden(self.hidden), self.depth, self._types(frame))
            assert frame.picture is not None
            return UNet(frame.picture, self.width, self.depth, types=self._types(frame))

        def loss(network: Any, data: Tensor, captions: Tensor, noise: Tensor, chance: Tensor) -> Tensor:
            return process.loss(network, data, captions, noise, chance)

        process = self.process()
        return Kind(build, self._dense(frame), loss, frame.size)


def labelled(items: Items, middle: Tensor) -> Items:
    """Items whose caption is the number of the nearest centre."""
    import torch

    from remission.networks.clusters import nearest
    from remission.networks.device import one_thread

    with one_thread():
        told = torch.stack([nearest(one, centres) for one, centres in zip(items.data, middle, strict=True)])
    return dataclasses.replace(items, captions=told[..., None])
