"""A watermark as a logits processor of transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Processor:
    """Changes the logits (b, V) of every step; for one call of ``generate``, because it remembers what was written."""

    def __init__(self, steering: Callable[[Any, Any], Any]) -> None:
        self.steering = steering

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The changed logits, of the same type on the same device."""
        changed = self.steering(input_ids.cpu().numpy(), scores.double().cpu().numpy())
        return torch.from_numpy(changed).to(scores)


def of_rows(steer: Callable[[int, int, int], Any] | None, i: int) -> Callable[[int, int], Processor] | None:
    """What makes the processor of texts start .. stop - 1 of replicate i; None where nothing is steered."""
    return None if steer is None else lambda start, stop: Processor(steer(i, start, stop))
