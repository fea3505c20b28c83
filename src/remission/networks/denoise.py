"""Denoising pipelines of diffusers: opened from a folder, trained on their own noise, sampled by their own scheduler."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from remission.errors import SpecError
from remission.networks.checkpoint import quiet
from remission.networks.dice import seeded


@dataclass(frozen=True, eq=False)
class Pipeline:
    """The parts of a pipeline that the loop needs.

    Attributes:
        denoiser: predicts what was added to a picture, at a time and for a class.
        noise: adds it, as the pipeline was trained.
        coder: pictures to latents and back; None where the denoiser sees pixels.
        null: the row of the class table that means no class; None where there is none.
        drops: the denoiser itself leaves classes out while it is trained.
    """

    denoiser: nn.Module
    noise: Any
    coder: Any
    null: int | None
    drops: bool


def open_part(folder: Path, part: str, kind: str, where: torch.device) -> Any:
    """A network of a pipeline with its weights. Raises SpecError when they cannot be read or do not fit."""
    import diffusers

    try:
        with quiet():
            network, told = getattr(diffusers, kind).from_pretrained(
                str(folder), subfolder=part, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
    except Exception as error:
        said = " ".join(str(error).split())
        raise SpecError(
            f"'{folder / part}': the weights cannot be read: {type(error).__name__}: {said[:240]}"
        ) from error
    missing = sorted(told["missing_keys"])
    if missing:
        raise SpecError(
            f"'{folder / part}': the weights lack {len(missing)} of the network's parameters ({missing[0]} ...). Save the "
            f"whole pipeline: pipeline.save_pretrained(folder)."
        )
    return network.float().to(where)


def open_random(folder: Path, part: str, kind: str, seed: int, where: torch.device) -> Any:
    """A network of a pipeline with random weights, the same on every device."""
    import diffusers

    network = getattr(diffusers, kind)
    with quiet(), seeded(seed):
        return network.from_config(network.load_config(str(folder / part), local_files_only=True)).to(where)


def trained_noise(folder: Path) -> Any:
    """How a pipeline adds noise when it is trained."""
    from diffusers import DDPMScheduler

    with quiet():
        return DDPMScheduler.from_config(DDPMScheduler.load_config(str(folder / "scheduler"), local_files_only=True))


def sampler(folder: Path, kind: str, noise: Any) -> Any:
    """The scheduler of this class with the noise of the pipeline. A learned variance is left to its lower bound."""
    import diffusers

    config = dict(noise.config)
    said = {} if "learned" not in str(config.get("variance_type")) else {"variance_type": "fixed_small"}
    with quiet():
        made = getattr(diffusers, kind)
        return made.from_config(made.load_config(str(folder / "scheduler"), local_files_only=True), **said)


def encode(coder: Any, pictures: Tensor) -> Tensor:
    """What the denoiser sees of pictures (b, c, h, w) in 0 .. 1."""
    pictures = pictures * 2 - 1
    if coder is None:
        return pictures
    found = coder.encode(pictures)
    latents: Tensor = found.latents if hasattr(found, "latents") else found.latent_dist.mode()
    return latents * coder.config.scaling_factor


def decode(coder: Any, latents: Tensor) -> Tensor:
    """Pictures in 0 .. 1 of what the denoiser made."""
    pictures = latents if coder is None else coder.decode(latents / coder.config.scaling_factor).sample
    return (pictures / 2 + 0.5).clamp(0, 1)


def losses(pipeline: Pipeline, clean: Tensor, times: Tensor, noise: Tensor, classes: Tensor | None) -> Tensor:
    """Squared error (b,) of what the denoiser is asked for: the noise, the picture, or their velocity."""
    scheduler = pipeline.noise
    noisy = scheduler.add_noise(clean, noise, times)
    asked = scheduler.config.prediction_type
    if asked == "epsilon":
        wanted = noise
    elif asked == "sample":
        wanted = clean
    else:
        wanted = scheduler.get_velocity(clean, noise, times)
    found = predicted(pipeline, noisy, times, classes)
    return (found.float() - wanted).square().flatten(1).mean(dim=1)


def predicted(pipeline: Pipeline, noisy: Tensor, times: Tensor, classes: Tensor | None) -> Tensor:
    """What the denoiser says; a learned variance is left out."""
    found = pipeline.denoiser(noisy, timestep=times, class_labels=classes).sample
    return found[:, : noisy.shape[1]]


def draw(
    pipeline: Pipeline,
    scheduler: Any,
    steps: int,
    seeds: list[int],
    shape: tuple[int, ...],
    classes: Tensor | None,
    bias: float,
    guidance: float,
) -> Tensor:
    """New pictures (b, c, h, w) in 0 .. 1, one for each seed: a picture does not depend on the others.

    Args:
        pipeline: what denoises.
        scheduler: the steps it takes, how many.
        steps: how many.
        seeds: one below 2^63 per picture.
        shape: of what the denoiser sees, without b.
        classes: of each picture (b,), or None.
        bias: the variance of the initial noise.
        guidance: w of u + w (c - u).
    """
    where = next(pipeline.denoiser.parameters()).device
    dice = [torch.Generator().manual_seed(seed) for seed in seeds]
    scheduler.set_timesteps(steps, device=where)
    x = torch.stack([torch.randn(shape, generator=one) for one in dice]).to(where)
    x = x * (bias**0.5 * float(scheduler.init_noise_sigma))
    taken = {"generator": dice} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for time in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, time)
        times = time.expand(len(seeds))
        found = predicted(pipeline, seen, times, classes)
        if guidance != 1.0:
            assert classes is not None
            assert pipeline.null is not None
            bare = predicted(pipeline, seen, times, torch.full_like(classes, pipeline.null))
            found = bare + guidance * (found - bare)
        x = scheduler.step(found.float(), time, x, return_dict=False, **taken)[0]
    return decode(pipeline.coder, x)
