"""What the JSON files of a diffusers pipeline say: its parts, the pictures it makes and the classes it knows."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.data import Space
from remission.errors import SpecError

DENOISERS = {"UNet2DModel": "unet", "DiTTransformer2DModel": "transformer"}
CODERS = {"AutoencoderKL": "vae", "VQModel": "vqvae"}
STEADY = {  # schedulers that add no noise of their own
    "DDIMScheduler", "PNDMScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler",
    "DEISMultistepScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler", "LMSDiscreteScheduler",
}  # fmt: skip
SCHEDULERS = STEADY | {"DDPMScheduler", "EulerAncestralDiscreteScheduler"}
ASKED = ("epsilon", "sample", "v_prediction")


@dataclass(frozen=True, eq=False)
class Plan:
    """A pipeline as its files describe it.

    Attributes:
        path: its folder.
        kind: the class of its denoiser, and ``part``, the folder of it.
        coder: class and folder of what turns pictures into latents, or None.
        sampler: the class of its scheduler.
        times: how many steps its noise has.
        classes: how many rows its class table has for classes; 0: it is unconditional.
        channels: of its pictures.
        side: (height, width) of its pictures, or None if any size will do.
        step: sides of pictures are multiples of it.
        latent: channels, and sides relative to those of pictures, of what the denoiser sees.
    """

    path: Path
    kind: str
    part: str
    coder: tuple[str, str] | None
    sampler: str
    times: int
    classes: int
    channels: int
    side: tuple[int, int] | None
    step: int
    latent: tuple[int, int]

    def check_weights(self) -> None:
        """Raise SpecError unless all weights are there as safetensors."""
        from remission.networks.checkpoint import check_weights

        for part in (self.part, *([self.coder[1]] if self.coder else [])):
            check_weights(self.path / part)

    def steady(self, scheduler: str) -> bool:
        """Whether pictures are decided by their initial noise."""
        return scheduler == "ddim" or self.sampler in STEADY

    def null(self, size: int) -> int | None:
        """The row of the class table that means no class, where there are ``size`` classes."""
        if self.kind == "DiTTransformer2DModel":
            return self.classes
        return size if self.classes > size > 0 else None

    def misfit(self, space: Space) -> str:
        """Why items of this space are not what the pipeline makes; empty when they are."""
        height, width = space.picture or (0, 0)
        if space.channels != self.channels:
            return f"pictures have {space.channels} channel(s), and the pipeline makes {self.channels}. Give another pipeline."
        if self.side is not None and self.side != (height, width):
            return (
                f"pictures are {height} x {width}, and the pipeline makes {self.side[0]} x {self.side[1]}. Set the size of the "
                f"source (pixels), or give a pipeline of that sample_size."
            )
        if height % self.step or width % self.step:
            return f"pictures are {height} x {width}; the pipeline halves their sides, which must be multiples of {self.step}."
        caption = space.shape[0] - space.pixels
        if not self.classes and caption:
            return "the pipeline is unconditional, and pictures have captions. Set captions = false in [source]."
        if self.classes and not caption:
            return "the pipeline draws the picture of a class. Use a source with captions (captions = true), such as digits."
        if caption > 1:
            return f"captions have {caption} tokens; the pipeline takes one, a class."
        if space.size > self.classes > 0:
            return f"there are {space.size} classes, and the pipeline knows {self.classes}."
        return ""


@functools.lru_cache(maxsize=4)
def plan(path: Path) -> Plan:
    """Read the folder of a pipeline. Raises SpecError for what is none, or none that the loop can train."""
    from remission.networks.checkpoint import configuration

    if not path.is_dir():
        raise SpecError(f"model = '{path}' is a file. Give the folder that save_pretrained of a pipeline wrote.")
    index = configuration(path, "model_index.json")
    parts = {name: tuple(said) for name, said in index.items() if isinstance(said, list) and len(said) == 2 and said[1]}
    kind, part = _one_of(path, parts, DENOISERS)
    others = sorted(name for name in parts if "text" in name or name in ("tokenizer", "image_encoder"))
    if kind is None or others:
        raise SpecError(
            f"'{path}' is a {index.get('_class_name', 'pipeline')} of {', '.join(sorted(parts)) or 'no parts'}. The loop takes "
            f"unconditional and class-conditional ones, such as DDPMPipeline, DDIMPipeline, LDMPipeline and DiTPipeline."
        )
    coder, folder = _one_of(path, parts, CODERS)
    said = configuration(path / part, "config.json")
    noise = configuration(path / "scheduler", "scheduler_config.json")
    sampler = _scheduler(path, parts, noise)
    blocks = said.get("down_block_types") or said.get("block_out_channels") or ()
    step, channels, factor = (2 ** max(0, len(blocks) - 1), int(said.get("in_channels", 3)), 1)
    seen = channels
    if coder is not None:
        found = configuration(path / folder, "config.json")
        factor = 2 ** max(0, len(found.get("block_out_channels", (0,))) - 1)
        channels = int(found.get("in_channels", 3))
    size = said.get("sample_size")
    size = [size, size] if isinstance(size, int) else size
    side = (int(size[0]) * factor, int(size[1]) * factor) if size else None
    return Plan(
        path, kind, part, (coder, folder) if coder is not None else None, sampler, int(noise.get("num_train_timesteps", 1000)),
        _classes(path, kind, said), channels, side, step * factor, (seen, factor),
    )  # fmt: skip


def _one_of(path: Path, parts: dict[str, Any], known: dict[str, str]) -> tuple[Any, str]:
    """The class and the folder of the part that is one of these; (None, "") without one."""
    for name, (library, kind) in parts.items():
        if kind in known and library == "diffusers":
            return kind, name
    return None, ""


def _scheduler(path: Path, parts: dict[str, Any], noise: dict[str, Any]) -> str:
    library, kind = parts.get("scheduler", ("", "nothing"))
    if library != "diffusers" or kind not in SCHEDULERS:
        raise SpecError(
            f"'{path}' has the scheduler '{kind}', whose noise the loop does not know. Known: {', '.join(sorted(SCHEDULERS))}."
        )
    asked = noise.get("prediction_type", "epsilon")
    if asked not in ASKED:
        raise SpecError(
            f"'{path}': the scheduler has prediction_type = '{asked}'. The loop trains {', '.join(ASKED[:-1])} and {ASKED[-1]}."
        )
    return str(kind)


def _classes(path: Path, kind: str, said: dict[str, Any]) -> int:
    """How many classes a denoiser knows."""
    if kind == "DiTTransformer2DModel":
        return int(said.get("num_embeds_ada_norm", 1000))
    if said.get("class_embed_type") is not None:
        raise SpecError(
            f"'{path}': class_embed_type = '{said['class_embed_type']}' is no table of classes. Use num_class_embeds alone."
        )
    return int(said.get("num_class_embeds") or 0)
