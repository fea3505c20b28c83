"""What a causal language model of transformers holds for most probable after every beginning of a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from remission.errors import SpecError
from remission.networks.checkpoint import folder_of
from remission.networks.device import device, one_thread

LONGEST = 2048  # tokens of a piece, where the model itself names no limit

Read = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]


def reader(name: str) -> tuple[int, int, Read]:
    """The longest text that a model reads, the size of its output, and a function from tokens (t,) to the next ones (t,).

    Args:
        name: the folder of the model, or its name in the local cache.

    Raises:
        SpecError: there is no such model, or it is no causal language model.
    """
    from transformers import AutoModelForCausalLM

    folder = folder_of(name)
    try:
        network: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise SpecError(f"'{name}' is no causal language model that can be loaded: {error}") from None
    network = network.to(device()).eval()
    longest = min(LONGEST, getattr(network.config, "max_position_embeddings", None) or LONGEST)

    def read(tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        with torch.no_grad(), one_thread():
            logits = network(torch.from_numpy(tokens[None]).to(device())).logits
        return np.asarray(logits[0].argmax(dim=-1).cpu().numpy(), dtype=np.int64)

    return int(longest), int(network.get_output_embeddings().weight.shape[0]), read
