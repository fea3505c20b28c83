"""A desk: where a long fit keeps half-done work."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remission.aside import written
from remission.errors import StoreError

EVERY = 60.0  # seconds between two savings of half-done work

Tensors = dict[str, Any]  # name -> torch tensor on the CPU


class Desk:
    """Half-done work of one fit in one folder; without a folder nothing is kept.

    What a fit saved is found again by the same fit of the same run after it was killed.
    """

    def __init__(self, folder: Path | None = None, every: float = EVERY) -> None:
        """``folder`` is made when something is saved; ``every`` seconds :attr:`due` becomes true."""
        self.folder = folder
        self.every = every
        self._last = time.monotonic()

    def part(self, name: str) -> Desk:
        """The desk of a part of the fit, such as one replicate."""
        return Desk(None if self.folder is None else self.folder / name, self.every)

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return self.folder is not None and time.monotonic() - self._last >= self.every

    def save(self, tensors: Mapping[str, Any], name: str = "work") -> None:
        """Keep tensors under a name, whole or not at all; what was there under this name is replaced."""
        if self.folder is None:
            return
        write_tensors(self.folder / f"{name}.safetensors", tensors)
        self._last = time.monotonic()

    def load(self, name: str = "work") -> Tensors | None:
        """What was saved, or None."""
        if self.folder is None or not (self.folder / f"{name}.safetensors").is_file():
            return None
        return read_tensors(self.folder / f"{name}.safetensors")


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    """A safetensors file, written aside and renamed. Tensors that share memory are stored twice."""
    from safetensors.torch import save

    content = save({name: tensor.contiguous().clone() for name, tensor in tensors.items()})
    try:
        with written(path) as beside:
            beside.write_bytes(content)
    except OSError as error:
        raise StoreError(
            f"'{path}' cannot be written ({error.strerror}). Finished generations are safe: make room and run the same "
            f"command again."
        ) from None


def read_tensors(path: Path) -> Tensors:
    """The tensors of a safetensors file. Raises StoreError when it is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise StoreError(f"'{path}' is damaged ({error}). Delete it and run again.") from None
