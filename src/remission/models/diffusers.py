"""Any unconditional or class-conditional image pipeline of diffusers, fine-tuned every generation; needs the extra 'hf'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta

from remission.data import Array, Dataset, Floats, Space
from remission.desk import Desk, Tensors
from remission.errors import DataError, FitError, SpecError, need
from remission.interfaces import LongModel, Renderer, Sampling, State
from remission.models import _hub, _pipeline
from remission.rng import Streams

if TYPE_CHECKING:
    import torch

    from remission.networks.denoise import Pipeline
    from remission.world import World


class Diffusers(LongModel, Renderer):
    """A denoising pipeline given by its folder, fine-tuned on the pictures of each generation and sampled in few steps.

    Every fit starts from the given weights (``start = "scratch"`` or ``"base"``) or from those of the fit before
    (``"previous"``). A step draws pictures x, times t and noise e, adds the noise as the pipeline's scheduler does, and
    minimises the squared error of what the denoiser is asked for: e, x, or their velocity (``prediction_type`` of the
    scheduler), with AdamW over ``epochs`` passes through the training set. Pipelines that work on latents keep their
    coder as it is.

    Pictures are numbers 0 .. 1. A class-conditional pipeline needs pictures with captions of one token, their class. It
    draws the class of a new picture from the shares of the training set, so classes can be lost. Where its
    table has a row to spare (row number ``size`` of the space), a share ``silent`` of the captions is replaced by it in
    training, and ``guidance`` works; the pipeline's own such row is used where it has one (DiT).

    ``bias`` multiplies the variance of the initial noise, which decides how far pictures spread where the scheduler adds
    no noise of its own (``scheduler = "ddim"``).

    In collapse pictures lose variety and classes, or drift away from real ones: the Frechet distance rises, recall falls.

    Attributes:
        model: the folder that ``save_pretrained`` of a pipeline wrote, or a name in the local cache of Hugging Face. Only
            safetensors and JSON are read: no pickles, and no code that comes with a model.
        weights: those of the folder, or random ones in its shape (needs no weights there).
        epochs: passes through the training set; ``steps``, when given, counts steps instead.
        batch: pictures per step.
        rate, warmup: the highest learning rate, reached after that many steps; then a cosine down to a tenth.
        weight_decay: of AdamW, on matrices and kernels.
        ema: decay of averaged weights, which are then used (0: the last weights).
        sampling_steps: how often the denoiser is called for a picture.
        scheduler: the pipeline's own, or ``ddim``, which adds no noise.
        silent: share of captions left out in training, which guidance needs (a DiT leaves out a tenth by itself).
        precision: of forward passes; ``auto``: bfloat16 where it is faster.
        offline: use what is on this machine; false: fetch a name that is not.
        revision: of a name: branch, tag or commit.

    Raises:
        SpecError: no such pipeline, one that needs texts or a scheduler without a noise schedule, pickled weights, pictures
            of another size.
        FitError: fewer pictures than a batch, a loss that is no number.

    Source: Ho, Jain & Abbeel, arXiv 2006.11239; DDIM: Song, Meng & Ermon, arXiv 2010.02502; guidance: Ho & Salimans, arXiv
    2207.12598.

    >>> Diffusers(model="my-ddpm", scheduler="ddim").label
    'diffusers[model=my-ddpm,scheduler=ddim]'
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"image", "captioned"})
    knows: ClassVar[frozenset[str]] = frozenset({"bias", "guidance"})
    weighted: ClassVar[bool] = True

    model: str
    weights: Literal["pretrained", "random"] = "pretrained"
    epochs: Annotated[float, Meta(gt=0)] = 1.0
    steps: Annotated[int, Meta(ge=0)] = 0
    batch: Annotated[int, Meta(ge=1)] = 16
    rate: Annotated[float, Meta(gt=0)] = 1e-4
    warmup: Annotated[int, Meta(ge=0)] = 0
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    sampling_steps: Annotated[int, Meta(ge=1)] = 50
    scheduler: Literal["own", "ddim"] = "own"
    silent: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    offline: bool = True
    revision: str = "main"

    def check(self) -> None:
        """One length of training."""
        if self.steps and self.epochs != 1.0:
            raise SpecError("diffusers: 'steps' and 'epochs' exclude each other. Keep one.")

    @property
    def pretrained(self) -> bool:  # type: ignore[override]
        """Whether weights were given."""
        return self.weights == "pretrained"

    def minimum(self, space: Space) -> int:
        """A batch."""
        return self.batch

    def refuses(self, world: World) -> str:
        """Whether pictures, captions and sampling options are those of the pipeline."""
        plan = self._plan()
        if self.weights == "pretrained":
            plan.check_weights()
        if self.sampling_steps > plan.times:
            return f"sampling_steps = {self.sampling_steps}, but the pipeline's noise has {plan.times} steps. Lower it."
        if world.sampling.bias != 1.0 and not plan.steady(self.scheduler):
            return "bias is the variance of the initial noise, of which this scheduler leaves little. Set scheduler = 'ddim'."
        if world.sampling.guidance != 1.0 and plan.null(world.space.size) is None:
            return (
                f"guidance needs pictures without a class, and the pipeline has {plan.classes} class(es) and no row to spare. "
                f"Leave it out, or give a pipeline with num_class_embeds = {world.space.size + 1}."
            )
        if world.sampling.guidance != 1.0 and not self.silent:
            return "guidance compares with pictures without a class, which silent = 0 never shows. Try silent = 0.1."
        return plan.misfit(world.space)

    def content(self) -> str:
        """A hash of the pipeline's files."""
        from remission.networks.checkpoint import fingerprint

        return fingerprint(self._plan().path)

    def fit_at(self, data: Dataset, streams: Streams, previous: State | None, desk: Desk) -> State:
        """Fine-tune replicate by replicate; the state holds the denoiser under its own names and the shares of classes."""
        import torch

        if data.n < self.batch:
            raise FitError(f"{data.n} pictures are fewer than a batch of {self.batch}. Lower 'batch' or raise samples.")
        state = _hub.one_by_one(data, streams, previous, desk, self._trained)
        height, width = data.space.picture or (0, 0)
        state["picture"] = torch.tensor([[height, width, data.space.channels]] * len(streams))
        if data.space.kind == "captioned":
            size = data.space.size
            weight = np.ones(data.items.shape[:2]) if data.weight is None else data.weight
            rows = zip(_classes(data), weight, strict=True)
            counts = [np.bincount(classes, weights=each, minlength=size) for classes, each in rows]
            state["classes"] = torch.from_numpy(np.array(counts))
        return state

    def sample(self, state: State, n: int, streams: Streams, sampling: Sampling) -> Array:
        """New pictures, (r, n, d) in 0 .. 1, followed by their class where the pipeline has classes."""
        if "classes" not in state:
            return self._pictures(state, n, None, streams, sampling)
        classes = streams.sub("classes").categoricals(state["classes"].numpy(), n)
        return np.concatenate([self._pictures(state, n, classes, streams, sampling), classes[..., None]], axis=-1)

    def render(self, state: State, captions: Array, streams: Streams, sampling: Sampling) -> Floats:
        """Pictures (r, n, d) for captions (r, n, 1), classes. Raises DataError for classes it does not know."""
        size = len(state["classes"][0]) if "classes" in state else 0
        if captions.shape[2] != 1 or captions.min() < 0 or captions.max() >= size:
            raise DataError(f"The pipeline draws pictures of one class out of {size}. Got captions {captions.shape}.")
        return self._pictures(state, captions.shape[1], captions[..., 0].astype(np.int64), streams, sampling)

    def _pictures(self, state: State, n: int, classes: Array | None, streams: Streams, sampling: Sampling) -> Floats:
        """Pictures (r, n, d), each from a seed of its own."""
        import torch

        from remission.networks.device import one_thread

        seeds = [generator.integers(2**63 - 1, size=n).tolist() for generator in streams.generators()]
        with one_thread(), torch.no_grad():
            rows = [
                self._drawn(_hub.of(state, i), seeds[i], None if classes is None else classes[i], sampling)
                for i in range(len(streams))
            ]
        return np.stack(rows).astype(np.float64)

    def _plan(self) -> _pipeline.Plan:
        need("hf", "diffusers", "torch", "diffusers", "safetensors", "accelerate")
        from remission.networks.checkpoint import folder_of

        return _pipeline.plan(folder_of(self.model, self.revision, self.offline))

    def _trained(self, data: Dataset, streams: Streams, start: Tensors | None, desk: Desk) -> Tensors:
        """Fine-tune one replicate; the weights of the denoiser."""
        import torch

        from remission.networks import denoise
        from remission.networks.dice import Dice
        from remission.networks.train import Plan
        from remission.networks.tuned import put, tune

        seed = streams.seeds()[0]
        size = data.space.size if data.space.kind == "captioned" else 0
        pipeline = self._pipeline(size, seed if start is None else None)
        if start is not None:
            put(pipeline.denoiser, start)
        where = _hub.where(pipeline.denoiser)
        clean = self._seen(pipeline, data)
        classes = torch.from_numpy(_classes(data)[0]).to(where) if size else None
        weights = _hub.shares(None if data.weight is None else data.weight[0], data.n).to(where)
        batches = _hub.batches(streams, data.n, self.batch, desk)
        drop = 0.0 if pipeline.drops or pipeline.null is None else self.silent

        def parts(index: torch.Tensor, dice: Dice) -> tuple[torch.Tensor, ...]:
            times = dice.integers(pipeline.noise.config.num_train_timesteps, self.batch)
            noise, bare = dice.normals(self.batch, *clean.shape[1:]), dice.uniforms(self.batch) < drop
            return clean[index][None], index[None], times, noise, bare

        def loss(
            x: torch.Tensor, index: torch.Tensor, times: torch.Tensor, noise: torch.Tensor, bare: torch.Tensor
        ) -> Any:
            named = None if classes is None else classes[index[0]]
            if named is not None and drop:
                named = named.masked_fill(bare[0], pipeline.null or 0)
            errors = denoise.losses(pipeline, x[0], times[0], noise[0], named)
            return (errors * weights[index[0]]).mean()[None]

        steps = _hub.steps(self.epochs, self.steps, data.n, self.batch)
        plan = Plan(
            steps, self.batch, self.rate, min(self.warmup, steps), weight_decay=self.weight_decay, ema=self.ema,
            betas=(0.9, 0.999),
        )  # fmt: skip
        weight = sum(one.numel() for one in pipeline.denoiser.parameters())
        name = f"{type(pipeline.denoiser).__name__}, {weight} weights, {self.batch} x {tuple(clean.shape[1:])}"
        trial = parts(torch.arange(self.batch, device=where), Dice([0], where))
        return tune(
            pipeline.denoiser, loss, lambda dice: parts(batches().to(where), dice), trial, plan, seed, desk,
            self.precision, name,
        )  # fmt: skip

    def _seen(self, pipeline: Pipeline, data: Dataset) -> torch.Tensor:
        """What the denoiser sees of the pictures of one replicate, (n, c, h, w)."""
        import torch

        from remission.networks import chunks, denoise

        height, width = data.space.picture or (0, 0)
        pixels = np.asarray(data.items[0, :, : data.space.pixels], np.float32)
        pictures = torch.from_numpy(pixels.reshape(-1, height, width, data.space.channels)).permute(0, 3, 1, 2)
        where = _hub.where(pipeline.denoiser)

        def work(begin: int, end: int) -> torch.Tensor:
            with torch.no_grad():
                return denoise.encode(pipeline.coder, pictures[begin:end].contiguous().to(where))

        return chunks.in_chunks(len(pictures), _hub.fitting(pipeline.denoiser, 4000 * pixels.shape[1]), work).to(where)

    def _drawn(self, state: Tensors, seeds: list[int], classes: Array | None, sampling: Sampling) -> Array:
        """Pictures (n, d) of one replicate."""
        import torch

        from remission.networks import chunks, denoise
        from remission.networks.device import autocast
        from remission.networks.tuned import in_bf16, put

        height, width, _ = (int(number) for number in state["picture"])
        plan = self._plan()
        pipeline = self._pipeline(len(state.get("classes", ())), None)
        put(pipeline.denoiser, state)
        scheduler = denoise.sampler(
            plan.path, "DDIMScheduler" if self.scheduler == "ddim" else plan.sampler, pipeline.noise
        )
        channels, factor = plan.latent
        shape = (channels, height // factor, width // factor)
        where = _hub.where(pipeline.denoiser)
        named = None if classes is None else torch.from_numpy(classes).to(where)

        def work(begin: int, end: int) -> torch.Tensor:
            with autocast(where, in_bf16(where, self.precision)):
                return denoise.draw(
                    pipeline, scheduler, self.sampling_steps, seeds[begin:end], shape,
                    None if named is None else named[begin:end], sampling.bias, sampling.guidance,
                ).float()  # fmt: skip

        size = _hub.fitting(pipeline.denoiser, 4000 * height * width * plan.channels)
        found = chunks.in_chunks(len(seeds), size, work)
        return found.permute(0, 2, 3, 1).reshape(len(seeds), -1).numpy()

    def _pipeline(self, size: int, seed: int | None) -> Pipeline:
        """The pipeline of this process for ``size`` classes; with a seed, with the weights every first fit starts from."""
        from remission.networks.denoise import Pipeline, trained_noise
        from remission.networks.device import device

        plan = self._plan()
        key = (plan.path, self.weights, str(device()))
        denoiser, coder = _hub.held(key, lambda: self._opened(seed or 0), afresh=seed is not None)
        return Pipeline(
            denoiser, trained_noise(plan.path), coder, plan.null(size), drops=plan.kind == "DiTTransformer2DModel"
        )

    def _opened(self, seed: int) -> tuple[Any, Any]:
        from remission.networks import denoise
        from remission.networks.device import device

        plan, where = self._plan(), device()
        if self.weights == "random":
            denoiser = denoise.open_random(plan.path, plan.part, plan.kind, seed, where)
        else:
            denoiser = denoise.open_part(plan.path, plan.part, plan.kind, where)
        coder = None
        if plan.coder is not None:
            coder = denoise.open_part(plan.path, plan.coder[1], plan.coder[0], where).eval().requires_grad_(False)
        return denoiser.eval(), coder


def _classes(data: Dataset) -> Array:
    """The class of each picture, whole numbers (r, n)."""
    classes = data.items[..., -1].astype(np.int64)
    if classes.size and (classes.min() < 0 or classes.max() >= data.space.size):
        raise DataError(
            f"A class is outside 0 .. {data.space.size - 1}. Check that the data and its space belong together."
        )
    return classes
