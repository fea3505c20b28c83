"""Causal language models of Hugging Face: opened from a folder, adapted, read with their own cache, scored."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from remission.errors import SpecError
from remission.networks.checkpoint import quiet
from remission.networks.decode import Reader
from remission.networks.dice import seeded


def config_of(folder: Path) -> Any:
    """The configuration of a causal language model. Raises SpecError when it is something else."""
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        with quiet():
            config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise SpecError(f"'{folder}': config.json cannot be used: {_first_line(error)}") from None
    written = [str(name) for name in getattr(config, "architectures", None) or ()]
    masked = bool(written) and all(name.endswith("ForMaskedLM") for name in written)
    if (
        getattr(config, "is_encoder_decoder", False)
        or masked
        or type(config) not in AutoModelForCausalLM._model_mapping
    ):
        raise SpecError(
            f"'{folder}' holds a '{config.model_type}' model ({', '.join(written) or 'no architecture named'}), which does "
            f"not write text from left to right. Give a causal language model, such as GPT-2, Llama, Qwen or Pythia."
        )
    return config


def positions(config: Any) -> int | None:
    """How many tokens a model can read; None: it has no limit of its own."""
    inner = config.get_text_config() if hasattr(config, "get_text_config") else config
    found = getattr(inner, "max_position_embeddings", None)
    return int(found) if isinstance(found, int) and found > 0 else None


def rows(config: Any) -> int:
    """How many tokens a model knows, padding of its tables included."""
    inner = config.get_text_config() if hasattr(config, "get_text_config") else config
    return int(inner.vocab_size)


def costs(config: Any, length: int) -> tuple[int, int]:
    """About how many bytes it takes to score a text of this length, and to write one."""
    inner = config.get_text_config() if hasattr(config, "get_text_config") else config
    width, layers = getattr(inner, "hidden_size", 1024), getattr(inner, "num_hidden_layers", 24)
    return 4 * length * (3 * rows(config) + 8 * width), 8 * layers * width * length + 48 * rows(config)


def open_weights(folder: Path, dtype: torch.dtype, where: torch.device, spread: bool) -> nn.Module:
    """The network with the weights of a folder, put where it runs while it is read.

    Args:
        folder: with config.json and safetensors.
        dtype: of the weights.
        where: the device.
        spread: over all GPUs, layer by layer.

    Raises:
        SpecError: weights that are damaged, that do not belong to the configuration, or too large for the GPUs.
    """
    from transformers import AutoModelForCausalLM

    opener: Any = AutoModelForCausalLM
    try:
        with quiet():
            network, told = opener.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=dtype,
                device_map="auto" if spread else {"": where}, output_loading_info=True,
            )  # fmt: skip
    except torch.OutOfMemoryError as error:
        raise SpecError(
            f"'{folder}' does not fit into the memory of {where}. Try tuning = 'lora' with precision = 'bfloat16', "
            f"spread = true on several GPUs, or a smaller model."
        ) from error
    except Exception as error:
        raise SpecError(f"'{folder}': the weights cannot be read: {_first_line(error)}") from error
    missing = sorted(told["missing_keys"])
    if missing:
        raise SpecError(
            f"'{folder}': the weights lack {len(missing)} of the model's parameters ({missing[0]} ...). Save the whole "
            f"model: AutoModelForCausalLM.from_pretrained(...).save_pretrained(folder)."
        )
    outside = sorted({str(place) for place in getattr(network, "hf_device_map", {}).values()} & {"cpu", "disk"})
    if spread and outside and where.type != "cpu":
        raise SpecError(f"'{folder}' does not fit on the GPUs together. Try tuning = 'lora' or a smaller model.")
    return network


def open_random(config: Any, seed: int, where: torch.device) -> nn.Module:
    """A network of this shape with random weights, the same on every device."""
    from transformers import AutoModelForCausalLM

    with quiet(), seeded(seed):
        network = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return network.float().to(where)


def adapted(network: Any, rank: int, alpha: int, targets: tuple[str, ...]) -> nn.Module:
    """The network with low-rank adapters, the only part that is trained.

    Raises:
        SpecError: no layer is called like the targets.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=alpha, task_type="CAUSAL_LM", target_modules=list(targets) if targets else "all-linear"
    )  # fmt: skip
    try:
        with quiet(), seeded(0):
            return get_peft_model(network, config)
    except ValueError as error:
        linear = {name.rpartition(".")[2] for name, one in network.named_modules() if _takes_adapter(one)}
        raise SpecError(
            f"targets = {list(targets)}: {_first_line(error)} Layers of this model: {', '.join(sorted(linear))}."
        ) from None


def _takes_adapter(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def restart_adapters(network: nn.Module, seed: int) -> None:
    """Fresh adapters, which change nothing yet."""
    from peft.tuners.lora import LoraLayer

    with seeded(seed):
        for module in network.modules():
            if isinstance(module, LoraLayer):
                module.reset_lora_parameters("default", True)


def log_likelihoods(network: nn.Module, tokens: Tensor, start: int | None) -> Tensor:
    """The natural log-probability (b, k) of every predicted token of texts (b, l).

    All l tokens are predicted after the token ``start``; without one, all but the first.
    """
    texts = tokens if start is None else torch.cat([tokens.new_full((len(tokens), 1), start), tokens], dim=1)
    logits = network(input_ids=texts, use_cache=False).logits[:, :-1].float()
    wanted = texts[:, 1:].to(logits.device)
    # rows of types side by side: across them the same sum takes several times as long
    found = nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
    return -found.view(wanted.shape).to(tokens.device)


class CachedReader(Reader):
    """Reads texts with the model's own cache; a model that keeps none reads its texts from the beginning every time."""

    def __init__(self, network: nn.Module, start: int | None, size: int) -> None:
        """``start``: the token before every text, or None; ``size``: tokens from this number on never come."""
        self.network, self.start, self.size = network, start, size
        self.cache: Any = None
        self.texts: Tensor | None = None  # of a model without a cache
        bare = getattr(network, "get_base_model", None)  # of one with adapters
        inner: Any = network if bare is None else bare()
        known = inspect.signature(inner.forward).parameters
        self.last: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self.holds = next((name for name in ("cache", "past_key_values") if name in known), "")  # its parameter

    def read(self, tokens: Tensor) -> Tensor:
        """The logits (b, size) of what follows."""
        if self.start is not None and self.cache is None and self.texts is None:
            tokens = torch.cat([tokens.new_full((len(tokens), 1), self.start), tokens], dim=1)
        if self.holds:
            found = self.network(input_ids=tokens, use_cache=True, **{self.holds: self.cache}, **self.last)
            self.cache = found[self.holds]
        else:
            self.texts = tokens if self.texts is None else torch.cat([self.texts, tokens], dim=1)
            found = self.network(input_ids=self.texts, use_cache=False, **self.last)
        return found.logits[:, -1, : self.size].float().to(tokens.device)

    def keep(self, rows: Tensor) -> None:
        """Go on with the texts of these rows."""
        if self.texts is not None:
            self.texts = self.texts[rows]
        if self.cache is not None:
            self.cache.reorder_cache(rows)


def _first_line(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said if len(said) <= 240 else said[:237] + '...'}"
